//! Opening connections: files, pragmas, and waiting for locks.
//!
//! For: every connection to a store's file is opened here, so all of them wait the same way. Not for:
//! knowing what the connection is used for.

use std::fs::{DirBuilder, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::conn::engine_error;
use crate::random::Random;
use crate::{Durability, OpenError, StoreError};

/// How long an operation waits for a lock before it is told that the board is busy.
pub(super) const BUSY_LIMIT: Duration = Duration::from_secs(30);

/// Statements kept prepared on each connection; more than all crates have together.
const STATEMENTS: usize = 512;

/// Held while a file is made; see [`create`].
static CREATING: Mutex<()> = Mutex::new(());

/// Makes what is missing, readable by its owner alone: the directory, then an empty file, which SQLite
/// takes for an empty database. The files it adds (-wal, -shm) get the file's permissions.
///
/// A file that exists is not even opened: closing any descriptor of it would drop the locks that SQLite
/// holds for this process's other connections. For the same reason two threads do not do this at once.
pub(super) fn create(path: &Path) -> Result<(), OpenError> {
    let failed = |at: &Path, error: std::io::Error| OpenError::Path {
        path: at.to_owned(),
        message: format!("cannot keep a board here: {error}"),
    };
    if let Some(dir) = path.parent() {
        private_dir(dir).map_err(|error| failed(dir, error))?;
    }
    let _creating = CREATING.lock().unwrap_or_else(PoisonError::into_inner);
    let created = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path);
    match created {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(failed(path, error)),
        _ => Ok(()),
    }
}

/// A directory that only its owner enters; one that exists is left as it is.
pub(crate) fn private_dir(dir: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// A connection that may write.
///
/// The page cache is filled only as far as it is used. Without a [`Checkpointer`](super::checkpoint::Checkpointer) SQLite
/// folds the log into the file every 1000 pages; every 4000 made no difference that could be measured. The log is cut
/// back to 32 MiB after a long reader has let it grow: as long as it mostly is it stays, since growing anew takes the file
/// system's journal. No memory map: it saves 1 µs of 6 in a point read, and turns an I/O error
/// into a signal that ends the process.
pub(super) fn writer(
    path: &Path,
    durability: Durability,
    limit: Duration,
) -> Result<(Connection, Patience), StoreError> {
    let patience = Patience::default();
    let db = open(path, limit, patience.clone())?;
    write_ahead(&db, limit)?;
    synchronous(&db, durability)?;
    db.execute_batch("PRAGMA cache_size=-8192; PRAGMA journal_size_limit=33554432;")
        .map_err(engine_error)?;
    Ok((db, patience))
}

/// Whether a connection waits for locks that other processes hold, for as long as it may; from outside it is changed
/// between two transactions.
#[derive(Debug, Clone, Default)]
pub(super) struct Patience(Arc<AtomicBool>);

impl Patience {
    /// From now on what is locked is busy at once.
    pub(super) fn waive(&self, waived: bool) {
        self.0.store(waived, Ordering::Relaxed);
    }
}

/// What commits from now on survive. Not within a transaction.
///
/// In write-ahead logging a commit with NORMAL appends to the log without waiting for the disk, and the next commit
/// with FULL flushes the log with all that stands in it; a checkpoint flushes it before it touches the file either way.
pub(super) fn synchronous(db: &Connection, durability: Durability) -> Result<(), StoreError> {
    let level = match durability {
        Durability::Full => "PRAGMA synchronous=FULL",
        Durability::Normal => "PRAGMA synchronous=NORMAL",
    };
    db.execute_batch(level).map_err(engine_error)
}

/// A connection that refuses to write.
pub(super) fn reader(path: &Path, limit: Duration) -> Result<Connection, StoreError> {
    let db = open(path, limit, Patience::default())?;
    db.execute_batch("PRAGMA cache_size=-2048; PRAGMA query_only=ON;")
        .map_err(engine_error)?;
    Ok(db)
}

fn open(path: &Path, limit: Duration, patience: Patience) -> Result<Connection, StoreError> {
    // Not CREATE: a file that was deleted under us must be an error, not a new, empty board. Not URI:
    // a path is a path. No mutex: a connection is used by one thread at a time.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags).map_err(engine_error)?;
    db.busy_handler(Some(jittered(limit, patience)))
        .map_err(engine_error)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    // A plan must not depend on the values bound to it: returning a statement to the cache clears them,
    // and SQLite then plans some statements anew at every use (a claim took 100 µs instead of 16).
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(engine_error)?;
    db.execute_batch("PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY;")
        .map_err(engine_error)?;
    Ok(db)
}

/// Waits 100-500 µs at a time, at random. SQLite's own handler waits longer each time and starves: of
/// four processes one did 3 operations while another did 1,245; with this one the slowest does three
/// quarters of the fastest.
fn jittered(limit: Duration, patience: Patience) -> impl FnMut(i32) -> bool + Send + 'static {
    let mut random = Random::from_system();
    let mut since = Instant::now();
    move |calls| {
        if calls == 0 {
            since = Instant::now();
        }
        if patience.0.load(Ordering::Relaxed) || since.elapsed() >= limit {
            return false;
        }
        std::thread::sleep(jitter(&mut random));
        true
    }
}

fn jitter(random: &mut Random) -> Duration {
    Duration::from_micros(100 + random.next() % 401)
}

/// Switches the file to write-ahead logging. SQLite does not call the busy handler when two connections
/// do this at once, so the waiting is ours.
fn write_ahead(db: &Connection, limit: Duration) -> Result<(), StoreError> {
    let mut random = Random::from_system();
    let since = Instant::now();
    loop {
        let mode = db.query_row("PRAGMA journal_mode=WAL", [], |row| row.get::<_, String>(0));
        match mode.map_err(engine_error) {
            Ok(mode) if mode.eq_ignore_ascii_case("wal") => return Ok(()),
            Ok(mode) => {
                return Err(StoreError::Engine(format!(
                    "write-ahead logging is not possible here (journal_mode stays {mode}): keep the board on a \
                     local disk"
                )));
            }
            Err(StoreError::Busy { .. }) if since.elapsed() < limit => {
                std::thread::sleep(jitter(&mut random))
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::StatementStatus;

    #[test]
    fn a_cached_statement_is_planned_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("board.db");
        create(&path).unwrap();
        let (db, _) = writer(&path, Durability::Normal, BUSY_LIMIT).unwrap();
        db.execute_batch(
            "CREATE TABLE t (seq INTEGER PRIMARY KEY, state TEXT, queue TEXT, rank INTEGER);
             CREATE INDEX t_ready ON t(queue, rank) WHERE state = 'ready';",
        )
        .unwrap();
        let sql = "SELECT seq FROM t WHERE state = 'ready' AND queue = ?1 ORDER BY rank LIMIT 1";
        for queue in ["a", "b", "c"] {
            let found = db.prepare_cached(sql).unwrap().exists([queue]).unwrap();
            assert!(!found);
        }
        let statement = db.prepare_cached(sql).unwrap();
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
