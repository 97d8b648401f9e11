//! Folding the log into the file, beside the writer.
//!
//! For: commits that do not wait for the disk because the log happens to be long: a checkpoint flushes the log and the
//! file, which takes as long as dozens of commits. Not for: a log that nothing here can shorten, because commits never
//! pause; the writer itself sees to that, from [`LONGEST`] on. Nothing depends on a checkpoint that is cut off at any
//! point: the log stands until all of it is in the file.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::hooks::Wal;
use rusqlite::{Connection, Error};

use super::conn::engine_error;
use super::connect;
use crate::StoreError;

/// Pages in the log from which on it is folded into the file, and so many more before that is tried again (16 MB). SQLite
/// itself would at 1,000: that flushes four times as often, and writes what changes often four times to the file.
const STEP: i32 = 4_000;
/// Pages from which on the writer does it itself (64 MB).
const LONGEST: i32 = 16_000;
/// Attempts in a row. When one finds every page in the file, the next commit begins the log anew; the first does the
/// work, and between two commits there is mostly time for another.
const ATTEMPTS: u32 = 5;

/// A thread that is there from the first time it is needed.
pub(super) struct Checkpointer {
    path: PathBuf,
    limit: Duration,
    /// The number of pages at which it is needed next.
    next: Arc<AtomicI32>,
    thread: Mutex<Option<(SyncSender<()>, JoinHandle<()>)>>,
}

impl Checkpointer {
    /// Sees to the log that this connection writes, in place of SQLite's own checkpoints.
    pub(super) fn watch(
        db: &mut Connection,
        path: PathBuf,
        limit: Duration,
    ) -> Result<Arc<Checkpointer>, StoreError> {
        let checkpointer = Arc::new(Checkpointer {
            path,
            limit,
            next: Arc::new(AtomicI32::new(STEP)),
            thread: Mutex::default(),
        });
        let hook = {
            let checkpointer = Arc::clone(&checkpointer);
            let mut before = 0;
            move |wal: &mut Wal, pages| {
                // The log begins anew, and is short again.
                if pages < before {
                    checkpointer.next.store(STEP, Ordering::Relaxed);
                }
                before = pages;
                if pages >= LONGEST {
                    // Busy when the thread is at it; the next commit tries again.
                    drop(wal.checkpoint());
                } else if pages >= checkpointer.next.load(Ordering::Relaxed) {
                    checkpointer.wake();
                }
                Ok::<(), Error>(())
            }
        };
        db.wal_hook(Some(hook)).map_err(engine_error)?;
        Ok(checkpointer)
    }

    fn wake(&self) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            let (wake, woken) = sync_channel(1);
            let (path, limit, next) = (self.path.clone(), self.limit, Arc::clone(&self.next));
            let started = std::thread::Builder::new()
                .name("board-checkpoint".to_owned())
                .spawn(move || serve(&woken, path, limit, &next));
            match started {
                Ok(handle) => *thread = Some((wake, handle)),
                // The log grows until the writer folds it.
                Err(error) => tracing::warn!(%error, "no thread for checkpoints"),
            }
        }
        if let Some((wake, _)) = &*thread {
            // Full: it was woken and has not begun.
            wake.try_send(()).ok();
        }
    }

    /// Ends the thread once it has done what it is doing.
    pub(super) fn end(&self) {
        let thread = {
            let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
            thread.take()
        };
        if let Some((wake, handle)) = thread {
            drop(wake);
            drop(handle.join());
        }
    }
}

fn serve(woken: &Receiver<()>, path: PathBuf, limit: Duration, next: &AtomicI32) {
    let mut opened = None;
    while woken.recv().is_ok() {
        let db = match opened.take() {
            Some(db) => db,
            None => match connect::reader(&path, limit) {
                Ok(db) => db,
                Err(error) => {
                    tracing::debug!(%error, "no checkpoint now");
                    continue;
                }
            },
        };
        match fold(&db) {
            Ok(left) => next.store(left + STEP, Ordering::Relaxed),
            Err(error) => tracing::debug!(%error, "no checkpoint now"),
        }
        opened = Some(db);
    }
}

/// Folds what nobody needs in the log any more into the file. Answers the pages in the log, none if it may begin anew.
fn fold(db: &Connection) -> Result<i32, StoreError> {
    let mut pages = 0;
    for _ in 0..ATTEMPTS {
        let mut checkpoint = db
            .prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")
            .map_err(engine_error)?;
        let (busy, log, done): (bool, i32, i32) = checkpoint
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .map_err(engine_error)?;
        if log <= done {
            return Ok(0);
        }
        if busy {
            // Another process is at it.
            return Ok(log.max(0));
        }
        // Somebody reads what is older, so that nothing came of this attempt: nor would of another.
        if log == pages {
            break;
        }
        pages = log;
    }
    Ok(pages)
}

#[cfg(test)]
mod tests;
