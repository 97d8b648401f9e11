//! Calls that go on as tasks: their states, what they ask, their ends, and what is left of them when the process
//! that ran them is gone.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::fixture::{Board, Said, Wire, said};
use callboard_mcp::{
    CallContext, Caller, Effect, Field, Long, MIGRATIONS, Memory, NoParams, Question, Role, Server,
    ServerSpec, Tool, ToolError,
};
use callboard_store::{Clock, FixedClock, Options, Store};
use callboard_telemetry::CallLog;
use callboard_telemetry::audit::{AuditFilter, AuditRow, audit_list};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BakeParams {
    /// How it ends.
    ends: End,
}

#[derive(Deserialize, JsonSchema, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum End {
    Well,
    Badly,
    InPanic,
    Never,
}

async fn bake(board: &Board, params: &BakeParams, ctx: &CallContext) -> Result<Said, ToolError> {
    let long = ctx.detach().await?;
    board.added.fetch_add(1, Ordering::SeqCst);
    ctx.progress(1, Some(2), "in the oven").await;
    match params.ends {
        End::Well => Ok(said(if long { "baked later" } else { "baked at once" })),
        End::Badly => Err(ToolError::conflict("burnt")),
        End::InPanic => panic!("the oven exploded"),
        End::Never => {
            ctx.cancelled().await;
            Err(ToolError::cancelled())
        }
    }
}

macro_rules! baker {
    ($name:ident, $called:literal, $effect:expr, $long:expr) => {
        struct $name;

        impl Tool<Board> for $name {
            const NAME: &'static str = $called;
            const TITLE: &'static str = "Bake";
            const DESCRIPTION: &'static str = "Bakes.";
            const EFFECT: Effect = $effect;
            const ROLE: Role = Role::Viewer;
            const LONG: Long = $long;
            type Params = BakeParams;
            type Output = Said;

            async fn call(
                board: Arc<Board>,
                params: BakeParams,
                ctx: CallContext,
            ) -> Result<Said, ToolError> {
                bake(&board, &params, &ctx).await
            }
        }
    };
}

const WRITES: Effect = Effect::Write {
    destructive: false,
    idempotent: false,
};

baker!(Bake, "note_bake", WRITES, Long::Offered);
baker!(Sniff, "note_sniff", Effect::ReadOnly, Long::Offered);
baker!(BakeLong, "note_bake_long", WRITES, Long::Only);
baker!(BakeNow, "note_bake_now", WRITES, Long::No);

/// Asks two things at once while it runs, and before that one.
struct Decorate;

impl Tool<Board> for Decorate {
    const NAME: &'static str = "note_decorate";
    const TITLE: &'static str = "Decorate";
    const DESCRIPTION: &'static str = "Decorates.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;
    const LONG: Long = Long::Offered;
    type Params = NoParams;
    type Output = Said;

    async fn call(_: Arc<Board>, _: NoParams, ctx: CallContext) -> Result<Said, ToolError> {
        let whose = Question::new("Whose?").field(Field::text("name").length(1, 20));
        let whose = ctx.ask("whose", whose).await?;
        ctx.detach().await?;
        let colour = Question::choice("Which colour?", [("r", "Red"), ("b", "Blue")]);
        let coats = Question::new("How many coats?").field(Field::whole("coats").range(1, 3));
        let (colour, coats) = tokio::try_join!(ctx.ask("colour", colour), ctx.ask("coats", coats))?;
        Ok(said(format!(
            "{}: {} x {}",
            whose.text("name").unwrap_or("nobody"),
            colour.choice().unwrap_or("none"),
            coats.number("coats").unwrap_or(0.0)
        )))
    }
}

/// One oven, its board, and the server in front of them; a second one over the same directory is the server
/// after a restart.
struct Oven {
    board: Arc<Board>,
    clock: Arc<FixedClock>,
    store: Store,
}

