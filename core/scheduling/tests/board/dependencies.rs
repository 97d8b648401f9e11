//! The graph: what waits, what is let go, and no circles.

use crate::fixture::{Board, MINUTE, refusal};
use callboard_scheduling::{
    self as scheduling, Failure, NewTask, SchedulingError, State, task_links,
};

#[test]
fn a_diamond_opens_from_the_top_and_its_bottom_waits_for_both_sides() {
    let board = Board::new();
    let top = board.titled("top");
    let left = board.after("left", &[&top]);
    let right = board.after("right", &[&top]);
    let bottom = board.after("bottom", &[&left, &right, &left]);
    assert_eq!(
        board.task(&bottom).waiting_on,
        2,
        "named twice, counted once"
    );
    let lease = board.claim();
    assert_eq!(lease.task, top);
    board.claim_nothing();
    board.finish(&lease).unwrap();
    let (first, second) = (board.claim(), board.claim());
    assert_eq!([&first.task, &second.task], [&left, &right]);
    board.finish(&first).unwrap();
    assert_eq!(
        (board.state(&bottom), board.task(&bottom).waiting_on),
        (State::Waiting, 1)
    );
    board.finish(&second).unwrap();
    assert_eq!(
        (board.state(&bottom), board.task(&bottom).waiting_on),
        (State::Ready, 0)
    );
    let (needs, needed_by) = board.look(|c| task_links(c, &left));
    assert_eq!((needs, needed_by), (vec![top], vec![bottom]));
}

#[test]
fn what_is_already_done_is_not_waited_for() {
    let board = Board::new();
    let first = board.titled("first");
    let lease = board.claim();
    board.finish(&lease).unwrap();
    let next = board.after("next", &[&first]);
    assert_eq!(
        (board.state(&next), board.task(&next).waiting_on),
        (State::Ready, 0)
    );
}

#[test]
fn only_success_lets_dependents_go() {
    let board = Board::new();
    let need = board.add(NewTask {
        backoff_ms: 0,
        ..NewTask::titled("need")
    });
    let next = board.after("next", &[&need]);
    let lease = board.claim();
    board.fail(&lease, Failure::Retry, "x").unwrap();
    assert_eq!(board.state(&next), State::Waiting);
    let lease = board.claim();
    board.park(&lease, "who decides?").unwrap();
    assert_eq!(board.state(&next), State::Waiting);
    board.cancel(&need).unwrap();
    assert_eq!(board.state(&next), State::Waiting);
    board.rerun(&need).unwrap();
    board.resolve(&need).unwrap();
    assert_eq!(board.state(&next), State::Ready);
}

#[test]
fn a_done_dependency_that_is_run_again_holds_its_dependents_again() {
    let board = Board::new();
    let need = board.titled("need");
    let next = board.after("next", &[&need]);
    let lease = board.claim();
    board.finish(&lease).unwrap();
    assert_eq!(board.state(&next), State::Ready);
    board.rerun(&need).unwrap();
    assert_eq!(
        (board.state(&next), board.task(&next).waiting_on),
        (State::Waiting, 1)
    );
    let lease = board.claim();
    assert_eq!(lease.task, need);
    board.claim_nothing();
    board.finish(&lease).unwrap();
    assert_eq!(board.claim().task, next);
}

/// A dependent that was already at work when its dependency was run again may finish; it may not start again.
#[test]
fn a_running_dependent_is_held_when_it_comes_back() {
    type Back = fn(&Board, &callboard_scheduling::Lease);
    let ways: [(&str, Back); 5] = [
        ("released", |b, l| drop(b.release(l).unwrap())),
        ("interrupted", |b, l| drop(b.interrupt(l).unwrap())),
        ("failed", |b, l| {
            drop(b.fail(l, Failure::Retry, "x").unwrap())
        }),
        ("expired", |b, _| {
            b.advance(6 * MINUTE);
            b.sweep();
        }),
        ("parked and run again", |b, l| {
            b.park(l, "x").unwrap();
            b.rerun(&l.task).unwrap();
        }),
    ];
    for (way, back) in ways {
        let board = Board::new();
        let need = board.titled("need");
        let next = board.after("next", &[&need]);
        let lease = board.claim();
        board.finish(&lease).unwrap();
        let lease = board.claim();
        assert_eq!(lease.task, next);
        board.rerun(&need).unwrap();
        assert_eq!(board.state(&next), State::Running, "{way}");
        back(&board, &lease);
        assert_eq!(board.state(&next), State::Waiting, "{way}");
        let again = board.claim();
        assert_eq!(again.task, need, "{way}");
        board.finish(&again).unwrap();
        // A failure's back-off still holds.
        board.advance(MINUTE);
        board.sweep();
        assert_eq!(board.claim().task, next, "{way}");
    }
}

#[test]
fn a_done_dependent_stays_done_when_its_dependency_is_run_again() {
    let board = Board::new();
    let need = board.titled("need");
    let next = board.after("next", &[&need]);
    for _ in 0..2 {
        let lease = board.claim();
        board.finish(&lease).unwrap();
    }
    board.rerun(&need).unwrap();
    assert_eq!(board.state(&next), State::Done);
    board.rerun(&next).unwrap();
    assert_eq!(board.state(&next), State::Waiting);
}

