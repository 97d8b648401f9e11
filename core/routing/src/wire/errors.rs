//! What a provider says when it does not answer, and which kind of failure that is.
//!
//! One reader for every wire: who offers OpenAI's wire writes errors in many shapes, and gateways mix them. The words by
//! which kinds are told apart are telemetry's; here stands where they are found.

use super::headers::{leading_ms, remaining, request_id, retry_after, retry_in_words};
use super::{Head, Wire};
use crate::failure::{Failure, FailureKind};
use callboard_telemetry::errors::{ErrorClass, ErrorFacts, Phase, classify};
use serde_json::Value;

/// The most characters of a provider's message that are kept.
const MESSAGE_CHARS: usize = 1_000;

/// A failure of this kind, with all that the head says.
pub(super) fn failure(head: &Head, kind: FailureKind, message: &str) -> Failure {
    let mut failure = Failure::new(kind, clean(message));
    failure.status = Some(head.status);
    failure.request_id = request_id(&head.headers);
    failure.remaining = remaining(&head.headers, head.now_ms);
    failure.retry_after_ms = retry_after(&head.headers, head.now_ms);
    failure
}

/// The chat asks for something that the wire has no words for.
pub(super) fn unsupported(wire: Wire, what: &str) -> Failure {
    Failure::new(
        FailureKind::BadRequest,
        format!(
            "the {wire} wire has no {what}: leave it out, or route to a provider that speaks another wire"
        ),
    )
}

/// What should be JSON is not.
pub(super) fn unreadable(head: &Head, what: &str, error: &serde_json::Error) -> Failure {
    let kind = if error.is_eof() {
        FailureKind::Truncated
    } else {
        FailureKind::Malformed
    };
    failure(head, kind, &format!("{what} is not JSON: {error}"))
}

/// Something else than the provider answered.
pub(super) fn foreign(head: &Head, body: &str) -> Failure {
    let what = if is_page(body) {
        "a web page"
    } else {
        "something that is no answer of a model"
    };
    let message = format!(
        "status {} with {what}: a proxy, a sign-in page or another service answered instead of the provider",
        head.status
    );
    failure(head, FailureKind::NotJson, &message)
}

/// The stream ended without its end.
pub(super) fn cut(head: &Head) -> Failure {
    failure(
        head,
        FailureKind::Truncated,
        "the answer broke off before its end",
    )
}

/// A body begins as HTML and XML do.
pub(super) fn is_page(body: &str) -> bool {
    body.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n'])
        .starts_with('<')
}

/// An answer with a status that is none of success.
pub(super) fn refused(wire: Wire, head: &Head, body: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(body);
    let said = serde_json::from_str(&text)
        .ok()
        .and_then(|value| Said::read(&value));
    let Some(said) = said else {
        let kind = kind_of(wire, head, &Said::default(), &text);
        let message = match text.trim() {
            "" => format!("status {} without a word", head.status),
            text if is_page(text) => format!("status {} with a web page", head.status),
            text => format!("status {}: {text}", head.status),
        };
        let message = match head.headers.get("location").map(|to| to.to_str()) {
            Some(Ok(to)) => format!("status {}: it points to {to}", head.status),
            _ => message,
        };
        let mut failure = failure(head, kind, &message);
        failure.retry_after_ms = failure.retry_after_ms.or_else(|| retry_in_words(&text));
        return limited(failure);
    };
    let kind = kind_of(wire, head, &said, &text);
    said.into_failure(head, kind)
}

/// An error in the place of an answer that began well, if this is one.
pub(super) fn in_band(wire: Wire, head: &Head, value: &Value) -> Option<Failure> {
    let is = match value.get("error") {
        Some(error) => !error.is_null(),
        None => value["type"] == "error" || value["object"] == "error",
    };
    if !is {
        return None;
    }
    let said = Said::read(value).unwrap_or_default();
    let kind = kind_of(wire, head, &said, &value.to_string());
    Some(said.into_failure(head, kind))
}

/// A prompt that a filter declined.
pub(super) fn declined(head: &Head, reason: &str) -> Failure {
    let message = format!("the provider declined the prompt ({reason})");
    let mut failure = failure(head, FailureKind::Refused, &message);
    failure.code = Some(clean(reason));
    failure
}

/// What an error says, whatever its shape.
#[derive(Debug, Default)]
struct Said {
    message: String,
    /// The most exact word: OpenAI's `code`, else `type`, Gemini's `status`.
    code: Option<String>,
    status: Option<u16>,
    retry_after_ms: Option<u64>,
    request_id: Option<String>,
    /// A share for a day or longer is used up.
    daily: bool,
}