impl Oven {
    /// The audit's rows about a call.
    fn audit(&self, id: &str) -> Vec<AuditRow> {
        let filter = AuditFilter {
            subject: Some(id.to_owned()),
            ..AuditFilter::default()
        };
        let rows = self.store.read_now(|c| audit_list(c, &filter, 100));
        rows.unwrap()
    }

    fn new(dir: &Path) -> Oven {
        Oven {
            board: Arc::default(),
            clock: Arc::new(FixedClock::new(1_795_253_400_000)),
            store: Store::open(
                Options::board(dir),
                &[callboard_telemetry::audit::MIGRATIONS, MIGRATIONS],
            )
            .unwrap(),
        }
    }

    fn server(&self) -> Server<Board> {
        let spec = ServerSpec {
            name: "baking",
            title: "Baking",
            version: "1",
            instructions: "",
        };
        Server::new(spec, Arc::clone(&self.board), CallLog::disabled())
            .tool::<Bake>()
            .tool::<Sniff>()
            .tool::<BakeLong>()
            .tool::<BakeNow>()
            .tool::<Decorate>()
            .clock(Arc::clone(&self.clock) as Arc<dyn Clock>)
            .memory(Memory::of(self.store.clone()))
    }

    async fn wire(&self) -> Wire {
        Wire::able(true, self.server(), follows()).await
    }
}

fn follows() -> Value {
    json!({"elicitation": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}})
}

fn bakes(ends: &str) -> Value {
    json!({"ends": ends})
}

/// Starts a call that must become a task, and answers the task's id.
async fn start(wire: &mut Wire, tool: &str, ends: &str) -> String {
    let task = wire.call(tool, bakes(ends)).await;
    assert_eq!(task["resultType"], "task", "{task}");
    task["taskId"].as_str().unwrap().to_owned()
}

async fn get(wire: &mut Wire, id: &str) -> Value {
    let answer = wire.request("tasks/get", json!({"taskId": id})).await;
    assert!(answer.get("error").is_none(), "{answer}");
    assert_eq!(answer["result"]["resultType"], "complete");
    answer["result"].clone()
}

