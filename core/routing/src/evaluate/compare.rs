//! Every router on the same prompts, and on the same resamples of them.
//! For: what is compared, and how sure the figures are. Not for: the figures of one order ([`Curve`] has them).

use super::curve::{Curve, Group, Point};
use super::lines::{Evaluation, Got, Line, Who, got};
use super::{Dice, Estimate, Figures, Grade, Model, NoGap, Report, Router};
use crate::route::TaskClass;

/// Prompts looked at in all resamples together; fewer resamples for more data, within bounds.
const LOOKED_AT: usize = 4_000_000;
/// A difference of scores that is one.
const DIFFERENT: f64 = 1e-12;

const FIGURES: usize = 10;
const QUALITY: usize = 0;
const GAP: usize = 1;
const SAVED: usize = 2;
const APGR: usize = 3;
const CPT_50: usize = 4;
const CPT_80: usize = 5;
const AUC: usize = 6;
const AT_90: usize = 7;
const AT_95: usize = 8;
const AT_100: usize = 9;

/// The figures of one router on one sample; no number where there is none.
type Row = [f64; FIGURES];

enum Way<'e> {
    /// Prompts in an order, and where each group of equals ends.
    Order(Vec<u32>, Vec<u32>),
    /// A model for each prompt.
    Choice(&'e [Got]),
    /// The same, by itself.
    Always(bool),
}

struct Entrant<'e> {
    name: String,
    about: &'static str,
    way: Way<'e>,
}

/// Sums over a sample with one model for all.
#[derive(Default)]
struct Sums {
    prompts: f64,
    cheap: f64,
    strong: f64,
    cheap_cost: f64,
    strong_cost: f64,
}

pub(super) fn report(evaluation: &Evaluation, seed: u64) -> Result<Report, NoGap> {
    let lines = &evaluation.lines;
    let (cheap, strong) = (&evaluation.pair.cheap, &evaluation.pair.strong);
    if lines.is_empty() {
        return Err(NoGap::Nothing {
            cheap: cheap.clone(),
            strong: strong.clone(),
        });
    }
    let once = vec![1; lines.len()];
    let sums = sums(lines, &once);
    if sums.strong - sums.cheap <= DIFFERENT {
        return Err(NoGap::NotBetter {
            strong: strong.clone(),
            strong_quality: sums.strong / sums.prompts,
            cheap: cheap.clone(),
            cheap_quality: sums.cheap / sums.prompts,
        });
    }
    let entrants = entrants(evaluation);
    let rows: Vec<Row> = entrants
        .iter()
        .map(|entrant| row(&entrant.way, lines, &once, &sums))
        .collect();
    let resamples = (LOOKED_AT / lines.len()).clamp(100, 1_000);
    let spreads = resampled(&entrants, lines, resamples, seed);
    let routers = entrants
        .iter()
        .zip(rows)
        .zip(spreads)
        .map(|((entrant, row), spread)| shown(entrant, lines, &row, &spread, &once, &sums))
        .collect();
    let share = |counts: fn(&Line) -> bool| {
        let count = lines.iter().filter(|line| counts(line)).count();
        ratio(count, lines.len())
    };
    let model = |name: &str, score: f64, cost: f64| Model {
        name: name.to_owned(),
        quality: score / sums.prompts,
        cost_micro: known(cost),
    };
    Ok(Report {
        lines: lines.len(),
        left_out: evaluation.left_out,
        unpriced: lines
            .iter()
            .filter(|line| line.cheap_cost.is_nan() || line.strong_cost.is_nan())
            .count(),
        cheap: model(cheap, sums.cheap, sums.cheap_cost),
        strong: model(strong, sums.strong, sums.strong_cost),
        needs_strong: share(needs_strong),
        needs_cheap: share(|line| line.cheap > line.strong + DIFFERENT),
        seed,
        resamples,
        routers,
    })
}

