//! What is in the data at all.
//! For: finding the cheap and the strong model before anything is compared. Not for: figures.

use super::{Labelled, Wrong};
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::lines::LINES_MOST;

/// Takes every line once.
#[derive(Debug, Default)]
pub struct Survey {
    lines: u64,
    /// By the id's hash: the line.
    seen: HashMap<u64, u64>,
    models: BTreeMap<String, Sums>,
}

#[derive(Debug, Default)]
struct Sums {
    lines: u64,
    priced: u64,
    score: f64,
    cost: f64,
}

/// The two models that everything is measured between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Asked where that does.
    pub cheap: String,
    /// Asked where it has to be.
    pub strong: String,
}

/// Why there is nothing to choose between.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPair {
    /// No data.
    #[error("there is no line of data")]
    Empty,
    /// A model that was named is not there.
    #[error("no line has an outcome of {model}; there are {present}")]
    Unknown {
        /// Which.
        model: String,
        /// Which are.
        present: String,
    },
    /// Nobody was named, and it is not clear who is meant.
    #[error("{why}: name two with --cheap MODEL and --strong MODEL; there are {present}")]
    Unclear {
        /// Why not.
        why: String,
        /// Which there are.
        present: String,
    },
}

impl Survey {
    /// Takes a line, counted from 1.
    ///
    /// # Errors
    /// A prompt that was there before, or too many of them.
    pub fn take(&mut self, line: u64, labelled: &Labelled) -> Result<(), Wrong> {
        if self.lines >= LINES_MOST as u64 {
            return Err(Wrong::TooMany { most: LINES_MOST });
        }
        let mut hasher = DefaultHasher::new();
        labelled.id.hash(&mut hasher);
        if let Some(before) = self.seen.insert(hasher.finish(), line) {
            let id = labelled.id.clone();
            return Err(Wrong::Again { id, before });
        }
        self.lines += 1;
        for (model, outcome) in &labelled.outcomes {
            // Not `entry`: it would need the name as its own each time.
            if !self.models.contains_key(model) {
                self.models.insert(model.clone(), Sums::default());
            }
            if let Some(sums) = self.models.get_mut(model) {
                sums.lines += 1;
                sums.score += outcome.score;
                if let Some(cost) = outcome.cost_micro {
                    sums.priced += 1;
                    sums.cost += cost;
                }
            }
        }
        Ok(())
    }

    /// How many lines there were.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// What a call of a model costs in the mean, in millionths of a dollar, where that is known.
    #[must_use]
    pub fn mean_cost(&self, model: &str) -> Option<f64> {
        let sums = self.models.get(model)?;
        (sums.priced > 0).then(|| mean(sums.cost, sums.priced))
    }

    /// The models that were named, or else the cheapest and the best of those that have an outcome in every line.
    ///
    /// # Errors
    /// [`NoPair`].
    pub fn pair(&self, cheap: Option<&str>, strong: Option<&str>) -> Result<Pair, NoPair> {
        if self.lines == 0 {
            return Err(NoPair::Empty);
        }
        for named in [cheap, strong].into_iter().flatten() {
            if !self.models.contains_key(named) {
                return Err(NoPair::Unknown {
                    model: named.to_owned(),
                    present: self.present(),
                });
            }
        }
        let unclear = |why: &str| NoPair::Unclear {
            why: why.to_owned(),
            present: self.present(),
        };
        let everywhere = || {
            let all = self.models.iter();
            all.filter(|(_, sums)| sums.lines == self.lines)
        };
        let strong = match strong {
            Some(named) => named.to_owned(),
            None => everywhere()
                .max_by(|(_, one), (_, other)| one.score.total_cmp(&other.score))
                .map(|(model, _)| model.clone())
                .ok_or_else(|| unclear("no model has an outcome in every line"))?,
        };
        let cheap = match cheap {
            Some(named) => named.to_owned(),
            None => everywhere()
                .filter(|(model, sums)| **model != strong && sums.priced == self.lines)
                .min_by(|(_, one), (_, other)| one.cost.total_cmp(&other.cost))
                .map(|(model, _)| model.clone())
                .ok_or_else(|| {
                    unclear("no second model has an outcome and a cost in every line")
                })?,
        };
        if cheap == strong {
            return Err(unclear("the cheap and the strong model are the same"));
        }
        Ok(Pair { cheap, strong })
    }

    fn present(&self) -> String {
        let each = self.models.iter().map(|(model, sums)| {
            let score = mean(sums.score, sums.lines);
            format!("{model} ({} lines, mean score {score:.3})", sums.lines)
        });
        let mut all: Vec<String> = each.take(21).collect();
        if all.len() > 20 {
            all[20] = format!("{} more", self.models.len() - 20);
        }
        all.join(", ")
    }
}

#[expect(clippy::cast_precision_loss, reason = "lines are few")]
fn mean(sum: f64, of: u64) -> f64 {
    sum / of as f64
}
