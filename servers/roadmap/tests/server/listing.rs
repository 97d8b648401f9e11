//! What the server offers: small, annotated, and each tool with a test of its effect.

use crate::rig::Rig;
use callboard_mcp::Effect;
use callboard_roadmap_server::server;
use callboard_telemetry::CallLog;
use serde_json::{Value, json};

/// Each tool and the test that shows its effect.
const EFFECT_TESTS: [(&str, &str); 8] = [
    (
        "roadmap_read",
        "reading::items_are_listed_as_they_are_understood",
    ),
    (
        "roadmap_load",
        "running::loading_posts_a_task_for_each_open_item_once",
    ),
    ("roadmap_start", "running::a_roadmap_is_worked_to_its_end"),
    ("roadmap_wait", "running::a_roadmap_is_worked_to_its_end"),
    ("roadmap_status", "running::a_roadmap_is_worked_to_its_end"),
    (
        "roadmap_stop",
        "running::a_stopped_run_goes_on_where_it_was",
    ),
    (
        "item_set_status",
        "editing::a_status_is_set_in_the_users_file",
    ),
    (
        "item_check",
        "editing::a_deliverable_is_ticked_by_text_and_by_number",
    ),
];

#[tokio::test]
async fn every_tool_has_a_test_of_its_effect() {
    let rig = Rig::new();
    let server = server(rig.state(), CallLog::disabled());
    let tested: Vec<&str> = EFFECT_TESTS.iter().map(|(tool, _)| *tool).collect();
    assert_eq!(server.tool_names(), tested);
    let sources = [
        include_str!("reading.rs"),
        include_str!("running.rs"),
        include_str!("editing.rs"),
    ]
    .concat();
    for (_, test) in EFFECT_TESTS {
        let name = test.split("::").nth(1).unwrap();
        assert!(sources.contains(&format!("fn {name}(")), "{test}");
    }
}

#[tokio::test]
async fn the_offer_is_sound_and_small() {
    let rig = Rig::new();
    let server = server(rig.state(), CallLog::disabled());
    assert_eq!(server.problems(), Vec::<String>::new());
    let tokens = server.token_estimate();
    assert!(tokens <= 2_500, "{tokens} tokens");
    let effects: Vec<_> = server
        .tools()
        .map(|facts| (facts.name, facts.effect, facts.open_world))
        .collect();
    let write = |destructive, idempotent| Effect::Write {
        destructive,
        idempotent,
    };
    assert_eq!(
        effects,
        [
            ("roadmap_read", Effect::ReadOnly, false),
            ("roadmap_load", write(false, true), true),
            ("roadmap_start", write(false, false), true),
            ("roadmap_wait", Effect::ReadOnly, false),
            ("roadmap_status", Effect::ReadOnly, false),
            ("roadmap_stop", write(true, true), false),
            ("item_set_status", write(true, true), false),
            ("item_check", write(true, true), false),
        ]
    );
}

#[tokio::test]
async fn answers_fit_their_output_schemas() {
    let rig = Rig::new();
    let offer = server(rig.state(), CallLog::disabled());
    let client = rig.client().await;
    let calls = [
        ("roadmap_status", json!({})),
        ("roadmap_read", json!({})),
        ("roadmap_read", json!({"item": "priority-1"})),
        ("roadmap_read", json!({"revision": "main"})),
        (
            "item_check",
            json!({"item": "priority-1", "deliverable": "1", "done": false}),
        ),
        (
            "item_set_status",
            json!({"item": "priority-1", "status": "planned"}),
        ),
        ("roadmap_load", json!({})),
        ("roadmap_wait", json!({"timeout_s": 0})),
        ("roadmap_start", json!({})),
        ("roadmap_wait", json!({})),
        ("roadmap_status", json!({})),
        ("roadmap_status", json!({"item": "priority-1"})),
        ("roadmap_stop", json!({})),
    ];
    let mut called: Vec<&str> = calls.iter().map(|(tool, _)| *tool).collect();
    for (tool, arguments) in calls {
        let facts = offer.tools().find(|facts| facts.name == tool).unwrap();
        let answer = client.call(tool, arguments).await;
        assert_valid(
            &answer,
            &Value::Object((**facts.output_schema.as_ref().unwrap()).clone()),
            tool,
        );
    }
    called.sort_unstable();
    called.dedup();
    assert_eq!(
        called.len(),
        offer.tool_names().len(),
        "a tool was not called"
    );
    client.close().await;
}

/// As much of JSON Schema as our output schemas use.
fn assert_valid(value: &Value, schema: &Value, path: &str) {
    let kind = match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "integer",
        Value::Bool(_) => "boolean",
        Value::Null => "null",
    };
    assert_eq!(schema["type"], kind, "{path}: {value} against {schema}");
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(
            value.get(name.as_str().unwrap()).is_some(),
            "{path}: {value} lacks {name}"
        );
    }
    for (name, item) in value.as_object().into_iter().flatten() {
        assert_valid(item, &schema["properties"][name], &format!("{path}.{name}"));
    }
    for item in value.as_array().into_iter().flatten() {
        assert_valid(item, &schema["items"], &format!("{path}[]"));
    }
}

#[tokio::test]
async fn prompts_are_written_with_the_state_of_the_moment() {
    let rig = Rig::new();
    let client = rig.client().await;
    let get = async |name: &str, arguments: Value| {
        let params = rmcp::model::GetPromptRequestParams::new(name.to_owned())
            .with_arguments(arguments.as_object().cloned().unwrap());
        let prompt = client.session.get_prompt(params).await.unwrap();
        serde_json::to_value(prompt).unwrap()["messages"][0]["content"]["text"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let plan = get("plan_roadmap", json!({"goal": "count the stars"})).await;
    assert!(
        plan.contains("count the stars") && plan.contains("roadmap_read"),
        "{plan}"
    );
    client.call("roadmap_load", json!({})).await;
    let report = get("report_roadmap", json!({})).await;
    assert!(
        report.contains("priority-2") && report.contains("needs a person"),
        "{report}"
    );
    client.close().await;
}

#[tokio::test]
async fn resources_show_the_clients_project() {
    let rig = Rig::new();
    let client = rig.client().await;
    let read = async |uri: &str| {
        let params = rmcp::model::ReadResourceRequestParams::new(uri.to_owned());
        let read = client.session.read_resource(params).await.unwrap();
        serde_json::to_value(read).unwrap()["contents"][0]["text"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let document = read("callboard://roadmap").await;
    assert!(
        document.starts_with("# Plan\n")
            && document.contains("- priority-2 PRIORITY 2: Second file: planned"),
        "{document}"
    );
    let report = read("callboard://roadmap/report").await;
    assert!(report.contains("not_loaded"), "{report}");
    assert!(
        !rig.board().join("board.db").exists(),
        "looking made a board"
    );
    client.call("roadmap_load", json!({})).await;
    let report = read("callboard://roadmap/report").await;
    assert!(
        report.contains("- priority-1 PRIORITY 1: First file: unfinished"),
        "{report}"
    );
    client.close().await;
}
