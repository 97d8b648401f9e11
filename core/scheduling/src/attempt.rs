//! Attempts: what was tried for a task, how far it got, and the worktrees it used.

use crate::claim::{Lease, Process, attempt_end, held, task_interrupt};
use crate::error::SchedulingError;
use crate::model::Outcome;
use crate::task::{count, json_from, json_text};
use crate::trace;
use callboard_store::{Conn, Row, StoreError, Value, params};
use serde::{Deserialize, Serialize};

/// One attempt at a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// `a_` and 26 characters.
    pub id: String,
    /// The task.
    pub task: String,
    /// 1 for the first, interrupted ones included.
    pub number: u32,
    /// The fence it was given.
    pub fence: i64,
    /// Who worked.
    pub worker: String,
    /// The process that did the work, where it is one of ours.
    pub pid: Option<u32>,
    /// When that process started, clock ticks since boot.
    pub pid_start: Option<u64>,
    /// ms since 1970 UTC.
    pub started_at: i64,
    /// ms since 1970 UTC.
    pub ended_at: Option<i64>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not succeed.
    pub error: Option<String>,
    /// What it did, as far as it is known.
    pub facts: Facts,
}

/// What an attempt did: filled step by step, each before the step's outside effect is relied on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The step it was last known to begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Its branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The commit it started from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The last commit on its branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// How many commits it made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commits: Option<u32>,
    /// The commit that merged it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<String>,
    /// The pull request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pr: Option<String>,
    /// Whether the branch was pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pushed: Option<bool>,
    /// The ref under which unmerged work of an ended attempt is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// Its log file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// What the tests said, in a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tests: Option<String>,
    /// Files changed, lines added, lines removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<(u32, u32, u32)>,
    /// What the agent said it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}

const ATTEMPT_COLUMNS: &str = "a.id, t.id, a.number, a.fence, a.worker, a.pid, a.pid_start, a.started_at, a.ended_at, a.outcome, a.error, a.facts";

fn attempt_from(row: &dyn Row) -> Result<Attempt, StoreError> {
    let outcome = row.text(9)?;
    Ok(Attempt {
        id: row.text(0)?,
        task: row.text(1)?,
        number: count(row.int(2)?),
        fence: row.int(3)?,
        worker: row.text(4)?,
        pid: row.opt_int(5)?.map(count),
        pid_start: row.opt_int(6)?.and_then(|start| u64::try_from(start).ok()),
        started_at: row.int(7)?,
        ended_at: row.opt_int(8)?,
        outcome: Outcome::parse(&outcome)
            .ok_or_else(|| StoreError::Row(format!("unknown outcome {outcome:?}")))?,
        error: row.opt_text(10)?,
        facts: json_from(&row.text(11)?)?,
    })
}

/// A task's attempts, first one first.
///
/// # Errors
/// Only when the store fails.
pub fn attempts_of(c: &mut dyn Conn, task: &str) -> Result<Vec<Attempt>, SchedulingError> {
    Ok(c.query(
        &format!("SELECT {ATTEMPT_COLUMNS} FROM attempts a JOIN tasks t ON t.seq = a.task WHERE t.id = ?1 ORDER BY a.seq LIMIT 1000"),
        params![task],
        attempt_from,
    )?)
}

/// One attempt.
///
/// # Errors
/// [`SchedulingError::NotFound`].
pub fn attempt_get(c: &mut dyn Conn, id: &str) -> Result<Attempt, SchedulingError> {
    c.query_one(
        &format!("SELECT {ATTEMPT_COLUMNS} FROM attempts a JOIN tasks t ON t.seq = a.task WHERE a.id = ?1"),
        params![id],
        attempt_from,
    )?
    .ok_or_else(|| SchedulingError::NotFound { what: "attempt", id: id.to_owned() })
}

