//! One row for each call, written behind the caller's back.
//!
//! For: what was called, how it ended, how long it took and how large it was, in `telemetry.db`, a file of
//! its own that never blocks the board. Not for: exact accounting (a full queue drops rows and counts
//! them), and never for arguments or results.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use callboard_store::{Conn, Migration, Options, Row, Store, StoreError, params};
use tokio::sync::oneshot;

/// Rows that wait at most; more are dropped and counted.
const QUEUE_ROWS: usize = 4_096;
/// Rows in one transaction at most.
const BATCH_ROWS: usize = 200;
/// How long the writer lets rows gather after the first one. Calls made meanwhile wake nobody.
const LINGER: Duration = Duration::from_millis(200);
/// Rows kept when a process opens the file; older ones are deleted then.
const KEEP_ROWS: i64 = 200_000;

const MIGRATIONS: &[Migration] = &[Migration {
    component: "call_log",
    version: 1,
    sql: "CREATE TABLE call (
              id INTEGER PRIMARY KEY,
              at_ms INTEGER NOT NULL,
              server TEXT NOT NULL,
              tool TEXT NOT NULL,
              outcome TEXT NOT NULL,
              error_kind TEXT,
              duration_us INTEGER NOT NULL,
              request_bytes INTEGER NOT NULL,
              response_bytes INTEGER NOT NULL,
              trace TEXT
          );
          CREATE INDEX call_at ON call (at_ms);
          CREATE TABLE call_drop (at_ms INTEGER NOT NULL, dropped INTEGER NOT NULL);",
}];

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It answered what it was asked for.
    Ok,
    /// It answered with an error.
    Error,
    /// Its code panicked; the caller got an error.
    Panic,
    /// It was given up: by the client, by its time limit, or by the end of the connection.
    Cancelled,
}

impl Outcome {
    /// The word in the column `outcome`.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Error => "error",
            Outcome::Panic => "panic",
            Outcome::Cancelled => "cancelled",
        }
    }

    fn parse(word: &str) -> Result<Self, StoreError> {
        [Self::Ok, Self::Error, Self::Panic, Self::Cancelled]
            .into_iter()
            .find(|outcome| outcome.as_str() == word)
            .ok_or_else(|| StoreError::Row(format!("outcome {word:?} is not known")))
    }
}

/// What is remembered of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRow {
    /// When it began, milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// The server's name.
    pub server: Cow<'static, str>,
    /// The tool's name, or `resource:<name>` or `prompt:<name>`.
    pub tool: Cow<'static, str>,
    /// How it ended.
    pub outcome: Outcome,
    /// The kind of the error, where there was one.
    pub error_kind: Option<Cow<'static, str>>,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// Size of the arguments, in bytes of JSON.
    pub request_bytes: u64,
    /// Size of the answer, in bytes.
    pub response_bytes: u64,
    /// The caller's trace id: 32 hexadecimal digits.
    pub trace: Option<String>,
}

/// Why rows could not be read back.
#[derive(Debug, thiserror::Error)]
pub enum CallLogError {
    /// The file could not be read.
    #[error("the call log could not be read: {0}")]
    Store(#[from] StoreError),
}

/// The handle that calls are recorded through. Clones share one queue.
#[derive(Clone)]
pub struct CallLog {
    queue: Option<Arc<Handle>>,
}

impl CallLog {
    /// Records into `telemetry.db` in `board_dir`. Returns at once: the file is opened by the writer thread
    /// when the first row arrives, and a file that cannot be opened is a warning in the log, not an error
    /// of any call.
    pub fn open(board_dir: &Path) -> CallLog {
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let options = Options::events(board_dir);
        let started = std::thread::Builder::new()
            .name("call-log".to_owned())
            .spawn(move || write_until_closed(&for_thread, options));
        match started {
            Ok(_) => CallLog {
                queue: Some(Arc::new(Handle(shared))),
            },
            Err(error) => {
                tracing::warn!(%error, "calls are not recorded: the writer thread did not start");
                CallLog::disabled()
            }
        }
    }

    /// Records nothing.
    pub fn disabled() -> CallLog {
        CallLog { queue: None }
    }

    /// Takes a row. Never waits for the disk and never fails: when the queue is full the row is dropped and
    /// counted.
    pub fn record(&self, row: CallRow) {
        let Some(Handle(shared)) = self.queue.as_deref() else {
            return;
        };
        let mut queue = shared.lock();
        if queue.rows.len() >= QUEUE_ROWS {
            queue.dropped += 1;
            return;
        }
        queue.rows.push(row);
        if queue.rows.len() == 1 {
            shared.changed.notify_one();
        }
    }

