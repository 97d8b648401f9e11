//! A server on stdio ends with its input, whenever that is, and leaves nothing.

use callboard_tests::{Home, wait_until};
use serde_json::json;
use std::time::Duration;

const SERVERS: [&str; 4] = ["assigner", "roadmap", "llm", "telemetry"];

#[test]
fn servers_end_with_their_input_at_any_moment() {
    for name in SERVERS {
        let home = Home::new();
        let mut silent = home.server(name);
        silent.close();
        assert_ended(name, "before the first request", silent.ended());

        let mut discovered = home.server(name);
        let answer = discovered.request(
            "server/discover",
            &json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}}),
        );
        assert!(answer["result"]["supportedVersions"].is_array(), "{answer}");
        discovered.close();
        assert_ended(name, "after discover", discovered.ended());

        let mut busy = home.server(name).hello();
        if name == "assigner" {
            busy.send(
                "tools/call",
                &json!({"name": "task_claim", "arguments": {"worker": "w", "wait_s": 40}}),
            );
        }
        busy.close();
        assert_ended(name, "with a call under way", busy.ended());
        assert!(
            wait_until(Duration::from_secs(5), || home.processes().is_empty()),
            "{name} left {:?}",
            home.processes()
        );
    }
}

fn assert_ended(name: &str, when: &str, (code, took): (i32, Duration)) {
    assert_eq!(code, 0, "{name} {when}");
    // A second is promised; a loaded machine gets some more before this fails.
    assert!(took < Duration::from_secs(5), "{name} {when}: {took:?}");
}

#[test]
fn both_eras_list_the_same_tools() {
    let home = Home::new();
    for name in SERVERS {
        let mut old = home.server(name).hello();
        let tools = old.request("tools/list", &json!({}))["result"]["tools"].clone();
        let mut new = home.server(name);
        let modern = new.request(
            "tools/list",
            &json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}}),
        );
        assert_eq!(modern["result"]["tools"], tools, "{name}");
        assert!(
            tools
                .as_array()
                .is_some_and(|tools| (1..=12).contains(&tools.len())),
            "{name}"
        );
    }
}

#[test]
fn an_unknown_method_is_answered_at_once() {
    let home = Home::new();
    for name in SERVERS {
        let mut client = home.server(name).hello();
        let answer = client.request("no/such/method", &json!({}));
        assert_eq!(answer["error"]["code"], -32601, "{name}: {answer}");
    }
}
