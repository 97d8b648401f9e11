//! The one thread of a process that writes: group commit.
//!
//! For: running queued operations in shared transactions, a savepoint each, and answering after COMMIT.
//! A crash before COMMIT leaves nothing of a batch behind and nobody was told otherwise; a crash after
//! it leaves the whole batch, though its callers may not have heard. Not for: reading.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rusqlite::{Connection, Statement};
use tokio::sync::mpsc::Receiver;

use super::conn::{SqliteConn, engine_error};
use super::connect;
use crate::job::Job;
use crate::signal::Announcer;
use crate::{Durability, StoreError};

/// Operations in one commit at most: enough that the disk's flush no longer matters (measured: 128
/// waiting callers reach 80 % of the throughput without flushes).
const BATCH: usize = 256;
/// No further operation joins a commit that has held the lock this long: other processes wait for it.
const BATCH_TIME: Duration = Duration::from_millis(20);

/// Runs jobs until the queue is closed and empty.
///
/// `durability` is the connection's own. Where that is full, a commit of operations that all are content with less
/// does without waiting for the disk.
pub(super) fn serve(
    db: &Connection,
    durability: Durability,
    mut queue: Receiver<Box<dyn Job>>,
    announcer: Announcer,
) {
    let mut writer = match Writer::new(db, durability, announcer) {
        Ok(writer) => writer,
        Err(error) => return refuse_all(&mut queue, &error),
    };
    let mut jobs = Vec::with_capacity(BATCH);
    while !jobs.is_empty() || queue.blocking_recv_many(&mut jobs, BATCH) > 0 {
        if let Err(error) = writer.round(&mut jobs) {
            // Whoever queued up behind a lock that never came free has waited as long.
            while let Ok(job) = queue.try_recv() {
                jobs.push(job);
            }
            answer(jobs.drain(..), Some(&error));
        }
    }
}

struct Writer<'c> {
    db: &'c Connection,
    announcer: Announcer,
    /// The most that a commit here survives.
    most: Durability,
    /// What the next one survives.
    now: Durability,
    batch_time: Duration,
    begin: Statement<'c>,
    commit: Statement<'c>,
    rollback: Statement<'c>,
    savepoint: Statement<'c>,
    release: Statement<'c>,
    rollback_to: Statement<'c>,
}

/// What became of one operation's savepoint.
enum Step {
    Kept,
    Undone,
    /// The engine rolled back the whole transaction: the answer for this operation, if its own result
    /// must not be given.
    Lost(Option<StoreError>),
}

impl<'c> Writer<'c> {
    fn new(
        db: &'c Connection,
        durability: Durability,
        announcer: Announcer,
    ) -> Result<Self, StoreError> {
        let prepare = |sql| db.prepare(sql).map_err(engine_error);
        Ok(Self {
            db,
            announcer,
            most: durability,
            now: durability,
            batch_time: BATCH_TIME,
            begin: prepare("BEGIN IMMEDIATE")?,
            commit: prepare("COMMIT")?,
            rollback: prepare("ROLLBACK")?,
            savepoint: prepare("SAVEPOINT operation")?,
            release: prepare("RELEASE operation")?,
            rollback_to: prepare("ROLLBACK TO operation")?,
        })
    }

    /// Runs jobs from the front in one transaction and removes those it answered. `Err` means that none
    /// of the rest can run either.
    fn round(&mut self, jobs: &mut Vec<Box<dyn Job>>) -> Result<(), StoreError> {
        self.undo_all()?;
        self.settle_durability(jobs)?;
        run(&mut self.begin)?;
        let before = self.db.total_changes();
        let (ran, keep) = match self.run_jobs(jobs) {
            Ok(done) => done,
            Err(error) => {
                self.undo_all()?;
                return Err(error);
            }
        };
        if self.db.is_autocommit() {
            // The operation at `ran` lost the transaction and is answered; those before it run again.
            return Ok(());
        }
        let ended = if keep { self.commit() } else { self.undo_all() };
        let changed = keep && ended.is_ok() && self.db.total_changes() != before;
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
            connect::synchronous(self.db, wanted)?;
            self.now = wanted;
        }
        Ok(())
    }

    /// How many jobs ran, and whether any of them wants its changes kept.
    fn run_jobs(&mut self, jobs: &mut Vec<Box<dyn Job>>) -> Result<(usize, bool), StoreError> {
        let since = Instant::now();
        let (mut ran, mut keep) = (0, false);
        while ran < jobs.len() && (ran == 0 || since.elapsed() < self.batch_time) {
            match self.run_one(jobs[ran].as_mut())? {
                Step::Kept => keep = true,
                Step::Undone => {}
                Step::Lost(void) => {
                    answer(jobs.drain(ran..=ran), void.as_ref());
                    break;
                }
            }
            ran += 1;
        }
        Ok((ran, keep))
    }

    fn run_one(&mut self, job: &mut dyn Job) -> Result<Step, StoreError> {
        run(&mut self.savepoint)?;
        let mut conn = SqliteConn::of(self.db, job.actor());
        let keep = job.run(&mut conn);
        if let Some(error) = conn.lost() {
            return Ok(Step::Lost(keep.then_some(error)));
        }
        if !keep {
            run(&mut self.rollback_to)?;
        }
        run(&mut self.release)?;
        Ok(if keep { Step::Kept } else { Step::Undone })
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        let committed = run(&mut self.commit);
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
        if self.db.is_autocommit() {
            return Ok(());
        }
        run(&mut self.rollback)
    }
}

fn run(statement: &mut Statement<'_>) -> Result<(), StoreError> {
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

fn refuse_all(queue: &mut Receiver<Box<dyn Job>>, error: &StoreError) {
    while let Some(job) = queue.blocking_recv() {
        answer(std::iter::once(job), Some(error));
    }
}

#[cfg(test)]
mod tests;
