//! Limits as rows.

use crate::fixture::{NOW, board, limit};
use callboard_limits::{
    Limit, LimitError, Resource, Scope, Span, limit_drop, limit_set, limits_list, limits_sync,
};

#[test]
fn a_limit_that_makes_no_sense_is_refused_with_its_field() {
    let sound = || limit(Scope::All, "", Resource::Money, Span::Day, 1);
    let with = |change: fn(&mut Limit)| {
        let mut limit = sound();
        change(&mut limit);
        limit
    };
    let board = board();
    for (limit, field) in [
        (with(|l| l.name = "x".to_owned()), "name"),
        (with(|l| l.scope = Scope::Task), "name"),
        (
            limit(Scope::Model, "groq", Resource::Money, Span::Day, 1),
            "name",
        ),
        (
            limit(Scope::Account, "groq/", Resource::Money, Span::Day, 1),
            "name",
        ),
        (with(|l| l.resource = Resource::Concurrent), "span"),
        (with(|l| l.span = Span::Now), "span"),
        (with(|l| l.amount = -1), "amount"),
        (with(|l| l.warn = 1_001), "warn"),
        (with(|l| l.offset_min = 16 * 60), "offset_min"),
        (with(|l| l.origin = String::new()), "origin"),
    ] {
        let shown = format!("{limit:?}");
        match board.write(move |c| limit_set(c, NOW, &limit)) {
            Err(LimitError::Invalid { field: found, .. }) => assert_eq!(found, field, "{shown}"),
            other => panic!("{other:?} for {shown}"),
        }
    }
    assert!(board.standing(NOW).is_empty());
}

#[test]
fn limits_are_set_replaced_and_dropped_with_a_row_in_the_audit_each() {
    let board = board();
    let mut month = limit(Scope::Project, "p", Resource::Money, Span::Month, 5);
    board.set(&month);
    month.amount = 9;
    board.set(&month);
    let stored = board.store.read_now(limits_list).unwrap();
    assert_eq!(stored, [month.clone()]);
    let gone = month.clone();
    assert!(board.write(move |c| limit_drop(c, NOW, &gone)).unwrap());
    assert!(!board.write(move |c| limit_drop(c, NOW, &month)).unwrap());
    assert!(board.store.read_now(limits_list).unwrap().is_empty());
    assert_eq!(board.number("SELECT count(*) FROM audit WHERE verb = 'limit_set' AND subject = 'project:p money month'"), 2);
    assert_eq!(
        board.number("SELECT count(*) FROM audit WHERE verb = 'limit_drop'"),
        1
    );
}

#[test]
fn a_configuration_replaces_its_own_limits_and_leaves_the_users() {
    let board = board();
    let of = |name: &str, amount: i64| {
        let mut limit = limit(Scope::Provider, name, Resource::Money, Span::Day, amount);
        limit.origin = "config".to_owned();
        limit
    };
    let users = limit(Scope::Provider, "a", Resource::Money, Span::Day, 3);
    board.set(&users);
    let sync = |limits: Vec<Limit>| board.write(move |c| limits_sync(c, NOW, "config", &limits));
    assert_eq!(sync(vec![of("a", 1), of("b", 1)]).unwrap(), 2);
    assert_eq!(sync(vec![of("a", 1), of("b", 1)]).unwrap(), 0);
    assert_eq!(sync(vec![of("b", 2)]).unwrap(), 2);
    let stored = board.store.read_now(limits_list).unwrap();
    assert_eq!(stored, [users.clone(), of("b", 2)]);
    // Nothing is changed by a list with something wrong in it.
    assert!(sync(vec![of("c", 1), users]).is_err());
    assert_eq!(board.store.read_now(limits_list).unwrap(), stored);
}
