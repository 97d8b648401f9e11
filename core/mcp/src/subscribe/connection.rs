//! A server as one connection sees it.
//!
//! For: what belongs to a connection and ends with it, its subscriptions. Not for: anything that connections
//! share.

use std::ops::Deref;
use std::sync::Arc;

use super::Held;
use crate::offers::Hearing;
use crate::{Offers, Server};

/// Give each connection one of its own; the protocol library is served with this.
pub(crate) struct Connection<S> {
    server: Arc<Server<S>>,
    pub(crate) held: Arc<Held>,
    /// Of changes since the connection began: a client cannot have read a list before.
    pub(crate) hearing: Option<Hearing>,
}

impl<S> Connection<S> {
    pub(crate) fn to(server: &Arc<Server<S>>) -> Self {
        Connection {
            server: Arc::clone(server),
            held: Arc::default(),
            hearing: server.offers.as_ref().map(Offers::hear),
        }
    }
}

impl<S> Deref for Connection<S> {
    type Target = Server<S>;

    fn deref(&self) -> &Server<S> {
        &self.server
    }
}
