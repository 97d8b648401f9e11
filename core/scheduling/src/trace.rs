//! The audit of what happens to tasks.
//!
//! For: one row for each change, in the transaction that makes it. Not for: heartbeats and progress, which say
//! that nothing has changed, or the duties by which processes take turns.

use crate::error::SchedulingError;
use crate::model::{Event, State};
use callboard_store::{Conn, Value};
use callboard_telemetry::audit::audit_add;

/// The task went from one state to another.
pub(crate) fn moved(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    event: Event,
    from: State,
    to: State,
) -> Result<(), SchedulingError> {
    let detail = [
        ("from", Value::from(from.as_str())),
        ("to", to.as_str().into()),
    ];
    written(c, now, verb(event), id, &detail)
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
