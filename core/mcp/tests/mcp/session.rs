//! Sessions: how they begin in both eras, what is listed and read, and how they end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::fixture::{Wire, quiet};
use callboard_mcp::Effect;
use rmcp::model::{CallToolRequestParams, ProtocolVersion};
use rmcp::{ClientLifecycleMode, ClientServiceExt, ServiceExt};
use serde_json::{Value, json};

#[test]
fn the_tool_list_is_small_complete_and_in_order() {
    let (_, server) = quiet();
    let list: Value = serde_json::from_str(&server.tools_list_json()).unwrap();
    assert_eq!(
        list["tools"][0],
        json!({
            "name": "note_add",
            "title": "Add a note",
            "description": "Remembers one thing.",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "title": {"description": "What to remember, in one line.", "type": "string", "maxLength": 40},
                    "body": {"type": "string", "maxLength": 2_000_000},
                    "priority": {"description": "10 is the most urgent.", "type": "integer", "minimum": 0, "maximum": 10},
                    "after": {"type": "array", "items": {"type": "string"}},
                    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
                    "retry": {
                        "type": "object",
                        "properties": {"pause_ms": {"description": "Milliseconds before the next try.", "type": "integer"}},
                        "additionalProperties": false,
                        "required": ["pause_ms"]
                    }
                },
                "additionalProperties": false,
                "required": ["title"]
            },
            "outputSchema": {
                "type": "object",
                "properties": {
                    "id": {"type": "string"},
                    "title": {"type": "string"},
                    "priority": {"type": "integer"},
                    "after": {"type": "array", "items": {"type": "string"}},
                    "reason": {"type": "string"}
                },
                "required": ["id", "title", "priority", "after"]
            },
            "annotations": {"readOnlyHint": false, "destructiveHint": false, "idempotentHint": false, "openWorldHint": false}
        })
    );
    assert_eq!(
        server.tool_names(),
        ["note_add", "note_wait", "note_count", "note_break"]
    );
    let effects: Vec<_> = server
        .tools()
        .map(|facts| (facts.effect, facts.open_world))
        .collect();
    assert_eq!(effects[1], (Effect::ReadOnly, false));
    assert_eq!(
        effects[3],
        (
            Effect::Write {
                destructive: true,
                idempotent: true
            },
            true
        )
    );
    assert_eq!(
        server.token_estimate(),
        server.tools_list_json().len().div_ceil(4)
    );
    assert_eq!(server.problems(), Vec::<String>::new());
}

#[test]
fn what_is_wrong_with_an_offer_is_found() {
    let (_, server) = quiet();
    let crowded = (0..9).fold(server, |server, _| server.tool::<crate::fixture::NoteAdd>());
    let problems = crowded.problems().join("\n");
    assert!(problems.contains("13 tools; at most 12"), "{problems}");
    assert!(
        problems.contains("note_add: is offered twice"),
        "{problems}"
    );
}

#[tokio::test]
async fn lists_are_the_same_in_both_eras() {
    for modern in [false, true] {
        let (_, server) = quiet();
        let golden: Value = serde_json::from_str(&server.tools_list_json()).unwrap();
        let mut wire = Wire::era(modern, server).await;
        let tools = wire.request("tools/list", json!({})).await;
        assert_eq!(tools["result"]["tools"], golden["tools"]);
        assert_eq!(tools["result"]["ttlMs"], 300_000);

        let resources = wire.request("resources/list", json!({})).await;
        assert_eq!(
            resources["result"]["resources"],
            json!([{"uri": "notes://all", "name": "notes", "title": "All notes", "description": "Every note, a line each.", "mimeType": "text/markdown"}])
        );
        let templates = wire.request("resources/templates/list", json!({})).await;
        assert_eq!(
            templates["result"]["resourceTemplates"][0]["uriTemplate"],
            "notes://note/{id}"
        );
        let prompts = wire.request("prompts/list", json!({})).await;
        assert_eq!(
            prompts["result"]["prompts"],
            json!([{"name": "sum_up", "title": "Sum up", "description": "Sums the notes up.", "arguments": [{"name": "tone", "description": "How to write.", "required": true}]}])
        );
        let foreign = wire.request("tools/list", json!({"cursor": "x"})).await;
        assert_eq!(foreign["error"]["code"], -32602);
    }
}

