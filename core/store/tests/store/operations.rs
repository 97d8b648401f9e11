//! What an operation may rely on.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::rig::{board, hold, insert, items, number, queue_and_leave};
use callboard_store::{Conn, Options, Store, StoreError, Value, params};

#[tokio::test]
async fn a_write_is_answered_with_its_result_and_seen_by_reads() {
    let board = board();
    let changed = board
        .store
        .write(|conn| conn.execute("UPDATE item SET value = 5", params![]))
        .await;
    assert_eq!(changed.unwrap(), 1);
    let value =
        |conn: &mut dyn Conn| conn.query_one("SELECT value FROM item", params![], |row| row.int(0));
    assert_eq!(board.store.read(value).await.unwrap(), Some(5));
    assert_eq!(board.store.read_now(value).unwrap(), Some(5));
}

#[tokio::test]
async fn the_operations_own_error_comes_back_as_it_is() {
    #[derive(Debug, thiserror::Error)]
    enum Refusal {
        #[error("task {0} is taken")]
        Taken(u32),
        #[error(transparent)]
        Store(#[from] StoreError),
    }
    let board = board();
    let written: Result<(), Refusal> = board
        .store
        .write(|conn| {
            insert(conn, "a")?;
            Err(Refusal::Taken(7))
        })
        .await;
    assert!(matches!(written, Err(Refusal::Taken(7))));
    let read: Result<(), Refusal> = board.store.read_now(|_| Err(Refusal::Taken(8)));
    assert!(matches!(read, Err(Refusal::Taken(8))));
    let engine: Result<(), Refusal> = board.store.read_now(|conn| Ok(insert(conn, "b")?));
    assert!(matches!(
        engine,
        Err(Refusal::Store(StoreError::ReadOnly(_)))
    ));
    assert_eq!(items(&board.store), 0);
}

#[test]
fn every_kind_of_value_survives() {
    let board = board();
    let texts = [
        "",
        "a\0b",
        "\0",
        "čšž 漢字 🦀",
        "e\u{301}",
        "'; DROP TABLE item; --",
        "line\r\nline",
    ];
    let blobs = [
        vec![],
        vec![0, 255, 0],
        (0..5_000_000_u32).map(|n| n.to_le_bytes()[0]).collect(),
    ];
    let mut values = vec![
        Value::Null,
        Value::Int(i64::MIN),
        Value::Int(i64::MAX),
        Value::Real(-0.1),
    ];
    values.extend(texts.iter().map(|text| Value::Text(text)));
    values.extend(blobs.iter().map(|blob| Value::Blob(blob)));
    for value in values {
        let stored = Stored::from(value);
        let written = stored.clone();
        board
            .store
            .write_blocking(move |conn| {
                let sql = "INSERT INTO item VALUES ('value', ?1) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
                conn.execute(sql, &[written.value()])
            })
            .unwrap();
        let read = |conn: &mut dyn Conn| {
            let sql = "SELECT value FROM item WHERE name = ?1";
            conn.query_one(sql, params!["value"], |row| row.value(0).map(Stored::from))
        };
        assert!(board.store.read_now(read).unwrap() == Some(stored));
    }
}

/// An owned value: operations are `'static`.
#[derive(Clone, PartialEq)]
enum Stored {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

impl From<Value<'_>> for Stored {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Int(value) => Self::Int(value),
            Value::Real(value) => Self::Real(value),
            Value::Text(text) => Self::Text(text.to_owned()),
            Value::Blob(bytes) => Self::Blob(bytes.to_owned()),
        }
    }
}

impl Stored {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Int(value) => Value::Int(*value),
            Self::Real(value) => Value::Real(*value),
            Self::Text(text) => Value::Text(text),
            Self::Blob(bytes) => Value::Blob(bytes),
        }
    }
}

#[test]
fn a_row_of_another_shape_is_an_error_that_names_the_column() {
    let board = board();
    let read = |sql: &'static str, column: usize| {
        let read = board
            .store
            .read_now(|conn| conn.query_one(sql, params![], |row| row.int(column)));
        read.map(drop).unwrap_err()
    };
    assert!(
        matches!(read("SELECT name FROM item", 0), StoreError::Row(text) if text.contains("column 0"))
    );
    assert!(matches!(read("SELECT NULL", 0), StoreError::Row(text) if text.contains("an integer")));
    assert!(matches!(read("SELECT 1", 3), StoreError::Row(text) if text.contains("column 3")));
    assert!(
        matches!(read("SELECT CAST(x'ff' AS TEXT)", 0), StoreError::Row(text) if text.contains("UTF-8"))
    );
}

#[test]
fn a_wrong_statement_or_number_of_values_is_an_error() {
    let board = board();
    let run = |sql: &'static str, params: &[Value<'_>]| {
        let run: Result<_, StoreError> = board
            .store
            .read_now(|conn| conn.query(sql, params, |_| Ok(())));
        run.unwrap_err().to_string()
    };
    assert!(run("SELECT ?1, ?2", params![1]).contains("1 values for 2 parameters"));
    assert!(run("SELECT 1", params![1]).contains("1 values for 0 parameters"));
    assert!(run("SELECT nothing FROM nowhere", params![]).contains("nowhere"));
}

#[tokio::test]
async fn a_write_through_a_read_is_refused_and_leaves_the_reader_usable() {
    let board = board();
    for _ in 0..20 {
        let refused = board.store.read(|conn| insert(conn, "a")).await;
        assert!(matches!(refused, Err(StoreError::ReadOnly(text)) if text.contains("`write`")));
        let refused = board.store.read_now(|conn| insert(conn, "a"));
        assert!(matches!(refused, Err(StoreError::ReadOnly(_))));
    }
    let lifted = board
        .store
        .read_now(|conn| conn.execute("PRAGMA query_only=OFF", params![]));
    assert!(lifted.is_err());
    assert_eq!(items(&board.store), 0);
}

