//! What an agent is told: the item as the roadmap has it, the rules of the house, and what went wrong
//! in earlier attempts.

use callboard_scheduling::{Attempt, Outcome};
use std::fmt::Write as _;

/// The longest piece of an earlier failure that is repeated, in bytes.
const MAX_ERROR: usize = 6_000;
/// The longest text of an item that is repeated, in bytes; the file has the rest.
const MAX_ITEM: usize = 40_000;

/// What a brief is made of.
#[derive(Debug)]
pub(crate) struct Brief<'a> {
    pub(crate) title: &'a str,
    pub(crate) roadmap: &'a str,
    pub(crate) text: &'a str,
    pub(crate) tests: Option<&'a str>,
    pub(crate) report_file: &'a str,
    pub(crate) earlier: &'a [Attempt],
}

impl Brief<'_> {
    /// The brief as Markdown.
    pub(crate) fn write(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "# {}\n", self.title);
        let _ = writeln!(
            out,
            "Implement this item of {} in the current directory, a git worktree of its own.\n",
            self.roadmap
        );
        let _ = writeln!(
            out,
            "## The item\n\n{}\n",
            cut(self.text, MAX_ITEM).trim_end()
        );
        out.push_str("## Rules\n\n");
        let _ = writeln!(
            out,
            "- Work only in this directory. Do not commit, switch branches, merge, rebase or push; that is done for you."
        );
        let _ = writeln!(
            out,
            "- Do not edit {}: its status is set when your work is merged.",
            self.roadmap
        );
        match self.tests {
            Some(command) => {
                let _ = writeln!(
                    out,
                    "- Add tests for what you build. Your work is committed only when `{command}` passes here."
                );
            }
            None => out.push_str("- The project has no tests that could be found: add some.\n"),
        }
        let _ = writeln!(
            out,
            "- When you are done, exit with 0. You may write a JSON report to `{}`: \
             {{\"summary\": \"…\", \"commit\": {{\"type\": \"feat\", \"scope\": \"…\", \"subject\": \"…\"}}, \
             \"deliverables\": [\"text of each check-box you completed\"], \"needs_person\": \"only if a person must decide\"}}.",
            self.report_file
        );
        self.write_earlier(&mut out);
        out
    }

    fn write_earlier(&self, out: &mut String) {
        let told: Vec<&Attempt> = self.earlier.iter().filter(|a| counts(a.outcome)).collect();
        if told.is_empty() {
            return;
        }
        out.push_str("\n## Earlier attempts\n");
        for attempt in told {
            let error = attempt.error.as_deref().unwrap_or("no reason was recorded");
            let _ = writeln!(
                out,
                "\n### Attempt {}: {}\n\n{}",
                attempt.number,
                explain(attempt.outcome),
                cut(error, MAX_ERROR)
            );
            if let Some(kept) = &attempt.facts.kept {
                let _ = writeln!(
                    out,
                    "\nIts work is kept: `git show {kept}`, `git diff HEAD {kept}`."
                );
            }
        }
    }
}

/// Whether an attempt is one of those that the agent answers for.
pub(crate) fn counts(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Failed | Outcome::TimedOut | Outcome::Conflict | Outcome::Expired
    )
}

fn explain(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Conflict => {
            "its result did not merge; this worktree starts from the new head, so build on what is there now"
        }
        Outcome::TimedOut => "it ran out of time",
        Outcome::Expired => "it was lost",
        _ => "it failed",
    }
}

fn cut(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use callboard_scheduling::Facts;

    fn attempt(number: u32, outcome: Outcome, error: &str) -> Attempt {
        Attempt {
            id: format!("a_{number}"),
            task: "t_1".to_owned(),
            number,
            fence: i64::from(number),
            worker: "w".to_owned(),
            pid: None,
            pid_start: None,
            started_at: 0,
            ended_at: Some(1),
            outcome,
            error: Some(error.to_owned()),
            facts: Facts::default(),
        }
    }

    fn brief(earlier: &[Attempt]) -> String {
        Brief {
            title: "Add totals",
            roadmap: "ROADMAP.md",
            text: "### Add totals\n\nSum the column.",
            tests: Some("cargo test"),
            report_file: "/r.json",
            earlier,
        }
        .write()
    }

    #[test]
    fn a_first_brief_has_the_item_and_the_rules_and_no_history() {
        let text = brief(&[]);
        assert!(text.contains("Sum the column."));
        assert!(text.contains("`cargo test`"));
        assert!(text.contains("/r.json"));
        assert!(!text.contains("Earlier"));
    }

    #[test]
    fn failures_are_told_and_interruptions_are_not() {
        let text = brief(&[
            attempt(1, Outcome::Failed, "assertion `left == right` failed"),
            attempt(2, Outcome::Interrupted, "process 7 died"),
            attempt(3, Outcome::Conflict, "src/lib.rs: both changed line 4"),
        ]);
        assert!(text.contains("assertion `left == right` failed"));
        assert!(!text.contains("process 7 died"));
        assert!(text.contains("new head") && text.contains("both changed line 4"));
    }
}
