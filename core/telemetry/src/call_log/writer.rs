//! The queue that calls wait in, and the thread that writes them.
//! For: batches, the end of the process, forgetting what is too old. Not for: SQL of any row.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use callboard_store::{Clock, Store, StoreError, SystemClock, params};
use tokio::sync::oneshot;

use super::rows::{insert_call, insert_drop};
use super::{CallRow, QUEUE_ROWS, QUEUE_TEXT, open_events};
use crate::llm::{self, LlmCall, LlmText, Retention};

/// Rows in one transaction at most.
const BATCH_ROWS: usize = 200;
/// How long the writer lets rows gather after the first one. Calls made meanwhile wake nobody.
const LINGER: Duration = Duration::from_millis(200);
/// Calls of tools that are kept.
const KEEP_ROWS: i64 = 200_000;
/// How often a process that writes looks for rows that are too old.
const FORGET_EVERY_MS: i64 = 3_600_000;
/// Steps of one look at most: 100,000 rows.
const FORGET_STEPS: u32 = 500;

/// What waits to be written.
pub(super) enum Entry {
    Call(CallRow),
    Llm(Box<LlmCall>),
    Text(Box<LlmText>),
}

impl Entry {
    fn at(&self) -> i64 {
        match self {
            Entry::Call(row) => row.at_ms,
            Entry::Llm(call) => call.at,
            Entry::Text(text) => text.at(),
        }
    }

    fn text_bytes(&self) -> usize {
        match self {
            Entry::Text(text) => text.request().len() + text.answer().len(),
            Entry::Call(_) | Entry::Llm(_) => 0,
        }
    }
}

/// Closing belongs to the last clone of the log, not to the writer thread's share.
pub(super) struct Handle(pub(super) Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_one();
    }
}

#[derive(Default)]
pub(super) struct Shared {
    queue: Mutex<Queue>,
    pub(super) changed: Condvar,
    pub(super) store: OnceLock<Store>,
}

#[derive(Default)]
pub(super) struct Queue {
    pub(super) rows: Vec<Entry>,
    text_bytes: usize,
    pub(super) dropped: u64,
    pub(super) flushes: Vec<oneshot::Sender<()>>,
    /// Somebody wants to read: the file is opened even if there is nothing to write.
    pub(super) wanted: bool,
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
    pub(super) fn enqueue(&self, entry: Entry) {
        let mut queue = self.lock();
        let text_bytes = queue.text_bytes + entry.text_bytes();
        if queue.rows.len() >= QUEUE_ROWS || text_bytes > QUEUE_TEXT {
            queue.dropped += 1;
            return;
        }
        queue.text_bytes = text_bytes;
        queue.rows.push(entry);
        if queue.rows.len() == 1 {
            self.changed.notify_one();
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
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

pub(super) fn write_until_closed(shared: &Shared, board_dir: &Path, retention: &Retention) {
    let mut unopened = true;
    let mut looked_ms = i64::MIN;
    loop {
        let taken = shared.take();
        if unopened && (taken.wanted || !taken.rows.is_empty()) {
            unopened = false;
            if let Some(store) = open_store(board_dir) {
                let _ = shared.store.set(store);
            }
        }
        let wrote = !taken.rows.is_empty();
        if let Some(store) = shared.store.get() {
            write_all(store, taken.rows, taken.dropped);
        }
        for flush in taken.flushes {
            let _ = flush.send(());
        }
        if taken.closed {
            return;
        }
        let now_ms = SystemClock.now_ms();
        if let Some(store) = shared.store.get()
            && wrote
            && now_ms.saturating_sub(looked_ms) >= FORGET_EVERY_MS
        {
            looked_ms = now_ms;
            forget(store, now_ms, retention);
        }
    }
}

fn open_store(board_dir: &Path) -> Option<Store> {
    open_events(board_dir)
        .inspect_err(|error| {
            tracing::warn!(%error, "calls are not recorded: telemetry.db could not be opened");
        })
        .ok()
}

/// Forgets what is too old or too many, in steps that each hold the file for a moment.
fn forget(store: &Store, now_ms: i64, retention: &Retention) {
    let retention = *retention;
    let batch = u32::try_from(BATCH_ROWS).unwrap_or(u32::MAX);
    for _ in 0..FORGET_STEPS {
        let step: Result<bool, StoreError> = store.write_blocking(move |conn| {
            let calls = conn.execute(
                "DELETE FROM call WHERE id IN (
                     SELECT id FROM call WHERE id <= (SELECT MAX(id) FROM call) - ?1 ORDER BY id LIMIT ?2)",
                params![KEEP_ROWS, batch],
            )?;
            let done = llm::forget(conn, now_ms, &retention, batch)?;
            Ok(calls == 0 && done.is_done())
        });
        match step {
            Ok(false) => {}
            Ok(true) => return,
            Err(error) => {
                tracing::warn!(%error, "old calls were not forgotten");
                return;
            }
        }
    }
}

fn write_all(store: &Store, rows: Vec<Entry>, dropped: u64) {
    let at_ms = rows.last().map_or(0, Entry::at);
    let rows: Arc<[Entry]> = rows.into();
    for start in (0..rows.len()).step_by(BATCH_ROWS) {
        let rows = Arc::clone(&rows);
        warn_of(store.write_blocking(move |conn| {
            let end = rows.len().min(start + BATCH_ROWS);
            rows[start..end].iter().try_for_each(|row| match row {
                Entry::Call(row) => insert_call(conn, row),
                Entry::Llm(call) => llm::record_llm(conn, call),
                Entry::Text(text) => llm::record_text(conn, text),
            })
        }));
    }
    if dropped > 0 {
        warn_of(store.write_blocking(move |conn| insert_drop(conn, at_ms, dropped)));
    }
}

fn warn_of(written: Result<(), StoreError>) {
    if let Err(error) = written {
        tracing::warn!(%error, "some calls were not recorded");
    }
}
