//! What a handler knows of the call it serves.
//!
//! For: noticing that the call was given up, telling the client how far it is, who calls, and naming the
//! call in logs. Not for: deciding what the caller may do (the wrapper has, before the handler runs).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::{ProgressNotificationParam, ProgressToken, ProtocolVersion, RequestId};
use rmcp::service::RequestContext;
use rmcp::{Peer, RoleServer};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::ability::Abilities;
use crate::ask::Asking;
use crate::call::BoxFuture;
use crate::http::OwnStream;
use crate::log::{self, is_modern};
use crate::pass::Pass;
use crate::{Ability, Caller, Level, ToolError};

/// At most five reports a second.
const BETWEEN_REPORTS: Duration = Duration::from_millis(200);
/// As long as this a client may be sent away: what is told meanwhile has to be kept for it.
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// Handed to every handler; clones are cheap and speak for the same call.
#[derive(Clone)]
pub struct CallContext {
    id: RequestId,
    trace: Option<Arc<str>>,
    caller: Arc<Caller>,
    http_request: Option<crate::http::RequestId>,
    /// What the caller was let in with, over a network.
    pass: Option<Pass>,
    stream: Option<OwnStream>,
    cancelled: CancellationToken,
    asking: Arc<Asking>,
    progress: Option<Arc<Progress>>,
    peer: Peer<RoleServer>,
    modern: bool,
    abilities: Abilities,
    log: Option<Log>,
}

/// Which log messages go out, and under which name.
#[derive(Clone, Copy)]
struct Log {
    logger: &'static str,
    least: Level,
}

impl CallContext {
    pub(crate) fn new(
        request: &RequestContext<RoleServer>,
        cancelled: CancellationToken,
        caller: Arc<Caller>,
        asking: Asking,
    ) -> Self {
        CallContext {
            id: request.id.clone(),
            caller,
            http_request: http_request(request),
            pass: Pass::of(request),
            stream: own_stream(request),
            asking: Arc::new(asking),
            trace: request
                .meta
                .get_traceparent()
                .and_then(trace_id)
                .map(Arc::from),
            cancelled,
            progress: request
                .meta
                .get_progress_token()
                .map(|token| Arc::new(Progress::new(request.peer.clone(), token))),
            peer: request.peer.clone(),
            modern: is_modern(request),
            abilities: Abilities::of(request),
            log: None,
        }
    }

    pub(crate) fn logging(mut self, logger: &'static str, least: Option<Level>) -> Self {
        self.log = least.map(|least| Log { logger, least });
        self
    }

    /// Whether the call is of the era without a handshake, where a question ends one round of a call.
    pub fn is_modern(&self) -> bool {
        self.modern
    }

    /// The request's id, as the client chose it.
    pub fn request_id(&self) -> String {
        self.id.to_string()
    }

    /// The caller's trace id (32 hexadecimal digits), where it sent one.
    pub fn trace(&self) -> Option<&str> {
        self.trace.as_deref()
    }

    /// What the HTTP request is called in errors and log lines, where the call came in over HTTP.
    pub fn http_request(&self) -> Option<&crate::http::RequestId> {
        self.http_request.as_ref()
    }

    /// Who calls.
    pub fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// Completes when the client gave the call up or the connection ended. A handler that waits should wait
    /// for this too and then answer [`ToolError::cancelled`](crate::ToolError::cancelled); one that does not is dropped shortly after,
    /// at its next await.
    pub async fn cancelled(&self) {
        self.cancelled.cancelled().await;
    }

