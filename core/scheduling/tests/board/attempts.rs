//! What attempts leave behind: facts, worktrees, and what is found after a crash.

use crate::fixture::{Board, MINUTE, by_process};
use callboard_scheduling::{
    self as scheduling, Attempt, Facts, Lease, Outcome, Process, SchedulingError, State,
    WorktreeRow,
};

fn record(board: &Board, lease: &Lease, facts: Facts) -> Result<(), SchedulingError> {
    let (now, lease) = (board.now(), lease.clone());
    board.run(move |c| scheduling::attempt_record(c, now, &lease, &facts))
}

fn step(name: &str) -> Facts {
    Facts {
        step: Some(name.to_owned()),
        ..Facts::default()
    }
}

#[test]
fn what_is_recorded_is_read_back_and_shown_as_progress() {
    let board = Board::new();
    let id = board.titled("task");
    let lease = board.claim();
    let facts = Facts {
        branch: Some("callboard/x".to_owned()),
        commits: Some(2),
        pushed: Some(true),
        diff: Some((1, 20, 3)),
        ..step("push")
    };
    record(&board, &lease, facts.clone()).unwrap();
    assert_eq!(board.attempts(&id)[0].facts, facts);
    assert_eq!(board.task(&id).progress.as_deref(), Some("push"));
    board.finish(&lease).unwrap();
    assert!(matches!(
        record(&board, &lease, step("late")),
        Err(SchedulingError::Stale { .. })
    ));
    assert_eq!(
        board.attempts(&id)[0].facts,
        facts,
        "they outlive the attempt"
    );
}

#[test]
fn cleaning_up_adds_to_the_facts_of_an_ended_attempt() {
    let board = Board::new();
    let id = board.titled("task");
    let lease = board.claim();
    record(&board, &lease, step("agent")).unwrap();
    board.interrupt(&lease).unwrap();
    let attempt = board.attempts(&id)[0].id.clone();
    board
        .run(move |c| {
            scheduling::attempt_amend(c, 1, &attempt, |facts| {
                facts.kept = Some("refs/kept/1".to_owned())
            })
        })
        .unwrap();
    let facts = &board.attempts(&id)[0].facts;
    assert_eq!(
        (facts.kept.as_deref(), facts.step.as_deref()),
        (Some("refs/kept/1"), Some("agent"))
    );
    let missing = board.run(|c| scheduling::attempt_amend(c, 1, "a_none", |_| ()));
    assert_eq!(
        missing.unwrap_err().to_string(),
        "no attempt a_none on this board"
    );
}

#[test]
fn attempts_are_listed_first_one_first_and_found_by_id() {
    let board = Board::new();
    let id = board.titled("task");
    for _ in 0..3 {
        let lease = board.claim();
        board.advance(MINUTE);
        board.release(&lease).unwrap();
    }
    let attempts = board.attempts(&id);
    let numbers: Vec<(u32, i64)> = attempts.iter().map(|a| (a.number, a.fence)).collect();
    assert_eq!(numbers, [(1, 1), (2, 2), (3, 3)]);
    assert!(
        attempts
            .iter()
            .all(|a| a.outcome == Outcome::Released && a.task == id)
    );
    let found = board.look(|c| scheduling::attempt_get(c, &attempts[1].id));
    assert_eq!(found, attempts[1]);
    assert!(board.attempts("t_none").is_empty());
}

#[test]
fn open_attempts_of_processes_are_what_a_start_looks_at() {
    let board = Board::new();
    for n in 0..3 {
        board.titled(&format!("task {n}"));
    }
    let (first, lease) = board.try_claim(by_process(5)).unwrap().unwrap();
    let (second, _) = board.try_claim(by_process(5)).unwrap().unwrap();
    board.claim();
    let open = |board: &Board| -> Vec<String> {
        let open: Vec<Attempt> = board.look(|c| scheduling::attempts_open(c));
        open.into_iter().map(|attempt| attempt.task).collect()
    };
    assert_eq!(
        open(&board),
        [first.id.clone(), second.id.clone()],
        "a client's is not among them"
    );
    let processes = board.look(|c| scheduling::processes_open(c));
    assert_eq!(processes, [Process { pid: 5, start: 77 }]);
    board.finish(&lease).unwrap();
    assert_eq!(open(&board), std::slice::from_ref(&second.id));
    board.cancel(&second.id).unwrap();
    assert!(open(&board).is_empty());
    assert!(board.gone(processes[0]).is_empty());
    assert_eq!(board.state(&second.id), State::Cancelled);
}

