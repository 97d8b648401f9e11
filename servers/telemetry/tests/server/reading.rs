//! What the tools say of known calls.

use crate::rig::{DAY, NOW, Rig, call, record_texts, rows, some, used};
use callboard_models::prices::{Current, Files, update};
use callboard_telemetry::MicroDollars;
use callboard_telemetry::llm::LlmCall;
use serde_json::{Value, json};
use std::path::Path;

#[tokio::test]
async fn costs_are_added_up_and_unknown_ones_counted() {
    let rig = Rig::new().await;
    let (all, text) = rig.ok("costs", json!({"period": "all"})).await;
    assert_eq!(all["total"]["calls"], 5);
    assert_eq!(all["total"]["cost_usd"], 4.000_001);
    assert_eq!(all["total"]["unknown_cost_calls"], 3);
    assert_eq!(
        rows(&all, &["calls", "cost_usd", "unknown_cost_calls"]),
        json!([
            [["acme/large"], 2, 4.000_001, 0],
            [["acme/small"], 2, null, 2],
            [["acme/strange"], 1, null, 1],
        ])
    );
    assert!(
        text.contains(
            "$4.00 + 3 unknown for 5 calls; 3 calls have no known cost and are in no sum"
        ),
        "{text}"
    );
    assert!(text.contains("acme/strange  unknown"), "{text}");
}

#[tokio::test]
async fn periods_keys_and_filters_choose() {
    let rig = Rig::new().await;
    let (week, _) = rig.ok("costs", json!({"by": ["day"]})).await;
    assert_eq!(week["period"], "2026-11-15 to now (UTC)");
    assert_eq!(
        rows(&week, &["calls"]),
        json!([[["2026-11-19"], 1], [["2026-11-21"], 3]])
    );
    let (today, _) = rig
        .ok(
            "costs",
            json!({"period": "today", "by": ["agent", "model"]}),
        )
        .await;
    assert_eq!(
        rows(&today, &["calls"]),
        json!([
            [["a_1", "acme/large"], 1],
            [[null, "acme/small"], 1],
            [[null, "acme/strange"], 1]
        ])
    );
    let only = json!({"period": "all", "only": {"model": "large", "agent": "a_1"}});
    assert_eq!(rig.ok("costs", only).await.0["total"]["calls"], 2);
    let (none, text) = rig.ok("costs", json!({"period": "2025-01"})).await;
    assert_eq!(none["total"]["calls"], 0);
    assert!(text.contains("no calls to models fit"), "{text}");
}

