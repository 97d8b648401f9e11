//! Sessions over HTTP: whose they are, what a broken stream means, and that nothing stays behind.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::fixture::web::{Exchange, Web, call};
use crate::fixture::{Board, initialize, initialized};
use callboard_mcp::http::Limits;
use callboard_mcp::{CallContext, Effect, Level, NoParams, Render, Role, Server, Tool, ToolError};
use callboard_tests::response::message;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

fn quick() -> Limits {
    Limits {
        resume_within: Duration::from_millis(150),
        ..Limits::default()
    }
}

/// Adds a note in a session, which works.
async fn add(web: &Web, token: &str, session: &str) {
    let answer = web
        .call(token, session, 1, "note_add", json!({"title": "x"}))
        .await
        .message()
        .await;
    assert_eq!(answer.unwrap()["result"]["isError"], false);
}

/// What somebody sends who listens to a session's common stream.
fn listening(session: &str) -> [(&'static str, &str); 3] {
    [
        ("authorization", "Bearer ann"),
        ("accept", "text/event-stream"),
        ("mcp-session-id", session),
    ]
}

async fn delete(web: &Web, session: &str) {
    let gone = [("authorization", "Bearer ann"), ("mcp-session-id", session)];
    let deleted = web.send("DELETE", "/fixture/mcp", &gone, "").await;
    assert_eq!(deleted.status, 202);
}

#[tokio::test]
async fn the_older_transport_answers_on_its_one_stream() {
    let web = Web::plain().await;
    let mut older = web.older("ann").await;
    for id in 1..=3 {
        older.call(id, "note_add", json!({"title": "x"})).await;
        let answer = older.stream.message().await.unwrap();
        assert_eq!(answer["id"], id);
        assert_eq!(answer["result"]["isError"], false, "{answer}");
    }
    // One that nobody knows, and one that is in use.
    older.request(4, "nope", json!({})).await;
    let unknown = older.stream.message().await.unwrap();
    assert_eq!(unknown["error"]["code"], -32601);
    older.call(5, "note_wait", json!({})).await;
    web.board.waiting.notified().await;
    older.call(5, "note_add", json!({"title": "x"})).await;
    let again = older.stream.message().await.unwrap();
    assert_eq!(again["error"]["code"], -32600);
    assert!(again["error"]["data"]["requestId"].is_string(), "{again}");
    drop(older);
    web.until_empty().await;
    web.end().await.unwrap();
}

#[tokio::test]
async fn messages_before_a_session_do_no_harm() {
    let web = Web::plain().await;
    let mut older = web.listen("ann").await;
    older.tell(&initialized()).await;
    older.request(1, "nope", json!({})).await;
    let unknown = older.stream.message().await.unwrap();
    assert_eq!(unknown["error"]["code"], -32601);
    older.request(2, "ping", json!({})).await;
    assert_eq!(older.stream.message().await.unwrap()["id"], 2);
    drop(older);
    web.until_empty().await;
    web.end().await.unwrap();
}

#[tokio::test]
async fn a_session_is_unknown_to_everybody_else() {
    let web = Web::plain().await;
    let session = web.session("ann").await;
    let older = web.older("ann").await;
    let mut unknown = web
        .call("bob", "s_0000", 1, "note_add", json!({"title": "x"}))
        .await;
    let mut foreign = web
        .call("bob", &session, 1, "note_add", json!({"title": "x"}))
        .await;
    assert_eq!((unknown.status, foreign.status), (404, 404));
    let (unknown, foreign) = (unknown.json().await, foreign.json().await);
    assert_eq!(unknown["error"]["code"], foreign["error"]["code"]);
    assert_eq!(unknown["error"]["message"], foreign["error"]["message"]);
    let bob = [
        ("authorization", "Bearer bob"),
        ("mcp-session-id", session.as_str()),
        ("accept", "text/event-stream"),
    ];
    for method in ["GET", "DELETE"] {
        assert_eq!(
            web.send(method, "/fixture/mcp", &bob, "").await.status,
            404,
            "{method}"
        );
    }
    let foreign = web
        .send(
            "POST",
            &older.endpoint,
            &bob[..1],
            &call(1, "note_add", json!({"title": "x"})).to_string(),
        )
        .await;
    assert_eq!(foreign.status, 404);
    assert_eq!(web.gate.turned_away.lock().unwrap().as_slice(), [404; 4]);
    assert_eq!(web.board.added.load(Ordering::SeqCst), 0);
    // It still is ann's.
    add(&web, "ann", &session).await;
    drop(older);
    web.end().await.unwrap();
}

#[tokio::test]
async fn hanging_up_cancels_the_call_of_the_newer_era() {
    let web = Web::plain().await;
    let mut waiting = Exchange::connect(web.address).await;
    let (headers, body) = crate::fixture::web::modern(1, "note_wait", json!({}));
    let mut headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    headers.extend([
        ("authorization", "Bearer ann"),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ]);
    waiting
        .request("POST", "/fixture/mcp", &headers, &body.to_string())
        .await;
    web.board.waiting.notified().await;
    drop(waiting);
    web.board.over.notified().await;
    assert!(web.board.saw_cancel.load(Ordering::SeqCst));
    web.until_empty().await;
    web.end().await.unwrap();
}

#[tokio::test]
async fn a_broken_stream_that_nobody_resumes_cancels_its_call() {
    let web = Web::open(quick()).await;
    let session = web.session("ann").await;
    let waiting = web.call("ann", &session, 1, "note_wait", json!({})).await;
    web.board.waiting.notified().await;
    drop(waiting);
    web.board.over.notified().await;
    assert!(web.board.saw_cancel.load(Ordering::SeqCst));
    delete(&web, &session).await;
    web.until_empty().await;
    web.end().await.unwrap();
}

#[tokio::test]
async fn a_stream_that_is_resumed_gets_the_rest() {
    let web = Web::plain().await;
    let session = web.session("ann").await;
    let count = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "note_count", "arguments": {}, "_meta": {"progressToken": 1}}});
    let mut stream = web
        .post("ann", &[("mcp-session-id", &session)], &count)
        .await;
    let mut last = String::new();
    while !last.contains("notifications/progress") {
        last = stream.event().await.unwrap();
    }
    drop(stream);
    let id = last
        .lines()
        .find_map(|line| line.strip_prefix("id: "))
        .unwrap();
    let step = progress_of(&last);
    let mut rest = web.come_back(&session, id).await;
    assert_eq!(rest.status, 200);
    let mut steps = Vec::new();
    while let Some(message) = rest.message().await {
        steps.push(message);
    }
    let answer = steps.pop().unwrap();
    assert_eq!(
        answer["result"]["structuredContent"]["steps"], 5,
        "{answer}"
    );
    let steps: Vec<u64> = steps
        .iter()
        .map(|step| step["params"]["progress"].as_f64().unwrap() as u64)
        .collect();
    assert!(
        !steps.is_empty() && steps.iter().all(|next| *next > step),
        "after {step}: {steps:?}"
    );
    web.end().await.unwrap();
}

