//! A board in a directory of its own, for the store's tests.

use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::thread::JoinHandle;

use callboard_store::{Conn, Migration, Options, Store, StoreError, params};
use tempfile::TempDir;

pub const SCHEMA: &[Migration] = &[
    Migration {
        component: "rig",
        version: 1,
        sql: "CREATE TABLE item (name TEXT PRIMARY KEY, value ANY) STRICT;
              CREATE TABLE migrated (version INTEGER) STRICT; INSERT INTO migrated VALUES (1);",
    },
    Migration {
        component: "rig",
        version: 2,
        sql: "INSERT INTO migrated VALUES (2); INSERT INTO item VALUES ('counter', 0);",
    },
];

pub struct Board {
    pub dir: TempDir,
    pub store: Store,
}

pub fn board() -> Board {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Options::board(dir.path()), &[SCHEMA]).unwrap();
    Board { dir, store }
}

impl Board {
    /// Opens the board again; what this handle had queued is committed first.
    pub fn reopen(self) -> Board {
        let Board { dir, store } = self;
        drop(store);
        let store = Store::open(Options::board(dir.path()), &[SCHEMA]).unwrap();
        Board { dir, store }
    }
}

pub fn insert(conn: &mut dyn Conn, name: &str) -> Result<(), StoreError> {
    conn.execute("INSERT INTO item (name) VALUES (?1)", params![name])
        .map(drop)
}

pub fn number(store: &Store, sql: &str) -> i64 {
    let found = store.read_now(|conn| conn.query_one(sql, params![], |row| row.int(0)));
    let found: Result<Option<i64>, StoreError> = found;
    found.unwrap().unwrap()
}

/// Items that tests added.
pub fn items(store: &Store) -> i64 {
    number(store, "SELECT count(*) FROM item WHERE name <> 'counter'")
}

/// Queues an operation and stops waiting for it at once.
pub fn queue_and_leave(
    store: &Store,
    op: impl Fn(&mut dyn Conn) -> Result<(), StoreError> + Send + 'static,
) {
    let writing = pin!(store.write(op));
    let polled = writing.poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
}

/// Keeps the writer busy until dropped.
pub struct Held {
    release: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

pub fn hold(store: &Store) -> Held {
    let (release, released) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let store = store.clone();
    let op = move |_: &mut dyn Conn| {
        started.send(()).unwrap();
        // Ends when the sender is dropped.
        let _ = released.recv();
        Ok::<_, StoreError>(())
    };
    let thread = std::thread::spawn(move || store.write_blocking(op).unwrap());
    has_started.recv().unwrap();
    Held {
        release: Some(release),
        thread: Some(thread),
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.release.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}