#[tokio::test]
async fn calls_come_page_by_page_and_one_in_full() {
    let rig = Rig::new().await;
    let (first, _) = rig.ok("calls", json!({"period": "all", "limit": 3})).await;
    let ids = |page: &Value| {
        let calls = page["calls"].as_array().unwrap().iter();
        calls.map(|call| call["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&first), ["c_4", "c_3", "c_2"]);
    let next = json!({"period": "all", "limit": 3, "cursor": first["next"]});
    let (second, _) = rig.ok("calls", next).await;
    assert_eq!(ids(&second), ["c_1", "c_5"]);
    assert_eq!(second.get("next"), None);
    let (dear, _) = rig
        .ok(
            "calls",
            json!({"period": "all", "order": "dearest", "limit": 1}),
        )
        .await;
    assert_eq!(ids(&dear), ["c_2"]);
    let failed = json!({"period": "all", "only": {"error": "rate_limited"}});
    assert_eq!(ids(&rig.ok("calls", failed).await.0), ["c_4"]);

    let (one, text) = rig.ok("calls", json!({"id": "c_4"})).await;
    let one = &one["calls"][0];
    assert_eq!(one["cost"], "unknown");
    assert_eq!(one.get("cost_usd"), None);
    assert_eq!(
        (&one["status"], &one["error"]),
        (&json!(429), &json!("rate_limited"))
    );
    assert!(one["advice"].as_str().unwrap().starts_with("Retry after"));
    assert!(text.contains("error: rate_limited"), "{text}");
    assert!(
        rig.refused("calls", json!({"id": "c_9"}))
            .await
            .starts_with("not_found: no call c_9")
    );
}

#[tokio::test]
async fn kept_texts_are_cut_in_answers_and_whole_in_the_resource() {
    let rig = Rig::new().await;
    record_texts(rig.dir.path(), "c_2", &"long ".repeat(2_000), "short").await;
    let result = rig.call("calls", json!({"id": "c_2"})).await;
    let texts = &result["structuredContent"]["calls"][0]["texts"];
    assert_eq!(texts["answer"], "short");
    let request = texts["request"].as_str().unwrap();
    assert!(
        request.len() < 3_100 && request.ends_with("(7000 more characters)"),
        "{request}"
    );
    assert_eq!(result["content"][1]["uri"], "telemetry://call/c_2");
    let whole = rig.read("telemetry://call/c_2").await;
    let whole: Value = serde_json::from_str(whole["text"].as_str().unwrap()).unwrap();
    assert_eq!(whole["texts"]["request"].as_str().unwrap().len(), 10_000);
}

#[tokio::test]
async fn performance_is_that_of_answered_calls() {
    let calls = (1..=100).map(|n| LlmCall {
        total_us: Some(n * 10_000),
        first_byte_us: Some(n * 1_000),
        usage: used(100, 25, 10),
        ..call(&format!("c_{n:03}"), NOW - 1_000)
    });
    let rig = Rig::with(calls.chain(some().into_iter().skip(3)).collect()).await;
    let (found, text) = rig.ok("performance", json!({"by": "provider"})).await;
    assert_eq!(found["looked_at"], 100);
    let row = &found["rows"][0];
    assert_eq!((&row["key"], &row["calls"]), (&json!("acme"), &json!(100)));
    assert_eq!(
        row["total_ms"],
        json!({"p50": 500.0, "p95": 950.0, "p99": 990.0, "max": 1000.0, "calls": 100})
    );
    assert_eq!(row["first_byte_ms"]["p95"], 95.0);
    assert_eq!(row["cached_share"], 0.25);
    assert!(text.contains("500 ms") && text.contains("25.0 %"), "{text}");
}

#[tokio::test]
async fn models_of_one_name_are_told_apart_by_their_provider() {
    let of = |provider: &str, id: &str, cost| LlmCall {
        provider: provider.to_owned(),
        usage: used(10, 0, 1),
        cost: Some(MicroDollars(cost)),
        ..call(id, NOW - 1_000)
    };
    let rig = Rig::with(vec![of("acme", "c_1", 20), of("other", "c_2", 10)]).await;
    let both = json!(["acme/small", "other/small"]);
    for (tool, more) in [
        ("costs", json!({})),
        ("performance", json!({})),
        ("savings", json!({"baseline": "acme/large"})),
    ] {
        let (found, text) = rig.ok(tool, more).await;
        let rows = found["rows"].as_array().unwrap().iter();
        let mut keys: Vec<&str> = rows
            .map(|row| row["key"].as_str().or_else(|| row["key"][0].as_str()))
            .map(Option::unwrap)
            .collect();
        keys.sort_unstable();
        assert_eq!(json!(keys), both, "{tool}");
        assert!(text.contains("other/small"), "{tool}: {text}");
    }
    // What a row is called is what narrows to it.
    let only = json!({"only": {"model": "other/small"}});
    assert_eq!(rig.ok("costs", only).await.0["total"]["calls"], 1);
}

#[tokio::test]
async fn errors_come_with_advice_and_days() {
    let rig = Rig::new().await;
    let (found, text) = rig.ok("errors", json!({})).await;
    assert_eq!((&found["calls"], &found["failed"]), (&json!(4), &json!(1)));
    let class = &found["classes"][0];
    assert_eq!(class["class"], "rate_limited");
    assert_eq!(class["sources"], json!(["acme/small 1"]));
    assert_eq!(class["severity"], "notice");
    let days = json!([
        {"day": "2026-11-19", "calls": 1, "failed": 0},
        {"day": "2026-11-21", "calls": 3, "failed": 1, "classes": {"rate_limited": 1}},
    ]);
    assert_eq!(found["days"], days);
    assert_eq!(found["trend"], "rising");
    assert!(text.contains("Retry after the time"), "{text}");
    let (none, text) = rig.ok("errors", json!({"only": {"model": "large"}})).await;
    assert_eq!(none["failed"], 0);
    assert!(text.contains("0 of 2 calls failed"), "{text}");
}

#[tokio::test]
async fn savings_compare_what_can_be_compared() {
    let mut calls = some();
    calls.push(LlmCall {
        usage: used(1_000_000, 0, 0),
        cost: Some(MicroDollars(1_000_000)),
        ..call("c_6", NOW - 5_000)
    });
    let rig = Rig::with(calls).await;
    let (found, text) = rig
        .ok(
            "savings",
            json!({"baseline": "acme/large", "period": "all"}),
        )
        .await;
    // c_1 and c_2: 400 * 10 + 600 * 1 + 100 * 50 micro-dollars each; c_6: 10 dollars.
    let total = &found["total"];
    assert_eq!(total["compared_calls"], 3);
    assert_eq!(total["actual_usd"], 5.000_001);
    assert_eq!(total["baseline_usd"], 10.019_2);
    assert_eq!(total["unknown_cost_calls"], 1);
    assert_eq!(total["unknown_tokens_calls"], 2);
    assert_eq!(found["rows"][0]["key"], "acme/small");
    assert_eq!(found["rows"][0]["saved_usd"], 9.0);
    assert!(
        text.contains("not compared: 1 calls of unknown cost, 2 of unknown tokens"),
        "{text}"
    );
    for (baseline, said) in [
        (json!({}), "none is named"),
        (json!({"baseline": "large"}), "is not provider/model"),
        (json!({"baseline": "acme/huge"}), "acme/huge has no price"),
    ] {
        let text = rig.refused("savings", baseline).await;
        assert!(text.contains(said), "{text}");
    }
}

#[tokio::test]
async fn prices_that_are_brought_while_the_server_runs_count() {
    let files = |dir: &Path| Files {
        updated: dir.join("prices.toml"),
        previous: dir.join("before.toml"),
        own: None,
    };
    let rig = Rig::over(some(), |state, dir| {
        let current = Current::new(files(dir));
        state.priced_by(move || current.table())
    })
    .await;
    let ask = json!({"baseline": "acme/huge", "period": "all"});
    let text = rig.refused("savings", ask.clone()).await;
    assert!(text.contains("acme/huge has no price"), "{text}");
    let new = rig.dir.path().join("new.toml");
    let prices = "version = \"2999-01-01\"\n[[price]]\nprovider = \"acme\"\nmodel = \"huge\"\ninput = 10\noutput = 50\nsource = \"x\"\n";
    std::fs::write(&new, prices).unwrap();
    update(&files(rig.dir.path()), &new).unwrap();
    let (found, _) = rig.ok("savings", ask).await;
    assert_eq!(found["total"]["compared_calls"], 2);
}

#[tokio::test]
async fn wrong_input_is_refused_in_words() {
    let rig = Rig::new().await;
    for (tool, arguments, said) in [
        (
            "costs",
            json!({"period": "soon"}),
            "period: \"soon\" is no stretch of time",
        ),
        ("costs", json!({"period": "2025"}), "no stretch of time"),
        (
            "costs",
            json!({"by": ["colour"]}),
            "by[0]: unknown variant `colour`",
        ),
        (
            "costs",
            json!({"by": ["day", "model", "agent", "tool"]}),
            "got 4 keys; at most 3",
        ),
        (
            "costs",
            json!({"only": {"modell": "x"}}),
            "unknown field `modell`",
        ),
        (
            "calls",
            json!({"cursor": "nonsense"}),
            "cursor: \"nonsense\" is not one",
        ),
        (
            "calls",
            json!({"only": {"error": "odd"}}),
            "only.error: \"odd\" is no kind of error",
        ),
        ("errors", json!({"days": 0}), "days: invalid value"),
        (
            "performance",
            json!({"limit": 1000}),
            "limit: invalid value",
        ),
    ] {
        let text = rig.refused(tool, arguments.clone()).await;
        assert!(text.contains(said), "{tool} {arguments}: {text}");
    }
}

#[tokio::test]
async fn names_of_others_cannot_draw_on_a_terminal() {
    let odd = LlmCall {
        model: "a\u{1b}[2Jb\nc".to_owned(),
        ..call("c_1", NOW - DAY)
    };
    let rig = Rig::with(vec![odd]).await;
    for tool in ["costs", "calls"] {
        let (_, text) = rig.ok(tool, json!({})).await;
        assert!(
            !text.contains('\u{1b}') && text.contains("a\u{FFFD}[2Jb\u{FFFD}c"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn resources_and_the_prompt_show_the_same_costs() {
    let rig = Rig::new().await;
    let costs = rig.read("telemetry://costs/today").await;
    let text = costs["text"].as_str().unwrap();
    assert!(
        text.contains("2026-11-21 to now (UTC): $2.50 + 2 unknown"),
        "{text}"
    );
    let report = rig.prompt("report_costs", json!({"period": "all"})).await;
    assert!(
        report.contains("3 calls have no known cost") && report.contains("a_1"),
        "{report}"
    );
}
