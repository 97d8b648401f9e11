//! For: what a roadmap says, as plain data: items, statuses, estimates, dependencies, deliverables.
//! Byte spans count from the first byte of the document (a byte order mark included); lines from 1.
//! Not for: finding these things (see `outline`, `gather`) or changing them (see `edit`).

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// The name of an item inside its document: stable while its number or, where it has none, its title stays.
///
/// `priority-3.5`, `phase-3`, `4.2`, `milestone-2`, `option-a`, else the title as lower-case words joined
/// by `-`. Where two items would share a key, each of them also carries its title.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ItemKey(pub String);

impl ItemKey {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for ItemKey {
    fn from(key: &str) -> Self {
        Self(key.to_owned())
    }
}

impl From<String> for ItemKey {
    fn from(key: String) -> Self {
        Self(key)
    }
}

/// Where an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not begun; also what an item without any mark is.
    Planned,
    /// Begun and not finished; also "75 % complete".
    InProgress,
    /// Finished.
    Done,
    /// Waits for something outside the roadmap; also paused, on hold, deferred. A person's move.
    Blocked,
    /// Tried and not achieved. A person's move.
    Failed,
    /// Will not be done.
    Cancelled,
}

impl Status {
    /// Every status, in the order of an item's life.
    pub const ALL: [Self; 6] = [
        Self::Planned,
        Self::InProgress,
        Self::Done,
        Self::Blocked,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The usual words, "In progress".
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Planned => "Planned",
            Self::InProgress => "In progress",
            Self::Done => "Done",
            Self::Blocked => "Blocked",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }

    /// Nothing more is to be done: done or cancelled.
    #[must_use]
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// A status as it is written in the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusMark {
    /// What it means.
    pub status: Status,
    /// The whole value without markup, remarks included: "🔄 IN PROGRESS (second half)".
    pub text: String,
    /// "75" of "75% complete".
    pub percent: Option<u8>,
    /// The line it stands on.
    pub line: u32,
    /// From the first to the last byte that an update replaces (for a check-box: the one character).
    pub span: Range<usize>,
}

/// How an item is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// "PRIORITY 3.5: …"
    Priority,
    /// "Phase 3: …"
    Phase,
    /// "TIER 4: …"
    Tier,
    /// "Milestone 2: …"
    Milestone,
    /// "Option A: …", one of several between which a person chooses.
    Option,
    /// Another word with a number: "Epic 2", "Task 7", "Stage II", "Release 1.2", "Step 3".
    Labelled,
    /// A code: "US-001: …", "T12: …".
    Coded,
    /// A number alone: "4.2 …", "1. …".
    Numbered,
    /// A heading known as an item by its status line or mark only.
    Titled,
    /// An entry of a list.
    Entry,
    /// A row of a table with a status column.
    Row,
}

/// How urgent the document says an item is: "**Priority**: HIGH", or 🔴 🟠 🟡 🟢 before its title.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Importance {
    /// 🟢
    Low,
    /// 🟡
    Medium,
    /// 🔴, 🟠
    High,
    /// "critical", "urgent", "P0"
    Critical,
}

/// A duration as the document gives it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// As written, without markup: "3-5 days".
    pub text: String,
    /// What it was written after: "Estimated Duration", "Timeline", "Total"; empty for a duration in a heading.
    pub label: String,
    /// Least, in working days (8 hours; a week is 5, a month 21); absent when no amount was understood ("TBD").
    pub min_days: Option<f64>,
    /// Most, in working days.
    pub max_days: Option<f64>,
    /// A part of the whole: one entry of a timeline.
    pub step: bool,
    /// The line it stands on.
    pub line: u32,
}

/// How binding a dependency is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// "Depends on", "Requires", "After".
    Required,
    /// "Recommended after": an order to keep, not a condition.
    Recommended,
    /// "Blockers: …": names what stands in the way; only other items that it names are waited for.
    Blocker,
}

