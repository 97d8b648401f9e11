//! One open SQLite file: its writer thread, its read pools, its watcher.
//!
//! For: starting these parts in order and ending them in order. Not for: what they do.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, watch};

use super::checkpoint::Checkpointer;
use super::readers::Readers;
use super::watch::Watcher;
use super::writer::Writer;
use super::{backup, connect, migrate, writer};
use crate::job::Job;
use crate::signal::{Announcer, Changes, CloseChanges};
use crate::{Conn, Migration, OpenError, Options, StoreError};

/// Operations that may wait for the writer; callers beyond that wait for a place.
const QUEUE: usize = 4096;

pub(crate) struct Engine {
    path: PathBuf,
    /// How long anything waits for a lock or a reader.
    limit: Duration,
    signal_dir: Option<PathBuf>,
    changes: Changes,
    watcher: OnceLock<Watcher>,
    snapshots: Readers,
    points: Readers,
    places: tokio::sync::Semaphore,
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    /// Operations that were queued and are not answered.
    waiting: Arc<AtomicUsize>,
    writer: Arc<Mutex<Writer<Connection>>>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    pub(crate) fn open(options: Options, migrations: &[&[Migration]]) -> Result<Self, OpenError> {
        Self::open_waiting(options, migrations, connect::BUSY_LIMIT)
    }

    /// As `open`, with another limit on waiting for locks.
    pub(crate) fn open_waiting(
        options: Options,
        migrations: &[&[Migration]],
        limit: Duration,
    ) -> Result<Self, OpenError> {
        let Options {
            path,
            durability,
            readers,
            signal_dir,
        } = options;
        let path = absolute(path)?;
        let signal_dir = signal_dir.map(absolute).transpose()?;
        connect::create(&path)?;
        let signal_dir = signal_dir.filter(|dir| usable(dir));
        let (mut db, patience) =
            connect::writer(&path, durability, limit).map_err(|error| cannot_open(&path, error))?;
        migrate::migrate(&db, &path, migrations)?;
        let checkpointer = Checkpointer::watch(&mut db, path.clone(), limit)?;

        let changes = Changes::new();
        let announcer = Announcer::new(changes.clone(), signal_dir.as_deref());
        let (queue, jobs) = mpsc::channel(QUEUE);
        let waiting = Arc::new(AtomicUsize::new(0));
        let writer = Arc::new(Mutex::new(Writer::new(db, durability, patience, announcer)));
        let (writing, counted) = (Arc::clone(&writer), Arc::clone(&waiting));
        let thread = std::thread::Builder::new()
            .name("board-writer".to_owned())
            .spawn(move || {
                writer::serve(&writing, jobs, &counted);
                // Before the file is closed, which folds what is left of the log if nobody else has it open.
                checkpointer.end();
            })
            .map_err(|error| StoreError::Engine(format!("no thread for the writer: {error}")))?;
        Ok(Self {
            snapshots: Readers::new(path.clone(), readers, limit),
            points: Readers::new(path.clone(), readers, limit),
            places: tokio::sync::Semaphore::new(readers.max(1)),
            path,
            limit,
            signal_dir,
            changes,
            watcher: OnceLock::new(),
            queue: Some(queue),
            waiting,
            writer,
            thread: Some(thread),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs the job here and now if nothing is in the way, else queues it.
    pub(crate) async fn submit(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        // Nobody overtakes those who wait.
        let refused = if self.waiting.load(Ordering::Acquire) == 0 {
            writer::run_now(&self.writer, job)
        } else {
            Err(job)
        };
        let Err(job) = refused else {
            return Ok(());
        };
        let place = queue.reserve().await.map_err(|_| StoreError::Closed)?;
        self.waiting.fetch_add(1, Ordering::AcqRel);
        place.send(job);
        Ok(())
    }

    /// Queues without waiting for a place.
    pub(crate) fn submit_now(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        use mpsc::error::TrySendError;
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        let place = queue.try_reserve().map_err(|refused| match refused {
            TrySendError::Full(()) => StoreError::Busy {
                waited: Duration::ZERO,
            },
            TrySendError::Closed(()) => StoreError::Closed,
        })?;
        self.waiting.fetch_add(1, Ordering::AcqRel);
        place.send(job);
        Ok(())
    }

    pub(crate) fn submit_blocking(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        self.waiting.fetch_add(1, Ordering::AcqRel);
        queue.blocking_send(job).map_err(|_| {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            StoreError::Closed
        })
    }

    /// A place among the snapshot reads, so that waiting for one holds no thread.
    pub(crate) async fn place(&self) -> Result<tokio::sync::SemaphorePermit<'_>, StoreError> {
        let taken = tokio::time::timeout(self.limit, self.places.acquire()).await;
        let taken = taken.map_err(|_| StoreError::Busy { waited: self.limit })?;
        taken.map_err(|_| StoreError::Closed)
    }

    pub(crate) fn read_snapshot<T, E: From<StoreError>>(
        &self,
        op: impl FnOnce(&mut dyn Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        self.snapshots.run(op)
    }

    pub(crate) fn read_point<T, E: From<StoreError>>(
        &self,
        op: impl FnOnce(&mut dyn Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        self.points.run(op)
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.watcher();
        self.changes.subscribe()
    }

    pub(crate) fn changes_closely(&self) -> CloseChanges {
        let watcher = self.watcher();
        let (changes, first) = self.changes.subscribe_closely();
        if first {
            watcher.wake();
        }
        changes
    }

    fn watcher(&self) -> &Watcher {
        self.watcher.get_or_init(|| {
            Watcher::start(
                self.path.clone(),
                self.signal_dir.clone(),
                self.changes.clone(),
            )
        })
    }

    pub(crate) fn backup(&self, to: &Path) -> Result<(), StoreError> {
        backup::backup(&self.path, to)
    }
}

/// Connections are opened later too, when the process may have changed its directory.
fn absolute(path: PathBuf) -> Result<PathBuf, OpenError> {
    std::path::absolute(&path).map_err(|error| OpenError::Path {
        path,
        message: format!("has no absolute form: {error}"),
    })
}

fn cannot_open(path: &Path, error: StoreError) -> OpenError {
    match error {
        StoreError::Engine(message) | StoreError::ReadOnly(message) => OpenError::Path {
            path: path.to_owned(),
            message: format!("cannot be opened as a board: {message}"),
        },
        other => other.into(),
    }
}

fn usable(dir: &Path) -> bool {
    connect::private_dir(dir)
        .inspect_err(|error| tracing::warn!(dir = %dir.display(), %error, "changes are polled for, without hints"))
        .is_ok()
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.watcher.take());
        // The writer runs what is queued; then the file is closed last, which folds the log into it.
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // An operation may own the last handle: the writer cannot wait for itself.
            if thread.thread().id() != std::thread::current().id() {
                drop(thread.join());
            }
        }
    }
}

#[cfg(test)]
mod tests;
