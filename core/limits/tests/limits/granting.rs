//! One process: what is granted, denied, counted and given back.

use crate::fixture::{DAY, ME, MINUTE, NOW, ask, board, limit, subject, used};
use callboard_limits::{
    CallState, Estimate, Frees, Level, LimitError, Owner, Resource, Scope, Span, Unpriced,
    call_get, expire, owners, reservation_extend, reservation_try,
};

#[test]
fn a_reservation_holds_its_estimate_and_a_settlement_counts_what_was_used() {
    for (resource, span, held, counted) in [
        (Resource::Requests, Span::Minute, 1, 1),
        (Resource::Input, Span::Minute, 100, 80),
        (Resource::Output, Span::Day, 50, 20),
        (Resource::Concurrent, Span::Now, 1, 0),
        (Resource::Money, Span::Month, 7, 5),
    ] {
        let board = board();
        board.set(&limit(Scope::All, "", resource, span, 1_000));
        assert_eq!(board.sums(NOW), (0, 0));
        board.reserve(NOW, &ask("c_1", 7)).unwrap();
        assert_eq!(board.sums(NOW), (0, held), "{resource}");
        assert!(board.settle(NOW + 1, "c_1", &used(80, 20, Some(5))));
        assert_eq!(board.sums(NOW), (counted, 0), "{resource}");
        // Again it changes nothing, whatever it says.
        assert!(!board.settle(NOW + 2, "c_1", &used(999, 999, Some(999))));
        assert!(!board.release(NOW + 2, "c_1"));
        assert_eq!(board.sums(NOW), (counted, 0), "{resource}");
    }
}

#[test]
fn a_released_call_counts_nothing_and_a_second_release_changes_nothing() {
    for resource in [Resource::Requests, Resource::Input, Resource::Money] {
        let board = board();
        board.set(&limit(Scope::All, "", resource, Span::Day, 1_000));
        board.reserve(NOW, &ask("c_1", 7)).unwrap();
        assert!(board.release(NOW, "c_1"));
        assert!(!board.release(NOW, "c_1"));
        assert!(!board.release(NOW, "c_never"));
        assert_eq!(board.sums(NOW), (0, 0));
    }
}

#[test]
fn what_was_used_is_counted_however_late_it_is_heard() {
    let board = board();
    board.set(&limit(Scope::All, "", Resource::Money, Span::Day, 1_000));
    board.reserve(NOW, &ask("c_1", 7)).unwrap();
    board.reserve(NOW, &ask("c_2", 7)).unwrap();
    assert!(board.release(NOW, "c_1"));
    assert!(board.settle(NOW + 1, "c_1", &used(1, 1, Some(3))));
    // On the next day it still belongs to the day on which it was reserved.
    assert!(board.settle(NOW + DAY, "c_2", &used(1, 1, Some(4))));
    assert_eq!(board.sums(NOW), (7, 0));
    assert_eq!(board.sums(NOW + DAY), (0, 0));
    let unknown = board.write(|c| callboard_limits::settle(c, NOW, "c_9", &used(1, 1, None)));
    assert!(
        matches!(unknown, Err(LimitError::Unknown { .. })),
        "{unknown:?}"
    );
}

#[test]
fn an_id_reserves_once() {
    let board = board();
    board.reserve(NOW, &ask("c_1", 7)).unwrap();
    let again = board.reserve(NOW, &ask("c_1", 7));
    assert!(matches!(again, Err(LimitError::Twice { .. })), "{again:?}");
    let empty = board.reserve(NOW, &ask("", 7));
    assert!(
        matches!(empty, Err(LimitError::Invalid { .. })),
        "{empty:?}"
    );
}

