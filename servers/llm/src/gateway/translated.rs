//! An answer whose provider speaks another protocol than the client, or may.
//!
//! For: writing what any model says in the client's words, whole or as it comes. Not for: choosing the model.

use bytes::Bytes;
use callboard_mcp::http::Sent;
use callboard_routing::chat::Event;
use callboard_routing::engine::{Answering, Ask, CallError, Patience, Wanted};
use callboard_routing::failure::{Failure, FailureKind};
use callboard_routing::gateway::{self, Asked as Read, Stamp};
use callboard_routing::wire::Mode;
use futures_util::stream;
use http::{HeaderValue, Response, StatusCode, header};
use tokio_util::sync::CancellationToken;

use super::chat::Question;
use super::pass::failed;
use super::refuse::ended;
use super::{Gateway, json as answer, who};

/// Asks, and writes the answer in the client's protocol.
///
/// # Errors
/// When nobody answered, or what was said can't be written.
pub(super) async fn ask(
    gateway: &Gateway,
    question: &Question,
    read: &Read,
    target: Wanted,
) -> Result<Response<Sent>, CallError> {
    let asked = &question.asked;
    let ask = Ask {
        // What a client was told can't be taken back.
        patience: Some(Patience {
            restarts: false,
            ..gateway.router.settings().patience
        }),
        terms: question.terms.clone(),
        who: who::who(asked),
        ..Ask::new(read.chat.clone()).to(target)
    };
    let stamp = Stamp {
        id: stamp_id(),
        model: question.named.model.clone(),
        created_s: gateway.clock.now_ms() / 1_000,
    };
    let ending = asked.ending.clone();
    let asking = async {
        match read.mode {
            Mode::Plain => {
                let answered = gateway.router.complete(ask).await?;
                let body = read.reply(&answered.reply, &stamp).map_err(failed)?;
                Ok(answer(StatusCode::OK, body))
            }
            Mode::Stream => {
                let (answering, first) = begin(gateway, ask).await?;
                Ok(events(Telling {
                    answering,
                    writer: read.stream(stamp),
                    ready: Some(first),
                    ending: ending.clone(),
                    over: false,
                }))
            }
        }
    };
    tokio::select! {
        answered = asking => answered,
        () = ending.cancelled() => Err(failed(ended())),
    }
}

/// A stream with its first event, before which a failure still has a status of its own.
async fn begin(gateway: &Gateway, ask: Ask) -> Result<(Answering, Event), CallError> {
    let mut answering = gateway.router.stream(ask).await?;
    match answering.next().await {
        Some(Ok(first)) => Ok((answering, first)),
        Some(Err(failure)) => Err(failed(failure)),
        None => Err(failed(cut())),
    }
}

/// An answer that is being written. Dropping it closes the connection to the provider.
struct Telling {
    answering: Answering,
    writer: gateway::Stream,
    ready: Option<Event>,
    ending: CancellationToken,
    over: bool,
}

impl Telling {
    /// What the client gets next.
    async fn next(&mut self) -> Option<Bytes> {
        let mut out = Vec::new();
        while !self.over && out.is_empty() {
            let event = match self.ready.take() {
                Some(first) => Some(Ok(first)),
                None => tokio::select! {
                    event = self.answering.next() => event,
                    () = self.ending.cancelled() => Some(Err(ended())),
                },
            };
            match event {
                Some(Ok(event)) => self.writer.event(&event, &mut out),
                Some(Err(failure)) => {
                    self.over = true;
                    self.writer.fail(&failure, &mut out);
                }
                None => {
                    self.over = true;
                    self.writer.fail(&cut(), &mut out);
                }
            }
        }
        (!out.is_empty()).then(|| out.into())
    }
}

fn events(telling: Telling) -> Response<Sent> {
    let pieces = stream::unfold(telling, |mut telling| async move {
        let piece = telling.next().await?;
        Some((piece, telling))
    });
    let mut answer = Response::new(Sent::stream(pieces));
    let headers = answer.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn cut() -> Failure {
    Failure::new(
        FailureKind::Truncated,
        "the answer broke off before its end",
    )
}

/// The id of an answer: nobody can guess the next one.
fn stamp_id() -> String {
    let mut bytes = [0_u8; 12];
    if getrandom::fill(&mut bytes).is_err() {
        return "0".to_owned();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
