//! Claude Code, `claude -p`.

use crate::place::{Place, Transport};
use crate::{
    assert_over, assert_posted, initialised, lines, methods, object, path, places, posting, sent,
    tapped, work,
};
use callboard_tests::deps::claude_code;
use callboard_tests::model::Model;
use callboard_tests::{Finished, Running};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

struct Claude<'a> {
    place: &'a Place,
    model: &'a Model,
    servers: Value,
    environment: Vec<(&'a str, &'a str)>,
    allowed: bool,
}

/// The program in an empty environment with a home of its own, in this home's project.
fn claude(home: &Path, model: &Model, prompt: &str) -> Command {
    let mut command = Command::new(claude_code());
    command
        .env_clear()
        .current_dir(work(home))
        .env("PATH", path())
        .env("HOME", home)
        .env("ANTHROPIC_API_KEY", "sk-ant-made-up")
        .env("ANTHROPIC_BASE_URL", model.url())
        .env("CLAUDE_CODE_MAX_RETRIES", "1")
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env("DISABLE_TELEMETRY", "1")
        .env("DISABLE_ERROR_REPORTING", "1")
        .env("DISABLE_AUTOUPDATER", "1")
        .env("ENABLE_TOOL_SEARCH", "false")
        .env("MCP_TIMEOUT", "30000")
        // It waits for servers on the network before it tells of them.
        .env("MCP_CONNECTION_NONBLOCKING", "false");
    command.args(["-p", prompt, "--output-format", "stream-json", "--verbose"]);
    command.args(["--permission-mode", "default"]);
    command
}

impl Claude<'_> {
    fn run(&self, prompt: &str) -> Finished {
        let home = self.place.home().path();
        let servers = home.join("servers.json");
        std::fs::write(&servers, json!({"mcpServers": self.servers}).to_string()).unwrap();
        let mut command = claude(home, self.model, prompt);
        command.envs(self.environment.iter().copied());
        command
            .args(["--strict-mcp-config", "--mcp-config"])
            .arg(servers);
        command.args(["--setting-sources", "user"]);
        if self.allowed {
            command.args(["--allowedTools", "mcp__assigner,mcp__roadmap"]);
        }
        Running::of(command).finish()
    }

    /// Runs to a good end; answers the events.
    fn must(&self, prompt: &str) -> Vec<Value> {
        let done = self.run(prompt);
        assert_eq!(done.code, 0, "{done:#?}");
        let events = lines(&done.out);
        let servers = events[0]["mcp_servers"].as_array().unwrap();
        assert!(
            servers.iter().all(|server| server["status"] == "connected"),
            "{servers:#?}"
        );
        events
    }
}

/// What the client shows at the end.
fn shown(events: &[Value]) -> &str {
    let end = events.last().unwrap();
    assert_eq!(
        (&end["type"], &end["is_error"]),
        (&json!("result"), &json!(false)),
        "{end:#}"
    );
    end["result"].as_str().unwrap()
}

/// Posts a task with the servers of the project's own file, as `callboard init` writes it.
fn posts_with_the_project_s_file(transport: Transport) {
    let place = Place::new(transport);
    let home = place.home().path();
    initialised(&place, "claude-code");
    // What the user says to the two questions at the first start in the project.
    let ours = std::fs::read_to_string(callboard_tests::root().join("mcp.json")).unwrap();
    let ours: Value = serde_json::from_str(&ours).unwrap();
    let ours: Vec<&String> = ours["mcpServers"].as_object().unwrap().keys().collect();
    let projects = json!({work(home).to_str().unwrap(): {
        "hasTrustDialogAccepted": true,
        "enabledMcpjsonServers": ours,
    }});
    let answers = json!({"hasCompletedOnboarding": true, "projects": projects});
    std::fs::write(home.join(".claude.json"), answers.to_string()).unwrap();
    let model = Model::playing(posting());
    let mut command = claude(home, &model, "Please post the task.");
    command.envs(places(&place));
    command.args(["--allowedTools", "mcp__assigner,mcp__roadmap"]);
    let done = Running::of(command).finish();
    assert_eq!(done.code, 0, "{done:#?}");
    let events = lines(&done.out);
    let servers = events[0]["mcp_servers"].as_array().unwrap();
    assert!(
        servers.len() == ours.len() && servers.iter().all(|server| server["status"] == "connected"),
        "{servers:#?}"
    );
    assert_over(&place);
    let task = assert_posted(&model.results(), place.home());
    assert!(shown(&events).contains(&task), "{events:#?}");
}

