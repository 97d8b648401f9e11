//! Leases: claim, heartbeat, and the ways an attempt ends.
//!
//! A claim gives a fence, a number that grows with every claim of the task. Every later write of the
//! worker carries it; once the task was claimed again, expired or cancelled, the old fence is refused.

use crate::deps::{follow_dependents, recount};
use crate::error::SchedulingError;
use crate::model::{Event, Outcome, State, next};
use crate::query::{Loaded, load, task_get};
use crate::rank::rank;
use crate::task::{
    DEFAULT_QUEUE, MAX_BACKOFF_MS, MAX_INTERRUPTIONS, TASK_COLUMN_COUNT, Task, check_name,
    check_range, check_text, json_text, task_columns, task_from,
};
use crate::trace;
use callboard_store::{Conn, Row, Value, params};
use serde_json::Value as Json;

/// How long a lease holds without a heartbeat, unless the claim says otherwise: five minutes.
pub const DEFAULT_LEASE_MS: i64 = 5 * 60 * 1000;
/// The longest lease: one day.
pub const MAX_LEASE_MS: i64 = 24 * 3600 * 1000;

/// A process: its number and when it started, in clock ticks since boot, so that a re-used number is
/// not taken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Process {
    /// The process number.
    pub pid: u32,
    /// Field 22 of `/proc/<pid>/stat`.
    pub start: u64,
}

/// Who claims, from where, for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The queue; [`DEFAULT_QUEUE`] for most.
    pub queue: String,
    /// A name for the worker.
    pub worker: String,
    /// How long the lease holds without a heartbeat, ms.
    pub lease_ms: i64,
    /// The process that does the work. It watches the time limit itself, and when it dies the attempt
    /// is interrupted. `None` for a client of which only heartbeats are known.
    pub process: Option<Process>,
}

impl Claim {
    /// A claim by a client that sends heartbeats.
    #[must_use]
    pub fn by(worker: impl Into<String>) -> Self {
        Claim {
            queue: DEFAULT_QUEUE.to_owned(),
            worker: worker.into(),
            lease_ms: DEFAULT_LEASE_MS,
            process: None,
        }
    }
}

/// The right to write to a claimed task.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The task.
    pub task: String,
    /// The fence that the claim gave.
    pub fence: i64,
}

