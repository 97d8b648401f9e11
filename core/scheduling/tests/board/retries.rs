//! Failures: back-off, the dead letter, interruptions.

use crate::fixture::{Board, START, by_process};
use callboard_scheduling::{
    DEFAULT_BACKOFF_MS, Failure, MAX_BACKOFF_MS, MAX_INTERRUPTIONS, NewTask, Outcome, State,
    backoff,
};

#[test]
fn each_failure_doubles_the_pause_and_the_last_one_is_the_dead_letter() {
    let board = Board::new();
    let id = board.titled("flaky");
    for failure in 1..=3 {
        let lease = board.claim();
        let task = board.fail(&lease, Failure::Retry, "no luck").unwrap();
        let pause = DEFAULT_BACKOFF_MS << (failure - 1);
        assert_eq!((task.state, task.failures), (State::Scheduled, failure));
        assert_eq!(task.due_at, Some(board.now() + pause));
        board.advance(pause - 1);
        board.sweep();
        board.claim_nothing();
        board.advance(1);
        assert_eq!(board.sweep().promoted, 1);
    }
    let lease = board.claim();
    let task = board.fail(&lease, Failure::Retry, "still no luck").unwrap();
    assert_eq!(task.state, State::Dead);
    assert_eq!(task.reason.as_deref(), Some("still no luck"));
    assert_eq!(task.finished_at, Some(board.now()));
    board.advance(MAX_BACKOFF_MS);
    board.sweep();
    board.claim_nothing();
    let outcomes: Vec<Outcome> = board.attempts(&id).iter().map(|a| a.outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed; 4]);
}

#[test]
fn the_pause_has_an_upper_bound() {
    let pauses: Vec<i64> = (1..=8).map(|failures| backoff(5_000, failures)).collect();
    assert_eq!(
        pauses,
        [
            5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000
        ]
    );
    assert_eq!(backoff(MAX_BACKOFF_MS, i64::MAX), MAX_BACKOFF_MS);
    assert_eq!(backoff(0, 9), 0);
}

#[test]
fn without_back_off_a_failure_is_tried_again_at_once() {
    let board = Board::new();
    let id = board.add(NewTask {
        backoff_ms: 0,
        max_retries: 1,
        ..NewTask::titled("eager")
    });
    let lease = board.claim();
    assert_eq!(
        board.fail(&lease, Failure::Retry, "x").unwrap().state,
        State::Ready
    );
    let lease = board.claim();
    assert_eq!(
        board.fail(&lease, Failure::Retry, "x").unwrap().state,
        State::Dead
    );
    assert_eq!(board.task(&id).failures, 2);
}

#[test]
fn no_retries_means_one_try() {
    let board = Board::new();
    board.add(NewTask {
        max_retries: 0,
        ..NewTask::titled("once")
    });
    let lease = board.claim();
    assert_eq!(
        board.fail(&lease, Failure::Retry, "x").unwrap().state,
        State::Dead
    );
}

#[test]
fn a_final_failure_uses_no_retries() {
    let board = Board::new();
    let id = board.titled("hopeless");
    let lease = board.claim();
    let task = board
        .fail(&lease, Failure::Final, "there is no such file")
        .unwrap();
    assert_eq!((task.state, task.failures), (State::Dead, 1));
    assert_eq!(
        board.reason(&id),
        "failed once and was given up by its worker: there is no such file"
    );
}

#[test]
fn a_dead_task_that_is_run_again_has_all_its_retries() {
    let board = Board::new();
    let id = board.titled("hopeless");
    let lease = board.claim();
    board.fail(&lease, Failure::Final, "x").unwrap();
    let task = board.rerun(&id).unwrap();
    assert_eq!(
        (task.state, task.failures, task.reason),
        (State::Ready, 0, None)
    );
    let lease = board.claim();
    assert_eq!(
        board.fail(&lease, Failure::Retry, "x").unwrap().state,
        State::Scheduled
    );
    let numbers: Vec<u32> = board.attempts(&id).iter().map(|a| a.number).collect();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn a_release_costs_nothing() {
    let board = Board::new();
    let id = board.titled("moody");
    for _ in 0..30 {
        let lease = board.claim();
        assert_eq!(board.release(&lease).unwrap().state, State::Ready);
    }
    let task = board.task(&id);
    assert_eq!((task.failures, task.attempts, task.fence), (0, 30, 30));
}

#[test]
fn every_tenth_interruption_in_a_row_costs_one_retry_and_no_other() {
    let board = Board::new();
    let id = board.add(NewTask {
        backoff_ms: 0,
        ..NewTask::titled("on a shaky machine")
    });
    for n in 1..=3 * MAX_INTERRUPTIONS {
        let lease = board.claim();
        let task = board.interrupt(&lease).unwrap();
        assert_eq!(task.state, State::Ready);
        assert_eq!(
            task.failures,
            n / MAX_INTERRUPTIONS,
            "after interruption {n}"
        );
    }
    let outcomes = board.attempts(&id);
    assert!(outcomes.iter().all(|a| a.outcome == Outcome::Interrupted));
    let last = outcomes.last().unwrap().error.as_deref();
    assert_eq!(
        last,
        Some("interrupted 10 times in a row, last: the machine went down")
    );
    for _ in 1..=MAX_INTERRUPTIONS {
        let lease = board.claim();
        board.interrupt(&lease).unwrap();
    }
    assert_eq!(board.state(&id), State::Dead);
}

#[test]
fn a_failure_of_its_own_ends_a_row_of_interruptions() {
    let board = Board::new();
    let id = board.add(NewTask {
        backoff_ms: 0,
        max_retries: 50,
        ..NewTask::titled("shaky")
    });
    for _ in 0..3 {
        for _ in 1..MAX_INTERRUPTIONS {
            let lease = board.claim();
            board.interrupt(&lease).unwrap();
        }
        let lease = board.claim();
        board.fail(&lease, Failure::Retry, "a real one").unwrap();
    }
    assert_eq!(board.task(&id).failures, 3, "only the real ones");
}

#[test]
fn a_dead_process_interrupts_its_attempts_and_nobody_elses() {
    let board = Board::new();
    let mine = board.titled("mine");
    board.try_claim(by_process(41)).unwrap();
    let other = board.titled("other");
    board.try_claim(by_process(42)).unwrap();
    let pulled = board.titled("pulled by a client");
    let client = board.claim();
    assert_eq!(
        board.gone(by_process(41).process.unwrap()),
        std::slice::from_ref(&mine)
    );
    let task = board.task(&mine);
    assert_eq!(
        (task.state, task.failures, task.interruptions),
        (State::Ready, 0, 1)
    );
    let attempt = &board.attempts(&mine)[0];
    assert_eq!(
        (attempt.outcome, attempt.ended_at),
        (Outcome::Interrupted, Some(START))
    );
    assert_eq!(attempt.error.as_deref(), Some("process 41 died"));
    assert_eq!(board.state(&other), State::Running);
    assert_eq!(board.state(&pulled), State::Running);
    board.finish(&client).unwrap();
    assert!(
        board.gone(by_process(41).process.unwrap()).is_empty(),
        "only once"
    );
}

#[test]
fn a_process_with_a_reused_number_is_another_process() {
    let board = Board::new();
    let id = board.titled("mine");
    board.try_claim(by_process(41)).unwrap();
    let namesake = callboard_scheduling::Process { pid: 41, start: 78 };
    assert!(board.gone(namesake).is_empty());
    assert_eq!(board.state(&id), State::Running);
}
