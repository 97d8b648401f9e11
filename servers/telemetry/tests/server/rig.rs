//! A board with recorded calls in a temporary directory, the server over it, and a client.

use callboard_limits::PriceTable;
use callboard_mcp::{ServeError, serve_on};
use callboard_store::FixedClock;
use callboard_telemetry::errors::ErrorClass;
use callboard_telemetry::llm::{LlmCall, LlmOutcome, LlmText, record_llm, record_text};
use callboard_telemetry::{CallLog, Counted, MicroDollars, Tokens, Usage, open_events};
use callboard_telemetry_server::{Telemetry, server};
use rmcp::model::{CallToolRequestParams, GetPromptRequestParams, ReadResourceRequestParams};
use rmcp::service::RunningService;
use rmcp::{RoleClient, ServiceExt};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// 2026-11-21T14:30:00Z.
pub const NOW: i64 = 1_795_271_400_000;
pub const DAY: i64 = 86_400_000;

const PRICES: &str = "
version = 'test-1'
[[price]]
provider = 'acme'
model = 'large'
input = 10
output = 50
cached = 1
source = 'a test'
";

pub struct Rig {
    pub dir: TempDir,
    pub client: RunningService<RoleClient, ()>,
    _served: JoinHandle<Result<(), ServeError>>,
}

pub fn call(id: &str, at: i64) -> LlmCall {
    LlmCall {
        id: id.to_owned(),
        at,
        provider: "acme".to_owned(),
        model: "small".to_owned(),
        attempt: 1,
        outcome: LlmOutcome::Ok,
        ..LlmCall::default()
    }
}

pub fn used(input: u64, cached: u64, output: u64) -> Option<Usage> {
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

/// Five calls of three days: known and unknown costs, a failure, one given up.
pub fn some() -> Vec<LlmCall> {
    let large = |id: &str, at, cost| LlmCall {
        model: "large".to_owned(),
        agent: Some("a_1".to_owned()),
        task: Some("t_1".to_owned()),
        tool: Some("complete".to_owned()),
        cost: Some(MicroDollars(cost)),
        usage: used(1_000, 600, 100),
        total_us: Some(2_000_000),
        first_byte_us: Some(500_000),
        ..call(id, at)
    };
    vec![
        large("c_1", NOW - 2 * DAY, 1_500_000),
        large("c_2", NOW - 3_600_000, 2_500_001),
        LlmCall {
            model: "strange".to_owned(),
            usage: used(10, 0, 5),
            total_us: Some(1_000_000),
            ..call("c_3", NOW - 1_800_000)
        },
        LlmCall {
            outcome: LlmOutcome::Error,
            error: Some(ErrorClass::RateLimited),
            status: Some(429),
            ..call("c_4", NOW - 1_000)
        },
        LlmCall {
            outcome: LlmOutcome::Cancelled,
            ..call("c_5", NOW - 9 * DAY)
        },
    ]
}

/// Writes rows as whoever makes calls does.
pub async fn record(board: &Path, calls: Vec<LlmCall>) {
    let store = open_events(board).unwrap();
    store
        .write(move |c| calls.iter().try_for_each(|call| record_llm(c, call)))
        .await
        .unwrap();
}

pub async fn record_texts(board: &Path, id: &str, request: &str, answer: &str) {
    let store = open_events(board).unwrap();
    let text = LlmText::redacted(id, NOW, request, answer);
    store.write(move |c| record_text(c, &text)).await.unwrap();
}

impl Rig {
    pub async fn new() -> Self {
        Self::with(some()).await
    }

    pub async fn with(calls: Vec<LlmCall>) -> Self {
        Self::over(calls, |state, _| state).await
    }

    /// With a server that is otherwise; its directory is told.
    pub async fn over(
        calls: Vec<LlmCall>,
        change: impl FnOnce(Telemetry, &Path) -> Telemetry,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        record(dir.path(), calls).await;
        let store = callboard_board::open(dir.path()).unwrap();
        let log = CallLog::open(dir.path());
        let prices = PriceTable::empty().with(PRICES).unwrap();
        let clock = Arc::new(FixedClock::new(NOW));
        let state = Telemetry::new(store, dir.path(), log.clone(), clock, Arc::new(prices));
        let state = change(state, dir.path());
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (read, write) = tokio::io::split(theirs);
        let served = tokio::spawn(serve_on(server(Arc::new(state), log), read, write));
        Rig {
            client: ().serve(ours).await.unwrap(),
            dir,
            _served: served,
        }
    }

    pub async fn call(&self, tool: &str, arguments: Value) -> Value {
        let arguments = arguments.as_object().unwrap().clone();
        let call = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let result = self.client.call_tool(call).await.unwrap();
        serde_json::to_value(result).unwrap()
    }

    /// A call that must succeed: structured content and text.
    pub async fn ok(&self, tool: &str, arguments: Value) -> (Value, String) {
        let result = self.call(tool, arguments).await;
        assert_eq!(result["isError"], false, "{tool}: {result}");
        let text = result["content"][0]["text"].as_str().unwrap().to_owned();
        assert!(text.len() < 20_000, "{tool}: {} bytes", text.len());
        (result["structuredContent"].clone(), text)
    }

    /// A call that must fail: its text, which says what to do.
    pub async fn refused(&self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments).await;
        assert_eq!(result["isError"], true, "{tool}: {result}");
        let text = result["content"][0]["text"].as_str().unwrap().to_owned();
        assert!(text.contains("\nHint: "), "{text}");
        text
    }

    pub async fn read(&self, uri: &str) -> Value {
        let read = ReadResourceRequestParams::new(uri);
        let result = self.client.read_resource(read).await.unwrap();
        serde_json::to_value(result).unwrap()["contents"][0].clone()
    }

    pub async fn prompt(&self, name: &str, arguments: Value) -> String {
        let arguments = arguments.as_object().unwrap().clone();
        let prompt = GetPromptRequestParams::new(name).with_arguments(arguments);
        let result = self.client.get_prompt(prompt).await.unwrap();
        let result = serde_json::to_value(result).unwrap();
        result["messages"][0]["content"]["text"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

/// The key and some fields of each row.
pub fn rows(answer: &Value, fields: &[&str]) -> Value {
    let rows = answer["rows"].as_array().unwrap().iter().map(|row| {
        let mut line = vec![row["key"].clone()];
        line.extend(fields.iter().map(|field| row[*field].clone()));
        Value::Array(line)
    });
    json!(rows.collect::<Vec<_>>())
}
