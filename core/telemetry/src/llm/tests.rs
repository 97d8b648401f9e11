use callboard_store::{Store, StoreError};

use super::*;
use crate::errors::ErrorClass;
use crate::{Counted, MicroDollars, Tokens, Usage, open_events};

fn usage(input: u64, counted: Counted) -> Usage {
    Usage {
        tokens: Tokens {
            input,
            cached: 1,
            cache_write: 2,
            cache_write_1h: 3,
            output: 4,
            reasoning: 5,
        },
        counted,
    }
}

fn full() -> LlmCall {
    let text = |text: &str| Some(text.to_owned());
    LlmCall {
        id: "c_1".to_owned(),
        at: 1_790_000_000_000,
        trace: text("0af7651916cd43dd8448eb211c80319c"),
        parent: text("b7ad6b7169203331"),
        server: text("llm"),
        tool: text("complete"),
        agent: text("a_1"),
        task: text("t_1"),
        project: text("callboard"),
        route: text("default"),
        provider: "acme".to_owned(),
        vendor: text("openai"),
        model: "large".to_owned(),
        model_answered: text("large-2026-01-01"),
        account: text("work"),
        decision: text("{\"chosen\":\"acme/large\"}"),
        usage: Some(usage(1200, Counted::Reported)),
        mode: crate::Mode::from("flex web_search=3".to_owned()),
        cost: Some(MicroDollars(4_200)),
        price: text("2026-11-01"),
        queue_us: Some(10),
        first_byte_us: Some(20),
        total_us: Some(30),
        outcome: LlmOutcome::Error,
        error: Some(ErrorClass::RateLimited),
        error_code: text("rate_limit_exceeded"),
        status: Some(429),
        finish: text("stop"),
        attempt: 2,
        hop: 1,
        bytes_in: Some(400),
        bytes_out: Some(500),
        streamed: true,
    }
}

fn bare() -> LlmCall {
    LlmCall {
        id: "c_1".to_owned(),
        at: 1_790_000_000_000,
        provider: "acme".to_owned(),
        model: "large".to_owned(),
        ..LlmCall::default()
    }
}

fn store() -> (tempfile::TempDir, Store) {
    let board = tempfile::tempdir().unwrap();
    let store = open_events(board.path()).unwrap();
    (board, store)
}

async fn record(store: &Store, call: LlmCall) {
    let written: Result<(), StoreError> = store.write(move |c| record_llm(c, &call)).await;
    written.unwrap();
}

async fn read(store: &Store) -> LlmCall {
    let row: Result<Option<LlmCall>, StoreError> = store.read(|c| llm_call(c, "c_1")).await;
    row.unwrap().unwrap()
}

async fn count(store: &Store, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    let rows: Result<Option<i64>, StoreError> = store
        .read(move |c| c.query_one(&sql, &[], |row| row.int(0)))
        .await;
    rows.unwrap().unwrap()
}

#[tokio::test]
async fn every_column_survives_the_file() {
    let (_board, store) = store();
    record(&store, full()).await;
    assert_eq!(read(&store).await, full());
}

#[tokio::test]
async fn what_is_not_known_stays_unknown() {
    let (_board, store) = store();
    record(&store, bare()).await;
    let back = read(&store).await;
    assert_eq!(back, bare());
    assert_eq!(
        (back.cost, back.usage, back.first_byte_us),
        (None, None, None)
    );
}

#[tokio::test]
async fn a_fuller_row_fills_in_and_a_poorer_one_takes_nothing_away() {
    for rows in [[bare(), full()], [full(), bare()]] {
        let (_board, store) = store();
        let first = rows[0].clone();
        for row in rows {
            record(&store, row).await;
        }
        let back = read(&store).await;
        // What is never unknown stays as the first row said it.
        let expected = LlmCall {
            outcome: first.outcome,
            attempt: first.attempt,
            hop: first.hop,
            streamed: first.streamed,
            ..full()
        };
        assert_eq!(back, expected);
        assert_eq!(count(&store, "llm_call").await, 1);
    }
}

#[tokio::test]
async fn reported_tokens_replace_estimated_ones_together_with_the_cost() {
    let (_board, store) = store();
    let with = |input, counted, cost: i64| LlmCall {
        usage: Some(usage(input, counted)),
        cost: Some(MicroDollars(cost)),
        price: Some(format!("v{cost}")),
        ..bare()
    };
    record(&store, with(100, Counted::Estimated, 1)).await;
    record(&store, with(120, Counted::Reported, 2)).await;
    let settled = with(120, Counted::Reported, 2);
    assert_eq!(read(&store).await, settled);
    for later in [
        with(999, Counted::Estimated, 3),
        with(999, Counted::Reported, 4),
    ] {
        record(&store, later).await;
        assert_eq!(read(&store).await, settled);
    }
}

