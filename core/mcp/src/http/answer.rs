//! What goes back besides the answers of the servers.
//!
//! For: errors in the shape a client of this protocol expects, each with the request's id. Not for: answers
//! to calls.

use std::convert::Infallible;

use bytes::Bytes;
use callboard_redact::scrub;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use super::RequestId;
use crate::{Refusal, ToolError};

pub(crate) type Body = BoxBody<Bytes, Infallible>;
pub(crate) type Answer = Response<Body>;

/// Codes of JSON-RPC and of this protocol.
pub(crate) mod code {
    pub(crate) const PARSE: i64 = -32_700;
    pub(crate) const INVALID_REQUEST: i64 = -32_600;
    pub(crate) const INTERNAL: i64 = -32_603;
    /// Turned away.
    pub(crate) const REFUSED: i64 = -32_000;
    /// The session is not, or no longer.
    pub(crate) const NO_SESSION: i64 = -32_001;
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed()
}

pub(crate) fn json(status: StatusCode, value: &Value) -> Answer {
    let mut answer = Response::new(full(value.to_string()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// An error of the protocol. `id` is the id of the message it is about, where that is known.
pub(crate) fn error(
    status: StatusCode,
    code: i64,
    error: &ToolError,
    id: Option<Value>,
    request: &RequestId,
) -> Answer {
    let mut data = json!({ "kind": error.kind.as_str(), "requestId": request.as_str() });
    if let Some(hint) = &error.hint {
        data["hint"] = json!(scrub(hint));
    }
    let value = json!({
        "jsonrpc": "2.0",
        "id": id,
        "error": { "code": code, "message": scrub(&error.to_string()), "data": data },
    });
    json(status, &value)
}

/// A refusal, with the headers that belong to its status.
pub(crate) fn refusal(refusal: &Refusal, id: Option<Value>, request: &RequestId) -> Answer {
    let mut answer = error(refusal.status, code::REFUSED, &refusal.error, id, request);
    head_of(refusal, answer.headers_mut());
    answer
}

/// The headers that belong to a refusal's status.
pub(crate) fn head_of(refusal: &Refusal, headers: &mut HeaderMap) {
    let challenge = refusal.challenge.as_deref();
    if let Some(challenge) = challenge.and_then(|text| HeaderValue::from_str(text).ok()) {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    if let Some(after) = refusal.retry_after {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
}
