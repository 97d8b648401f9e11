//! Spans as a collector gets them: decoded with OpenTelemetry's own types.

mod collector;

use callboard_store::StoreError;
use callboard_telemetry::errors::ErrorClass;
use callboard_telemetry::llm::{LlmCall, LlmOutcome, LlmText, record_llm, record_text};
use callboard_telemetry::otlp::{Exporter, OtlpError, Settings};
use callboard_telemetry::{
    CallLog, CallRow, Counted, MicroDollars, Mode, Outcome, Tokens, Usage, open_events,
};
use collector::{Collector, Span, text};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use std::path::Path;
use std::time::Duration;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
const LONG: Duration = Duration::from_secs(30);

fn call(id: &str) -> LlmCall {
    LlmCall {
        id: id.to_owned(),
        at: 1_790_000_000_000,
        trace: Some(TRACE.to_owned()),
        parent: Some(PARENT.to_owned()),
        provider: "work".to_owned(),
        vendor: Some("google".to_owned()),
        mode: Mode::tier("flex"),
        model: "large".to_owned(),
        model_answered: Some("large-2026".to_owned()),
        agent: Some("a_1".to_owned()),
        task: Some("t_1".to_owned()),
        usage: Some(Usage {
            tokens: Tokens {
                input: 1_200,
                cached: 1_024,
                cache_write: 0,
                cache_write_1h: 0,
                output: 7,
                reasoning: 3,
            },
            counted: Counted::Reported,
        }),
        cost: Some(MicroDollars(1_250)),
        first_byte_us: Some(250_000),
        total_us: Some(2_000_000),
        finish: Some("stop".to_owned()),
        attempt: 1,
        ..LlmCall::default()
    }
}

fn tool(name: &'static str, outcome: Outcome) -> CallRow {
    CallRow {
        at_ms: 1_790_000_000_000,
        server: "assigner".into(),
        tool: name.into(),
        outcome,
        error_kind: (outcome == Outcome::Error).then(|| "not_found".into()),
        duration_us: 1_500,
        request_bytes: 10,
        response_bytes: 20,
        trace: Some(TRACE.to_owned()),
        agent: None,
    }
}

async fn record(board: &Path, calls: Vec<LlmCall>) {
    let store = open_events(board).unwrap();
    let written: Result<(), StoreError> = store
        .write(move |c| {
            for call in &calls {
                record_llm(c, call)?;
                let text =
                    LlmText::redacted(&call.id, call.at, "the secret prompt", "the secret answer");
                record_text(c, &text)?;
            }
            Ok(())
        })
        .await;
    written.unwrap();
}

fn settings(collector: &Collector) -> Settings {
    Settings {
        url: format!("{}/v1/traces", collector.url()),
        headers: vec![("x-key".to_owned(), "of-ours".to_owned())],
    }
}

fn value<'s>(span: &'s Span, name: &str) -> Option<&'s Value> {
    let pair = span.attributes.iter().find(|pair| pair.key == name)?;
    pair.value.as_ref()?.value.as_ref()
}

fn begin(board: &Path, collector: &Collector) -> Exporter {
    Exporter::start(board, &settings(collector)).unwrap()
}

