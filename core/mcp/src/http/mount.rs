//! One server behind its paths, whatever its state is.
//!
//! For: hiding the type of a server's state from those who route and end. Not for: deciding what may come in.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, SessionConfig};
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use super::Limits;
use super::answer::Answer;
use crate::Server;
use crate::call::BoxFuture;

/// What the rest of this module asks of a server.
pub(crate) trait Mount: Send + Sync + 'static {
    /// Its name, which is its path.
    fn name(&self) -> &'static str;
    /// Answers a request of Streamable HTTP that was let in.
    fn streamable(&self, request: Request<Full<Bytes>>) -> BoxFuture<'static, Answer>;
    /// What is not ready, in a few words.
    fn ready(&self) -> BoxFuture<'_, Result<(), String>>;
    /// How many calls are at work.
    fn calls(&self) -> usize;
    /// Completes when no call is at work.
    fn idle(&self) -> BoxFuture<'_, ()>;
    /// Tells the calls at work that nobody waits for them any more.
    fn give_up(&self);
    /// Ends every session and stream.
    fn hang_up(&self);
    /// Runs the shutdown hook and writes the last rows of the call log.
    fn shut_down(&self) -> BoxFuture<'_, ()>;
}

pub(crate) struct Mounted<S> {
    server: Arc<Server<S>>,
    http: StreamableHttpService<Arc<Server<S>>, LocalSessionManager>,
    streams: CancellationToken,
}

/// What a shutdown hook may take, and the call log after it.
const HOOK: Duration = Duration::from_secs(5);
const LAST_ROWS: Duration = Duration::from_secs(1);

impl<S: Send + Sync + 'static> Mounted<S> {
    pub(crate) fn new(server: Server<S>, limits: &Limits) -> Self {
        let server = Arc::new(server);
        let streams = CancellationToken::new();
        let config = StreamableHttpServerConfig::default()
            // Both are checked before the gate.
            .disable_allowed_hosts()
            .disable_allowed_origins()
            .with_max_request_body_bytes(limits.body_bytes)
            .with_sse_keep_alive(Some(limits.ping_every))
            .with_cancellation_token(streams.clone());
        let mut sessions = LocalSessionManager::default();
        sessions.session_config = session_config(limits);
        let served = Arc::clone(&server);
        let http =
            StreamableHttpService::new(move || Ok(Arc::clone(&served)), Arc::new(sessions), config);
        Mounted {
            server,
            http,
            streams,
        }
    }
}

fn session_config(limits: &Limits) -> SessionConfig {
    let mut config = SessionConfig::default();
    config.keep_alive = Some(limits.session_idle);
    config
}

impl<S: Send + Sync + 'static> Mount for Mounted<S> {
    fn name(&self) -> &'static str {
        self.server.wrapper.server
    }

    fn streamable(&self, request: Request<Full<Bytes>>) -> BoxFuture<'static, Answer> {
        let http = self.http.clone();
        Box::pin(async move { http.handle(request).await })
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(self.server.check_ready())
    }

    fn calls(&self) -> usize {
        self.server.wrapper.running.len()
    }

    fn idle(&self) -> BoxFuture<'_, ()> {
        let running = &self.server.wrapper.running;
        running.close();
        Box::pin(running.wait())
    }

    fn give_up(&self) {
        self.server.wrapper.closing.cancel();
    }

    fn hang_up(&self) {
        self.streams.cancel();
    }

    fn shut_down(&self) -> BoxFuture<'_, ()> {
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
