//! How it went.
//!
//! For: the same facts as a text, as JSON and as JUnit. Not for: where they are written to.

mod json;
mod junit;
mod text;

pub use json::to_json;
pub use junit::to_junit;
pub use text::{Colour, to_text};

use crate::judge::Mismatch;
use crate::read::LoadError;
use crate::wire::Secrets;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How all scenarios went.
#[derive(Debug, Clone)]
pub struct Report {
    /// Each scenario, in the order given.
    pub outcomes: Vec<Outcome>,
    /// How long all took.
    pub took: Duration,
}

impl Report {
    /// Whether all passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.outcomes
            .iter()
            .all(|outcome| outcome.verdict == Verdict::Passed)
    }
}

/// How a scenario went.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: PathBuf,
    /// Whether it held.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
    /// How many steps were done, those of loops counted each time.
    pub steps: usize,
    /// What failed: the step that ended it, and what failed while cleaning up.
    pub failures: Vec<Failure>,
}

/// Whether a scenario held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All steps did.
    Passed,
    /// One did not.
    Failed,
    /// Nothing was run: its file can't be used.
    Unread,
}

impl Outcome {
    /// A scenario that was not run, as its file can't be used.
    #[must_use]
    pub fn unread(error: &LoadError) -> Outcome {
        let failure = Failure {
            line: error.line,
            column: error.column,
            ..Failure::of(
                &error.file,
                "scenario",
                &callboard_redact::scrub(&error.message),
            )
        };
        Outcome {
            name: error.file.file_stem().map_or_else(
                || error.file.display().to_string(),
                |stem| stem.to_string_lossy().into_owned(),
            ),
            file: error.file.clone(),
            verdict: Verdict::Unread,
            took: Duration::ZERO,
            steps: 0,
            failures: vec![failure],
        }
    }
}

/// A step that did not hold.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The scenario's file.
    pub file: PathBuf,
    /// The step's line; 0 when the whole scenario is meant.
    pub line: u64,
    /// The step's column.
    pub column: u64,
    /// The step's name, or what it does.
    pub step: String,
    /// What it does: `call task_add`.
    pub verb: String,
    /// Where in loops and clients.
    pub within: Vec<String>,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What differs from what was expected.
    pub differences: Vec<Difference>,
    /// What was said last, and by whom.
    pub servers: Vec<ServerLog>,
}

/// A difference, at a place.
#[derive(Debug, Clone)]
pub struct Difference {
    /// Where: `value.items[0]`, `error.code`.
    pub at: String,
    /// What is wrong there.
    pub what: String,
    /// What was expected.
    pub expected: Option<Value>,
    /// What came.
    pub actual: Option<Value>,
}

impl From<Mismatch> for Difference {
    fn from(mismatch: Mismatch) -> Difference {
        Difference {
            at: mismatch.at,
            what: mismatch.what,
            expected: mismatch.expected,
            actual: mismatch.actual,
        }
    }
}

/// The last messages of a server, and the last lines of its standard error.
#[derive(Debug, Clone)]
pub struct ServerLog {
    /// Its name, and the parallel client's number.
    pub name: String,
    /// A line for each message: seconds, direction, text.
    pub traffic: Vec<String>,
    /// Lines of standard error.
    pub stderr: Vec<String>,
}

impl Failure {
    pub(crate) fn of(file: &Path, step: &str, message: &str) -> Failure {
        Failure {
            file: file.to_owned(),
            line: 0,
            column: 0,
            step: step.to_owned(),
            verb: step.to_owned(),
            within: Vec::new(),
            message: message.to_owned(),
            differences: Vec::new(),
            servers: Vec::new(),
        }
    }

    /// Takes secrets out of all that is shown.
    pub(crate) fn mask(&mut self, secrets: &Secrets) {
        self.message = secrets.mask(&self.message);
        for within in &mut self.within {
            *within = secrets.mask(within);
        }
        for difference in &mut self.differences {
            difference.at = secrets.mask(&difference.at);
            difference.what = secrets.mask(&difference.what);
            for value in [&mut difference.expected, &mut difference.actual]
                .into_iter()
                .flatten()
            {
                let masked = secrets.mask(&value.to_string());
                *value = serde_json::from_str(&masked).unwrap_or(Value::String(masked));
            }
        }
        for server in &mut self.servers {
            for line in server.traffic.iter_mut().chain(&mut server.stderr) {
                *line = secrets.mask(line);
            }
        }
    }

    /// `file:line`, or the file alone.
    #[must_use]
    pub fn place(&self) -> String {
        if self.line == 0 {
            self.file.display().to_string()
        } else {
            format!("{}:{}", self.file.display(), self.line)
        }
    }

    /// The step and where in loops and clients it was.
    #[must_use]
    pub fn title(&self) -> String {
        let within = if self.within.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.within.join(", "))
        };
        if self.step == self.verb {
            format!("{}{within}", self.step)
        } else {
            format!("{} [{}]{within}", self.step, self.verb)
        }
    }
}