/// A dependency line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dependency {
    /// The value as written, without markup.
    pub text: String,
    /// The line it stands on.
    pub line: u32,
    /// How binding it is.
    pub need: Need,
    /// The items it names, in the order named, without repeats.
    pub on: Vec<ItemKey>,
    /// "AFTER all other priorities": every item of the same kind and parent; `on` is then left to what is named besides.
    pub all_others: bool,
    /// "None": it says that there is nothing to wait for.
    pub none: bool,
    /// It names nothing that is an item here ("Requires the new database"), or something that is not there.
    pub unresolved: bool,
}

/// A piece of an item's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deliverable {
    /// Without markup and mark.
    pub text: String,
    /// Ticked.
    pub done: bool,
    /// The line it starts on.
    pub line: u32,
    /// The bytes an update replaces: the character in the brackets, or the emoji. Absent for a plain bullet below
    /// "Deliverables:" and for "Deliverable: …", which carry no mark.
    pub span: Option<Range<usize>>,
    /// The label it is listed below: "Deliverables", "Success Criteria".
    pub group: Option<String>,
}

/// One piece of work in the roadmap.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    /// Its name.
    pub key: ItemKey,
    /// How it is written.
    pub kind: ItemKind,
    /// "PRIORITY 3.5", as written; absent where there is no word.
    pub label: Option<String>,
    /// "3.5", "A".
    pub number: Option<String>,
    /// Without markup, emoji, marks ("⚡ NEW"), status and the remarks that were understood.
    pub title: String,
    /// The line of its heading, entry or row.
    pub line: u32,
    /// 0 for an item outside every other.
    pub depth: u32,
    /// The item it is a part of.
    pub parent: Option<ItemKey>,
    /// Its parts, in document order.
    pub children: Vec<ItemKey>,
    /// The heading above it that is no item: "Phase 2" of a list, "Backlog".
    pub section: Option<String>,
    /// Its own mark, if it has one. See [`crate::Roadmap::status_of`] for what follows where it has none.
    pub status: Option<StatusMark>,
    /// What the section it stands in says: an entry below "## Done".
    pub section_status: Option<Status>,
    /// Every duration found, its own first; see [`Item::duration`].
    pub estimates: Vec<Estimate>,
    /// "Week 1-2", "Q3 2025": a window of the calendar instead of a duration.
    pub window: Option<String>,
    /// What it waits for. See [`crate::Roadmap::waits_for`].
    pub dependencies: Vec<Dependency>,
    /// Its check-boxes, and what it lists below "Deliverables".
    pub deliverables: Vec<Deliverable>,
    /// "(optional)".
    pub optional: bool,
    /// One of several between which a person chooses; equal for the members of one group (the parent's key; at
    /// the top the section's title as a key, or `options`).
    pub choice: Option<ItemKey>,
    /// Of a choice: it is marked as chosen ("(chosen)"), begun or done.
    pub chosen: bool,
    /// How urgent it says it is.
    pub importance: Option<Importance>,
    /// The value of its "Impact" line.
    pub impact: Option<String>,
    /// Its whole text, its parts included. See [`crate::Roadmap::text_of`].
    pub body: Range<usize>,
}

impl Item {
    /// The duration of the whole: the first that has an amount, else the first.
    #[must_use]
    pub fn duration(&self) -> Option<&Estimate> {
        let mut whole = self.estimates.iter().filter(|e| !e.step);
        whole
            .clone()
            .find(|e| e.min_days.is_some())
            .or_else(|| whole.next())
    }
}

/// A line that looks like a part of the plan and could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotUnderstood {
    /// The line.
    pub line: u32,
    /// What stands there, shortened to 120 characters.
    pub text: String,
    /// What it looks like.
    pub what: Looks,
    /// Why it was left out, for a person.
    pub reason: String,
}

/// What a line that was left out looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Looks {
    /// An item.
    Item,
    /// A status.
    Status,
    /// A duration.
    Estimate,
    /// A dependency.
    Dependency,
    /// A check-box or deliverable.
    Deliverable,
}
