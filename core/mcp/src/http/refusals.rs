//! Why a request that came this far is not answered by its server.
//!
//! For: those reasons in words, each with what to do about it. Not for: who is let in (the gate), or what
//! cannot be read (`weigh`, `unfit`).

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use super::RequestId;
use super::answer::{self, Answer, code};
use super::session::SessionError;
use crate::{ErrorKind, Refusal, ToolError};

/// The answer to a request that may not come in.
pub(super) fn turn_away(refusal: &Refusal, id: &RequestId) -> Answer {
    let error = &refusal.error;
    tracing::info!(status = refusal.status.as_u16(), kind = %error.kind, error = error.message, hint = error.hint, "a request was turned away");
    answer::refusal(refusal, None, id)
}

/// The answer to a message that is too large or too slow.
pub(super) fn unweighed(refusal: &Refusal, id: &RequestId) -> Answer {
    let error = &refusal.error;
    tracing::info!(status = refusal.status.as_u16(), kind = %error.kind, error = error.message, hint = error.hint, "a request was turned away");
    answer::error(refusal.status, code::INVALID_REQUEST, error, None, id)
}

/// The answer to a request for a session that is not, or not for this caller.
pub(super) fn no_such_session(id: &RequestId) -> Answer {
    let refusal = no_session();
    answer::error(refusal.status, code::NO_SESSION, &refusal.error, None, id)
}

/// The answer to a client that comes back for more than is kept: it is to know that it has missed something.
pub(super) fn forgotten(id: &RequestId) -> Answer {
    let error = ToolError::not_found("something that followed that event is not kept any more")
        .hint("begin a new session: initialize, subscribe again, and read again what you show");
    answer::error(StatusCode::NOT_FOUND, code::NO_SESSION, &error, None, id)
}

pub(super) fn no_session() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "session",
        ToolError::not_found("there is no such session, or no longer")
            .hint("begin a new one: initialize, or open the event stream again"),
    )
}

pub(super) fn is_ending() -> Refusal {
    let error = ToolError::unavailable("this process is ending and begins nothing new")
        .hint("call again in a few seconds, when it has been started again");
    Refusal {
        retry_after: Some(Duration::from_secs(3)),
        ..Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "ending", error)
    }
}

pub(super) fn not_taken(error: SessionError) -> Refusal {
    match error {
        SessionError::Full | SessionError::Flooded => {
            let error = ToolError::new(ErrorKind::Limit, error.to_string())
                .hint("end sessions that are not needed, or wait for answers that are under way");
            Refusal {
                retry_after: Some(Duration::from_secs(1)),
                ..Refusal::new(StatusCode::TOO_MANY_REQUESTS, "sessions", error)
            }
        }
        SessionError::Ended | SessionError::Unknown | SessionError::NoSuchEvent => no_session(),
    }
}

pub(super) fn too_late() -> ToolError {
    ToolError::new(ErrorKind::Limit, "no answer began in time")
        .hint("look at the state before calling again, part of the work may be done")
}

pub(super) fn not_that_method(allowed: &'static str, id: &RequestId) -> Answer {
    let error = json!({
        "kind": ErrorKind::InvalidInput.as_str(),
        "message": format!("this takes {allowed}"),
        "requestId": id.as_str(),
    });
    let mut answer = answer::json(StatusCode::METHOD_NOT_ALLOWED, &json!({ "error": error }));
    answer
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allowed));
    answer
}