#[test]
fn a_limit_is_granted_to_its_last_unit_and_not_beyond() {
    let board = board();
    board.set(&limit(
        Scope::Provider,
        "groq",
        Resource::Money,
        Span::Day,
        20,
    ));
    board.reserve(NOW, &ask("c_1", 15)).unwrap();
    let denied = board.denied(NOW, &ask("c_2", 6));
    assert_eq!(
        (denied.wanted, denied.left, denied.held, denied.used),
        (6, 5, 15, 0)
    );
    board.reserve(NOW, &ask("c_3", 5)).unwrap();
    // Free calls go on when nothing is left; those of unknown cost do not.
    board.reserve(NOW, &ask("c_4", 0)).unwrap();
    let mut unknown = ask("c_5", 0);
    unknown.estimate.cost = None;
    assert_eq!(board.denied(NOW, &unknown).left, 0);
    // Another provider is not meant.
    let mut other = ask("c_6", 500);
    other.subject = subject("openai", "t");
    board.reserve(NOW, &other).unwrap();
}

#[test]
fn a_denial_says_what_is_in_the_way_and_for_how_long() {
    let cases = [
        (
            limit(Scope::All, "", Resource::Requests, Span::Minute, 1),
            Frees::At(NOW + 50_000),
        ),
        (
            limit(Scope::All, "", Resource::Input, Span::Day, 150),
            Frees::At(NOW - 10_000 + DAY / 2),
        ),
        (
            limit(Scope::All, "", Resource::Concurrent, Span::Now, 1),
            Frees::WhenACallEnds,
        ),
        (
            limit(Scope::Task, "*", Resource::Money, Span::Ever, 10),
            Frees::WhenACallEnds,
        ),
        (
            limit(Scope::Task, "t", Resource::Money, Span::Ever, 6),
            Frees::Never,
        ),
    ];
    for (limit, frees) in cases {
        let board = board();
        if limit.amount > 7 || limit.resource != Resource::Money {
            board.reserve(NOW, &ask("c_1", 7)).unwrap();
        }
        board.set(&limit);
        let denied = board.denied(NOW, &ask("c_2", 7));
        assert_eq!(denied.frees, frees, "{denied}");
        assert_eq!(denied.limit, limit);
        // A look without reserving says the same, and changes nothing.
        let ask = ask("c_2", 7);
        let seen = board
            .store
            .read_now(|c| reservation_try(c, NOW, &ask.subject, &ask.estimate));
        match seen {
            Err(LimitError::Denied(seen)) => assert_eq!(*seen, denied),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn of_several_limits_the_one_that_holds_longest_is_named() {
    let board = board();
    board.set(&limit(Scope::All, "", Resource::Concurrent, Span::Now, 1));
    board.set(&limit(Scope::All, "", Resource::Requests, Span::Minute, 1));
    board.set(&limit(Scope::Project, "p", Resource::Money, Span::Day, 10));
    board.reserve(NOW, &ask("c_1", 7)).unwrap();
    let denied = board.denied(NOW, &ask("c_2", 7));
    assert_eq!(denied.limit.resource, Resource::Money);
    assert_eq!(
        denied.to_string(),
        "the limit of $0.00001 a day for project p has $0.000003 left ($0.00 used, $0.000007 held by calls that \
         are being made), and this call may need $0.000007; there is more in 11 h 59 min at the latest"
    );
    assert_eq!(
        board.denied(NOW, &ask("c_3", 1)).limit.resource,
        Resource::Requests
    );
    let next = board.denied(NOW + MINUTE, &ask("c_4", 1));
    assert_eq!(next.limit.resource, Resource::Concurrent);
    assert_eq!(
        next.to_string(),
        "the limit of 1 calls at the same time has 0 left (0 used, 1 held by calls that are being made), and this \
         call may need 1; try again when another call has ended"
    );
}

#[test]
fn a_new_window_begins_with_nothing_used() {
    let board = board();
    board.set(&limit(Scope::All, "", Resource::Requests, Span::Minute, 2));
    for (n, at) in [
        (1, NOW),
        (2, NOW + 49_999),
        (3, NOW + 50_000),
        (4, NOW + 50_001),
    ] {
        board.reserve(at, &ask(&format!("c_{n}"), 0)).unwrap();
    }
    board.denied(NOW + 60_000, &ask("c_5", 0));
    board.denied(NOW + 40_000, &ask("c_5", 0));
}

#[test]
fn a_limit_on_each_counts_each_by_itself() {
    let board = board();
    board.set(&limit(Scope::Task, "*", Resource::Money, Span::Ever, 10));
    let of = |call: &str, task: &str| {
        let mut ask = ask(call, 10);
        ask.subject = subject("groq", task);
        ask
    };
    board.reserve(NOW, &of("c_1", "t1")).unwrap();
    board.reserve(NOW, &of("c_2", "t2")).unwrap();
    assert_eq!(board.denied(NOW, &of("c_3", "t1")).name, "t1");
    // A call for no task is not meant.
    let mut none = of("c_4", "");
    none.subject.task = None;
    board.reserve(NOW, &none).unwrap();
    let standing = board.standing(NOW);
    assert_eq!(
        standing
            .iter()
            .map(|s| (s.name.as_str(), s.held))
            .collect::<Vec<_>>(),
        [("t1", 10), ("t2", 10)]
    );
}

#[test]
fn a_limit_that_is_set_later_counts_what_was_before() {
    let board = board();
    board.reserve(NOW, &ask("c_1", 7)).unwrap();
    board.settle(NOW, "c_1", &used(90, 40, Some(6)));
    board.reserve(NOW + 1, &ask("c_2", 7)).unwrap();
    board.reserve(NOW - DAY, &ask("c_3", 7)).unwrap();
    for (limit, left) in [
        (limit(Scope::All, "", Resource::Money, Span::Day, 20), 7),
        (
            limit(Scope::Model, "groq/m", Resource::Input, Span::Day, 200),
            10,
        ),
        (
            limit(Scope::Account, "groq/a", Resource::Output, Span::Day, 100),
            10,
        ),
        (
            limit(Scope::Provider, "groq", Resource::Requests, Span::Month, 10),
            7,
        ),
        (
            limit(Scope::Project, "p", Resource::Concurrent, Span::Now, 4),
            2,
        ),
        (limit(Scope::Task, "t", Resource::Money, Span::Ever, 21), 1),
    ] {
        board.set(&limit);
        let standing = board
            .standing(NOW)
            .into_iter()
            .find(|s| s.limit == limit)
            .unwrap();
        assert_eq!(standing.left(), left, "{limit:?}");
    }
}

#[test]
fn from_the_warning_share_on_a_grant_warns() {
    let board = board();
    let mut tight = limit(Scope::All, "", Resource::Money, Span::Day, 100);
    board.set(&tight);
    assert!(
        board
            .reserve(NOW, &ask("c_1", 79))
            .unwrap()
            .warnings
            .is_empty()
    );
    let warned = board.reserve(NOW, &ask("c_2", 1)).unwrap().warnings;
    assert_eq!(warned[0].level(), Level::Warn);
    assert_eq!((warned[0].held, warned[0].left()), (80, 20));
    let last = board.reserve(NOW, &ask("c_3", 20)).unwrap().warnings;
    assert_eq!(last[0].level(), Level::Stop);
    // A free call is no reason to warn.
    assert!(
        board
            .reserve(NOW, &ask("c_4", 0))
            .unwrap()
            .warnings
            .is_empty()
    );
    tight.warn = 1_000;
    tight.amount = 200;
    board.set(&tight);
    assert!(
        board
            .reserve(NOW, &ask("c_5", 99))
            .unwrap()
            .warnings
            .is_empty()
    );
}

#[test]
fn a_call_of_unknown_cost_is_counted_or_denied_as_the_limit_says() {
    let board = board();
    let mut money = limit(Scope::All, "", Resource::Money, Span::Day, 100);
    board.set(&money);
    let unknown = |call: &str| {
        let mut ask = ask(call, 0);
        ask.estimate.cost = None;
        ask
    };
    board.reserve(NOW, &unknown("c_1")).unwrap();
    assert_eq!(board.sums(NOW), (0, 0));
    board.settle(NOW, "c_1", &used(10, 10, None));
    assert_eq!(board.standing(NOW)[0].unpriced, 1);
    money.unpriced = Unpriced::Deny;
    board.set(&money);
    let denied = board.denied(NOW, &unknown("c_2"));
    assert!(denied.unpriced && denied.frees == Frees::Never);
    assert!(
        denied.to_string().contains("give the model a price"),
        "{denied}"
    );
}

#[test]
fn the_dead_and_the_overdue_give_back_what_they_held() {
    let board = board();
    board.set(&limit(Scope::All, "", Resource::Concurrent, Span::Now, 10));
    let dead = Owner { pid: 7, start: 70 };
    let reused = Owner { pid: 7, start: 71 };
    for (call, owner, until) in [
        ("c_1", dead, NOW + DAY),
        ("c_2", reused, NOW + DAY),
        ("c_3", ME, NOW + 5),
        ("c_4", ME, NOW + 5),
    ] {
        let mut ask = ask(call, 1);
        (ask.owner, ask.until) = (owner, until);
        board.reserve(NOW, &ask).unwrap();
    }
    assert!(
        board
            .write(|c| reservation_extend(c, "c_4", NOW + DAY))
            .unwrap()
    );
    let mut seen = board.store.read_now(owners).unwrap();
    seen.sort_by_key(|owner| (owner.pid, owner.start));
    assert_eq!(seen, [ME, dead, reused]);
    let lost = board
        .write(move |c| expire(c, NOW + 6, &|owner| owner == dead))
        .unwrap();
    assert_eq!(lost, ["c_3", "c_1"]);
    assert_eq!(board.sums(NOW), (0, 2));
    let call = board.store.read_now(|c| call_get(c, "c_1")).unwrap();
    assert_eq!(
        (call.state, call.ended_at, call.cost),
        (CallState::Expired, Some(NOW + 6), None)
    );
    // One that has ended is not extended, nor ended again.
    assert!(
        !board
            .write(|c| reservation_extend(c, "c_1", NOW + DAY))
            .unwrap()
    );
    assert!(!board.release(NOW + 7, "c_1"));
    // A lost call may have reached the provider: it was a request.
    board.set(&limit(Scope::All, "", Resource::Requests, Span::Day, 10));
    let requests = board
        .standing(NOW)
        .into_iter()
        .find(|s| s.limit.resource == Resource::Requests)
        .unwrap();
    assert_eq!((requests.used, requests.held), (2, 2));
}

#[test]
fn whoever_reserves_ends_what_is_overdue() {
    let board = board();
    board.set(&limit(Scope::All, "", Resource::Concurrent, Span::Now, 1));
    let mut first = ask("c_1", 1);
    first.until = NOW + 5;
    board.reserve(NOW, &first).unwrap();
    board.denied(NOW + 5, &ask("c_2", 1));
    board.reserve(NOW + 6, &ask("c_3", 1)).unwrap();
}

#[test]
fn estimates_beyond_all_reason_do_not_break_the_sums() {
    let board = board();
    let mut huge = ask("c_1", i64::MAX);
    huge.estimate = Estimate {
        input: u64::MAX,
        output: u64::MAX,
        ..huge.estimate
    };
    board.reserve(NOW, &huge).unwrap();
    huge.call = "c_2".to_owned();
    board.reserve(NOW, &huge).unwrap();
    board.set(&limit(Scope::All, "", Resource::Input, Span::Day, 10));
    board.denied(NOW, &ask("c_3", 1));
    board.settle(NOW, "c_1", &used(u64::MAX, 1, Some(i64::MIN)));
    assert_eq!(board.sums(NOW), (1_000_000_000_000, 1_000_000_000_000));
}
