//! Whatever changes something leaves a row that says who did it, through what and for whom.

use crate::access::{audit, token};
use crate::workshop::{WAIT_FOR, WORK, Workshop};
use callboard_tests::http::{Served, request};
use callboard_tests::upstream::Upstream;
use callboard_tests::{Client, Home};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const PLAN: &str = "# Plan\n\n## PRIORITY 1: Alpha part\n\n**Status**: 📝 Planned\n\n### Deliverables\n\n- [ ] the part\n";

/// The tools that say that they change something.
fn changing(served: &Served) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for server in served.get("/ready").json()["servers"].as_array().unwrap() {
        let server = server.as_str().unwrap();
        let listed = served.modern(server, 1, "tools/list", json!({})).reply();
        for tool in listed["result"]["tools"].as_array().unwrap() {
            if tool["annotations"]["readOnlyHint"] != true {
                found.insert(format!("{server}.{}", tool["name"].as_str().unwrap()));
            }
        }
    }
    found
}

/// Calls tools as `ci` and looks each time for the row.
struct Caller<'s> {
    home: &'s Home,
    served: &'s Served,
    left: BTreeSet<String>,
    rows: usize,
}

impl Caller<'_> {
    /// Calls a tool with effect; answers what it said.
    fn changes(&mut self, tool: &str, agent: Option<&str>, arguments: Value) -> Value {
        let (server, name) = tool.split_once('.').unwrap();
        let call = json!({"name": name, "arguments": arguments});
        let answer = self.served.modern(server, 7, "tools/call", call).reply();
        assert_eq!(answer["result"]["isError"], false, "{tool}: {answer}");
        let rows = audit(self.home);
        let ours: Vec<_> = rows[self.rows..]
            .iter()
            .filter(|row| row["action"] == tool)
            .collect();
        assert!(
            !ours.is_empty(),
            "{tool} left no row: {:?}",
            &rows[self.rows..]
        );
        for row in ours {
            let who = [&row["name"], &row["via"], &row["client"], &row["address"]];
            assert_eq!(who, ["ci", "http", "rig 1", "127.0.0.1"], "{row}");
            assert!(
                row["token"].is_string() && row["request"].is_string(),
                "{row}"
            );
            assert!(agent.is_none() || row["agent"] == json!(agent), "{row}");
        }
        self.rows = rows.len();
        self.left.remove(tool);
        answer["result"]["structuredContent"].clone()
    }

    fn claim(&mut self) -> (Value, Value) {
        let args = json!({"worker": "w-1"});
        let claimed = self.changes("assigner.task_claim", Some("w-1"), args);
        (claimed["task"].clone(), claimed["fence"].clone())
    }
}

