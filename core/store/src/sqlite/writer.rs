//! The one connection of a process that writes: group commit.
//!
//! For: running queued operations in shared transactions, a savepoint each, and answering after COMMIT, on a thread of its
//! own; or one operation at once on the caller's thread, where there is nothing to wait for.
//! A crash before COMMIT leaves nothing of a batch behind and nobody was told otherwise; a crash after
//! it leaves the whole batch, though its callers may not have heard. Not for: reading.

use std::borrow::Borrow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use rusqlite::{CachedStatement, Connection};
use tokio::sync::mpsc::Receiver;

use super::conn::{SqliteConn, engine_error};
use super::connect::{self, Patience};
use crate::job::Job;
use crate::signal::Announcer;
use crate::{Durability, StoreError};

/// Operations in one commit at most: enough that the disk's flush no longer matters (measured: 128
/// waiting callers reach 80 % of the throughput without flushes).
const BATCH: usize = 256;
/// No further operation joins a commit that has held the lock this long: other processes wait for it.
const BATCH_TIME: Duration = Duration::from_millis(20);

/// Runs jobs until the queue is closed and empty. `waiting` are those that were queued and not answered.
pub(super) fn serve(
    writer: &Mutex<Writer<Connection>>,
    mut queue: Receiver<Box<dyn Job>>,
    waiting: &AtomicUsize,
) {
    let mut jobs = Vec::with_capacity(BATCH);
    loop {
        let left = jobs.len();
        if left == 0 && queue.blocking_recv_many(&mut jobs, BATCH) == 0 {
            return;
        }
        let before = jobs.len();
        let ran = held(writer).round(&mut jobs);
        if let Err(error) = ran {
            // Whoever queued up behind a lock that never came free has waited as long.
            let came = std::iter::from_fn(|| queue.try_recv().ok());
            let mut refused = 0;
            answer(
                jobs.drain(..).chain(came).inspect(|_| refused += 1),
                Some(&error),
            );
            waiting.fetch_sub(refused, Ordering::Release);
        } else {
            waiting.fetch_sub(before - jobs.len(), Ordering::Release);
        }
    }
}

fn held(writer: &Mutex<Writer<Connection>>) -> MutexGuard<'_, Writer<Connection>> {
    writer.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a job on this thread, where that is a matter of microseconds: nobody else here writes, no other process does,
/// and the commit does not wait for the disk. Otherwise hands it back.
pub(super) fn run_now(
    writer: &Mutex<Writer<Connection>>,
    job: Box<dyn Job>,
) -> Result<(), Box<dyn Job>> {
    if job.durability() == Durability::Full {
        return Err(job);
    }
    let mut writer = match writer.try_lock() {
        Ok(writer) => writer,
        Err(TryLockError::Poisoned(writer)) => writer.into_inner(),
        Err(TryLockError::WouldBlock) => return Err(job),
    };
    let mut jobs = vec![job];
    writer.patience.waive(true);
    let ran = writer.round(&mut jobs);
    writer.patience.waive(false);
    match (ran, jobs.pop()) {
        (Ok(()) | Err(StoreError::Busy { .. }), Some(job)) => Err(job),
        (Err(error), Some(job)) => {
            answer(std::iter::once(job), Some(&error));
            Ok(())
        }
        (_, None) => Ok(()),
    }
}

/// A connection that writes, and how.
pub(super) struct Writer<C> {
    db: C,
    announcer: Announcer,
    /// The most that a commit here survives.
    most: Durability,
    /// What the next one survives.
    now: Durability,
    batch_time: Duration,
    /// Whether the connection waits for locks.
    patience: Patience,
}

/// What became of one operation's savepoint.
enum Step {
    Kept,
    Undone,
    /// The engine rolled back the whole transaction: the answer for this operation, if its own result
    /// must not be given.
    Lost(Option<StoreError>),
}

impl<C: Borrow<Connection>> Writer<C> {
    pub(super) fn new(
        db: C,
        durability: Durability,
        patience: Patience,
        announcer: Announcer,
    ) -> Self {
        Self {
            db,
            announcer,
            most: durability,
            now: durability,
            batch_time: BATCH_TIME,
            patience,
        }
    }