fn row(attempt: &str, repo: &str) -> WorktreeRow {
    WorktreeRow {
        attempt: attempt.to_owned(),
        repo: repo.to_owned(),
        path: format!("/board/worktrees/{attempt}"),
        branch: Some("callboard/x".to_owned()),
        base: "abc".to_owned(),
    }
}

fn intend(board: &Board, row: &WorktreeRow) {
    let (now, row) = (board.now(), row.clone());
    board
        .run(move |c| scheduling::worktree_intend(c, now, &row))
        .unwrap();
}

fn idle(board: &Board, repo: &str) -> Vec<WorktreeRow> {
    board.look(|c| scheduling::worktrees_idle(c, repo))
}

#[test]
fn a_worktree_is_idle_once_its_attempt_has_ended() {
    let board = Board::new();
    board.titled("task");
    let (task, lease) = board.try_claim(by_process(5)).unwrap().unwrap();
    let mine = row(task.attempt.as_deref().unwrap(), "/repo");
    intend(&board, &mine);
    assert!(idle(&board, "/repo").is_empty());
    board.interrupt(&lease).unwrap();
    assert!(idle(&board, "/other").is_empty());
    assert_eq!(idle(&board, "/repo"), std::slice::from_ref(&mine));
    let attempt = mine.attempt;
    board
        .run(move |c| scheduling::worktree_forget(c, &attempt))
        .unwrap();
    assert!(idle(&board, "/repo").is_empty());
}

#[test]
fn a_worktree_of_an_unknown_attempt_is_idle() {
    let board = Board::new();
    let stray = row("a_stray", "/repo");
    intend(&board, &stray);
    assert_eq!(idle(&board, "/repo"), std::slice::from_ref(&stray));
    let moved = WorktreeRow {
        path: "/elsewhere".to_owned(),
        branch: None,
        ..stray
    };
    intend(&board, &moved);
    assert_eq!(
        idle(&board, "/repo"),
        [moved],
        "one row an attempt, the last intent holds"
    );
}

#[test]
fn ended_attempts_are_read_on_from_where_somebody_was() {
    let board = Board::new();
    let mut ended = Vec::new();
    for (title, fails) in [("one", false), ("two", true), ("three", false)] {
        let task = board.titled(title);
        let lease = board.claim();
        board.advance(MINUTE);
        if fails {
            board.interrupt(&lease).unwrap();
            // It is ready again, and not to be claimed instead of the next.
            board.cancel(&task).unwrap();
        } else {
            board.finish(&lease).unwrap();
        }
        ended.push((task, board.now()));
    }
    board.titled("open");
    board.claim();
    let read =
        |after, until, most| board.look(|c| scheduling::attempts_ended(c, after, until, most));
    let all = read((0, 0), board.now(), 10);
    let seen: Vec<(String, i64)> = all
        .iter()
        .map(|one| (one.task.clone(), one.ended_at))
        .collect();
    assert_eq!(seen, ended);
    assert_eq!(all[0].started_at, all[0].ended_at - MINUTE);
    assert_eq!(
        [all[0].outcome, all[1].outcome, all[2].outcome],
        [Outcome::Done, Outcome::Interrupted, Outcome::Done]
    );
    // Page by page, and never what may still get company.
    assert_eq!(read((0, 0), board.now(), 1), all[..1]);
    assert_eq!(
        read((all[0].ended_at, all[0].seq), board.now(), 10),
        all[1..]
    );
    assert_eq!(read((0, 0), board.now() - 1, 10), all[..2]);
    // Of those that ended together the rest is read.
    assert_eq!(
        read((all[1].ended_at, all[1].seq - 1), board.now(), 10),
        all[1..]
    );
}
