//! An order of candidates learned from what came of their work.
//!
//! For: putting the cheapest candidate first that does a class of tasks about as well as the best one, by counts of tasks
//! that succeeded and failed, with a reason that a person can check. Not for: counting (whoever knows the tasks does), or
//! deciding who may be asked at all: requirements come first, and nothing here brings back who was rejected.
//!
//! # The rule
//! A bandit of the simplest kind (epsilon-greedy: Sutton and Barto, "Reinforcement Learning", 2nd edition, section 2.2),
//! as its every choice can be said in a sentence:
//! 1. A candidate is judged by its success rate when it has been tried often enough ([`Policy::least`]). The rate is
//!    (succeeded + 1) / (tried + 2), so that a few tries never look certain (Laplace's rule).
//! 2. Good is who reaches the floor ([`Policy::floor`]) and is at most [`Policy::margin`] behind the best, with the benefit of
//!    the doubt: what one standard error would add counts too. Few tries leave much doubt, many hardly any.
//! 3. The good come first, the cheapest of them before the others; then those not yet judged, as they stood; then the
//!    rest, the best of them first. While nobody is judged, everybody stays in place.
//! 4. With the chance [`Policy::explore`], another than the first is put before it, each as likely as any other. It never
//!    falls below [`LEAST_EXPLORED`]: who is never tried is never learned about, and models change. The chance is the
//!    task's ([`Chance::of`]): all of its calls go the same way, or no model would have done the task.
//!
//! An attempt counts for the model that gave at least two thirds of the answers it used ([`credit`]): as succeeded when the
//! task was done, as failed when the attempt failed or ran out of time. What was interrupted, given back, cancelled, or
//! failed to merge beside others' work says nothing about a model, and counts for nobody.
//!
//! What it can't know: whether the tasks of one candidate were harder than those of another. Exploration evens that out for
//! who is asked first; whoever mostly gets what another failed at looks worse than it is.

mod credit;
mod rule;
#[cfg(test)]
mod tests;

pub use credit::{CREDITED, Credit, credit};
pub use rule::{order, relearn};

use crate::evaluate::Dice;
use callboard_telemetry::MicroDollars;
use serde::{Deserialize, Serialize};

/// The least chance of exploring, in thousandths.
pub const LEAST_EXPLORED: u16 = 10;
/// The greatest, in thousandths: more would not be following what was learned.
pub const MOST_EXPLORED: u16 = 500;
/// How long what came of an attempt counts, in milliseconds: 90 days, as long as rows of calls are kept. Models change.
pub const COUNTED_MS: i64 = 90 * 86_400_000;

/// Attempts at tasks of one class that a candidate did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The task was done.
    pub succeeded: u64,
    /// It was not.
    pub failed: u64,
}

impl Tally {
    /// How many there were.
    #[must_use]
    pub fn tried(self) -> u64 {
        self.succeeded.saturating_add(self.failed)
    }

    /// The share that succeeded, drawn a little to the middle.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "tasks are few")]
    pub fn rate(self) -> f64 {
        (self.succeeded as f64 + 1.0) / (self.tried() as f64 + 2.0)
    }

    /// The same with one standard error more.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "tasks are few")]
    pub fn rate_at_best(self) -> f64 {
        let rate = self.rate();
        rate + (rate * (1.0 - rate) / (self.tried() as f64 + 2.0)).sqrt()
    }
}

/// A candidate, as far as its order matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arm {
    /// What came of it.
    pub tally: Tally,
    /// What the request would cost there; `None`: not known, and no low price.
    pub cost: Option<MicroDollars>,
}

/// How much is learned and how much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// The chance that another than the first is tried, in thousandths, [`LEAST_EXPLORED`] to [`MOST_EXPLORED`].
    pub explore: u16,
    /// Tasks before a candidate is judged.
    pub least: u64,
    /// The success rate below which nobody is put first, in thousandths.
    pub floor: u16,
    /// How far behind the best still counts as good, in thousandths of tasks.
    pub margin: u16,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            explore: 50,
            least: 10,
            floor: 500,
            margin: 50,
        }
    }
}

impl Policy {
    /// The chance of exploring in thousandths, within its bounds.
    #[must_use]
    pub fn explores(&self) -> u16 {
        self.explore.clamp(LEAST_EXPLORED, MOST_EXPLORED)
    }
}

/// Two numbers by chance, each from 0 up to, but not, 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chance {
    /// Whether to explore.
    pub whether: f64,
    /// Whom to try.
    pub whom: f64,
}

impl Chance {
    /// Nobody is tried.
    pub const NONE: Chance = Chance {
        whether: 1.0,
        whom: 0.0,
    };

    /// The same for all calls of a task by a route, so that the task is the work of one model and says something about
    /// it. A call for no task says nothing about anybody, so nobody is tried for it.
    #[must_use]
    pub fn of(route: &str, task: Option<&str>) -> Chance {
        let Some(task) = task else {
            return Chance::NONE;
        };
        let mut dice = Dice::of(&[route, task]);
        Chance {
            whether: dice.unit(),
            whom: dice.unit(),
        }
    }
}