macro_rules! take {
    ($which:literal) => {
        concat!(
            "UPDATE tasks SET state = 'running', fence = fence + 1, attempts = attempts + 1, attempt = ?2, worker = ?3,
                 lease_until = CASE WHEN ?5 AND timeout_ms IS NOT NULL AND ?6 + timeout_ms < ?4 THEN ?6 + timeout_ms ELSE ?4 END,
                 started_at = ?6, updated_at = ?6, progress = NULL
             WHERE seq = (SELECT seq FROM tasks WHERE state = 'ready' AND queue = ?1 ",
            $which,
            " LIMIT 1)
             RETURNING ",
            task_columns!(),
            ", seq"
        )
    };
}

/// Takes the most urgent ready task of a queue under the attempt id `attempt`; `None` when there is none.
///
/// # Errors
/// [`SchedulingError::Invalid`] for a bad worker name, queue or lease.
pub fn task_claim(
    c: &mut dyn Conn,
    now: i64,
    attempt: &str,
    claim: &Claim,
) -> Result<Option<Task>, SchedulingError> {
    taken(c, now, attempt, claim, None)
}

/// As [`task_claim`], but only this task, if it is ready in the queue: for who looks at tasks before one is taken, in
/// the same transaction.
///
/// # Errors
/// As [`task_claim`].
pub fn task_claim_one(
    c: &mut dyn Conn,
    now: i64,
    attempt: &str,
    claim: &Claim,
    task: &str,
) -> Result<Option<Task>, SchedulingError> {
    taken(c, now, attempt, claim, Some(task))
}

fn taken(
    c: &mut dyn Conn,
    now: i64,
    attempt: &str,
    claim: &Claim,
    only: Option<&str>,
) -> Result<Option<Task>, SchedulingError> {
    check_name("worker", &claim.worker)?;
    check_name("queue", &claim.queue)?;
    check_range("lease_ms", claim.lease_ms, 1_000, MAX_LEASE_MS)?;
    let until = now + claim.lease_ms;
    // A process limits its own attempts; for a client the time limit cuts the lease.
    let limited = claim.process.is_none();
    let row = |row: &dyn Row| Ok((task_from(row)?, row.int(TASK_COLUMN_COUNT)?));
    let (queue, worker) = (&claim.queue, &claim.worker);
    let claimed = match only {
        None => c.query_one(
            take!("ORDER BY rank, seq"),
            params![queue, attempt, worker, until, limited, now],
            row,
        )?,
        Some(id) => c.query_one(
            take!("AND id = ?7"),
            params![queue, attempt, worker, until, limited, now, id],
            row,
        )?,
    };
    let Some((task, seq)) = claimed else {
        return Ok(None);
    };
    c.execute(
        "INSERT INTO attempts (id, task, number, fence, worker, pid, pid_start, started_at, outcome)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'running')",
        params![
            attempt,
            seq,
            task.attempts,
            task.fence,
            &claim.worker,
            claim.process.map(|p| p.pid),
            claim.process.map(|p| i64::try_from(p.start).unwrap_or(i64::MAX)),
            now
        ],
    )?;
    let detail = [
        ("attempt", Value::from(attempt)),
        ("worker", claim.worker.as_str().into()),
        ("fence", task.fence.into()),
    ];
    let agent = Some(claim.worker.as_str());
    trace::worked(c, now, "task_claim", &task.id, agent, &detail)?;
    Ok(Some(task))
}

/// Checks the fence and returns the row, or says what became of the lease.
pub(crate) fn held(c: &mut dyn Conn, lease: &Lease) -> Result<Loaded, SchedulingError> {
    let row = load(c, &lease.task)?;
    if row.state == State::Running && row.fence == lease.fence {
        return Ok(row);
    }
    let why = if lease.fence > row.fence || lease.fence <= 0 {
        "that fence was never given out".to_owned()
    } else if row.fence > lease.fence {
        format!("the task was claimed again (fence {})", row.fence)
    } else {
        format!("the task is {} now", row.state)
    };
    Err(SchedulingError::Stale {
        id: lease.task.clone(),
        fence: lease.fence,
        why,
    })
}

/// Extends the lease and keeps what the worker says about its progress. Answers until when it holds.
///
/// # Errors
/// [`SchedulingError::Stale`] when the lease is gone: the worker should stop.
pub fn lease_extend(
    c: &mut dyn Conn,
    now: i64,
    lease: &Lease,
    lease_ms: i64,
    progress: Option<&str>,
) -> Result<i64, SchedulingError> {
    check_range("lease_ms", lease_ms, 1_000, MAX_LEASE_MS)?;
    if let Some(progress) = progress {
        check_text("progress", progress, 2_000)?;
    }
    let row = held(c, lease)?;
    let until = now + lease_ms;
    let until = match (row.timeout_ms, row.started_at) {
        (Some(limit), Some(start)) if !by_process(c, &row)? => until.min(start + limit),
        _ => until,
    };
    c.execute(
        "UPDATE tasks SET lease_until = ?2, progress = COALESCE(?3, progress), updated_at = ?4 WHERE seq = ?1 AND fence = ?5",
        params![row.seq, until, progress, now, lease.fence],
    )?;
    if progress.is_some() {
        trace::worked(c, now, "task_progress", &lease.task, row.agent(), &[])?;
    }
    Ok(until)
}

pub(crate) fn by_process(c: &mut dyn Conn, row: &Loaded) -> Result<bool, SchedulingError> {
    Ok(c.query_one(
        "SELECT pid FROM attempts WHERE id = ?1",
        params![row.attempt.as_deref()],
        |row| row.opt_int(0),
    )?
    .flatten()
    .is_some())
}

/// The worker is done. Tasks that waited for this one may start.
///
/// # Errors
/// [`SchedulingError::Stale`] when the lease is gone: nothing is changed.
pub fn task_finish(
    c: &mut dyn Conn,
    now: i64,
    lease: &Lease,
    result: &Json,
) -> Result<Task, SchedulingError> {
    let text = json_text(result)?;
    if text.len() > 256 * 1024 {
        return Err(SchedulingError::invalid(
            "result",
            format!(
                "is {} bytes, at most 262144; store a path instead",
                text.len()
            ),
        ));
    }
    let row = held(c, lease)?;
    let to = step(&lease.task, row.state, Event::Finish)?;
    let finished = c.query_one(
        concat!(
            "UPDATE tasks SET state = ?2, result = ?3, reason = NULL, interruptions = 0, lease_until = NULL, finished_at = ?4, updated_at = ?4
             WHERE seq = ?1 AND state = ?5 AND fence = ?6 RETURNING ",
            task_columns!()
        ),
        params![row.seq, to.as_str(), &text, now, row.state.as_str(), row.fence],
        task_from,
    )?;
    let task = finished.ok_or_else(|| lost_race(&lease.task, &row, Event::Finish))?;
    attempt_end(c, now, row.attempt.as_deref(), Outcome::Done, None)?;
    trace::moved_by(
        c,
        now,
        &lease.task,
        row.agent(),
        Event::Finish,
        row.state,
        to,
    )?;
    follow_dependents(c, now, row.seq)?;
    Ok(task)
}

/// How a failed attempt is to be treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It counts: tried again after a back-off while retries are left, else the dead letter.
    Retry,
    /// Trying again is of no use: the dead letter at once.
    Final,
}