fn progress_of(event: &str) -> u64 {
    let message = message(event).unwrap();
    message["params"]["progress"].as_f64().unwrap() as u64
}

#[tokio::test]
async fn closing_the_older_transports_stream_cancels_all_its_calls() {
    let web = Web::plain().await;
    let older = web.older("ann").await;
    for id in 1..=3 {
        older.call(id, "note_wait", json!({})).await;
    }
    web.until("three calls at work", |web| web.load.calls() == 3)
        .await;
    drop(older);
    web.until_empty().await;
    assert!(web.board.saw_cancel.load(Ordering::SeqCst));
    web.end().await.unwrap();
}

#[tokio::test]
async fn a_client_can_cancel_a_call_and_delete_its_session() {
    let web = Web::plain().await;
    let session = web.session("ann").await;
    let mut waiting = web.call("ann", &session, 1, "note_wait", json!({})).await;
    web.board.waiting.notified().await;
    let cancel =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    assert_eq!(
        web.post("ann", &[("mcp-session-id", &session)], &cancel)
            .await
            .status,
        202
    );
    web.board.over.notified().await;
    assert_eq!(
        waiting.message().await,
        None,
        "a cancelled call has no answer, and its stream ends"
    );
    let _stubborn = web
        .call("ann", &session, 2, "note_wait", json!({"stubborn": true}))
        .await;
    web.board.waiting.notified().await;
    delete(&web, &session).await;
    web.board.over.notified().await;
    assert!(web.board.was_dropped.load(Ordering::SeqCst));
    assert_eq!(
        web.call("ann", &session, 3, "note_wait", json!({}))
            .await
            .status,
        404
    );
    web.end().await.unwrap();
}

