use callboard_store::{Conn, Store, StoreError};

use super::*;
use crate::llm::{LlmCall, record_llm};
use crate::{Counted, MicroDollars, Tokens, Usage, open_events};

/// 2026-11-21, midnight.
const DAY: i64 = 20_778 * 86_400_000;
const HOUR: i64 = 3_600_000;

fn call(n: u32) -> LlmCall {
    LlmCall {
        id: format!("c_{n:03}"),
        at: DAY + i64::from(n),
        provider: "acme".to_owned(),
        model: "large".to_owned(),
        attempt: 1,
        ..LlmCall::default()
    }
}

fn used(input: u64, cached: u64, output: u64) -> Option<Usage> {
    Some(Usage {
        tokens: Tokens {
            input,
            cached,
            output,
            ..Tokens::default()
        },
        counted: Counted::Reported,
    })
}

fn board(calls: Vec<LlmCall>) -> (tempfile::TempDir, Store) {
    let board = tempfile::tempdir().unwrap();
    let store = open_events(board.path()).unwrap();
    let written: Result<(), StoreError> =
        store.write_blocking(move |c| calls.iter().try_for_each(|call| record_llm(c, call)));
    written.unwrap();
    (board, store)
}

fn ask<T, E: From<StoreError> + std::fmt::Debug>(
    store: &Store,
    query: impl FnOnce(&mut dyn Conn) -> Result<T, E>,
) -> T {
    store.read_now(query).unwrap()
}

/// Three days; two models; one call without a price, one without tokens, one failed, one given up.
fn some() -> Vec<LlmCall> {
    let text = |text: &str| Some(text.to_owned());
    vec![
        LlmCall {
            at: DAY,
            usage: used(1_000, 600, 100),
            cost: Some(MicroDollars(3_000)),
            agent: text("a_1"),
            task: text("t_1"),
            tool: text("complete"),
            ..call(1)
        },
        LlmCall {
            at: DAY + 3 * HOUR,
            model_answered: text("large-2026"),
            usage: used(500, 0, 50),
            cost: Some(MicroDollars(1_500)),
            agent: text("a_2"),
            ..call(2)
        },
        LlmCall {
            at: DAY + 24 * HOUR,
            model: "strange".to_owned(),
            usage: used(2_000, 0, 10),
            agent: text("a_1"),
            ..call(3)
        },
        LlmCall {
            at: DAY + 24 * HOUR + 1,
            provider: "other".to_owned(),
            model: "small".to_owned(),
            outcome: LlmOutcome::Error,
            error: Some(ErrorClass::RateLimited),
            cost: Some(MicroDollars(0)),
            usage: used(0, 0, 0),
            ..call(4)
        },
        LlmCall {
            at: DAY + 49 * HOUR,
            model: "small".to_owned(),
            outcome: LlmOutcome::Cancelled,
            ..call(5)
        },
    ]
}

#[test]
fn unknown_costs_are_counted_and_in_no_sum() {
    let (_board, store) = board(some());
    let all = ask(&store, |c| totals(c, &LlmFilter::default()));
    let expected = Totals {
        calls: 5,
        ok: 3,
        failed: 1,
        ended_early: 1,
        unknown_cost: 2,
        unknown_tokens: 1,
        estimated: 0,
        cost: MicroDollars(4_500),
        tokens: Tokens {
            input: 3_500,
            cached: 600,
            output: 160,
            ..Tokens::default()
        },
    };
    assert_eq!(all, expected);
    assert!((all.cache_share().unwrap() - 600.0 / 3_500.0).abs() < 1e-12);
    let nothing = LlmFilter {
        since: Some(i64::MAX),
        ..LlmFilter::default()
    };
    assert_eq!(ask(&store, |c| totals(c, &nothing)), Totals::default());
}

