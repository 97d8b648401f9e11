//! The end of a server over HTTP: calls may end, waits are told, streams are closed, nobody is dropped.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::fixture::web::Web;
use callboard_mcp::http::{EndedAtOnce, Limits};
use serde_json::json;

fn ending(millis: u64) -> Limits {
    Limits {
        ending: Duration::from_millis(millis),
        ..Limits::default()
    }
}

#[tokio::test]
async fn a_running_call_ends_and_is_answered_and_nothing_new_begins() {
    let web = Web::open(ending(30_000)).await;
    let session = web.session("ann").await;
    let mut counting = web.call("ann", &session, 1, "note_count", json!({})).await;
    web.until("the call is at work", |web| web.load.calls() == 1)
        .await;
    web.stop.gently();
    let mut ready = loop {
        let ready = web.get("/ready").await;
        if ready.status == 503 {
            break ready;
        }
    };
    assert_eq!(ready.json().await["not_ready"]["callboard"], "is ending");
    assert_eq!(web.get("/health").await.status, 200);
    let mut refused = web
        .call("ann", &session, 2, "note_add", json!({"title": "x"}))
        .await;
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    let said = refused.json().await;
    assert_eq!(
        (&said["id"], &said["error"]["data"]["kind"]),
        (&json!(2), &json!("unavailable"))
    );
    assert_eq!(
        web.call_modern("ann", 3, "note_add", json!({"title": "x"}))
            .await
            .status,
        503
    );
    let bearer = [("authorization", "Bearer ann")];
    assert_eq!(
        web.send("GET", "/fixture/sse", &bearer, "").await.status,
        503
    );
    let answer = counting.message().await.unwrap();
    assert_eq!(
        answer["result"]["structuredContent"]["steps"], 5,
        "{answer}"
    );
    let board = Arc::clone(&web.board);
    web.ended().await.unwrap();
    assert!(board.shut_down.load(Ordering::SeqCst));
    assert_eq!(board.added.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn waits_are_answered_as_cancelled_on_every_transport() {
    let web = Web::open(ending(50)).await;
    let session = web.session("ann").await;
    let mut old = web.call("ann", &session, 1, "note_wait", json!({})).await;
    let mut older = web.older("ann").await;
    older.call(1, "note_wait", json!({"stubborn": true})).await;
    let (headers, call) = crate::fixture::web::modern(1, "note_wait", json!({}));
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let asking = web.post("ann", &headers, &call);
    let ending = async {
        web.until("three calls at work", |web| web.load.calls() == 3)
            .await;
        web.stop.gently();
    };
    let (mut new, ()) = tokio::join!(asking, ending);
    for exchange in [&mut old, &mut new, &mut older.stream] {
        let answer = exchange.message().await.expect("dropped silently");
        let text = answer["result"]["content"][0]["text"].as_str().unwrap();
        assert!(
            text.starts_with("cancelled: the server is ending"),
            "{text}"
        );
        assert_eq!(exchange.event().await, None, "a proper end");
    }
    web.ended().await.unwrap();
}

#[tokio::test]
async fn the_second_word_ends_at_once() {
    let web = Web::open(ending(60_000)).await;
    let session = web.session("ann").await;
    let _waiting = web
        .call("ann", &session, 1, "note_wait", json!({"stubborn": true}))
        .await;
    web.board.waiting.notified().await;
    web.stop.at_once();
    assert_eq!(web.ended().await, Err(EndedAtOnce { calls: 1 }));
}

#[tokio::test]
async fn an_idle_server_ends_whatever_is_connected() {
    let web = Web::plain().await;
    let _idle = web.get("/health").await;
    let session = web.session("ann").await;
    let listen = [
        ("authorization", "Bearer ann"),
        ("accept", "text/event-stream"),
        ("mcp-session-id", session.as_str()),
    ];
    let mut stream = web.send("GET", "/fixture/mcp", &listen, "").await;
    assert!(stream.event().await.is_some());
    web.stop.gently();
    assert_eq!(stream.event().await, None);
    web.ended().await.unwrap();
}
