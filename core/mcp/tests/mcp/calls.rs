//! Calls: how they go well, and every way they go wrong.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::fixture::{Board, Wire, quiet, server};
use callboard_telemetry::{CallLog, Outcome};
use serde_json::{Value, json};

/// As much of JSON Schema as our output schemas use.
fn assert_valid(value: &Value, schema: &Value) {
    let kind = match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "integer",
        Value::Bool(_) => "boolean",
        Value::Null => "null",
    };
    assert_eq!(schema["type"], kind, "{value} against {schema}");
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(
            value.get(name.as_str().unwrap()).is_some(),
            "{value} lacks {name}"
        );
    }
    for (name, item) in value.as_object().into_iter().flatten() {
        assert_valid(item, &schema["properties"][name]);
    }
    for item in value.as_array().into_iter().flatten() {
        assert_valid(item, &schema["items"]);
    }
}

#[tokio::test]
async fn an_answer_is_structured_and_readable_and_fits_its_schema() {
    for modern in [false, true] {
        let (_, server) = quiet();
        let schemas: Vec<_> = server.tools().cloned().collect();
        let mut wire = Wire::era(modern, server).await;
        for arguments in [
            json!({"title": "milk"}),
            json!({"title": "milk", "body": "a\nb", "priority": 7, "after": ["n_1", "n_2"]}),
        ] {
            let result = wire.call("note_add", arguments).await;
            assert_eq!(result["isError"], false);
            assert_eq!(result["content"][0]["type"], "text");
            assert!(
                result["content"][0]["text"]
                    .as_str()
                    .unwrap()
                    .ends_with("milk")
            );
            assert_eq!(result["content"][1]["type"], "resource_link");
            let schema = Value::Object((**schemas[0].output_schema.as_ref().unwrap()).clone());
            assert_valid(&result["structuredContent"], &schema);
            assert_eq!(result.get("resultType").is_some(), modern);
        }
    }
}

#[tokio::test]
async fn wrong_arguments_name_the_field_and_what_is_expected() {
    let (board, server) = quiet();
    let mut wire = Wire::legacy(server).await;
    let cases = [
        (json!({}), "title: is required and missing"),
        (json!(null), "title: is required and missing"),
        (
            json!({"title": 3}),
            "title: invalid type: integer `3`, expected one line of text",
        ),
        (
            json!({"title": "t", "priority": "high"}),
            "priority: invalid type: string \"high\", expected a whole number from 0 to 10",
        ),
        (
            json!({"title": "t", "colour": "red"}),
            "unknown field `colour`",
        ),
        (
            json!({"title": "t", "after": ["n_1", "../x"]}),
            "after[1]: is not an id",
        ),
        (
            json!({"title": "t", "retry": {"pause_ms": "soon"}}),
            "retry.pause_ms: invalid type: string \"soon\", expected a whole number",
        ),
        (
            json!({"title": "a\u{7}b"}),
            "title: has the control character U+0007",
        ),
        (json!([1]), "arguments: got a list, expected an object"),
        (
            json!("title"),
            "arguments: got a string, expected an object",
        ),
    ];
    for (arguments, expected) in cases {
        let text = wire.refusal("note_add", arguments).await;
        assert!(
            text.starts_with(&format!("invalid_input: {expected}")),
            "{text}"
        );
        assert!(text.contains("\nHint: "), "{text}");
    }
    assert_eq!(board.added.load(Ordering::SeqCst), 0);
    wire.assert_alive().await;
}

#[tokio::test]
async fn arguments_may_be_left_out_where_none_are_needed() {
    tokio::time::pause();
    let (_, server) = quiet();
    let mut wire = Wire::legacy(server).await;
    let answer = wire
        .request("tools/call", json!({"name": "note_count"}))
        .await;
    assert_eq!(answer["result"]["structuredContent"]["steps"], 5);
}

#[tokio::test]
async fn a_handlers_error_is_kind_message_and_hint() {
    let (_, server) = quiet();
    let mut wire = Wire::legacy(server).await;
    let text = wire.refusal("note_add", json!({"title": "taken"})).await;
    assert_eq!(
        text,
        "conflict: there is a note \"taken\"\nHint: choose another title"
    );
}

#[tokio::test]
async fn too_large_arguments_are_refused_and_the_server_goes_on() {
    let (_, server) = quiet();
    let mut wire = Wire::legacy(server).await;
    let text = wire
        .refusal(
            "note_add",
            json!({"title": "t", "body": "x".repeat((1 << 20) + 1)}),
        )
        .await;
    assert!(text.starts_with("limit: the arguments have 1048"), "{text}");
    wire.assert_alive().await;
}

#[tokio::test]
async fn an_unknown_tool_is_a_protocol_error() {
    for modern in [false, true] {
        let (_, server) = quiet();
        let mut wire = Wire::era(modern, server).await;
        for (name, shown) in [("note_fly", "note_fly"), ("a\u{1b}[31m", "a\\u{1b}[31m")] {
            let answer = wire.request("tools/call", json!({"name": name})).await;
            assert_eq!(answer["error"]["code"], -32602);
            let message = answer["error"]["message"].as_str().unwrap();
            assert!(
                message.contains(shown) && message.contains("note_add"),
                "{message}"
            );
        }
        let answer = wire.request("tools/call", json!({"arguments": {}})).await;
        assert_eq!(answer["error"]["code"], -32602);
        wire.assert_alive().await;
    }
}