#[test]
fn costs_are_added_up_by_anything() {
    let (_board, store) = board(some());
    let by = |by: &[By]| {
        let costs = ask(&store, |c| costs(c, &LlmFilter::default(), by, 10));
        let sum: u64 = costs.rows.iter().map(|row| row.totals.calls).sum();
        assert_eq!(sum, costs.total.calls, "{by:?}");
        assert_eq!(
            costs.total,
            ask(&store, |c| totals(c, &LlmFilter::default()))
        );
        let rows = costs.rows.into_iter().map(|row| {
            let key: Vec<String> = row
                .key
                .into_iter()
                .map(|key| key.unwrap_or("-".to_owned()))
                .collect();
            format!(
                "{} {} {} +{}",
                key.join("/"),
                row.totals.calls,
                row.totals.cost,
                row.totals.unknown_cost
            )
        });
        rows.collect::<Vec<_>>()
    };
    assert_eq!(
        by(&[By::Model]),
        [
            "acme/large 1 $0.003 +0",
            "acme/large-2026 1 $0.0015 +0",
            "acme/small 1 $0.00 +1",
            "acme/strange 1 $0.00 +1",
            "other/small 1 $0.00 +0"
        ]
    );
    assert_eq!(
        by(&[By::Provider]),
        ["acme 4 $0.0045 +2", "other 1 $0.00 +0"]
    );
    assert_eq!(
        by(&[By::Agent]),
        ["a_1 2 $0.003 +1", "a_2 1 $0.0015 +0", "- 2 $0.00 +1"]
    );
    assert_eq!(by(&[By::Task])[0], "t_1 1 $0.003 +0");
    assert_eq!(by(&[By::Tool])[0], "complete 1 $0.003 +0");
    assert_eq!(
        by(&[By::Day]),
        [
            "2026-11-21 2 $0.0045 +0",
            "2026-11-22 2 $0.00 +1",
            "2026-11-23 1 $0.00 +1"
        ]
    );
    assert_eq!(by(&[By::Hour])[1], "2026-11-21T03 1 $0.0015 +0");
    assert_eq!(
        by(&[By::Day, By::Provider]),
        [
            "2026-11-21/acme 2 $0.0045 +0",
            "2026-11-22/acme 1 $0.00 +1",
            "2026-11-22/other 1 $0.00 +0",
            "2026-11-23/acme 1 $0.00 +1"
        ]
    );
    assert_eq!(by(&[]), [" 5 $0.0045 +2"]);
    for all in [By::Project, By::Route, By::Account, By::Server] {
        assert_eq!(by(&[all]), ["- 5 $0.0045 +2"], "{all:?}");
    }
}

#[test]
fn a_model_is_found_by_its_name_alone_or_with_its_provider() {
    let (_board, store) = board(some());
    let calls = |model: &str| {
        let filter = LlmFilter {
            model: Some(model.to_owned()),
            ..LlmFilter::default()
        };
        ask(&store, |c| totals(c, &filter)).calls
    };
    let of = ["small", "acme/small", "other/small", "acme/large-2026"];
    assert_eq!(of.map(calls), [2, 1, 1, 1]);
    assert_eq!(["acme", "other/large", "acme/"].map(calls), [0, 0, 0]);
}

#[test]
fn a_limit_leaves_keys_out_and_says_so() {
    let (_board, store) = board(some());
    let costs = ask(&store, |c| costs(c, &LlmFilter::default(), &[By::Model], 1));
    assert_eq!(
        (costs.rows.len(), costs.left_out, costs.total.calls),
        (1, 4, 5)
    );
}

