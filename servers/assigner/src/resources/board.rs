//! `callboard://board`: how things stand, in Markdown.

use crate::Assigner;
use crate::views::ago;
use callboard_mcp::{
    CallContext, ResourcePage, ResourceRequest, Sight, ToolError, Watch, Watched, clip,
};
use callboard_scheduling::{
    self as scheduling, Filter, Page, SchedulingError, State, Task, board_counts, task_list,
    task_reason,
};
use callboard_store::Conn;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// How many tasks of a kind are shown.
const SHOWN: u32 = 20;
const TITLE_CHARS: usize = 100;
const REASON_CHARS: usize = 300;

/// The board.
pub struct Board;

impl callboard_mcp::Resource<Assigner> for Board {
    const URI: &'static str = "callboard://board";
    const NAME: &'static str = "board";
    const TITLE: &'static str = "The board";
    const DESCRIPTION: &'static str =
        "Counts, what runs, what waits and why, and what ended without success.";
    const MIME: &'static str = "text/markdown";

    async fn read(
        board: Arc<Assigner>,
        _: ResourceRequest,
        _: CallContext,
    ) -> Result<ResourcePage, ToolError> {
        let text = board.read(|c, now| overview(c, now, None)).await?;
        Ok(ResourcePage::whole(text))
    }
}

impl Watched<Assigner> for Board {
    async fn look(board: Arc<Assigner>, _: ResourceRequest) -> Result<Sight, ToolError> {
        let watch = Watch::new().board(board.store().changes_closely());
        let seen = board.read(|c, _| standing(c)).await?;
        Ok(watch.saw(seen))
    }
}

/// What the overview says but for the passing of time: told as of the same moment always, with the times
/// that it tells as distances.
fn standing(c: &mut dyn Conn) -> Result<String, SchedulingError> {
    let mut out = overview(c, 0, None)?;
    for (_, states) in SECTIONS {
        for task in shown(c, None, states)?.tasks {
            let _ = writeln!(
                out,
                "{} {:?} {:?} {:?}",
                task.id, task.due_at, task.started_at, task.finished_at
            );
        }
    }
    Ok(out)
}

/// The sections of the overview.
const SECTIONS: [(&str, &[State]); 4] = [
    ("Running", &[State::Running]),
    ("Waiting", &[State::Waiting, State::Scheduled, State::Ready]),
    ("Needs a person", &[State::Parked]),
    ("Failed", &[State::Dead]),
];

/// How things stand, in Markdown; of one queue if it is named.
pub(crate) fn overview(
    c: &mut dyn Conn,
    now: i64,
    queue: Option<&str>,
) -> Result<String, SchedulingError> {
    let mut out = "# Board\n".to_owned();
    let counts = counts(c, queue)?;
    if counts.is_empty() {
        out.push_str("\nNo tasks. `task_add` posts one.\n");
    }
    for (queue, line) in counts {
        let _ = writeln!(out, "\n- queue `{queue}`: {line}");
    }
    for (heading, states) in SECTIONS {
        section(c, &mut out, now, heading, queue, states)?;
    }
    Ok(out)
}

fn counts(
    c: &mut dyn Conn,
    queue: Option<&str>,
) -> Result<BTreeMap<String, String>, SchedulingError> {
    let mut lines: BTreeMap<String, String> = BTreeMap::new();
    let mut counts = board_counts(c)?;
    counts.sort_by_key(|count| count.state);
    for count in counts {
        if queue.is_none_or(|queue| queue == count.queue) {
            let line = lines.entry(count.queue).or_default();
            let comma = if line.is_empty() { "" } else { ", " };
            let _ = write!(line, "{comma}{} {}", count.tasks, count.state);
        }
    }
    Ok(lines)
}

fn shown(c: &mut dyn Conn, queue: Option<&str>, states: &[State]) -> Result<Page, SchedulingError> {
    let filter = Filter {
        states: states.to_vec(),
        queue: queue.map(str::to_owned),
        limit: SHOWN,
        ..Filter::default()
    };
    task_list(c, &filter)
}

fn section(
    c: &mut dyn Conn,
    out: &mut String,
    now: i64,
    heading: &str,
    queue: Option<&str>,
    states: &[State],
) -> Result<(), SchedulingError> {
    let page = shown(c, queue, states)?;
    if page.tasks.is_empty() {
        return Ok(());
    }
    let _ = writeln!(out, "\n## {heading}\n");
    for task in &page.tasks {
        line(c, out, now, task)?;
    }
    if page.next.is_some() {
        out.push_str("- and more; `task_list` shows them\n");
    }
    Ok(())
}

fn line(
    c: &mut dyn Conn,
    out: &mut String,
    now: i64,
    task: &scheduling::Task,
) -> Result<(), SchedulingError> {
    let reason = task_reason(c, now, &task.id)?.replace('\n', " ");
    let progress = task
        .progress
        .as_deref()
        .filter(|_| task.state == State::Running);
    let progress = progress.map_or(String::new(), |said| {
        format!("; {}", clip(said, TITLE_CHARS).replace('\n', " "))
    });
    let _ = writeln!(
        out,
        "- `{}` {} ({}): {}{progress}",
        task.id,
        inline(&clip(&task.title, TITLE_CHARS)),
        ended(task, now),
        clip(&reason, REASON_CHARS)
    );
    Ok(())
}

fn ended(task: &Task, now: i64) -> String {
    match task.finished_at {
        Some(at) if task.state.is_settled() => format!("{}, {}", task.state, ago(now, at)),
        _ => task.state.to_string(),
    }
}

/// A title can't turn into Markdown of its own.
fn inline(title: &str) -> String {
    title
        .replace('\\', "\\\\")
        .replace('`', "\\`")
        .replace('[', "\\[")
        .replace('<', "\\<")
}