async fn until(wire: &mut Wire, id: &str, status: &str) -> Value {
    for _ in 0..1_000 {
        let task = get(wire, id).await;
        if task["status"] == status {
            return task;
        }
        let over = ["completed", "failed", "cancelled"].contains(&task["status"].as_str().unwrap());
        assert!(!over, "{task}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("task {id} never was {status}");
}

async fn code(wire: &mut Wire, method: &str, params: Value) -> i64 {
    let answer = wire.request(method, params).await;
    answer["error"]["code"]
        .as_i64()
        .unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test]
async fn a_call_that_goes_on_is_a_task_in_both_eras() {
    for modern in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let oven = Oven::new(dir.path());
        let mut wire = Wire::able(modern, oven.server(), follows()).await;
        let task = wire.call("note_bake", bakes("well")).await;
        assert_eq!(task["resultType"], "task", "{task}");
        assert_eq!(task["createdAt"], "2026-11-21T09:30:00.000Z");
        assert_eq!(task["ttlMs"], DAY_MS);
        assert!(task["pollIntervalMs"].as_u64().unwrap() > 0);
        for absent in ["result", "error", "inputRequests", "requestState", "task"] {
            assert!(task.get(absent).is_none(), "{task}");
        }
        let id = task["taskId"].as_str().unwrap();
        let done = until(&mut wire, id, "completed").await;
        assert_eq!(done["result"]["structuredContent"]["said"], "baked later");
        assert_eq!(done["result"]["content"][0]["text"], "baked later");
        assert_eq!(done["result"]["isError"], false);
        assert_eq!(oven.board.added.load(Ordering::SeqCst), 1);
        wire.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_error_of_the_tool_is_a_result_and_a_panic_is_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let mut wire = Oven::new(dir.path()).wire().await;
    let id = start(&mut wire, "note_bake", "badly").await;
    let task = until(&mut wire, &id, "completed").await;
    assert_eq!(task["result"]["isError"], true);
    let text = task["result"]["content"][0]["text"].as_str().unwrap();
    assert_eq!(text, "conflict: burnt");
    let id = start(&mut wire, "note_bake", "in_panic").await;
    let task = until(&mut wire, &id, "failed").await;
    assert_eq!(task["error"]["code"], -32603);
    assert!(
        task["error"]["message"].as_str().unwrap().contains("bug"),
        "{task}"
    );
    assert!(task.get("result").is_none());
    wire.close().await.unwrap();
}

#[tokio::test]
async fn a_client_that_follows_no_task_waits_or_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let oven = Oven::new(dir.path());
    for modern in [true, false] {
        let mut wire = Wire::able(modern, oven.server(), json!({})).await;
        let done = wire.call("note_bake", bakes("well")).await;
        assert_eq!(done["content"][0]["text"], "baked at once");
        let refused = wire
            .request(
                "tools/call",
                json!({"name": "note_bake_long", "arguments": bakes("well")}),
            )
            .await;
        assert_eq!(refused["error"]["code"], -32021, "{refused}");
        let needed = &refused["error"]["data"]["requiredCapabilities"]["extensions"];
        assert!(
            needed["io.modelcontextprotocol/tasks"].is_object(),
            "{refused}"
        );
        for method in ["tasks/get", "tasks/cancel"] {
            assert_eq!(
                code(&mut wire, method, json!({"taskId": "x"})).await,
                -32021
            );
        }
        wire.close().await.unwrap();
    }
    // A tool that never goes on does not, whoever calls it; without a memory no tool does.
    let mut wire = oven.wire().await;
    let done = wire.call("note_bake_now", bakes("well")).await;
    assert_eq!(done["content"][0]["text"], "baked at once");
    wire.close().await.unwrap();
    let forgetful = oven.server().memory(Memory::none());
    let mut wire = Wire::able(true, forgetful, follows()).await;
    let done = wire.call("note_bake", bakes("well")).await;
    assert_eq!(done["content"][0]["text"], "baked at once");
    assert_eq!(
        code(&mut wire, "tasks/get", json!({"taskId": "x"})).await,
        -32601
    );
    wire.close().await.unwrap();
}

#[tokio::test]
async fn cancelling_ends_the_work() {
    let dir = tempfile::tempdir().unwrap();
    let oven = Oven::new(dir.path());
    let mut wire = oven.wire().await;
    let id = start(&mut wire, "note_bake", "never").await;
    let task = get(&mut wire, &id).await;
    assert_eq!(task["status"], "working");
    let ack = wire.request("tasks/cancel", json!({"taskId": id})).await;
    assert_eq!(ack["result"]["resultType"], "complete");
    assert!(ack["result"].get("taskId").is_none());
    until(&mut wire, &id, "cancelled").await;
    let rows = oven.audit(&id);
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.verb.as_str(), row.action.rsplit('.').next().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("call_begin", "note_bake"),
            ("call_cancel", "tasks/cancel"),
            ("call_end", "note_bake")
        ]
    );
    assert!(rows.iter().all(|row| row.name != "callboard"), "{rows:?}");
    // Again, and for one that has ended otherwise: the same word, and nothing changes.
    let ack = wire.request("tasks/cancel", json!({"taskId": id})).await;
    assert_eq!(ack["result"]["resultType"], "complete");
    let done = start(&mut wire, "note_bake", "well").await;
    until(&mut wire, &done, "completed").await;
    wire.request("tasks/cancel", json!({"taskId": done})).await;
    assert_eq!(get(&mut wire, &done).await["status"], "completed");
    for method in ["tasks/get", "tasks/cancel"] {
        assert_eq!(
            code(&mut wire, method, json!({"taskId": "c_none"})).await,
            -32602
        );
        assert_eq!(code(&mut wire, method, json!({})).await, -32602);
    }
    let nothing = json!({"taskId": "c_none", "inputResponses": {}});
    assert_eq!(code(&mut wire, "tasks/update", nothing).await, -32602);
    for method in ["tasks/list", "tasks/result"] {
        assert_eq!(code(&mut wire, method, json!({"taskId": id})).await, -32601);
    }
    wire.close().await.unwrap();
}