fn entrants(evaluation: &Evaluation) -> Vec<Entrant<'_>> {
    let lines = &evaluation.lines;
    let entrant = |name: &str, about, way| Entrant {
        name: name.to_owned(),
        about,
        way,
    };
    let mut all = vec![
        entrant("always cheap", "the cheap model", Way::Always(false)),
        entrant("always strong", "the strong model", Way::Always(true)),
        entrant(
            "chance",
            "any prompt as likely as any other",
            ordered(lines, |_| 0.0),
        ),
        entrant(
            "length",
            "longer prompts to the strong model",
            ordered(lines, |line| f64::from(line.length)),
        ),
    ];
    if lines.iter().any(|line| line.class.is_some()) {
        let class = |line: &Line| match line.class {
            Some(TaskClass::Simple) => 0.0,
            Some(TaskClass::Standard) | None => 1.0,
            Some(TaskClass::Complex) => 2.0,
        };
        let about = "harder declared classes to the strong model; none is standard";
        all.push(entrant("class", about, ordered(lines, class)));
    }
    if let Some((asked, got)) = &evaluation.route {
        let name = format!("route {}", asked.route.name);
        let about = "the first choice of the configured route";
        all.push(entrant(&name, about, Way::Choice(got)));
    }
    let about = "learns from line to line, as route learning does";
    all.push(entrant("bandit", about, Way::Choice(&evaluation.bandit.1)));
    let about = "knows every score before: nobody can do better";
    let gain = |line: &Line| line.strong - line.cheap;
    all.push(entrant("oracle", about, ordered(lines, gain)));
    all
}

fn ordered(lines: &[Line], wants: impl Fn(&Line) -> f64) -> Way<'static> {
    let keys: Vec<f64> = lines.iter().map(wants).collect();
    let key = |at: u32| keys[at as usize];
    // There are at most a million lines.
    let mut order: Vec<u32> = (0..).take(lines.len()).collect();
    order.sort_by(|one, other| key(*other).total_cmp(&key(*one)));
    let differ = |(one, other): (&u32, &u32)| (key(*one) - key(*other)).abs() > DIFFERENT;
    let mut ends: Vec<u32> = (1..)
        .zip(order.iter().zip(order.iter().skip(1)))
        .filter(|(_, pair)| differ(*pair))
        .map(|(end, _)| end)
        .collect();
    ends.extend((0..).nth(order.len()));
    Way::Order(order, ends)
}

fn needs_strong(line: &Line) -> bool {
    line.strong > line.cheap + DIFFERENT
}

fn sums(lines: &[Line], times: &[u32]) -> Sums {
    let mut sums = Sums::default();
    for (line, times) in lines.iter().zip(times) {
        let times = f64::from(*times);
        sums.prompts += times;
        sums.cheap += times * line.cheap;
        sums.strong += times * line.strong;
        sums.cheap_cost += times * line.cheap_cost;
        sums.strong_cost += times * line.strong_cost;
    }
    sums
}

fn row(way: &Way<'_>, lines: &[Line], times: &[u32], sums: &Sums) -> Row {
    let mut row = [f64::NAN; FIGURES];
    let mut put = |score: f64, cost: f64| {
        row[QUALITY] = score / sums.prompts;
        if sums.strong - sums.cheap > DIFFERENT {
            row[GAP] = (score - sums.cheap) / (sums.strong - sums.cheap);
        }
        if sums.strong_cost > 0.0 {
            row[SAVED] = 1.0 - cost / sums.strong_cost;
        }
    };
    match way {
        Way::Always(false) => put(sums.cheap, sums.cheap_cost),
        Way::Always(true) => put(sums.strong, sums.strong_cost),
        Way::Choice(got) => {
            let (mut score, mut cost) = (0.0, 0.0);
            for (got, times) in got.iter().zip(times) {
                score += f64::from(*times) * got.score;
                cost += f64::from(*times) * got.cost;
            }
            put(score, cost);
        }
        Way::Order(order, ends) => {
            let curve = curve(order, ends, lines, times, sums);
            let half = curve.at(0.5);
            put(sums.cheap + half.gain, sums.cheap_cost + half.dearer);
            if sums.strong - sums.cheap > DIFFERENT {
                row[APGR] = curve.apgr();
                row[CPT_50] = curve.cpt(0.5);
                row[CPT_80] = curve.cpt(0.8);
            }
            row[AUC] = curve.auc().unwrap_or(f64::NAN);
            for (at, quality) in [(AT_90, 0.9), (AT_95, 0.95), (AT_100, 1.0)] {
                row[at] = curve.saved(quality).unwrap_or(f64::NAN);
            }
        }
    }
    row
}

