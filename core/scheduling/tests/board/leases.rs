//! Leases: fences, heartbeats, expiry, time limits.

use crate::fixture::{Board, MINUTE, SECOND, by_process, lease_of, refusal};
use callboard_scheduling::{
    self as scheduling, Claim, DEFAULT_LEASE_MS, Facts, Failure, Lease, NewTask, Outcome,
    SchedulingError, State,
};

/// Every write of a worker with this lease.
fn writes(board: &Board, lease: &Lease) -> Vec<(&'static str, Result<(), SchedulingError>)> {
    let (now, with) = (board.now(), lease.clone());
    let record = board.run(move |c| scheduling::attempt_record(c, now, &with, &Facts::default()));
    vec![
        ("finish", board.finish(lease).map(drop)),
        ("fail", board.fail(lease, Failure::Retry, "x").map(drop)),
        (
            "fail for good",
            board.fail(lease, Failure::Final, "x").map(drop),
        ),
        ("release", board.release(lease).map(drop)),
        ("interrupt", board.interrupt(lease).map(drop)),
        ("park", board.park(lease, "x").map(drop)),
        ("extend", board.extend(lease, MINUTE).map(drop)),
        ("record", record),
    ]
}

fn all_refused(board: &Board, lease: &Lease, why: &str) {
    let before = (board.task(&lease.task), board.attempts(&lease.task));
    for (write, answer) in writes(board, lease) {
        let error = answer.unwrap_err();
        assert!(
            matches!(error, SchedulingError::Stale { .. }),
            "{write}: {error}"
        );
        assert!(error.to_string().contains(why), "{write}: {error}");
        assert!(error.hint().unwrap().contains("discard the result"));
    }
    assert_eq!(
        before,
        (board.task(&lease.task), board.attempts(&lease.task))
    );
}

#[test]
fn a_lease_that_was_lost_to_another_worker_changes_nothing() {
    let board = Board::new();
    board.titled("contested");
    let lost = board.claim();
    board.release(&lost).unwrap();
    let held = board.claim();
    assert_eq!(held.fence, lost.fence + 1);
    all_refused(&board, &lost, "claimed again (fence 2)");
    board.finish(&held).unwrap();
}

#[test]
fn every_way_out_of_running_ends_the_lease() {
    type Way = fn(&Board, &Lease);
    let ways: [(&str, Way); 7] = [
        ("the task is done now", |b, l| drop(b.finish(l).unwrap())),
        ("the task is scheduled now", |b, l| {
            drop(b.fail(l, Failure::Retry, "x").unwrap())
        }),
        ("the task is dead now", |b, l| {
            drop(b.fail(l, Failure::Final, "x").unwrap())
        }),
        ("the task is ready now", |b, l| drop(b.release(l).unwrap())),
        ("the task is ready now", |b, l| {
            drop(b.interrupt(l).unwrap())
        }),
        ("the task is parked now", |b, l| {
            drop(b.park(l, "x").unwrap())
        }),
        ("the task is cancelled now", |b, l| {
            drop(b.cancel(&l.task).unwrap())
        }),
    ];
    for (why, end) in ways {
        let board = Board::new();
        let id = board.titled("once");
        let lease = board.claim();
        end(&board, &lease);
        all_refused(&board, &lease, why);
        let attempt = &board.attempts(&id)[0];
        assert_eq!(attempt.ended_at, Some(board.now()), "{why}");
        assert_eq!(board.task(&id).lease_until, None, "{why}");
    }
}

#[test]
fn a_made_up_fence_is_refused() {
    let board = Board::new();
    let id = board.titled("task");
    board.claim();
    for fence in [0, -1, 2, i64::MAX] {
        let lease = Lease {
            task: id.clone(),
            fence,
        };
        all_refused(&board, &lease, "never given out");
    }
    let nowhere = Lease {
        task: "t_none".to_owned(),
        fence: 1,
    };
    for (write, answer) in writes(&board, &nowhere) {
        let error = answer.unwrap_err();
        assert!(
            matches!(error, SchedulingError::NotFound { .. }),
            "{write}: {error}"
        );
    }
}

