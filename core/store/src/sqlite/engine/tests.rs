use std::sync::{Arc, mpsc};

use tempfile::TempDir;

use super::*;
use crate::Durability;
use crate::job::job;
use crate::params;

const SHORT: Duration = Duration::from_millis(30);

fn engine(dir: &TempDir, readers: usize) -> Engine {
    let options = Options {
        readers,
        ..Options::board(dir.path())
    };
    let table = Migration {
        component: "test",
        version: 1,
        sql: "CREATE TABLE item (name TEXT) STRICT",
    };
    Engine::open_waiting(options, &[&[table]], SHORT).unwrap()
}

fn insert(engine: &Engine) -> Result<(), StoreError> {
    let (job, answer) = job(Durability::Full, |conn| {
        conn.execute("INSERT INTO item VALUES ('a')", params![])
            .map(drop)
    });
    engine.submit_blocking(job)?;
    answer.blocking_recv().unwrap()
}

#[test]
fn a_board_that_stays_locked_is_busy_for_all_who_wait_and_works_again_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir, 1);
    let other = rusqlite::Connection::open(engine.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        let writes: Vec<_> = (0..4).map(|_| scope.spawn(|| insert(&engine))).collect();
        for write in writes {
            let error = write.join().unwrap().unwrap_err();
            assert!(matches!(error, StoreError::Busy { .. }), "{error}");
        }
    });
    other.execute_batch("ROLLBACK").unwrap();
    insert(&engine).unwrap();
}

#[test]
fn reads_go_on_while_another_connection_writes() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir, 1);
    let other = rusqlite::Connection::open(engine.path()).unwrap();
    other
        .execute_batch("BEGIN IMMEDIATE; INSERT INTO item VALUES ('b')")
        .unwrap();
    let count = |conn: &mut dyn Conn| {
        conn.query_one("SELECT count(*) FROM item", params![], |row| row.int(0))
    };
    let count: Result<_, StoreError> = engine.read_point(count);
    assert_eq!(count.unwrap(), Some(0));
}

#[test]
fn a_reader_that_never_comes_free_is_busy() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir, 1);
    let nested = engine.read_point(|_| engine.read_point(|_| Ok::<_, StoreError>(())));
    assert!(matches!(nested, Err(StoreError::Busy { waited }) if waited == SHORT));
    engine.read_point(|_| Ok::<_, StoreError>(())).unwrap();
}

#[tokio::test]
async fn a_snapshot_read_that_gets_no_place_is_busy() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir, 2);
    let (first, second) = (engine.place().await.unwrap(), engine.place().await.unwrap());
    assert!(matches!(engine.place().await, Err(StoreError::Busy { .. })));
    drop((first, second));
    drop(engine.place().await.unwrap());
}

#[test]
fn closing_waits_for_the_operation_that_runs() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Arc::new(engine(&dir, 1));
    let path = engine.path().to_owned();
    let (started, has_started) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let (job, mut answer) = job(Durability::Full, move |conn| {
        started.send(()).unwrap();
        let _ = released.recv();
        conn.execute("INSERT INTO item VALUES ('a')", params![])
    });
    engine.submit_blocking(job).unwrap();
    has_started.recv().unwrap();
    let closing = std::thread::spawn(move || drop(engine));
    assert!(answer.try_recv().is_err());
    drop(release);
    closing.join().unwrap();
    assert_eq!(answer.try_recv().unwrap().unwrap(), 1);
    assert!(
        !path.with_file_name("board.db-wal").exists(),
        "the log was folded into the file"
    );
}
