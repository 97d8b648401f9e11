//! One server behind its paths.
//!
//! For: its connections and sessions, and their end. Not for: deciding what may come in.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use callboard_store::actor;
use http::Request;
use http::request::Parts;
use http_body_util::Full;
use rmcp::model::{
    ClientJsonRpcMessage, ErrorData, GetExtensions, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
};
use rmcp::transport::TransportAdapterIdentity;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::session::{
    AT_WORK, Bounds, OWNER, Owner, Quota, ServerEnd, Session, SessionError, Style, Table,
};
use super::watched::Awaited;
use super::{Limits, RequestId as Name, events};
use crate::call::BoxFuture;
use crate::server::Served;
use crate::server::not_handled;
use crate::subscribe::Connection;

/// A server at its paths.
pub(crate) struct Mount {
    server: Arc<Served>,
    http: StreamableHttpService<Connection, Table>,
    sessions: Arc<Table>,
    ping_every: Duration,
    streams: CancellationToken,
}

/// What a shutdown hook may take, and the call log after it.
const LAST_MESSAGES: Duration = Duration::from_secs(1);
const HOOK: Duration = Duration::from_secs(5);
const LAST_ROWS: Duration = Duration::from_secs(1);

impl Mount {
    pub(crate) fn new(server: Arc<Served>, limits: &Limits, quota: &Arc<Quota>) -> Self {
        let streams = CancellationToken::new();
        let config = StreamableHttpServerConfig::default()
            // Both are checked before the gate.
            .disable_allowed_hosts()
            .disable_allowed_origins()
            .with_max_request_body_bytes(limits.body_bytes)
            .with_sse_keep_alive(Some(limits.ping_every))
            .with_cancellation_token(streams.clone());
        let bounds = Bounds {
            waiting: limits.waiting,
            resume_within: limits.resume_within,
        };
        let sessions = Table::new(Arc::clone(quota), bounds, limits.session_idle);
        let served = Arc::clone(&server);
        let http = StreamableHttpService::new(
            move || Ok(Connection::to(&served)),
            Arc::clone(&sessions),
            config,
        );
        Mount {
            server,
            http,
            sessions,
            ping_every: limits.ping_every,
            streams,
        }
    }

    /// Its name, which is its path.
    pub(crate) fn name(&self) -> &'static str {
        self.server.wrapper.server
    }

    /// Answers a request of Streamable HTTP that was let in.
    pub(crate) fn streamable(
        &self,
        request: Request<Full<Bytes>>,
        owner: Owner,
    ) -> BoxFuture<'static, Answer> {
        let http = self.http.clone();
        Box::pin(OWNER.scope(owner, async move { http.handle(request).await }))
    }

    /// Begins a session of the older transport, whose stream this is.
    pub(crate) fn stream(&self, owner: Owner) -> Result<Answer, SessionError> {
        let session = self.sessions.begin(owner, Style::Single)?;
        let (reader, awaited) = (session.common_line(), Arc::clone(&session));
        let endpoint = format!("/{}/message?sessionId={}", self.name(), session.id);
        let (server, sessions) = (Connection::to(&self.server), Arc::clone(&self.sessions));
        let gone = CancellationToken::new();
        let cut = gone.clone();
        actor::spawn(async move {
            let end = ServerEnd(Arc::clone(&session));
            let served = rmcp::service::serve_server_with_ct::<_, _, _, TransportAdapterIdentity>(
                server, end, cut,
            );
            match served.await {
                Ok(running) => {
                    let _ = running.waiting().await;
                }
                Err(error) => tracing::debug!(%error, "no session came about"),
            }
            sessions.end(&session.id);
        });
        let end = gone.drop_guard();
        let mut answer = events::stream(&endpoint, reader, self.ping_every, end);
        answer.extensions_mut().insert(Awaited::Of(awaited));
        Ok(answer)
    }

    /// Takes a message for a session of the older transport.
    pub(crate) fn message(
        &self,
        session: &Session,
        mut message: ClientJsonRpcMessage,
        head: Parts,
    ) -> Result<(), SessionError> {
        if !session.may_take(&message) {
            if let JsonRpcMessage::Request(request) = &message {
                let error = not_handled(request.request.method());
                refuse(session, &request.id, error, &head);
            }
            return Ok(());
        }
        match &mut message {
            JsonRpcMessage::Request(request) => {
                if session.at_work() >= AT_WORK {
                    return Err(SessionError::Flooded);
                }
                if !session.note_request(&request.id) {
                    let why = "a request with this id is at work; ids are used once";
                    let error = ErrorData::invalid_request(why, None);
                    refuse(session, &request.id, error, &head);
                    return Ok(());
                }
                request.request.extensions_mut().insert(head);
            }
            JsonRpcMessage::Notification(notification) => {
                notification.notification.extensions_mut().insert(head);
            }
            _ => {}
        }
        session.accept(message)
    }

    /// The session of that id.
    pub(crate) fn session(&self, id: &str) -> Option<Arc<Session>> {
        self.sessions.get(id)
    }

    /// Ends the sessions nobody uses, again and again.
    pub(crate) fn sweep(&self) -> BoxFuture<'static, ()> {
        let sessions = Arc::clone(&self.sessions);
        Box::pin(async move {
            loop {
                tokio::time::sleep(sessions.sweep_every()).await;
                sessions.sweep();
            }
        })
    }

    /// What is not ready, in a few words.
    pub(crate) fn ready(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(self.server.check_ready())
    }

    /// How many calls are at work.
    pub(crate) fn calls(&self) -> usize {
        self.server.wrapper.running.len()
    }

    /// Completes when no call is at work.
    pub(crate) fn idle(&self) -> BoxFuture<'_, ()> {
        let running = &self.server.wrapper.running;
        running.close();
        Box::pin(async move {
            running.wait().await;
            // A call that has ended is not yet an answer that is on its way: of a session that speaks over one
            // stream, no exchange says when it is.
            self.sessions.answered().await;
        })
    }

    /// Tells the calls at work that nobody waits for them any more.
    pub(crate) fn give_up(&self) {
        self.server.wrapper.closing.cancel();
    }

    /// Ends every session and stream, after what waits on them.
    pub(crate) fn hang_up(&self) -> BoxFuture<'_, ()> {
        let ended = self.sessions.end_all();
        Box::pin(async move {
            let flushed = async {
                for session in ended {
                    session.flushed().await;
                }
            };
            let _ = tokio::time::timeout(LAST_MESSAGES, flushed).await;
            self.streams.cancel();
        })
    }

    /// Runs the shutdown hook and writes the last rows of the call log.
    pub(crate) fn shut_down(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if tokio::time::timeout(HOOK, self.server.shut_down())
                .await
                .is_err()
            {
                tracing::warn!(
                    server = self.name(),
                    "the shutdown hook did not end in time"
                );
            }
            self.server.wrapper.call_log.flush(LAST_ROWS).await;
        })
    }
}

fn refuse(session: &Session, id: &RequestId, mut error: ErrorData, head: &Parts) {
    if let Some(name) = Name::of_head(head) {
        name.name(&mut error);
    }
    session.deliver(ServerJsonRpcMessage::error(error, Some(id.clone())));
}