#[tokio::test]
async fn an_id_at_work_is_not_taken_twice() {
    let web = Web::plain().await;
    let session = web.session("ann").await;
    let _waiting = web.call("ann", &session, 1, "note_wait", json!({})).await;
    web.board.waiting.notified().await;
    let again = web
        .call("ann", &session, 1, "note_add", json!({"title": "x"}))
        .await
        .message()
        .await
        .unwrap();
    assert_eq!(again["error"]["code"], -32600);
    assert!(again["error"]["data"]["requestId"].is_string(), "{again}");
    web.end().await.unwrap();
}

#[tokio::test]
async fn sessions_are_counted_and_idle_ones_end() {
    let limits = Limits {
        sessions: 3,
        sessions_per_caller: 2,
        session_idle: Duration::from_millis(400),
        ..Limits::default()
    };
    let web = Web::open(limits).await;
    let begin = initialize("2025-11-25", &json!({}));
    let used = web.session("ann").await;
    let stream = web.send("GET", "/fixture/mcp", &listening(&used), "").await;
    assert_eq!(stream.status, 200);
    web.session("ann").await;
    let mut refused = web.post("ann", &[], &begin).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json().await["error"]["data"]["kind"], "limit");
    drop(refused);
    web.session("bob").await;
    assert_eq!(web.post("bob", &[], &begin).await.status, 429);
    // Those that nobody uses end; the one somebody listens to does not.
    web.until("idle sessions end", |web| web.load.sessions() == 1)
        .await;
    add(&web, "ann", &used).await;
    drop(stream);
    web.until_empty().await;
    web.end().await.unwrap();
}

#[tokio::test]
async fn several_streams_listen_and_none_ends_another() {
    let web = Web::plain().await;
    let session = web.session("ann").await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = web
            .send("GET", "/fixture/mcp", &listening(&session), "")
            .await;
        assert_eq!(stream.status, 200);
        assert!(stream.event().await.is_some());
        streams.push(stream);
    }
    add(&web, "ann", &session).await;
    web.stop.gently();
    for mut stream in streams {
        assert_eq!(stream.event().await, None, "a proper end");
    }
    web.ended().await.unwrap();
}

#[derive(Serialize, JsonSchema)]
struct Said {}

impl Render for Said {
    fn text(&self) -> String {
        "said".to_owned()
    }
}

/// Has more to say than is kept for whoever comes back.
struct NoteLoud;

impl Tool<Board> for NoteLoud {
    const NAME: &'static str = "note_loud";
    const TITLE: &'static str = "Loud";
    const DESCRIPTION: &'static str = "Says a hundred things.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;
    type Params = NoParams;
    type Output = Said;

    async fn call(_: Arc<Board>, _: NoParams, ctx: CallContext) -> Result<Said, ToolError> {
        for n in 1..=100 {
            ctx.log(Level::Info, n).await;
        }
        Ok(Said {})
    }
}

#[tokio::test]
async fn who_comes_back_for_more_than_is_kept_learns_that() {
    let loud = |server: Server<Board>| server.logs().tool::<NoteLoud>();
    let web = Web::with(Limits::default(), loud).await;
    let session = web.session("ann").await;
    let mut stream = web
        .send("GET", "/fixture/mcp", &listening(&session), "")
        .await;
    let said = web
        .call("ann", &session, 1, "note_loud", json!({}))
        .await
        .message()
        .await;
    assert_eq!(said.unwrap()["result"]["isError"], false);
    let mut ids = Vec::new();
    while ids.len() < 100 {
        let event = stream.event().await.unwrap();
        let id = event.lines().find_map(|line| line.strip_prefix("id: "));
        // The stream begins with an event that says nothing.
        ids.extend(id.filter(|_| message(&event).is_some()).map(str::to_owned));
    }
    drop(stream);
    let mut refused = web.come_back(&session, &ids[10]).await;
    assert_eq!(refused.status, 404);
    let refused = refused.json().await;
    assert_eq!(refused["error"]["code"], -32_001, "{refused}");
    let hint = refused["error"]["data"]["hint"].as_str().unwrap();
    assert!(hint.contains("initialize"), "{hint}");
    let mut rest = web.come_back(&session, &ids[50]).await;
    assert_eq!(rest.status, 200);
    for n in 52..=100 {
        assert_eq!(rest.message().await.unwrap()["params"]["data"], n);
    }
    web.end().await.unwrap();
}