/// Attempts that processes of ours hold and have not ended: what to look at after a crash.
///
/// # Errors
/// Only when the store fails.
pub fn attempts_open(c: &mut dyn Conn) -> Result<Vec<Attempt>, SchedulingError> {
    Ok(c.query(
        &format!("SELECT {ATTEMPT_COLUMNS} FROM attempts a JOIN tasks t ON t.seq = a.task WHERE a.ended_at IS NULL AND a.pid IS NOT NULL ORDER BY +a.seq LIMIT 10000"),
        params![],
        attempt_from,
    )?)
}

/// An attempt that is over, as far as somebody counts what came of attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its place in the table.
    pub seq: i64,
    /// Its id.
    pub id: String,
    /// The task.
    pub task: String,
    /// ms since 1970 UTC.
    pub started_at: i64,
    /// ms since 1970 UTC.
    pub ended_at: i64,
    /// How it ended.
    pub outcome: Outcome,
}

/// Attempts that ended after `after` (when, and at which place), up to `until`, at most `most` of them: first who ended
/// first. Whoever reads on gives the last one's time and place; `until` has to lie so far back that nobody ends an
/// attempt at that time any more.
///
/// # Errors
/// Only when the store fails.
pub fn attempts_ended(
    c: &mut dyn Conn,
    after: (i64, i64),
    until: i64,
    most: u32,
) -> Result<Vec<Ended>, SchedulingError> {
    Ok(c.query(
        "SELECT a.seq, a.id, t.id, a.started_at, a.ended_at, a.outcome FROM attempts a JOIN tasks t ON t.seq = a.task
         WHERE a.ended_at >= ?1 AND a.ended_at <= ?3 AND (a.ended_at > ?1 OR a.seq > ?2)
         ORDER BY a.ended_at, a.seq LIMIT ?4",
        params![after.0, after.1, until, most],
        |row| {
            let outcome = row.text(5)?;
            Ok(Ended {
                seq: row.int(0)?,
                id: row.text(1)?,
                task: row.text(2)?,
                started_at: row.int(3)?,
                ended_at: row.int(4)?,
                outcome: Outcome::parse(&outcome)
                    .ok_or_else(|| StoreError::Row(format!("unknown outcome {outcome:?}")))?,
            })
        },
    )?)
}

/// The processes that hold open attempts: the caller looks which of them still live.
///
/// # Errors
/// Only when the store fails.
pub fn processes_open(c: &mut dyn Conn) -> Result<Vec<Process>, SchedulingError> {
    Ok(c.query(
        "SELECT DISTINCT pid, pid_start FROM attempts WHERE ended_at IS NULL AND pid IS NOT NULL LIMIT 1000",
        params![],
        |row| {
            Ok(Process {
                pid: count(row.int(0)?),
                start: u64::try_from(row.int(1)?).unwrap_or(0),
            })
        },
    )?)
}

