//! One row for each call, written behind the caller's back.
//!
//! For: what was called, how it ended, how long it took and how large it was, in `telemetry.db`, a file of
//! its own that never blocks the board; calls of tools and calls to models alike. Not for: exact accounting
//! (a full queue drops rows and counts them), and never for a tool's arguments or results.

mod rows;
mod writer;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use callboard_store::{Conn, Migration, OpenError, Options, Store, StoreError, params};
use tokio::sync::oneshot;

use crate::llm::{self, LlmCall, LlmText, PriceOf, Privacy, Repriced, Retention};
pub(crate) use rows::{CALL_COLUMNS, call_row};
use writer::{Entry, Handle, Shared, write_until_closed};

/// Rows that wait at most; more are dropped and counted.
const QUEUE_ROWS: usize = 4_096;
/// Bytes of texts that wait at most; more are dropped and counted.
const QUEUE_TEXT: usize = 16 * 1024 * 1024;
/// How long to wait for the writer before reading what is there.
const PATIENCE: Duration = Duration::from_secs(5);
/// Calls looked at in one transaction when they are priced again.
const REPRICE_ROWS: u32 = 200;

const MIGRATIONS: &[Migration] = &[
    Migration {
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
    },
    Migration {
        component: "call_log",
        version: 2,
        sql: "ALTER TABLE call ADD COLUMN agent TEXT",
    },
];

/// Opens `telemetry.db` in `board_dir` for who reads it, or for tests of what writes it. Calls are recorded
/// through [`CallLog`].
///
/// # Errors
/// The file cannot be made, opened or brought up to date.
pub fn open_events(board_dir: &Path) -> Result<Store, OpenError> {
    Store::open(
        Options::events(board_dir),
        &[MIGRATIONS, llm::MIGRATIONS, crate::otlp::MIGRATIONS],
    )
}

/// How much is recorded, and for how long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keeping {
    /// Whether texts of calls to models are kept.
    pub privacy: Privacy,
    /// How long calls to models are kept.
    pub retention: Retention,
}

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
    /// The agent's attempt on whose behalf it was made.
    pub agent: Option<String>,
}

/// Why rows could not be read back.
#[derive(Debug, thiserror::Error)]
pub enum CallLogError {
    /// The file could not be read.
    #[error("the call log could not be read: {0}")]
    Store(#[from] StoreError),
    /// Nothing is recorded, so there is nothing to read.
    #[error(
        "there is no call log: recording is off, or telemetry.db could not be opened (the log says why)"
    )]
    Unavailable,
}

/// The handle that calls are recorded through. Clones share one queue.
#[derive(Clone)]
pub struct CallLog {
    queue: Option<Arc<Handle>>,
    privacy: Privacy,
}

impl CallLog {
    /// Records into `telemetry.db` in `board_dir`. Returns at once: the file is opened by the writer thread
    /// when the first row arrives, and a file that cannot be opened is a warning in the log, not an error
    /// of any call.
    pub fn open(board_dir: &Path) -> CallLog {
        Self::keeping(board_dir, Keeping::default())
    }

    /// As [`open`](Self::open), with the user's word on what is kept and for how long.
    pub fn keeping(board_dir: &Path, keeping: Keeping) -> CallLog {
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let board_dir = board_dir.to_owned();
        let started = std::thread::Builder::new()
            .name("call-log".to_owned())
            .spawn(move || write_until_closed(&for_thread, &board_dir, &keeping.retention));
        match started {
            Ok(_) => CallLog {
                queue: Some(Arc::new(Handle(shared))),
                privacy: keeping.privacy,
            },
            Err(error) => {
                tracing::warn!(%error, "calls are not recorded: the writer thread did not start");
                CallLog::disabled()
            }
        }
    }

    /// Records nothing.
    pub fn disabled() -> CallLog {
        CallLog {
            queue: None,
            privacy: Privacy::Metadata,
        }
    }

    /// Takes a row. Never waits for the disk and never fails: when the queue is full the row is dropped and
    /// counted.
    pub fn record(&self, row: CallRow) {
        self.enqueue(Entry::Call(row));
    }

    /// As [`record`](Self::record), for a call to a model. A row of the same id may come again; see
    /// [`record_llm`](llm::record_llm).
    pub fn record_llm(&self, call: LlmCall) {
        self.enqueue(Entry::Llm(Box::new(call)));
    }

    /// Takes the text of a call to a model where the user wants texts kept; elsewhere `text` is never made.
    pub fn record_text(&self, text: impl FnOnce() -> LlmText) {
        if self.privacy == Privacy::Full {
            self.enqueue(Entry::Text(Box::new(text())));
        }
    }

    fn enqueue(&self, entry: Entry) {
        if let Some(Handle(shared)) = self.queue.as_deref() {
            shared.enqueue(entry);
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

    /// The latest `limit` calls of tools, latest first, including those that this handle recorded just now.
    ///
    /// # Errors
    /// The file could not be read.
    pub async fn recent(&self, limit: u32) -> Result<Vec<CallRow>, CallLogError> {
        self.read(move |conn| {
            conn.query(
                &format!("SELECT {CALL_COLUMNS} FROM call ORDER BY id DESC LIMIT ?1"),
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
        self.flush(PATIENCE).await;
        let store = self.queue.as_deref().and_then(|queue| queue.0.store.get());
        match store {
            Some(store) => Ok(store.read(query).await?),
            None => Ok(Vec::new()),
        }
    }

    /// The file, with what this handle recorded just now; opened if it was not yet.
    ///
    /// # Errors
    /// [`CallLogError::Unavailable`].
    pub async fn store(&self) -> Result<Store, CallLogError> {
        let Some(Handle(shared)) = self.queue.as_deref() else {
            return Err(CallLogError::Unavailable);
        };
        shared.lock().wanted = true;
        self.flush(PATIENCE).await;
        shared.store.get().cloned().ok_or(CallLogError::Unavailable)
    }

    /// Runs a query over what is recorded, in one snapshot.
    ///
    /// # Errors
    /// The file could not be opened or read.
    pub async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut dyn Conn) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, CallLogError> {
        Ok(self.store().await?.read(query).await?)
    }

    /// Fills in unknown costs with what `price` knows, a few rows at a time, and tells how many it filled
    /// in and how many stay unknown. A known cost never changes.
    ///
    /// # Errors
    /// The file could not be opened, read or written; what was filled in until then stays.
    pub async fn reprice(&self, price: PriceOf) -> Result<Repriced, CallLogError> {
        let store = self.store().await?;
        let mut all = Repriced::default();
        loop {
            let (after, price) = (all.next.take(), Arc::clone(&price));
            let step: Repriced = store
                .write(move |c| llm::reprice(c, after.as_ref(), REPRICE_ROWS, &*price))
                .await
                .map_err(|error: StoreError| error)?;
            all.priced += step.priced;
            all.unknown += step.unknown;
            if step.next.is_none() {
                return Ok(all);
            }
            all.next = step.next;
        }
    }

    /// Writes a consistent, checked copy of everything recorded to `to`, which must not exist.
    ///
    /// # Errors
    /// The file could not be opened or copied; then nothing is left at `to`.
    pub async fn backup(&self, to: &Path) -> Result<(), CallLogError> {
        Ok(self.store().await?.backup(to).await?)
    }
}

#[cfg(test)]
mod tests;
