//! The way of a request: named, checked, let in, bounded, sent to its server.
//!
//! For: everything that is decided before a server sees a request, in one place and one order. Not for: the
//! transports behind the paths.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::answer::{self, Answer, code};
use super::held::hold;
use super::mount::Mount;
use super::session::{Owner, Quota, Session, SessionError, Style};
use super::{Http, Limits, Names, RequestId, request_id, unfit};
use crate::message::read_line;
use crate::{Arrival, Caller, ErrorKind, Gate, Refusal, ToolError, Via};

const HEADER_SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// What every connection shares.
pub(crate) struct Site {
    gate: Arc<dyn Gate>,
    names: Names,
    pub(crate) limits: Limits,
    pub(crate) mounts: Vec<Arc<dyn Mount>>,
    pub(crate) quota: Arc<Quota>,
    /// Set when the process has been asked to end.
    ending: AtomicBool,
    /// Messages that are being answered, waits and streams excepted.
    pub(crate) exchanges: TaskTracker,
}

/// What a path leads to.
enum Place<'s> {
    Health,
    Ready,
    Streamable(&'s Arc<dyn Mount>),
    /// The stream of the older transport.
    Stream(&'s Arc<dyn Mount>),
    /// Where the messages of the older transport go.
    Message(&'s Arc<dyn Mount>),
    Nowhere,
}

/// What must be known of a message before it goes to its server.
#[derive(Debug, Default, Deserialize)]
struct Peek {
    #[serde(default, deserialize_with = "present")]
    id: Option<Value>,
    #[serde(default)]
    method: Option<String>,
}

/// An id that is there, even if it is `null`.
fn present<'d, D: serde::Deserializer<'d>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

impl Site {
    pub(crate) fn new(http: Http) -> Self {
        let exchanges = TaskTracker::new();
        exchanges.close();
        let limits = http.limits;
        let quota = Quota::new(limits.sessions, limits.sessions_per_caller);
        let mounts = http.mounts.iter().map(|mount| mount(&limits, &quota));
        Site {
            gate: http.gate,
            names: http.names,
            mounts: mounts.collect(),
            quota,
            limits,
            ending: AtomicBool::new(false),
            exchanges,
        }
    }

    /// From now on nothing new begins.
    pub(crate) fn begin_to_end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Answers one request; whatever comes of it carries the request's id.
    pub(crate) async fn answer(&self, request: Request<Incoming>, from: IpAddr) -> Answer {
        let id = RequestId::of(request.headers());
        let span = tracing::info_span!("http", request = %id, method = %request.method(), path = %shown(request.uri().path()));
        let mut answer = self.routed(request, from, &id).instrument(span).await;
        answer.headers_mut().insert(request_id::HEADER, id.header());
        if self.is_ending() {
            answer
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    async fn routed(&self, request: Request<Incoming>, from: IpAddr, id: &RequestId) -> Answer {
        let place = self.place(request.uri().path());
        let arrival = Arrival {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            from,
            via: match place {
                Place::Stream(_) | Place::Message(_) => Via::Sse,
                _ => Via::Http,
            },
            request_id: id.as_str(),
        };
        if let Err(refusal) = self.names.check(arrival.uri, arrival.headers) {
            self.gate.turned_away(arrival, &refusal).await;
            return turn_away(&refusal, id);
        }
        match place {
            Place::Health => return self.health(request.method()),
            Place::Ready => return self.ready(request.method()).await,
            _ => {}
        }
        let caller = match self.gate.admit(arrival).await {
            Ok(caller) => Arc::new(caller),
            Err(refusal) => return turn_away(&refusal, id),
        };
        let owner = Owner::of(&caller);
        let shown = match place {
            Place::Streamable(mount) => session_shown(&request).and_then(|id| mount.session(&id)),
            Place::Message(mount) => session_named(&request).and_then(|id| mount.session(&id)),
            _ => None,
        };
        if shown
            .as_ref()
            .is_some_and(|session| *session.owner() != owner)
        {
            // To its caller it is as if there were none.
            let refusal = no_session();
            self.gate.turned_away(arrival, &refusal).await;
            return answer::error(refusal.status, code::NO_SESSION, &refusal.error, None, id);
        }
        let ends_none = matches!(place, Place::Streamable(_))
            && request.method() == Method::DELETE
            && request.headers().contains_key(&HEADER_SESSION)
            && shown.is_none();
        if ends_none {
            let refusal = no_session();
            return answer::error(refusal.status, code::NO_SESSION, &refusal.error, None, id);
        }
        let let_in = LetIn { caller, owner, id };
        match place {
            Place::Streamable(mount) => self.streamable(mount, request, let_in).await,
            Place::Stream(mount) => self.stream(mount, request.method(), let_in),
            Place::Message(mount) => self.message(mount, shown, request, let_in).await,
            _ => self.nowhere(request.uri().path(), id),
        }
    }

    fn place(&self, path: &str) -> Place<'_> {
        match path {
            "/health" => return Place::Health,
            "/ready" => return Place::Ready,
            _ => {}
        }
        let Some((name, endpoint)) = path.strip_prefix('/').and_then(|path| path.split_once('/'))
        else {
            return Place::Nowhere;
        };
        let mount = self.mounts.iter().find(|mount| mount.name() == name);
        match (mount, endpoint) {
            (Some(mount), "mcp") => Place::Streamable(mount),
            (Some(mount), "sse") => Place::Stream(mount),
            (Some(mount), "message") => Place::Message(mount),
            _ => Place::Nowhere,
        }
    }

    fn health(&self, method: &Method) -> Answer {
        if !is_look(method) {
            return not_that_method("GET, HEAD");
        }
        answer::json(StatusCode::OK, &json!({ "status": "alive" }))
    }

    async fn ready(&self, method: &Method) -> Answer {
        if !is_look(method) {
            return not_that_method("GET, HEAD");
        }
        let mut missing = serde_json::Map::new();
        if self.is_ending() {
            missing.insert("callboard".to_owned(), json!("is ending"));
        }
        for mount in &self.mounts {
            let asked = tokio::time::timeout(Duration::from_secs(2), mount.ready()).await;
            let found = asked.unwrap_or_else(|_| Err("does not answer".to_owned()));
            if let Err(what) = found {
                missing.insert(mount.name().to_owned(), json!(what));
            }
        }
        if missing.is_empty() {
            let servers: Vec<_> = self.mounts.iter().map(|mount| mount.name()).collect();
            return answer::json(
                StatusCode::OK,
                &json!({ "status": "ready", "servers": servers }),
            );
        }
        let value = json!({ "status": "not ready", "not_ready": missing });
        answer::json(StatusCode::SERVICE_UNAVAILABLE, &value)
    }

    fn nowhere(&self, path: &str, id: &RequestId) -> Answer {
        let servers = self.mounts.iter().map(|mount| {
            let name = mount.name();
            json!({ "name": name, "mcp": format!("/{name}/mcp"), "sse": format!("/{name}/sse") })
        });
        let value = json!({
            "error": {
                "kind": ErrorKind::NotFound.as_str(),
                "message": format!("there is nothing at {}", shown(path)),
                "hint": "point an MCP client at one of `servers`; /health and /ready tell how the process is",
                "requestId": id.as_str(),
            },
            "servers": servers.collect::<Vec<_>>(),
        });
        answer::json(StatusCode::NOT_FOUND, &value)
    }

    async fn streamable(
        &self,
        mount: &Arc<dyn Mount>,
        request: Request<Incoming>,
        let_in: LetIn<'_>,
    ) -> Answer {
        let id = let_in.id;
        let (head, body) = request.into_parts();
        let body = match self.body(body, id).await {
            Ok(body) => body,
            Err(refused) => return *refused,
        };
        let peek = if head.method == Method::POST {
            match peek(&body) {
                Some(peek) => peek,
                None => return unfit::no_message(&body, id),
            }
        } else {
            Peek::default()
        };
        if self.is_ending() && peek.is_request() {
            return answer::refusal(&is_ending(), peek.id, id);
        }
        if peek.method.as_deref() == Some("initialize") && !self.quota.has_room(&let_in.owner) {
            return answer::refusal(&not_taken(SessionError::Full), peek.id, id);
        }
        let exchange = peek.is_exchange().then(|| self.exchanges.token());
        let (head, owner) = let_in.mark(head);
        let request = Request::from_parts(head, Full::new(body.clone()));
        let answering = mount.streamable(request, owner);
        let Ok(answered) = tokio::time::timeout(self.limits.answer_within, answering).await else {
            let status = StatusCode::GATEWAY_TIMEOUT;
            return answer::error(status, code::INTERNAL, &too_late(), peek.id, id);
        };
        if answered.status().is_client_error() || answered.status().is_server_error() {
            return unfit::explained(answered, &body, peek.id, id).await;
        }
        // The exchange is over when its last byte is out.
        hold(answered, exchange)
    }

    fn stream(&self, mount: &Arc<dyn Mount>, method: &Method, let_in: LetIn<'_>) -> Answer {
        if method != Method::GET {
            return not_that_method("GET");
        }
        if self.is_ending() {
            return answer::refusal(&is_ending(), None, let_in.id);
        }
        match mount.stream(let_in.owner) {
            Ok(answer) => answer,
            Err(error) => answer::refusal(&not_taken(error), None, let_in.id),
        }
    }

    async fn message(
        &self,
        mount: &Arc<dyn Mount>,
        session: Option<Arc<Session>>,
        request: Request<Incoming>,
        let_in: LetIn<'_>,
    ) -> Answer {
        let id = let_in.id;
        if request.method() != Method::POST {
            return not_that_method("POST");
        }
        let session = session.filter(|session| session.style() == Style::Single);
        let Some(session) = session else {
            let refusal = no_session();
            return answer::error(refusal.status, code::NO_SESSION, &refusal.error, None, id);
        };
        let (head, body) = request.into_parts();
        let body = match self.body(body, id).await {
            Ok(body) => body,
            Err(refused) => return *refused,
        };
        let Some(peek) = peek(&body) else {
            return unfit::no_message(&body, id);
        };
        if self.is_ending() && peek.is_request() {
            return answer::refusal(&is_ending(), peek.id, id);
        }
        let message = match read_line(&body) {
            Ok(Some(message)) => message,
            Ok(None) => return unfit::accepted(),
            Err(refused) => return unfit::refused(*refused, id),
        };
        let (head, _) = let_in.mark(head);
        match mount.message(&session, message, head) {
            Ok(()) => unfit::accepted(),
            Err(error) => answer::refusal(&not_taken(error), peek.id, id),
        }
    }

    /// The whole body, if it is not too long and comes in time.
    async fn body(&self, body: Incoming, id: &RequestId) -> Result<Bytes, Box<Answer>> {
        let limit = self.limits.body_bytes;
        let announced = body.size_hint().lower();
        let collected = Limited::new(body, limit).collect();
        let refused = |status, error: ToolError| {
            let mut refused = answer::error(status, code::INVALID_REQUEST, &error, None, id);
            // What is left of the body is not read, so nothing can follow it.
            refused
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
            Box::new(refused)
        };
        let too_long = || {
            let error = ToolError::new(
                ErrorKind::Limit,
                format!("the message has more than {limit} bytes"),
            )
            .hint("put long content into a file and say where it is");
            refused(StatusCode::PAYLOAD_TOO_LARGE, error)
        };
        // What says itself that it is too long need not come first.
        if usize::try_from(announced).is_ok_and(|announced| announced > limit) {
            return Err(too_long());
        }
        match tokio::time::timeout(self.limits.body_within, collected).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_long()),
            Ok(Err(error)) => {
                let error = ToolError::invalid(format!("the message could not be read: {error}"));
                Err(refused(StatusCode::BAD_REQUEST, error))
            }
            Err(_) => {
                let within = self.limits.body_within.as_secs();
                let error = ToolError::new(
                    ErrorKind::Limit,
                    format!("the message was not complete within {within} s"),
                );
                Err(refused(StatusCode::REQUEST_TIMEOUT, error))
            }
        }
    }
}

/// Who was let in, and with which request.
struct LetIn<'r> {
    caller: Arc<Caller>,
    owner: Owner,
    id: &'r RequestId,
}