#[test]
fn every_part_of_the_filter_lets_only_its_own_through() {
    let mut calls = some();
    let own = LlmCall {
        account: Some("work".to_owned()),
        project: Some("callboard".to_owned()),
        server: Some("llm".to_owned()),
        route: Some("default".to_owned()),
        trace: Some("trace".to_owned()),
        ..calls[0].clone()
    };
    calls[0] = own.clone();
    let (_board, store) = board(calls);
    let filters = [
        LlmFilter {
            until: Some(DAY + 1),
            ..LlmFilter::default()
        },
        LlmFilter {
            model: Some("large".to_owned()),
            ..LlmFilter::default()
        },
        LlmFilter {
            account: own.account,
            ..LlmFilter::default()
        },
        LlmFilter {
            task: own.task,
            ..LlmFilter::default()
        },
        LlmFilter {
            project: own.project,
            ..LlmFilter::default()
        },
        LlmFilter {
            server: own.server,
            ..LlmFilter::default()
        },
        LlmFilter {
            tool: own.tool,
            ..LlmFilter::default()
        },
        LlmFilter {
            route: own.route,
            ..LlmFilter::default()
        },
        LlmFilter {
            trace: own.trace,
            ..LlmFilter::default()
        },
        LlmFilter {
            agent: own.agent,
            until: Some(DAY + HOUR),
            ..LlmFilter::default()
        },
        LlmFilter {
            provider: Some("acme".to_owned()),
            outcome: Some(LlmOutcome::Ok),
            until: Some(DAY + HOUR),
            ..LlmFilter::default()
        },
    ];
    for filter in filters {
        let page = ask(&store, |c| find_calls(c, &filter, Order::Latest, None, 9));
        let ids: Vec<&str> = page.calls.iter().map(|call| call.id.as_str()).collect();
        assert_eq!(ids, ["c_001"], "{filter:?}");
    }
    let failed = LlmFilter {
        error: Some(ErrorClass::RateLimited),
        ..LlmFilter::default()
    };
    let page = ask(&store, |c| find_calls(c, &failed, Order::Latest, None, 9));
    assert_eq!(page.calls[0].id, "c_004");
}

#[test]
fn pages_follow_each_other_without_gaps_in_every_order() {
    let calls: Vec<LlmCall> = (0..25)
        .map(|n| LlmCall {
            // Many alike, some unknown: the id decides.
            at: DAY + i64::from(n / 4),
            cost: (n % 5 != 0).then(|| MicroDollars(i64::from(n % 3))),
            total_us: (n % 7 != 0).then(|| u64::from(n % 4)),
            ..call(n)
        })
        .collect();
    let (_board, store) = board(calls.clone());
    for order in [Order::Latest, Order::Dearest, Order::Slowest] {
        let mut expected = calls.clone();
        expected.sort_by(|a, b| (order.of(b), &b.id).cmp(&(order.of(a), &a.id)));
        let mut seen = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = ask(&store, |c| {
                find_calls(c, &LlmFilter::default(), order, cursor.as_deref(), 4)
            });
            assert!(page.calls.len() <= 4);
            seen.extend(page.calls);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, expected, "{order:?}");
    }
}

#[test]
fn a_made_up_cursor_is_refused_in_words() {
    let (_board, store) = board(Vec::new());
    let page = store
        .read_now(|c| find_calls(c, &LlmFilter::default(), Order::Latest, Some("nonsense"), 4));
    let error = page.unwrap_err().to_string();
    assert!(
        error.contains("nonsense") && error.contains("leave it out"),
        "{error}"
    );
}

#[test]
fn speed_is_that_of_answered_calls() {
    let mut calls: Vec<LlmCall> = (1..=100)
        .map(|n| LlmCall {
            total_us: Some(u64::from(n) * 1_000),
            first_byte_us: (n % 2 == 0).then_some(500),
            usage: used(100, 25, 10),
            ..call(n)
        })
        .collect();
    calls.push(LlmCall {
        outcome: LlmOutcome::Error,
        total_us: Some(u64::MAX / 4),
        ..call(200)
    });
    let (_board, store) = board(calls);
    let speed = ask(&store, |c| {
        speed(c, &LlmFilter::default(), Some(By::Provider), 9)
    });
    assert_eq!(
        (speed.looked_at, speed.truncated, speed.rows.len()),
        (100, false, 1)
    );
    let row = &speed.rows[0];
    assert_eq!((row.key.as_deref(), row.calls), (Some("acme"), 100));
    let total = row.total.unwrap();
    assert_eq!(
        (total.p50, total.p95, total.p99, total.max),
        (50_000, 95_000, 99_000, 100_000)
    );
    let first = row.first_byte.unwrap();
    assert_eq!((first.calls, first.p50), (50, 500));
    assert_eq!(row.queue, None);
    assert_eq!(row.cache_share, Some(0.25));
    // 1,000 tokens in 5,050 ms less 50 times half a millisecond before the first byte.
    let expected = 1_000.0 / (5.050 - 0.025);
    assert!(
        (row.tokens_per_second.unwrap() - expected).abs() < 1e-6,
        "{row:?}"
    );
}