    /// Writes what waits, and returns whether that was done within `limit`.
    pub async fn flush(&self, limit: Duration) -> bool {
        let Some(Handle(shared)) = self.queue.as_deref() else {
            return true;
        };
        let (done, written) = oneshot::channel();
        shared.lock().flushes.push(done);
        shared.changed.notify_one();
        matches!(tokio::time::timeout(limit, written).await, Ok(Ok(())))
    }

    /// The latest `limit` calls, latest first, including those that this handle recorded just now.
    ///
    /// # Errors
    /// The file could not be read.
    pub async fn recent(&self, limit: u32) -> Result<Vec<CallRow>, CallLogError> {
        self.read(move |conn| {
            conn.query(
                "SELECT at_ms, server, tool, outcome, error_kind, duration_us, request_bytes,
                        response_bytes, trace
                 FROM call ORDER BY id DESC LIMIT ?1",
                params![limit],
                call_row,
            )
        })
        .await
    }

    /// How many rows were ever dropped because they came faster than they could be written.
    ///
    /// # Errors
    /// The file could not be read.
    pub async fn dropped(&self) -> Result<u64, CallLogError> {
        let counts = self
            .read(|conn| {
                conn.query(
                    "SELECT COALESCE(SUM(dropped), 0) FROM call_drop",
                    params![],
                    |row| row.int(0),
                )
            })
            .await?;
        Ok(counts.first().map_or(0, |count| count.unsigned_abs()))
    }

    async fn read<T: Send + 'static>(
        &self,
        query: impl Fn(&mut dyn Conn) -> Result<Vec<T>, StoreError> + Send + 'static,
    ) -> Result<Vec<T>, CallLogError> {
        self.flush(Duration::from_secs(5)).await;
        let store = self.queue.as_deref().and_then(|queue| queue.0.store.get());
        match store {
            Some(store) => Ok(store.read(query).await?),
            None => Ok(Vec::new()),
        }
    }
}

/// Closing belongs to the last clone of [`CallLog`], not to the writer thread's share.
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_one();
    }
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    store: OnceLock<Store>,
}

#[derive(Default)]
struct Queue {
    rows: Vec<CallRow>,
    dropped: u64,
    flushes: Vec<oneshot::Sender<()>>,
    closed: bool,
}

impl Queue {
    fn is_idle(&self) -> bool {
        self.rows.is_empty() && !self.is_urgent()
    }

    fn is_urgent(&self) -> bool {
        self.closed || !self.flushes.is_empty()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A queue of finished rows is sound whoever panicked while holding it.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for rows, lets them gather, and takes all.
    fn take(&self) -> Queue {
        let queue = self
            .changed
            .wait_while(self.lock(), |queue| queue.is_idle())
            .unwrap_or_else(PoisonError::into_inner);
        let (mut queue, _) = self
            .changed
            .wait_timeout_while(queue, LINGER, |queue| !queue.is_urgent())
            .unwrap_or_else(PoisonError::into_inner);
        let closed = queue.closed;
        std::mem::replace(
            &mut queue,
            Queue {
                closed,
                ..Queue::default()
            },
        )
    }
}

fn write_until_closed(shared: &Shared, options: Options) {
    let mut options = Some(options);
    loop {
        let taken = shared.take();
        if !taken.rows.is_empty()
            && let Some(options) = options.take()
            && let Some(store) = open_store(options)
        {
            let _ = shared.store.set(store);
        }
        if let Some(store) = shared.store.get() {
            write_all(store, taken.rows, taken.dropped);
        }
        for flush in taken.flushes {
            let _ = flush.send(());
        }
        if taken.closed {
            return;
        }
    }
}

fn open_store(options: Options) -> Option<Store> {
    match Store::open(options, &[MIGRATIONS]) {
        Ok(store) => {
            forget_old_rows(&store);
            Some(store)
        }
        Err(error) => {
            tracing::warn!(%error, "calls are not recorded: telemetry.db could not be opened");
            None
        }
    }
}

fn forget_old_rows(store: &Store) {
    let kept: Result<(), StoreError> = store.write_blocking(|conn| {
        conn.execute(
            "DELETE FROM call WHERE id <= (SELECT MAX(id) FROM call) - ?1",
            params![KEEP_ROWS],
        )?;
        Ok(())
    });
    warn_of(kept);
}

fn write_all(store: &Store, rows: Vec<CallRow>, dropped: u64) {
    let at_ms = rows.last().map_or(0, |row| row.at_ms);
    let rows: Arc<[CallRow]> = rows.into();
    for start in (0..rows.len()).step_by(BATCH_ROWS) {
        let rows = Arc::clone(&rows);
        warn_of(store.write_blocking(move |conn| {
            let end = rows.len().min(start + BATCH_ROWS);
            rows[start..end]
                .iter()
                .try_for_each(|row| insert_call(conn, row))
        }));
    }
    if dropped > 0 {
        warn_of(store.write_blocking(move |conn| insert_drop(conn, at_ms, dropped)));
    }
}

fn insert_call(conn: &mut dyn Conn, row: &CallRow) -> Result<(), StoreError> {
    conn.execute(
        "INSERT INTO call (at_ms, server, tool, outcome, error_kind, duration_us, request_bytes,
                           response_bytes, trace)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            row.at_ms,
            &*row.server,
            &*row.tool,
            row.outcome.as_str(),
            row.error_kind.as_deref(),
            to_column(row.duration_us),
            to_column(row.request_bytes),
            to_column(row.response_bytes),
            row.trace.as_deref()
        ],
    )?;
    Ok(())
}

