//! A batch over HTTP: its messages go to the server one by one, their answers come back on one stream.
//!
//! For: sessions that may send batches. Not for: taking a batch apart (`batch`). A stream that broke can be
//! taken up again for one of the requests only, that of the event the client saw last.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, StatusCode};
use http_body::{Body as HttpBody, Frame};
use http_body_util::{BodyExt, Full};
use rmcp::model::ServerJsonRpcMessage;

use super::answer::{self, Answer, Body, code};
use super::mount::Mount;
use super::peek::Peek;
use super::refusals::{not_taken, too_late};
use super::session::{Owner, Session};
use super::{RequestId, events, unfit};
use crate::batch;

/// Whether any of the messages asks for an answer.
pub(super) fn any_request(pieces: &[Vec<u8>]) -> bool {
    let peeks = pieces.iter().filter_map(|piece| Peek::at(piece));
    peeks.into_iter().any(|peek| peek.is_request())
}

/// Answers a batch of Streamable HTTP.
pub(super) async fn streamable(
    mount: &Arc<Mount>,
    head: &Parts,
    owner: &Owner,
    pieces: Vec<Vec<u8>>,
    within: Duration,
) -> Answer {
    let unnamed = RequestId::of(&head.headers);
    let id = RequestId::of_head(head).unwrap_or(&unnamed);
    let mut merged = Merged::default();
    for piece in pieces {
        let message = Peek::at(&piece).and_then(|peek| peek.id);
        let answered = match batch::read(&piece) {
            Ok(None) => continue,
            Err(refusal) => unfit::refused(*refusal, id),
            Ok(Some(_)) => {
                let bytes = Bytes::from(piece.clone());
                let request = Request::from_parts(head.clone(), Full::new(bytes));
                let answering = mount.streamable(request, owner.clone());
                match tokio::time::timeout(within, answering).await {
                    Ok(answered) if answered.status().is_success() => answered,
                    Ok(refused) => unfit::explained(refused, &piece, message, id).await,
                    Err(_) => {
                        let status = StatusCode::GATEWAY_TIMEOUT;
                        answer::error(status, code::INTERNAL, &too_late(), message, id)
                    }
                }
            }
        };
        match answered.status() {
            StatusCode::ACCEPTED => {}
            StatusCode::OK => merged.streams.push_back(answered.into_body()),
            _ => merged.say(answered.into_body()).await,
        }
    }
    if merged.said.is_empty() && merged.streams.is_empty() {
        return unfit::accepted();
    }
    events::answer(merged.boxed())
}

/// Takes a batch of the older transport, whose answers come on the session's stream.
pub(super) fn single(
    mount: &Arc<Mount>,
    session: &Session,
    head: &Parts,
    pieces: Vec<Vec<u8>>,
    id: &RequestId,
) -> Answer {
    for piece in pieces {
        match batch::read(&piece) {
            Ok(None) => {}
            Ok(Some(message)) => {
                if let Err(error) = mount.message(session, message, head.clone()) {
                    return answer::refusal(&not_taken(error), None, id);
                }
            }
            Err(mut refusal) => {
                id.name(&mut refusal.error);
                session.deliver(ServerJsonRpcMessage::error(refusal.error, refusal.id));
            }
        }
    }
    unfit::accepted()
}

/// Streams of events as one: the library puts whole events into each frame.
#[derive(Default)]
struct Merged {
    said: VecDeque<Bytes>,
    streams: VecDeque<Body>,
}

impl Merged {
    /// One message as an event.
    async fn say(&mut self, message: Body) {
        let Ok(message) = message.collect().await;
        let message = String::from_utf8_lossy(&message.to_bytes()).into_owned();
        self.said.push_back(format!("data: {message}\n\n").into());
    }
}

impl HttpBody for Merged {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(event) = self.said.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(event))));
        }
        // Who spoke or was silent goes to the end, so that all get their turn.
        for _ in 0..self.streams.len() {
            let Some(mut stream) = self.streams.pop_front() else {
                break;
            };
            match Pin::new(&mut stream).poll_frame(task) {
                Poll::Ready(Some(frame)) => {
                    self.streams.push_back(stream);
                    return Poll::Ready(Some(frame));
                }
                Poll::Ready(None) => {}
                Poll::Pending => self.streams.push_back(stream),
            }
        }
        if self.streams.is_empty() {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
    }
}