#[tokio::test]
async fn a_task_says_how_far_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut wire = Oven::new(dir.path()).wire().await;
    let id = start(&mut wire, "note_bake", "never").await;
    loop {
        let task = get(&mut wire, &id).await;
        assert_eq!(task["status"], "working");
        if task["statusMessage"] == "in the oven" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    wire.request("tasks/cancel", json!({"taskId": id})).await;
    let ended = until(&mut wire, &id, "cancelled").await;
    assert!(ended.get("statusMessage").is_none(), "{ended}");
    wire.close().await.unwrap();
}

/// One question is asked before the client gets the task, by another round; two others by the task itself.
#[tokio::test]
async fn a_task_asks_and_takes_each_answer_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut wire = Oven::new(dir.path()).wire().await;
    let request = json!({"name": "note_decorate", "arguments": {}});
    let round = wire.request("tools/call", request.clone()).await;
    assert_eq!(round["result"]["resultType"], "input_required", "{round}");
    assert!(round["result"].get("taskId").is_none());
    let mut again = request;
    again["requestState"] = round["result"]["requestState"].clone();
    again["inputResponses"] = json!({"whose": {"action": "accept", "content": {"name": "Ann"}}});
    let task = wire.request("tools/call", again).await;
    let task = &task["result"];
    assert_eq!(task["resultType"], "task", "{task}");
    assert!(task.get("requestState").is_none());
    let id = task["taskId"].as_str().unwrap();

    let mut task = until(&mut wire, id, "input_required").await;
    while task["inputRequests"].as_object().unwrap().len() < 2 {
        task = get(&mut wire, id).await;
    }
    assert_eq!(
        task["inputRequests"]["colour"]["method"],
        "elicitation/create"
    );
    let update = |responses: Value| json!({"taskId": id, "inputResponses": responses});
    // What does not fit is refused, and the question stays.
    let four = json!({"coats": {"action": "accept", "content": {"coats": 4}}});
    let refused = wire.request("tasks/update", update(four)).await;
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    let red = json!({"colour": {"action": "accept", "content": {"choice": "r"}}, "surplus": 1});
    let ack = wire.request("tasks/update", update(red)).await;
    assert_eq!(ack["result"]["resultType"], "complete", "{ack}");
    let task = get(&mut wire, id).await;
    assert_eq!(task["status"], "input_required");
    let left: Vec<&String> = task["inputRequests"].as_object().unwrap().keys().collect();
    assert_eq!(left, ["coats"]);
    // An answered question is not answered otherwise.
    let blue = json!({"colour": {"action": "accept", "content": {"choice": "b"}}});
    wire.request("tasks/update", update(blue)).await;
    let two = json!({"coats": {"action": "accept", "content": {"coats": 2}}});
    wire.request("tasks/update", update(two)).await;
    let task = until(&mut wire, id, "completed").await;
    assert_eq!(task["result"]["content"][0]["text"], "Ann: r x 2");
    wire.close().await.unwrap();
}

/// What changes nothing is run again, with the answers it had; what may have changed something has failed.
#[tokio::test]
async fn a_task_survives_the_end_of_its_process() {
    let dir = tempfile::tempdir().unwrap();
    let oven = Oven::new(dir.path());
    let mut wire = oven.wire().await;
    let done = start(&mut wire, "note_bake", "well").await;
    until(&mut wire, &done, "completed").await;
    let harmless = start(&mut wire, "note_sniff", "never").await;
    let harmful = start(&mut wire, "note_bake", "never").await;
    assert_eq!(oven.board.added.load(Ordering::SeqCst), 3);
    wire.close().await.unwrap();

    let mut wire = oven.wire().await;
    let kept = get(&mut wire, &done).await;
    assert_eq!(kept["result"]["content"][0]["text"], "baked later");
    let failed = get(&mut wire, &harmful).await;
    assert_eq!(failed["status"], "failed", "{failed}");
    let message = failed["error"]["message"].as_str().unwrap();
    assert!(message.contains("ended before the call did"), "{message}");
    assert_eq!(get(&mut wire, &harmless).await["status"], "working");
    wire.request("tasks/cancel", json!({"taskId": harmless}))
        .await;
    until(&mut wire, &harmless, "cancelled").await;
    assert_eq!(oven.board.added.load(Ordering::SeqCst), 4);
    wire.close().await.unwrap();
}

