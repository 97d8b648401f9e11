//! A call that ends its stream in the middle (SEP-1699): who is sent away, and that nothing is lost by it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::fixture::web::{Exchange, Web};
use crate::fixture::{Board, Wire, server};
use callboard_mcp::http::Limits;
use callboard_mcp::{CallContext, Effect, NoParams, Render, Role, Server, Tool, ToolError};
use callboard_telemetry::CallLog;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

const RETRY: Duration = Duration::from_millis(70);

#[derive(Serialize, JsonSchema)]
struct NoteSent {
    /// Whether the stream was ended.
    away: bool,
    /// Whether it was, a second time.
    again: bool,
}

impl Render for NoteSent {
    fn text(&self) -> String {
        format!("away: {}, again: {}", self.away, self.again)
    }
}

/// Ends its stream, then waits until the test lets it go on.
struct NoteAway;

impl Tool<Board> for NoteAway {
    const NAME: &'static str = "note_away";
    const TITLE: &'static str = "Away";
    const DESCRIPTION: &'static str = "Ends its stream before it answers.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;
    type Params = NoParams;
    type Output = NoteSent;

    async fn call(board: Arc<Board>, _: NoParams, ctx: CallContext) -> Result<NoteSent, ToolError> {
        let away = ctx.close_stream(RETRY);
        let again = ctx.close_stream(RETRY);
        board.waiting.notify_one();
        tokio::select! {
            () = board.over.notified() => Ok(NoteSent { away, again }),
            () = ctx.cancelled() => {
                board.saw_cancel.store(true, Ordering::SeqCst);
                Err(ToolError::cancelled())
            }
        }
    }
}

fn with_away(server: Server<Board>) -> Server<Board> {
    server.tool::<NoteAway>()
}

/// The id of the last event of a stream that has ended, and how long it says to stay away.
async fn sent_away(stream: &mut Exchange) -> (String, u64) {
    let (mut id, mut retry) = (None, None);
    while let Some(event) = stream.event().await {
        for line in event.lines() {
            if let Some(of) = line.strip_prefix("id: ") {
                id = Some(of.to_owned());
            } else if let Some(of) = line.strip_prefix("retry: ") {
                retry = Some(of.parse().unwrap());
            }
        }
        assert!(!event.contains("jsonrpc"), "{event}");
    }
    (id.unwrap(), retry.unwrap())
}

#[tokio::test]
async fn the_answer_waits_for_a_client_that_comes_back() {
    let web = Web::with(Limits::default(), with_away).await;
    let session = web.session("ann").await;
    for late in [false, true] {
        let id = u64::from(late) + 1;
        let mut stream = web.call("ann", &session, id, "note_away", json!({})).await;
        let (last, retry) = sent_away(&mut stream).await;
        assert_eq!(retry, RETRY.as_millis() as u64);
        assert_eq!(web.load.calls(), 1, "the call goes on");
        let answer = if late {
            let mut rest = web.come_back(&session, &last).await;
            assert_eq!(rest.status, 200);
            web.board.over.notify_one();
            rest.message().await
        } else {
            // The answer is there before its client is.
            web.board.over.notify_one();
            web.until("the call is over", |web| web.load.calls() == 0)
                .await;
            web.come_back(&session, &last).await.message().await
        };
        let answer = answer.unwrap();
        assert_eq!(answer["id"], id, "{answer}");
        let told = &answer["result"]["structuredContent"];
        assert_eq!(told, &json!({"away": true, "again": false}));
    }
    web.end().await.unwrap();
}

#[tokio::test]
async fn a_client_that_never_comes_back_has_given_the_call_up() {
    let limits = Limits {
        resume_within: Duration::from_millis(30),
        ..Limits::default()
    };
    let web = Web::with(limits, with_away).await;
    let session = web.session("ann").await;
    let mut stream = web.call("ann", &session, 1, "note_away", json!({})).await;
    sent_away(&mut stream).await;
    web.until("the call is given up", |web| {
        web.board.saw_cancel.load(Ordering::SeqCst)
    })
    .await;
    web.end().await.unwrap();
}

fn stayed(answer: &Value) {
    let told = &answer["result"]["structuredContent"];
    assert_eq!(told, &json!({"away": false, "again": false}), "{answer}");
}

#[tokio::test]
async fn nobody_is_sent_away_who_could_not_come_back() {
    // No session since 2026-07-28; before 2025-11-25 nobody expects it.
    let web = Web::with(Limits::default(), with_away).await;
    web.board.over.notify_one();
    let mut modern = web.call_modern("ann", 1, "note_away", json!({})).await;
    stayed(&modern.message().await.unwrap());
    let session = web.session_of("ann", "2025-06-18").await;
    web.board.over.notify_one();
    let mut older = web.call("ann", &session, 1, "note_away", json!({})).await;
    stayed(&older.message().await.unwrap());
    web.end().await.unwrap();

    for modern in [false, true] {
        let board = Arc::new(Board::default());
        let mut wire = Wire::era(modern, with_away(server(&board, CallLog::disabled()))).await;
        board.over.notify_one();
        let call = json!({"name": "note_away", "arguments": {}});
        stayed(&wire.request("tools/call", call).await);
        wire.close().await.unwrap();
    }
}
