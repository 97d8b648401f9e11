//! Endpoints beside the servers that are no MCP: bytes in, bytes out.
//!
//! For: a family of paths behind the same gate, names and bounds as the servers, whose owner says what each answer
//! is, refusals included. Not for: pages of text (`page`), or anything that is to be seen without a token.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use callboard_store::actor::{self, Actor};
use futures_util::Stream;
use http::header::{AUTHORIZATION, COOKIE};
use http::request::Parts;
use http::{HeaderName, Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::{self, Answer, Body};
use super::held::hold;
use super::refusals::is_ending;
use super::{Limits, RequestId, weigh};
use crate::call::BoxFuture;
use crate::{Caller, ErrorKind, Refusal, Role, ToolError};

/// Where clients of some protocols show their token instead of in `Authorization`.
pub(crate) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// A family of endpoints.
pub trait Endpoints: Send + Sync + 'static {
    /// What their paths begin with, both slashes included: `/v1/`.
    fn under(&self) -> &'static str;

    /// The methods that the endpoint at `path` takes, as in `Allow`; `None`: there is no such endpoint.
    fn methods(&self, path: &str) -> Option<&'static str>;

    /// Which role opens them to a token that is not made for them.
    fn role(&self) -> Role;

    /// The most bytes of a request's body.
    fn body_bytes(&self) -> usize;

    /// How long until an answer begins, at most.
    fn answer_within(&self) -> Duration;

    /// Says a refusal in the words of the protocol that the client speaks. Headers that belong to its status are added.
    fn refuse(&self, head: &Request<()>, refusal: &Refusal, id: &RequestId) -> Response<Sent>;

    /// Answers a request that was let in. Dropped when the client is gone, and so is the body of the answer.
    fn answer(&self, asked: Asked) -> BoxFuture<'static, Response<Sent>>;
}

/// A request that was let in, whole.
#[derive(Debug)]
pub struct Asked {
    /// Its head, without what was shown to be let in.
    pub head: Parts,
    /// Who asks.
    pub caller: Arc<Caller>,
    /// What it is called in errors and log lines.
    pub id: RequestId,
    /// Its body.
    pub body: Bytes,
    /// Says when the answer has to end, because the process does: about a second before it is cut.
    pub ending: CancellationToken,
}

/// The body of an answer.
pub struct Sent(Body);

impl Sent {
    /// All of it.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Sent(answer::full(bytes))
    }

    /// Piece by piece; the next is asked for when the client has taken those before.
    pub fn stream(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        let pieces = Mutex::new(Box::pin(pieces));
        Sent(Streamed(pieces).boxed())
    }
}

/// The mutex is never locked: it makes of what may be sent what may be shared.
struct Streamed<S>(Mutex<Pin<Box<S>>>);

impl<S: Stream<Item = Bytes>> http_body::Body for Streamed<S> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let pieces = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        pieces
            .as_mut()
            .poll_next(task)
            .map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// What the way of a request lends to these endpoints.
pub(super) struct Lent<'s> {
    pub(super) limits: &'s Limits,
    /// Set when nothing new begins.
    pub(super) is_ending: bool,
    pub(super) exchanges: &'s TaskTracker,
    /// Said when what is under way has to end.
    pub(super) give_up: &'s CancellationToken,
}

/// Says refusals to a client of these endpoints.
#[derive(Clone, Copy)]
pub(super) struct Voice<'r> {
    pub(super) endpoints: &'r dyn Endpoints,
    pub(super) head: &'r Request<()>,
    pub(super) id: &'r RequestId,
}

impl Voice<'_> {
    pub(super) fn say(&self, refusal: &Refusal) -> Answer {
        let error = &refusal.error;
        tracing::info!(status = refusal.status.as_u16(), kind = %error.kind, error = error.message, hint = error.hint, "a request was turned away");
        let mut said = self
            .endpoints
            .refuse(self.head, refusal, self.id)
            .map(|sent| sent.0);
        *said.status_mut() = refusal.status;
        answer::head_of(refusal, said.headers_mut());
        said
    }
}

