//! Which way to go, where the roadmap leaves that to a person: asked at `roadmap_start`, and done in the results.

use crate::rig::{Rig, row};
use callboard_mcp::{MIGRATIONS, Verdict, question_answer, question_list};
use callboard_roadmap_server::server;
use callboard_store::{Clock, Options, Store, SystemClock};
use callboard_telemetry::CallLog;
use rmcp::handler::client::ClientHandler;
use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult,
    ElicitationAction, ErrorData,
};
use rmcp::service::RequestContext;
use rmcp::{RoleClient, ServiceExt};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const ROADMAP: &str = "\
# Plan

### PRIORITY 1: Storage
**Status**: 📝 Planned

#### Option A: One file
**Estimate**: 1d

#### Option B: Many files
**Estimate**: 2d
";

const PREPARED: &str = r#"
format = 1
[[items.option-b.tries]]
edits = [{ file = "many.txt", create = "good\n" }]
[items.option-b.report]
summary = "Made many files."
deliverables = []
commit = { type = "feat", subject = "add many files" }
"#;

fn rig() -> Rig {
    Rig::with(ROADMAP, Some(PREPARED))
}

fn options(rig: &Rig) -> Vec<String> {
    let text = rig.read("ROADMAP.md");
    let roadmap = callboard_roadmap::parse(text.as_bytes()).unwrap();
    let choice = roadmap.choices().remove(0);
    choice
        .options
        .iter()
        .map(|item| item.key.to_string())
        .collect()
}

/// A client whose user chooses.
struct Chooser {
    answer: ElicitResult,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl ClientHandler for Chooser {
    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder().enable_elicitation().build();
        let mut info = ClientConfig::default();
        info.capabilities = capabilities;
        info
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let request = serde_json::to_value(request).unwrap();
        self.asked.lock().unwrap().push(request);
        Ok(self.answer.clone())
    }
}

/// Starts the roadmap by a client whose user answers so, and waits for the end: the table, and what was asked.
async fn worked(rig: &Rig, answer: ElicitResult) -> (Value, Vec<Value>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (read, write) = tokio::io::split(theirs);
    let server = server(rig.state(), CallLog::disabled());
    let served = tokio::spawn(callboard_mcp::serve_on(server, read, write));
    let chooser = Chooser {
        answer,
        asked: Arc::clone(&asked),
    };
    let session = chooser.serve(ours).await.unwrap();
    let call = async |tool: &'static str, arguments: Value| {
        let arguments = arguments.as_object().cloned().unwrap();
        let params = CallToolRequestParams::new(tool).with_arguments(arguments);
        let result = session.call_tool(params).await.unwrap();
        let result = serde_json::to_value(result).unwrap();
        assert_ne!(result["isError"], true, "{result}");
        result["structuredContent"].clone()
    };
    call("roadmap_start", json!({})).await;
    while ["starting", "running"].contains(
        &call("roadmap_wait", json!({"timeout_s": 45})).await["state"]
            .as_str()
            .unwrap(),
    ) {}
    let table = call("roadmap_status", json!({})).await;
    session.cancel().await.unwrap();
    served.await.unwrap().unwrap();
    let asked = asked.lock().unwrap().clone();
    (table, asked)
}

fn chosen(option: &str) -> ElicitResult {
    ElicitResult::new(ElicitationAction::Accept).with_content(json!({"choice": option}))
}

#[tokio::test]
async fn the_chosen_option_is_worked_and_the_other_is_not() {
    let rig = rig();
    let options = options(&rig);
    let (table, asked) = worked(&rig, chosen(&options[1])).await;
    assert_eq!(asked.len(), 1);
    assert!(
        asked[0]["message"].as_str().unwrap().contains("Storage"),
        "{asked:?}"
    );
    let offered = &asked[0]["requestedSchema"]["properties"]["choice"]["oneOf"];
    assert_eq!(offered[0]["const"], json!(options[0]));
    assert_eq!(row(&table, &options[1])["outcome"], "done", "{table}");
    let keys: Vec<&Value> = table["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| &i["item"])
        .collect();
    assert_eq!(keys.len(), 1, "{table}");
    let results = rig.git(&["show", "callboard/integration:ROADMAP.md"]);
    let roadmap = callboard_roadmap::parse(results.as_bytes()).unwrap();
    assert!(roadmap.choices().is_empty());
    assert_eq!(
        rig.git(&["show", "callboard/integration:many.txt"]),
        "good\n"
    );
    assert_eq!(
        rig.read("ROADMAP.md"),
        ROADMAP,
        "the user's own file is theirs"
    );
}

#[tokio::test]
async fn what_nobody_chooses_stays_open() {
    for action in [ElicitationAction::Decline, ElicitationAction::Cancel] {
        let rig = rig();
        let (table, asked) = worked(&rig, ElicitResult::new(action)).await;
        assert_eq!(asked.len(), 1);
        assert_eq!(table["items"][0]["outcome"], "needs a person", "{table}");
        let results = rig.git(&["show", "callboard/integration:ROADMAP.md"]);
        assert_eq!(results, ROADMAP);
    }
}

/// A client that can't ask is told where the user decides; the run is not held up, and the next one obeys.
#[tokio::test]
async fn an_unattended_start_leaves_the_question_on_the_board() {
    let rig = rig();
    let options = options(&rig);
    let client = rig.client().await;
    let started = client.call("roadmap_start", json!({})).await;
    let note = started["note"].as_str().unwrap();
    assert!(note.contains("callboard answer q_"), "{note}");
    client.wait_to_the_end().await;

    let now = SystemClock.now_ms();
    let store = Store::open(
        Options::board(&rig.board()),
        &[callboard_telemetry::audit::MIGRATIONS, MIGRATIONS],
    )
    .unwrap();
    let open = store.read_now(|c| question_list(c, now, false)).unwrap();
    assert_eq!(open.len(), 1);
    let (id, verdict) = (open[0].id.clone(), Verdict::Value(options[1].clone()));
    store
        .write(move |c| question_answer(c, now, &id, &verdict))
        .await
        .unwrap();
    let started = client.call("roadmap_start", json!({})).await;
    assert!(
        !started["note"]
            .as_str()
            .unwrap()
            .contains("callboard answer")
    );
    let done = client.wait_to_the_end().await;
    assert_eq!(done["all_done"], true, "{done}");
    assert_eq!(
        rig.git(&["show", "callboard/integration:many.txt"]),
        "good\n"
    );
    client.close().await;
}
