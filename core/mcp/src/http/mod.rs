//! MCP over HTTP: any number of servers in one process, in both eras of the protocol.
//!
//! For: listening, bounds on what a client may cost, who is let in, where a request goes, and an end that
//! drops no call silently. Not for: what a token is worth (a [`Gate`](crate::Gate) knows), or what the
//! servers do.

mod accept;
mod answer;
mod browser;
mod endpoint;
mod events;
mod guarded;
mod held;
mod limits;
mod listen;
mod load;
mod many;
mod mount;
mod names;
mod open;
mod page;
mod pages;
mod peek;
mod place;
mod random;
mod refusals;
mod request_id;
mod route;
mod session;
mod stop;
mod unfit;
mod watched;
mod weigh;

pub(crate) use endpoint::API_KEY;
pub use endpoint::{Asked, Endpoints, Sent};
pub use limits::Limits;
pub use listen::{ListenError, Listener, Plaintext};
pub use load::Load;
pub use names::{NameError, Names};
pub use open::Open;
pub use request_id::RequestId;
pub(crate) use session::OwnStream;
pub use stop::{EndedAtOnce, Stop};

use std::sync::Arc;

use crate::call::BoxFuture;
use crate::server::Served;
use crate::{Gate, Server};
use page::Page;

/// Servers that are to be served over HTTP: mount them, then [`Http::serve`].
pub struct Http {
    gate: Arc<dyn Gate>,
    names: Names,
    limits: Limits,
    mounts: Vec<Arc<Served>>,
    pages: Vec<Page>,
    endpoints: Vec<Arc<dyn Endpoints>>,
    load: Load,
}

impl Http {
    /// No server yet. `gate` is asked about every request, `/health` and `/ready` excepted.
    #[must_use]
    pub fn new(gate: Arc<dyn Gate>) -> Self {
        Http {
            gate,
            names: Names::loopback(),
            limits: Limits::default(),
            mounts: Vec::new(),
            pages: Vec::new(),
            endpoints: Vec::new(),
            load: Load::default(),
        }
    }

    /// Which hosts and origins requests may name. Unless this is said, loopback ones.
    #[must_use]
    pub fn names(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    /// What a client may cost.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Serves `server` under `/<its name>/`. The order of these calls is the order in which they are named.
    #[must_use]
    pub fn mount<S: Send + Sync + 'static>(mut self, server: Server<S>) -> Self {
        self.mounts.push(Arc::new(server.served()));
        self
    }

    /// Serves at `path` what `write` writes, to everyone whom the gate lets in, whatever their role. A page that
    /// cannot be written, or not within 10 s, is answered with 503 and the reason.
    #[must_use]
    pub fn page<F>(
        mut self,
        path: &'static str,
        content_type: &'static str,
        write: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<String, String>> + Send + 'static,
    {
        self.pages.push(Page::new(path, content_type, write));
        self
    }

    /// Serves endpoints that are no MCP, within their own bounds on bodies and on waiting and all others of the servers.
    /// A token that is made for them opens nothing else.
    #[must_use]
    pub fn endpoints(mut self, endpoints: Arc<dyn Endpoints>) -> Self {
        self.endpoints.push(endpoints);
        self
    }

    /// Tells what is open while this serves.
    #[must_use]
    pub fn load(&self) -> Load {
        self.load.clone()
    }

    /// Serves until `stop` says so and everything has ended: running calls get [`Limits::ending`], then they
    /// are answered as cancelled; then every stream is closed and the servers' shutdown hooks run.
    ///
    /// # Errors
    /// [`EndedAtOnce`] when the second word came before that.
    pub fn serve(
        self,
        listener: Listener,
        stop: Stop,
    ) -> BoxFuture<'static, Result<(), EndedAtOnce>> {
        Box::pin(async move { accept::serve(self, listener, stop).await })
    }
}