impl Said {
    fn read(value: &Value) -> Option<Said> {
        // Gemini wraps an error into an array where it would stream one.
        let value = value.get(0).unwrap_or(value);
        let object = value.as_object()?;
        let error = object.get("error").unwrap_or(value);
        let text = |value: &Value| match value {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Array(_) => Some(value.to_string()),
            _ => None,
        };
        let message = [
            &error["message"],
            error,
            &value["message"],
            &value["detail"],
        ]
        .into_iter()
        .find_map(text)
        .or_else(|| text(&error["type"]))?;
        let words = [&error["code"], &error["status"], &error["type"]];
        let code = words
            .into_iter()
            .filter(|word| word.as_str() != Some("error"))
            .filter_map(text)
            // A number only repeats the status.
            .min_by_key(|word| word.parse::<u16>().is_ok());
        let status = [&error["code"], &error["status_code"], &error["status"]]
            .into_iter()
            .find_map(Value::as_u64)
            .and_then(|status| u16::try_from(status).ok());
        let mut said = Said {
            code,
            status,
            request_id: text(&value["request_id"]).or_else(|| text(&error["request_id"])),
            ..Said::default()
        };
        for detail in error["details"].as_array().into_iter().flatten() {
            said.detail(detail);
        }
        said.retry_after_ms = said.retry_after_ms.or_else(|| retry_in_words(&message));
        said.message = message;
        Some(said)
    }

    /// A detail of Google's (`google.rpc`).
    fn detail(&mut self, detail: &Value) {
        let kind = detail["@type"].as_str().unwrap_or_default();
        if kind.ends_with("RetryInfo") {
            let delay = detail["retryDelay"].as_str();
            self.retry_after_ms = delay.and_then(leading_ms);
        }
        let violations = detail["violations"].as_array().into_iter().flatten();
        for violation in violations {
            let quota = violation["quotaId"].as_str().unwrap_or_default();
            self.daily |= quota.contains("PerDay") || quota.contains("PerMonth");
        }
    }

    fn into_failure(self, head: &Head, kind: FailureKind) -> Failure {
        let mut failure = failure(head, kind, &self.message);
        failure.code = self.code.as_deref().map(clean);
        failure.request_id = failure
            .request_id
            .take()
            .or(self.request_id.as_deref().map(clean));
        failure.retry_after_ms = failure.retry_after_ms.or(self.retry_after_ms);
        limited(failure)
    }
}

/// Whoever is limited and not told for how long waits for the limit that is used up.
fn limited(mut failure: Failure) -> Failure {
    if failure.kind == FailureKind::RateLimited && failure.retry_after_ms.is_none() {
        let used_up = failure.remaining.all().filter(|limit| limit.left == 0);
        failure.retry_after_ms = used_up.filter_map(|limit| limit.reset_ms).max();
    }
    failure
}

/// What kind of failure it is. The words are telemetry's, which are measured on collected bodies; here stands only what
/// it can't know: this wire's details, and what an engine can do about the rest.
fn kind_of(wire: Wire, head: &Head, said: &Said, text: &str) -> FailureKind {
    let inside = head.is_success();
    let status = if inside {
        said.status
    } else {
        Some(head.status)
    };
    if matches!(status, Some(300..=399)) {
        return FailureKind::WrongUrl;
    }
    // Gemini calls a share of a minute and one of a day the same; its details tell.
    if said.daily {
        return FailureKind::QuotaExhausted;
    }
    let facts = ErrorFacts {
        provider: wire.as_str(),
        status,
        code: said.code.as_deref(),
        text,
        phase: Phase::Answered,
    };
    match classify(&facts).class {
        ErrorClass::BadKey => FailureKind::BadKey,
        ErrorClass::Forbidden => FailureKind::Forbidden,
        ErrorClass::RateLimited => FailureKind::RateLimited,
        ErrorClass::QuotaExhausted => FailureKind::QuotaExhausted,
        ErrorClass::NoSuchModel => FailureKind::NoSuchModel,
        ErrorClass::WrongUrl => FailureKind::WrongUrl,
        ErrorClass::ContextTooLong => FailureKind::ContextTooLong,
        ErrorClass::Unsupported | ErrorClass::BadRequest => FailureKind::BadRequest,
        ErrorClass::Refused => FailureKind::Refused,
        ErrorClass::Overloaded => FailureKind::Overloaded,
        // What the provider's own connections and clocks did is its own trouble to us.
        _ => match status {
            Some(status) if status < 500 && status != 408 => FailureKind::BadRequest,
            _ => FailureKind::Server,
        },
    }
}

/// Without secrets and control characters, and not too long.
fn clean(text: &str) -> String {
    let scrubbed = callboard_redact::scrub(text);
    let mut chars = scrubbed.trim().chars();
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut kept: String = chars.by_ref().take(MESSAGE_CHARS).map(plain).collect();
    if chars.next().is_some() {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
#[path = "errors_tests.rs"]
mod tests;
