//! The one place where a request over a network is let in or turned away.
//!
//! For: the question every HTTP transport asks before anything else is read. Not for: how it is answered
//! (tokens now, OAuth later, are implementations), or what a role may call (the call wrapper checks that).

use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, Uri};

use crate::call::BoxFuture;
use crate::{Caller, ErrorKind, ToolError, Via};

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
    /// For 401: the value of `WWW-Authenticate`.
    pub challenge: Option<String>,
    /// One word for the audit: `no_token`, `rate`, `host`, ….
    pub reason: &'static str,
}

/// Lets requests in.
pub trait Gate: Send + Sync + 'static {
    /// Who it is, or why they may not.
    fn admit<'r>(&'r self, arrival: Arrival<'r>) -> BoxFuture<'r, Result<Caller, Refusal>>;

    /// Whether somebody who was let in still may listen to what was opened then, and go on with what was begun; if
    /// not, why.
    ///
    /// # Errors
    /// As [`Gate::admit`] would now turn them away.
    fn still_admits(&self, caller: &Caller) -> Result<(), Refusal> {
        let _ = caller;
        Ok(())
    }

    /// Told of a request that was turned away without being asked about: one that names a wrong host or
    /// origin, or shows a session of somebody else's; then `caller` had been let in.
    fn turned_away<'r>(
        &'r self,
        arrival: Arrival<'r>,
        caller: Option<&'r Caller>,
        refusal: &'r Refusal,
    ) -> BoxFuture<'r, ()> {
        let _ = (arrival, caller, refusal);
        Box::pin(async {})
    }
}

impl Refusal {
    /// A refusal with this status, word and error.
    pub fn new(status: StatusCode, reason: &'static str, error: ToolError) -> Self {
        Refusal {
            status,
            error,
            retry_after: None,
            challenge: None,
            reason,
        }
    }

    /// 401; `shown`: whether a token was shown at all.
    pub fn unauthorized(reason: &'static str, message: impl Into<String>, shown: bool) -> Self {
        let error = ToolError::new(ErrorKind::Unauthorized, message).hint(
            "send `Authorization: Bearer <token>`; on the machine of this Callboard `callboard token header` prints \
             the user's own, and `callboard token add NAME` makes another",
        );
        let challenge = if shown {
            "Bearer realm=\"callboard\", error=\"invalid_token\""
        } else {
            "Bearer realm=\"callboard\""
        };
        Refusal {
            challenge: Some(challenge.to_owned()),
            ..Refusal::new(StatusCode::UNAUTHORIZED, reason, error)
        }
    }

    /// 429, and when to come again; `limit` is the setting that says how often.
    pub fn too_many(wait: Duration, message: impl Into<String>, limit: &str) -> Self {
        let error = ToolError::new(ErrorKind::Limit, message).hint(format!(
            "wait as long as Retry-After says; `{limit}` in the user's config.toml is the limit"
        ));
        Refusal {
            retry_after: Some(wait),
            ..Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate", error)
        }
    }
}
