//! The report for a reader.

use super::{Difference, Failure, Outcome, Report, Verdict};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};
use std::fmt::Write as _;

/// The longest value that stands on one line.
const ONE_LINE: usize = 100;
/// The longest line of traffic that is shown.
const LINE: usize = 600;

/// Whether colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// On a terminal.
    Always,
    /// Elsewhere.
    Never,
}

impl Colour {
    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Colour::Always => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Colour::Never => text.to_owned(),
        }
    }
}

/// One scenario: a line, and what failed.
#[must_use]
pub fn to_text(outcome: &Outcome, colour: Colour) -> String {
    let word = match outcome.verdict {
        Verdict::Passed => colour.paint("32", "ok  "),
        Verdict::Failed => colour.paint("31", "FAIL"),
        Verdict::Unread => colour.paint("31", "ERR "),
    };
    let mut out = format!(
        "{word} {} ({}, {} steps, {:.1} s)\n",
        outcome.name,
        outcome.file.display(),
        outcome.steps,
        outcome.took.as_secs_f64()
    );
    for one in &outcome.failures {
        out.push_str(&failure(one, colour));
    }
    out
}

impl Report {
    /// The last line.
    #[must_use]
    pub fn summary(&self) -> String {
        let failed = self
            .outcomes
            .iter()
            .filter(|outcome| outcome.verdict != Verdict::Passed)
            .count();
        format!(
            "{} passed, {failed} failed, {:.1} s\n",
            self.outcomes.len() - failed,
            self.took.as_secs_f64()
        )
    }
}

/// A failure: where, what, the difference, and what was said.
pub(super) fn failure(failure: &Failure, colour: Colour) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "\n  {}",
        colour.paint("1", &format!("{}: {}", failure.place(), failure.title()))
    );
    let _ = writeln!(out, "  {}", indented(&failure.message, "  "));
    for one in &failure.differences {
        difference(&mut out, one, colour);
    }
    for server in &failure.servers {
        if !server.traffic.is_empty() {
            let _ = writeln!(
                out,
                "\n  the last messages of {} (seconds, -> sent, <- received):",
                server.name
            );
            for line in &server.traffic {
                let _ = writeln!(out, "    {}", cut(line));
            }
        }
        if !server.stderr.is_empty() {
            let _ = writeln!(
                out,
                "\n  the last lines of {} on standard error:",
                server.name
            );
            for line in &server.stderr {
                let _ = writeln!(out, "    {}", cut(&clean(line)));
            }
        }
    }
    out.push('\n');
    out
}

fn difference(out: &mut String, one: &Difference, colour: Colour) {
    let _ = writeln!(out, "  - {}: {}", one.at, indented(&one.what, "    "));
    let expected = one.expected.as_ref().map(pretty);
    let actual = one.actual.as_ref().map(pretty);
    match (expected, actual) {
        (Some(expected), Some(actual)) if expected.contains('\n') || actual.contains('\n') => {
            let _ = writeln!(
                out,
                "      {} / {}",
                colour.paint("32", "- expected"),
                colour.paint("31", "+ actual")
            );
            for change in
                TextDiff::from_lines(expected.as_str(), actual.as_str()).iter_all_changes()
            {
                let line = change.value().trim_end_matches('\n');
                let told = match change.tag() {
                    ChangeTag::Delete => colour.paint("32", &format!("- {line}")),
                    ChangeTag::Insert => colour.paint("31", &format!("+ {line}")),
                    ChangeTag::Equal => format!("  {line}"),
                };
                let _ = writeln!(out, "      {told}");
            }
        }
        (expected, actual) => {
            if let Some(expected) = expected {
                let _ = writeln!(
                    out,
                    "      expected: {}",
                    colour.paint("32", &indented(&expected, "      "))
                );
            }
            if let Some(actual) = actual {
                let _ = writeln!(
                    out,
                    "      actual:   {}",
                    colour.paint("31", &indented(&actual, "      "))
                );
            }
        }
    }
}

/// JSON on one line when it is short; texts of several lines as they are.
fn pretty(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains('\n') => clean(text),
        _ => {
            let line = value.to_string();
            if line.len() <= ONE_LINE {
                line
            } else {
                serde_json::to_string_pretty(value).unwrap_or(line)
            }
        }
    }
}

fn indented(text: &str, by: &str) -> String {
    clean(text).replace('\n', &format!("\n{by}"))
}

/// Without control characters, which would play with the reader's terminal.
fn clean(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect()
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}… ({} bytes)", &line[..end], line.len()),
        None => line.to_owned(),
    }
}