fn curve(order: &[u32], ends: &[u32], lines: &[Line], times: &[u32], sums: &Sums) -> Curve {
    let mut groups = Vec::with_capacity(ends.len());
    let mut from = 0;
    for end in ends {
        let end = *end as usize;
        let mut group = Group::default();
        for at in &order[from..end] {
            let line = &lines[*at as usize];
            let times = f64::from(times[*at as usize]);
            group.prompts += times;
            group.need += times * f64::from(u8::from(needs_strong(line)));
            group.gain += times * (line.strong - line.cheap);
            group.dearer += times * (line.strong_cost - line.cheap_cost);
        }
        groups.push(group);
        from = end;
    }
    let cost = known(sums.cheap_cost).filter(|_| !sums.strong_cost.is_nan());
    Curve::new(groups, sums.cheap, cost)
}

/// For each entrant and figure: its values on resampled data, sorted.
fn resampled(
    entrants: &[Entrant<'_>],
    lines: &[Line],
    resamples: usize,
    seed: u64,
) -> Vec<[Vec<f64>; FIGURES]> {
    let mut dice = Dice::new(seed);
    let mut spreads: Vec<[Vec<f64>; FIGURES]> = entrants
        .iter()
        .map(|_| std::array::from_fn(|_| Vec::new()))
        .collect();
    let mut times = vec![0_u32; lines.len()];
    for _ in 0..resamples {
        times.fill(0);
        for _ in 0..lines.len() {
            times[dice.below(lines.len())] += 1;
        }
        let sums = sums(lines, &times);
        for (entrant, spread) in entrants.iter().zip(&mut spreads) {
            let row = row(&entrant.way, lines, &times, &sums);
            for (value, values) in row.into_iter().zip(spread) {
                if !value.is_nan() {
                    values.push(value);
                }
            }
        }
    }
    for values in spreads.iter_mut().flatten() {
        values.sort_by(f64::total_cmp);
    }
    spreads
}

fn shown(
    entrant: &Entrant<'_>,
    lines: &[Line],
    row: &Row,
    spread: &[Vec<f64>; FIGURES],
    once: &[u32],
    sums: &Sums,
) -> Router {
    let maybe = |at: usize| {
        known(row[at]).map(|value| Estimate {
            value,
            low: percentile(&spread[at], 0.025).unwrap_or(value),
            high: percentile(&spread[at], 0.975).unwrap_or(value),
        })
    };
    let sure = |at: usize| {
        maybe(at).unwrap_or(Estimate {
            value: f64::NAN,
            low: f64::NAN,
            high: f64::NAN,
        })
    };
    let (strong_share, other_share, cost) = match &entrant.way {
        Way::Always(strong) => {
            let cost: f64 = lines.iter().map(|line| got(line, *strong).cost).sum();
            (f64::from(u8::from(*strong)), 0.0, cost)
        }
        Way::Choice(got) => {
            let share =
                |who: Who| ratio(got.iter().filter(|got| got.who == who).count(), got.len());
            let cost = got.iter().map(|got| got.cost).sum();
            (share(Who::Strong), share(Who::Another), cost)
        }
        Way::Order(order, ends) => {
            let Point { dearer, .. } = curve(order, ends, lines, once, sums).at(0.5);
            (0.5, 0.0, sums.cheap_cost + dearer)
        }
    };
    let grade = matches!(entrant.way, Way::Order(..)).then(|| Grade {
        apgr: sure(APGR),
        cpt_50: sure(CPT_50),
        cpt_80: sure(CPT_80),
        auc: maybe(AUC),
        saved_at_90: maybe(AT_90),
        saved_at_95: maybe(AT_95),
        saved_at_100: maybe(AT_100),
    });
    Router {
        name: entrant.name.clone(),
        about: entrant.about.to_owned(),
        figures: Figures {
            strong_share,
            other_share,
            quality: sure(QUALITY),
            cost_micro: known(cost),
            saved: maybe(SAVED),
            gap_recovered: sure(GAP),
        },
        grade,
    }
}

/// Of sorted values.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "at most a thousand values, and a share of their number"
)]
fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    values.get((share * last as f64).round() as usize).copied()
}

#[expect(clippy::cast_precision_loss, reason = "lines are few")]
fn ratio(part: usize, of: usize) -> f64 {
    part as f64 / of as f64
}

fn known(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}
