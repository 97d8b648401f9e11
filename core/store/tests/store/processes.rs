//! Several processes on one board. The children are this test binary again, in another role.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "these tests start themselves as children, tell them their role and read what they say"
)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::rig::{SCHEMA, insert, items, number};
use callboard_store::{Conn, Options, Store, StoreError, params};

const ROLE: &str = "CALLBOARD_STORE_TEST_ROLE";
const BOARD: &str = "CALLBOARD_STORE_TEST_BOARD";

fn open(board: &Path) -> Store {
    Store::open(Options::board(board), &[SCHEMA]).unwrap()
}

fn count_up(conn: &mut dyn Conn) -> Result<(), StoreError> {
    let value = conn.query_one(
        "SELECT value FROM item WHERE name = 'counter'",
        params![],
        |row| row.int(0),
    )?;
    let next = value.unwrap_or(0) + 1;
    conn.execute(
        "UPDATE item SET value = ?1 WHERE name = 'counter'",
        params![next],
    )
    .map(drop)
}

/// Four threads that count up 100 times each.
fn count_in_threads(store: &Store) {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..100).for_each(|_| store.write_blocking(count_up).unwrap()));
        }
    });
}

/// Adds items and says so after each answer, until killed.
fn write_for_ever(store: &Store) {
    let me = std::process::id();
    for n in 0.. {
        let name = format!("{me}-{n}");
        let written = name.clone();
        store
            .write_blocking(move |conn| insert(conn, &written))
            .unwrap();
        println!("acked {name}");
    }
}

/// The same with writes that do not wait for the disk.
fn write_relaxed_for_ever(store: &Store) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let me = std::process::id();
    for n in 0.. {
        let name = format!("{me}-{n}");
        let written = name.clone();
        runtime
            .block_on(store.write_relaxed(move |conn| insert(conn, &written)))
            .unwrap();
        println!("acked {name}");
    }
}

#[test]
#[ignore = "not a test: what the children of the tests below run"]
fn child() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let board = PathBuf::from(std::env::var(BOARD).unwrap());
    println!("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let store = open(&board);
    match role.as_str() {
        "open" => {}
        "count" => count_in_threads(&store),
        "write once" => store
            .write_blocking(|conn| insert(conn, "by a child"))
            .unwrap(),
        "write for ever" => write_for_ever(&store),
        "write relaxed for ever" => write_relaxed_for_ever(&store),
        other => panic!("unknown role {other}"),
    }
}

/// A child that waits to be told to go; killed when dropped.
struct Process {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(role: &str, board: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "processes::child", "--ignored", "--nocapture"])
            .env(ROLE, role)
            .env(BOARD, board)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut lines = BufReader::new(stdout).lines();
        // The test harness prints before and after us.
        assert!(lines.any(|line| line.unwrap().ends_with("ready")));
        Self { child, lines }
    }

    fn go(&mut self) {
        self.child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }

    fn finish(mut self) {
        self.lines.by_ref().for_each(drop);
        assert!(self.child.wait().unwrap().success());
    }

    /// Names whose writing the child has heard of.
    fn acked(&mut self) -> impl Iterator<Item = String> {
        let lines = self.lines.by_ref().map_while(Result::ok);
        lines.filter_map(|line| line.split_once("acked ").map(|(_, name)| name.to_owned()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn start_all(role: &str, board: &Path, count: usize) -> Vec<Process> {
    let mut processes: Vec<_> = (0..count).map(|_| Process::start(role, board)).collect();
    processes.iter_mut().for_each(Process::go);
    processes
}

fn assert_intact(board: &Path) {
    let db = rusqlite::Connection::open(board.join("board.db")).unwrap();
    let verdict: String = db
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(verdict, "ok");
}

#[test]
fn of_many_that_open_a_new_board_at_once_exactly_one_migrates() {
    for _ in 0..3 {
        let dir = tempfile::tempdir().unwrap();
        let processes = start_all("open", dir.path(), 4);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| open(dir.path()));
            }
        });
        processes.into_iter().for_each(Process::finish);
        let store = open(dir.path());
        assert_eq!(number(&store, "SELECT count(*) FROM migrated"), 2);
        assert_eq!(number(&store, "SELECT sum(version) FROM migrated"), 3);
    }
}

#[test]
fn writes_of_many_processes_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let processes = start_all("count", dir.path(), 4);
    let store = open(dir.path());
    count_in_threads(&store);
    processes.into_iter().for_each(Process::finish);
    assert_eq!(
        number(&store, "SELECT value FROM item WHERE name = 'counter'"),
        5 * 400
    );
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    survives_kills("write for ever");
}

#[test]
fn what_was_acknowledged_without_waiting_for_the_disk_survives_a_kill() {
    survives_kills("write relaxed for ever");
}

fn survives_kills(role: &str) {
    let dir = tempfile::tempdir().unwrap();
    let mut acked = BTreeSet::new();
    for round in 1..=15 {
        for mut process in start_all(role, dir.path(), 2) {
            acked.extend(process.acked().take(round * 7));
            process.child.kill().unwrap();
            acked.extend(process.acked());
        }
    }
    assert!(acked.len() >= 2 * 7 * (1..=15).sum::<usize>());
    assert_intact(dir.path());
    let store = open(dir.path());
    let names =
        store.read_now(|conn| conn.query("SELECT name FROM item", params![], |row| row.text(0)));
    let names: Result<Vec<String>, StoreError> = names;
    let present: BTreeSet<String> = names.unwrap().into_iter().collect();
    let lost: Vec<_> = acked.difference(&present).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}

#[tokio::test]
async fn a_commit_by_another_process_is_noticed_with_and_without_hints() {
    for hints in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let mut options = Options::board(dir.path());
        options.signal_dir = options.signal_dir.filter(|_| hints);
        let store = Store::open(options, &[SCHEMA]).unwrap();
        let mut changes = store.changes();
        let mut process = Process::start("write once", dir.path());
        assert!(!changes.has_changed().unwrap());
        process.go();
        let noticed = async {
            while items(&store) == 0 {
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(20), noticed)
            .await
            .unwrap();
        process.finish();
    }
}

#[tokio::test]
async fn who_watches_closely_notices_every_commit_of_another_process() {
    for hints in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let mut options = Options::board(dir.path());
        options.signal_dir = options.signal_dir.filter(|_| hints);
        let store = Store::open(options, &[SCHEMA]).unwrap();
        let mut process = Process::start("write once", dir.path());
        let mut changes = store.changes_closely();
        process.go();
        let noticed = async {
            while items(&store) == 0 {
                changes.changed().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), noticed)
            .await
            .unwrap();
        process.finish();
    }
}

#[tokio::test]
async fn own_commits_are_noticed_and_the_socket_goes_with_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut changes = store.changes();
    let sockets = || {
        std::fs::read_dir(dir.path().join("signal"))
            .unwrap()
            .count()
    };
    assert_eq!(sockets(), 1);
    store.write(|conn| insert(conn, "a")).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), changes.changed())
        .await
        .unwrap()
        .unwrap();
    drop(store);
    assert_eq!(sockets(), 0);
    while changes.changed().await.is_ok() {}
}