/// Why a caller who was let in may not use these endpoints.
pub(super) fn closed_to(caller: &Caller, endpoints: &dyn Endpoints) -> Option<Refusal> {
    let role = endpoints.role();
    if caller.grant.is_some() || caller.role >= role {
        return None;
    }
    let error = ToolError::new(
        ErrorKind::Forbidden,
        format!(
            "the token {} is not for {}: it has the role {}",
            caller.name,
            endpoints.under(),
            caller.role
        ),
    )
    .hint(format!(
        "make one with `callboard token add NAME --gateway`, or use one with the role {role}"
    ));
    Some(Refusal::new(StatusCode::FORBIDDEN, "scope", error))
}

/// Why a caller whose token is for such endpoints may not go anywhere else.
pub(super) fn bound_to_endpoints(caller: &Caller) -> Option<Refusal> {
    caller.grant.as_ref()?;
    let error = ToolError::new(
        ErrorKind::Forbidden,
        format!("the token {} opens the gateway only", caller.name),
    )
    .hint("`callboard token add NAME` makes one for the servers");
    Some(Refusal::new(StatusCode::FORBIDDEN, "scope", error))
}

/// Answers a request of a caller who may make it.
pub(super) async fn answer(
    voice: Voice<'_>,
    caller: Arc<Caller>,
    body: &mut Option<Incoming>,
    lent: Lent<'_>,
) -> Answer {
    let Voice {
        endpoints,
        head,
        id,
    } = voice;
    let path = head.uri().path();
    let Some(methods) = endpoints.methods(path) else {
        return voice.say(&nowhere(path));
    };
    if !takes(methods, head.method()) {
        let mut answer = voice.say(&not_that_method(methods));
        answer
            .headers_mut()
            .insert(http::header::ALLOW, http::HeaderValue::from_static(methods));
        return answer;
    }
    if lent.is_ending {
        return voice.say(&is_ending());
    }
    let mut parts = Request::clone(head).into_parts().0;
    let bounds = Limits {
        body_bytes: endpoints.body_bytes(),
        ..lent.limits.clone()
    };
    let body = match weigh::body(&parts, body.take(), &bounds, &|refusal| voice.say(refusal)).await
    {
        Ok(body) => body,
        Err(refused) => return *refused,
    };
    for shown in [AUTHORIZATION, COOKIE, API_KEY] {
        parts.headers.remove(shown);
    }
    let exchange = lent.exchanges.token();
    let actor = actor(&caller, head, id);
    let asked = Asked {
        head: parts,
        caller,
        id: id.clone(),
        body,
        ending: lent.give_up.clone(),
    };
    let answering = actor::scope(Arc::new(actor), endpoints.answer(asked));
    match tokio::time::timeout(endpoints.answer_within(), answering).await {
        // The exchange is over when its last byte is out.
        Ok(answer) => hold(answer.map(|sent| sent.0), exchange),
        Err(_) => voice.say(&Refusal::new(
            StatusCode::GATEWAY_TIMEOUT,
            "late",
            ToolError::new(ErrorKind::Limit, "no answer began in time"),
        )),
    }
}

/// Who is at work, as the audit names them.
fn actor(caller: &Caller, head: &Request<()>, id: &RequestId) -> Actor {
    let action = format!("{} {}", head.method(), head.uri().path());
    Actor {
        token: caller.token.clone(),
        agent: caller.agent.clone(),
        from: caller.from.map(|from| from.to_string()),
        request: Some(id.as_str().to_owned()),
        ..Actor::new(&caller.name, caller.via.as_str(), &action)
    }
}

fn takes(methods: &str, method: &Method) -> bool {
    methods.split(", ").any(|known| known == method.as_str())
}

fn nowhere(path: &str) -> Refusal {
    let path = super::pages::shown(path);
    let error = ToolError::not_found(format!("there is nothing at {path}"));
    Refusal::new(StatusCode::NOT_FOUND, "nowhere", error)
}

fn not_that_method(methods: &str) -> Refusal {
    let error = ToolError::invalid(format!("this takes {methods}"));
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method", error)
}