#[test]
fn a_claim_tells_what_to_do_and_until_when() {
    let board = Board::new();
    let id = board.titled("task");
    let (task, _) = board.try_claim(Claim::by("alice")).unwrap().unwrap();
    assert_eq!(task.id, id);
    assert_eq!(
        (task.state, task.attempts, task.fence),
        (State::Running, 1, 1)
    );
    assert_eq!(task.worker.as_deref(), Some("alice"));
    assert_eq!(task.lease_until, Some(board.now() + DEFAULT_LEASE_MS));
    assert_eq!(task.started_at, Some(board.now()));
    assert_eq!(task, board.task(&id));
    let attempt = &board.attempts(&id)[0];
    assert_eq!(Some(&attempt.id), task.attempt.as_ref());
    assert_eq!(
        (attempt.number, attempt.fence, attempt.outcome),
        (1, 1, Outcome::Running)
    );
    assert_eq!(attempt.lease(), lease_of(&task));
    board.claim_nothing();
}

#[test]
fn a_heartbeat_moves_the_end_of_the_lease_and_keeps_progress() {
    let board = Board::new();
    let id = board.titled("long");
    let lease = board.claim();
    board.advance(4 * MINUTE);
    let (now, with) = (board.now(), lease.clone());
    let until = board
        .run(move |c| scheduling::lease_extend(c, now, &with, 10 * MINUTE, Some("half way")))
        .unwrap();
    assert_eq!(until, board.now() + 10 * MINUTE);
    board.advance(9 * MINUTE);
    assert_eq!(board.sweep().expired, 0);
    board.extend(&lease, MINUTE).unwrap();
    assert_eq!(
        board.task(&id).progress.as_deref(),
        Some("half way"),
        "kept when not said anew"
    );
    assert_eq!(board.task(&id).lease_until, Some(board.now() + MINUTE));
}

#[test]
fn expiry_counts_a_failure_and_says_why() {
    let board = Board::new();
    let id = board.titled("forgotten");
    let lease = board.claim();
    board.advance(DEFAULT_LEASE_MS);
    assert_eq!(
        board.sweep().expired,
        0,
        "the last millisecond is still its own"
    );
    let due = |now| board.look(|c| scheduling::sweep_due(c, now));
    assert!(!due(board.now()));
    board.advance(1);
    assert!(due(board.now()));
    assert_eq!(board.sweep().expired, 1);
    assert!(!due(board.now()));
    let task = board.task(&id);
    assert_eq!((task.state, task.failures), (State::Scheduled, 1));
    assert_eq!(
        task.reason.as_deref(),
        Some("no heartbeat: the lease ran out after 5 min 0 s")
    );
    let attempt = &board.attempts(&id)[0];
    assert_eq!(
        (attempt.outcome, &attempt.error),
        (Outcome::Expired, &task.reason)
    );
    all_refused(&board, &lease, "the task is scheduled now");
}

#[test]
fn a_lease_that_ran_out_unseen_can_still_be_extended() {
    let board = Board::new();
    board.titled("slow");
    let lease = board.claim();
    board.advance(2 * DEFAULT_LEASE_MS);
    board.extend(&lease, MINUTE).unwrap();
    assert_eq!(board.sweep().expired, 0);
    board.finish(&lease).unwrap();
}

#[test]
fn expiry_uses_up_the_retries() {
    let board = Board::new();
    let id = board.add(NewTask {
        max_retries: 1,
        backoff_ms: 0,
        ..NewTask::titled("deadly")
    });
    for state in [State::Ready, State::Dead] {
        board.claim();
        board.advance(DEFAULT_LEASE_MS + 1);
        board.sweep();
        assert_eq!(board.state(&id), state);
    }
}

fn limited(ms: i64) -> NewTask {
    NewTask {
        timeout_ms: Some(ms),
        ..NewTask::titled("limited")
    }
}

