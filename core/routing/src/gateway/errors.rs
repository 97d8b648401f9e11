//! A failure as each protocol says it.
//!
//! The status tells a client whether trying again makes sense: where only the settings of this gateway can help, it
//! must not. A provider's 401 is not passed on: the client's own key is good.

use crate::failure::{Failure, FailureKind};
use serde_json::{Value, json};

/// An answer that says what went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorAnswer {
    /// The HTTP status.
    pub status: u16,
    /// `retry-after` in seconds, where it is known.
    pub retry_after_s: Option<u64>,
    /// JSON.
    pub body: Vec<u8>,
}

/// Status and word in Anthropic's protocol (docs.anthropic.com/en/api/errors).
fn messages_word(kind: FailureKind) -> (u16, &'static str) {
    match kind {
        FailureKind::BadRequest | FailureKind::ContextTooLong | FailureKind::Refused => {
            (400, "invalid_request_error")
        }
        FailureKind::QuotaExhausted => (402, "billing_error"),
        FailureKind::BadKey | FailureKind::Forbidden => (403, "permission_error"),
        FailureKind::NoSuchModel => (404, "not_found_error"),
        FailureKind::RateLimited => (429, "rate_limit_error"),
        FailureKind::Cancelled => (499, "api_error"),
        FailureKind::WrongUrl
        | FailureKind::Server
        | FailureKind::NotJson
        | FailureKind::Malformed
        | FailureKind::Truncated
        | FailureKind::Connect => (502, "api_error"),
        FailureKind::StalledConnect
        | FailureKind::StalledFirstByte
        | FailureKind::StalledBetween
        | FailureKind::Deadline => (504, "timeout_error"),
        FailureKind::Overloaded => (529, "overloaded_error"),
    }
}

/// Status, type and code in OpenAI's protocols.
fn openai_words(kind: FailureKind) -> (u16, &'static str, Option<&'static str>) {
    let (status, _) = messages_word(kind);
    match kind {
        FailureKind::BadRequest => (400, "invalid_request_error", None),
        FailureKind::ContextTooLong => (
            400,
            "invalid_request_error",
            Some("context_length_exceeded"),
        ),
        FailureKind::Refused => (400, "invalid_request_error", Some("content_filter")),
        FailureKind::QuotaExhausted => (429, "insufficient_quota", Some("insufficient_quota")),
        FailureKind::BadKey | FailureKind::Forbidden => (403, "permission_error", None),
        FailureKind::NoSuchModel => (404, "invalid_request_error", Some("model_not_found")),
        FailureKind::RateLimited => (429, "rate_limit_error", Some("rate_limit_exceeded")),
        FailureKind::Overloaded => (503, "server_error", Some("server_is_overloaded")),
        _ => (status, "server_error", None),
    }
}

/// In the place of a message, or as an event's data.
pub(super) fn messages_value(failure: &Failure) -> Value {
    let (_, word) = messages_word(failure.kind);
    // Claude Code shortens the conversation at these words.
    let message = if failure.kind == FailureKind::ContextTooLong
        && !failure.message.contains("prompt is too long")
    {
        format!("prompt is too long: {}", failure.message)
    } else {
        failure.message.clone()
    };
    let mut value = json!({"type": "error", "error": {"type": word, "message": message}});
    if let Some(id) = &failure.request_id {
        value["request_id"] = json!(id);
    }
    value
}

pub(super) fn messages(failure: &Failure) -> ErrorAnswer {
    let (status, _) = messages_word(failure.kind);
    answer(status, failure, &messages_value(failure))
}

/// In the place of an answer, or as a chunk.
pub(super) fn openai_value(failure: &Failure) -> Value {
    let (_, kind, code) = openai_words(failure.kind);
    let error = json!({"message": failure.message, "type": kind, "param": null, "code": code});
    json!({"error": error})
}

pub(super) fn openai(failure: &Failure) -> ErrorAnswer {
    let (status, _, _) = openai_words(failure.kind);
    answer(status, failure, &openai_value(failure))
}

fn answer(status: u16, failure: &Failure, body: &Value) -> ErrorAnswer {
    ErrorAnswer {
        status,
        retry_after_s: failure.retry_after_ms.map(|ms| ms.div_ceil(1_000)),
        body: body.to_string().into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_status() {
        use FailureKind as K;
        let expected = [
            (K::BadKey, 403, 403),
            (K::Forbidden, 403, 403),
            (K::WrongUrl, 502, 502),
            (K::NoSuchModel, 404, 404),
            (K::BadRequest, 400, 400),
            (K::ContextTooLong, 400, 400),
            (K::Refused, 400, 400),
            (K::RateLimited, 429, 429),
            (K::QuotaExhausted, 402, 429),
            (K::Overloaded, 529, 503),
            (K::Server, 502, 502),
            (K::NotJson, 502, 502),
            (K::Malformed, 502, 502),
            (K::Truncated, 502, 502),
            (K::Connect, 502, 502),
            (K::StalledConnect, 504, 504),
            (K::StalledFirstByte, 504, 504),
            (K::StalledBetween, 504, 504),
            (K::Deadline, 504, 504),
            (K::Cancelled, 499, 499),
        ];
        assert_eq!(expected.len(), K::ALL.len());
        for (kind, theirs, other) in expected {
            let failure = Failure::new(kind, "m");
            assert_eq!(messages(&failure).status, theirs, "{kind}");
            assert_eq!(openai(&failure).status, other, "{kind}");
        }
    }

    #[test]
    fn the_bodies_are_those_of_the_protocols() {
        let mut failure = Failure::new(FailureKind::RateLimited, "slow down");
        failure.retry_after_ms = Some(1_001);
        failure.request_id = Some("req_1".to_owned());
        let said = messages(&failure);
        assert_eq!(said.retry_after_s, Some(2));
        assert_eq!(
            String::from_utf8(said.body).unwrap(),
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"},"request_id":"req_1"}"#
        );
        assert_eq!(
            String::from_utf8(openai(&failure).body).unwrap(),
            r#"{"error":{"message":"slow down","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}"#
        );
        let long = Failure::new(FailureKind::ContextTooLong, "131072 tokens at most");
        let said = messages_value(&long);
        assert_eq!(
            said["error"]["message"],
            "prompt is too long: 131072 tokens at most"
        );
        assert_eq!(
            openai_value(&long)["error"]["code"],
            "context_length_exceeded"
        );
    }
}
