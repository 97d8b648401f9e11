//! An answer whose provider speaks another protocol than the client, or may.
//!
//! For: writing what any model says in the client's words, whole or as it comes. Not for: choosing the model.

use bytes::Bytes;
use callboard_mcp::http::Sent;
use callboard_routing::chat::Event;
use callboard_routing::engine::{Answered, Answering, Ask, CallError, Patience};
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
) -> Result<Response<Sent>, CallError> {
    let asked = &question.asked;
    let ask = Ask {
        patience: Some(patience(gateway)),
        terms: question.terms.clone(),
        who: who::who(asked),
        ..Ask::new(read.chat.clone()).to(question.target.clone())
    };
    let asking = async {
        match read.mode {
            Mode::Plain => {
                let answered = gateway.router.complete(ask).await?;
                whole(gateway, question, read, &answered)
            }
            Mode::Stream => {
                let answering = gateway.router.stream(ask).await?;
                begun(gateway, question, read, answering).await
            }
        }
    };
    tokio::select! {
        answered = asking => answered,
        () = asked.ending.cancelled() => Err(failed(ended())),
    }
}

/// What a client was told can't be taken back.
pub(super) fn patience(gateway: &Gateway) -> Patience {
    Patience {
        restarts: false,
        ..gateway.router.settings().patience
    }
}

/// A whole answer in the client's words.
///
/// # Errors
/// When what was said can't be written.
pub(super) fn whole(
    gateway: &Gateway,
    question: &Question,
    read: &Read,
    answered: &Answered,
) -> Result<Response<Sent>, CallError> {
    let body = read.reply(&answered.reply, &stamp(gateway, question));
    Ok(answer(StatusCode::OK, body.map_err(failed)?))
}

/// A stream from its first event on, before which a failure still has a status of its own.
///
/// # Errors
/// Such a failure.
pub(super) async fn begun(
    gateway: &Gateway,
    question: &Question,
    read: &Read,
    mut answering: Answering,
) -> Result<Response<Sent>, CallError> {
    let first = match answering.next().await {
        Some(Ok(first)) => first,
        Some(Err(failure)) => return Err(failed(failure)),
        None => return Err(failed(cut())),
    };
    Ok(events(Telling {
        answering,
        writer: read.stream(stamp(gateway, question)),
        ready: Some(first),
        ending: question.asked.ending.clone(),
        over: false,
    }))
}

fn stamp(gateway: &Gateway, question: &Question) -> Stamp {
    Stamp {
        id: stamp_id(),
        model: question.named.model.clone(),
        created_s: gateway.clock.now_ms() / 1_000,
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

pub(super) fn cut() -> Failure {
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