#[test]
fn init_makes_it_start_the_servers() {
    posts_with_the_project_s_file(Transport::Stdio);
}

#[test]
fn init_makes_it_call_over_http() {
    posts_with_the_project_s_file(Transport::Http);
}

fn posts(environment: &[(&str, &str)]) -> (Place, Vec<Value>) {
    let place = Place::new(Transport::Stdio);
    let model = Model::playing(posting());
    let claude = Claude {
        place: &place,
        model: &model,
        servers: json!({"assigner": tapped(&place, "assigner")}),
        environment: environment.to_vec(),
        allowed: true,
    };
    let events = claude.must("Please post the task.");
    assert_over(&place);
    let task = assert_posted(&model.results(), place.home());
    let shown = shown(&events);
    assert!(
        shown.starts_with("the board says: ") && shown.contains(&task),
        "{shown}"
    );
    let sent = sent(&place, "assigner");
    (place, sent)
}

#[test]
fn its_calls_reach_the_board_without_a_handshake() {
    let (_place, sent) = posts(&[]);
    let methods = methods(&sent);
    assert_eq!(methods.first(), Some(&"server/discover"), "{methods:?}");
    assert!(!methods.contains(&"initialize"), "{methods:?}");
    let call = sent
        .iter()
        .find(|message| message["method"] == "tools/call")
        .unwrap();
    assert_eq!(
        call["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"], "2026-07-28",
        "{call:#}"
    );
}

#[test]
fn its_calls_reach_the_board_after_a_handshake() {
    let (_place, sent) = posts(&[("MCP_PROTOCOL_NEGOTIATION", "legacy")]);
    let first = sent
        .iter()
        .find(|message| message["method"] == "initialize")
        .unwrap_or_else(|| panic!("{sent:#?}"));
    assert_eq!(
        first["params"]["protocolVersion"], "2025-11-25",
        "{first:#}"
    );
}

#[test]
fn a_wrong_token_keeps_it_out() {
    let place = Place::new(Transport::Http);
    let model = Model::playing(posting());
    let mut server = place.plan("assigner");
    server["type"] = server["transport"].take();
    server["headers"]["Authorization"] = json!(format!("Bearer {}", place.wrong_token()));
    let claude = Claude {
        place: &place,
        model: &model,
        servers: json!({"assigner": server}),
        environment: Vec::new(),
        allowed: true,
    };
    let done = claude.run("Please post the task.");
    let events = lines(&done.out);
    let told = &events[0]["mcp_servers"][0];
    assert_eq!(told["status"], "failed", "{events:#?}");
    let results = model.results();
    assert!(results[0].contains("No such tool"), "{results:#?}");
    assert_over(&place);
}

#[test]
fn it_reads_a_roadmap_beside_the_board() {
    let place = Place::new(Transport::Stdio);
    let text = "# Roadmap\n\n## PRIORITY 1: Ship the lighthouse\n\n**Status**: Planned\n";
    let path = place.home().repository("project", &[("ROADMAP.md", text)]);
    let model = Model::playing(json!([{"on": "read the roadmap", "do": [
        {"call": "mcp__roadmap__roadmap_read", "with": {"path": path}},
        {"say": "{result}"},
    ]}]));
    let claude = Claude {
        place: &place,
        model: &model,
        servers: json!({"assigner": tapped(&place, "assigner"), "roadmap": tapped(&place, "roadmap")}),
        environment: Vec::new(),
        allowed: true,
    };
    let events = claude.must("Please read the roadmap.");
    assert!(
        shown(&events).contains("Ship the lighthouse"),
        "{events:#?}"
    );
    assert_over(&place);
}

