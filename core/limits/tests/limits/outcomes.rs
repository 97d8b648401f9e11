//! What came of attempts: counted once each, however often they are looked at.

use crate::fixture::{DAY, NOW, board};
use callboard_limits::{
    LearnCursor, LimitError, RouteOutcome, RouteTallies, RouteTally, outcomes_cursor,
    outcomes_prune, outcomes_record, outcomes_tally,
};
use callboard_store::Store;

fn outcome(attempt: &str, at: i64, class: &str, model: &str, succeeded: bool) -> RouteOutcome {
    RouteOutcome {
        attempt: attempt.to_owned(),
        at,
        class: class.to_owned(),
        provider: "groq".to_owned(),
        model: model.to_owned(),
        succeeded,
    }
}

fn record(store: &Store, outcomes: Vec<RouteOutcome>, at: i64, seq: i64) {
    let done: Result<(), LimitError> =
        store.write_blocking(move |c| outcomes_record(c, &outcomes, LearnCursor { at, seq }));
    done.unwrap();
}

fn tallies(store: &Store, class: &str, since: i64) -> RouteTallies {
    let read: Result<RouteTallies, LimitError> =
        store.read_now(|c| outcomes_tally(c, class, since));
    read.unwrap()
}

fn of(tallies: &RouteTallies, model: &str) -> (u64, u64) {
    let RouteTally { succeeded, failed } = tallies[&("groq".to_owned(), model.to_owned())];
    (succeeded, failed)
}

#[test]
fn attempts_count_once_by_class_and_model() {
    let board = board();
    let store = &board.store;
    let seen = vec![
        outcome("a1", NOW, "simple", "small", true),
        outcome("a2", NOW, "simple", "small", true),
        outcome("a3", NOW, "simple", "small", false),
        outcome("a4", NOW, "simple", "large", true),
        outcome("a5", NOW, "complex", "small", false),
    ];
    record(store, seen.clone(), NOW, 5);
    record(store, seen, NOW, 5);
    // What was taken down stays, even if it is told differently later.
    record(
        store,
        vec![outcome("a1", NOW, "simple", "small", false)],
        NOW,
        5,
    );
    let simple = tallies(store, "simple", 0);
    assert_eq!(simple.len(), 2);
    assert_eq!(
        (of(&simple, "small"), of(&simple, "large")),
        ((2, 1), (1, 0))
    );
    assert_eq!(of(&tallies(store, "complex", 0), "small"), (0, 1));
    assert!(tallies(store, "standard", 0).is_empty());
}

#[test]
fn the_place_reached_never_goes_back() {
    let board = board();
    let store = &board.store;
    let reached = || -> (i64, i64) {
        let read: Result<LearnCursor, LimitError> = store.read_now(|c| outcomes_cursor(c));
        let cursor = read.unwrap();
        (cursor.at, cursor.seq)
    };
    assert_eq!(reached(), (0, 0));
    record(store, Vec::new(), NOW, 7);
    record(store, Vec::new(), NOW, 3);
    record(store, Vec::new(), NOW - 1, 9);
    assert_eq!(reached(), (NOW, 7));
}

#[test]
fn old_outcomes_do_not_count_and_are_forgotten_in_parts() {
    let board = board();
    let store = &board.store;
    let seen: Vec<RouteOutcome> = (0..10)
        .map(|day| outcome(&format!("a{day}"), NOW - day * DAY, "simple", "small", true))
        .collect();
    record(store, seen, NOW, 1);
    assert_eq!(
        of(&tallies(store, "simple", NOW - 3 * DAY), "small"),
        (4, 0)
    );
    let prune = |most| -> usize {
        let done: Result<usize, LimitError> =
            store.write_blocking(move |c| outcomes_prune(c, NOW - 3 * DAY, most));
        done.unwrap()
    };
    assert_eq!((prune(4), prune(4), prune(4)), (4, 2, 0));
    assert_eq!(of(&tallies(store, "simple", 0), "small"), (4, 0));
}
