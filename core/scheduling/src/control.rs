//! What people do to tasks: change, cancel, run again, archive.

use crate::claim::{attempt_end, requeue, settle, step};
use crate::deps::{follow_dependents, recount, task_depend, unfinished};
use crate::error::SchedulingError;
use crate::model::{Event, Outcome, State};
use crate::query::{load, task_get};
use crate::rank::rank;
use crate::task::{
    Task, check_metadata, check_priority, check_tags, check_text, check_title, json_text,
};
use crate::trace;
use callboard_store::{Conn, Value, params};
use serde_json::Value as Json;

/// Changes to a task; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// 0 to 10.
    pub priority: Option<u8>,
    /// One line.
    pub title: Option<String>,
    /// What is to be done.
    pub prompt: Option<String>,
    /// Labels; replaces the old ones.
    pub tags: Option<Vec<String>>,
    /// A JSON object; replaces the old one.
    pub metadata: Option<Json>,
    /// Dependencies; replaces the old ones.
    pub depends_on: Option<Vec<String>>,
}

/// Changes a task.
///
/// # Errors
/// [`SchedulingError::Illegal`] when the task has ended or is running and the change needs it not to be;
/// [`SchedulingError::Cycle`].
pub fn task_update(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    change: &Change,
) -> Result<Task, SchedulingError> {
    let row = load(c, id)?;
    if let Some(priority) = change.priority {
        check_priority(priority)?;
        c.execute(
            "UPDATE tasks SET priority = ?2, rank = ready_at - ?2 * ?3, updated_at = ?4 WHERE seq = ?1",
            params![row.seq, i64::from(priority), crate::rank::STEP_MS, now],
        )?;
    }
    if let Some(title) = &change.title {
        check_title(title)?;
        c.execute(
            "UPDATE tasks SET title = ?2, updated_at = ?3 WHERE seq = ?1",
            params![row.seq, title, now],
        )?;
    }
    if let Some(prompt) = &change.prompt {
        check_text("prompt", prompt, 200_000)?;
        c.execute(
            "UPDATE tasks SET prompt = ?2, updated_at = ?3 WHERE seq = ?1",
            params![row.seq, prompt, now],
        )?;
    }
    if let Some(tags) = &change.tags {
        check_tags(tags)?;
        c.execute(
            "UPDATE tasks SET tags = ?2, updated_at = ?3 WHERE seq = ?1",
            params![row.seq, &json_text(tags)?, now],
        )?;
    }
    if let Some(metadata) = &change.metadata {
        check_metadata(metadata)?;
        c.execute(
            "UPDATE tasks SET metadata = ?2, updated_at = ?3 WHERE seq = ?1",
            params![row.seq, &json_text(metadata)?, now],
        )?;
    }
    trace::written(
        c,
        now,
        "task_update",
        id,
        &[("fields", fields(change).as_str().into())],
    )?;
    if let Some(on) = &change.depends_on {
        task_depend(c, now, id, on)?;
    }
    task_get(c, id)
}

/// The names of what changes; never what it was or becomes.
fn fields(change: &Change) -> String {
    let fields = [
        ("priority", change.priority.is_some()),
        ("title", change.title.is_some()),
        ("prompt", change.prompt.is_some()),
        ("tags", change.tags.is_some()),
        ("metadata", change.metadata.is_some()),
        ("depends_on", change.depends_on.is_some()),
    ];
    let changed = fields.iter().filter(|(_, changed)| *changed);
    changed.map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
}

/// Calls a task off. A running attempt loses its lease: its late finish is refused.
///
/// # Errors
/// [`SchedulingError::Illegal`] when it has ended already.
pub fn task_cancel(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    why: &str,
) -> Result<Task, SchedulingError> {
    check_text("reason", why, 2_000)?;
    let row = load(c, id)?;
    settle(c, now, id, &row, Event::Cancel, Some(why))?;
    if row.state == State::Running {
        attempt_end(
            c,
            now,
            row.attempt.as_deref(),
            Outcome::Cancelled,
            Some(why),
        )?;
    }
    task_get(c, id)
}

/// Puts an ended task back into its queue with all its retries.
///
/// # Errors
/// [`SchedulingError::Illegal`] when it has not ended.
pub fn task_rerun(c: &mut dyn Conn, now: i64, id: &str) -> Result<Task, SchedulingError> {
    let row = load(c, id)?;
    let blocked = unfinished(c, row.seq)? > 0;
    let event = if blocked {
        Event::RerunBlocked
    } else {
        Event::Rerun
    };
    requeue(c, now, id, &row, event, now, None)?;
    c.execute(
        "UPDATE tasks SET failures = 0, interruptions = 0, reason = NULL, result = NULL, progress = NULL, archived_at = NULL WHERE seq = ?1",
        params![row.seq],
    )?;
    recount(c, now, row.seq)?;
    follow_dependents(c, now, row.seq)?;
    task_get(c, id)
}

/// Takes an ended task off the board, or brings it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    /// Off the board; still there for `task_get` and lists of archived tasks.
    Archive,
    /// Back on the board.
    Restore,
}

/// Archives or restores a task. Doing it twice changes nothing.
///
/// # Errors
/// [`SchedulingError::Invalid`] when a task that has not ended is to be archived.
pub fn task_shelve(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    shelf: Shelf,
) -> Result<Task, SchedulingError> {
    let row = load(c, id)?;
    let at = match shelf {
        Shelf::Restore => None,
        Shelf::Archive if row.state.is_settled() => Some(now),
        Shelf::Archive => {
            return Err(SchedulingError::invalid(
                "id",
                format!(
                    "task {id} is {}: only ended tasks are archived; cancel it first",
                    row.state
                ),
            ));
        }
    };
    if row.archived != at.is_some() {
        c.execute(
            "UPDATE tasks SET archived_at = ?2, updated_at = ?3 WHERE seq = ?1",
            params![row.seq, at, now],
        )?;
        let verb = match shelf {
            Shelf::Archive => "task_archive",
            Shelf::Restore => "task_restore",
        };
        trace::written(c, now, verb, id, &[])?;
    }
    task_get(c, id)
}

/// Delays a task that has not started until `due`, ms since 1970 UTC. A time that has come starts a
/// scheduled one at once.
///
/// # Errors
/// [`SchedulingError::Illegal`] when it is running or has ended.
pub fn task_delay(c: &mut dyn Conn, now: i64, id: &str, due: i64) -> Result<Task, SchedulingError> {
    let row = load(c, id)?;
    let to = match row.state {
        // The due time counts once nothing is waited for.
        State::Waiting => State::Waiting,
        State::Scheduled if due > now => State::Scheduled,
        State::Scheduled => step(id, row.state, Event::Promote)?,
        // It keeps its place in the queue.
        State::Ready if due <= now => return task_get(c, id),
        state => step(id, state, Event::Delay)?,
    };
    let ready_at = due.max(now);
    c.execute(
        "UPDATE tasks SET state = ?2, due_at = ?3, ready_at = ?4, rank = ?5, updated_at = ?6 WHERE seq = ?1 AND state = ?7",
        params![row.seq, to.as_str(), due, ready_at, rank(ready_at, row.priority), now, row.state.as_str()],
    )?;
    let detail = [
        ("from", Value::from(row.state.as_str())),
        ("to", to.as_str().into()),
        ("due", due.into()),
    ];
    trace::written(c, now, "task_delay", id, &detail)?;
    task_get(c, id)
}
