//! Why there is no answer, in the words of the client's own protocol.
//!
//! The status tells a client whether trying again makes sense, and `x-should-retry` tells it again to those that would
//! try anyway: nobody should wait for hours without a word.

use bytes::Bytes;
use callboard_limits::Frees;
use callboard_mcp::http::{RequestId, Sent};
use callboard_mcp::{Refusal, ToolError};
use callboard_routing::engine::{CallError, Nobody};
use callboard_routing::failure::{Failure, FailureKind};
use callboard_routing::gateway::{Dialect, Unfit};
use callboard_routing::route::Rejection;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use super::json as answer;

/// Who has to wait longer than this is told not to try by itself.
const LONG_MS: u64 = 60_000;
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// Anthropic's name for a request's id; `x-request-id` is on every answer.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// Whose words are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    /// Anthropic's.
    Anthropic,
    /// OpenAI's.
    OpenAi,
}

impl Speech {
    /// Those of the endpoint; where both have one, those of the client that says its version.
    pub(super) fn of(path: &str, headers: &HeaderMap) -> Speech {
        let is_anthropic = path.starts_with("/v1/messages")
            || path.starts_with("/v1/models") && headers.contains_key("anthropic-version");
        if is_anthropic {
            Speech::Anthropic
        } else {
            Speech::OpenAi
        }
    }

    fn dialect(self) -> Dialect {
        match self {
            Speech::Anthropic => Dialect::Messages,
            Speech::OpenAi => Dialect::Completions,
        }
    }

    /// A request that was turned away before a model was looked for.
    pub(super) fn refusal(self, refusal: &Refusal, id: &RequestId) -> Response<Sent> {
        let (theirs, kind, code) = words(refusal.status);
        let message = told(&refusal.error);
        let body = match self {
            Speech::Anthropic => json!({
                "type": "error",
                "error": {"type": theirs, "message": message},
            }),
            Speech::OpenAi => json!({
                "error": {"message": message, "type": kind, "param": null, "code": code},
            }),
        };
        self.with_id(refusal.status, body, id)
    }

    /// A body that is not what the protocol says, or has no translation.
    pub(super) fn unfit(self, unfit: Unfit, id: &RequestId) -> Response<Sent> {
        self.failure(&Failure::from(unfit), id)
    }

