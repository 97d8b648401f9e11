//! What can't be accepted is refused with the field's name, and nothing is posted.

use crate::fixture::{Board, refusal};
use callboard_scheduling::{Claim, NewTask, board_counts};
use serde_json::json;
use std::collections::BTreeMap;

fn base() -> NewTask {
    NewTask::titled("task")
}

fn env(name: &str, value: &str) -> BTreeMap<String, String> {
    [(name.to_owned(), value.to_owned())].into()
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

/// What is done to a sound task, and how the refusal begins.
type Case = (fn(&mut NewTask), &'static str);

const BAD_TEXTS: [Case; 17] = [
    (|t| t.title.clear(), "title: is empty"),
    (|t| t.title = " \t ".into(), "title: is empty"),
    (
        |t| t.title = "a\nb".into(),
        "title: has the control character U+000A at byte 1",
    ),
    (
        |t| t.title = "a\u{7f}".into(),
        "title: has the control character U+007F",
    ),
    (
        |t| t.title = "a\u{85}".into(),
        "title: has the control character U+0085",
    ),
    (
        |t| t.title = long(301),
        "title: has 301 characters, at most 300",
    ),
    (
        |t| t.prompt = "a\u{1b}[31m".into(),
        "prompt: has the control character U+001B",
    ),
    (
        |t| t.prompt = long(200_001),
        "prompt: has 200001 characters",
    ),
    (|t| t.queue.clear(), "queue: is empty"),
    (|t| t.queue = long(121), "queue: has 121 characters"),
    (
        |t| t.kind = "a\u{0}".into(),
        "kind: has the control character U+0000",
    ),
    (
        |t| t.project = text("a\rb"),
        "project: has the control character U+000D",
    ),
    (
        |t| t.project = text(&long(1_001)),
        "project: has 1001 characters",
    ),
    (
        |t| t.branch = text("a\u{0}"),
        "branch: has the control character",
    ),
    (
        |t| t.dedup_key = text("a\u{0}"),
        "dedup_key: has the control character",
    ),
    (
        |t| t.dedup_key = text(&long(1_001)),
        "dedup_key: has 1001 characters",
    ),
    (
        |t| t.prompt = "\u{9b}".into(),
        "prompt: has the control character U+009B",
    ),
];

const BAD_PLACES: [Case; 4] = [
    (
        |t| t.working_dir = text("src"),
        "working_dir: \"src\" is not an absolute path",
    ),
    (
        |t| t.working_dir = text(""),
        "working_dir: \"\" is not an absolute path",
    ),
    (
        |t| t.working_dir = text("/a\nb"),
        "working_dir: has the control character",
    ),
    (
        |t| t.working_dir = text(&long(4_001)),
        "working_dir: has 4001 characters",
    ),
];

const BAD_LISTS: [Case; 10] = [
    (|t| t.tags = vec![String::new()], "tags: is empty"),
    (
        |t| t.tags = vec!["a\tb".into()],
        "tags: has the control character",
    ),
    (|t| t.tags = vec!["t".into(); 51], "tags: at most 50 tags"),
    (
        |t| t.metadata = json!("text"),
        "metadata: must be a JSON object",
    ),
    (
        |t| t.metadata = json!(null),
        "metadata: must be a JSON object",
    ),
    (
        |t| t.metadata = json!({"k": "x".repeat(65_536)}),
        "metadata: is 65544 bytes",
    ),
    (
        |t| t.env = env("A", "\u{0}"),
        "env: has the control character U+0000",
    ),
    (
        |t| t.env = env("A", &long(32_001)),
        "env: has 32001 characters",
    ),
    (|t| t.env = variables(101), "env: at most 100 variables"),
    (
        |t| t.depends_on = vec!["t".into(); 1_001],
        "depends_on: at most 1000",
    ),
];

const BAD_NUMBERS: [Case; 6] = [
    (|t| t.priority = 11, "priority: is 11, allowed are 0 to 10"),
    (
        |t| t.max_retries = 101,
        "max_retries: is 101, allowed are 0 to 100",
    ),
    (|t| t.backoff_ms = -1, "backoff_ms: is -1"),
    (|t| t.backoff_ms = 300_001, "backoff_ms: is 300001"),
    (|t| t.timeout_ms = Some(0), "timeout_ms: is 0"),
    (
        |t| t.timeout_ms = Some(i64::MAX),
        "timeout_ms: is 9223372036854775807",
    ),
];

fn long(characters: usize) -> String {
    "ñ".repeat(characters)
}

fn variables(count: usize) -> BTreeMap<String, String> {
    (0..count)
        .map(|n| (format!("V{n}"), String::new()))
        .collect()
}

#[test]
fn each_bad_value_is_refused_by_field() {
    let board = Board::new();
    let cases = [&BAD_TEXTS[..], &BAD_PLACES, &BAD_LISTS, &BAD_NUMBERS].concat();
    for (spoil, start) in cases {
        let mut new = base();
        spoil(&mut new);
        let said = refusal(board.try_add(new));
        assert!(
            said.starts_with(start),
            "{said:?} should start with {start:?}"
        );
    }
    assert!(board.look(|c| board_counts(c)).is_empty());
}

#[test]
fn variables_that_decide_what_runs_are_refused() {
    let board = Board::new();
    for name in [
        "PATH",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "DYLD_INSERT_LIBRARIES",
        "GIT_DIR",
        "GIT_SSH_COMMAND",
        "CALLBOARD_TASK",
    ] {
        let said = refusal(board.try_add(NewTask {
            env: env(name, "x"),
            ..base()
        }));
        assert!(
            said.starts_with(&format!("env: {name} may not be set by a task")),
            "{said}"
        );
    }
    for name in [
        "",
        "1A",
        "A-B",
        "A B",
        "A=B",
        "Ä",
        "A\u{0}",
        "a.b",
        &"A".repeat(121),
    ] {
        let said = refusal(board.try_add(NewTask {
            env: env(name, "x"),
            ..base()
        }));
        assert!(said.contains("is not a variable name"), "{said}");
    }
    for name in ["A", "_", "a_1", "MY_PATH", "XGIT_DIR"] {
        board.add(NewTask {
            env: env(name, "two\nlines"),
            ..base()
        });
    }
}

#[test]
fn what_is_just_within_the_bounds_is_accepted_and_kept() {
    let board = Board::new();
    let new = NewTask {
        prompt: "tabs\tand\r\nlines".to_owned(),
        queue: "q".repeat(120),
        priority: 0,
        max_retries: 100,
        backoff_ms: 300_000,
        timeout_ms: Some(30 * 24 * 3_600_000),
        tags: vec!["t".repeat(120); 50],
        ..NewTask::titled("ñ".repeat(300))
    };
    let task = board.task(&board.add(new.clone()));
    assert_eq!(
        (task.title, task.prompt, task.tags),
        (new.title, new.prompt, new.tags)
    );
    assert_eq!((task.queue, task.timeout_ms), (new.queue, new.timeout_ms));
}

#[test]
fn a_title_is_all_that_is_needed() {
    let board = Board::new();
    let task = board.task(&board.titled("buy milk"));
    assert_eq!(
        (task.queue.as_str(), task.kind.as_str(), task.priority),
        ("default", "task", 5)
    );
    assert_eq!(
        (task.max_retries, task.backoff_ms, task.timeout_ms),
        (3, 5_000, None)
    );
    assert_eq!(task.metadata, json!({}));
}

#[test]
fn a_worker_has_a_name() {
    let board = Board::new();
    board.titled("task");
    for (claim, start) in [
        (Claim::by(""), "worker: is empty"),
        (Claim::by("a\nb"), "worker: has the control character"),
        (Claim::by("w".repeat(121)), "worker: has 121 characters"),
        (
            Claim {
                queue: String::new(),
                ..Claim::by("w")
            },
            "queue: is empty",
        ),
    ] {
        let said = refusal(board.try_claim(claim));
        assert!(said.starts_with(start), "{said}");
    }
    board.claim();
}