#[tokio::test]
async fn a_cost_reckoned_from_an_estimate_does_not_stay_beside_reported_tokens() {
    let (_board, store) = store();
    let estimated = LlmCall {
        usage: Some(usage(100, Counted::Estimated)),
        cost: Some(MicroDollars(1)),
        price: Some("v1".to_owned()),
        ..bare()
    };
    let reported = LlmCall {
        usage: Some(usage(120, Counted::Reported)),
        ..bare()
    };
    record(&store, estimated).await;
    record(&store, reported.clone()).await;
    assert_eq!(read(&store).await, reported);
}

#[tokio::test]
async fn a_lost_call_becomes_what_came_of_it() {
    let (_board, store) = store();
    let lost = LlmCall {
        outcome: LlmOutcome::Lost,
        ..bare()
    };
    record(&store, lost.clone()).await;
    record(&store, full()).await;
    assert_eq!(read(&store).await, full());
    record(&store, lost).await;
    assert_eq!(read(&store).await, full());
}

#[tokio::test]
async fn what_seemed_to_have_used_nothing_costs_what_it_used_after_all() {
    let (_board, store) = store();
    let nothing = LlmCall {
        cost: Some(MicroDollars::ZERO),
        ..bare()
    };
    record(&store, nothing.clone()).await;
    let used = LlmCall {
        usage: Some(usage(1_200, Counted::Reported)),
        cost: Some(MicroDollars(4_200)),
        ..bare()
    };
    record(&store, used.clone()).await;
    assert_eq!(read(&store).await.cost, used.cost);
    record(&store, nothing).await;
    assert_eq!(read(&store).await.cost, used.cost);
}

#[test]
fn secrets_in_use_and_keys_by_their_shape_never_reach_the_file() {
    let secret = callboard_redact::Secret::new("canary of the llm log".to_owned());
    callboard_redact::register("LLM_CANARY", &secret).unwrap();
    let key = format!("sk-ant-api03-{}", "x".repeat(80));
    let request = format!(
        "use canary of the llm log and {key}, and sk-short, and task-{}",
        "y".repeat(40)
    );
    let text = LlmText::redacted(
        "c_1",
        1,
        &request,
        "AIzaSyA0123456789012345678901234567890123",
    );
    assert_eq!(
        text.request(),
        format!(
            "use [vault:LLM_CANARY] and [key], and sk-short, and task-{}",
            "y".repeat(40)
        )
    );
    assert_eq!(text.answer(), "[key]");
}

#[test]
fn a_long_text_is_cut_after_it_was_redacted() {
    // The key lies across the cut: cutting first would leave most of it.
    let request = format!("{} sk-proj-{}", "é".repeat(32 * 1024 - 10), "k".repeat(60));
    let text = LlmText::redacted("c_1", 1, &request, "");
    assert!(
        !text.request().contains("sk-proj"),
        "{}",
        &text.request()[65_000..]
    );
    let long = LlmText::redacted("c_1", 1, &"é".repeat(40_000), "");
    assert!(long.request().ends_with("[…cut, 80000 bytes in all]"));
    assert!(long.request().len() < 65 * 1024 + 40);
}

#[tokio::test]
async fn forgetting_goes_by_age_and_by_number_in_small_steps_and_takes_the_texts_along() {
    let (_board, store) = store();
    let day = 86_400_000;
    for n in 0..60_i64 {
        let id = format!("c_{n:02}");
        let text = LlmText::redacted(&id, n * day, "q", "a");
        record(
            &store,
            LlmCall {
                id,
                at: n * day,
                ..bare()
            },
        )
        .await;
        let written: Result<(), StoreError> = store.write(move |c| record_text(c, &text)).await;
        written.unwrap();
    }
    let retention = Retention {
        days: 20,
        rows: 15,
        text_days: 100,
        text_rows: 100,
    };
    let now = 59 * day;
    let mut steps = 0;
    loop {
        let step: Result<Forgotten, StoreError> =
            store.write(move |c| forget(c, now, &retention, 10)).await;
        let step = step.unwrap();
        assert!(step.calls <= 10 && step.texts <= 20, "{step:?}");
        if step.is_done() {
            break;
        }
        steps += 1;
    }
    assert!(steps >= 5, "{steps}");
    assert_eq!(count(&store, "llm_call").await, 15);
    assert_eq!(count(&store, "llm_text").await, 15);
    let shorter = Retention {
        text_days: 5,
        text_rows: 2,
        ..retention
    };
    let step: Result<Forgotten, StoreError> =
        store.write(move |c| forget(c, now, &shorter, 100)).await;
    assert_eq!(
        step.unwrap(),
        Forgotten {
            calls: 0,
            texts: 13
        }
    );
}