/// The attempt failed, with `outcome` saying how (failed, timed out, conflict).
///
/// # Errors
/// [`SchedulingError::Stale`] when the lease is gone: nothing is changed.
pub fn task_fail(
    c: &mut dyn Conn,
    now: i64,
    lease: &Lease,
    outcome: Outcome,
    failure: Failure,
    error: &str,
) -> Result<Task, SchedulingError> {
    check_text("error", error, 20_000)?;
    let row = held(c, lease)?;
    fail_row(c, now, &lease.task, &row, outcome, failure, error)?;
    task_get(c, &lease.task)
}

pub(crate) fn fail_row(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    row: &Loaded,
    outcome: Outcome,
    failure: Failure,
    error: &str,
) -> Result<(), SchedulingError> {
    let failures = row.failures + 1;
    let delay = backoff(row.backoff_ms, failures);
    let event = if failure == Failure::Final || failures > row.max_retries {
        Event::GiveUp
    } else if delay > 0 {
        Event::Retry
    } else {
        Event::Requeue
    };
    c.execute(
        "UPDATE tasks SET failures = ?2, interruptions = 0 WHERE seq = ?1",
        params![row.seq, failures],
    )?;
    match event {
        Event::GiveUp => settle(c, now, id, row, event, Some(error))?,
        _ => requeue(c, now, id, row, event, now + delay, Some(error))?,
    }
    attempt_end(c, now, row.attempt.as_deref(), outcome, Some(error))
}

/// The pause before try `failures + 1`: `base`, doubled for each failure, at most [`MAX_BACKOFF_MS`].
#[must_use]
pub fn backoff(base_ms: i64, failures: i64) -> i64 {
    let doublings = u32::try_from(failures.saturating_sub(1).clamp(0, 20)).unwrap_or(20);
    base_ms
        .saturating_mul(1_i64 << doublings)
        .min(MAX_BACKOFF_MS)
}

/// The worker gives the task back: it costs no retry. `outcome` says why the attempt ended
/// ([`Outcome::Released`], or [`Outcome::Conflict`] when its result is to be made again on a newer base).
///
/// # Errors
/// [`SchedulingError::Stale`] when the lease is gone.
pub fn task_release(
    c: &mut dyn Conn,
    now: i64,
    lease: &Lease,
    outcome: Outcome,
    why: &str,
) -> Result<Task, SchedulingError> {
    check_text("reason", why, 20_000)?;
    let row = held(c, lease)?;
    requeue(c, now, &lease.task, &row, Event::Requeue, now, Some(why))?;
    attempt_end(c, now, row.attempt.as_deref(), outcome, Some(why))?;
    task_get(c, &lease.task)
}

/// The attempt ended by our own death or stop. It costs no retry; every tenth in a row does.
///
/// # Errors
/// [`SchedulingError::Stale`] when the lease is gone.
pub fn task_interrupt(
    c: &mut dyn Conn,
    now: i64,
    lease: &Lease,
    why: &str,
) -> Result<Task, SchedulingError> {
    let row = held(c, lease)?;
    let interruptions = row.interruptions + 1;
    if interruptions >= i64::from(MAX_INTERRUPTIONS) {
        let error = format!("interrupted {interruptions} times in a row, last: {why}");
        fail_row(
            c,
            now,
            &lease.task,
            &row,
            Outcome::Interrupted,
            Failure::Retry,
            &error,
        )?;
        return task_get(c, &lease.task);
    }
    requeue(c, now, &lease.task, &row, Event::Requeue, now, Some(why))?;
    c.execute(
        "UPDATE tasks SET interruptions = ?2 WHERE seq = ?1",
        params![row.seq, interruptions],
    )?;
    attempt_end(
        c,
        now,
        row.attempt.as_deref(),
        Outcome::Interrupted,
        Some(why),
    )?;
    task_get(c, &lease.task)
}

