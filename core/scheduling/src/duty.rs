//! What any process does in the background: promote due tasks, end what lost its lease, and hold the
//! duties that only one process may hold at a time.

use crate::claim::{Failure, Process, by_process, fail_row, step};
use crate::error::SchedulingError;
use crate::model::{Event, Outcome, State};
use crate::query::{load, span};
use crate::trace;
use callboard_store::{Conn, Row, StoreError, params};

/// How many rows one sweep touches at most, so that it never holds the write lock for long.
const BATCH: u32 = 200;

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Delayed tasks that became ready.
    pub promoted: usize,
    /// Attempts that lost their lease.
    pub expired: usize,
}

/// Promotes due tasks and ends attempts whose lease ran out. Call it every second or so; call it again
/// at once while it reports a full batch.
///
/// # Errors
/// Only when the store fails.
pub fn sweep(c: &mut dyn Conn, now: i64) -> Result<Swept, SchedulingError> {
    Ok(Swept {
        promoted: promote_due(c, now)?,
        expired: expire_leases(c, now)?,
    })
}

/// Whether a sweep would do anything: cheap, for a reading connection.
///
/// # Errors
/// Only when the store fails.
pub fn sweep_due(c: &mut dyn Conn, now: i64) -> Result<bool, SchedulingError> {
    Ok(c.query_one(
        "SELECT EXISTS (SELECT 1 FROM tasks WHERE state = 'scheduled' AND due_at <= ?1)
             OR EXISTS (SELECT 1 FROM tasks WHERE state = 'running' AND lease_until < ?1)",
        params![now],
        |row| row.int(0),
    )? == Some(1))
}

fn promote_due(c: &mut dyn Conn, now: i64) -> Result<usize, SchedulingError> {
    // Its place in the queue counts from when it was due, not from when somebody looked.
    let to = step("", State::Scheduled, Event::Promote)?;
    let promoted = c.query(
        "UPDATE tasks SET state = ?3, updated_at = ?1 WHERE seq IN
             (SELECT seq FROM tasks WHERE state = 'scheduled' AND due_at <= ?1 ORDER BY due_at LIMIT ?2)
         RETURNING id",
        params![now, BATCH, to.as_str()],
        |row| row.text(0),
    )?;
    for id in &promoted {
        trace::moved(c, now, id, Event::Promote, State::Scheduled, to)?;
    }
    Ok(promoted.len())
}

fn expire_leases(c: &mut dyn Conn, now: i64) -> Result<usize, SchedulingError> {
    let lost = c.query(
        "SELECT id FROM tasks WHERE state = 'running' AND lease_until < ?1 ORDER BY lease_until LIMIT ?2",
        params![now, BATCH],
        |row| row.text(0),
    )?;
    for id in &lost {
        let row = load(c, id)?;
        let ran = span(now - row.started_at.unwrap_or(now));
        // A process keeps its time limit itself: what it loses is its lease.
        let timed_out = match (row.timeout_ms, row.started_at, row.lease_until) {
            (Some(limit), Some(start), Some(until)) if !by_process(c, &row)? => {
                until >= start + limit
            }
            _ => false,
        };
        let (outcome, error) = if timed_out {
            (
                Outcome::TimedOut,
                format!("ran longer than its time limit ({ran})"),
            )
        } else {
            (
                Outcome::Expired,
                format!("no heartbeat: the lease ran out after {ran}"),
            )
        };
        fail_row(c, now, id, &row, outcome, Failure::Retry, &error)?;
    }
    Ok(lost.len())
}

/// A duty and its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty {
    /// Its name.
    pub name: String,
    /// The process that holds it.
    pub process: Process,
    /// Since when, ms since 1970 UTC.
    pub since: i64,
    /// Until when without an extension, ms since 1970 UTC.
    pub until: i64,
    /// What the holder says about itself.
    pub note: String,
}

fn duty_from(row: &dyn Row) -> Result<Duty, StoreError> {
    Ok(Duty {
        name: row.text(0)?,
        process: Process {
            pid: u32::try_from(row.int(1)?).unwrap_or(0),
            start: u64::try_from(row.int(2)?).unwrap_or(0),
        },
        since: row.int(3)?,
        until: row.int(4)?,
        note: row.text(5)?,
    })
}

/// Takes or extends a duty for `process`. It is free when nobody has it, when its time ran out, or when
/// `gone` names its holder (the caller has seen that this process no longer lives).
///
/// # Errors
/// [`SchedulingError::Held`] when another live process has it.
pub fn duty_take(
    c: &mut dyn Conn,
    now: i64,
    name: &str,
    process: Process,
    ttl_ms: i64,
    note: &str,
    gone: Option<Process>,
) -> Result<Duty, SchedulingError> {
    let start = i64::try_from(process.start).unwrap_or(i64::MAX);
    let holder = duty_get(c, name)?;
    let since = match &holder {
        Some(duty) if duty.process == process => duty.since,
        Some(duty) if duty.until >= now && gone != Some(duty.process) => {
            return Err(SchedulingError::Held {
                name: name.to_owned(),
                pid: duty.process.pid,
                since_ms: duty.since,
            });
        }
        _ => now,
    };
    c.execute(
        "INSERT INTO duties (name, pid, pid_start, since, until, note) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (name) DO UPDATE SET pid = excluded.pid, pid_start = excluded.pid_start, since = excluded.since, until = excluded.until, note = excluded.note",
        params![name, process.pid, start, since, now + ttl_ms, note],
    )?;
    Ok(Duty {
        name: name.to_owned(),
        process,
        since,
        until: now + ttl_ms,
        note: note.to_owned(),
    })
}

/// Gives a duty back; nothing happens when another process has it.
///
/// # Errors
/// Only when the store fails.
pub fn duty_drop(c: &mut dyn Conn, name: &str, process: Process) -> Result<(), SchedulingError> {
    c.execute(
        "DELETE FROM duties WHERE name = ?1 AND pid = ?2 AND pid_start = ?3",
        params![
            name,
            process.pid,
            i64::try_from(process.start).unwrap_or(i64::MAX)
        ],
    )?;
    Ok(())
}

/// Who has a duty.
///
/// # Errors
/// Only when the store fails.
pub fn duty_get(c: &mut dyn Conn, name: &str) -> Result<Option<Duty>, SchedulingError> {
    Ok(c.query_one(
        "SELECT name, pid, pid_start, since, until, note FROM duties WHERE name = ?1",
        params![name],
        duty_from,
    )?)
}
