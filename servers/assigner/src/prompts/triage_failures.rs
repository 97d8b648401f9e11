//! `triage_failures`: what to do about what went wrong.

use crate::Assigner;
use crate::views::Row;
use callboard_mcp::{
    CallContext, Message, Prompt, PromptArgument, PromptArguments, ToolError, clip,
};
use callboard_scheduling::{Attempt, Filter, SchedulingError, State, attempts_of, task_list};
use callboard_store::Conn;
use std::fmt::Write as _;
use std::sync::Arc;

/// How many tasks are told in full.
const TOLD: u32 = 15;
/// How much of each error.
const ERROR_CHARS: usize = 400;

/// Asks for a judgement on each task that ended without success or needs a person.
pub struct TriageFailures;

impl Prompt<Assigner> for TriageFailures {
    const NAME: &'static str = "triage_failures";
    const TITLE: &'static str = "Triage failures";
    const DESCRIPTION: &'static str =
        "Goes through dead and parked tasks: what went wrong, what to do with each.";
    const ARGUMENTS: &'static [PromptArgument] = &[PromptArgument {
        name: "queue",
        description: "Only this queue.",
        required: false,
    }];

    async fn messages(
        board: Arc<Assigner>,
        arguments: PromptArguments,
        _: CallContext,
    ) -> Result<Vec<Message>, ToolError> {
        let queue = arguments.get("queue").map(str::to_owned);
        let failures = board.read(move |c, _| failures(c, queue)).await?;
        if failures.is_empty() {
            return Ok(vec![Message::user(
                "No task on the board is dead or parked. Check that with `task_list` and say so.",
            )]);
        }
        Ok(vec![Message::user(format!(
            "Go through these tasks, each of which failed or needs a person. For each, read its log's end \
             (`task_get` with `log_cursor` -1), then name the cause in one line and one of: run again (`task_control` rerun) \
             because the cause was passing; change it first (`task_update`), saying how; cancel; or ask a person, with the \
             question. Group tasks with one cause. Change nothing before I agree.\n{failures}"
        ))])
    }
}

fn failures(c: &mut dyn Conn, queue: Option<String>) -> Result<String, SchedulingError> {
    let filter = Filter {
        states: vec![State::Dead, State::Parked],
        queue,
        limit: TOLD,
        ..Filter::default()
    };
    let page = task_list(c, &filter)?;
    let mut out = String::new();
    for task in &page.tasks {
        let _ = writeln!(out, "\n- {}", Row::of(task).line());
        for attempt in attempts_of(c, &task.id)?.iter().rev().take(3) {
            let _ = writeln!(out, "  - {}", told(attempt));
        }
    }
    if page.next.is_some() {
        out.push_str("\n- and more: `task_list` with states dead and parked\n");
    }
    Ok(out)
}

fn told(attempt: &Attempt) -> String {
    let error = attempt.error.as_deref().unwrap_or("no reason was recorded");
    let error = clip(error, ERROR_CHARS).replace('\n', " ");
    format!(
        "attempt {}, {}: {error}",
        attempt.number,
        attempt.outcome.as_str()
    )
}