#[test]
fn it_lists_and_reads_resources() {
    let place = Place::new(Transport::Stdio);
    let posted = place
        .home()
        .server("assigner")
        .hello()
        .must("task_add", &json!({"title": "seen by resource"}));
    let model = Model::playing(json!([{"on": "read the board", "do": [
        {"call": "ListMcpResourcesTool", "with": {"server": "assigner"}},
        {"call": "ReadMcpResourceTool", "with": {"server": "assigner", "uri": "callboard://board"}},
        {"say": "{result}"},
    ]}]));
    let claude = Claude {
        place: &place,
        model: &model,
        servers: json!({"assigner": tapped(&place, "assigner")}),
        environment: Vec::new(),
        allowed: true,
    };
    let events = claude.must("Please read the board.");
    let results = model.results();
    assert!(results[0].contains("callboard://board"), "{results:#?}");
    assert!(
        results[1].contains(posted["id"].as_str().unwrap()),
        "{results:#?}"
    );
    assert!(shown(&events).contains("seen by resource"), "{events:#?}");
    assert_over(&place);
}

#[test]
fn its_slash_command_is_our_prompt() {
    let place = Place::new(Transport::Stdio);
    let model =
        Model::playing(json!([{"on": "in at most twelve lines", "do": [{"say": "reported"}]}]));
    let claude = Claude {
        place: &place,
        model: &model,
        servers: json!({"assigner": tapped(&place, "assigner")}),
        environment: Vec::new(),
        allowed: true,
    };
    let events = claude.must("/mcp__assigner__report_status default");
    assert_eq!(shown(&events), "reported");
    let asked = model.requests().last().unwrap().to_string();
    assert!(
        asked.contains("Report on the work below") && asked.contains("No tasks."),
        "{asked}"
    );
    assert_over(&place);
}

#[test]
fn a_call_that_takes_too_long_is_given_up_on_both_sides() {
    let place = Place::new(Transport::Stdio);
    let model = Model::playing(json!([{"on": "claim something", "do": [
        {"call": "mcp__assigner__task_claim", "with": {"worker": "claude", "wait_s": 45}},
        {"say": "{result}"},
    ]}]));
    let claude = Claude {
        place: &place,
        model: &model,
        servers: json!({"assigner": tapped(&place, "assigner")}),
        environment: vec![("MCP_TOOL_TIMEOUT", "2000")],
        allowed: true,
    };
    let events = claude.must("Please claim something.");
    assert!(
        shown(&events).to_lowercase().contains("timed out"),
        "{events:#?}"
    );
    place.await_outcome("task_claim", "cancelled");
    let sent = sent(&place, "assigner");
    assert!(
        methods(&sent).contains(&"notifications/cancelled"),
        "{sent:#?}"
    );
    assert_over(&place);
}

#[test]
fn what_its_user_did_not_allow_is_not_called() {
    let place = Place::new(Transport::Stdio);
    let model = Model::playing(posting());
    let claude = Claude {
        place: &place,
        model: &model,
        servers: json!({"assigner": tapped(&place, "assigner")}),
        environment: Vec::new(),
        allowed: false,
    };
    let events = claude.must("Please post the task.");
    let denied = &events.last().unwrap()["permission_denials"];
    assert_eq!(
        denied[0]["tool_name"], "mcp__assigner__task_add",
        "{events:#?}"
    );
    let listed = place
        .home()
        .server("assigner")
        .hello()
        .must("task_list", &json!({}));
    assert_eq!(listed["tasks"], json!([]), "{listed:#}");
    assert_over(&place);
}

#[test]
fn an_error_of_a_tool_reaches_the_model_with_its_hint() {
    let place = Place::new(Transport::Stdio);
    let model = Model::playing(json!([{"on": "look it up", "do": [
        {"call": "mcp__assigner__task_add", "with": {"titel": "no such field"}},
        {"call": "mcp__assigner__task_add", "with": {"title": "the right field"}},
        {"say": "{result}"},
    ]}]));
    let claude = Claude {
        place: &place,
        model: &model,
        servers: json!({"assigner": tapped(&place, "assigner")}),
        environment: Vec::new(),
        allowed: true,
    };
    let events = claude.must("Please look it up.");
    let results = model.results();
    assert!(
        results[0].contains("unknown field `titel`")
            && results[0].contains("Hint: task_add takes title"),
        "{results:#?}"
    );
    assert_eq!(object(shown(&events))["created"], true, "{events:#?}");
    assert_over(&place);
}