impl LetIn<'_> {
    /// The head of the request, which now says who makes it.
    fn mark(self, mut head: Parts) -> (Parts, Owner) {
        head.extensions.insert(self.caller);
        head.extensions.insert(self.id.clone());
        // Nothing behind the gate needs the token, and what is not there can't be told.
        head.headers.remove(header::AUTHORIZATION);
        head.headers.remove(header::COOKIE);
        (head, self.owner)
    }
}

impl Peek {
    fn is_request(&self) -> bool {
        self.method.is_some() && self.id.is_some()
    }

    /// Whether there is an answer to wait for: not where a stream is opened that has no end of its own.
    fn is_exchange(&self) -> bool {
        self.is_request() && self.method.as_deref() != Some("subscriptions/listen")
    }
}

/// The session that a request of Streamable HTTP shows.
fn session_shown(request: &Request<Incoming>) -> Option<String> {
    let shown = request.headers().get(HEADER_SESSION)?;
    shown.to_str().ok().map(str::to_owned)
}

/// The session that a message of the older transport names.
fn session_named(request: &Request<Incoming>) -> Option<String> {
    let named = request.uri().query()?.split('&');
    let mut ids = named.filter_map(|pair| pair.strip_prefix("sessionId="));
    ids.next().map(str::to_owned)
}