#[tokio::test]
async fn the_library_s_own_client_gets_on_with_it_in_both_eras() {
    for discover in [false, true] {
        let (_, server) = quiet();
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (read, write) = tokio::io::split(theirs);
        let served = tokio::spawn(callboard_mcp::serve_on(server, read, write));
        let client = if discover {
            let mode = ClientLifecycleMode::Discover {
                preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            };
            ().serve_with_lifecycle(ours, mode).await.unwrap()
        } else {
            ().serve(ours).await.unwrap()
        };
        let tools = client.list_all_tools().await.unwrap();
        assert_eq!(tools.len(), 4);
        let arguments = json!({"title": "milk"}).as_object().cloned().unwrap();
        let result = client
            .call_tool(CallToolRequestParams::new("note_add").with_arguments(arguments))
            .await
            .unwrap();
        assert_eq!(
            serde_json::to_value(result).unwrap()["structuredContent"]["title"],
            "milk"
        );
        client.cancel().await.unwrap();
        served.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_server_has_its_own_name_in_both_eras() {
    let (_, server) = quiet();
    let mut wire = Wire::modern(server).await;
    let discovered = wire.request("server/discover", json!({})).await;
    let result = &discovered["result"];
    assert_eq!(
        result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"],
        "fixture"
    );
    assert!(
        result["supportedVersions"]
            .as_array()
            .unwrap()
            .contains(&json!("2026-07-28"))
    );
    for capability in ["tools", "resources", "prompts"] {
        assert!(result["capabilities"][capability].is_object(), "{result}");
    }

    // Some clients discover first and then shake hands all the same.
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
    let answer = wire.request("initialize", params).await;
    let result = &answer["result"];
    assert_eq!(result["protocolVersion"], "2025-06-18");
    assert_eq!(
        result["serverInfo"],
        json!({"name": "fixture", "title": "Fixture", "version": "1.2.3"})
    );
    assert_eq!(result["instructions"], "Call note_add to remember things.");
}

#[tokio::test]
async fn resources_are_read_in_pages_and_missing_ones_said_to_be_missing() {
    for (modern, not_found) in [(false, -32002), (true, -32602)] {
        let (_, server) = quiet();
        let mut wire = Wire::era(modern, server).await;
        let one = wire
            .request("resources/read", json!({"uri": "notes://note/n_1"}))
            .await;
        assert_eq!(
            one["result"]["contents"],
            json!([{"uri": "notes://note/n_1", "mimeType": "application/json", "text": "{\"id\":\"n_1\"}"}])
        );
        let page = wire
            .request("resources/read", json!({"uri": "notes://all"}))
            .await;
        let next = page["result"]["contents"][0]["_meta"]["callboard/next"]
            .as_str()
            .unwrap()
            .to_owned();
        let text = page["result"]["contents"][0]["text"].as_str().unwrap();
        assert!(text.ends_with(&format!("[continues: {next}]\n")));
        let last = wire.request("resources/read", json!({"uri": next})).await;
        let rest = last["result"]["contents"][0]["text"].as_str().unwrap();
        assert_eq!(
            text.matches("- a note\n").count() + rest.matches("- a note\n").count(),
            10_000
        );

        for uri in [
            "notes://note/n_2",
            "notes://nothing",
            "",
            "file:///etc/passwd",
        ] {
            let answer = wire.request("resources/read", json!({"uri": uri})).await;
            assert_eq!(answer["error"]["code"], not_found, "{answer}");
        }
        let wrong = wire
            .request("resources/read", json!({"uri": "notes://all?cursor=x"}))
            .await;
        assert_eq!(wrong["error"]["code"], -32602);
        let misshapen = wire.request("resources/read", json!({"uri": 5})).await;
        assert_eq!(misshapen["error"]["code"], -32602);
        let broken = wire
            .request("resources/read", json!({"uri": "notes://note/broken"}))
            .await;
        assert_eq!(broken["error"]["code"], -32603);
        wire.assert_alive().await;
    }
}

#[tokio::test]
async fn prompts_are_filled_in() {
    let (_, server) = quiet();
    let mut wire = Wire::legacy(server).await;
    let params = json!({"name": "sum_up", "arguments": {"tone": "kindly"}});
    let answer = wire.request("prompts/get", params).await;
    assert_eq!(
        answer["result"]["messages"],
        json!([
            {"role": "user", "content": {"type": "text", "text": "Sum up, kindly."}},
            {"role": "assistant", "content": {"type": "text", "text": "Yes."}}
        ])
    );
    for (params, word) in [
        (json!({"name": "sum_up"}), "tone: is required"),
        (
            json!({"name": "sum_up", "arguments": {"tone": "a", "pace": "b"}}),
            "unknown argument `pace`",
        ),
        (
            json!({"name": "sum_up", "arguments": {"tone": 7}}),
            "tone: expected plain text",
        ),
        (json!({"name": "sing"}), "unknown prompt `sing`"),
    ] {
        let answer = wire.request("prompts/get", params).await;
        assert_eq!(answer["error"]["code"], -32602);
        assert!(
            answer["error"]["message"].as_str().unwrap().contains(word),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn an_unknown_method_is_refused_at_any_time() {
    let (_, server) = quiet();
    let mut wire = Wire::open(server);
    let early = wire.request("notes/fly", json!({})).await;
    assert_eq!(early["error"]["code"], -32601);
    for (modern, method) in [
        (false, "notes/fly"),
        (true, "logging/fly"),
        (false, "tasks/get"),
    ] {
        let (_, server) = quiet();
        let mut wire = Wire::era(modern, server).await;
        let answer = wire.request(method, json!({"taskId": "t"})).await;
        assert_eq!(answer["error"]["code"], -32601, "{answer}");
        wire.assert_alive().await;
    }
}

#[tokio::test]
async fn notifications_before_the_session_do_no_harm() {
    let (_, server) = quiet();
    let mut wire = Wire::open(server);
    wire.notify("notifications/cancelled", json!({"requestId": 1}))
        .await;
    wire.notify("notifications/initialized", json!({})).await;
    wire.notify("notes/whatever", json!({})).await;
    wire.line(r#"{"jsonrpc":"2.0","id":9,"result":{}}"#).await;
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
    let answer = wire.request("initialize", params).await;
    assert_eq!(answer["result"]["serverInfo"]["name"], "fixture");
    wire.assert_alive().await;
}

#[tokio::test]
async fn lines_that_are_no_messages_are_answered() {
    let (_, server) = quiet();
    let mut wire = Wire::legacy(server).await;
    for (line, code, id) in [
        ("{not json", -32700, Value::Null),
        ("\u{1}", -32700, Value::Null),
        ("[]", -32600, Value::Null),
        ("7", -32600, Value::Null),
        (
            r#"{"jsonrpc":"1.0","id":77,"method":"ping"}"#,
            -32600,
            json!(77),
        ),
        (
            r#"{"jsonrpc":"2.0","id":"x","method":5}"#,
            -32600,
            json!("x"),
        ),
    ] {
        wire.line(line).await;
        let answer = wire.next().await.unwrap();
        assert_eq!(answer["error"]["code"], code, "{line}: {answer}");
        assert_eq!(answer["id"], id, "{line}: {answer}");
    }
    wire.line("").await;
    wire.line("\r").await;
    wire.assert_alive().await;
}

#[tokio::test]
async fn a_line_that_is_far_too_long_is_answered_with_its_id() {
    let (_, server) = quiet();
    let mut wire = Wire::legacy(server).await;
    let body = "x".repeat(5 << 20);
    let arguments = format!(r#"{{"title":"t","body":"{body}","id":7}}"#);
    for (line, id) in [
        (
            format!(
                r#"{{"jsonrpc":"2.0","id":70,"method":"tools/call","params":{{"name":"note_add","arguments":{arguments}}}}}"#
            ),
            json!(70),
        ),
        (
            format!(
                r#"{{"method":"tools/call","params":{{"name":"note_add","arguments":{arguments}}},"jsonrpc":"2.0","id":"y"}}"#
            ),
            json!("y"),
        ),
        (
            format!(
                r#"{{"method":"tools/call","params":{{"name":"note_add","arguments":{arguments}}},"jsonrpc":"2.0"}}"#
            ),
            Value::Null,
        ),
    ] {
        wire.line(&line).await;
        let answer = wire.next().await.unwrap();
        assert_eq!(answer["error"]["code"], -32600);
        assert_eq!(answer["id"], id);
        assert!(
            answer["error"]["message"]
                .as_str()
                .unwrap()
                .contains("at most 4194304"),
            "{answer}"
        );
    }
    wire.assert_alive().await;
}

/// The clock stands still until nobody can do anything any more.
#[tokio::test(start_paused = true)]
async fn who_asks_and_does_not_listen_is_not_read_either() {
    const MOST: usize = 24 << 20;
    let (_, server) = quiet();
    let mut wire = Wire::legacy(server).await;
    let one = wire.request("tools/list", json!({})).await;
    let (each, mut asked) = (one.to_string().len(), 0);
    let stuck = Duration::from_secs(60);
    while asked * each < MOST {
        let sent = tokio::time::timeout(stuck, wire.send("tools/list", json!({})));
        if sent.await.is_err() {
            break;
        }
        asked += 1;
    }
    assert!(asked * each < MOST, "{asked} answers of {each} bytes wait");
    for _ in 0..asked {
        let answer = wire.next().await.unwrap();
        let refused = answer["error"]["code"] == -32600;
        assert!(refused || answer["result"]["tools"].is_array(), "{answer}");
    }
}

#[tokio::test]
async fn requests_at_work_are_bounded() {
    let (_, server) = quiet();
    let mut wire = Wire::legacy(server).await;
    let wait = || json!({"name": "note_wait", "arguments": {}});
    let first = wire.send("tools/call", wait()).await;
    for _ in 1..4_096 {
        wire.send("tools/call", wait()).await;
    }
    let one_more = wire.send("ping", json!({})).await;
    let refused = wire.answer_to(one_more).await;
    assert_eq!(refused["error"]["code"], -32600, "{refused}");
    wire.notify("notifications/cancelled", json!({"requestId": first}))
        .await;
    wire.assert_alive().await;
}

#[tokio::test]
async fn the_end_of_input_is_no_error_however_early() {
    let (board, server) = quiet();
    Wire::open(server).close().await.unwrap();
    assert!(board.shut_down.load(Ordering::SeqCst));

    let (_, server) = quiet();
    let mut wire = Wire::modern(server).await;
    wire.request("server/discover", json!({})).await;
    wire.close().await.unwrap();

    let (_, server) = quiet();
    let mut wire = Wire::legacy(server).await;
    wire.assert_alive().await;
    wire.close().await.unwrap();
}

#[tokio::test]
async fn short_calls_just_before_the_end_of_input_are_done_and_answered() {
    let (board, server) = quiet();
    let mut wire = Wire::legacy(server).await;
    for _ in 0..20 {
        wire.send(
            "tools/call",
            json!({"name": "note_add", "arguments": {"title": "last"}}),
        )
        .await;
    }
    wire.close().await.unwrap();
    assert_eq!(board.added.load(Ordering::SeqCst), 20);
}

#[tokio::test(start_paused = true)]
async fn running_calls_end_with_the_input_within_a_second() {
    for stubborn in [false, true] {
        let (board, server) = quiet();
        let mut wire = Wire::legacy(server).await;
        let arguments = json!({"stubborn": stubborn});
        wire.send(
            "tools/call",
            json!({"name": "note_wait", "arguments": arguments}),
        )
        .await;
        board.waiting.notified().await;
        let began = tokio::time::Instant::now();
        wire.close().await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(1));
        assert_eq!(board.saw_cancel.load(Ordering::SeqCst), !stubborn);
        assert!(board.was_dropped.load(Ordering::SeqCst));
        assert!(board.shut_down.load(Ordering::SeqCst));
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_hangs_is_left_behind() {
    let (_, server) = quiet();
    let server = server.on_shutdown(|_| std::future::pending());
    let wire = Wire::legacy(server).await;
    let began = tokio::time::Instant::now();
    wire.close().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1));
}