/// A process has died: its attempts are interrupted and their tasks go back to the queue. Answers the
/// tasks.
///
/// # Errors
/// Only when the store fails.
pub fn process_gone(
    c: &mut dyn Conn,
    now: i64,
    process: Process,
) -> Result<Vec<String>, SchedulingError> {
    let why = format!("process {} died", process.pid);
    let mut tasks = Vec::new();
    for attempt in attempts_open(c)? {
        if attempt.process() != Some(process) {
            continue;
        }
        match task_interrupt(c, now, &attempt.lease(), &why) {
            Ok(task) => tasks.push(task.id),
            // The task has moved on without it (cancelled, expired): only the attempt is still open.
            Err(SchedulingError::Stale { .. }) => {
                attempt_end(c, now, Some(&attempt.id), Outcome::Interrupted, Some(&why))?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(tasks)
}

impl Attempt {
    /// The process that holds it.
    #[must_use]
    pub fn process(&self) -> Option<Process> {
        Some(Process {
            pid: self.pid?,
            start: self.pid_start?,
        })
    }

    /// The right to write to its task, valid while it is the task's current attempt.
    #[must_use]
    pub fn lease(&self) -> Lease {
        Lease {
            task: self.task.clone(),
            fence: self.fence,
        }
    }
}

/// Writes what the holder of the lease knows about its attempt.
///
/// # Errors
/// [`SchedulingError::Stale`] when the lease is gone: the step that was to follow must not be done.
pub fn attempt_record(
    c: &mut dyn Conn,
    now: i64,
    lease: &Lease,
    facts: &Facts,
) -> Result<(), SchedulingError> {
    let row = held(c, lease)?;
    c.execute(
        "UPDATE attempts SET facts = ?2 WHERE id = ?1",
        params![row.attempt.as_deref(), &json_text(facts)?],
    )?;
    c.execute(
        "UPDATE tasks SET progress = COALESCE(?2, progress), updated_at = ?3 WHERE seq = ?1",
        params![row.seq, facts.step.as_deref(), now],
    )?;
    let detail = [
        ("attempt", Value::from(row.attempt.as_deref())),
        ("step", facts.step.as_deref().into()),
    ];
    trace::worked(c, now, "attempt_record", &lease.task, row.agent(), &detail)
}

/// Adds to the facts of an attempt that has ended: what cleaning up found.
///
/// # Errors
/// [`SchedulingError::NotFound`].
pub fn attempt_amend(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    amend: impl FnOnce(&mut Facts),
) -> Result<(), SchedulingError> {
    let Attempt {
        mut facts,
        task,
        worker,
        ..
    } = attempt_get(c, id)?;
    amend(&mut facts);
    c.execute(
        "UPDATE attempts SET facts = ?2 WHERE id = ?1",
        params![id, &json_text(&facts)?],
    )?;
    let detail = [("attempt", Value::from(id))];
    trace::worked(c, now, "attempt_amend", &task, Some(&worker), &detail)
}

/// A worktree that may exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorktreeRow {
    /// The attempt it was made for.
    pub attempt: String,
    /// The repository's root.
    pub repo: String,
    /// Where it is.
    pub path: String,
    /// The branch made with it.
    pub branch: Option<String>,
    /// The commit it was made from.
    pub base: String,
}

/// Records that a worktree is about to be made. A crash after this leaves a row whose path may or may
/// not exist; reconciling removes both.
///
/// # Errors
/// Only when the store fails.
pub fn worktree_intend(
    c: &mut dyn Conn,
    now: i64,
    row: &WorktreeRow,
) -> Result<(), SchedulingError> {
    c.execute(
        "INSERT INTO worktrees (attempt, repo, path, branch, base, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (attempt) DO UPDATE SET path = excluded.path, branch = excluded.branch, base = excluded.base",
        params![&row.attempt, &row.repo, &row.path, row.branch.as_deref(), &row.base, now],
    )?;
    Ok(())
}

/// Forgets a worktree that is gone from the disk.
///
/// # Errors
/// Only when the store fails.
pub fn worktree_forget(c: &mut dyn Conn, attempt: &str) -> Result<(), SchedulingError> {
    c.execute("DELETE FROM worktrees WHERE attempt = ?1", params![attempt])?;
    Ok(())
}

/// Worktrees of a repository that may exist and whose attempt is not at work.
///
/// # Errors
/// Only when the store fails.
pub fn worktrees_idle(c: &mut dyn Conn, repo: &str) -> Result<Vec<WorktreeRow>, SchedulingError> {
    Ok(c.query(
        "SELECT w.attempt, w.repo, w.path, w.branch, w.base FROM worktrees w LEFT JOIN attempts a ON a.id = w.attempt
         WHERE w.repo = ?1 AND (a.id IS NULL OR a.ended_at IS NOT NULL) ORDER BY w.created_at",
        params![repo],
        |row| {
            Ok(WorktreeRow {
                attempt: row.text(0)?,
                repo: row.text(1)?,
                path: row.text(2)?,
                branch: row.opt_text(3)?,
                base: row.text(4)?,
            })
        },
    )?)
}
