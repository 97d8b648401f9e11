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

/// Submits an operation that answers the name of the thread it ran on.
async fn thread_of(engine: &Engine, durability: Durability) -> Result<String, StoreError> {
    let (job, answer) = job(durability, |conn| {
        conn.execute("INSERT INTO item VALUES ('a')", params![])?;
        let name = std::thread::current().name().map(str::to_owned);
        Ok::<_, StoreError>(name.unwrap_or_default())
    });
    engine.submit(job).await?;
    answer.await.unwrap()
}

#[tokio::test]
async fn what_waits_for_nothing_runs_where_it_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir, 1);
    let here = std::thread::current().name().unwrap().to_owned();
    for _ in 0..3 {
        let normal = thread_of(&engine, Durability::Normal).await.unwrap();
        assert_eq!(normal, here);
    }
    let full = thread_of(&engine, Durability::Full).await.unwrap();
    assert_eq!(full, "board-writer");
    let count = |conn: &mut dyn Conn| {
        conn.query_one("SELECT count(*) FROM item", params![], |row| row.int(0))
    };
    let count: Result<_, StoreError> = engine.read_point(count);
    assert_eq!(count.unwrap(), Some(4));
}

#[tokio::test]
async fn what_would_wait_for_another_process_does_so_on_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir, 1);
    let other = rusqlite::Connection::open(engine.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Not here, and not for ever.
    let refused = thread_of(&engine, Durability::Normal).await;
    assert!(matches!(refused, Err(StoreError::Busy { .. })));
    let waits = thread_of(&engine, Durability::Normal);
    let ends = async {
        tokio::task::yield_now().await;
        other.execute_batch("ROLLBACK").unwrap();
    };
    let (ran, ()) = tokio::join!(waits, ends);
    assert_eq!(ran.unwrap(), "board-writer");
}

#[tokio::test]
async fn nobody_overtakes_those_who_wait() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir, 1);
    let (release, released) = mpsc::channel::<()>();
    let (blocker, blocked) = job(Durability::Full, move |conn| {
        // Until it is let go, or nobody is there to do that.
        let _ = released.recv();
        conn.execute("INSERT INTO item VALUES ('first')", params![])
    });
    engine.submit(blocker).await.unwrap();
    let second = thread_of(&engine, Durability::Normal);
    let lets_go = async {
        tokio::task::yield_now().await;
        drop(release);
    };
    let (second, ()) = tokio::join!(second, lets_go);
    assert_eq!(second.unwrap(), "board-writer");
    assert_eq!(blocked.await.unwrap().unwrap(), 1);
    assert_eq!(engine.waiting.load(Ordering::Acquire), 0);
}

#[tokio::test]
async fn an_operation_that_fails_where_it_was_asked_for_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir, 1);
    for panics in [false, true] {
        let (job, answer) = job(Durability::Normal, move |conn| {
            conn.execute("INSERT INTO item VALUES ('a')", params![])?;
            assert!(!panics, "a bug");
            Err::<(), _>(StoreError::Engine("no".to_owned()))
        });
        engine.submit(job).await.unwrap();
        answer.await.unwrap().unwrap_err();
    }
    let count = |conn: &mut dyn Conn| {
        conn.query_one("SELECT count(*) FROM item", params![], |row| row.int(0))
    };
    let count: Result<_, StoreError> = engine.read_point(count);
    assert_eq!(count.unwrap(), Some(0));
    thread_of(&engine, Durability::Normal).await.unwrap();
}