#[tokio::test]
async fn answers_survive_the_end_of_the_process_too() {
    let dir = tempfile::tempdir().unwrap();
    let oven = Oven::new(dir.path());
    let mut wire = oven.wire().await;
    let request = json!({"name": "note_decorate", "arguments": {}});
    let round = wire.request("tools/call", request.clone()).await;
    let mut again = request;
    again["requestState"] = round["result"]["requestState"].clone();
    again["inputResponses"] = json!({"whose": {"action": "accept", "content": {"name": "Ann"}}});
    let task = wire.request("tools/call", again).await;
    let id = task["result"]["taskId"].as_str().unwrap().to_owned();
    let mut task = until(&mut wire, &id, "input_required").await;
    while task["inputRequests"].as_object().unwrap().len() < 2 {
        task = get(&mut wire, &id).await;
    }
    let red = json!({"colour": {"action": "accept", "content": {"choice": "r"}}});
    wire.request("tasks/update", json!({"taskId": id, "inputResponses": red}))
        .await;
    wire.close().await.unwrap();

    let mut wire = oven.wire().await;
    let task = until(&mut wire, &id, "input_required").await;
    let left: Vec<&String> = task["inputRequests"].as_object().unwrap().keys().collect();
    assert_eq!(left, ["coats"]);
    let two = json!({"coats": {"action": "accept", "content": {"coats": 2}}});
    wire.request("tasks/update", json!({"taskId": id, "inputResponses": two}))
        .await;
    let task = until(&mut wire, &id, "completed").await;
    assert_eq!(task["result"]["content"][0]["text"], "Ann: r x 2");
    wire.close().await.unwrap();
}

#[tokio::test]
async fn nobody_else_sees_a_task_and_after_a_day_nobody_does() {
    let dir = tempfile::tempdir().unwrap();
    let oven = Oven::new(dir.path());
    let mut wire = oven.wire().await;
    let id = start(&mut wire, "note_bake", "well").await;
    until(&mut wire, &id, "completed").await;
    let other = oven.server().caller(Caller::local("eve", Role::Admin));
    let mut theirs = Wire::able(true, other, follows()).await;
    assert_eq!(
        code(&mut theirs, "tasks/get", json!({"taskId": id})).await,
        -32602
    );
    assert_eq!(
        code(&mut theirs, "tasks/cancel", json!({"taskId": id})).await,
        -32602
    );
    theirs.close().await.unwrap();
    oven.clock.advance(DAY_MS - 1);
    get(&mut wire, &id).await;
    oven.clock.advance(1);
    assert_eq!(
        code(&mut wire, "tasks/get", json!({"taskId": id})).await,
        -32602
    );
    wire.close().await.unwrap();
}

#[tokio::test]
async fn the_tasks_of_one_caller_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let oven = Oven::new(dir.path());
    let mut wire = oven.wire().await;
    let mut ids = Vec::new();
    for _ in 0..32 {
        ids.push(start(&mut wire, "note_sniff", "never").await);
    }
    let text = wire.refusal("note_sniff", bakes("never")).await;
    assert!(text.starts_with("limit: 32 long calls"), "{text}");
    wire.request("tasks/cancel", json!({"taskId": ids[0]}))
        .await;
    until(&mut wire, &ids[0], "cancelled").await;
    start(&mut wire, "note_sniff", "never").await;
    wire.close().await.unwrap();
}