#[test]
fn a_due_time_counts_after_the_last_dependency() {
    let board = Board::new();
    let need = board.titled("need");
    let later = board.add(NewTask {
        due_at: Some(board.now() + 10 * MINUTE),
        depends_on: vec![need.clone()],
        ..NewTask::titled("later")
    });
    let lease = board.claim();
    board.finish(&lease).unwrap();
    assert_eq!(board.state(&later), State::Scheduled);
    board.advance(10 * MINUTE);
    board.sweep();
    assert_eq!(board.claim().task, later);
}

#[test]
fn a_scheduled_task_that_gets_a_dependency_waits_for_both() {
    let board = Board::new();
    let later = board.add(NewTask {
        due_at: Some(board.now() + MINUTE),
        ..NewTask::titled("later")
    });
    let need = board.titled("need");
    board.depend(&later, &[&need]).unwrap();
    assert_eq!(board.state(&later), State::Waiting);
    board.advance(2 * MINUTE);
    assert_eq!(board.sweep().promoted, 0);
    let lease = board.claim();
    assert_eq!(lease.task, need);
    board.finish(&lease).unwrap();
    assert_eq!(board.claim().task, later);
}

#[test]
fn taking_the_last_dependency_away_lets_the_task_go() {
    let board = Board::new();
    let (a, b) = (board.titled("a"), board.titled("b"));
    let next = board.after("next", &[&a]);
    board.depend(&next, &[&b]).unwrap();
    let (needs, _) = board.look(|c| task_links(c, &next));
    assert_eq!(needs, [b]);
    assert_eq!(board.depend(&next, &[]).unwrap().state, State::Ready);
}

#[test]
fn a_circle_is_refused_and_named_and_changes_nothing() {
    let board = Board::new();
    let a = board.titled("a");
    let b = board.after("b", &[&a]);
    let c = board.after("c", &[&b]);
    let d = board.after("d", &[&c, &a]);
    let other = board.titled("other");
    let error = board.depend(&a, &[&other, &d]).unwrap_err();
    assert!(
        matches!(&error, SchedulingError::Cycle { path } if *path == [a.clone(), d.clone(), a.clone()]),
        "the shortest way round: {error}"
    );
    assert_eq!(
        refusal(board.depend(&a, &[&c])),
        format!("these tasks would wait for each other: {a} -> {c} -> {b} -> {a}")
    );
    assert_eq!(error.hint(), Some("leave out one of these dependencies"));
    let (needs, _) = board.look(|c| task_links(c, &a));
    assert!(needs.is_empty());
    assert_eq!(board.state(&a), State::Ready);
}

#[test]
fn a_task_cannot_wait_for_itself() {
    let board = Board::new();
    let a = board.titled("a");
    let error = board.depend(&a, &[&a]).unwrap_err();
    assert!(matches!(&error, SchedulingError::Cycle { path } if *path == [a.clone(), a.clone()]));
}

#[test]
fn turning_a_dependency_round_is_no_circle() {
    let board = Board::new();
    let a = board.titled("a");
    let b = board.after("b", &[&a]);
    board.depend(&b, &[]).unwrap();
    board.depend(&a, &[&b]).unwrap();
    assert_eq!(
        (board.state(&a), board.state(&b)),
        (State::Waiting, State::Ready)
    );
}

#[test]
fn an_unknown_dependency_is_named() {
    let board = Board::new();
    let a = board.titled("a");
    let nowhere = "t_nowhere".to_owned();
    let said = refusal(board.depend(&a, &[&nowhere]));
    assert_eq!(said, "no task t_nowhere on this board");
    let new = NewTask {
        depends_on: vec![nowhere],
        ..NewTask::titled("b")
    };
    assert!(matches!(
        board.try_add(new),
        Err(SchedulingError::NotFound { what: "task", .. })
    ));
}

#[test]
fn what_runs_or_has_ended_gets_no_new_dependencies() {
    let board = Board::new();
    let other = board.titled("other");
    let lease = board.claim();
    let said = refusal(board.depend(&other, &[]));
    assert!(
        said.ends_with("is running: it can't be made to wait for another task"),
        "{said}"
    );
    board.finish(&lease).unwrap();
    assert!(refusal(board.depend(&other, &[])).contains("is done"));
}

#[test]
fn a_refused_update_changes_none_of_its_fields() {
    let board = Board::new();
    let a = board.titled("a");
    let change = scheduling::Change {
        title: Some("b".to_owned()),
        priority: Some(9),
        depends_on: Some(vec![a.clone()]),
        ..scheduling::Change::default()
    };
    let before = board.task(&a);
    board.update(&a, change).unwrap_err();
    assert_eq!(board.task(&a), before);
}

#[test]
fn a_thousand_dependents_are_let_go_at_once() {
    let board = Board::new();
    let need = board.titled("need");
    let many: Vec<String> = (0..1_000)
        .map(|n| board.after(&format!("{n}"), &[&need]))
        .collect();
    let lease = board.claim();
    board.finish(&lease).unwrap();
    assert!(many.iter().all(|id| board.state(id) == State::Ready));
    let needs: Vec<&String> = many.iter().collect();
    let last = board.after("last", &needs);
    assert_eq!(board.task(&last).waiting_on, 1_000);
    let too_many = NewTask {
        depends_on: vec![need; 1_001],
        ..NewTask::titled("x")
    };
    assert_eq!(
        refusal(board.try_add(too_many)),
        "depends_on: at most 1000 dependencies"
    );
}
