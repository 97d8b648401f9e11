use std::collections::{BTreeMap, BTreeSet};

use callboard_store::{Store, StoreError};

use super::*;
use crate::errors::ErrorClass;
use crate::llm::{LlmCall, LlmOutcome, record_llm};
use crate::{CallRow, Counted, MicroDollars, Outcome, Tokens, Usage, names, open_events};

fn call(id: &str, model: &str) -> LlmCall {
    LlmCall {
        id: id.to_owned(),
        at: 4_000_000_000_000,
        provider: "work".to_owned(),
        vendor: Some("google".to_owned()),
        model: model.to_owned(),
        usage: Some(Usage {
            tokens: Tokens {
                input: 1_000,
                cached: 600,
                output: 50,
                reasoning: 20,
                ..Tokens::default()
            },
            counted: Counted::Reported,
        }),
        cost: Some(MicroDollars(1_250_000)),
        total_us: Some(2_000_000),
        first_byte_us: Some(300_000),
        attempt: 1,
        ..LlmCall::default()
    }
}

fn board() -> (tempfile::TempDir, Store) {
    let board = tempfile::tempdir().unwrap();
    let store = open_events(board.path()).unwrap();
    (board, store)
}

fn record(store: &Store, calls: Vec<LlmCall>) {
    let written: Result<(), StoreError> =
        store.write_blocking(move |c| calls.iter().try_for_each(|call| record_llm(c, call)));
    written.unwrap();
}

fn page(store: &Store, metrics: &Metrics) -> String {
    store.read_now(|c| metrics.page(c)).unwrap()
}

/// The samples of a page, after a look at its form: each line is a comment or a sample, each sample belongs to
/// a family that was described before it, and buckets rise to their count.
fn samples(page: &str) -> BTreeMap<String, f64> {
    assert!(page.ends_with("# EOF\n"), "{page}");
    let mut families = BTreeSet::new();
    let mut samples = BTreeMap::new();
    let mut bucket: Option<(String, f64)> = None;
    for line in page.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let words: Vec<&str> = comment.splitn(3, ' ').collect();
            assert!(
                ["HELP", "TYPE", "UNIT", "EOF"].contains(&words[0]),
                "{line}"
            );
            families.extend(words.get(1).map(|name| (*name).to_owned()));
            continue;
        }
        let (series, number) = line.rsplit_once(' ').unwrap();
        let number: f64 = number.parse().unwrap();
        let name = series.split('{').next().unwrap();
        let bare = ["_total", "_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .unwrap_or(name);
        assert!(families.contains(bare), "{line}");
        if name.ends_with("_bucket") {
            let (before, rest) = series.split_once("le=\"").unwrap();
            let (_, rest) = rest.split_once('"').unwrap();
            let of = format!("{before}{rest}");
            if let Some((last, least)) = &bucket
                && *last == of
            {
                assert!(number >= *least, "{line}");
            }
            bucket = Some((of, number));
        }
        assert_eq!(samples.insert(series.to_owned(), number), None, "{line}");
    }
    samples
}

#[test]
fn what_was_there_before_is_not_counted_and_what_comes_is_counted_once() {
    let (_board, store) = board();
    record(&store, vec![call("c_0", "large")]);
    let metrics = store.read_now(Metrics::from_now).unwrap();
    let series = "callboard_llm_calls_total{gen_ai_provider_name=\"gcp.gemini\",callboard_provider=\"work\",gen_ai_response_model=\"large\",callboard_outcome=\"ok\"}";
    assert_eq!(samples(&page(&store, &metrics)).get(series), None);
    record(&store, vec![call("c_1", "large"), call("c_2", "large")]);
    // The same row again is the same row.
    record(&store, vec![call("c_2", "large")]);
    for _ in 0..2 {
        let samples = samples(&page(&store, &metrics));
        assert_eq!(samples[series], 2.0, "{samples:?}");
    }
}

