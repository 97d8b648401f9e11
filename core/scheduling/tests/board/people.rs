//! What people do to tasks: change, cancel, run again, resolve, archive, delay.

use crate::fixture::{Board, MINUTE, refusal};
use callboard_scheduling::{
    self as scheduling, Change, Claim, Filter, NewTask, Outcome, SchedulingError, Shelf, State,
};
use serde_json::json;

#[test]
fn a_change_sets_what_it_names_and_nothing_else() {
    let board = Board::new();
    let id = board.titled("old");
    let before = board.task(&id);
    board.advance(MINUTE);
    let change = Change {
        priority: Some(8),
        title: Some("new".to_owned()),
        prompt: Some("line\nline".to_owned()),
        tags: Some(vec!["a".to_owned(), "b".to_owned()]),
        metadata: Some(json!({"k": [1, null]})),
        depends_on: None,
    };
    let after = board.update(&id, change).unwrap();
    let mut expected = before.clone();
    expected.priority = 8;
    expected.title = "new".to_owned();
    expected.prompt = "line\nline".to_owned();
    expected.tags = vec!["a".to_owned(), "b".to_owned()];
    expected.metadata = json!({"k": [1, null]});
    expected.updated_at = board.now();
    assert_eq!(after, expected);
    assert_eq!(board.update(&id, Change::default()).unwrap(), expected);
}

#[test]
fn bad_changes_are_refused_by_field() {
    let board = Board::new();
    let id = board.titled("task");
    let cases = [
        (
            Change {
                priority: Some(11),
                ..Change::default()
            },
            "priority: is 11",
        ),
        (
            Change {
                title: Some(" ".to_owned()),
                ..Change::default()
            },
            "title: is empty",
        ),
        (
            Change {
                title: Some("a\nb".to_owned()),
                ..Change::default()
            },
            "title: has the control character U+000A",
        ),
        (
            Change {
                prompt: Some("\u{0}".to_owned()),
                ..Change::default()
            },
            "prompt: has the control character U+0000",
        ),
        (
            Change {
                tags: Some(vec![String::new()]),
                ..Change::default()
            },
            "tags: is empty",
        ),
        (
            Change {
                metadata: Some(json!([1])),
                ..Change::default()
            },
            "metadata: must be a JSON object",
        ),
    ];
    let before = board.task(&id);
    for (change, start) in cases {
        let said = refusal(board.update(&id, change));
        assert!(said.starts_with(start), "{said}");
    }
    assert_eq!(board.task(&id), before);
}

#[test]
fn a_cancelled_task_is_not_claimed_and_a_running_one_loses_its_lease() {
    let board = Board::new();
    let ready = board.titled("ready");
    let task = board.cancel(&ready).unwrap();
    assert_eq!(
        (task.state, task.finished_at),
        (State::Cancelled, Some(board.now()))
    );
    board.claim_nothing();
    let running = board.titled("running");
    let lease = board.claim();
    board.cancel(&running).unwrap();
    let late = board.finish(&lease).unwrap_err();
    assert!(
        late.to_string().contains("the task is cancelled now"),
        "{late}"
    );
    assert_eq!(board.state(&running), State::Cancelled);
    let attempt = &board.attempts(&running)[0];
    assert_eq!(attempt.outcome, Outcome::Cancelled);
    assert_eq!(attempt.error.as_deref(), Some("not wanted any more"));
}

#[test]
fn what_has_ended_cannot_be_cancelled() {
    let board = Board::new();
    let id = board.titled("task");
    let lease = board.claim();
    board.finish(&lease).unwrap();
    let error = board.cancel(&id).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("task {id} is done: it can't be cancelled")
    );
    assert!(error.hint().unwrap().contains("archive it or run it again"));
}

#[test]
fn run_again_starts_afresh() {
    let board = Board::new();
    let id = board.titled("task");
    let lease = board.claim();
    board.finish(&lease).unwrap();
    board.shelve(&id, Shelf::Archive).unwrap();
    board.advance(MINUTE);
    let task = board.rerun(&id).unwrap();
    assert_eq!(
        (task.state, &task.result, task.archived_at),
        (State::Ready, &None, None)
    );
    assert_eq!((task.finished_at, task.progress.clone()), (None, None));
    let lease = board.claim();
    assert_eq!(
        lease.fence, 2,
        "the fence goes on, so the old lease stays refused"
    );
    assert!(
        board
            .rerun(&id)
            .unwrap_err()
            .hint()
            .unwrap()
            .contains("cancel it first")
    );
}

#[test]
fn a_person_resolves_what_was_parked() {
    let board = Board::new();
    let id = board.titled("needs a key");
    let next = board.after("next", &[&id]);
    let lease = board.claim();
    let task = board.park(&lease, "which key?").unwrap();
    assert_eq!(
        (task.state, task.reason.as_deref()),
        (State::Parked, Some("which key?"))
    );
    assert_eq!(board.attempts(&id)[0].outcome, Outcome::Parked);
    let task = board.resolve(&id).unwrap();
    assert_eq!((task.state, task.reason), (State::Done, None));
    assert_eq!(board.state(&next), State::Ready);
}

