use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use tokio::sync::oneshot;

use super::*;
use crate::Conn;
use crate::job::job;
use crate::params;
use crate::signal::Changes;
use crate::sqlite::connect;

type Answer = oneshot::Receiver<Result<(), StoreError>>;
type Jobs = Vec<Box<dyn Job>>;

struct Bench {
    _dir: TempDir,
    durability: Durability,
    db: Connection,
    commits: Arc<AtomicU32>,
}

fn bench() -> Bench {
    bench_of(Durability::Normal)
}

fn bench_of(durability: Durability) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("board.db");
    connect::create(&path).unwrap();
    let (mut db, _) = connect::writer(&path, durability, Duration::from_secs(30)).unwrap();
    db.execute_batch(
        "CREATE TABLE item (name TEXT UNIQUE, body BLOB) STRICT;
         CREATE TABLE child (item TEXT REFERENCES item (name) DEFERRABLE INITIALLY DEFERRED) STRICT;",
    )
    .unwrap();
    let commits = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&commits);
    db.commit_hook(Some(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        false
    }))
    .unwrap();
    Bench {
        _dir: dir,
        durability,
        db,
        commits,
    }
}

impl Bench {
    /// Rounds until every job is answered; no limit on how long a batch may take.
    fn work(&self, jobs: &mut Jobs) -> Result<(), StoreError> {
        let mut writer = self.writer();
        writer.batch_time = Duration::MAX;
        while !jobs.is_empty() {
            writer.round(jobs)?;
        }
        Ok(())
    }

    fn writer(&self) -> Writer<&Connection> {
        let announcer = Announcer::new(Changes::new(), None);
        Writer::new(&self.db, self.durability, Patience::default(), announcer)
    }

    /// What the connection's last commit waited for: 2 is FULL, 1 is NORMAL.
    fn synchronous(&self) -> i64 {
        self.db
            .query_row("PRAGMA synchronous", [], |row| row.get(0))
            .unwrap()
    }

