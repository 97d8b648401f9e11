//! How answers are kept short: pages by size, texts by length, and the rows of the table.
//!
//! For: shapes that several tools share. Not for: deciding what is in them.

use callboard_crew::{AttemptReport, ItemReport};
use callboard_mcp::clip;
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write as _;

/// How much of an answer a list may take, in characters of its JSON; the rest is for what stands around it.
pub(crate) const LIST_CHARS: usize = 7_500;
/// How much of a reason is shown in a list.
const WHY_CHARS: usize = 300;

/// The rows from `from` that fit, at least one, and where the next page begins.
pub(crate) fn page<T: Serialize>(rows: Vec<T>, from: usize, chars: usize) -> (Vec<T>, Option<u32>) {
    let total = rows.len();
    let mut used = 0;
    let mut shown = Vec::new();
    for row in rows.into_iter().skip(from) {
        used += serde_json::to_string(&row).map_or(0, |json| json.chars().count() + 1);
        if used > chars && !shown.is_empty() {
            break;
        }
        shown.push(row);
    }
    let next = from + shown.len();
    let next = (next < total).then(|| u32::try_from(next).unwrap_or(u32::MAX));
    (shown, next)
}

/// A row of the table.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ItemView {
    item: String,
    title: String,
    outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    attempts: Vec<AttemptView>,
    time_ms: i64,
    commits: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tests: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merge: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pr: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct AttemptView {
    attempt: String,
    outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    time_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<String>,
}

impl ItemView {
    /// A row with what is going on at it now; `why_chars` of each reason.
    pub(crate) fn of(item: &ItemReport, now: Option<String>, why_chars: usize) -> ItemView {
        let short = |text: &Option<String>| {
            text.as_deref()
                .map(|text| clip(text.trim_end(), why_chars).into_owned())
        };
        ItemView {
            item: item.item.clone(),
            title: clip(&item.title, 200).into_owned(),
            outcome: if now.is_some() {
                "running".to_owned()
            } else {
                item.outcome.as_str().to_owned()
            },
            why: if now.is_some() {
                None
            } else {
                short(&item.why)
            },
            now,
            task: item.task.clone(),
            attempts: item
                .attempts
                .iter()
                .map(|attempt| AttemptView::of(attempt, short(&attempt.error)))
                .collect(),
            time_ms: item.time_ms,
            commits: item.commits,
            diff: item
                .diff
                .map(|(files, added, removed)| format!("{files} files +{added} -{removed}")),
            tests: short(&item.tests),
            branch: item.branch.clone(),
            merge: item.merge.clone(),
            pr: item.pr.clone(),
        }
    }

    /// A row as it stands in a list.
    pub(crate) fn listed(item: &ItemReport, now: Option<String>) -> ItemView {
        ItemView::of(item, now, WHY_CHARS)
    }

    /// The row in a few lines of Markdown.
    pub(crate) fn write(&self, out: &mut String) {
        let outcome = self
            .now
            .as_ref()
            .map_or(self.outcome.clone(), |now| format!("running, {now}"));
        let _ = write!(out, "- {} {}: {outcome}", self.item, self.title);
        for (word, value) in [
            ("tests", &self.tests),
            ("merge", &self.merge),
            ("pr", &self.pr),
            ("branch", &self.branch),
        ] {
            if let Some(value) = value {
                let _ = write!(out, "; {word} {value}");
            }
        }
        if let Some(diff) = &self.diff {
            let _ = write!(out, "; {} commits, {diff}", self.commits);
        }
        if let Some(task) = &self.task {
            let _ = write!(out, "; {task}, {} ms", self.time_ms);
        }
        out.push('\n');
        if let Some(why) = &self.why {
            let _ = writeln!(out, "  why: {why}");
        }
        for (number, attempt) in (1..).zip(&self.attempts) {
            attempt.write(number, out);
        }
    }
}

impl AttemptView {
    fn of(attempt: &AttemptReport, why: Option<String>) -> AttemptView {
        AttemptView {
            attempt: attempt.id.clone(),
            outcome: attempt.outcome.clone(),
            why,
            time_ms: attempt.time_ms,
            kept: attempt.kept.clone(),
        }
    }

    fn write(&self, number: u32, out: &mut String) {
        let _ = write!(
            out,
            "  {number}. {} {} in {} ms",
            self.attempt, self.outcome, self.time_ms
        );
        if let Some(why) = &self.why {
            let _ = write!(out, ": {why}");
        }
        if let Some(kept) = &self.kept {
            let _ = write!(out, " (work kept as {kept})");
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_together_are_the_whole_and_each_has_something() {
        let rows: Vec<String> = (0..50).map(|n| "x".repeat(n * 10)).collect();
        let (mut seen, mut from, mut pages) = (Vec::new(), 0, 0);
        loop {
            let (part, next) = page(rows.clone(), from, 300);
            assert!(!part.is_empty());
            seen.extend(part);
            pages += 1;
            match next {
                Some(next) => from = next as usize,
                None => break,
            }
        }
        assert_eq!(seen, rows);
        assert!(pages > 10, "{pages}");
        assert_eq!(page(rows, 50, 300), (Vec::new(), None));
    }
}
