//! The table at the end: what became of every item, with what attempts.

use serde::{Deserialize, Serialize};

/// What became of a roadmap.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The repository's root.
    pub project: String,
    /// The branch that results were merged into.
    pub integration: String,
    /// Its last commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// The items, in the order of the roadmap.
    pub items: Vec<ItemReport>,
    /// What a person should know besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemReport {
    /// Its key in the roadmap.
    pub item: String,
    /// Its title.
    pub title: String,
    /// Its task on the board, where one was posted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// What became of it.
    pub outcome: ItemOutcome,
    /// Why, where it is not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Every attempt, first one first.
    pub attempts: Vec<AttemptReport>,
    /// Time spent in attempts, ms.
    pub time_ms: i64,
    /// Commits of the attempt that succeeded.
    pub commits: u32,
    /// Files changed, lines added, lines removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<(u32, u32, u32)>,
    /// What the tests said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tests: Option<String>,
    /// Its branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The commit that merged it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<String>,
    /// Its pull request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pr: Option<String>,
}

/// One attempt, as the table tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptReport {
    /// Its id.
    pub id: String,
    /// 1 for the first.
    pub number: u32,
    /// How it ended.
    pub outcome: String,
    /// Why it did not succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long it took, ms.
    pub time_ms: i64,
    /// Where its work is kept when it did not succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// Its log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemOutcome {
    /// Merged.
    Done,
    /// A pull request waits to be merged.
    PullRequest,
    /// A person has to decide something.
    NeedsPerson,
    /// Out of retries.
    Failed,
    /// Depends on something that is not done.
    Blocked,
    /// Called off.
    Cancelled,
    /// Work was stopped before it ended.
    Unfinished,
}

impl ItemOutcome {
    /// The words for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ItemOutcome::Done => "done",
            ItemOutcome::PullRequest => "pull request",
            ItemOutcome::NeedsPerson => "needs a person",
            ItemOutcome::Failed => "failed",
            ItemOutcome::Blocked => "blocked",
            ItemOutcome::Cancelled => "cancelled",
            ItemOutcome::Unfinished => "unfinished",
        }
    }
}

impl Report {
    /// Whether nothing is left to do for anybody.
    #[must_use]
    pub fn all_done(&self) -> bool {
        self.items
            .iter()
            .all(|item| matches!(item.outcome, ItemOutcome::Done | ItemOutcome::Cancelled))
    }

    /// How many items have this outcome.
    #[must_use]
    pub fn count(&self, outcome: ItemOutcome) -> usize {
        self.items
            .iter()
            .filter(|item| item.outcome == outcome)
            .count()
    }

    /// One line: how many items ended how.
    #[must_use]
    pub fn summary(&self) -> String {
        use ItemOutcome as O;
        let all = [
            O::Done,
            O::PullRequest,
            O::NeedsPerson,
            O::Failed,
            O::Blocked,
            O::Cancelled,
            O::Unfinished,
        ];
        let parts: Vec<String> = all
            .into_iter()
            .filter(|outcome| self.count(*outcome) > 0)
            .map(|outcome| format!("{} {}", self.count(outcome), outcome.as_str()))
            .collect();
        if parts.is_empty() {
            "nothing to do".to_owned()
        } else {
            parts.join(", ")
        }
    }
}
