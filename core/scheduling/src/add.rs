//! Posting tasks: one, or many that depend on each other.

use crate::deps;
use crate::error::SchedulingError;
use crate::model::State;
use crate::query::task_by_key;
use crate::rank::rank;
use crate::task::{NewTask, Task, json_text, task_columns, task_from};
use crate::trace;
use callboard_store::{Conn, Value, params};
use std::collections::HashMap;

/// The most tasks that one call may post.
pub const MAX_BULK: usize = 1_000;

/// Whether a posted task is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted {
    /// It was created.
    Created,
    /// A task with the same key was there already and is what was answered.
    Existing,
}

/// Posts a task under `id`.
///
/// # Errors
/// [`SchedulingError::Invalid`] for a value that can't be accepted, [`SchedulingError::NotFound`] for an
/// unknown dependency.
pub fn task_add(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    new: &NewTask,
) -> Result<(Task, Posted), SchedulingError> {
    new.check()?;
    if let Some(existing) = existing(c, new)? {
        return Ok((existing, Posted::Existing));
    }
    Ok((insert(c, now, id, new)?, Posted::Created))
}

/// One task of a bulk: `depends_on` may also name the `key` of another task in the same call.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkTask {
    /// A name that other tasks of the call can depend on.
    pub key: Option<String>,
    /// The task.
    pub task: NewTask,
}

/// Posts many tasks at once, all or none, in any order of their dependencies.
///
/// `ids` gives an id for each task.
///
/// # Errors
/// As [`task_add`], naming the task; [`SchedulingError::Cycle`] when keys depend on each other in a circle.
pub fn task_add_many(
    c: &mut dyn Conn,
    now: i64,
    ids: &[String],
    tasks: &[BulkTask],
) -> Result<Vec<(Task, Posted)>, SchedulingError> {
    if tasks.is_empty() || tasks.len() > MAX_BULK || ids.len() != tasks.len() {
        return Err(SchedulingError::invalid(
            "tasks",
            format!("has {} entries, allowed are 1 to {MAX_BULK}", tasks.len()),
        ));
    }
    let keys = keys(tasks)?;
    let order = deps::order(tasks, &keys)?;
    let mut done: Vec<Option<(Task, Posted)>> = vec![None; tasks.len()];
    for index in order {
        let mut new = tasks[index].task.clone();
        for dependency in &mut new.depends_on {
            if let Some(other) = keys.get(dependency.as_str())
                && let Some((task, _)) = &done[*other]
            {
                dependency.clone_from(&task.id);
            }
        }
        let posted = task_add(c, now, &ids[index], &new).map_err(|error| naming(index, error))?;
        done[index] = Some(posted);
    }
    Ok(done.into_iter().flatten().collect())
}

fn naming(index: usize, error: SchedulingError) -> SchedulingError {
    match error {
        SchedulingError::Invalid { field, why } => {
            SchedulingError::invalid(format!("tasks[{index}].{field}"), why)
        }
        other => other,
    }
}

fn keys(tasks: &[BulkTask]) -> Result<HashMap<&str, usize>, SchedulingError> {
    let mut keys = HashMap::new();
    for (index, task) in tasks.iter().enumerate() {
        if let Some(key) = &task.key
            && keys.insert(key.as_str(), index).is_some()
        {
            return Err(SchedulingError::invalid(
                format!("tasks[{index}].key"),
                format!("{key:?} is used twice in this call"),
            ));
        }
    }
    Ok(keys)
}

fn existing(c: &mut dyn Conn, new: &NewTask) -> Result<Option<Task>, SchedulingError> {
    match &new.dedup_key {
        Some(key) => task_by_key(c, key),
        None => Ok(None),
    }
}

fn insert(c: &mut dyn Conn, now: i64, id: &str, new: &NewTask) -> Result<Task, SchedulingError> {
    let needs = deps::resolve(c, &new.depends_on)?;
    let waiting = needs
        .iter()
        .filter(|need| need.state != State::Done)
        .count();
    let state = first_state(waiting, new.due_at, now);
    let ready_at = new.due_at.unwrap_or(now).max(now);
    let waiting_on = u32::try_from(waiting).unwrap_or(u32::MAX);
    let task = c.query_one(
        concat!(
            "INSERT INTO tasks (id, queue, state, priority, rank, ready_at, due_at, waiting_on, max_retries, backoff_ms, timeout_ms, created_at, updated_at, dedup_key, title, kind, project, branch, working_dir, tags, env, metadata, prompt)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22) RETURNING ",
            task_columns!()
        ),
        params![
            id, &new.queue, state.as_str(), i64::from(new.priority), rank(ready_at, new.priority), ready_at,
            new.due_at, waiting_on, new.max_retries, new.backoff_ms, new.timeout_ms, now,
            new.dedup_key.as_deref(), &new.title, &new.kind, new.project.as_deref(), new.branch.as_deref(),
            new.working_dir.as_deref(), &json_text(&new.tags)?, &json_text(&new.env)?,
            &json_text(&new.metadata)?, &new.prompt,
        ],
        task_from,
    )?;
    let task = task.ok_or_else(|| SchedulingError::no_task(id))?;
    deps::link(c, id, &needs)?;
    let detail = [
        ("queue", Value::from(new.queue.as_str())),
        ("to", state.as_str().into()),
    ];
    trace::written(c, now, "task_add", id, &detail)?;
    Ok(task)
}

fn first_state(waiting: usize, due_at: Option<i64>, now: i64) -> State {
    if waiting > 0 {
        State::Waiting
    } else if due_at.is_some_and(|due| due > now) {
        State::Scheduled
    } else {
        State::Ready
    }
}
