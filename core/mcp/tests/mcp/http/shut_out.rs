//! Streams over HTTP whose client may not go on: the calls at work say so before they end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::fixture::web::{Exchange, Web};
use serde_json::json;

/// Streams are asked about each two seconds from their begin: some just before the calls on them, some long after.
const APART: Duration = Duration::from_millis(250);
const STREAMS: u64 = 8;

async fn says_why_and_ends(stream: &mut Exchange, whose: &str) {
    let answer = stream.message().await;
    let answer = answer.unwrap_or_else(|| panic!("{whose} ends without a word"));
    let said = answer.to_string();
    let why = "the door was shut, so note_wait was stopped";
    assert!(
        said.contains("unauthorized") && said.contains(why),
        "{whose}: {said}"
    );
    assert_eq!(stream.message().await, None, "{whose}");
}

#[tokio::test]
async fn calls_on_the_older_transport_say_why_they_end() {
    let web = Web::plain().await;
    let mut open = Vec::new();
    for _ in 0..STREAMS {
        open.push(web.older("ann").await);
        tokio::time::sleep(APART).await;
    }
    for older in &open {
        older.call(1, "note_wait", json!({})).await;
    }
    let all = |web: &Web| web.load.calls() as u64 == STREAMS;
    web.until("all calls at work", all).await;
    web.gate.shut.store(true, Ordering::SeqCst);
    for (number, mut older) in open.into_iter().enumerate() {
        says_why_and_ends(&mut older.stream, &format!("stream {number}")).await;
    }
    web.until_empty().await;
    web.end().await.unwrap();
}

#[tokio::test]
async fn calls_with_a_stream_of_their_own_say_why_they_end() {
    let web = Web::plain().await;
    let session = web.session("ann").await;
    let mut open = Vec::new();
    for id in 1..=STREAMS {
        let call = web.call("ann", &session, id, "note_wait", json!({}));
        open.push(call.await);
        tokio::time::sleep(APART).await;
    }
    let all = |web: &Web| web.load.calls() as u64 == STREAMS;
    web.until("all calls at work", all).await;
    web.gate.shut.store(true, Ordering::SeqCst);
    for (number, mut stream) in open.into_iter().enumerate() {
        says_why_and_ends(&mut stream, &format!("stream {number}")).await;
    }
    web.end().await.unwrap();
}

#[tokio::test]
async fn a_stream_on_which_nobody_waits_ends_without_a_word() {
    let web = Web::plain().await;
    let mut older = web.older("ann").await;
    let session = web.session("ann").await;
    let headers = [
        ("authorization", "Bearer ann"),
        ("accept", "text/event-stream"),
        ("mcp-session-id", session.as_str()),
    ];
    let mut common = web.send("GET", "/fixture/mcp", &headers, "").await;
    assert_eq!(common.status, 200);
    web.gate.shut.store(true, Ordering::SeqCst);
    for stream in [&mut older.stream, &mut common] {
        assert_eq!(stream.message().await, None);
    }
    web.end().await.unwrap();
}