#[test]
fn tokens_cost_and_times_add_up() {
    let (_board, store) = board();
    let metrics = store.read_now(Metrics::from_now).unwrap();
    let failed = LlmCall {
        outcome: LlmOutcome::Error,
        error: Some(ErrorClass::RateLimited),
        usage: None,
        cost: None,
        first_byte_us: None,
        ..call("c_3", "large")
    };
    let unpriced = LlmCall {
        cost: None,
        ..call("c_4", "large")
    };
    record(
        &store,
        vec![call("c_1", "large"), call("c_2", "large"), failed, unpriced],
    );
    let samples = samples(&page(&store, &metrics));
    let own = "gen_ai_provider_name=\"gcp.gemini\",callboard_provider=\"work\",gen_ai_response_model=\"large\"";
    let at = |name: &str, more: &str| samples[&format!("{name}{{{own}{more}}}")];
    assert_eq!(at("callboard_llm_cost_dollars_total", ""), 2.5);
    assert_eq!(at("callboard_llm_unknown_cost_calls_total", ""), 2.0);
    assert_eq!(samples["callboard_llm_unpriced_calls"], 1.0);
    assert_eq!(
        at("callboard_llm_errors_total", ",error_type=\"rate_limited\""),
        1.0
    );
    for (kind, tokens) in [
        ("input", 3_000.0),
        ("cached", 1_800.0),
        ("output", 150.0),
        ("reasoning", 60.0),
    ] {
        let label = format!(",callboard_token_kind=\"{kind}\"");
        assert_eq!(at("callboard_llm_tokens_total", &label), tokens, "{kind}");
    }
    assert_eq!(
        at("gen_ai_client_operation_duration_seconds_count", ""),
        3.0
    );
    assert_eq!(at("gen_ai_client_operation_duration_seconds_sum", ""), 6.0);
    assert_eq!(
        at(
            "gen_ai_client_operation_duration_seconds_count",
            ",error_type=\"rate_limited\""
        ),
        1.0
    );
    assert_eq!(
        at(
            "gen_ai_client_token_usage_sum",
            ",gen_ai_token_type=\"input\""
        ),
        3_000.0
    );
    let bucket =
        format!("gen_ai_client_operation_time_to_first_chunk_seconds_bucket{{le=\"0.32\",{own}}}");
    assert_eq!(samples[&bucket], 3.0);
}

#[tokio::test]
async fn calls_of_tools_of_every_process_are_on_the_page() {
    let board = tempfile::tempdir().unwrap();
    let serving = CallLog::open(board.path());
    let metrics = serving.metrics().await.unwrap();
    let other = CallLog::open(board.path());
    for (tool, outcome) in [
        ("task_list", Outcome::Ok),
        ("task_list", Outcome::Error),
        ("resource:board", Outcome::Ok),
    ] {
        other.record(CallRow {
            at_ms: 1,
            server: "assigner".into(),
            tool: tool.into(),
            outcome,
            error_kind: (outcome == Outcome::Error).then(|| "not_found".into()),
            duration_us: 1_500,
            request_bytes: 1,
            response_bytes: 2,
            trace: None,
            agent: None,
        });
    }
    assert!(other.flush(std::time::Duration::from_secs(10)).await);
    let page = serving.query(move |c| metrics.page(c)).await.unwrap();
    let samples = samples(&page);
    let own = "callboard_server=\"assigner\",gen_ai_tool_name=\"task_list\"";
    assert_eq!(
        samples[&format!("callboard_calls_total{{{own},callboard_outcome=\"ok\"}}")],
        1.0
    );
    let failed = format!(
        "mcp_server_operation_duration_seconds_count{{{own},mcp_method_name=\"tools/call\",error_type=\"not_found\"}}"
    );
    assert_eq!(samples[&failed], 1.0, "{samples:?}");
    let resource = "mcp_server_operation_duration_seconds_sum{callboard_server=\"assigner\",gen_ai_tool_name=\"board\",mcp_method_name=\"resources/read\"}";
    assert_eq!(samples[resource], 0.0015);
    assert_eq!(samples["callboard_call_log_dropped_rows"], 0.0);
}

#[test]
fn names_that_others_choose_cannot_fill_the_page_or_break_it() {
    let (_board, store) = board();
    let metrics = store.read_now(Metrics::from_now).unwrap();
    let mut calls: Vec<LlmCall> = (0..500)
        .map(|n| call(&format!("c_{n}"), &format!("model-{n}")))
        .collect();
    calls.insert(
        0,
        call("c_odd", &format!("a\"b\\\n{{}} {}", "x".repeat(500))),
    );
    record(&store, calls);
    let samples = samples(&page(&store, &metrics));
    let ours = samples
        .iter()
        .filter(|(name, _)| name.starts_with("callboard_llm_calls_total"));
    let (series, total) = ours.fold((0, 0.0), |(series, total), (_, calls)| {
        (series + 1, total + calls)
    });
    assert_eq!((series, total), (51, 501.0));
    let odd = samples.keys().find(|name| name.contains("a_b__")).unwrap();
    assert!(odd.len() < 250, "{odd}");
}

#[test]
fn every_metric_of_the_table_is_on_the_page_once_there_is_something_to_say() {
    let (_board, store) = board();
    let metrics = store.read_now(Metrics::from_now).unwrap();
    let failed = LlmCall {
        outcome: LlmOutcome::Error,
        error: Some(ErrorClass::BadKey),
        cost: None,
        queue_us: Some(5),
        ..call("c_2", "large")
    };
    record(&store, vec![call("c_1", "large"), failed]);
    let written: Result<usize, StoreError> = store.write_blocking(|c| {
        c.execute(
            "INSERT INTO call (at_ms, server, tool, outcome, duration_us, request_bytes, response_bytes)
             VALUES (5, 'assigner', 'task_get', 'ok', 1, 2, 3)",
            params![],
        )
    });
    written.unwrap();
    let page = page(&store, &metrics);
    for metric in names::METRICS {
        let described = format!("# HELP {} ", metric.prometheus());
        assert!(page.contains(&described), "{described}\n{page}");
    }
}