/// Waits until the exporter has looked at the file for the first time.
async fn ready(board: &Path) {
    let store = open_events(board).unwrap();
    for _ in 0..600 {
        let rows =
            store.read_now(|c| c.query_one("SELECT count(*) FROM otlp", &[], |row| row.int(0)));
        if rows.unwrap() == Some(1) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the exporter does not begin");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_to_a_model_is_a_span_by_the_conventions_and_has_no_text() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::start(&[200]).await;
    let exporter = begin(dir.path(), &collector);
    ready(dir.path()).await;
    record(dir.path(), vec![call("c_1")]).await;
    let spans = collector.spans(1, LONG).await;
    exporter.finish(LONG).await;

    let span = &spans[0];
    assert_eq!((span.name.as_str(), span.kind), ("chat large", 3));
    assert_eq!(hex(&span.trace_id), TRACE);
    assert_eq!(hex(&span.parent_span_id), PARENT);
    assert_eq!(span.span_id.len(), 8);
    assert_eq!(span.start_time_unix_nano, 1_790_000_000_000_000_000);
    assert_eq!(
        span.end_time_unix_nano - span.start_time_unix_nano,
        2_000_000_000
    );
    for (name, expected) in [
        ("gen_ai.operation.name", text("chat")),
        ("gen_ai.provider.name", text("gcp.gemini")),
        ("gen_ai.request.model", text("large")),
        ("gen_ai.response.model", text("large-2026")),
        ("gen_ai.usage.input_tokens", Value::IntValue(1_200)),
        ("gen_ai.usage.output_tokens", Value::IntValue(7)),
        (
            "gen_ai.usage.cache_read.input_tokens",
            Value::IntValue(1_024),
        ),
        ("gen_ai.usage.reasoning.output_tokens", Value::IntValue(3)),
        (
            "gen_ai.response.time_to_first_chunk",
            Value::DoubleValue(0.25),
        ),
        ("gen_ai.request.stream", Value::BoolValue(false)),
        ("callboard.provider", text("work")),
        ("callboard.mode", text("flex")),
        ("callboard.cost_usd", Value::DoubleValue(0.001_25)),
        ("callboard.task.id", text("t_1")),
        ("callboard.agent", text("a_1")),
    ] {
        assert_eq!(value(span, name), Some(&expected), "{name}");
    }
    let Some(Value::ArrayValue(reasons)) = value(span, "gen_ai.response.finish_reasons") else {
        panic!("{span:?}")
    };
    assert_eq!(reasons.values[0].value, Some(text("stop")));
    assert_eq!((value(span, "error.type"), &span.status), (None, &None));
    let seen = collector.requests();
    assert_eq!(seen[0].header("content-type"), "application/x-protobuf");
    assert_eq!(seen[0].header("x-key"), "of-ours");
    for request in &seen {
        let body = String::from_utf8_lossy(&request.body);
        assert!(!body.contains("secret"), "a text left this machine");
    }
    let resource = &seen[0].decoded().resource_spans[0]
        .resource
        .clone()
        .unwrap();
    assert_eq!(resource.attributes[0].key, "service.name");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_unknown_costs_and_tool_calls_are_told_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::start(&[200]).await;
    let exporter = begin(dir.path(), &collector);
    ready(dir.path()).await;
    let failed = LlmCall {
        outcome: LlmOutcome::Error,
        error: Some(ErrorClass::RateLimited),
        status: Some(429),
        cost: None,
        usage: None,
        trace: None,
        parent: Some("c_1".to_owned()),
        ..call("c_2")
    };
    record(dir.path(), vec![call("c_1"), failed]).await;
    let log = CallLog::open(dir.path());
    log.record(tool("task_list", Outcome::Ok));
    log.record(tool("task_get", Outcome::Error));
    log.record(tool("resource:board", Outcome::Ok));
    assert!(log.flush(LONG).await);
    let spans = collector.spans(5, LONG).await;
    exporter.finish(LONG).await;

    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let chats: Vec<&Span> = spans
        .iter()
        .filter(|span| span.name == "chat large")
        .collect();
    let (good, bad) = match value(chats[0], "error.type") {
        None => (chats[0], chats[1]),
        Some(_) => (chats[1], chats[0]),
    };
    assert_eq!(value(bad, "error.type"), Some(&text("rate_limited")));
    assert_eq!(
        value(bad, "http.response.status_code"),
        Some(&Value::IntValue(429))
    );
    assert_eq!(bad.status.as_ref().unwrap().code, 2);
    for unknown in ["callboard.cost_usd", "gen_ai.usage.input_tokens"] {
        assert_eq!(value(bad, unknown), None, "unknown is not 0");
    }
    assert_eq!(
        bad.parent_span_id, good.span_id,
        "a call may be made for a call"
    );
    assert!(bad.trace_id.iter().any(|byte| *byte != 0));

    let listed = named("tools/call task_list");
    assert_eq!(listed.kind, 2);
    assert_eq!(hex(&listed.trace_id), TRACE);
    assert_eq!(value(listed, "mcp.method.name"), Some(&text("tools/call")));
    assert_eq!(value(listed, "gen_ai.tool.name"), Some(&text("task_list")));
    assert_eq!(
        value(listed, "gen_ai.operation.name"),
        Some(&text("execute_tool"))
    );
    assert_eq!(
        listed.end_time_unix_nano - listed.start_time_unix_nano,
        1_500_000
    );
    let missing = named("tools/call task_get");
    assert_eq!(value(missing, "error.type"), Some(&text("tool_error")));
    assert_eq!(missing.status.as_ref().unwrap().message, "not_found");
    let read = named("resources/read board");
    assert_eq!(value(read, "gen_ai.tool.name"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_taken_is_sent_again_and_what_is_refused_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let collector = Collector::start(&[503, 429, 200]).await;
    let exporter = begin(dir.path(), &collector);
    ready(dir.path()).await;
    record(dir.path(), vec![call("c_1")]).await;
    let spans = collector.spans(1, LONG).await;
    exporter.finish(LONG).await;
    assert_eq!(spans.len(), 1);
    let bodies: Vec<_> = collector
        .requests()
        .into_iter()
        .map(|request| request.body)
        .collect();
    assert_eq!(bodies.len(), 3);
    assert!(
        bodies.iter().all(|body| *body == bodies[0]),
        "the same ids each time"
    );

    // Another process goes on where the first ended.
    let refusing = Collector::start(&[400]).await;
    let exporter = begin(dir.path(), &refusing);
    record(dir.path(), vec![call("c_2")]).await;
    assert!(refusing.asked(1, LONG).await);
    exporter.finish(LONG).await;
    assert_eq!(
        refusing.requests().len(),
        1,
        "a refused batch is not sent again"
    );
    let store = open_events(dir.path()).unwrap();
    let row = store.read_now(|c| {
        c.query_one("SELECT rejected, owner FROM otlp", &[], |row| {
            Ok((row.int(0)?, row.opt_text(1)?))
        })
    });
    assert_eq!(
        row.unwrap(),
        Some((1, None)),
        "counted, and the lease is free"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_one_sends_and_nothing_of_before() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), vec![call("c_0")]).await;
    let collector = Collector::start(&[200]).await;
    let first = begin(dir.path(), &collector);
    ready(dir.path()).await;
    let second = begin(dir.path(), &collector);
    let many: Vec<LlmCall> = (1..=700).map(|n| call(&format!("c_{n}"))).collect();
    record(dir.path(), many).await;
    let spans = collector.spans(700, LONG).await;
    first.finish(LONG).await;
    second.finish(LONG).await;
    let mut ids: Vec<_> = spans.iter().map(|span| span.span_id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(
        (spans.len(), ids.len()),
        (700, 700),
        "each once, c_0 not at all"
    );
}

#[tokio::test]
async fn wrong_settings_are_refused_without_showing_values() {
    let dir = tempfile::tempdir().unwrap();
    let start = |url: &str, name: &str, value: &str| {
        let settings = Settings {
            url: url.to_owned(),
            headers: vec![(name.to_owned(), value.to_owned())],
        };
        assert!(!format!("{settings:?}").contains("sesame"));
        Exporter::start(dir.path(), &settings).err().unwrap()
    };
    assert!(matches!(
        start("localhost:4317", "a", "b"),
        OtlpError::Url(_)
    ));
    assert!(matches!(start("ftp://x/", "a", "b"), OtlpError::Url(_)));
    let error = start("http://127.0.0.1:1/", "key", "sesame\n");
    assert!(matches!(&error, OtlpError::Header(name) if name == "key"));
    assert!(!error.to_string().contains("sesame"));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
