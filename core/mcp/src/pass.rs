//! Whether somebody whom the gate let in may go on.
//!
//! For: calls that outlast the token they came with, however and wherever they run: each has the pass of its request
//! and is ended when that is good no more. Not for: letting anybody in (the gate does).

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::service::RequestContext;
use tokio::time::Instant;

use crate::{Caller, Gate, Refusal};

/// How often the gate is asked about a call that is at work.
const EVERY: Duration = Duration::from_secs(1);

/// What a request was let in with; clones share it. HTTP transports leave it with the request's head.
#[derive(Clone)]
pub(crate) struct Pass(Arc<Inner>);

struct Inner {
    gate: Arc<dyn Gate>,
    caller: Arc<Caller>,
    given: Instant,
    lost: OnceLock<Refusal>,
}

impl Pass {
    /// For `caller`, whom `gate` has just let in.
    pub(crate) fn new(gate: &Arc<dyn Gate>, caller: &Arc<Caller>) -> Self {
        Pass(Arc::new(Inner {
            gate: Arc::clone(gate),
            caller: Arc::clone(caller),
            given: Instant::now(),
            lost: OnceLock::new(),
        }))
    }

    /// That of a request, where it came in through a gate.
    pub(crate) fn of(request: &RequestContext<RoleServer>) -> Option<Self> {
        let head = request.extensions.get::<http::request::Parts>()?;
        head.extensions.get().cloned()
    }

    pub(crate) fn caller(&self) -> &Arc<Caller> {
        &self.0.caller
    }

    /// Why it is good no more, if anybody has noticed that.
    pub(crate) fn lost(&self) -> Option<&Refusal> {
        self.0.lost.get()
    }

    /// Asks the gate: why it is good no more, if so.
    pub(crate) fn ask(&self) -> Option<&Refusal> {
        if self.lost().is_none()
            && let Err(refusal) = self.0.gate.still_admits(&self.0.caller)
        {
            tracing::info!(caller = %self.0.caller.name, reason = refusal.reason, "whoever was let in may not go on");
            let _ = self.0.lost.set(refusal);
        }
        self.lost()
    }

    /// As [`Pass::ask`], unless it was given just now.
    pub(crate) fn ask_again(&self) -> Option<&Refusal> {
        if self.0.given.elapsed() < EVERY {
            return self.lost();
        }
        self.ask()
    }

    /// Completes when it is good no more, with why.
    pub(crate) async fn over(&self) -> &Refusal {
        loop {
            if let Some(refusal) = self.ask_again() {
                return refusal;
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}