    /// Runs jobs from the front in one transaction and removes those it answered. `Err` means that none
    /// of the rest can run either.
    fn round(&mut self, jobs: &mut Vec<Box<dyn Job>>) -> Result<(), StoreError> {
        self.undo_all()?;
        self.settle_durability(jobs)?;
        self.run("BEGIN IMMEDIATE")?;
        let before = self.db().total_changes();
        let (ran, keep) = match self.run_jobs(jobs) {
            Ok(done) => done,
            Err(error) => {
                self.undo_all()?;
                return Err(error);
            }
        };
        if self.db().is_autocommit() {
            // The operation at `ran` lost the transaction and is answered; those before it run again.
            return Ok(());
        }
        let ended = if keep { self.commit() } else { self.undo_all() };
        let changed = keep && ended.is_ok() && self.db().total_changes() != before;
        if changed {
            // Before the answers: whoever was answered finds that the counter has moved.
            self.announcer.here();
        }
        answer(jobs.drain(..ran), ended.as_ref().err());
        if changed {
            self.announcer.others();
        }
        Ok(())
    }

    /// The strictest of the jobs decides: which of them make it into this commit is seen too late to choose.
    fn settle_durability(&mut self, jobs: &[Box<dyn Job>]) -> Result<(), StoreError> {
        let strict = jobs.iter().any(|job| job.durability() == Durability::Full);
        let wanted = if strict {
            self.most
        } else {
            Durability::Normal
        };
        if wanted != self.now {
            connect::synchronous(self.db(), wanted)?;
            self.now = wanted;
        }
        Ok(())
    }

    /// How many jobs ran, and whether any of them wants its changes kept.
    fn run_jobs(&self, jobs: &mut Vec<Box<dyn Job>>) -> Result<(usize, bool), StoreError> {
        // Alone, it is undone with the transaction.
        if let [job] = jobs.as_mut_slice() {
            let mut conn = SqliteConn::of(self.db(), job.actor());
            let keep = job.run(&mut conn);
            let Some(error) = conn.lost() else {
                return Ok((1, keep));
            };
            answer(jobs.drain(..), keep.then_some(error).as_ref());
            return Ok((0, false));
        }
        let since = Instant::now();
        let (mut ran, mut keep) = (0, false);
        let mut savepoint = self.prepared("SAVEPOINT operation")?;
        let mut release = self.prepared("RELEASE operation")?;
        while ran < jobs.len() && (ran == 0 || since.elapsed() < self.batch_time) {
            run(&mut savepoint)?;
            match self.run_one(jobs[ran].as_mut())? {
                Step::Kept => keep = true,
                Step::Undone => {}
                Step::Lost(void) => {
                    answer(jobs.drain(ran..=ran), void.as_ref());
                    break;
                }
            }
            run(&mut release)?;
            ran += 1;
        }
        Ok((ran, keep))
    }

    /// Runs an operation within its savepoint, to which what it did is undone if it wants that.
    fn run_one(&self, job: &mut dyn Job) -> Result<Step, StoreError> {
        let mut conn = SqliteConn::of(self.db(), job.actor());
        let keep = job.run(&mut conn);
        if let Some(error) = conn.lost() {
            return Ok(Step::Lost(keep.then_some(error)));
        }
        if !keep {
            self.run("ROLLBACK TO operation")?;
        }
        Ok(if keep { Step::Kept } else { Step::Undone })
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        let committed = self.run("COMMIT");
        if let Err(error) = committed {
            // A refused COMMIT (a deferred constraint) leaves the transaction open.
            self.undo_all()?;
            return Err(match error {
                StoreError::Full | StoreError::Busy { .. } => error,
                other => StoreError::Commit(other.to_string()),
            });
        }
        Ok(())
    }

    fn undo_all(&mut self) -> Result<(), StoreError> {
        if self.db().is_autocommit() {
            return Ok(());
        }
        self.run("ROLLBACK")
    }

    fn db(&self) -> &Connection {
        self.db.borrow()
    }

    fn run(&self, sql: &str) -> Result<(), StoreError> {
        run(&mut self.prepared(sql)?)
    }

    fn prepared(&self, sql: &str) -> Result<CachedStatement<'_>, StoreError> {
        self.db().prepare_cached(sql).map_err(engine_error)
    }
}

fn run(statement: &mut CachedStatement<'_>) -> Result<(), StoreError> {
    statement.raw_execute().map(drop).map_err(engine_error)
}

/// Answers callers. Dropping a result nobody waits for runs code of the operation's author, so a panic
/// there must not end the writer.
fn answer(jobs: impl Iterator<Item = Box<dyn Job>>, void: Option<&StoreError>) {
    for job in jobs {
        let finished = catch_unwind(AssertUnwindSafe(|| job.finish(void)));
        if finished.is_err() {
            tracing::error!("an operation's result panicked while it was handed back");
        }
    }
}

#[cfg(test)]
mod tests;
