//! Several messages at once: taken in the one revision that has them, on every transport, and in no other.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fixture;

use std::collections::BTreeMap;
use std::sync::Arc;

use callboard_telemetry::CallLog;
use fixture::web::{Exchange, Web};
use fixture::{Board, Wire, server};
use serde_json::{Value, json};

const BATCHED: &str = "2025-03-26";

fn initialize(revision: &str) -> Value {
    let params = json!({"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
}

fn initialized() -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/initialized"})
}

fn add(id: u64) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "note_add", "arguments": {"title": format!("t{id}")}}})
}

/// Two calls, a notification, what is no message, a method nobody knows and what may not be here.
fn batch() -> Value {
    json!([
        add(1),
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 99}},
        7,
        {"jsonrpc": "2.0", "id": 3, "method": "no/such"},
        {"jsonrpc": "2.0", "id": 4, "method": "initialize", "params": initialize(BATCHED)["params"]},
        add(2),
    ])
}

/// Whether these are the answers to [`batch`].
fn are_all(answers: &[Value]) {
    let of: BTreeMap<String, &Value> = answers
        .iter()
        .map(|answer| (answer["id"].to_string(), answer))
        .collect();
    assert_eq!((answers.len(), of.len()), (5, 5), "{answers:?}");
    for id in ["1", "2"] {
        assert_eq!(of[id]["result"]["isError"], false, "{answers:?}");
    }
    assert_eq!(of["3"]["error"]["code"], -32601, "{answers:?}");
    for id in ["null", "4"] {
        assert_eq!(of[id]["error"]["code"], -32600, "{answers:?}");
    }
}

async fn wire(revision: &str) -> Wire {
    let board = Arc::new(Board::default());
    let mut wire = Wire::open(server(&board, CallLog::disabled()));
    wire.line(&initialize(revision).to_string()).await;
    let begun = wire.next().await.unwrap();
    assert_eq!(begun["result"]["protocolVersion"], revision, "{begun}");
    wire.line(&initialized().to_string()).await;
    wire
}

#[tokio::test]
async fn standard_input_takes_them() {
    let mut wire = wire(BATCHED).await;
    wire.line(&batch().to_string()).await;
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(wire.next().await.unwrap());
    }
    are_all(&answers);
    for odd in [json!([]), json!(vec![add(5); 101])] {
        wire.line(&odd.to_string()).await;
        let refused = wire.next().await.unwrap();
        assert_eq!(refused["error"]["code"], -32600, "{refused}");
        assert_eq!(refused["id"], Value::Null);
    }
    wire.close().await.unwrap();
}

#[tokio::test]
async fn no_other_revision_has_them() {
    for revision in ["2024-11-05", "2025-06-18", "2025-11-25"] {
        let mut wire = wire(revision).await;
        wire.line(&batch().to_string()).await;
        let refused = wire.next().await.unwrap();
        assert_eq!(refused["error"]["code"], -32600, "{refused}");
        wire.close().await.unwrap();

        let web = Web::plain().await;
        let session = session(&web, revision).await;
        let headers = [("mcp-session-id", session.as_str())];
        let mut refused = web.post("ann", &headers, &batch()).await;
        assert_eq!(refused.status, 400, "{revision}");
        assert_eq!(refused.json().await["error"]["code"], -32600);
        web.end().await.unwrap();
    }
}

async fn session(web: &Web, revision: &str) -> String {
    let mut begun = web.post("ann", &[], &initialize(revision)).await;
    let answer = begun.message().await.unwrap();
    assert_eq!(answer["result"]["protocolVersion"], revision, "{answer}");
    let session = begun.header("mcp-session-id").unwrap().to_owned();
    let headers = [("mcp-session-id", session.as_str())];
    let told = web.post("ann", &headers, &initialized()).await;
    assert_eq!(told.status, 202);
    session
}

#[tokio::test]
async fn streamable_http_answers_them_on_one_stream() {
    let web = Web::plain().await;
    let session = session(&web, BATCHED).await;
    let headers = [
        ("mcp-session-id", session.as_str()),
        ("x-request-id", "abc-1"),
    ];
    let mut stream = web.post("ann", &headers, &batch()).await;
    assert_eq!(stream.status, 200);
    let mut answers = Vec::new();
    while let Some(message) = stream.message().await {
        answers.push(message);
    }
    are_all(&answers);
    for refused in answers
        .iter()
        .filter(|answer| answer.get("error").is_some())
    {
        assert_eq!(refused["error"]["data"]["requestId"], "abc-1", "{refused}");
    }
    let only_told = json!([initialized(), initialized()]);
    assert_eq!(web.post("ann", &headers, &only_told).await.status, 202);
    let mut refused = web.post("ann", &headers, &json!([])).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json().await["error"]["data"]["requestId"], "abc-1");
    // Somebody else's session is none of the viewer's, batch or not.
    let foreign = web.post("viewer", &headers, &batch()).await;
    assert_eq!(foreign.status, 404);
    // Without a session there is no revision that has them.
    assert_eq!(web.post("ann", &[], &batch()).await.status, 400);
    web.end().await.unwrap();
}

#[tokio::test]
async fn the_older_transport_answers_them_on_its_stream() {
    let web = Web::plain().await;
    let bearer = [("authorization", "Bearer ann")];
    let mut stream = web.send("GET", "/fixture/sse", &bearer, "").await;
    let event = stream.event().await.unwrap();
    let endpoint = event.split("data: ").nth(1).unwrap().trim().to_owned();
    let headers = [bearer[0], ("content-type", "application/json")];
    let tell = async |message: Value| -> Exchange {
        web.send("POST", &endpoint, &headers, &message.to_string())
            .await
    };
    assert_eq!(tell(initialize(BATCHED)).await.status, 202);
    let begun = stream.message().await.unwrap();
    assert_eq!(begun["result"]["protocolVersion"], BATCHED, "{begun}");
    assert_eq!(tell(initialized()).await.status, 202);
    assert_eq!(tell(batch()).await.status, 202);
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(stream.message().await.unwrap());
    }
    are_all(&answers);
    drop(stream);
    web.end().await.unwrap();
}
