//! Several messages at once: taken in the one revision that has them, on every transport, and in no other.

use std::collections::BTreeMap;

use crate::fixture::web::Web;
use crate::fixture::{Wire, initialize, initialized, quiet};
use serde_json::{Value, json};

const BATCHED: &str = "2025-03-26";

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
        {"jsonrpc": "2.0", "id": 4, "method": "initialize", "params": initialize(BATCHED, &json!({}))["params"]},
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
    let mut wire = Wire::open(quiet().1);
    wire.line(&initialize(revision, &json!({})).to_string())
        .await;
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
        let session = web.session_of("ann", revision).await;
        let headers = [("mcp-session-id", session.as_str())];
        let mut refused = web.post("ann", &headers, &batch()).await;
        assert_eq!(refused.status, 400, "{revision}");
        assert_eq!(refused.json().await["error"]["code"], -32600);
        web.end().await.unwrap();
    }
}

#[tokio::test]
async fn streamable_http_answers_them_on_one_stream() {
    let web = Web::plain().await;
    let session = web.session_of("ann", BATCHED).await;
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
    let mut older = web.listen("ann").await;
    older.tell(&initialize(BATCHED, &json!({}))).await;
    let begun = older.stream.message().await.unwrap();
    assert_eq!(begun["result"]["protocolVersion"], BATCHED, "{begun}");
    older.tell(&initialized()).await;
    older.tell(&batch()).await;
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(older.stream.message().await.unwrap());
    }
    are_all(&answers);
    drop(older);
    web.end().await.unwrap();
}