#[tokio::test]
async fn a_panic_in_an_operation_is_an_error_and_the_store_goes_on() {
    let board = board();
    for _ in 0..10 {
        let written: Result<(), StoreError> = board.store.write(|_| panic!("w")).await;
        assert!(matches!(written, Err(StoreError::Panicked(text)) if text == "w"));
        let read: Result<(), StoreError> = board.store.read(|_| panic!("r")).await;
        assert!(matches!(read, Err(StoreError::Panicked(text)) if text == "r"));
        let read: Result<(), StoreError> = board.store.read_now(|_| panic!("n"));
        assert!(matches!(read, Err(StoreError::Panicked(text)) if text == "n"));
    }
    board.store.write(|conn| insert(conn, "a")).await.unwrap();
    assert_eq!(items(&board.store), 1);
}

#[test]
fn a_read_sees_one_snapshot_while_others_commit() {
    let board = board();
    let count = "SELECT count(*) FROM item";
    let both = board.store.read_now(|conn| {
        let before = conn.query_one(count, params![], |row| row.int(0))?;
        board.store.write_blocking(|conn| insert(conn, "a"))?;
        let after = conn.query_one(count, params![], |row| row.int(0))?;
        Ok::<_, StoreError>((before, after))
    });
    assert_eq!(both.unwrap(), (Some(1), Some(1)));
    assert_eq!(number(&board.store, count), 2);
}

#[tokio::test]
async fn point_reads_do_not_wait_for_snapshot_reads() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        readers: 1,
        ..Options::board(dir.path())
    };
    let store = Store::open(options, &[crate::rig::SCHEMA]).unwrap();
    let (release, released) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let long = store.clone();
    let long = tokio::spawn(async move {
        long.read(move |_| {
            started.send(()).unwrap();
            let _ = released.recv();
            Ok::<_, StoreError>(())
        })
        .await
    });
    tokio::task::spawn_blocking(move || has_started.recv().unwrap())
        .await
        .unwrap();
    assert_eq!(items(&store), 0);
    drop(release);
    long.await.unwrap().unwrap();
}

#[tokio::test]
async fn more_reads_than_readers_wait_their_turn() {
    let board = board();
    let reads: Vec<_> = (0..100)
        .map(|n| {
            let store = board.store.clone();
            tokio::spawn(async move {
                store
                    .read(move |conn| conn.query_one("SELECT ?1", params![n], |row| row.int(0)))
                    .await
            })
        })
        .collect();
    for (n, read) in (0..).zip(reads) {
        assert_eq!(read.await.unwrap().unwrap(), Some(n));
    }
}

#[test]
fn what_is_queued_is_committed_when_the_last_handle_is_dropped() {
    let board = board();
    let held = hold(&board.store);
    for n in 0..1_000 {
        queue_and_leave(&board.store, move |conn| insert(conn, &format!("item {n}")));
    }
    assert_eq!(items(&board.store), 0);
    drop(held);
    let board = board.reopen();
    assert_eq!(items(&board.store), 1_000);
}

#[test]
fn an_operation_may_own_the_last_handle() {
    let board = board();
    let held = hold(&board.store);
    let owned = board.store.clone();
    queue_and_leave(&board.store, move |conn| {
        assert!(owned.path().exists());
        insert(conn, "a")
    });
    drop(held);
    let board = board.reopen();
    let since = Instant::now();
    while items(&board.store) == 0 {
        assert!(
            since.elapsed() < Duration::from_secs(20),
            "the operation never ran"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn more_writes_than_the_queue_holds_all_happen() {
    let board = board();
    let held = hold(&board.store);
    let writes: Vec<_> = (0..6_000)
        .map(|n| {
            let store = board.store.clone();
            tokio::spawn(async move {
                store
                    .write(move |conn| insert(conn, &format!("item {n}")))
                    .await
            })
        })
        .collect();
    tokio::task::spawn_blocking(move || drop(held))
        .await
        .unwrap();
    for write in writes {
        write.await.unwrap().unwrap();
    }
    assert_eq!(items(&board.store), 6_000);
}

#[test]
fn two_handles_of_one_process_share_a_board() {
    let board = board();
    let second = Store::open(Options::board(board.dir.path()), &[crate::rig::SCHEMA]).unwrap();
    board
        .store
        .write_blocking(|conn| insert(conn, "a"))
        .unwrap();
    second.write_blocking(|conn| insert(conn, "b")).unwrap();
    drop(second);
    board
        .store
        .write_blocking(|conn| insert(conn, "c"))
        .unwrap();
    assert_eq!(items(&board.reopen().store), 3);
}

#[tokio::test]
async fn relaxed_writes_are_in_order_with_the_others_and_posted_ones_run() {
    let board = board();
    let held = hold(&board.store);
    let set = |value: i64| {
        move |conn: &mut dyn Conn| -> Result<(), StoreError> {
            let sql = "UPDATE item SET value = value * 10 + ?1 WHERE name = 'counter'";
            conn.execute(sql, params![value]).map(drop)
        }
    };
    queue_and_leave(&board.store, set(1));
    board.store.post_relaxed(set(2)).unwrap();
    queue_and_leave(&board.store, set(3));
    drop(held);
    board.store.write_relaxed(set(4)).await.unwrap();
    let board = board.reopen();
    let counter = "SELECT value FROM item WHERE name = 'counter'";
    assert_eq!(number(&board.store, counter), 1_234);
}
