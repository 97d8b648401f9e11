//! The one place where a request over a network is let in or turned away.
//!
//! For: the question every HTTP transport asks before anything else is read. Not for: how it is answered
//! (tokens now, OAuth later, are implementations), or what a role may call (the call wrapper checks that).

use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, Uri};

use crate::call::BoxFuture;
use crate::{Caller, ToolError, Via};

/// What is known of a request before its body is read.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'r> {
    /// Its method.
    pub method: &'r Method,
    /// What it asks for.
    pub uri: &'r Uri,
    /// All of its headers.
    pub headers: &'r HeaderMap,
    /// Where it comes from.
    pub from: IpAddr,
    /// Over which transport.
    pub via: Via,
    /// The id that errors and log lines about it carry.
    pub request_id: &'r str,
}

/// Why a request was turned away: an HTTP status, and what to tell the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// 401, 403, 421, 429 and the like.
    pub status: StatusCode,
    /// What is wrong and what to do about it.
    pub error: ToolError,
    /// For 429: when to come again.
    pub retry_after: Option<Duration>,
}

/// Lets requests in.
pub trait Gate: Send + Sync + 'static {
    /// Who it is, or why they may not.
    fn admit<'r>(&'r self, arrival: Arrival<'r>) -> BoxFuture<'r, Result<Caller, Refusal>>;

    /// Told of a request that was turned away without being asked about: one that names a wrong host or
    /// origin, or shows a session of somebody else's.
    fn turned_away<'r>(&'r self, arrival: Arrival<'r>, refusal: &'r Refusal) -> BoxFuture<'r, ()> {
        let _ = (arrival, refusal);
        Box::pin(async {})
    }
}
