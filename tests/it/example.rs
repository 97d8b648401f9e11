//! The main job: the example is worked to its end in a copy, and what the table says is what git says.

use callboard_tests::{Finished, Home, root};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The example, and its copy after `callboard run`.
pub struct Worked {
    pub home: Home,
    pub copy: PathBuf,
    pub finished: Finished,
}

/// What must be the same however often the run was interrupted.
#[derive(Debug, PartialEq, Eq)]
pub struct State {
    pub outcomes: BTreeMap<String, String>,
    pub tree: String,
    pub statuses: Vec<String>,
    pub merges: BTreeMap<String, usize>,
}

pub fn example() -> PathBuf {
    root().join("examples").join("tally")
}

pub fn events(finished: &Finished) -> Vec<Value> {
    finished
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The path of the copy, from the first event.
pub fn copied(line: &str) -> PathBuf {
    let event: Value = serde_json::from_str(line).unwrap();
    assert_eq!(event["event"], "copied", "{event}");
    PathBuf::from(event["project"].as_str().unwrap())
}

pub fn work() -> Worked {
    let home = Home::new();
    let finished = home.callboard(&["run", example().to_str().unwrap(), "--json"]);
    let copy = copied(
        finished
            .out
            .lines()
            .next()
            .unwrap_or_else(|| panic!("{finished:?}")),
    );
    Worked {
        home,
        copy,
        finished,
    }
}

pub fn report(finished: &Finished) -> Value {
    let last = events(finished).pop().unwrap();
    assert_eq!(last["event"], "finished", "{last}\n{}", finished.err);
    last["report"].clone()
}

pub fn state(home: &Home, copy: &Path, report: &Value) -> State {
    let items = report["items"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let roadmap = home.git(copy, &["show", "callboard/integration:ROADMAP.md"]);
    let log = home.git(
        copy,
        &[
            "log",
            "--first-parent",
            "--format=%(trailers:key=Callboard-Item,valueonly,separator=%x2c)",
            "main..callboard/integration",
        ],
    );
    let mut merges = BTreeMap::new();
    for item in log.lines().filter(|line| !line.is_empty()) {
        *merges.entry(item.to_owned()).or_default() += 1;
    }
    State {
        outcomes: items
            .iter()
            .map(|item| (text(&item["item"]), text(&item["outcome"])))
            .collect(),
        tree: home.git(copy, &["rev-parse", "callboard/integration^{tree}"]),
        statuses: roadmap
            .lines()
            .filter(|line| line.contains("**Status**"))
            .map(str::to_owned)
            .collect(),
        merges,
    }
}

/// Nothing is left behind: no worktree, no branch of an attempt, no process, no damage.
pub fn assert_tidy(home: &Home, copy: &Path) {
    let beside = copy.parent().unwrap();
    assert_tidy_at(
        home,
        copy,
        &beside.join("board"),
        &beside.join("origin.git"),
    );
}

pub fn assert_tidy_at(home: &Home, copy: &Path, board: &Path, origin: &Path) {
    let worktrees = home.git(copy, &["worktree", "list", "--porcelain"]);
    assert_eq!(worktrees.matches("worktree ").count(), 1, "{worktrees}");
    for name in ["worktrees", "attempts"] {
        let left: Vec<_> = std::fs::read_dir(board.join(name))
            .unwrap()
            .flatten()
            .collect();
        assert!(left.is_empty(), "left in {name}: {left:?}");
    }
    let branches = home.git(copy, &["branch", "--format=%(refname:short)"]);
    let names: Vec<&str> = branches.lines().collect();
    assert_eq!(names, ["callboard/integration", "main"]);
    assert_eq!(home.git(copy, &["status", "--porcelain"]), "");
    home.git(copy, &["fsck", "--strict"]);
    home.git(origin, &["fsck", "--strict"]);
    let left = home.processes();
    assert!(left.is_empty(), "still alive: {left:?}");
}

fn outcomes(item: &Value) -> Vec<&str> {
    item["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["outcome"].as_str().unwrap())
        .collect()
}

#[test]
fn the_example_ends_all_done() {
    let worked = work();
    assert_eq!(worked.finished.code, 0, "{:?}", worked.finished);
    let report = report(&worked.finished);
    let items = report["items"].as_array().unwrap();
    assert!(
        items.iter().all(|item| item["outcome"] == "done"),
        "{report}"
    );

    // What failed, hung and conflicted at first shows both attempts and why.
    for first in ["failed", "timed_out", "conflict"] {
        let item = items
            .iter()
            .find(|item| outcomes(item)[0] == first)
            .unwrap_or_else(|| panic!("none {first}: {report}"));
        assert_eq!(outcomes(item), [first, "done"], "{item}");
        assert!(!item["attempts"][0]["error"].as_str().unwrap().is_empty());
    }
    assert_git_agrees(&worked, items);
    assert_tidy(&worked.home, &worked.copy);
}

fn assert_git_agrees(worked: &Worked, items: &[Value]) {
    let (home, copy) = (&worked.home, &worked.copy);
    let origin = copy.parent().unwrap().join("origin.git");
    let tip = home.git(copy, &["rev-parse", "callboard/integration"]);
    assert_eq!(
        home.git(&origin, &["rev-parse", "callboard/integration"]),
        tip
    );
    assert_eq!(
        home.git(&origin, &["rev-parse", "main"]),
        home.git(copy, &["rev-parse", "main"])
    );
    for item in items {
        let branch = item["branch"].as_str().unwrap();
        let commit = home.git(&origin, &["rev-parse", branch]);
        home.git(&origin, &["merge-base", "--is-ancestor", &commit, &tip]);
        home.git(
            &origin,
            &[
                "merge-base",
                "--is-ancestor",
                item["merge"].as_str().unwrap(),
                &tip,
            ],
        );
        assert!(
            item["tests"].as_str().unwrap().ends_with("passed"),
            "{item}"
        );
    }
    let state = state(home, copy, &report(&worked.finished));
    assert!(
        state.statuses.iter().all(|status| status.contains("✅")),
        "{state:?}"
    );
    assert!(state.merges.values().all(|count| *count == 1), "{state:?}");
    assert_eq!(state.merges.len(), items.len());
    assert_conventional(home, copy);
}

fn assert_conventional(home: &Home, copy: &Path) {
    let subjects = home.git(copy, &["log", "--format=%s", "callboard/integration"]);
    for subject in subjects.lines() {
        let (head, rest) = subject
            .split_once(": ")
            .unwrap_or_else(|| panic!("{subject}"));
        let kind = head.split('(').next().unwrap();
        assert!(
            ["feat", "fix", "docs", "test", "refactor", "perf", "chore"].contains(&kind),
            "{subject}"
        );
        assert!(
            !rest.is_empty() && subject.chars().count() <= 72,
            "{subject}"
        );
    }
}

#[test]
fn a_worked_copy_has_nothing_left_to_do() {
    let worked = work();
    let again = worked
        .home
        .callboard(&["run", worked.copy.to_str().unwrap(), "--json"]);
    assert_eq!(again.code, 0, "{again:?}");
    let (first, second) = (report(&worked.finished), report(&again));
    assert_eq!(first["head"], second["head"]);
    assert_eq!(
        state(&worked.home, &worked.copy, &first),
        state(&worked.home, &worked.copy, &second)
    );
}

#[test]
fn plain_lines_tell_the_copy_the_attempts_and_the_table() {
    let home = Home::new();
    let done = home.callboard(&["run", example().to_str().unwrap()]);
    assert_eq!(done.code, 0, "{done:?}");
    for text in [
        "Copied tally to",
        "To go on after an interruption: /",
        "/callboard run /",
        "Outcome",
        "attempt 1 failed",
        "attempt 1 timed out",
        "attempt 1 conflict",
        "7 done",
    ] {
        assert!(
            done.out.contains(text),
            "{text:?} is missing in\n{}",
            done.out
        );
    }
    assert!(
        !done.out.contains('\u{1b}'),
        "escape codes where there is no terminal"
    );
}