#[test]
fn every_tool_that_changes_something_leaves_a_row_of_who_did_it() {
    let home = Home::new();
    let root = home.repository(
        "project",
        &[("ROADMAP.md", PLAN), ("test.sh", "echo fine\n")],
    );
    let model = Upstream::start();
    let settings = format!(
        "[access]\nrate = 0\n[agents.slow]\ncommand = [\"sleep\", \"600\"]\n[llm]\nretries = 0\n\
         [providers.ollama]\nbase_url = \"{}\"\n[routes.usual]\ncandidates = [\"ollama/llama\"]\n",
        model.base("ollama")
    );
    let mut served = Served::start(&home, &settings);
    let left = changing(&served);
    served.show(&token(&home, &["ci", "--role", "admin"]));
    let rows = audit(&home).len();
    let mut ci = Caller {
        home: &home,
        served: &served,
        left,
        rows,
    };

    let one = ci.changes("assigner.task_add", None, json!({"title": "one"}))["id"].clone();
    let more = json!({"tasks": [{"title": "two"}, {"title": "three"}]});
    ci.changes("assigner.task_add_many", None, more);
    ci.changes(
        "assigner.task_update",
        None,
        json!({"id": one, "title": "first"}),
    );
    let (task, fence) = ci.claim();
    let progress = json!({"task": task, "fence": fence, "progress": "half"});
    ci.changes("assigner.task_heartbeat", Some("w-1"), progress);
    ci.changes(
        "assigner.task_release",
        Some("w-1"),
        json!({"task": task, "fence": fence}),
    );
    let (task, fence) = ci.claim();
    let failed = json!({"task": task, "fence": fence, "error": "no", "final": true});
    ci.changes("assigner.task_fail", Some("w-1"), failed);
    let (task, fence) = ci.claim();
    let done = json!({"task": task, "fence": fence, "result": {}});
    ci.changes("assigner.task_finish", Some("w-1"), done);
    let (task, _) = ci.claim();
    let cancel = json!({"ids": [task], "action": "cancel"});
    ci.changes("assigner.task_control", None, cancel);

    let item = "priority-1";
    let status = json!({"path": root, "item": item, "status": "in_progress"});
    ci.changes("roadmap.item_set_status", None, status);
    let tick = json!({"path": root, "item": item, "deliverable": "1", "done": true});
    ci.changes("roadmap.item_check", None, tick);
    ci.changes("roadmap.roadmap_load", None, json!({"path": root}));
    ci.changes(
        "roadmap.roadmap_start",
        None,
        json!({"path": root, "agent": "slow"}),
    );
    ci.changes("roadmap.roadmap_stop", None, json!({"path": root}));
    let file = json!({"file": "calls", "period": "all"});
    ci.changes("telemetry.export", None, file);
    ci.changes("llm.complete", None, json!({"prompt": "hello"}));
    let both = json!({"prompt": "hello", "models": ["ollama/a", "ollama/b"]});
    ci.changes("llm.compare", None, both);
    let failing =
        json!({"name": "complete", "arguments": {"prompt": "hello", "model": "ollama/x--500"}});
    let failed = served.modern("llm", 8, "tools/call", failing).reply();
    assert_eq!(failed["result"]["isError"], true, "{failed}");
    ci.changes("llm.provider_reset", None, json!({"provider": "ollama"}));
    ci.changes("llm.budget_set", None, json!({"scope": "all", "amount": 5}));
    assert!(ci.left.is_empty(), "not tried: {:?}", ci.left);

    let edit = audit(&home)
        .into_iter()
        .find(|row| row["verb"] == "item_status")
        .unwrap();
    assert_eq!(edit["subject"], item);
    let (from, to) = (
        edit["detail"]["from"].to_string(),
        edit["detail"]["to"].to_string(),
    );
    assert!(
        from.contains("Planned") && to.contains("In progress"),
        "{edit}"
    );
}

#[test]
fn the_client_is_the_one_that_sent_the_request() {
    let home = Home::new();
    let served = Served::start(&home, "");
    let add = |title: &str| json!({"name": "task_add", "arguments": {"title": title}});
    let mut modern = add("modern over standard input");
    modern["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "newer", "version": "2"},
    });
    let mut stdio: Client = home.server("assigner");
    let added = stdio.request("tools/call", &modern);
    assert_eq!(added["result"]["isError"], false, "{added}");
    home.server("assigner")
        .hello()
        .must("task_add", &json!({"title": "older"}));
    let over_http = served
        .modern("assigner", 5, "tools/call", add("modern over HTTP"))
        .reply();
    assert_eq!(over_http["result"]["isError"], false, "{over_http}");
    let session = served.session("assigner", "2025-11-25");
    let in_session = served.in_session("assigner", &session, 6, "tools/call", &add("in a session"));
    drop({ in_session }.reply());
    let (mut stream, endpoint) = served.sse("assigner", "2024-11-05");
    served.tell(&endpoint, &request(7, "tools/call", &add("over a stream")));
    stream.answer();
    let rows = audit(&home);
    let clients: Vec<_> = rows
        .iter()
        .filter(|row| row["verb"] == "task_add")
        .map(|row| {
            (
                row["via"].as_str().unwrap(),
                row["client"].as_str().unwrap_or("-"),
            )
        })
        .collect();
    assert_eq!(
        clients,
        [
            ("stdio", "newer 2"),
            ("stdio", "rig 1"),
            ("http", "rig 1"),
            ("http", "rig 1"),
            ("sse", "rig 1")
        ]
    );
}

