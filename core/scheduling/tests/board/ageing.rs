//! No task waits for ever, however urgent the ones that keep coming.

use crate::fixture::{Board, MINUTE, SECOND, open};
use callboard_scheduling::{self as scheduling, Claim, MAX_PRIORITY, NewTask, STEP_MS};
use proptest::prelude::*;

/// Posts a task of the least priority and then, at every tick, one of the highest; a worker takes one task a
/// tick. Answers how long the first one waited, ms.
fn waited(tick: i64, backlog: usize) -> i64 {
    let board = Board::new();
    let urgent = |n: usize| NewTask {
        priority: MAX_PRIORITY,
        ..NewTask::titled(format!("urgent {n}"))
    };
    for n in 0..backlog {
        board.add(urgent(n));
    }
    let humble = board.add(NewTask {
        priority: 0,
        ..NewTask::titled("humble")
    });
    let posted = board.now();
    for n in backlog.. {
        board.advance(tick);
        board.add(urgent(n));
        let (task, lease) = board.try_claim(Claim::by("w")).unwrap().unwrap();
        board.finish(&lease).unwrap();
        if task.id == humble {
            break;
        }
        assert!(
            n < 10_000,
            "still waiting after {} ms",
            board.now() - posted
        );
    }
    board.now() - posted
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_least_urgent_task_is_claimed_within_the_bound(tick in 90 * SECOND..9 * MINUTE, backlog in 0_usize..6) {
        let most = i64::from(MAX_PRIORITY) * STEP_MS;
        // What was ahead of it when the bound is reached is at most the backlog, one tick each.
        let slack = tick * i64::try_from(backlog + 2).unwrap();
        let waited = waited(tick, backlog);
        prop_assert!(waited <= most + slack, "{waited} ms");
        prop_assert!(waited >= most - tick, "priority means something: {waited} ms");
    }
}

#[test]
fn among_equals_the_first_come_is_the_first_served() {
    let board = Board::new();
    let posted: Vec<String> = (0..20)
        .map(|n| board.titled(&format!("task {n}")))
        .collect();
    let claimed: Vec<String> = (0..20).map(|_| board.claim().task).collect();
    assert_eq!(claimed, posted);
}

#[test]
fn a_new_priority_counts_from_when_the_task_became_ready() {
    let board = Board::new();
    let old = board.titled("old");
    board.advance(3 * STEP_MS);
    let newer = board.add(NewTask {
        priority: 7,
        ..NewTask::titled("newer, two levels above")
    });
    let raised = board.titled("raised");
    let change = scheduling::Change {
        priority: Some(9),
        ..scheduling::Change::default()
    };
    board.update(&raised, change).unwrap();
    let order: Vec<String> = (0..3).map(|_| board.claim().task).collect();
    assert_eq!(order, [raised, old, newer]);
}

#[test]
fn queues_do_not_see_each_other() {
    let board = Board::new();
    let other = board.add(NewTask {
        queue: "gpu".to_owned(),
        ..NewTask::titled("needs a GPU")
    });
    board.claim_nothing();
    let claim = Claim {
        queue: "gpu".to_owned(),
        ..Claim::by("w")
    };
    assert_eq!(board.try_claim(claim).unwrap().unwrap().0.id, other);
}

#[test]
fn a_delayed_task_takes_its_place_by_when_it_was_due() {
    let board = Board::new();
    let delayed = board.add(NewTask {
        due_at: Some(board.now() + MINUTE),
        ..NewTask::titled("later")
    });
    board.advance(MINUTE - 1);
    assert_eq!(board.sweep().promoted, 0);
    board.advance(2 * MINUTE);
    let newcomer = board.titled("newcomer");
    // Nobody swept meanwhile; that must not cost it its place.
    assert_eq!(board.sweep().promoted, 1);
    assert_eq!(
        [board.claim().task, board.claim().task],
        [delayed, newcomer]
    );
}

#[test]
fn what_is_delayed_again_does_not_keep_its_old_place() {
    let board = Board::new();
    let delayed = board.add(NewTask {
        due_at: Some(board.now() + MINUTE),
        ..NewTask::titled("later, then later still")
    });
    board.delay(&delayed, board.now() + 10 * MINUTE).unwrap();
    board.advance(5 * MINUTE);
    let earlier = board.titled("earlier");
    board.advance(5 * MINUTE);
    board.sweep();
    assert_eq!([board.claim().task, board.claim().task], [earlier, delayed]);
}

#[test]
fn a_due_time_in_the_past_is_no_way_to_the_front() {
    let board = Board::new();
    let first = board.titled("first");
    board.advance(SECOND);
    let pushy = board.add(NewTask {
        due_at: Some(0),
        ..NewTask::titled("pushy")
    });
    let late = board.add(NewTask {
        due_at: Some(board.now() + MINUTE),
        ..NewTask::titled("late")
    });
    board.delay(&pushy, 0).unwrap();
    board.delay(&late, 0).unwrap();
    let order: Vec<String> = (0..3).map(|_| board.claim().task).collect();
    assert_eq!(order, [first, pushy, late]);
}

#[test]
fn the_order_is_the_same_for_every_process() {
    let board = Board::new();
    let low = board.titled("low");
    let other = open(board.dir.path());
    let now = board.now();
    let high = NewTask {
        priority: 9,
        ..NewTask::titled("high")
    };
    other
        .write_blocking(move |c| scheduling::task_add(c, now, "t_high", &high))
        .unwrap();
    assert_eq!(
        [board.claim().task, board.claim().task],
        ["t_high".to_owned(), low]
    );
}
