//! What the crew says while it works: one stream for a terminal, for plain lines, for programs and for
//! MCP progress.

use crate::report::Report;
use serde::Serialize;

/// How a note begins that says which budget keeps work from being handed out; the next attempt ends what it says.
pub const HELD: &str = "no work is handed out: ";

/// Something happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Work on a project begins.
    Started {
        /// The repository's root.
        project: String,
        /// The board's directory.
        board: String,
        /// The agent's name.
        agent: String,
        /// How many work at once.
        agents: u32,
        /// The branch that results are merged into.
        integration: String,
        /// Open items.
        items: usize,
    },
    /// What an earlier process left was put in order.
    Recovered {
        /// What was found, in words.
        found: Vec<String>,
    },
    /// An attempt at an item begins.
    Attempt {
        /// The item's key.
        item: String,
        /// The item's title.
        title: String,
        /// The task.
        task: String,
        /// The attempt.
        attempt: String,
        /// 1 for the first attempt, interrupted ones included.
        number: u32,
        /// Why the one before did not succeed.
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
    /// An attempt comes to its next step.
    Step {
        /// The item's key.
        item: String,
        /// The attempt.
        attempt: String,
        /// The step.
        step: Step,
        /// More about it.
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// An attempt ended without success.
    Failed {
        /// The item's key.
        item: String,
        /// The attempt.
        attempt: String,
        /// How it ended.
        outcome: String,
        /// Why.
        error: String,
        /// What happens next, in words.
        next: String,
    },
    /// An item is done: merged, or waiting as a pull request.
    Done {
        /// The item's key.
        item: String,
        /// The attempt.
        attempt: String,
        /// The merge commit, where we merged.
        #[serde(skip_serializing_if = "Option::is_none")]
        merge: Option<String>,
        /// The pull request, where one was opened.
        #[serde(skip_serializing_if = "Option::is_none")]
        pr: Option<String>,
        /// What the tests said.
        tests: String,
    },
    /// Something a person should know.
    Note {
        /// What.
        text: String,
    },
    /// Work has ended.
    Finished {
        /// The table.
        report: Report,
    },
}

/// The steps of an attempt, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Its branch and worktree are made.
    Worktree,
    /// The agent works.
    Agent,
    /// The project's tests run.
    Tests,
    /// The result is committed.
    Commit,
    /// The branch is pushed.
    Push,
    /// A pull request is opened.
    PullRequest,
    /// It is merged into the integration branch.
    Merge,
}

impl Step {
    /// The word stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Step::Worktree => "worktree",
            Step::Agent => "agent",
            Step::Tests => "tests",
            Step::Commit => "commit",
            Step::Push => "push",
            Step::PullRequest => "pull request",
            Step::Merge => "merge",
        }
    }
}