    fn names(&self) -> Vec<String> {
        let mut statement = self
            .db
            .prepare("SELECT name FROM item ORDER BY name")
            .unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    fn commits(&self) -> u32 {
        self.commits.load(Ordering::SeqCst)
    }
}

fn queue(
    jobs: &mut Jobs,
    op: impl Fn(&mut dyn Conn) -> Result<(), StoreError> + Send + 'static,
) -> Answer {
    let (job, answer) = job(Durability::Full, op);
    jobs.push(job);
    answer
}

fn insert(conn: &mut dyn Conn, name: &str) -> Result<(), StoreError> {
    conn.execute("INSERT INTO item (name) VALUES (?1)", params![name])
        .map(drop)
}

fn orphan(conn: &mut dyn Conn) -> Result<(), StoreError> {
    conn.execute("INSERT INTO child (item) VALUES ('nobody')", params![])
        .map(drop)
}

fn fill(conn: &mut dyn Conn) -> Result<(), StoreError> {
    conn.execute(
        "INSERT INTO item (name, body) VALUES ('big', zeroblob(10000000))",
        params![],
    )
    .map(drop)
}

fn refused(_: &mut dyn Conn) -> Result<(), StoreError> {
    Err(StoreError::Engine("no".to_owned()))
}

#[test]
fn an_error_undoes_only_its_own_operation_and_all_share_a_commit() {
    let bench = bench();
    let mut jobs = Jobs::new();
    let mut kept = queue(&mut jobs, |conn| insert(conn, "a"));
    let mut undone = queue(&mut jobs, |conn| {
        insert(conn, "b")?;
        refused(conn)
    });
    let mut after = queue(&mut jobs, |conn| insert(conn, "c"));
    bench.work(&mut jobs).unwrap();

    assert!(kept.try_recv().unwrap().is_ok());
    assert_eq!(undone.try_recv().unwrap().unwrap_err().to_string(), "no");
    assert!(after.try_recv().unwrap().is_ok());
    assert_eq!(bench.names(), ["a", "c"]);
    assert_eq!(bench.commits(), 1);
}

#[test]
fn an_operation_sees_what_those_before_it_in_the_batch_did() {
    let bench = bench();
    let mut jobs = Jobs::new();
    let mut first = queue(&mut jobs, |conn| insert(conn, "a"));
    let mut second = queue(&mut jobs, |conn| insert(conn, "a"));
    bench.work(&mut jobs).unwrap();
    assert!(first.try_recv().unwrap().is_ok());
    assert!(matches!(
        second.try_recv().unwrap(),
        Err(StoreError::Constraint(_))
    ));
}

#[test]
fn a_panic_undoes_only_its_own_operation() {
    let bench = bench();
    let mut jobs = Jobs::new();
    let mut kept = queue(&mut jobs, |conn| insert(conn, "a"));
    let mut panicked = queue(&mut jobs, |conn| {
        insert(conn, "b")?;
        panic!("a bug in {}", "an operation")
    });
    let mut after = queue(&mut jobs, |conn| insert(conn, "c"));
    bench.work(&mut jobs).unwrap();

    assert!(kept.try_recv().unwrap().is_ok());
    let Err(StoreError::Panicked(message)) = panicked.try_recv().unwrap() else {
        panic!("a panic is an error of its own kind");
    };
    assert_eq!(message, "a bug in an operation");
    assert!(after.try_recv().unwrap().is_ok());
    assert_eq!(bench.names(), ["a", "c"]);
}

#[test]
fn a_failed_commit_is_told_to_every_waiter() {
    let bench = bench();
    let mut jobs = Jobs::new();
    let answers = [
        queue(&mut jobs, |conn| insert(conn, "a")),
        queue(&mut jobs, orphan),
        queue(&mut jobs, refused),
        queue(&mut jobs, |conn| insert(conn, "b")),
    ];
    bench.work(&mut jobs).unwrap();
    for mut answer in answers {
        assert!(matches!(
            answer.try_recv().unwrap(),
            Err(StoreError::Commit(_))
        ));
    }
    assert!(bench.names().is_empty());

    let mut later = queue(&mut jobs, |conn| insert(conn, "c"));
    bench.work(&mut jobs).unwrap();
    assert!(later.try_recv().unwrap().is_ok());
    assert_eq!(bench.names(), ["c"]);
}

#[test]
fn a_full_disk_fails_one_operation_and_the_others_are_run_again() {
    let bench = bench();
    bench.db.execute_batch("PRAGMA max_page_count=100").unwrap();
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let mut jobs = Jobs::new();
    let mut before = queue(&mut jobs, move |conn| {
        counted.fetch_add(1, Ordering::SeqCst);
        insert(conn, "a")
    });
    let mut full = queue(&mut jobs, fill);
    let mut after = queue(&mut jobs, |conn| insert(conn, "c"));
    bench.work(&mut jobs).unwrap();

    assert!(before.try_recv().unwrap().is_ok());
    assert!(matches!(full.try_recv().unwrap(), Err(StoreError::Full)));
    assert!(after.try_recv().unwrap().is_ok());
    assert_eq!(bench.names(), ["a", "c"]);
    assert_eq!(
        runs.load(Ordering::SeqCst),
        2,
        "SQLite rolled the first one back with the full one"
    );
}

#[test]
fn an_operation_that_ignores_a_lost_transaction_cannot_write_outside_one() {
    let bench = bench();
    bench.db.execute_batch("PRAGMA max_page_count=100").unwrap();
    let mut jobs = Jobs::new();
    let mut careless = queue(&mut jobs, |conn| {
        drop(fill(conn));
        drop(insert(conn, "stray"));
        Ok(())
    });
    let mut after = queue(&mut jobs, |conn| insert(conn, "c"));
    bench.work(&mut jobs).unwrap();
    assert!(matches!(
        careless.try_recv().unwrap(),
        Err(StoreError::Full)
    ));
    assert!(after.try_recv().unwrap().is_ok());
    assert_eq!(bench.names(), ["c"]);
}

#[test]
fn a_batch_in_which_nothing_is_kept_is_not_committed() {
    let bench = bench();
    let mut jobs = Jobs::new();
    let mut answer = queue(&mut jobs, |conn| {
        insert(conn, "a")?;
        refused(conn)
    });
    bench.work(&mut jobs).unwrap();
    assert!(answer.try_recv().unwrap().is_err());
    assert_eq!(bench.commits(), 0);
}

#[test]
fn operations_cannot_touch_the_shared_transaction() {
    let bench = bench();
    for sql in [
        "COMMIT",
        " rollback to operation",
        "PRAGMA query_only=0",
        "\nEnd;",
        "SAVEPOINT x",
        "begin",
    ] {
        let mut jobs = Jobs::new();
        let mut answer = queue(&mut jobs, move |conn| {
            conn.execute(sql, params![]).map(drop)
        });
        bench.work(&mut jobs).unwrap();
        let error = answer.try_recv().unwrap().unwrap_err().to_string();
        assert!(
            error.contains("does not belong in an operation"),
            "{sql}: {error}"
        );
    }
}

#[test]
fn a_batch_that_holds_the_lock_too_long_is_committed_in_parts() {
    let bench = bench();
    let mut writer = bench.writer();
    writer.batch_time = Duration::ZERO;
    let mut jobs = Jobs::new();
    let mut first = queue(&mut jobs, |conn| insert(conn, "a"));
    let mut second = queue(&mut jobs, |conn| insert(conn, "b"));
    writer.round(&mut jobs).unwrap();
    assert!(first.try_recv().unwrap().is_ok());
    assert!(second.try_recv().is_err(), "not yet its turn");
    writer.round(&mut jobs).unwrap();
    assert!(second.try_recv().unwrap().is_ok());
    assert_eq!(bench.commits(), 2);
}

#[test]
fn a_panic_while_a_result_is_dropped_does_not_end_the_writer() {
    struct Grenade;
    impl Drop for Grenade {
        fn drop(&mut self) {
            assert!(std::thread::panicking(), "dropped");
        }
    }
    let bench = bench();
    let mut jobs = Jobs::new();
    let (thrown, answer) = job(Durability::Full, |_| Ok::<_, StoreError>(Grenade));
    drop(answer);
    jobs.push(thrown);
    let mut after = queue(&mut jobs, |conn| insert(conn, "c"));
    bench.work(&mut jobs).unwrap();
    assert!(after.try_recv().unwrap().is_ok());
}

/// One commit of inserts of these kinds; answers what it waited for.
fn commit_of(bench: &Bench, writer: &mut Writer<&Connection>, kinds: &[Durability]) -> i64 {
    let before = bench.commits();
    let mut jobs = Jobs::new();
    let mut answers = Vec::new();
    for durability in kinds {
        let (job, answer) = job(*durability, |conn: &mut dyn Conn| {
            conn.execute("INSERT INTO item (body) VALUES (NULL)", params![])
        });
        jobs.push(job);
        answers.push(answer);
    }
    while !jobs.is_empty() {
        writer.round(&mut jobs).unwrap();
    }
    for mut answer in answers {
        assert_eq!(answer.try_recv().unwrap().unwrap(), 1);
    }
    assert_eq!(bench.commits(), before + 1);
    bench.synchronous()
}

#[test]
fn only_a_commit_that_nobody_wants_on_the_disk_does_without() {
    use Durability::{Full, Normal};
    let bench = bench_of(Full);
    let mut writer = bench.writer();
    writer.batch_time = Duration::MAX;
    for (kinds, waited_for) in [
        (&[Full][..], 2),
        (&[Normal], 1),
        (&[Normal, Normal], 1),
        (&[Normal, Full, Normal], 2),
        (&[Normal], 1),
        (&[Full, Full], 2),
    ] {
        let seen = commit_of(&bench, &mut writer, kinds);
        assert_eq!(seen, waited_for, "{kinds:?}");
    }
}

#[test]
fn a_file_that_never_waits_for_the_disk_does_not_begin_to() {
    use Durability::{Full, Normal};
    let bench = bench_of(Normal);
    let mut writer = bench.writer();
    assert_eq!(commit_of(&bench, &mut writer, &[Full]), 1);
    assert_eq!(commit_of(&bench, &mut writer, &[Normal]), 1);
}
