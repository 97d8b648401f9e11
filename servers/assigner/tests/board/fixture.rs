//! A board in a temporary directory, the server over it, and a client that speaks the protocol to it.

use crate::conforms;
use callboard_assigner_server::{Assigner, server};
use callboard_mcp::{ServeError, serve_on};
use callboard_scheduling::{self as scheduling, Claim, Facts, Lease, SchedulingError};
use callboard_store::{Conn, Durability, FixedClock, Ids, Options, Store};
use callboard_telemetry::CallLog;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientRequest, GetPromptRequestParams,
    ProgressNotificationParam, ReadResourceRequestParams,
};
use rmcp::service::{NotificationContext, PeerRequestOptions, RequestHandle, RunningService};
use rmcp::{ClientHandler, RoleClient, ServiceExt};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// When every test begins, ms since 1970 UTC.
pub const START: i64 = 1_790_000_000_000;

pub struct Rig {
    pub dir: TempDir,
    pub store: Store,
    pub clock: Arc<FixedClock>,
    pub log: CallLog,
    pub client: RunningService<RoleClient, Listener>,
    /// What the server said about the progress of calls.
    pub progress: mpsc::UnboundedReceiver<ProgressNotificationParam>,
    pub served: JoinHandle<Result<(), ServeError>>,
    output_schemas: Map<String, Value>,
    pub input_schemas: Map<String, Value>,
}

/// A client that keeps what it is told.
pub struct Listener(mpsc::UnboundedSender<ProgressNotificationParam>);

impl ClientHandler for Listener {
    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        let _ = self.0.send(params);
    }
}

/// Opens the board in `dir` as one more process would.
pub fn open(dir: &Path) -> Store {
    let options = Options {
        durability: Durability::Normal,
        ..Options::board(dir)
    };
    callboard_board::open_with(options).unwrap()
}

