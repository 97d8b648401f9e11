//! `task_wait`.

use crate::Assigner;
use crate::views::{Open, Row};
use callboard_mcp::{CallContext, Effect, Id, Line, Long, Render, Role, Tool, ToolError, Whole};
use callboard_scheduling::{
    Filter, SchedulingError, State, Task, board_counts, task_get, task_list,
};
use callboard_store::Conn;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a wait lasts unless it says otherwise, in seconds.
const DEFAULT_S: u32 = 30;
/// How long a task waits unless it was asked for less.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest wait: some clients give up on a call after a minute.
pub(super) const MAX_S: u32 = 45;
/// A caller that asked for progress hears at least this often that we are still there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// How many tasks of a queue are shown.
const SHOWN: u32 = 30;
/// The most ids one call may name.
const MAX_IDS: usize = 100;

/// Waits for tasks to settle.
pub struct TaskWait;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Up to 100 tasks.
    #[serde(default)]
    ids: Vec<Id>,
    /// All open tasks of this queue, instead of ids.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    queue: Option<Line<120>>,
    /// `all` by default.
    #[serde(default)]
    until: Until,
    /// Up to 45; 30 by default, a day as an MCP task.
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    timeout_s: Option<Whole<0, MAX_S>>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    #[default]
    All,
    Any,
}

/// How things stand.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Waited {
    /// Whether what was waited for has come.
    settled: bool,
    /// How many have not settled.
    open: usize,
    #[schemars(with = "Vec<Open>")]
    tasks: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    next: Option<&'static str>,
}

impl Render for Waited {
    fn text(&self) -> String {
        let mut out = match (self.settled, self.open) {
            (true, 0) => "all settled".to_owned(),
            (_, open) => format!("{open} still open"),
        };
        for row in &self.tasks {
            out.push('\n');
            out.push_str(&row.line());
        }
        if let Some(next) = self.next {
            out.push('\n');
            out.push_str(next);
        }
        out
    }
}

impl Tool<Assigner> for TaskWait {
    const NAME: &'static str = "task_wait";
    const TITLE: &'static str = "Wait for tasks";
    const DESCRIPTION: &'static str = "Waits until tasks settle (done, dead, parked or cancelled), at most 45 s; call it again for longer. As an MCP task, without timeout_s: up to a day.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;
    const LONG: Long = Long::Offered;
    type Params = Params;
    type Output = Waited;

    async fn call(
        board: Arc<Assigner>,
        params: Params,
        ctx: CallContext,
    ) -> Result<Waited, ToolError> {
        let asked = params.timeout_s.map(Whole::get);
        let timeout = asked.unwrap_or(DEFAULT_S);
        let watch = Watch::new(params, board.now())?;
        // Before the first look, so that nothing can happen between the two unnoticed.
        let mut changes = board.store().changes();
        let began = Instant::now();
        let mut end = began + Duration::from_secs(timeout.into());
        let seen = watch.look(&board).await?;
        if !watch.is_over(&seen) && timeout > 0 && ctx.detach().await? {
            // The client follows a task: only a time that it asked for ends this before the wait is over.
            end = began + asked.map_or(A_DAY, |_| end - began);
        }
        loop {
            let seen = watch.look(&board).await?;
            if watch.is_over(&seen) || Instant::now() >= end {
                return Ok(watch.answer(&seen));
            }
            let so_far = began.elapsed().as_secs();
            ctx.progress(so_far, Some(timeout.into()), &seen.in_words())
                .await;
            tokio::select! {
                () = ctx.cancelled() => return Err(ToolError::cancelled()),
                _ = changes.changed() => {}
                () = tokio::time::sleep_until(end.min(Instant::now() + SIGN_OF_LIFE)) => {}
            }
        }
    }
}

/// What is waited for.
#[derive(Debug, Clone)]
struct Watch {
    target: Target,
    until: Until,
}

#[derive(Debug, Clone)]
enum Target {
    Ids(Vec<String>),
    /// A queue, and since when: what settled before is no news.
    Queue(String, i64),
}

/// What one look saw.
#[derive(Debug)]
struct Seen {
    open: usize,
    settled: usize,
    tasks: Vec<Row>,
}

impl Seen {
    fn in_words(&self) -> String {
        format!("{} settled, {} open", self.settled, self.open)
    }
}

