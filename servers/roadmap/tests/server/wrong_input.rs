//! Wrong input for every tool: told what to do, and the server goes on.

use crate::rig::{ROADMAP, Rig};
use callboard_mcp::ErrorKind;
use callboard_roadmap_server::server;
use callboard_telemetry::CallLog;
use serde_json::{Value, json};

/// The least that each tool takes.
fn sound(tool: &str) -> Value {
    match tool {
        "item_set_status" => json!({"item": "priority-1", "status": "planned"}),
        "item_check" => json!({"item": "priority-1", "deliverable": "1", "done": false}),
        _ => json!({}),
    }
}

fn with(tool: &str, field: &str, value: Value) -> Value {
    let mut arguments = sound(tool);
    arguments[field] = value;
    arguments
}

#[tokio::test]
async fn every_tool_refuses_what_is_wrong_and_goes_on() {
    let rig = Rig::new();
    let client = rig.client().await;
    std::fs::create_dir(rig.outside("plain")).unwrap();
    let plain = rig.outside("plain").to_str().unwrap().to_owned();
    let file = rig.root.join("ROADMAP.md").to_str().unwrap().to_owned();
    let tools = server(rig.state(), CallLog::disabled()).tool_names();
    assert_eq!(tools.len(), 8);
    for tool in tools {
        let invalid = [
            with(tool, "path", json!(7)),
            with(tool, "path", json!(["/tmp"])),
            with(tool, "path", json!("")),
            with(tool, "path", json!("/tmp\u{7}")),
            with(tool, "path", json!("/tmp\nrm")),
            with(tool, "path", json!("x".repeat(100_000))),
            with(tool, "path", json!("project")),
            with(tool, "path", json!("../project")),
            with(tool, "path", json!(plain)),
            with(tool, "path", json!(file)),
            with(tool, "colour", json!("red")),
        ];
        for arguments in invalid {
            client
                .refusal(tool, arguments, ErrorKind::InvalidInput)
                .await;
        }
        client
            .refusal(
                tool,
                with(tool, "path", json!("/no/such/place")),
                ErrorKind::NotFound,
            )
            .await;
        client
            .refusal(
                tool,
                with(tool, "path", json!("x".repeat(2 << 20))),
                ErrorKind::Limit,
            )
            .await;
        client.call("roadmap_read", json!({})).await;
    }
    assert_eq!(rig.read("ROADMAP.md"), ROADMAP);
    assert!(!rig.board().join("board.db").exists());
    client.close().await;
}

#[tokio::test]
async fn wrong_values_of_the_other_fields_are_named() {
    let rig = Rig::new();
    let client = rig.client().await;
    for (tool, field, value) in [
        ("roadmap_read", "item", json!(3)),
        ("roadmap_read", "item", json!("x".repeat(500))),
        ("roadmap_read", "from", json!("two")),
        ("roadmap_read", "from", json!(-1)),
        ("roadmap_read", "revision", json!("a\u{1b}b")),
        ("roadmap_start", "agent", json!("sh -c 'rm -rf /'")),
        ("roadmap_start", "agent", json!("nobody")),
        ("roadmap_start", "agents", json!(0)),
        ("roadmap_start", "agents", json!(17)),
        ("roadmap_start", "retry", json!("yes")),
        ("roadmap_wait", "run", json!("../r")),
        ("roadmap_wait", "timeout_s", json!(46)),
        ("roadmap_status", "from", json!([1])),
        ("item_set_status", "status", json!("finished")),
        ("item_set_status", "status", Value::Null),
        ("item_set_status", "item", json!("a\u{0}b")),
        ("item_check", "deliverable", json!(1)),
        ("item_check", "done", json!("maybe")),
    ] {
        let refused = with(tool, field, value);
        let text = client.refusal(tool, refused, ErrorKind::InvalidInput).await;
        assert!(
            text.chars().count() < 3_000 && text.contains(field),
            "{text}"
        );
    }
    assert_eq!(rig.read("ROADMAP.md"), ROADMAP);
    client.close().await;
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let rig = Rig::new();
    let client = rig.client().await;
    for (tool, field, value) in [
        ("roadmap_read", "item", json!("nobody")),
        ("roadmap_read", "revision", json!("no-such-branch")),
        ("roadmap_wait", "run", json!("r_unknown")),
        ("roadmap_status", "item", json!("nobody")),
        ("item_set_status", "item", json!("nobody")),
        ("item_check", "deliverable", json!("99")),
    ] {
        let refused = with(tool, field, value);
        client.refusal(tool, refused, ErrorKind::NotFound).await;
    }
    assert_eq!(rig.read("ROADMAP.md"), ROADMAP);
    client.close().await;
}

#[tokio::test]
async fn required_fields_are_asked_for() {
    let rig = Rig::new();
    let client = rig.client().await;
    for (tool, arguments, missing) in [
        ("item_set_status", json!({"item": "priority-1"}), "status"),
        ("item_set_status", json!({"status": "done"}), "item"),
        (
            "item_check",
            json!({"item": "priority-1", "done": true}),
            "deliverable",
        ),
        (
            "item_check",
            json!({"item": "priority-1", "deliverable": "1"}),
            "done",
        ),
    ] {
        let text = client
            .refusal(tool, arguments, ErrorKind::InvalidInput)
            .await;
        assert!(
            text.contains(&format!("{missing}: is required and missing")),
            "{text}"
        );
    }
    client.close().await;
}

#[tokio::test]
async fn a_relative_path_is_told_in_full() {
    let rig = Rig::new();
    std::fs::create_dir(rig.root.join("sub")).unwrap();
    let client = rig.client().await;
    let text = client
        .refusal(
            "roadmap_read",
            json!({"path": "sub"}),
            ErrorKind::InvalidInput,
        )
        .await;
    assert!(
        text.contains(&rig.root.join("sub").display().to_string()),
        "{text}"
    );
    let inside = rig.root.join("sub").to_str().unwrap().to_owned();
    assert_eq!(
        client.call("roadmap_read", json!({"path": inside})).await["total"],
        3
    );
    client.close().await;
}
