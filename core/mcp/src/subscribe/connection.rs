//! A server as one connection sees it.
//!
//! For: what belongs to a connection and ends with it, its subscriptions. Not for: anything that connections
//! share.

use std::ops::Deref;
use std::sync::Arc;

use super::Held;
use crate::Offers;
use crate::offers::Hearing;
use crate::server::Served;

/// Give each connection one of its own; the protocol library is served with this.
pub(crate) struct Connection {
    server: Arc<Served>,
    pub(crate) held: Arc<Held>,
    /// Of changes since the connection began: a client cannot have read a list before.
    pub(crate) hearing: Option<Hearing>,
}

impl Connection {
    pub(crate) fn to(server: &Arc<Served>) -> Self {
        Connection {
            server: Arc::clone(server),
            held: Arc::default(),
            hearing: server.offers.as_ref().map(Offers::hear),
        }
    }
}

impl Deref for Connection {
    type Target = Served;

    fn deref(&self) -> &Served {
        &self.server
    }
}
