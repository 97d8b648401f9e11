//! Eight processes and one limit. The children are this test binary again, in another role.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "these tests start themselves as children, tell them their role and read what they say"
)]

use crate::fixture::{MINUTE, NOW, ask, limit, number, open, used};
use callboard_limits::{
    Ask, LimitError, Owner, Resource, Scope, Span, Standing, expire, limit_set, owners, reserve,
    settle, standings,
};
use callboard_store::Store;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

const ROLE: &str = "CALLBOARD_LIMITS_TEST_ROLE";
const BOARD: &str = "CALLBOARD_LIMITS_TEST_BOARD";
const PROCESSES: usize = 8;
/// What each call holds, and the most that it uses.
const EACH: i64 = 10;

/// Field 22 of `/proc/<pid>/stat`; `None` for a process that is gone or waits to be buried.
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    (fields[0] != "Z").then(|| fields[19].parse().unwrap())
}

fn me() -> Owner {
    let pid = std::process::id();
    Owner {
        pid,
        start: started(pid).unwrap(),
    }
}

fn numbered(n: u32) -> Ask {
    let owner = me();
    let mut ask = ask(&format!("c_{}_{n}", owner.pid), EACH);
    ask.owner = owner;
    ask
}

/// What the `n`th call uses: at most what it held, not the same for all.
fn cost(n: u32) -> i64 {
    EACH - i64::from(n % 3)
}

/// Calls until the money is gone, each ended before the next. Some go on to hold two at a time.
fn spend(store: &Store) {
    for n in 0.. {
        let ask = numbered(n);
        let reserved = store.write_blocking({
            let ask = ask.clone();
            move |c| reserve(c, NOW, &ask)
        });
        match reserved {
            Ok(_) => {}
            Err(LimitError::Denied(denied))
                if denied.limit.resource == Resource::Money && denied.held == 0 =>
            {
                break;
            }
            // Others hold what is left, for now.
            Err(LimitError::Denied(_)) => continue,
            Err(other) => panic!("{other}"),
        }
        println!("held {}", ask.call);
        let used = used(1, 1, Some(cost(n)));
        let id = ask.call.clone();
        assert!(
            store
                .write_blocking(move |c| settle(c, NOW, &id, &used))
                .unwrap()
        );
        println!("settled {}", ask.call);
    }
}

#[test]
#[ignore = "not a test: what the children of the tests below run"]
fn child() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let store = open(&PathBuf::from(std::env::var(BOARD).unwrap()));
    println!("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    match role.as_str() {
        "spend" => spend(&store),
        "hold" => hold(&store),
        other => panic!("unknown role {other}"),
    }
}

