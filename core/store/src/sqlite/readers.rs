//! A bounded pool of connections that refuse to write.
//!
//! For: operations that see one snapshot each. Connections are opened when first needed. Not for:
//! writing; `query_only` makes the engine refuse.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::conn::{SqliteConn, engine_error};
use super::connect;
use crate::job::caught;
use crate::{Conn, StoreError};

pub(super) struct Readers {
    path: PathBuf,
    limit: usize,
    wait: Duration,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    lent: usize,
    waiting: usize,
}

impl Readers {
    /// At most `limit` connections; whoever finds all of them lent waits up to `wait`.
    pub(super) fn new(path: PathBuf, limit: usize, wait: Duration) -> Self {
        Self {
            path,
            limit: limit.max(1),
            wait,
            state: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// Runs an operation on this thread in one deferred transaction.
    pub(super) fn run<T, E: From<StoreError>>(
        &self,
        op: impl FnOnce(&mut dyn Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        let db = self.lend()?;
        step(&db, "BEGIN")?;
        let result = caught(|| op(&mut SqliteConn::new(&db)));
        // An error may have ended it already; a connection that cannot end it is not lent again.
        if !db.is_autocommit() {
            step(&db, "ROLLBACK")?;
        }
        result
    }

    fn lend(&self) -> Result<Lent<'_>, StoreError> {
        let reused = self.reserve()?;
        let mut lent = Lent {
            readers: self,
            db: reused,
        };
        if lent.db.is_none() {
            lent.db = Some(connect::reader(&self.path, self.wait)?);
        }
        Ok(lent)
    }

    /// Takes a place, with an idle connection if there is one.
    fn reserve(&self) -> Result<Option<Connection>, StoreError> {
        let since = Instant::now();
        let mut state = self.state();
        while state.lent >= self.limit {
            let left = self.wait.saturating_sub(since.elapsed());
            if left.is_zero() {
                return Err(StoreError::Busy { waited: self.wait });
            }
            state.waiting += 1;
            let waited = self.freed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.waiting -= 1;
        }
        state.lent += 1;
        Ok(state.idle.pop())
    }

    fn give_back(&self, db: Option<Connection>) {
        let mut state = self.state();
        state.lent -= 1;
        state.idle.extend(db);
        let awaited = state.waiting > 0;
        drop(state);
        // Even with nobody waiting, a notification is a system call.
        if awaited {
            self.freed.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn step(db: &Connection, sql: &str) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached(sql).map_err(engine_error)?;
    statement.raw_execute().map(drop).map_err(engine_error)
}

/// A place in the pool, given back when dropped.
struct Lent<'p> {
    readers: &'p Readers,
    db: Option<Connection>,
}

impl Deref for Lent<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.db.as_ref().expect("filled by lend")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let db = self.db.take().filter(Connection::is_autocommit);
        self.readers.give_back(db);
    }
}