/// The attempt hands the task to a person, saying what has to be decided.
///
/// # Errors
/// [`SchedulingError::Stale`] when the lease is gone.
pub fn task_park(
    c: &mut dyn Conn,
    now: i64,
    lease: &Lease,
    outcome: Outcome,
    why: &str,
) -> Result<Task, SchedulingError> {
    check_text("reason", why, 20_000)?;
    let row = held(c, lease)?;
    settle(c, now, &lease.task, &row, Event::Park, Some(why))?;
    attempt_end(c, now, row.attempt.as_deref(), outcome, Some(why))?;
    task_get(c, &lease.task)
}

/// The task turns out to be done: a person did their part, or a result is found that outlived its
/// process. `attempt`, where given, is the one that did it.
///
/// # Errors
/// [`SchedulingError::Illegal`] when it is running or has ended otherwise.
pub fn task_resolve(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    attempt: Option<&str>,
) -> Result<Task, SchedulingError> {
    let row = load(c, id)?;
    settle(c, now, id, &row, Event::Resolve, None)?;
    c.execute(
        "UPDATE tasks SET reason = NULL, interruptions = 0 WHERE seq = ?1",
        params![row.seq],
    )?;
    c.execute(
        "UPDATE attempts SET outcome = 'done', error = NULL, ended_at = COALESCE(ended_at, ?2) WHERE id = ?1",
        params![attempt, now],
    )?;
    follow_dependents(c, now, row.seq)?;
    task_get(c, id)
}

/// Moves to a state in which the task rests.
pub(crate) fn settle(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    row: &Loaded,
    event: Event,
    reason: Option<&str>,
) -> Result<(), SchedulingError> {
    let to = step(id, row.state, event)?;
    let changed = c.execute(
        "UPDATE tasks SET state = ?2, reason = COALESCE(?3, reason), lease_until = NULL, finished_at = ?4, updated_at = ?4 WHERE seq = ?1 AND state = ?5 AND fence = ?6",
        params![row.seq, to.as_str(), reason, now, row.state.as_str(), row.fence],
    )?;
    raced(id, row, event, changed)?;
    trace::moved_by(c, now, id, row.agent(), event, row.state, to)
}

/// Puts a task back where it can be claimed, at once or at `due`.
pub(crate) fn requeue(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    row: &Loaded,
    event: Event,
    due: i64,
    reason: Option<&str>,
) -> Result<(), SchedulingError> {
    let to = step(id, row.state, event)?;
    let due_at = (to == State::Scheduled).then_some(due);
    let changed = c.execute(
        "UPDATE tasks SET state = ?2, reason = COALESCE(?3, reason), lease_until = NULL, finished_at = NULL, due_at = ?4, ready_at = ?5, rank = ?6, updated_at = ?7 WHERE seq = ?1 AND state = ?8 AND fence = ?9",
        params![row.seq, to.as_str(), reason, due_at, due, rank(due, row.priority), now, row.state.as_str(), row.fence],
    )?;
    raced(id, row, event, changed)?;
    trace::moved_by(c, now, id, row.agent(), event, row.state, to)?;
    // A dependency may have been run again while this one was at work.
    if row.waiting_on > 0 && to != State::Waiting {
        recount(c, now, row.seq)?;
    }
    Ok(())
}

pub(crate) fn step(id: &str, state: State, event: Event) -> Result<State, SchedulingError> {
    next(state, event).ok_or_else(|| SchedulingError::Illegal {
        id: id.to_owned(),
        state,
        event,
    })
}

fn raced(id: &str, row: &Loaded, event: Event, changed: usize) -> Result<(), SchedulingError> {
    if changed == 1 {
        return Ok(());
    }
    Err(lost_race(id, row, event))
}

fn lost_race(id: &str, row: &Loaded, event: Event) -> SchedulingError {
    SchedulingError::Illegal {
        id: id.to_owned(),
        state: row.state,
        event,
    }
}

pub(crate) fn attempt_end(
    c: &mut dyn Conn,
    now: i64,
    attempt: Option<&str>,
    outcome: Outcome,
    error: Option<&str>,
) -> Result<(), SchedulingError> {
    c.execute(
        "UPDATE attempts SET ended_at = ?2, outcome = ?3, error = ?4 WHERE id = ?1 AND ended_at IS NULL",
        params![attempt, now, outcome.as_str(), error],
    )?;
    Ok(())
}
