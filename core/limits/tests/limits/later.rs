//! What happens to a call's row after the call: into the log, priced, forgotten.

use crate::fixture::{DAY, NOW, ask, board, limit, used};
use callboard_limits::{
    CallState, KEEP_MS, Priced, Resource, Scope, Span, call_get, call_logged, call_price,
    calls_prune, calls_unlogged, calls_unpriced,
};
use callboard_telemetry::usage::MicroDollars;

#[test]
fn an_ended_call_is_handed_to_the_log_until_it_stands_there() {
    let board = board();
    for call in ["c_1", "c_2", "c_3"] {
        board.reserve(NOW, &ask(call, 7)).unwrap();
    }
    board.settle(NOW + 1, "c_1", &used(80, 20, Some(5)));
    board.release(NOW + 2, "c_2");
    let unlogged = || board.store.read_now(|c| calls_unlogged(c, 10)).unwrap();
    let calls = unlogged();
    let states: Vec<_> = calls
        .iter()
        .map(|call| (call.id.as_str(), call.state))
        .collect();
    assert_eq!(
        states,
        [("c_1", CallState::Settled), ("c_2", CallState::Released)]
    );
    let first = &calls[0];
    assert_eq!(first.usage.unwrap().tokens.input, 80);
    assert_eq!(
        (first.cost, first.price_version.as_deref()),
        (Some(MicroDollars(5)), Some("v"))
    );
    assert_eq!(first.detail, "{\"route\":\"r\"}");
    for call in calls {
        board.write(move |c| call_logged(c, &call)).unwrap();
    }
    assert!(unlogged().is_empty());
    // What was released and turns out to have been used is logged again.
    board.settle(NOW + 3, "c_2", &used(1, 1, None));
    assert_eq!(unlogged()[0].id, "c_2");
    let stale = unlogged().remove(0);
    let priced = Priced {
        cost: MicroDollars(1),
        version: "w".to_owned(),
    };
    assert!(board.write(move |c| call_price(c, "c_2", &priced)).unwrap());
    // The log has what was read before the price came: that is not all.
    board.write(move |c| call_logged(c, &stale)).unwrap();
    assert_eq!(unlogged().len(), 1);
}

#[test]
fn an_unknown_cost_is_priced_once_and_counted_then() {
    let board = board();
    board.set(&limit(Scope::All, "", Resource::Money, Span::Day, 100));
    board.reserve(NOW, &ask("c_1", 7)).unwrap();
    board.settle(NOW, "c_1", &used(80, 20, None));
    board.reserve(NOW, &ask("c_2", 7)).unwrap();
    let unpriced = || board.store.read_now(|c| calls_unpriced(c, 0, 10)).unwrap();
    assert_eq!(unpriced().len(), 1);
    let price = |call: &'static str, cost: i64| {
        let priced = Priced {
            cost: MicroDollars(cost),
            version: "w".to_owned(),
        };
        board.write(move |c| call_price(c, call, &priced)).unwrap()
    };
    assert!(price("c_1", 40));
    assert!(!price("c_1", 41));
    assert!(!price("c_2", 41), "it has not ended");
    assert!(unpriced().is_empty());
    let standing = &board.standing(NOW)[0];
    assert_eq!(
        (standing.used, standing.held, standing.unpriced),
        (40, 7, 0)
    );
    let call = board.store.read_now(|c| call_get(c, "c_1")).unwrap();
    assert_eq!(call.price_version.as_deref(), Some("w"));
}

#[test]
fn calls_of_unknown_cost_come_page_by_page() {
    let board = board();
    for call in ["c_1", "c_2", "c_3"] {
        board.reserve(NOW, &ask(call, 7)).unwrap();
        board.settle(NOW, call, &used(80, 20, None));
    }
    let page = |after| {
        let page = board.store.read_now(|c| calls_unpriced(c, after, 2));
        let page = page.unwrap().into_iter();
        page.map(|(place, call)| (place, call.id)).unzip()
    };
    let (places, first): (Vec<i64>, Vec<String>) = page(0);
    assert_eq!(first, ["c_1", "c_2"]);
    let (_, second): (Vec<i64>, Vec<String>) = page(places[1]);
    assert_eq!(second, ["c_3"]);
}

#[test]
fn only_what_ended_and_was_logged_long_ago_is_forgotten() {
    let board = board();
    board.set(&limit(Scope::Task, "t", Resource::Money, Span::Ever, 1_000));
    for call in ["c_held", "c_unlogged", "c_logged"] {
        board.reserve(NOW, &ask(call, 7)).unwrap();
    }
    board.settle(NOW, "c_logged", &used(1, 1, Some(5)));
    let logged = board.store.read_now(|c| call_get(c, "c_logged")).unwrap();
    board.write(move |c| call_logged(c, &logged)).unwrap();
    board.settle(NOW, "c_unlogged", &used(1, 1, Some(6)));
    let prune = |at: i64| board.write(move |c| calls_prune(c, at)).unwrap();
    assert_eq!(prune(NOW + KEEP_MS), 0);
    assert_eq!(prune(NOW + KEEP_MS + 1), 1);
    assert!(board.store.read_now(|c| call_get(c, "c_logged")).is_err());
    assert_eq!(board.number("SELECT count(*) FROM reservations"), 2);
    // A limit without end goes on counting what it has seen.
    assert_eq!(board.sums(NOW + KEEP_MS + DAY), (11, 7));
}

#[test]
fn sums_of_windows_that_are_over_are_forgotten_and_made_again_alike() {
    let board = board();
    board.set(&limit(Scope::All, "", Resource::Requests, Span::Minute, 2));
    board.reserve(NOW, &ask("c_1", 7)).unwrap();
    let prune = |at: i64| board.write(move |c| calls_prune(c, at)).unwrap();
    let counters = || board.number("SELECT count(*) FROM limit_counters");
    prune(NOW + DAY);
    assert_eq!(counters(), 1);
    prune(NOW + DAY + 60_000);
    assert_eq!(counters(), 0);
    board.settle(NOW + DAY + 60_001, "c_1", &used(1, 1, None));
    // Somebody whose clock is behind is still granted no more than was left.
    board.reserve(NOW + 1, &ask("c_2", 7)).unwrap();
    board.denied(NOW + 2, &ask("c_3", 7));
}
