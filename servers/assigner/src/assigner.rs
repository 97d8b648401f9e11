//! What every tool of this server shares: the open board, the clock and the source of ids.

use crate::errors::{refused, unopened};
use callboard_mcp::ToolError;
use callboard_scheduling::SchedulingError;
use callboard_store::{Clock, Conn, Ids, OpenError, Store, SystemClock};
use std::path::Path;
use std::sync::Arc;

/// An open board.
pub struct Assigner {
    store: Store,
    clock: Arc<dyn Clock>,
    ids: Ids,
}

impl Assigner {
    /// Opens the board in the directory `board`, and makes it if it is missing.
    ///
    /// # Errors
    /// [`OpenError`], for example when a newer program wrote it.
    pub fn open(board: &Path) -> Result<Self, OpenError> {
        let store = callboard_board::open(board)?;
        Ok(Self::with(store, Arc::new(SystemClock), Ids::system()))
    }

    /// A board that is open already, with a clock and ids of the caller's choice.
    #[must_use]
    pub fn with(store: Store, clock: Arc<dyn Clock>, ids: Ids) -> Self {
        Assigner { store, clock, ids }
    }

    /// The store, shared with the background duties.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The clock, shared with the background duties.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now_ms()
    }

    pub(crate) fn id(&self, prefix: &str) -> String {
        self.ids.next(prefix, self.now())
    }

    /// One step in one transaction; the time is passed in.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        op: impl Fn(&mut dyn Conn, i64) -> Result<T, SchedulingError> + Send + 'static,
    ) -> Result<T, ToolError> {
        let now = self.now();
        self.store.write(move |c| op(c, now)).await.map_err(refused)
    }

    /// One look at a snapshot.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        op: impl FnOnce(&mut dyn Conn, i64) -> Result<T, SchedulingError> + Send + 'static,
    ) -> Result<T, ToolError> {
        let now = self.now();
        self.store.read(move |c| op(c, now)).await.map_err(refused)
    }

    /// Whether the board can be read.
    pub(crate) async fn ready(&self) -> Result<(), String> {
        let looked = self
            .store
            .read(|c| c.query_one("SELECT 1", &[], |_| Ok(())))
            .await;
        looked.map(|_| ()).map_err(|error| error.to_string())
    }

    /// One look by primary key, on this thread: it takes microseconds.
    pub(crate) fn look<T>(
        &self,
        op: impl FnOnce(&mut dyn Conn, i64) -> Result<T, SchedulingError>,
    ) -> Result<T, ToolError> {
        let now = self.now();
        self.store.read_now(|c| op(c, now)).map_err(refused)
    }
}

/// Opens the board, or says what to do about it.
pub(crate) fn open(board: &Path) -> anyhow::Result<Assigner> {
    Assigner::open(board).map_err(|error| unopened(board, &error))
}