#[test]
fn more_calls_than_are_looked_at_is_said_and_the_latest_count() {
    let calls = (1..=20).map(|n| LlmCall {
        total_us: Some(u64::from(n)),
        ..call(n)
    });
    let (_board, store) = board(calls.collect());
    let speed = ask(&store, |c| {
        speed::speed_of(c, &LlmFilter::default(), None, 9, 5)
    });
    assert_eq!((speed.looked_at, speed.truncated), (5, true));
    assert_eq!(speed.rows[0].total.unwrap().p50, 18);
}

#[test]
fn failures_come_by_kind_and_by_day_with_advice() {
    let failed = |n: u32, day: i64, model: &str, class: Option<ErrorClass>| LlmCall {
        at: DAY + day * 24 * HOUR + i64::from(n),
        model: model.to_owned(),
        outcome: LlmOutcome::Error,
        error: class,
        ..call(n)
    };
    use ErrorClass::{BadKey, Overloaded};
    let calls = vec![
        failed(1, 0, "large", Some(Overloaded)),
        failed(2, 1, "large", Some(Overloaded)),
        failed(3, 1, "small", Some(Overloaded)),
        failed(4, 2, "small", Some(BadKey)),
        failed(5, 2, "small", None),
        LlmCall {
            at: DAY + 48 * HOUR,
            ..call(6)
        },
    ];
    let (_board, store) = board(calls);
    let found = ask(&store, |c| failures(c, &LlmFilter::default(), 2));
    assert_eq!((found.calls, found.failed), (6, 5));
    let classes: Vec<_> = found
        .classes
        .iter()
        .map(|class| (class.class, class.calls))
        .collect();
    assert_eq!(
        classes,
        [(Overloaded, 3), (BadKey, 1), (ErrorClass::Unknown, 1)]
    );
    let worst = &found.classes[0];
    assert_eq!(
        (worst.first_at, worst.last_at),
        (DAY + 1, DAY + 24 * HOUR + 3)
    );
    let acme = "acme".to_owned();
    let sources = [
        (acme.clone(), "large".to_owned(), 2),
        (acme, "small".to_owned(), 1),
    ];
    assert_eq!(worst.sources, sources);
    assert_eq!(
        (worst.advice, worst.severity),
        (Overloaded.advice(), Overloaded.severity())
    );
    let days: Vec<_> = found
        .days
        .iter()
        .map(|day| (day.day.as_str(), day.calls, day.failed))
        .collect();
    assert_eq!(days, [("2026-11-22", 2, 2), ("2026-11-23", 3, 2)]);
    assert_eq!(found.days[1].classes[&BadKey], 1);
    let only = LlmFilter {
        error: Some(BadKey),
        ..LlmFilter::default()
    };
    let found = ask(&store, |c| failures(c, &only, 9));
    assert_eq!((found.calls, found.failed, found.classes.len()), (6, 1, 1));
    assert_eq!(found.days.iter().map(|day| day.failed).sum::<u64>(), 1);
}

#[test]
fn who_answered_for_a_task_is_told_in_order_within_a_time() {
    let by = |n, task: &str, outcome| LlmCall {
        task: Some(task.to_owned()),
        decision: Some(format!("{{\"n\": {n}}}")),
        outcome,
        ..call(n)
    };
    let calls = vec![
        by(1, "t_1", LlmOutcome::Ok),
        by(2, "t_1", LlmOutcome::Error),
        by(3, "t_2", LlmOutcome::Ok),
        by(4, "t_1", LlmOutcome::Ok),
        by(5, "t_1", LlmOutcome::Ok),
    ];
    let (_board, store) = board(calls);
    let told = |from, until| -> Vec<String> {
        let rows = ask(&store, |c| served(c, "t_1", DAY + from, DAY + until));
        rows.into_iter().filter_map(|row| row.decision).collect()
    };
    assert_eq!(told(0, 10), ["{\"n\": 1}", "{\"n\": 4}", "{\"n\": 5}"]);
    assert_eq!(told(2, 4), ["{\"n\": 4}"]);
    let first = ask(&store, |c| served(c, "t_2", DAY, DAY + 10)).remove(0);
    assert_eq!(
        (first.provider.as_str(), first.model.as_str()),
        ("acme", "large")
    );
}
