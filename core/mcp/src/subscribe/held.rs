//! What one connection is subscribed to.
//!
//! For: a bound on it, telling older peers of changed lists, and its end with the connection. Not for: deciding what may be subscribed to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use callboard_store::actor;
use rmcp::{Peer, RoleServer};
use tokio::task::AbortHandle;

use crate::offers::Hearing;
use crate::{ErrorKind, ToolError};

/// Resources that one connection may be subscribed to at once, listening streams counted as one more each.
const MAX_PLACES: usize = 256;

/// The subscriptions of one connection; dropped with it, which ends them.
#[derive(Default)]
pub(crate) struct Held {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Those of older peers, by the URI as it was asked for.
    told: HashMap<String, AbortHandle>,
    taken: usize,
    /// Tells an older peer which lists have changed.
    hearing: Option<AbortHandle>,
}

/// Room for some subscriptions, given back when dropped.
pub(crate) struct Places {
    held: Arc<Held>,
    count: usize,
}

impl Held {
    /// Takes `count` places.
    pub(crate) fn take(self: &Arc<Self>, count: usize) -> Result<Places, ToolError> {
        let mut inner = self.locked();
        if inner.told.len() + inner.taken + count > MAX_PLACES {
            return Err(full());
        }
        inner.taken += count;
        Ok(Places {
            held: Arc::clone(self),
            count,
        })
    }

    pub(crate) fn has(&self, uri: &str) -> bool {
        self.locked().told.contains_key(uri)
    }

    /// Keeps a subscription of an older peer until it is ended; `tell` does the telling.
    pub(crate) fn keep(
        &self,
        uri: String,
        tell: impl FnOnce() -> AbortHandle,
    ) -> Result<(), ToolError> {
        let mut inner = self.locked();
        // Two requests for the same may have come at once.
        if inner.told.contains_key(&uri) {
            return Ok(());
        }
        if inner.told.len() + inner.taken >= MAX_PLACES {
            return Err(full());
        }
        inner.told.insert(uri, tell());
        Ok(())
    }

    /// Ends one, if it is there.
    pub(crate) fn end(&self, uri: &str) {
        if let Some(told) = self.locked().told.remove(uri) {
            told.abort();
        }
    }

    /// Tells an older peer of changed lists for as long as it is there; once is enough.
    pub(crate) fn keep_hearing(&self, peer: Peer<RoleServer>, hearing: Hearing) {
        self.locked()
            .hearing
            .get_or_insert_with(|| actor::spawn(tell(peer, hearing)).abort_handle());
    }

    fn locked(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn tell(peer: Peer<RoleServer>, mut hearing: Hearing) {
    loop {
        let told = tokio::select! {
            Ok(()) = hearing.tools.changed() => peer.notify_tool_list_changed().await,
            Ok(()) = hearing.prompts.changed() => peer.notify_prompt_list_changed().await,
            else => return,
        };
        if told.is_err() {
            return;
        }
    }
}

fn full() -> ToolError {
    ToolError::new(
        ErrorKind::Limit,
        format!("a connection may be subscribed to {MAX_PLACES} resources at once"),
    )
    .hint("end subscriptions that are no longer needed, or subscribe to the board as a whole")
}

impl Drop for Held {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        inner.told.values().for_each(AbortHandle::abort);
        inner.hearing.iter().for_each(AbortHandle::abort);
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        self.held.locked().taken -= self.count;
    }
}
