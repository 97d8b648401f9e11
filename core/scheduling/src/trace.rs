//! The audit of what happens to tasks.
//!
//! For: one row for each change, in the transaction that makes it. Not for: heartbeats with nothing to say,
//! which only keep a lease, the places of worktrees, which the steps of an attempt tell, or the duties by which
//! processes take turns.

use crate::error::SchedulingError;
use crate::model::{Event, State};
use callboard_store::{Conn, Value};
use callboard_telemetry::audit::{audit_add, audit_add_for};

/// The task went from one state to another.
pub(crate) fn moved(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    event: Event,
    from: State,
    to: State,
) -> Result<(), SchedulingError> {
    moved_by(c, now, id, None, event, from, to)
}

/// As [`moved`]; `agent` is whose attempt made it go, unless a person took the task away from it.
pub(crate) fn moved_by(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    agent: Option<&str>,
    event: Event,
    from: State,
    to: State,
) -> Result<(), SchedulingError> {
    let detail = [
        ("from", Value::from(from.as_str())),
        ("to", to.as_str().into()),
    ];
    let agent = agent.filter(|_| event != Event::Cancel);
    audit_add_for(c, now, agent, verb(event), id, &detail)?;
    Ok(())
}

/// Something else was done to a task.
pub(crate) fn written(
    c: &mut dyn Conn,
    now: i64,
    verb: &str,
    id: &str,
    detail: &[(&str, Value<'_>)],
) -> Result<(), SchedulingError> {
    audit_add(c, now, verb, id, detail)?;
    Ok(())
}

/// Something was done in the course of an attempt.
pub(crate) fn worked(
    c: &mut dyn Conn,
    now: i64,
    verb: &str,
    id: &str,
    agent: Option<&str>,
    detail: &[(&str, Value<'_>)],
) -> Result<(), SchedulingError> {
    audit_add_for(c, now, agent, verb, id, detail)?;
    Ok(())
}

fn verb(event: Event) -> &'static str {
    match event {
        Event::Unblock => "task_unblock",
        Event::Block => "task_block",
        Event::Delay => "task_delay",
        Event::Promote => "task_promote",
        Event::Claim => "task_claim",
        Event::Finish => "task_finish",
        Event::Retry => "task_retry",
        Event::Requeue => "task_requeue",
        Event::GiveUp => "task_give_up",
        Event::Park => "task_park",
        Event::Resolve => "task_resolve",
        Event::Cancel => "task_cancel",
        Event::Rerun | Event::RerunBlocked => "task_rerun",
    }
}