#[tokio::test]
async fn a_panic_is_an_answer_and_tells_nothing_of_the_inside() {
    for late in [false, true] {
        let (_, server) = quiet();
        let mut wire = Wire::legacy(server).await;
        let text = wire.refusal("note_break", json!({"late": late})).await;
        assert!(
            text.starts_with("internal: note_break") && text.contains("this is a bug"),
            "{text}"
        );
        assert!(!text.contains("secret"), "{text}");
        wire.assert_alive().await;
    }
}

#[tokio::test]
async fn a_cancelled_wait_notices() {
    for modern in [false, true] {
        let (board, server) = quiet();
        let mut wire = Wire::era(modern, server).await;
        let id = wire
            .send("tools/call", json!({"name": "note_wait", "arguments": {}}))
            .await;
        board.waiting.notified().await;
        wire.notify("notifications/cancelled", json!({"requestId": id}))
            .await;
        board.over.notified().await;
        assert!(board.saw_cancel.load(Ordering::SeqCst));
        wire.assert_alive().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_that_does_not_notice_is_dropped() {
    let (board, server) = quiet();
    let mut wire = Wire::legacy(server).await;
    let arguments = json!({"stubborn": true});
    let id = wire
        .send(
            "tools/call",
            json!({"name": "note_wait", "arguments": arguments}),
        )
        .await;
    board.waiting.notified().await;
    let began = tokio::time::Instant::now();
    wire.notify("notifications/cancelled", json!({"requestId": id}))
        .await;
    board.over.notified().await;
    assert!(began.elapsed() < Duration::from_secs(1));
    assert!(!board.saw_cancel.load(Ordering::SeqCst));
    wire.assert_alive().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_does_not_end_is_ended() {
    let (board, server) = quiet();
    let mut wire = Wire::legacy(server).await;
    let began = tokio::time::Instant::now();
    let text = wire.refusal("note_wait", json!({"stubborn": true})).await;
    assert!(
        text.starts_with("limit: note_wait had not ended after 55 s"),
        "{text}"
    );
    assert_eq!(began.elapsed().as_secs(), 55);
    assert!(board.was_dropped.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn progress_grows_and_comes_only_when_asked_for() {
    for modern in [false, true] {
        let (_, server) = quiet();
        let mut wire = Wire::era(modern, server).await;
        wire.call("note_count", json!({})).await;
        assert!(wire.others.is_empty(), "{:?}", wire.others);

        let params =
            json!({"name": "note_count", "arguments": {}, "_meta": {"progressToken": "p1"}});
        wire.request("tools/call", params).await;
        let reports: Vec<_> = wire
            .others
            .iter()
            .map(|message| {
                assert_eq!(message["method"], "notifications/progress");
                assert_eq!(message["params"]["progressToken"], "p1");
                assert_eq!(message["params"]["message"], "counting");
                assert_eq!(message["params"]["total"].as_f64(), Some(5.0));
                message["params"]["progress"].as_f64().unwrap()
            })
            .collect();
        assert_eq!(reports, [1.0, 2.0, 3.0, 4.0, 5.0]);
    }
}

#[tokio::test]
async fn every_call_leaves_a_row() {
    let directory = tempfile::tempdir().unwrap();
    let call_log = CallLog::open(directory.path());
    let board = Arc::new(Board::default());
    let clock = Arc::new(callboard_store::FixedClock::new(1_700_000_000_000));
    let mut wire = Wire::legacy(server(&board, call_log.clone()).clock(clock)).await;

    let traced = json!({"traceparent": "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"});
    let params = json!({"name": "note_add", "arguments": {"title": "milk"}, "_meta": traced});
    wire.request("tools/call", params).await;
    wire.call("note_add", json!({"title": "taken"})).await;
    wire.call("note_add", json!("no object")).await;
    wire.call("note_break", json!({"late": true})).await;
    let id = wire
        .send("tools/call", json!({"name": "note_wait", "arguments": {}}))
        .await;
    board.waiting.notified().await;
    wire.notify("notifications/cancelled", json!({"requestId": id}))
        .await;
    wire.request("tools/call", json!({"name": "nothing"})).await;
    wire.request("resources/read", json!({"uri": "notes://note/n_1"}))
        .await;
    wire.request("prompts/get", json!({"name": "sum_up"})).await;
    wire.close().await.unwrap();

    let mut rows = call_log.recent(100).await.unwrap();
    rows.sort_by(|one, other| (&one.tool, &one.error_kind).cmp(&(&other.tool, &other.error_kind)));
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (&*row.tool, row.outcome, row.error_kind.as_deref()))
        .collect();
    assert_eq!(
        seen,
        [
            ("note_add", Outcome::Ok, None),
            ("note_add", Outcome::Error, Some("conflict")),
            ("note_add", Outcome::Error, Some("invalid_input")),
            ("note_break", Outcome::Panic, Some("internal")),
            ("note_wait", Outcome::Cancelled, Some("cancelled")),
            ("prompt:sum_up", Outcome::Error, Some("invalid_input")),
            ("resource:note", Outcome::Ok, None),
            ("unknown", Outcome::Error, Some("not_found")),
        ]
    );
    let first = &rows[0];
    assert_eq!(first.at_ms, 1_700_000_000_000);
    assert_eq!(first.server, "fixture");
    assert_eq!(
        first.trace.as_deref(),
        Some("0af7651916cd43dd8448eb211c80319c")
    );
    assert_eq!(first.request_bytes, 16);
    assert!(
        first.response_bytes > 40 && first.response_bytes < 100,
        "{}",
        first.response_bytes
    );
    assert_eq!(rows[1].trace, None);
}