    /// Whether the call was given up.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    pub(crate) fn asking(&self) -> &Arc<Asking> {
        &self.asking
    }

    /// The token behind [`CallContext::cancelled`], for work that is handed on.
    pub fn cancellation(&self) -> CancellationToken {
        self.cancelled.clone()
    }

    pub(crate) fn pass(&self) -> Option<&Pass> {
        self.pass.as_ref()
    }

    /// Completes when whoever calls would not be let in any more, with why: the token was revoked, or has expired.
    ///
    /// For what a handler begins that goes on after its answer; the call itself is ended without that. Somebody who came
    /// through no gate, as over standard input, is never shut out.
    pub fn shut_out(&self) -> BoxFuture<'static, String> {
        let pass = self.pass.clone();
        Box::pin(async move {
            match &pass {
                Some(pass) => pass.over().await.error.message.clone(),
                None => std::future::pending().await,
            }
        })
    }

    /// Ends the stream on which the client waits for this call, and tells it to come back after `retry` (30 s at
    /// most) for what was said meanwhile, the answer included. The call goes on; a connection is free for as long.
    ///
    /// True if so. Otherwise nothing happened: over standard input and output and over HTTP+SSE there is no stream
    /// of this call, since 2026-07-28 no session to come back to, clients of revisions before 2025-11-25 do not
    /// expect it, and a stream that has ended already is not ended again.
    ///
    /// It has a price: progress arrives late, and that a client has gone is noticed `retry` later. Worth it for calls
    /// that have nothing to tell for seconds.
    pub fn close_stream(&self, retry: Duration) -> bool {
        let stream = self.stream.as_ref();
        stream.is_some_and(|stream| stream.close(retry.min(LONGEST_RETRY)))
    }

    /// Goes on only if the client said that it can do this.
    ///
    /// # Errors
    /// [`ErrorKind::ClientLacks`](crate::ErrorKind::ClientLacks).
    pub fn needs(&self, ability: Ability) -> Result<(), ToolError> {
        self.abilities.have(ability)
    }

    /// Tells the client what happens, for its logs: `data` is a text or anything else in JSON.
    ///
    /// Does nothing if the server does not offer log messages (see [`Server::logs`](crate::Server::logs)), or if the client
    /// does not want those of this level.
    pub async fn log(&self, level: Level, data: impl Into<Value>) {
        let Some(wanted) = self.log.filter(|log| level >= log.least) else {
            return;
        };
        log::send(&self.peer, wanted.logger, level, data.into()).await;
    }

    /// Tells the client how far the call is (see [`CallContext::detach`] for one that goes on): `done` units, of `total` if that is known.
    ///
    /// Does nothing if the client did not ask for progress, if `done` did not grow since the last report, or
    /// if that was less than 200 ms ago (the last unit of a known total is always reported).
    pub fn progress<'a>(
        &'a self,
        done: u64,
        total: Option<u64>,
        message: &'a str,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Some(call) = self.asking.slot().call() {
                call.say(message).await;
            } else if let Some(progress) = &self.progress {
                progress.report(done, total, message).await;
            }
        })
    }
}

/// Whom the gate let in: HTTP transports leave it with the request's head.
pub(crate) fn over_network(request: &RequestContext<RoleServer>) -> Option<Arc<Caller>> {
    let head = request.extensions.get::<http::request::Parts>()?;
    head.extensions.get::<Arc<Caller>>().cloned()
}

/// The stream of this request, where its client knows that one may end before the answer came.
fn own_stream(request: &RequestContext<RoleServer>) -> Option<OwnStream> {
    let version = request.protocol_version()?;
    let knows = version >= ProtocolVersion::V_2025_11_25;
    request.extensions.get().filter(|_| knows).cloned()
}

/// The name that the HTTP transports gave the request.
pub(crate) fn http_request(request: &RequestContext<RoleServer>) -> Option<crate::http::RequestId> {
    let head = request.extensions.get::<http::request::Parts>()?;
    head.extensions.get().cloned()
}

struct Progress {
    peer: Peer<RoleServer>,
    token: ProgressToken,
    last: Mutex<Option<(u64, Instant)>>,
}

impl Progress {
    fn new(peer: Peer<RoleServer>, token: ProgressToken) -> Self {
        Progress {
            peer,
            token,
            last: Mutex::new(None),
        }
    }

    async fn report(&self, done: u64, total: Option<u64>, message: &str) {
        if !self.is_due(done, total, Instant::now()) {
            return;
        }
        let mut report = ProgressNotificationParam::new(self.token.clone(), as_number(done))
            .with_message(callboard_redact::scrub(message));
        if let Some(total) = total {
            report = report.with_total(as_number(total));
        }
        // The client may be gone; the call itself will notice.
        let _ = self.peer.notify_progress(report).await;
    }

    fn is_due(&self, done: u64, total: Option<u64>, now: Instant) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|(before, at)| {
            done > before && (now.duration_since(at) >= BETWEEN_REPORTS || total == Some(done))
        });
        if due {
            *last = Some((done, now));
        }
        due
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the protocol counts in doubles; exact up to 2^53"
)]
fn as_number(count: u64) -> f64 {
    count as f64
}

/// The trace id of a W3C `traceparent`, `00-<32 hex>-<16 hex>-<2 hex>`.
fn trace_id(traceparent: &str) -> Option<&str> {
    let id = traceparent.split('-').nth(1)?;
    let well_formed = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    well_formed.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_id_is_taken_only_from_a_sound_parent() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
        assert_eq!(trace_id(parent), Some("0af7651916cd43dd8448eb211c80319c"));
        assert_eq!(trace_id("00-short-00f067aa0ba902b7-01"), None);
        assert_eq!(trace_id("'; DROP TABLE call"), None);
    }
}
