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
        colour.paint(
            "1",
            &clean(&format!("{}: {}", failure.place(), failure.title()))
        )
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
                clean(&server.name)
            );
            for line in &server.traffic {
                let _ = writeln!(out, "    {}", cut(&clean(line)));
            }
        }
        if !server.stderr.is_empty() {
            let _ = writeln!(
                out,
                "\n  the last lines of {} on standard error:",
                clean(&server.name)
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
    let _ = writeln!(
        out,
        "  - {}: {}",
        clean(&one.at),
        indented(&one.what, "    ")
    );
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
    clean(&match value {
        Value::String(text) if text.contains('\n') => text.clone(),
        _ => {
            let line = value.to_string();
            if line.len() <= ONE_LINE {
                line
            } else {
                serde_json::to_string_pretty(value).unwrap_or(line)
            }
        }
    })
}

fn indented(text: &str, by: &str) -> String {
    clean(text).replace('\n', &format!("\n{by}"))
}

/// Without what would play with the reader's terminal: control characters, and those that turn the direction of writing.
fn clean(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .filter(|c| matches!(c, '\n' | '\t') || !c.is_control() && !turns(*c))
        .collect()
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}… ({} bytes)", &line[..end], line.len()),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ServerLog;
    use std::path::Path;

    #[test]
    fn nothing_that_a_server_says_plays_with_the_terminal() {
        let hostile = "a\u{1b}]0;b\u{7}\u{9b}2Jc\u{202e}d\u{2066}e\u{2069}f\u{200f}g\r";
        let said = |text: &str| format!("{text} {hostile}");
        let value = |text: &str| Some(Value::from(said(text)));
        let of = |expected, actual| Difference {
            at: said("at"),
            what: said("what"),
            expected,
            actual,
        };
        let told = Failure {
            within: vec![said("within")],
            differences: vec![
                of(value("short"), value("other")),
                of(value("several\nlines"), value("several\nothers")),
                of(value(&"long".repeat(40)), value("several\nothers")),
            ],
            servers: vec![ServerLog {
                name: said("name"),
                traffic: vec![said("traffic")],
                stderr: vec![said("stderr")],
            }],
            ..Failure::of(Path::new("a.yaml"), "step", &said("message"))
        };
        let text = failure(&told, Colour::Never);
        let odd: Vec<char> = text
            .chars()
            .filter(|c| *c != '\n' && (c.is_control() || !c.is_ascii()))
            .collect();
        assert!(odd.is_empty(), "{odd:?}: {text}");
        for word in [
            "within", "message", "at", "what", "name", "traffic", "stderr",
        ] {
            assert!(
                text.contains(&format!("{word} a]0;b2Jcdefg")),
                "{word}: {text}"
            );
        }
    }
}
