//! Every task can say why it is where it is.

use crate::fixture::{Board, MINUTE, SECOND};
use callboard_scheduling::{
    Claim, DEFAULT_LEASE_MS, Failure, NewTask, SchedulingError, span, task_reason,
};

#[test]
fn waiting_names_what_it_waits_for() {
    let board = Board::new();
    let a = board.titled("first");
    let b = board.after("second", &[&a]);
    let c = board.after("third", &[&a, &b]);
    assert_eq!(
        board.reason(&c),
        format!("waits for {a} \"first\" (ready), {b} \"second\" (waiting)")
    );
}

#[test]
fn waiting_for_many_names_five_and_counts_the_rest() {
    let board = Board::new();
    let needs: Vec<String> = (0..8).map(|n| board.titled(&format!("need {n}"))).collect();
    let needs: Vec<&String> = needs.iter().collect();
    let id = board.after("last", &needs);
    let reason = board.reason(&id);
    assert!(
        reason.contains("\"need 4\"") && !reason.contains("\"need 5\""),
        "{reason}"
    );
    assert!(reason.ends_with(" and 3 more"), "{reason}");
}

#[test]
fn waiting_in_vain_says_what_to_do_however_many_others_there_are() {
    let advice = "; what ended without success has to be run again, or the dependency removed";
    let board = Board::new();
    let needs: Vec<String> = (0..8).map(|n| board.titled(&format!("need {n}"))).collect();
    let id = board.after("last", &needs.iter().collect::<Vec<_>>());
    board.cancel(&needs[7]).unwrap();
    let reason = board.reason(&id);
    let start = format!("waits for {} \"need 7\" (cancelled), ", needs[7]);
    assert!(
        reason.starts_with(&start) && reason.ends_with(advice),
        "{reason}"
    );
    type End = fn(&Board, &callboard_scheduling::Lease);
    let ends: [(&str, &str, End); 2] = [
        ("dead", advice, |b, l| {
            drop(b.fail(l, Failure::Final, "x").unwrap());
        }),
        ("parked", "; what is parked waits for a person", |b, l| {
            drop(b.park(l, "x").unwrap());
        }),
    ];
    for (word, advice, end) in ends {
        let board = Board::new();
        let need = board.titled("need");
        let id = board.after("next", &[&need]);
        let lease = board.claim();
        end(&board, &lease);
        assert_eq!(
            board.reason(&id),
            format!("waits for {need} \"need\" ({word}){advice}")
        );
    }
}

#[test]
fn scheduled_says_when_and_a_back_off_says_why() {
    let board = Board::new();
    let later = board.add(NewTask {
        due_at: Some(board.now() + 90 * MINUTE),
        ..NewTask::titled("later")
    });
    assert_eq!(board.reason(&later), "not due yet: starts in 1 h 30 min");
    let flaky = board.titled("flaky");
    let lease = board.claim();
    board
        .fail(&lease, Failure::Retry, "no route to host")
        .unwrap();
    board.advance(2 * SECOND);
    assert_eq!(
        board.reason(&flaky),
        "backs off after failure 1 of 4, next try in 3 s: no route to host"
    );
}

#[test]
fn ready_says_how_many_are_ahead_and_whether_anybody_works() {
    let board = Board::new();
    let first = board.titled("first");
    let second = board.titled("second");
    let nobody = "but no worker holds a task of queue \"default\": claim it with task_claim, or start workers";
    assert_eq!(
        board.reason(&second),
        format!("ready, 1 ahead of it, {nobody}")
    );
    let lease = board.claim();
    assert_eq!(lease.task, first);
    assert_eq!(
        board.reason(&second),
        "ready: 0 ahead of it in queue \"default\", 1 running there"
    );
    board.advance(DEFAULT_LEASE_MS + 1);
    assert_eq!(
        board.reason(&second),
        format!("ready, 0 ahead of it, {nobody}"),
        "a lost worker is none"
    );
    board.release(&lease).unwrap();
    assert_eq!(
        board.reason(&first),
        format!("ready, 1 ahead of it, {nobody}; last attempt: not for me")
    );
}

#[test]
fn a_long_queue_is_not_counted_to_its_end() {
    let board = Board::new();
    let posted: Vec<String> = (0..1_002).map(|n| board.titled(&format!("{n}"))).collect();
    assert!(
        board
            .reason(&posted[1_000])
            .starts_with("ready, 1000 ahead of it")
    );
    assert!(
        board
            .reason(&posted[1_001])
            .starts_with("ready, more than 1000 ahead of it")
    );
}

#[test]
fn running_says_who_and_how_long() {
    let board = Board::new();
    let id = board.titled("task");
    board.try_claim(Claim::by("alice")).unwrap();
    board.advance(65 * SECOND);
    assert_eq!(
        board.reason(&id),
        "worked on by alice for 1 min 5 s, attempt 1"
    );
    board.advance(DEFAULT_LEASE_MS);
    assert_eq!(
        board.reason(&id),
        "held by alice, whose lease ran out 1 min 5 s ago; it will be put back"
    );
}

#[test]
fn the_ends_say_how_they_came() {
    let board = Board::new();
    let done = board.titled("done");
    let lease = board.claim();
    board.finish(&lease).unwrap();
    assert_eq!(board.reason(&done), "done");
    let dead = board.add(NewTask {
        backoff_ms: 0,
        max_retries: 1,
        ..NewTask::titled("dead")
    });
    for _ in 0..2 {
        let lease = board.claim();
        board
            .fail(&lease, Failure::Retry, "the disk is full")
            .unwrap();
    }
    assert_eq!(
        board.reason(&dead),
        "failed 2 times and has no retries left: the disk is full"
    );
    let parked = board.titled("parked");
    let lease = board.claim();
    board.park(&lease, "which of the two?").unwrap();
    assert_eq!(board.reason(&parked), "needs a person: which of the two?");
    board.cancel(&parked).unwrap();
    assert_eq!(board.reason(&parked), "cancelled: not wanted any more");
}

#[test]
fn no_task_no_reason() {
    let board = Board::new();
    let answer = board.store.read_now(|c| task_reason(c, 0, "t_x"));
    let error: SchedulingError = answer.unwrap_err();
    assert_eq!(error.to_string(), "no task t_x on this board");
    assert!(error.hint().unwrap().contains("task_list"));
}

#[test]
fn spans_are_told_in_their_two_largest_units() {
    let cases = [
        (-5, "0 ms"),
        (999, "999 ms"),
        (59_999, "59 s"),
        (61_000, "1 min 1 s"),
        (3_600_000, "1 h 0 min"),
        (90_000_000, "1 d 1 h"),
    ];
    for (ms, text) in cases {
        assert_eq!(span(ms), text);
    }
}