#[test]
fn a_result_that_outlived_its_process_is_given_to_its_attempt() {
    let board = Board::new();
    let id = board.titled("merged, then the power went");
    let lease = board.claim();
    board.interrupt(&lease).unwrap();
    let attempt = board.task(&id).attempt.unwrap();
    let (now, task, by) = (board.now(), id.clone(), attempt.clone());
    board
        .run(move |c| scheduling::task_resolve(c, now, &task, Some(&by)))
        .unwrap();
    assert_eq!(board.state(&id), State::Done);
    let attempt = &board.attempts(&id)[0];
    assert_eq!(
        (attempt.outcome, attempt.error.as_deref()),
        (Outcome::Done, None)
    );
    board.claim_nothing();
}

#[test]
fn what_runs_or_has_ended_is_not_resolved() {
    let board = Board::new();
    let id = board.titled("task");
    let lease = board.claim();
    assert!(matches!(
        board.resolve(&id),
        Err(SchedulingError::Illegal {
            state: State::Running,
            ..
        })
    ));
    board.finish(&lease).unwrap();
    assert!(matches!(
        board.resolve(&id),
        Err(SchedulingError::Illegal {
            state: State::Done,
            ..
        })
    ));
}

#[test]
fn archiving_takes_a_task_off_the_board_and_back() {
    let board = Board::new();
    let id = board.titled("task");
    let said = refusal(board.shelve(&id, Shelf::Archive));
    assert!(
        said.contains("only ended tasks are archived; cancel it first"),
        "{said}"
    );
    board.cancel(&id).unwrap();
    let ids = |archived| {
        let filter = Filter {
            archived,
            limit: 10,
            ..Filter::default()
        };
        let page = board.look(|c| scheduling::task_list(c, &filter));
        page.tasks
            .into_iter()
            .map(|task| task.id)
            .collect::<Vec<_>>()
    };
    let archived = board.shelve(&id, Shelf::Archive).unwrap();
    assert_eq!(archived.archived_at, Some(board.now()));
    assert_eq!((ids(false), ids(true)), (vec![], vec![id.clone()]));
    assert!(board.look(|c| scheduling::board_counts(c)).is_empty());
    board.advance(MINUTE);
    assert_eq!(
        board.shelve(&id, Shelf::Archive).unwrap(),
        archived,
        "twice changes nothing"
    );
    board.shelve(&id, Shelf::Restore).unwrap();
    assert_eq!((ids(false), ids(true)), (vec![id.clone()], vec![]));
}

#[test]
fn a_task_that_has_not_started_can_be_put_off_and_called_back() {
    let board = Board::new();
    let id = board.titled("task");
    let due = board.now() + 5 * MINUTE;
    let task = board.delay(&id, due).unwrap();
    assert_eq!((task.state, task.due_at), (State::Scheduled, Some(due)));
    board.claim_nothing();
    assert_eq!(board.delay(&id, board.now()).unwrap().state, State::Ready);
    let lease = board.claim();
    let said = refusal(board.delay(&id, due));
    assert!(said.ends_with("is running: it can't be delayed"), "{said}");
    board.finish(&lease).unwrap();
    assert!(matches!(
        board.delay(&id, due),
        Err(SchedulingError::Illegal { .. })
    ));
}

#[test]
fn a_waiting_task_keeps_waiting_when_it_is_put_off() {
    let board = Board::new();
    let need = board.titled("need");
    let next = board.after("next", &[&need]);
    let due = board.now() + 5 * MINUTE;
    assert_eq!(board.delay(&next, due).unwrap().state, State::Waiting);
    let lease = board.claim();
    board.finish(&lease).unwrap();
    assert_eq!(
        (board.state(&next), board.task(&next).due_at),
        (State::Scheduled, Some(due))
    );
}

#[test]
fn everything_posted_is_what_the_worker_gets() {
    let board = Board::new();
    let new = NewTask {
        prompt: "do it\nwell".to_owned(),
        kind: "review".to_owned(),
        project: Some("/p".to_owned()),
        branch: Some("main".to_owned()),
        working_dir: Some("/tmp".to_owned()),
        tags: vec!["ñ".to_owned()],
        env: [("RUST_LOG".to_owned(), "debug".to_owned())].into(),
        metadata: json!({"n": 1.5, "deep": {"z": 1, "a": 2}}),
        timeout_ms: Some(9),
        max_retries: 7,
        backoff_ms: 8,
        ..NewTask::titled("all of it")
    };
    board.add(new.clone());
    let (task, _) = board.try_claim(Claim::by("w")).unwrap().unwrap();
    let got = NewTask {
        title: task.title,
        prompt: task.prompt,
        queue: task.queue,
        priority: task.priority,
        kind: task.kind,
        project: task.project,
        branch: task.branch,
        working_dir: task.working_dir,
        tags: task.tags,
        env: task.env,
        metadata: task.metadata,
        depends_on: Vec::new(),
        due_at: task.due_at,
        timeout_ms: task.timeout_ms,
        max_retries: task.max_retries,
        backoff_ms: task.backoff_ms,
        dedup_key: None,
    };
    assert_eq!(got, new);
}