fn peek(body: &[u8]) -> Option<Peek> {
    // An array would fill the fields in their order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    serde_json::from_slice(body).ok()
}

fn turn_away(refusal: &Refusal, id: &RequestId) -> Answer {
    tracing::info!(status = refusal.status.as_u16(), kind = %refusal.error.kind, "a request was turned away");
    answer::refusal(refusal, None, id)
}

fn is_ending() -> Refusal {
    let error = ToolError::unavailable("this process is ending and begins nothing new")
        .hint("call again in a few seconds, when it has been started again");
    Refusal {
        retry_after: Some(Duration::from_secs(3)),
        ..Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "ending", error)
    }
}

pub(super) fn no_session() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "session",
        ToolError::not_found("there is no such session, or no longer")
            .hint("begin a new one: initialize, or open the event stream again"),
    )
}

fn not_taken(error: SessionError) -> Refusal {
    match error {
        SessionError::Full | SessionError::Flooded => {
            let error = ToolError::new(ErrorKind::Limit, error.to_string())
                .hint("end sessions that are not needed, or wait for answers that are under way");
            Refusal {
                retry_after: Some(Duration::from_secs(1)),
                ..Refusal::new(StatusCode::TOO_MANY_REQUESTS, "sessions", error)
            }
        }
        SessionError::Ended | SessionError::Unknown | SessionError::NoSuchEvent => no_session(),
    }
}

fn too_late() -> ToolError {
    ToolError::new(ErrorKind::Limit, "no answer began in time")
        .hint("look at the state before calling again, part of the work may be done")
}

fn is_look(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

fn not_that_method(allowed: &'static str) -> Answer {
    let mut answer = answer::json(
        StatusCode::METHOD_NOT_ALLOWED,
        &json!({ "error": { "kind": "invalid_input", "message": format!("this takes {allowed}") } }),
    );
    answer
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allowed));
    answer
}

fn shown(path: &str) -> String {
    crate::clip(&crate::scrub::url(path), 120)
        .escape_debug()
        .to_string()
}