impl Watch {
    fn new(params: Params, now: i64) -> Result<Self, ToolError> {
        let mut ids: Vec<String> = params.ids.into_iter().map(String::from).collect();
        ids.sort_unstable();
        ids.dedup();
        let target = match (params.queue, ids.len()) {
            (Some(queue), 0) => Target::Queue(queue.into(), now),
            (None, 1..=MAX_IDS) => Target::Ids(ids),
            (None, 0) | (Some(_), _) => {
                return Err(ToolError::invalid("give either ids or a queue")
                    .hint("task_add answers with the id; task_list shows tasks and queues"));
            }
            (None, many) => {
                return Err(ToolError::invalid(format!(
                    "ids: has {many} entries, at most {MAX_IDS}"
                ))
                .hint("wait for their queue, or for some of them at a time"));
            }
        };
        Ok(Watch {
            target,
            until: params.until,
        })
    }

    async fn look(&self, board: &Assigner) -> Result<Seen, ToolError> {
        let target = self.target.clone();
        board
            .read(move |c, _| match &target {
                Target::Ids(ids) => look_at_tasks(c, ids),
                Target::Queue(queue, since) => look_at_queue(c, queue, *since),
            })
            .await
    }

    fn is_over(&self, seen: &Seen) -> bool {
        seen.open == 0 || (self.until == Until::Any && seen.settled > 0)
    }

    fn answer(&self, seen: &Seen) -> Waited {
        let settled = self.is_over(seen);
        let next = (!settled).then_some("not yet: call task_wait again to go on waiting");
        Waited {
            settled,
            open: seen.open,
            tasks: seen.tasks.clone(),
            next,
        }
    }
}

fn look_at_tasks(c: &mut dyn Conn, ids: &[String]) -> Result<Seen, SchedulingError> {
    let tasks = ids
        .iter()
        .map(|id| task_get(c, id))
        .collect::<Result<Vec<Task>, _>>()?;
    let settled = tasks.iter().filter(|task| task.state.is_settled()).count();
    Ok(Seen {
        open: tasks.len() - settled,
        settled,
        tasks: tasks.iter().map(Row::of).collect(),
    })
}

fn look_at_queue(c: &mut dyn Conn, queue: &str, since: i64) -> Result<Seen, SchedulingError> {
    let open = board_counts(c)?
        .iter()
        .filter(|count| count.queue == queue && !count.state.is_settled())
        .map(|count| count.tasks as usize)
        .sum();
    let filter = Filter {
        states: State::ALL
            .into_iter()
            .filter(|state| state.is_settled())
            .collect(),
        queue: Some(queue.to_owned()),
        updated_since: Some(since),
        limit: SHOWN,
        ..Filter::default()
    };
    let mut tasks = task_list(c, &filter)?.tasks;
    tasks.retain(|task| task.finished_at.is_some_and(|at| at >= since));
    Ok(Seen {
        open,
        settled: tasks.len(),
        tasks: tasks.iter().map(Row::of).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(until: Until) -> Watch {
        Watch {
            target: Target::Ids(Vec::new()),
            until,
        }
    }

    fn seen(open: usize, settled: usize) -> Seen {
        Seen {
            open,
            settled,
            tasks: Vec::new(),
        }
    }

    #[test]
    fn all_means_none_open_and_any_means_one_settled() {
        for (until, open, settled, over) in [
            (Until::All, 1, 4, false),
            (Until::All, 0, 5, true),
            (Until::Any, 5, 0, false),
            (Until::Any, 4, 1, true),
            (Until::Any, 0, 0, true),
        ] {
            let answer = watch(until).answer(&seen(open, settled));
            assert_eq!(answer.settled, over, "{until:?} {open} {settled}");
            assert_eq!(answer.next.is_some(), !over);
        }
    }

    #[test]
    fn either_ids_or_a_queue() {
        let given = |json| Watch::new(serde_json::from_value(json).unwrap(), 0);
        for wrong in [
            serde_json::json!({}),
            serde_json::json!({"ids": ["t_1"], "queue": "q"}),
        ] {
            assert!(
                given(wrong)
                    .unwrap_err()
                    .message
                    .contains("either ids or a queue")
            );
        }
        let twice = given(serde_json::json!({"ids": ["t_2", "t_1", "t_2"]})).unwrap();
        assert!(matches!(twice.target, Target::Ids(ids) if ids == ["t_1", "t_2"]));
        let many: Vec<String> = (0..101).map(|n| format!("t_{n}")).collect();
        assert!(
            given(serde_json::json!({"ids": many}))
                .unwrap_err()
                .message
                .contains("101 entries")
        );
    }
}
