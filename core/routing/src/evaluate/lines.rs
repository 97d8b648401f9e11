//! The data, as much of it as the figures need.
//! For: taking lines one by one; prompts are not kept. Not for: figures.

use super::{Asked, Astray, Dice, Labelled, NoGap, Pair, Report, Survey, compare, pick};
use crate::bandit::{self, Arm, Chance, Policy};
use crate::route::TaskClass;
use callboard_telemetry::MicroDollars;

/// How many lines are taken: 100 to 200 MB of memory.
pub const LINES_MOST: usize = 1_000_000;

/// One prompt. A cost that is not known is no number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub cheap: f64,
    pub strong: f64,
    pub cheap_cost: f64,
    pub strong_cost: f64,
    /// Characters of the prompt.
    pub length: u32,
    pub class: Option<TaskClass>,
}

/// What a router that names one model got for a prompt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Got {
    pub score: f64,
    pub cost: f64,
    pub who: Who,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Cheap,
    Strong,
    Another,
}

/// Takes every line once more, after a [`Survey`] of them.
#[derive(Debug)]
pub struct Evaluation {
    pub(super) pair: Pair,
    pub(super) lines: Vec<Line>,
    pub(super) left_out: u64,
    pub(super) route: Option<(Asked, Vec<Got>)>,
    pub(super) bandit: (Replay, Vec<Got>),
}

/// The bandit as it would have learned, line after line, from no knowledge.
#[derive(Debug)]
pub(super) struct Replay {
    /// By class: the cheap and the strong one.
    arms: [[Arm; 2]; 3],
    policy: Policy,
    dice: Dice,
}

/// From this score on a prompt counts as a success for the bandit, which only knows those and failures.
const SUCCESS: f64 = 0.5;

impl Evaluation {
    /// Measures between the two models of the pair, and what `route` does; its candidates get the costs that their
    /// models have in the data.
    #[must_use]
    pub fn new(pair: Pair, route: Option<Asked>, survey: &Survey, seed: u64) -> Evaluation {
        let cost = |model: &str| survey.mean_cost(model).map(micro_dollars);
        let mut fresh = [Arm::default(); 2];
        fresh[0].cost = cost(&pair.cheap);
        fresh[1].cost = cost(&pair.strong);
        let route = route.map(|mut asked| {
            for candidate in &mut asked.route.candidates {
                let full = format!("{}/{}", candidate.provider, candidate.model);
                candidate.cost = cost(&full).or_else(|| cost(&candidate.model));
            }
            (asked, Vec::new())
        });
        let replay = Replay {
            arms: [fresh; 3],
            policy: Policy::default(),
            dice: Dice::new(seed),
        };
        Evaluation {
            pair,
            lines: Vec::new(),
            left_out: 0,
            route,
            bandit: (replay, Vec::new()),
        }
    }

    /// Takes a line. One that lacks an outcome of the two models is left out, and counted.
    ///
    /// # Errors
    /// The route's choice can't be scored.
    pub fn take(&mut self, labelled: &Labelled) -> Result<(), Astray> {
        let outcome = |model: &str| labelled.outcomes.get(model);
        let (Some(cheap), Some(strong)) = (outcome(&self.pair.cheap), outcome(&self.pair.strong))
        else {
            self.left_out += 1;
            return Ok(());
        };
        if let Some((asked, got)) = &mut self.route {
            let (model, outcome) = pick(asked, labelled)?;
            let who = match model {
                _ if model == self.pair.cheap => Who::Cheap,
                _ if model == self.pair.strong => Who::Strong,
                _ => Who::Another,
            };
            got.push(Got {
                score: outcome.score,
                cost: outcome.cost_micro.unwrap_or(f64::NAN),
                who,
            });
        }
        let line = Line {
            cheap: cheap.score,
            strong: strong.score,
            cheap_cost: cheap.cost_micro.unwrap_or(f64::NAN),
            strong_cost: strong.cost_micro.unwrap_or(f64::NAN),
            length: u32::try_from(labelled.prompt.chars().count()).unwrap_or(u32::MAX),
            class: labelled.class,
        };
        let (replay, got) = &mut self.bandit;
        got.push(replay.play(&line));
        self.lines.push(line);
        Ok(())
    }

    /// The figures; the same seed gives the same intervals.
    ///
    /// # Errors
    /// The strong model is not better, so there is nothing to recover.
    pub fn report(&self, seed: u64) -> Result<Report, NoGap> {
        compare::report(self, seed)
    }
}

impl Replay {
    fn play(&mut self, line: &Line) -> Got {
        let class = line.class.unwrap_or(TaskClass::Standard);
        let at = TaskClass::ALL.iter().position(|one| *one == class);
        let arms = &mut self.arms[at.unwrap_or(0)];
        let chance = Chance {
            whether: self.dice.unit(),
            whom: self.dice.unit(),
        };
        let order = bandit::order(arms, class, &self.policy, chance);
        let strong = order.first().is_some_and(|choice| choice.at == 1);
        let got = got(line, strong);
        let tally = &mut arms[usize::from(strong)].tally;
        if got.score >= SUCCESS {
            tally.succeeded += 1;
        } else {
            tally.failed += 1;
        }
        got
    }
}

/// What one of the two gets for a prompt.
pub(super) fn got(line: &Line, strong: bool) -> Got {
    if strong {
        Got {
            score: line.strong,
            cost: line.strong_cost,
            who: Who::Strong,
        }
    } else {
        Got {
            score: line.cheap,
            cost: line.cheap_cost,
            who: Who::Cheap,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "held within its bounds by the cast itself"
)]
fn micro_dollars(mean: f64) -> MicroDollars {
    MicroDollars(mean.round() as i64)
}