/// Takes what it can get and keeps it until it is killed.
fn hold(store: &Store) {
    for n in 0.. {
        let ask = numbered(n);
        match store.write_blocking(move |c| reserve(c, NOW, &ask)) {
            Ok(_) => println!("held"),
            Err(LimitError::Denied(_)) => break,
            Err(other) => panic!("{other}"),
        }
    }
    println!("full");
    std::thread::park();
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
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The test harness prints before and after us.
        assert!(lines.any(|line| line.unwrap().ends_with("ready")));
        Self { child, lines }
    }

    fn go(&mut self) {
        // Kept open: the child is not to read an end.
        self.child
            .stdin
            .as_mut()
            .unwrap()
            .write_all(b"go\n")
            .unwrap();
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The ids that follow a word.
    fn told(&mut self, word: &str) -> BTreeSet<String> {
        let lines = self.lines.by_ref().map_while(Result::ok);
        let of = lines.filter_map(|line| Some(line.strip_prefix(word)?.trim().to_owned()));
        of.collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn start_all(role: &str, board: &Path) -> Vec<Process> {
    let mut processes: Vec<_> = (0..PROCESSES)
        .map(|_| Process::start(role, board))
        .collect();
    processes.iter_mut().for_each(Process::go);
    processes
}

fn with_limits(dir: &Path, money: i64, at_once: i64) -> Store {
    let store = open(dir);
    for limit in [
        limit(Scope::All, "", Resource::Money, Span::Ever, money),
        limit(
            Scope::Provider,
            "groq",
            Resource::Concurrent,
            Span::Now,
            at_once,
        ),
    ] {
        store
            .write_blocking(move |c| limit_set(c, NOW, &limit))
            .unwrap();
    }
    store
}

fn money(store: &Store) -> Standing {
    let all = store.read_now(|c| standings(c, NOW)).unwrap();
    all.into_iter()
        .find(|s| s.limit.resource == Resource::Money)
        .unwrap()
}

/// No limit is exceeded, and the counters are what the rows add up to.
fn assert_sound(store: &Store) {
    let all = store.read_now(|c| standings(c, NOW)).unwrap();
    for standing in all {
        assert!(standing.left() >= 0, "over-granted: {standing:?}");
        let (held, used) = match standing.limit.resource {
            Resource::Money => ("held_money", "money"),
            _ => ("1", "0"),
        };
        // In one statement: other processes go on meanwhile.
        let differs = format!(
            "SELECT count(*) FROM limit_counters WHERE scope = '{}' AND resource = '{}' AND
                 (held <> (SELECT COALESCE(sum({held}), 0) FROM reservations WHERE state = 'held')
                  OR used <> (SELECT COALESCE(sum({used}), 0) FROM reservations WHERE state = 'settled'))",
            standing.limit.scope, standing.limit.resource
        );
        assert_eq!(number(store, &differs), 0, "{standing:?}");
    }
}

#[test]
fn eight_processes_spend_a_budget_to_its_end_and_never_beyond() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_limits(dir.path(), 3_000, 5);
    let mut processes = start_all("spend", dir.path());
    while processes
        .iter_mut()
        .any(|process| process.child.try_wait().unwrap().is_none())
    {
        assert_sound(&store);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    for process in &mut processes {
        assert!(process.child.wait().unwrap().success());
    }
    assert_sound(&store);
    let end = money(&store);
    assert_eq!(end.held, 0);
    assert!((0..EACH).contains(&end.left()), "{end:?}");
    let calls: BTreeSet<String> = processes
        .iter_mut()
        .flat_map(|process| process.told("settled"))
        .collect();
    let settled = number(
        &store,
        "SELECT count(*) FROM reservations WHERE state = 'settled'",
    );
    assert_eq!(settled, i64::try_from(calls.len()).unwrap());
    assert_eq!(number(&store, "SELECT count(*) FROM reservations"), settled);
}

#[test]
fn what_killed_processes_held_is_free_again_and_what_they_settled_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_limits(dir.path(), 100_000, 1_000);
    let mut processes = start_all("spend", dir.path());
    let mut told = BTreeSet::new();
    for process in processes.iter_mut().take(5) {
        let lines = process.lines.by_ref().map_while(Result::ok);
        told.extend(
            lines
                .filter_map(|line| line.strip_prefix("settled ").map(str::to_owned))
                .take(20),
        );
        process.kill();
        assert_sound(&store);
        told.extend(process.told("settled"));
    }
    // The others are still at work: what they hold must not be touched.
    let gone = |owner: Owner| started(owner.pid) != Some(owner.start);
    store
        .write_blocking(move |c| expire(c, NOW, &gone))
        .unwrap();
    assert_sound(&store);
    for process in processes.iter_mut().skip(5) {
        process.kill();
        told.extend(process.told("settled"));
    }
    let held = number(
        &store,
        "SELECT count(*) FROM reservations WHERE state = 'held'",
    );
    let lost = store
        .write_blocking(move |c| expire(c, NOW, &gone))
        .unwrap();
    assert_eq!(lost.len(), usize::try_from(held).unwrap());
    assert!(store.read_now(owners).unwrap().is_empty());
    assert_eq!(money(&store).held, 0);
    assert_sound(&store);
    // A call whose settlement was heard of is settled; each call has one row and one end.
    assert!(told.len() >= 100);
    for id in &told {
        let row =
            format!("SELECT count(*) FROM reservations WHERE id = '{id}' AND state = 'settled'");
        assert_eq!(number(&store, &row), 1, "{id}");
    }
    let open = "SELECT count(*) FROM reservations WHERE state NOT IN ('settled', 'expired') OR ended_at IS NULL";
    assert_eq!(number(&store, open), 0);
}

#[test]
fn killed_holders_do_not_keep_a_limit_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_limits(dir.path(), 100_000, 24);
    let mut processes = start_all("hold", dir.path());
    for process in &mut processes {
        assert!(process.lines.any(|line| line.unwrap() == "full"));
    }
    assert_eq!(
        number(
            &store,
            "SELECT count(*) FROM reservations WHERE state = 'held'"
        ),
        24
    );
    for process in processes.iter_mut().take(7) {
        process.kill();
    }
    let gone = |owner: Owner| started(owner.pid) != Some(owner.start);
    let lost = store
        .write_blocking(move |c| expire(c, NOW + MINUTE, &gone))
        .unwrap();
    let last = i64::from(processes[7].child.id());
    let kept = number(
        &store,
        &format!("SELECT count(*) FROM reservations WHERE state = 'held' AND pid = {last}"),
    );
    assert_eq!(i64::try_from(lost.len()).unwrap() + kept, 24);
    assert_eq!(
        number(
            &store,
            "SELECT count(*) FROM reservations WHERE state = 'held'"
        ),
        kept
    );
    for n in 0..24 - kept {
        let ask = ask(&format!("c_new_{n}"), 1);
        store
            .write_blocking(move |c| reserve(c, NOW + MINUTE, &ask))
            .unwrap();
    }
    let one = ask("c_one", 1);
    let full = store.write_blocking(move |c| reserve(c, NOW + MINUTE, &one));
    assert!(matches!(full, Err(LimitError::Denied(_))), "{full:?}");
    assert_sound(&store);
}