#[test]
fn a_clients_time_limit_cuts_its_lease_and_heartbeats_do_not_help() {
    let board = Board::new();
    let id = board.add(limited(90 * SECOND));
    let (task, lease) = board.try_claim(Claim::by("w")).unwrap().unwrap();
    let limit = board.now() + 90 * SECOND;
    assert_eq!(task.lease_until, Some(limit));
    board.advance(MINUTE);
    assert_eq!(board.extend(&lease, 10 * MINUTE).unwrap(), limit);
    board.advance(30 * SECOND + 1);
    assert_eq!(board.sweep().expired, 1);
    let attempt = &board.attempts(&id)[0];
    assert_eq!(attempt.outcome, Outcome::TimedOut);
    assert_eq!(
        attempt.error.as_deref(),
        Some("ran longer than its time limit (1 min 30 s)")
    );
    assert_eq!(board.task(&id).failures, 1);
}

#[test]
fn a_short_lease_within_a_long_limit_is_lost_for_want_of_a_heartbeat() {
    let board = Board::new();
    let id = board.add(limited(60 * MINUTE));
    board.claim();
    board.advance(DEFAULT_LEASE_MS + 1);
    board.sweep();
    assert_eq!(board.attempts(&id)[0].outcome, Outcome::Expired);
}

#[test]
fn a_process_keeps_the_time_limit_itself() {
    let board = Board::new();
    let id = board.add(limited(90 * SECOND));
    let (task, lease) = board.try_claim(by_process(9)).unwrap().unwrap();
    assert_eq!(task.lease_until, Some(board.now() + DEFAULT_LEASE_MS));
    board.advance(2 * MINUTE);
    assert_eq!(
        board.sweep().expired,
        0,
        "ending and reporting takes it a moment"
    );
    let until = board.extend(&lease, DEFAULT_LEASE_MS).unwrap();
    assert_eq!(until, board.now() + DEFAULT_LEASE_MS);
    board.advance(DEFAULT_LEASE_MS + 1);
    board.sweep();
    assert_eq!(
        board.attempts(&id)[0].outcome,
        Outcome::Expired,
        "what it lost is the lease"
    );
}

#[test]
fn a_sweep_is_bounded_and_the_next_one_goes_on() {
    let board = Board::new();
    for n in 0..250 {
        board.titled(&format!("task {n}"));
        board.claim();
    }
    for n in 0..250 {
        let due_at = Some(board.now() + SECOND);
        board.add(NewTask {
            due_at,
            ..NewTask::titled(format!("later {n}"))
        });
    }
    board.advance(DEFAULT_LEASE_MS + 1);
    let first = board.sweep();
    assert_eq!((first.promoted, first.expired), (200, 200));
    // Those that expired back off for five seconds and are not due yet.
    let second = board.sweep();
    assert_eq!((second.promoted, second.expired), (50, 50));
    assert_eq!(board.sweep(), scheduling::Swept::default());
}

#[test]
fn leases_have_bounds() {
    let board = Board::new();
    board.titled("task");
    for lease_ms in [0, -1, 999, 24 * 60 * MINUTE + 1, i64::MAX] {
        let claim = Claim {
            lease_ms,
            ..Claim::by("w")
        };
        let said = refusal(board.try_claim(claim));
        assert!(
            said.starts_with("lease_ms: is ") && said.contains("1000 to 86400000"),
            "{said}"
        );
    }
    let lease = board.claim();
    assert!(refusal(board.extend(&lease, 0)).starts_with("lease_ms: "));
}

#[test]
fn a_result_and_an_error_have_bounds() {
    let board = Board::new();
    board.titled("task");
    let lease = board.claim();
    let (now, with) = (board.now(), lease.clone());
    let huge = serde_json::json!("x".repeat(256 * 1024));
    let said = refusal(board.run(move |c| scheduling::task_finish(c, now, &with, &huge)));
    assert!(said.contains("store a path instead"), "{said}");
    let said = refusal(board.fail(&lease, Failure::Retry, &"x".repeat(20_001)));
    assert!(said.contains("20001 characters"), "{said}");
    assert!(refusal(board.park(&lease, "\u{1b}[2J")).contains("U+001B"));
    board.finish(&lease).unwrap();
}