impl Rig {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let clock = Arc::new(FixedClock::new(START));
        let board = Assigner::with(store.clone(), Arc::clone(&clock) as _, Ids::seeded(3));
        let log = CallLog::open(dir.path());
        let server = server(Arc::new(board), log.clone());
        let schemas = |of: fn(&callboard_mcp::ToolFacts) -> &Map<String, Value>| {
            let each = |facts| (facts_name(facts), Value::Object(of(facts).clone()));
            server.tools().map(each).collect::<Map<String, Value>>()
        };
        let output_schemas = schemas(|facts| facts.output_schema.as_ref().unwrap());
        let input_schemas = schemas(|facts| &facts.input_schema);
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (read, write) = tokio::io::split(theirs);
        let served = tokio::spawn(serve_on(server, read, write));
        let (said, progress) = mpsc::unbounded_channel();
        Rig {
            client: Listener(said).serve(ours).await.unwrap(),
            dir,
            store,
            clock,
            log,
            progress,
            served,
            output_schemas,
            input_schemas,
        }
    }

    async fn call(&self, tool: &str, arguments: Value) -> Value {
        let result = self
            .client
            .call_tool(params(tool, arguments))
            .await
            .unwrap();
        serde_json::to_value(result).unwrap()
    }

    /// A call that must succeed: what it answered, after a look at its form.
    pub async fn ok(&self, tool: &str, arguments: Value) -> Value {
        self.sound(tool, &self.call(tool, arguments).await)
    }

    /// As [`Rig::ok`], with the text beside the structured answer.
    pub async fn ok_text(&self, tool: &str, arguments: Value) -> (Value, String) {
        let result = self.call(tool, arguments).await;
        let text = result["content"][0]["text"].as_str().unwrap().to_owned();
        (self.sound(tool, &result), text)
    }

    /// What is true of every answer: it conforms to the schema, has a text, and stays short.
    pub fn sound(&self, tool: &str, result: &Value) -> Value {
        assert_eq!(result["isError"], false, "{tool}: {result}");
        let answer = result["structuredContent"].clone();
        let schema = self.output_schemas[tool].as_object().unwrap();
        let problems = conforms::problems(schema, &answer, tool);
        assert!(problems.is_empty(), "{problems:?}");
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(
            !text.is_empty() && text.len() < 20_000,
            "{tool}: {} bytes",
            text.len()
        );
        answer
    }

    /// A call that must fail as a result, not as a protocol error: the text.
    pub async fn refused(&self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments).await;
        assert_eq!(result["isError"], true, "{tool}: {result}");
        assert_eq!(result["content"].as_array().unwrap().len(), 1);
        assert!(result["structuredContent"].is_null(), "{result}");
        result["content"][0]["text"].as_str().unwrap().to_owned()
    }

    /// Sends a call without waiting for its answer.
    pub async fn start(&self, tool: &str, arguments: Value) -> RequestHandle<RoleClient> {
        let request = CallToolRequest::new(params(tool, arguments));
        self.client
            .send_cancellable_request(
                ClientRequest::CallToolRequest(request),
                PeerRequestOptions::no_options(),
            )
            .await
            .unwrap()
    }

    pub async fn answer(&self, tool: &str, handle: RequestHandle<RoleClient>) -> Value {
        let result = serde_json::to_value(handle.await_response().await.unwrap()).unwrap();
        self.sound(tool, &result)
    }

    pub async fn add(&self, title: &str) -> String {
        self.ok("task_add", json!({"title": title})).await["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Claims from the default queue: the task and its fence.
    pub async fn claim(&self) -> (String, i64) {
        let claimed = self.ok("task_claim", json!({"worker": "w"})).await;
        assert_eq!(claimed["claimed"], true, "{claimed}");
        let task = claimed["task"].as_str().unwrap().to_owned();
        (task, claimed["fence"].as_i64().unwrap())
    }

    pub fn row(&self, id: &str) -> scheduling::Task {
        self.store
            .read_now(|c| scheduling::task_get(c, id))
            .unwrap()
    }

    pub fn state(&self, id: &str) -> &'static str {
        self.row(id).state.as_str()
    }

    pub fn count(&self) -> u32 {
        let counts = self
            .store
            .read_now(|c| scheduling::board_counts(c))
            .unwrap();
        counts.iter().map(|count| count.tasks).sum()
    }

    /// Does something to the board behind the server's back, as another process would.
    pub async fn behind<T: Send + 'static>(
        &self,
        op: impl Fn(&mut dyn Conn) -> Result<T, SchedulingError> + Send + 'static,
    ) -> T {
        self.store.write(op).await.unwrap()
    }

    /// A task that an agent has worked on, with its log.
    pub async fn with_log(&self, log: &str) -> String {
        let urgent = json!({"title": "logged", "priority": 10});
        let id = self.ok("task_add", urgent).await["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let path = self.dir.path().join("attempt.log");
        let mut file = std::fs::File::create(&path).unwrap();
        std::io::Write::write_all(&mut file, log.as_bytes()).unwrap();
        let facts = Facts {
            log: Some(path.to_str().unwrap().to_owned()),
            tests: Some("12 passed".to_owned()),
            ..Facts::default()
        };
        self.behind(move |c| {
            let task = scheduling::task_claim(c, START, "a_logged", &Claim::by("agent"))?.unwrap();
            let lease = Lease {
                task: task.id,
                fence: task.fence,
            };
            scheduling::attempt_record(c, START, &lease, &facts)?;
            scheduling::task_finish(c, START, &lease, &json!({"made": 3}))
        })
        .await;
        id
    }

    pub async fn read(&self, uri: &str) -> Result<Value, String> {
        let read = self
            .client
            .read_resource(ReadResourceRequestParams::new(uri))
            .await;
        read.map(|result| serde_json::to_value(result).unwrap()["contents"][0].clone())
            .map_err(|error| error.to_string())
    }

    pub async fn prompt(&self, name: &str, arguments: Value) -> Result<String, String> {
        let arguments = arguments.as_object().unwrap().clone();
        let params = GetPromptRequestParams::new(name).with_arguments(arguments);
        let got = self.client.get_prompt(params).await;
        got.map(|result| {
            let result = serde_json::to_value(result).unwrap();
            result["messages"][0]["content"]["text"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .map_err(|error| error.to_string())
    }
}

fn facts_name(facts: &callboard_mcp::ToolFacts) -> String {
    facts.name.to_owned()
}

fn params(tool: &str, arguments: Value) -> CallToolRequestParams {
    let Value::Object(arguments) = arguments else {
        panic!("arguments are an object");
    };
    CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments)
}