#[test]
fn what_is_done_for_an_agent_bears_its_name() {
    let shop = Workshop::new(&[("Alpha part", ""), ("Beta part", "")]);
    let both = "mkdir -p \"$HOME/seen\"\n: >\"$HOME/seen/at.$CALLBOARD_ITEM\"\nwait_for at.priority-1\nwait_for at.priority-2\n";
    let agent = format!("{WAIT_FOR}{both}{WORK}");
    let done = shop.run(&agent, &["--agents", "2"]);
    assert_eq!(done.code, 0, "{done:?}");
    let rows = audit(&shop.home);
    for verb in ["task_claim", "attempt_record", "task_finish"] {
        let agents: BTreeSet<_> = rows
            .iter()
            .filter(|row| row["verb"] == verb)
            .map(|row| {
                assert_eq!(
                    (&row["via"], &row["action"]),
                    (&json!("cli"), &json!("run")),
                    "{row}"
                );
                row["agent"]
                    .as_str()
                    .unwrap_or_else(|| panic!("no agent: {row}"))
                    .to_owned()
            })
            .collect();
        assert_eq!(agents.len(), 2, "{verb}: {agents:?}");
        let numbers = ["-1", "-2"];
        assert!(
            numbers
                .iter()
                .all(|end| agents.iter().any(|agent| agent.ends_with(end))),
            "{agents:?}"
        );
    }
}

#[test]
fn what_an_agents_own_client_does_is_done_for_the_agent() {
    let home = Home::new();
    for (worker, named) in [(Some("brick-2"), "brick-2"), (None, "a_7")] {
        let mut command = home.command("callboard");
        command.arg("assigner").env("CALLBOARD_ATTEMPT", "a_7");
        if let Some(worker) = worker {
            command.env("CALLBOARD_WORKER", worker);
        }
        let mut client = Client::start(command).hello();
        client.must("task_add", &json!({"title": "mortar"}));
        let rows = audit(&home);
        let row = rows.iter().rfind(|row| row["verb"] == "task_add").unwrap();
        assert_eq!(row["agent"], named, "{row}");
    }
}

#[test]
fn who_shows_somebody_elses_session_is_named() {
    let home = Home::new();
    let mut served = Served::start(&home, "");
    let session = served.session("assigner", "2025-11-25");
    served.show(&token(&home, &["eve", "--role", "admin"]));
    let refused = served.in_session("assigner", &session, 3, "tools/list", &json!({}));
    assert_eq!(refused.status, 404);
    served.terminate();
    served.ended();
    let rows = audit(&home);
    let row = rows.iter().find(|row| row["subject"] == "session").unwrap();
    assert_eq!(
        (&row["verb"], &row["name"]),
        (&json!("refused"), &json!("eve")),
        "{row}"
    );
    assert!(row["token"].is_string(), "{row}");
}

#[test]
fn what_to_do_is_on_the_same_line_of_the_log_as_the_request() {
    let home = Home::new();
    let mut served = Served::start(&home, "body_bytes = 2048\n[log]\nlevel = \"info\"");
    served.name("too-long");
    let long = "a".repeat(3_000);
    let call = json!({"name": "task_add", "arguments": {"title": long}});
    assert_eq!(served.modern("assigner", 1, "tools/call", call).status, 413);
    served.terminate();
    let (_, log) = served.ended();
    assert!(!log.lines().any(|line| line.starts_with("Hint")), "{log}");
    let line = log
        .lines()
        .find(|line| line.contains("turned away"))
        .unwrap();
    assert!(
        line.contains("too-long") && line.contains("hint="),
        "{line}"
    );
}
