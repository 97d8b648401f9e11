//! Tools and prompts that come and go while the server runs: the lists, the calls, and who is told.

use std::sync::Arc;

use crate::fixture::web::{Exchange, Web};
use crate::fixture::{Board, Wire, server};
use callboard_mcp::Offers;
use callboard_mcp::http::Limits;
use callboard_telemetry::CallLog;
use serde_json::{Value, json};

const TOOLS: &str = "notifications/tools/list_changed";
const PROMPTS: &str = "notifications/prompts/list_changed";
const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

async fn wire(modern: bool, offers: &Offers) -> Wire {
    let board = Arc::new(Board::default());
    let server = server(&board, CallLog::disabled());
    Wire::era(modern, server.offers(offers.clone())).await
}

async fn names(wire: &mut Wire, list: &str) -> Vec<String> {
    let answer = wire.request(&format!("{list}/list"), json!({})).await;
    let listed = answer["result"][list].as_array().unwrap();
    let name = |one: &Value| one["name"].as_str().unwrap().to_owned();
    listed.iter().map(name).collect()
}

async fn unknown(wire: &mut Wire, method: &str, name: &str) -> String {
    let answer = wire.request(method, json!({"name": name})).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    answer["error"]["message"].as_str().unwrap().to_owned()
}

fn listen(wanted: Value) -> Value {
    json!({"notifications": wanted})
}

#[tokio::test]
async fn what_is_not_on_offer_is_neither_listed_nor_called() {
    for modern in [false, true] {
        let offers = Offers::new();
        let mut wire = wire(modern, &offers).await;
        let all = names(&mut wire, "tools").await;
        assert!(offers.tool("note_add", false) && offers.prompt("sum_up", false));
        assert!(!offers.tool("note_add", false), "it was so already");
        let fewer = names(&mut wire, "tools").await;
        assert_eq!(fewer, all[1..]);
        assert!(names(&mut wire, "prompts").await.is_empty());
        let told = unknown(&mut wire, "tools/call", "note_add").await;
        assert!(
            told.contains(&fewer.join(", ")) && !told.contains("note_add,"),
            "{told}"
        );
        unknown(&mut wire, "prompts/get", "sum_up").await;
        assert!(offers.tool("note_add", true) && offers.prompt("sum_up", true));
        assert_eq!(names(&mut wire, "tools").await, all);
        assert_eq!(names(&mut wire, "prompts").await, ["sum_up"]);
        wire.assert_alive().await;
        wire.close().await.unwrap();
    }
}

#[tokio::test]
async fn only_a_server_whose_lists_change_says_so() {
    let board = Arc::new(Board::default());
    let steady = server(&board, CallLog::disabled());
    let changing = server(&board, CallLog::disabled()).offers(Offers::new());
    for (server, says) in [(steady, Value::Null), (changing, json!(true))] {
        let mut wire = Wire::modern(server).await;
        let told = wire.request("server/discover", json!({})).await;
        let able = &told["result"]["capabilities"];
        assert_eq!(able["tools"]["listChanged"], says, "{told}");
        assert_eq!(able["prompts"]["listChanged"], says, "{told}");
        wire.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_older_client_is_told_over_stdio() {
    let offers = Offers::new();
    let mut wire = wire(false, &offers).await;
    // The answer shows that the server knows of the client.
    names(&mut wire, "tools").await;
    for on_offer in [false, true] {
        offers.tool("note_add", on_offer);
        assert_eq!(wire.next().await.unwrap()["method"], TOOLS);
        offers.prompt("sum_up", on_offer);
        assert_eq!(wire.next().await.unwrap()["method"], PROMPTS);
    }
    wire.close().await.unwrap();
}

#[tokio::test]
async fn a_modern_client_is_told_over_stdio_what_it_listens_for() {
    let offers = Offers::new();
    let mut wire = wire(true, &offers).await;
    let wanted = json!({"promptsListChanged": true});
    let stream = wire
        .send("subscriptions/listen", listen(wanted.clone()))
        .await;
    let ready = wire.next().await.unwrap();
    assert_eq!(ready["method"], ACKNOWLEDGED, "{ready}");
    assert_eq!(ready["params"]["notifications"], wanted);
    offers.tool("note_add", false);
    offers.prompt("sum_up", false);
    let told = wire.next().await.unwrap();
    assert_eq!(told["method"], PROMPTS, "{told}");
    let of = &told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"];
    assert_eq!(of, &json!(stream), "{told}");
    wire.close().await.unwrap();
}

#[tokio::test]
async fn an_older_client_is_told_over_http() {
    let offers = Offers::new();
    let told = offers.clone();
    let web = Web::with(Limits::default(), |server| server.offers(told)).await;
    let session = web.session("ann").await;
    let headers = [
        ("authorization", "Bearer ann"),
        ("accept", "text/event-stream"),
        ("mcp-session-id", session.as_str()),
    ];
    let mut stream = web.send("GET", "/fixture/mcp", &headers, "").await;
    offers.tool("note_add", false);
    assert_eq!(stream.message().await.unwrap()["method"], TOOLS);
    offers.prompt("sum_up", false);
    assert_eq!(stream.message().await.unwrap()["method"], PROMPTS);
    drop(stream);
    web.end().await.unwrap();
}

/// A stream of 2026-07-28, past its acknowledgment.
async fn listening(web: &Web, wanted: Value) -> Exchange {
    let mut params = listen(wanted.clone());
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    });
    let method = "subscriptions/listen";
    let request = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", method),
    ];
    let mut stream = web.post("ann", &headers, &request).await;
    let ready = stream.message().await.unwrap();
    assert_eq!(ready["method"], ACKNOWLEDGED, "{ready}");
    assert_eq!(ready["params"]["notifications"], wanted, "{ready}");
    stream
}

#[tokio::test]
async fn a_modern_client_is_told_over_http() {
    let offers = Offers::new();
    let told = offers.clone();
    let web = Web::with(Limits::default(), |server| server.offers(told)).await;
    let mut tools = listening(&web, json!({"toolsListChanged": true})).await;
    let mut prompts = listening(&web, json!({"promptsListChanged": true})).await;
    offers.tool("note_add", false);
    offers.prompt("sum_up", false);
    assert_eq!(tools.message().await.unwrap()["method"], TOOLS);
    assert_eq!(prompts.message().await.unwrap()["method"], PROMPTS);
    drop((tools, prompts));
    web.until_empty().await;
    web.end().await.unwrap();
}