    /// What went wrong at a provider, or on the way there.
    pub(super) fn failure(self, failure: &Failure, id: &RequestId) -> Response<Sent> {
        let said = self.dialect().refuse(failure);
        let status = StatusCode::from_u16(said.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let body = serde_json::from_slice(&said.body).unwrap_or(Value::Null);
        let mut refused = self.with_id(status, body, id);
        if let Some(seconds) = said.retry_after_s {
            let headers = refused.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        let waits = failure.retry_after_ms.is_some_and(|ms| ms > LONG_MS);
        if waits || failure.kind == FailureKind::QuotaExhausted {
            let headers = refused.headers_mut();
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        refused
    }

    /// A call that got no answer.
    pub(super) fn error(self, error: &CallError, id: &RequestId) -> Response<Sent> {
        tracing::info!(%error, "a call got no answer");
        let mut refused = self.failure(&failure(error), id);
        let status = match error {
            // Not the provider's word, but ours: nothing was asked.
            CallError::Board(_) => Some(StatusCode::SERVICE_UNAVAILABLE),
            CallError::Nobody(nobody) if nobody.retry_in_ms.is_some() => {
                Some(StatusCode::SERVICE_UNAVAILABLE)
            }
            _ => None,
        };
        if let Some(status) = status {
            *refused.status_mut() = status;
        }
        let never = matches!(error, CallError::Denied(denied) if denied.frees == Frees::Never);
        if never {
            let headers = refused.headers_mut();
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        refused
    }

    /// What breaks off an answer that is under way, in its place.
    pub(super) fn in_band(self, failure: &Failure) -> Bytes {
        let said = self.dialect().refuse(failure).body;
        let said = String::from_utf8_lossy(&said);
        // Whatever was being said ends first.
        match self {
            Speech::Anthropic => format!("\n\nevent: error\ndata: {said}\n\n").into(),
            Speech::OpenAi => format!("\n\ndata: {said}\n\n").into(),
        }
    }

    fn with_id(self, status: StatusCode, mut body: Value, id: &RequestId) -> Response<Sent> {
        let mut headers = HeaderMap::new();
        match self {
            Speech::Anthropic => {
                body["request_id"] = json!(id.as_str());
                if let Ok(id) = HeaderValue::from_str(id.as_str()) {
                    headers.insert(REQUEST_ID, id);
                }
            }
            Speech::OpenAi => body["error"]["request_id"] = json!(id.as_str()),
        }
        let mut refused = answer(status, body.to_string().into_bytes());
        refused.headers_mut().extend(headers);
        refused
    }
}

/// What is under way when this process ends.
pub(super) fn ended() -> Failure {
    let mut failure = Failure::new(
        FailureKind::Overloaded,
        "this gateway is ending: ask again in a few seconds, when it has been started again",
    );
    failure.retry_after_ms = Some(3_000);
    failure
}

/// A call's error as the failure that says the same.
pub(super) fn failure(error: &CallError) -> Failure {
    let of = |kind| Failure::new(kind, callboard_redact::scrub(&error.to_string()));
    match error {
        CallError::Unknown { .. } => of(FailureKind::NoSuchModel),
        CallError::Role { .. } => of(FailureKind::BadRequest),
        CallError::Denied(denied) => {
            let mut failure = of(FailureKind::RateLimited);
            failure.retry_after_ms = match denied.frees {
                Frees::At(at) => Some(u64::try_from(at - denied.at).unwrap_or(0)),
                Frees::WhenACallEnds => Some(1_000),
                Frees::Never => None,
            };
            failure
        }
        CallError::Nobody(nobody) => {
            let mut failure = of(nobody_kind(nobody));
            failure.retry_after_ms = nobody.retry_in_ms;
            failure
        }
        CallError::Confirm { .. } => {
            let mut failure = of(FailureKind::Forbidden);
            let said = &mut failure.message;
            said.push_str(". Here nobody can be asked for it: ask by the tool complete, which can, or configure the provider without confirm");
            failure
        }
        CallError::Failed { failure, .. } => {
            let mut last = failure.clone();
            last.message = callboard_redact::scrub(&error.to_string()).into_owned();
            last
        }
        CallError::Board(_) => of(FailureKind::Server),
    }
}

/// Nobody fits now, or nobody fits at all, or nobody has a window that large: then a client can shorten its question.
fn nobody_kind(nobody: &Nobody) -> FailureKind {
    if nobody.retry_in_ms.is_some() {
        return FailureKind::Overloaded;
    }
    let mut reasons = nobody.candidates.iter().map(|(_, reasons)| reasons);
    let too_long = |reason: &Rejection| matches!(reason, Rejection::Window { .. });
    let any = !nobody.candidates.is_empty();
    if any && reasons.all(|reasons| reasons.iter().any(too_long)) {
        FailureKind::ContextTooLong
    } else {
        FailureKind::BadRequest
    }
}

/// The words of both protocols for a status.
fn words(status: StatusCode) -> (&'static str, &'static str, Option<&'static str>) {
    match status {
        StatusCode::UNAUTHORIZED => (
            "authentication_error",
            "invalid_request_error",
            Some("invalid_api_key"),
        ),
        StatusCode::FORBIDDEN => ("permission_error", "permission_error", None),
        StatusCode::NOT_FOUND => ("not_found_error", "invalid_request_error", None),
        StatusCode::PAYLOAD_TOO_LARGE => ("request_too_large", "invalid_request_error", None),
        StatusCode::TOO_MANY_REQUESTS => (
            "rate_limit_error",
            "rate_limit_error",
            Some("rate_limit_exceeded"),
        ),
        StatusCode::GATEWAY_TIMEOUT => ("timeout_error", "server_error", None),
        status if status.is_server_error() => ("api_error", "server_error", None),
        _ => ("invalid_request_error", "invalid_request_error", None),
    }
}

fn told(error: &ToolError) -> String {
    let mut message = error.message.clone();
    if let Some(hint) = &error.hint {
        message = format!("{message}: {hint}");
    }
    callboard_redact::scrub(&message).into_owned()
}