fn insert_drop(conn: &mut dyn Conn, at_ms: i64, dropped: u64) -> Result<(), StoreError> {
    conn.execute(
        "INSERT INTO call_drop (at_ms, dropped) VALUES (?1, ?2)",
        params![at_ms, to_column(dropped)],
    )?;
    Ok(())
}

fn call_row(row: &dyn Row) -> Result<CallRow, StoreError> {
    Ok(CallRow {
        at_ms: row.int(0)?,
        server: row.text(1)?.into(),
        tool: row.text(2)?.into(),
        outcome: Outcome::parse(&row.text(3)?)?,
        error_kind: row.opt_text(4)?.map(Cow::from),
        duration_us: row.int(5)?.unsigned_abs(),
        request_bytes: row.int(6)?.unsigned_abs(),
        response_bytes: row.int(7)?.unsigned_abs(),
        trace: row.opt_text(8)?,
    })
}

fn to_column(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn warn_of(written: Result<(), StoreError>) {
    if let Err(error) = written {
        tracing::warn!(%error, "some calls were not recorded");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(at_ms: i64) -> CallRow {
        CallRow {
            at_ms,
            server: "fixture".into(),
            tool: "task_get".into(),
            outcome: Outcome::Error,
            error_kind: Some("not_found".into()),
            duration_us: 250,
            request_bytes: 12,
            response_bytes: 340,
            trace: Some("0af7651916cd43dd8448eb211c80319c".to_owned()),
        }
    }

    #[tokio::test]
    async fn rows_come_back_as_they_were_recorded() {
        let board = tempfile::tempdir().unwrap();
        let log = CallLog::open(board.path());
        for at_ms in 0..450 {
            log.record(row(at_ms));
        }
        let rows = log.recent(1_000).await.unwrap();
        assert_eq!(rows.len(), 450);
        assert_eq!(rows[0], row(449));
        assert_eq!(log.dropped().await.unwrap(), 0);
    }

    #[tokio::test]
    async fn every_outcome_survives_the_file() {
        let board = tempfile::tempdir().unwrap();
        let log = CallLog::open(board.path());
        let outcomes = [
            Outcome::Ok,
            Outcome::Error,
            Outcome::Panic,
            Outcome::Cancelled,
        ];
        for outcome in outcomes {
            log.record(CallRow {
                outcome,
                error_kind: None,
                trace: None,
                ..row(1)
            });
        }
        let mut back: Vec<_> = log
            .recent(9)
            .await
            .unwrap()
            .iter()
            .map(|row| row.outcome)
            .collect();
        back.reverse();
        assert_eq!(back, outcomes);
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let shared = Arc::new(Shared::default());
        let log = CallLog {
            queue: Some(Arc::new(Handle(Arc::clone(&shared)))),
        };
        for at_ms in 0..QUEUE_ROWS + 7 {
            log.record(row(i64::try_from(at_ms).unwrap()));
        }
        let queue = shared.lock();
        assert_eq!((queue.rows.len(), queue.dropped), (QUEUE_ROWS, 7));
    }

    #[tokio::test]
    async fn the_drop_count_is_recorded() {
        let board = tempfile::tempdir().unwrap();
        let log = CallLog::open(board.path());
        log.queue.as_deref().unwrap().0.lock().dropped = 7;
        log.record(row(1));
        assert_eq!(log.dropped().await.unwrap(), 7);
    }

    #[tokio::test]
    async fn closing_the_last_handle_writes_the_rest() {
        let board = tempfile::tempdir().unwrap();
        let first = CallLog::open(board.path());
        first.record(row(1));
        assert!(first.flush(Duration::from_secs(10)).await);
        drop(first);
        let second = CallLog::open(board.path());
        second.record(row(2));
        assert_eq!(second.recent(9).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_opened_fails_no_call() {
        let board = tempfile::tempdir().unwrap();
        let not_a_directory = board.path().join("file");
        std::fs::File::create(&not_a_directory).unwrap();
        let log = CallLog::open(&not_a_directory);
        log.record(row(1));
        assert!(log.flush(Duration::from_secs(10)).await);
        assert!(log.recent(9).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_disabled_log_takes_rows_and_keeps_none() {
        let log = CallLog::disabled();
        log.record(row(1));
        assert!(log.recent(9).await.unwrap().is_empty());
    }
}
