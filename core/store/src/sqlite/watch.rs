//! Noticing commits, of this process and of others.
//!
//! For: one thread that looks at SQLite's `data_version` when hinted, and slowly without a hint. Hinted,
//! a change is seen in a fraction of a millisecond; unhinted, within the poll. Not for: saying what
//! changed.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::connect;
use crate::signal::{Changes, Mailbox};

/// After a look, hints are left to pile up this long: under a stream of commits every process would
/// otherwise be woken for each of them.
const REST: Duration = Duration::from_millis(2);
/// A look at the version must not hold up the thread behind a lock; the next poll looks again.
const LOOK: Duration = Duration::from_millis(100);

/// The watching thread; ends when dropped.
pub(super) struct Watcher {
    stop: Arc<AtomicBool>,
    waker: Option<UnixDatagram>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// What is committed from now on will be noticed.
    pub(super) fn start(path: PathBuf, signal_dir: Option<PathBuf>, changes: Changes) -> Self {
        let mailbox = signal_dir.and_then(|dir| {
            Mailbox::open(&dir, &changes)
                .inspect_err(|error| tracing::warn!(dir = %dir.display(), %error, "changes are polled for, without hints"))
                .ok()
        });
        let waker = mailbox.as_ref().and_then(Mailbox::waker);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let mut look = Look::new(path);
        look.changed();
        let thread = std::thread::Builder::new()
            .name("board-watch".to_owned())
            .spawn(move || watch(&mut look, mailbox, &changes, &stopped))
            .inspect_err(
                |error| tracing::error!(%error, "changes by other processes will not be noticed"),
            );
        Self {
            stop,
            waker,
            thread: thread.ok(),
        }
    }
}

impl Watcher {
    /// Has it look now, whether or not a hint came.
    pub(super) fn wake(&self) {
        match (&self.waker, &self.thread) {
            (Some(waker), _) => drop(waker.send(&[0])),
            (None, Some(thread)) => thread.thread().unpark(),
            (None, None) => {}
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn watch(look: &mut Look, mailbox: Option<Mailbox>, changes: &Changes, stopped: &AtomicBool) {
    while !stopped.load(Ordering::SeqCst) {
        match &mailbox {
            Some(mailbox) => mailbox.wait(changes.poll()),
            None => std::thread::park_timeout(changes.poll()),
        }
        if look.changed() {
            changes.bump();
            std::thread::sleep(REST);
        }
    }
}

/// The last version seen, on a connection of its own: the version tells of commits by other connections
/// only, those of this process's writer among them.
struct Look {
    path: PathBuf,
    db: Option<Connection>,
    version: Option<i64>,
}

impl Look {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            db: None,
            version: None,
        }
    }

    fn changed(&mut self) -> bool {
        let version = self.read();
        if version.is_none() || version == self.version {
            return false;
        }
        self.version = version;
        true
    }

    fn read(&mut self) -> Option<i64> {
        if self.db.is_none() {
            self.db = connect::reader(&self.path, LOOK).ok();
        }
        let mut statement = self
            .db
            .as_ref()?
            .prepare_cached("PRAGMA data_version")
            .ok()?;
        statement.query_row([], |row| row.get(0)).ok()
    }
}
