//! Subscriptions to resources, in both eras of the protocol.
//!
//! For: one lookout for each subscribed resource, however many are subscribed to it; what a connection holds,
//! bounded and ended with it. Not for: what is in a resource (its [`Watched`](crate::Watched) says), or which
//! resources there are.

mod connection;
mod held;
mod lookout;

pub(crate) use connection::Connection;
pub(crate) use held::Held;
pub(crate) use lookout::{Look, Lookouts, Watching};
