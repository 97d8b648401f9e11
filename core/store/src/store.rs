//! The handle that everything above uses.
//!
//! For: running operations and hearing of changes, without a word about the engine. Not for: the engine
//! itself; a second one is added beside the first and chosen here.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use crate::job::job;
use crate::signal::CloseChanges;
use crate::sqlite::Engine;
use crate::{Conn, Durability, Migration, OpenError, Options, StoreError};

/// An open store. Clones share it; when the last is dropped, what is queued is still run and committed.
#[derive(Clone)]
pub struct Store {
    engine: Arc<Engine>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.engine.path()).finish()
    }
}

impl Store {
    /// Opens a store, makes it if it is missing, and brings its tables up to date. Any number of
    /// processes may do this at once: one migrates, the others find it done.
    ///
    /// `migrations` holds one list for each component.
    ///
    /// # Errors
    /// [`OpenError::Newer`] if a newer program wrote it; the others if it cannot be made, opened or
    /// migrated. A failed migration changes nothing.
    pub fn open(options: Options, migrations: &[&[Migration]]) -> Result<Self, OpenError> {
        let engine = Arc::new(Engine::open(options, migrations)?);
        Ok(Self { engine })
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.engine.path()
    }

    /// Runs an operation that may change data and answers when its changes are committed.
    ///
    /// Operations of many callers share a commit, each within a savepoint: an `Err` from `op`, or a
    /// panic, rolls back what this operation did and nothing else. `op` may run again after a rollback,
    /// so it must have no effects but those on `Conn`. Once it is queued it runs, even if the caller
    /// stops waiting. Do not use deferred constraints: they fail the commit of everyone in it.
    ///
    /// # Errors
    /// Those of `op`; [`StoreError::Commit`], [`StoreError::Full`] or [`StoreError::Busy`] (after 30 s)
    /// when nothing was saved; [`StoreError::Panicked`].
    pub async fn write<T, E>(
        &self,
        op: impl Fn(&mut dyn Conn) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.write_as(Durability::Full, op).await
    }

    /// As [`write`](Self::write), for what may be lost with the machine's power, though never with this process: a
    /// commit whose operations are all of this kind does not wait for the disk. An ordinary write that shares the
    /// commit, or comes later, by whichever process, takes all before it to the disk with it. Nothing is ever half
    /// there.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn write_relaxed<T, E>(
        &self,
        op: impl Fn(&mut dyn Conn) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.write_as(Durability::Normal, op).await
    }

    /// As [`write_relaxed`](Self::write_relaxed), for whoever can't wait, such as a destructor: the operation is
    /// queued behind those that were queued before, and runs; what becomes of it is not told.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when as many operations wait as may, [`StoreError::Closed`].
    pub fn post_relaxed<E>(
        &self,
        op: impl Fn(&mut dyn Conn) -> Result<(), E> + Send + 'static,
    ) -> Result<(), StoreError>
    where
        E: From<StoreError> + Send + 'static,
    {
        let (job, _) = job(Durability::Normal, op);
        self.engine.submit_now(job)
    }

    async fn write_as<T, E>(
        &self,
        durability: Durability,
        op: impl Fn(&mut dyn Conn) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (job, answer) = job(durability, op);
        self.engine.submit(job).await?;
        answer
            .await
            .unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// As [`write`](Self::write), for threads outside an async runtime.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    ///
    /// # Panics
    /// On a thread that drives async tasks.
    pub fn write_blocking<T, E>(
        &self,
        op: impl Fn(&mut dyn Conn) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (job, answer) = job(Durability::Full, op);
        self.engine.submit_blocking(job)?;
        answer
            .blocking_recv()
            .unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// Runs an operation that only reads, on a thread for blocking work. It sees one snapshot, never a
    /// half commit, and does not wait for writers. Needs a tokio runtime with time enabled.
    ///
    /// # Errors
    /// Those of `op`; [`StoreError::ReadOnly`] if it tries to write; [`StoreError::Busy`] if all
    /// readers stay taken for 30 s; [`StoreError::Panicked`].
    pub async fn read<T, E>(
        &self,
        op: impl FnOnce(&mut dyn Conn) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let _place = self.engine.place().await?;
        let engine = Arc::clone(&self.engine);
        let reading = tokio::task::spawn_blocking(move || engine.read_snapshot(op));
        // The operation's own panic is caught; only a runtime that shuts down fails to answer.
        reading
            .await
            .unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// As [`read`](Self::read), on the caller's own thread: for point reads that take microseconds.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_now<T, E>(&self, op: impl FnOnce(&mut dyn Conn) -> Result<T, E>) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        self.engine.read_point(op)
    }

    /// A counter that moves when this or another process has committed a change: usually within a few
    /// milliseconds, always within 300. It may also move without a change; look, and wait again.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.engine.changes()
    }

    /// As [`changes`](Self::changes), but always within 120 ms: the store looks more often while any of these lives.
    #[must_use]
    pub fn changes_closely(&self) -> CloseChanges {
        self.engine.changes_closely()
    }

    /// Writes a consistent, checked copy to `to`, which must not exist. Writers go on meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Backup`] or what the engine said; then nothing is left at `to`.
    pub async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let engine = Arc::clone(&self.engine);
        let to = to.to_owned();
        let copying = tokio::task::spawn_blocking(move || engine.backup(&to));
        copying.await.unwrap_or(Err(StoreError::Closed))
    }
}
