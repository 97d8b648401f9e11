//! What stops work, and what was spent day by day.

use crate::fixture::{DAY, NOW, ask, board, limit, subject, used};
use callboard_limits::{
    Forecast, Frees, Resource, Scope, Span, budget_forecast, budget_stops, spend_daily,
};
use callboard_telemetry::usage::MicroDollars;

#[test]
fn work_stops_where_nothing_is_left_of_a_budget() {
    let board = board();
    board.set(&limit(Scope::Project, "p", Resource::Money, Span::Day, 10));
    board.set(&limit(
        Scope::Project,
        "p",
        Resource::Requests,
        Span::Day,
        1,
    ));
    board.set(&limit(Scope::Task, "*", Resource::Money, Span::Ever, 10));
    let stops = |at: i64, task: &str| {
        // Whoever hands out work knows no provider yet.
        let mut subject = subject("", task);
        subject.provider = None;
        board
            .store
            .read_now(|c| budget_stops(c, at, &subject))
            .unwrap()
    };
    assert_eq!(stops(NOW, "t"), None);
    board.reserve(NOW, &ask("c_1", 9)).unwrap();
    // Requests are used up, but that is no budget.
    assert_eq!(stops(NOW, "t"), None);
    board.settle(NOW, "c_1", &used(1, 1, Some(12)));
    let stopped = stops(NOW, "other").unwrap();
    assert_eq!(
        (stopped.limit.scope, stopped.left, stopped.used),
        (Scope::Project, 0, 12)
    );
    assert!(matches!(stopped.frees, Frees::At(_)));
    // The task's own budget stops it for good, and only it.
    assert_eq!(stops(NOW, "t").unwrap().frees, Frees::Never);
    assert_eq!(stops(NOW + DAY, "t").unwrap().limit.scope, Scope::Task);
    assert_eq!(stops(NOW + DAY, "other"), None);
}

#[test]
fn what_was_spent_is_told_by_days_of_the_limits_clock() {
    let board = board();
    // Noon and ten seconds: at 23 o'clock UTC it is the next day an hour and a half further east.
    let eleven_hours = 11 * 3_600_000;
    for (n, at, cost) in [
        (1, NOW - 3 * DAY, Some(5)),
        (2, NOW - 3 * DAY + eleven_hours, Some(7)),
        (3, NOW - DAY, Some(2)),
        (4, NOW - DAY, None),
        (5, NOW, Some(100)),
    ] {
        let call = format!("c_{n}");
        board.reserve(at, &ask(&call, 9)).unwrap();
        board.settle(at, &call, &used(1, 1, cost));
    }
    board.reserve(NOW - DAY, &ask("c_6", 9)).unwrap();
    let spent = |offset_min: i32| {
        let mut budget = limit(Scope::Provider, "groq", Resource::Money, Span::Month, 1);
        budget.offset_min = offset_min;
        let daily = board
            .store
            .read_now(|c| spend_daily(c, NOW, &budget, "groq", 4))
            .unwrap();
        daily
            .into_iter()
            .map(|MicroDollars(amount)| amount)
            .collect::<Vec<_>>()
    };
    assert_eq!(spent(0), [0, 12, 0, 2]);
    assert_eq!(spent(90), [0, 5, 7, 2]);
}

#[test]
fn a_budgets_end_is_foreseen_from_the_days_before() {
    let board = board();
    board.set(&limit(Scope::All, "", Resource::Money, Span::Month, 400));
    board.set(&limit(Scope::All, "", Resource::Requests, Span::Month, 400));
    let forecasts = || {
        let standings = board.standing(NOW);
        let of = |standing| {
            board
                .store
                .read_now(|c| budget_forecast(c, NOW, standing))
                .unwrap()
        };
        standings.iter().map(of).collect::<Vec<_>>()
    };
    for (n, days_ago, cost) in [(1, 0, 60), (2, 1, 50), (3, 2, 10), (4, 20, 40)] {
        let call = format!("c_{n}");
        board.reserve(NOW - days_ago * DAY, &ask(&call, 9)).unwrap();
        board.settle(NOW, &call, &used(1, 1, Some(cost)));
    }
    assert_eq!(
        forecasts(),
        [Some(Forecast::TooLittle { days: 2, needed: 3 }), None]
    );
    board.reserve(NOW - 3 * DAY, &ask("c_5", 9)).unwrap();
    board.settle(NOW, "c_5", &used(1, 1, Some(30)));
    // 60 + 50 + 10 + 30 + 40 are gone, 210 are left: seven days. The month has nine and a half more.
    let expected = Forecast::Overrun {
        at: NOW + 7 * DAY,
        daily: MicroDollars(30),
        total: Some(MicroDollars(474)),
    };
    assert_eq!(forecasts(), [Some(expected), None]);
}
