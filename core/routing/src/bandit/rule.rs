//! The rule.
//! For: orders and their reasons. Not for: counts.

use super::{Arm, Chance, Policy, Tally};
use crate::route::{Candidate, Choice, Decision, Route, TaskClass};
use callboard_telemetry::MicroDollars;

/// Where a candidate belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Good,
    Unjudged,
    Worse,
}

/// The places of the arms, who is asked first first, each with its reason.
#[must_use]
pub fn order(arms: &[Arm], class: TaskClass, policy: &Policy, chance: Chance) -> Vec<Choice> {
    let best = arms
        .iter()
        .filter(|arm| is_judged(arm, policy))
        .map(|arm| arm.tally.rate())
        .fold(f64::NEG_INFINITY, f64::max);
    let rank = |arm: &Arm| {
        let rate = arm.tally.rate_at_best();
        if !is_judged(arm, policy) {
            Rank::Unjudged
        } else if rate >= share(policy.floor) && rate >= best - share(policy.margin) {
            Rank::Good
        } else {
            Rank::Worse
        }
    };
    let mut places: Vec<usize> = (0..arms.len()).collect();
    // Sorting keeps the places of equals.
    places.sort_by(|one, other| {
        let (one, other) = (&arms[*one], &arms[*other]);
        let by_rank = rank(one).cmp(&rank(other));
        by_rank.then_with(|| match rank(one) {
            Rank::Good => price(one).cmp(&price(other)),
            Rank::Unjudged => std::cmp::Ordering::Equal,
            Rank::Worse => other.tally.rate().total_cmp(&one.tally.rate()),
        })
    });
    let mut choices: Vec<Choice> = places
        .into_iter()
        .map(|at| Choice {
            at,
            why: reason(&arms[at], rank(&arms[at]), class, policy),
        })
        .collect();
    if choices.len() > 1 && chance.whether < share(policy.explores()) {
        let tried = 1 + place_of(chance.whom, choices.len() - 1);
        let mut tried = choices.remove(tried);
        let percent = percent(policy.explores());
        tried.why = format!("explored, as {percent} of the tasks are; {}", tried.why);
        choices.insert(0, tried);
    }
    choices
}

/// A decision in the order that was learned; who was rejected stays so. Without a class nothing was learned.
#[must_use]
pub fn relearn(
    route: &Route,
    mut decision: Decision,
    class: Option<TaskClass>,
    tally: impl Fn(&Candidate) -> Tally,
    policy: &Policy,
    chance: Chance,
) -> Decision {
    let Some(class) = class else {
        return decision;
    };
    let candidate = |choice: &Choice| &route.candidates[choice.at];
    let arms: Vec<Arm> = decision
        .order
        .iter()
        .map(|choice| Arm {
            tally: tally(candidate(choice)),
            cost: candidate(choice).cost,
        })
        .collect();
    let learned = order(&arms, class, policy, chance);
    decision.order = learned
        .into_iter()
        .map(|place| {
            let was = &decision.order[place.at];
            Choice {
                at: was.at,
                why: format!("{}; {}", place.why, was.why),
            }
        })
        .collect();
    decision
}

fn is_judged(arm: &Arm, policy: &Policy) -> bool {
    // Without any try there is nothing to judge, whatever the settings say.
    arm.tally.tried() >= policy.least.max(1)
}

/// An unknown price is not a low one.
fn price(arm: &Arm) -> (bool, MicroDollars) {
    (arm.cost.is_none(), arm.cost.unwrap_or_default())
}

fn reason(arm: &Arm, rank: Rank, class: TaskClass, policy: &Policy) -> String {
    let Tally { succeeded, .. } = arm.tally;
    let tried = arm.tally.tried();
    let seen = format!("{succeeded} of {tried} {class} tasks succeeded");
    match rank {
        Rank::Good => {
            let cost = match arm.cost {
                Some(cost) => format!("costs {cost} at most"),
                None => "its price is not known".to_owned(),
            };
            format!("{seen}: as good as the best, and {cost}")
        }
        Rank::Unjudged if tried == 0 => format!("no {class} task was tried with it"),
        Rank::Unjudged => format!("{seen}, too few to judge (of {})", policy.least),
        Rank::Worse if arm.tally.rate_at_best() < share(policy.floor) => {
            format!("{seen}, fewer than {}", percent(policy.floor))
        }
        Rank::Worse => format!("{seen}, worse than the best"),
    }
}

fn share(thousandths: u16) -> f64 {
    f64::from(thousandths) / 1_000.0
}

fn percent(thousandths: u16) -> String {
    match (thousandths / 10, thousandths % 10) {
        (whole, 0) => format!("{whole} %"),
        (whole, tenth) => format!("{whole}.{tenth} %"),
    }
}

/// Which of so many a number from 0 to 1 means.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "candidates are few, and the number is held within its bounds"
)]
fn place_of(number: f64, many: usize) -> usize {
    let place = (number.clamp(0.0, 1.0) * many as f64) as usize;
    place.min(many - 1)
}
