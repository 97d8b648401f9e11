//! One open SQLite file: its writer thread, its read pools, its watcher.
//!
//! For: starting these parts in order and ending them in order. Not for: what they do.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::readers::Readers;
use super::watch::Watcher;
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
    writer: Option<JoinHandle<()>>,
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
        let db =
            connect::writer(&path, durability, limit).map_err(|error| cannot_open(&path, error))?;
        migrate::migrate(&db, &path, migrations)?;

        let changes = Changes::new();
        let announcer = Announcer::new(changes.clone(), signal_dir.as_deref());
        let (queue, jobs) = mpsc::channel(QUEUE);
        let writer = std::thread::Builder::new()
            .name("board-writer".to_owned())
            .spawn(move || writer::serve(&db, durability, jobs, announcer))
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
            writer: Some(writer),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) async fn submit(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(job).await.map_err(|_| StoreError::Closed)
    }

    /// Queues without waiting for a place.
    pub(crate) fn submit_now(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        use mpsc::error::TrySendError;
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => StoreError::Busy {
                waited: Duration::ZERO,
            },
            TrySendError::Closed(_) => StoreError::Closed,
        })
    }

    pub(crate) fn submit_blocking(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.blocking_send(job).map_err(|_| StoreError::Closed)
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
        // The writer runs what is queued, then closes the file last, which folds the log into it.
        drop(self.queue.take());
        if let Some(writer) = self.writer.take() {
            // An operation may own the last handle: the writer cannot wait for itself.
            if writer.thread().id() != std::thread::current().id() {
                drop(writer.join());
            }
        }
    }
}

#[cfg(test)]
mod tests;
