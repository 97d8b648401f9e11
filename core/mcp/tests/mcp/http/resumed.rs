//! Streams over HTTP that a client comes back to: what it is told again, and when it learns that it can't be.

use std::time::Duration;

use crate::fixture::web::{Exchange, Web};
use callboard_mcp::http::Limits;
use serde_json::json;

/// A call whose stream was written to its end; the ids of its events.
async fn answered(web: &Web, session: &str, id: u64) -> Vec<String> {
    let title = json!({"title": "x"});
    let mut stream = web.call("ann", session, id, "note_add", title).await;
    let mut ids = Vec::new();
    while let Some(event) = stream.event().await {
        let id = event.lines().find_map(|line| line.strip_prefix("id: "));
        ids.extend(id.map(str::to_owned));
    }
    assert!(ids.len() >= 2, "{ids:?}");
    ids
}

async fn is_told_to_begin_anew(mut refused: Exchange, last: &str) {
    assert_eq!(refused.status, 404, "{last:?}");
    let refused = refused.json().await;
    assert_eq!(refused["error"]["code"], -32_001, "{refused}");
    let hint = refused["error"]["data"]["hint"].as_str().unwrap();
    assert!(hint.contains("initialize"), "{hint}");
}

#[tokio::test]
async fn an_answer_that_got_lost_on_its_way_is_told_again() {
    let web = Web::plain().await;
    let session = web.session("ann").await;
    let first = answered(&web, &session, 1).await;
    let second = answered(&web, &session, 2).await;
    // What was written to a connection may never have been read.
    for (id, ids) in [(1, &first), (2, &second), (1, &first)] {
        let mut rest = web.come_back(&session, &ids[0]).await;
        assert_eq!(rest.status, 200);
        let answer = rest.message().await.unwrap();
        assert_eq!(answer["id"], id, "{answer}");
        assert_eq!(answer["result"]["isError"], false, "{answer}");
        assert_eq!(rest.event().await, None, "nothing follows an answer");
    }
    // Whoever has the answer misses nothing.
    let mut rest = web.come_back(&session, first.last().unwrap()).await;
    assert_eq!(rest.status, 200);
    assert_eq!(rest.message().await, None);
    web.end().await.unwrap();
}

#[tokio::test]
async fn an_answer_is_kept_for_a_time_and_then_its_client_learns_that_it_is_gone() {
    let limits = Limits {
        resume_within: Duration::from_millis(100),
        ..Limits::default()
    };
    let web = Web::open(limits).await;
    let session = web.session("ann").await;
    let ids = answered(&web, &session, 1).await;
    let refused = loop {
        let mut rest = web.come_back(&session, &ids[0]).await;
        if rest.status != 200 {
            break rest;
        }
        let answer = rest.message().await;
        assert_eq!(answer.unwrap()["id"], 1, "never an empty stream");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    is_told_to_begin_anew(refused, &ids[0]).await;
    // The session itself is as good as before.
    answered(&web, &session, 2).await;
    web.end().await.unwrap();
}

#[tokio::test]
async fn who_comes_back_for_what_was_never_told_learns_that() {
    let web = Web::plain().await;
    let session = web.session("ann").await;
    let ids = answered(&web, &session, 1).await;
    let line = ids[0].split_once('/').unwrap().1;
    let above = format!("9/{line}");
    for last in [&above, "1/99", "99/0", "abc", "-1", "1/", "", "\u{e9}"] {
        let refused = web.come_back(&session, last).await;
        is_told_to_begin_anew(refused, last).await;
    }
    web.end().await.unwrap();
}
