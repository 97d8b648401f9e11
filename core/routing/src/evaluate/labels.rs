//! One line of labelled data.
//! For: reading it strictly. Not for: adding lines up.

use crate::route::TaskClass;
use callboard_telemetry::Tokens;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A prompt, and how well each model did with it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labelled {
    /// Names the prompt in messages; unique in the data.
    pub id: String,
    /// What was asked.
    pub prompt: String,
    /// How hard the work is, as somebody said without looking at the answers.
    #[serde(default)]
    pub class: Option<TaskClass>,
    /// What came of it, by model.
    pub outcomes: BTreeMap<String, Outcome>,
}

/// How well a model did with a prompt.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// From 0, useless, to 1, right.
    pub score: f64,
    /// What it cost, in millionths of a dollar; absent: see `tokens`.
    #[serde(default)]
    pub cost_micro: Option<f64>,
    /// What it used, to be priced where the cost is not given.
    #[serde(default)]
    pub tokens: Option<Used>,
}

/// What a model used. As everywhere, `input` includes what is cached, `output` the reasoning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Used {
    input: u64,
    cached: u64,
    cache_write: u64,
    cache_write_1h: u64,
    output: u64,
    reasoning: u64,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It is not what a line has to be.
    #[error(
        "{why}; a line is {{\"id\": \"1\", \"prompt\": \"…\", \"class\": \"simple\", \"outcomes\": {{\"MODEL\": \
         {{\"score\": 1, \"cost_micro\": 120}}}}}}, `class` and `cost_micro` may be left out"
    )]
    NoLabels {
        /// What is in the way.
        why: String,
    },
    /// A score that is none.
    #[error("the score of {model} is {score}; scores go from 0 to 1")]
    Score {
        /// Whose.
        model: String,
        /// What stands there.
        score: String,
    },
    /// A cost that is none.
    #[error("the cost of {model} is {cost}; costs are millionths of a dollar, 0 or more")]
    Cost {
        /// Whose.
        model: String,
        /// What stands there.
        cost: String,
    },
    /// The prompt was there before.
    #[error("the id {id:?} is also that of line {before}; each prompt counts once")]
    Again {
        /// Its id.
        id: String,
        /// Where it was first.
        before: u64,
    },
    /// More than fits.
    #[error("there are more than {most} lines; evaluate a sample of them")]
    TooMany {
        /// How many fit.
        most: usize,
    },
}

impl Labelled {
    /// Reads a line.
    ///
    /// # Errors
    /// [`Wrong`].
    pub fn read(line: &str) -> Result<Labelled, Wrong> {
        let labelled: Labelled = serde_json::from_str(line).map_err(|error| Wrong::NoLabels {
            why: plainly(&error),
        })?;
        for (model, outcome) in &labelled.outcomes {
            if !(0.0..=1.0).contains(&outcome.score) {
                return Err(Wrong::Score {
                    model: model.clone(),
                    score: outcome.score.to_string(),
                });
            }
            if let Some(cost) = outcome.cost_micro.filter(|cost| *cost < 0.0) {
                return Err(Wrong::Cost {
                    model: model.clone(),
                    cost: cost.to_string(),
                });
            }
        }
        Ok(labelled)
    }

    /// Puts a price on what has tokens and no cost.
    pub fn price(&mut self, cost: impl Fn(&str, &Tokens) -> Option<f64>) {
        for (model, outcome) in &mut self.outcomes {
            if let (None, Some(used)) = (outcome.cost_micro, outcome.tokens) {
                let tokens = Tokens {
                    input: used.input,
                    cached: used.cached,
                    cache_write: used.cache_write,
                    cache_write_1h: used.cache_write_1h,
                    output: used.output,
                    reasoning: used.reasoning,
                };
                outcome.cost_micro = cost(model, &tokens);
            }
        }
    }
}

/// The message, with the column alone: the line is always 1, as lines are read one by one.
fn plainly(error: &serde_json::Error) -> String {
    let told = error.to_string();
    let place = format!(" at line 1 column {}", error.column());
    match told.strip_suffix(&place) {
        Some(what) => format!("{what} (column {})", error.column()),
        None => told,
    }
}
