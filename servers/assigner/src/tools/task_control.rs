//! `task_control`.

use crate::Assigner;
use crate::errors::refused;
use crate::views::Open;
use callboard_mcp::{CallContext, Effect, Id, Line, Render, Role, Tool, ToolError};
use callboard_scheduling::{
    SchedulingError, Shelf, Task, task_cancel, task_rerun, task_resolve, task_shelve,
};
use callboard_store::Conn;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;

/// The most tasks of one call.
const MAX_IDS: usize = 200;

/// Cancels, runs again, resolves, archives and restores tasks.
pub struct TaskControl;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Up to 200 tasks.
    ids: Vec<Id>,
    action: Action,
    /// For cancel.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    reason: Option<Line<1_000>>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Cancel,
    Rerun,
    Resolve,
    Archive,
    Restore,
}

/// What became of each task, in the order of the call.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Controlled {
    #[schemars(skip)]
    changed: usize,
    failed: usize,
    #[schemars(with = "Vec<Open>")]
    tasks: Vec<Outcome>,
}

#[derive(Debug, Serialize)]
struct Outcome {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Render for Controlled {
    fn text(&self) -> String {
        let mut out = format!("{} changed, {} failed", self.changed, self.failed);
        for task in &self.tasks {
            let became = task.state.or(task.error.as_deref()).unwrap_or_default();
            out.push_str(&format!("\n{} {became}", task.id));
        }
        out
    }
}

impl Tool<Assigner> for TaskControl {
    const NAME: &'static str = "task_control";
    const TITLE: &'static str = "Control tasks";
    const DESCRIPTION: &'static str = "Cancels tasks, runs ended ones again, resolves parked ones, archives or restores; each by itself.";
    const EFFECT: Effect = Effect::Write {
        destructive: true,
        idempotent: false,
    };
    const ROLE: Role = Role::Developer;
    type Params = Params;
    type Output = Controlled;

    async fn call(
        board: Arc<Assigner>,
        params: Params,
        _: CallContext,
    ) -> Result<Controlled, ToolError> {
        let ids = distinct(params.ids)?;
        let action = params.action;
        let why = params
            .reason
            .map_or_else(|| "called off by a client".to_owned(), String::from);
        let outcomes = board
            .write(move |c, now| each(c, &ids, |c, id| act(c, now, id, action, &why)))
            .await?;
        told(outcomes)
    }
}

fn distinct(ids: Vec<Id>) -> Result<Vec<String>, ToolError> {
    let mut seen = HashSet::new();
    let mut ids: Vec<String> = ids.into_iter().map(String::from).collect();
    ids.retain(|id| seen.insert(id.clone()));
    if ids.is_empty() || ids.len() > MAX_IDS {
        return Err(ToolError::invalid(format!(
            "ids: has {} entries, allowed are 1 to {MAX_IDS}",
            ids.len()
        ))
        .hint("task_list shows tasks and their ids"));
    }
    Ok(ids)
}

fn act(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    action: Action,
    why: &str,
) -> Result<Task, SchedulingError> {
    match action {
        Action::Cancel => task_cancel(c, now, id, why),
        Action::Rerun => task_rerun(c, now, id),
        Action::Resolve => task_resolve(c, now, id, None),
        Action::Archive => task_shelve(c, now, id, Shelf::Archive),
        Action::Restore => task_shelve(c, now, id, Shelf::Restore),
    }
}

type Acted = (String, Result<Task, SchedulingError>);

/// Each task by itself: scheduling refuses before it writes, so one that is refused leaves nothing behind
/// and the others go on. A failure of the store ends all.
fn each(
    c: &mut dyn Conn,
    ids: &[String],
    act: impl Fn(&mut dyn Conn, &str) -> Result<Task, SchedulingError>,
) -> Result<Vec<Acted>, SchedulingError> {
    ids.iter()
        .map(|id| match act(c, id) {
            Err(error @ SchedulingError::Store(_)) => Err(error),
            acted => Ok((id.clone(), acted)),
        })
        .collect()
}

/// An error only when nothing at all was changed.
fn told(mut outcomes: Vec<Acted>) -> Result<Controlled, ToolError> {
    let all = outcomes.len();
    let failed = outcomes.iter().filter(|(_, acted)| acted.is_err()).count();
    if failed == all
        && let Some((_, Err(error))) = outcomes.pop()
    {
        let mut error = refused(error);
        if all > 1 {
            error.message = format!(
                "none of the {all} tasks was changed; the last: {}",
                error.message
            );
        }
        return Err(error);
    }
    Ok(Controlled {
        changed: all - failed,
        failed,
        tasks: outcomes.into_iter().map(outcome).collect(),
    })
}

fn outcome((id, acted): Acted) -> Outcome {
    let (state, error) = match acted {
        Ok(task) => (Some(task.state.as_str()), None),
        Err(error) => (None, Some(refused(error).message)),
    };
    Outcome { id, state, error }
}
