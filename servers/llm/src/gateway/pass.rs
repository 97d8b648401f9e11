//! A question to a provider that speaks the client's own protocol: the bytes of both pass as they are, but for the
//! model's name in the question.

use bytes::{Bytes, BytesMut};
use callboard_mcp::http::Sent;
use callboard_routing::engine::{CallError, Passed, Passing, What};
use callboard_routing::failure::Failure;
use callboard_routing::wire::Wire;
use futures_util::stream;
use http::{HeaderValue, Response, StatusCode, header};
use tokio_util::sync::CancellationToken;

use super::chat::Question;
use super::refuse::{Speech, ended};
use super::{Gateway, headers, who};

/// Asks, and hands the answer on.
///
/// # Errors
/// When nobody answered.
pub(super) async fn ask(
    gateway: &Gateway,
    question: &Question,
    wire: Wire,
    what: What,
) -> Result<Response<Sent>, CallError> {
    let passing = passing(question, wire, what)?;
    let passed = tokio::select! {
        passed = gateway.router.pass(passing) => passed?,
        () = question.asked.ending.cancelled() => return Err(failed(ended())),
    };
    hand_on(question, passed).await
}

/// The question as it goes to a provider of the client's own protocol.
pub(super) fn passing(question: &Question, wire: Wire, what: What) -> Result<Passing, CallError> {
    let asked = &question.asked;
    let path = match (wire, what) {
        (Wire::Anthropic, _) => "/v1/messages",
        (_, What::Embeddings) => "/embeddings",
        _ => "/chat/completions",
    };
    let passing = Passing::new(wire, path, asked.body.to_vec());
    let mut passing = passing.map_err(|unfit| failed(unfit.into()))?;
    passing.headers = headers::upwards(wire, &asked.head.headers);
    passing.what = what;
    passing.target = question.target.clone();
    passing.terms = question.terms.clone();
    passing.who = who::who(asked);
    Ok(passing)
}

/// Hands an answer on.
pub(super) async fn hand_on(
    question: &Question,
    passed: Passed,
) -> Result<Response<Sent>, CallError> {
    let streams = passed.streams();
    let mut answer = Response::new(Sent::whole(Bytes::new()));
    *answer.status_mut() = StatusCode::from_u16(passed.head.status).unwrap_or(StatusCode::OK);
    headers::downwards(&passed.head.headers, answer.headers_mut());
    let no_store = HeaderValue::from_static("no-store");
    answer.headers_mut().insert(header::CACHE_CONTROL, no_store);
    let handing = Handing {
        passed,
        speech: question.speech,
        ending: question.asked.ending.clone(),
        over: false,
    };
    if streams {
        return Ok(answer.map(|_| handing.stream()));
    }
    let body = handing.whole().await.map_err(failed)?;
    Ok(answer.map(|_| Sent::whole(body)))
}

pub(super) fn failed(failure: Failure) -> CallError {
    CallError::Failed {
        failure,
        hops: Vec::new(),
    }
}

/// An answer on its way through. Dropping it closes the connection to the provider.
struct Handing {
    passed: Passed,
    speech: Speech,
    ending: CancellationToken,
    over: bool,
}

impl Handing {
    async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        tokio::select! {
            next = self.passed.chunk() => next,
            () = self.ending.cancelled() => Some(Err(ended())),
        }
    }

    async fn whole(mut self) -> Result<Bytes, Failure> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next().await {
            whole.extend_from_slice(&piece?);
        }
        Ok(whole.freeze())
    }

    /// What breaks off is told in the place of the rest.
    fn stream(self) -> Sent {
        Sent::stream(stream::unfold(self, |mut handing| async move {
            if handing.over {
                return None;
            }
            let piece = match handing.next().await? {
                Ok(piece) => piece,
                Err(failure) => {
                    handing.over = true;
                    handing.speech.in_band(&failure)
                }
            };
            Some((piece, handing))
        }))
    }
}
