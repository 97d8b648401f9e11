//! What can go wrong between us and a model.
//!
//! For: one shape for every provider's errors, cut connections and stalls, exact enough to decide from. Not for:
//! deciding; whether to try again is the engine's business, these only say what would make sense.

use crate::chat::Remaining;
use serde::{Deserialize, Serialize};
use std::ops::{Deref, DerefMut};

/// What went wrong, by what can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The provider does not know the key.
    BadKey,
    /// It knows the key, which may not do this.
    Forbidden,
    /// Nothing speaks this wire at this address.
    WrongUrl,
    /// The provider has no such model, or has it no more.
    NoSuchModel,
    /// The request is not what the provider takes.
    BadRequest,
    /// More than the model's window holds.
    ContextTooLong,
    /// A filter of the provider's declined the prompt.
    Refused,
    /// Too many requests or tokens for now.
    RateLimited,
    /// The account has nothing left: money, or the day's share.
    QuotaExhausted,
    /// The provider has too much to do.
    Overloaded,
    /// The provider's own error.
    Server,
    /// Something else than the provider answered, such as a web page.
    NotJson,
    /// The provider's answer can't be read.
    Malformed,
    /// The answer broke off before its end.
    Truncated,
    /// No connection: refused, no such host, no TLS.
    Connect,
    /// Connecting took too long.
    StalledConnect,
    /// The answer did not begin in time.
    StalledFirstByte,
    /// The answer stood still in the middle.
    StalledBetween,
    /// The time for the whole call was over.
    Deadline,
    /// The caller called it off.
    Cancelled,
}

impl FailureKind {
    /// All of them.
    pub const ALL: [FailureKind; 20] = [
        FailureKind::BadKey,
        FailureKind::Forbidden,
        FailureKind::WrongUrl,
        FailureKind::NoSuchModel,
        FailureKind::BadRequest,
        FailureKind::ContextTooLong,
        FailureKind::Refused,
        FailureKind::RateLimited,
        FailureKind::QuotaExhausted,
        FailureKind::Overloaded,
        FailureKind::Server,
        FailureKind::NotJson,
        FailureKind::Malformed,
        FailureKind::Truncated,
        FailureKind::Connect,
        FailureKind::StalledConnect,
        FailureKind::StalledFirstByte,
        FailureKind::StalledBetween,
        FailureKind::Deadline,
        FailureKind::Cancelled,
    ];

    /// The word in rows and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            FailureKind::BadKey => "bad_key",
            FailureKind::Forbidden => "forbidden",
            FailureKind::WrongUrl => "wrong_url",
            FailureKind::NoSuchModel => "no_such_model",
            FailureKind::BadRequest => "bad_request",
            FailureKind::ContextTooLong => "context_too_long",
            FailureKind::Refused => "refused",
            FailureKind::RateLimited => "rate_limited",
            FailureKind::QuotaExhausted => "quota_exhausted",
            FailureKind::Overloaded => "overloaded",
            FailureKind::Server => "server",
            FailureKind::NotJson => "not_json",
            FailureKind::Malformed => "malformed",
            FailureKind::Truncated => "truncated",
            FailureKind::Connect => "connect",
            FailureKind::StalledConnect => "stalled_connect",
            FailureKind::StalledFirstByte => "stalled_first_byte",
            FailureKind::StalledBetween => "stalled_between",
            FailureKind::Deadline => "deadline",
            FailureKind::Cancelled => "cancelled",
        }
    }

    /// Whether it says that the provider is not well. What the caller or the settings did wrong does not, nor a limit:
    /// that has its own time to wait.
    #[must_use]
    pub fn counts_for_breaker(self) -> bool {
        matches!(
            self,
            FailureKind::Overloaded
                | FailureKind::Server
                | FailureKind::NotJson
                | FailureKind::Malformed
                | FailureKind::Truncated
                | FailureKind::Connect
                | FailureKind::StalledConnect
                | FailureKind::StalledFirstByte
                | FailureKind::StalledBetween
        )
    }

    /// Whether the same request may go well at the same provider, a little later.
    #[must_use]
    pub fn may_retry(self) -> bool {
        self == FailureKind::RateLimited || self.counts_for_breaker()
    }

    /// Whether another provider or model may do better.
    #[must_use]
    pub fn may_fail_over(self) -> bool {
        !matches!(
            self,
            FailureKind::BadRequest | FailureKind::Deadline | FailureKind::Cancelled
        )
    }
}

impl std::fmt::Display for FailureKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What went wrong. Its fields are those of [`Facts`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(transparent)]
#[error("{}", self.facts.message)]
pub struct Failure {
    facts: Box<Facts>,
}

/// What is known of a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// What it is.
    pub kind: FailureKind,
    /// The HTTP status, where there was one. An error inside a stream leaves the 200 that the stream began with.
    pub status: Option<u16>,
    /// The provider's own word for it.
    pub code: Option<String>,
    /// For people: what happened, in the provider's words where it had some, and what to do. Without secrets.
    pub message: String,
    /// Milliseconds to wait before asking this provider again, as it says.
    pub retry_after_ms: Option<u64>,
    /// The provider's id for the request.
    pub request_id: Option<String>,
    /// What may still be asked.
    pub remaining: Remaining,
    /// Whether a part of the answer has been handed on before: asking again would say it twice.
    pub after_bytes: bool,
}

impl Failure {
    /// A failure of which only this is known.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Failure {
        let facts = Facts {
            kind,
            status: None,
            code: None,
            message: message.into(),
            retry_after_ms: None,
            request_id: None,
            remaining: Remaining::default(),
            after_bytes: false,
        };
        Failure {
            facts: Box::new(facts),
        }
    }

    /// Whether the same request may go well at the same provider, and nobody would see an answer twice.
    #[must_use]
    pub fn may_retry(&self) -> bool {
        self.kind.may_retry() && !self.after_bytes
    }

    /// The same for another provider or model.
    #[must_use]
    pub fn may_fail_over(&self) -> bool {
        self.kind.may_fail_over() && !self.after_bytes
    }

    /// Whether it says that the provider is not well.
    #[must_use]
    pub fn counts_for_breaker(&self) -> bool {
        self.kind.counts_for_breaker()
    }
}

impl Deref for Failure {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.facts
    }
}

impl DerefMut for Failure {
    fn deref_mut(&mut self) -> &mut Facts {
        &mut self.facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_kind_has_its_word() {
        let words: BTreeSet<&str> = FailureKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(words.len(), FailureKind::ALL.len());
        for kind in FailureKind::ALL {
            let written = serde_json::to_value(kind).unwrap();
            assert_eq!(written, kind.as_str());
        }
    }

    #[test]
    fn what_was_handed_on_is_not_asked_for_again() {
        let mut failure = Failure::new(FailureKind::Truncated, "cut");
        assert!(failure.may_retry() && failure.may_fail_over() && failure.counts_for_breaker());
        failure.after_bytes = true;
        assert!(!failure.may_retry() && !failure.may_fail_over() && failure.counts_for_breaker());
    }

    #[test]
    fn what_the_caller_did_wrong_is_not_the_providers_fault() {
        for kind in [
            FailureKind::BadRequest,
            FailureKind::BadKey,
            FailureKind::Cancelled,
            FailureKind::RateLimited,
            FailureKind::Deadline,
        ] {
            assert!(!kind.counts_for_breaker(), "{kind}");
        }
        assert!(FailureKind::RateLimited.may_retry());
        assert!(FailureKind::BadKey.may_fail_over() && !FailureKind::BadKey.may_retry());
        assert!(!FailureKind::BadRequest.may_fail_over());
    }
}
