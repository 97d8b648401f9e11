//! The kinds of failure.
//! For: their names, groups, weight and advice. Not for: recognising one.

use serde::Serialize;

/// What a failure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Who may call.
    Access,
    /// How much may be called.
    Limits,
    /// What was asked.
    Request,
    /// The provider's own trouble.
    Provider,
    /// The way there and back.
    Connection,
    /// Not recognised.
    Unknown,
}

impl Category {
    /// The category in one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Category::Access => "access",
            Category::Limits => "limits",
            Category::Request => "request",
            Category::Provider => "provider",
            Category::Connection => "connection",
            Category::Unknown => "unknown",
        }
    }
}

/// How bad a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Passes by itself within minutes.
    Notice,
    /// Likely to pass, or to be answered by another candidate.
    Warning,
    /// This call fails again unless something changes.
    Error,
    /// Every call there fails until a person acts.
    Critical,
}

impl Severity {
    /// The severity in one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Notice => "notice",
            Severity::Warning => "warning",
            Severity::Error => "error",
            Severity::Critical => "critical",
        }
    }
}

/// A kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The key is missing, wrong or no longer valid.
    BadKey,
    /// The key is good, but may not do this: permission, country, a closed account, an API not enabled.
    Forbidden,
    /// Too much in a short time: passes by itself within minutes.
    RateLimited,
    /// Money or a quota of days or of the plan is used up: waiting does not help.
    QuotaExhausted,
    /// The provider does not have this model, or not for this account.
    NoSuchModel,
    /// Nothing, or something else, answers at this address.
    WrongUrl,
    /// The request is longer than the model, the provider or the account takes.
    ContextTooLong,
    /// The model lacks what was asked of it: tools, pictures, a parameter.
    Unsupported,
    /// The request is malformed.
    BadRequest,
    /// The provider's policy refused the content.
    Refused,
    /// The provider, or this machine, has no room for the call now.
    Overloaded,
    /// The provider failed.
    Server,
    /// An answer came that is not one: a web page, broken JSON, a model's unusable tool call.
    BadAnswer,
    /// No connection: name, refusal, certificate, proxy.
    Unreachable,
    /// Nothing came for too long.
    TimedOut,
    /// The answer broke off.
    CutOff,
    /// Not recognised.
    Unknown,
}

impl ErrorClass {
    /// All of them.
    pub const ALL: [ErrorClass; 17] = [
        ErrorClass::BadKey,
        ErrorClass::Forbidden,
        ErrorClass::RateLimited,
        ErrorClass::QuotaExhausted,
        ErrorClass::NoSuchModel,
        ErrorClass::WrongUrl,
        ErrorClass::ContextTooLong,
        ErrorClass::Unsupported,
        ErrorClass::BadRequest,
        ErrorClass::Refused,
        ErrorClass::Overloaded,
        ErrorClass::Server,
        ErrorClass::BadAnswer,
        ErrorClass::Unreachable,
        ErrorClass::TimedOut,
        ErrorClass::CutOff,
        ErrorClass::Unknown,
    ];

    /// The word in the column `error`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorClass::BadKey => "bad_key",
            ErrorClass::Forbidden => "forbidden",
            ErrorClass::RateLimited => "rate_limited",
            ErrorClass::QuotaExhausted => "quota_exhausted",
            ErrorClass::NoSuchModel => "no_such_model",
            ErrorClass::WrongUrl => "wrong_url",
            ErrorClass::ContextTooLong => "context_too_long",
            ErrorClass::Unsupported => "unsupported",
            ErrorClass::BadRequest => "bad_request",
            ErrorClass::Refused => "refused",
            ErrorClass::Overloaded => "overloaded",
            ErrorClass::Server => "server",
            ErrorClass::BadAnswer => "bad_answer",
            ErrorClass::Unreachable => "unreachable",
            ErrorClass::TimedOut => "timed_out",
            ErrorClass::CutOff => "cut_off",
            ErrorClass::Unknown => "unknown",
        }
    }

    /// The class of this word; a word that is not known, such as a newer program's, is `Unknown`.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        let all = Self::ALL.into_iter();
        all.into_iter()
            .find(|class| class.as_str() == word)
            .unwrap_or(ErrorClass::Unknown)
    }

    /// What it is about.
    #[must_use]
    pub fn category(self) -> Category {
        match self {
            ErrorClass::BadKey | ErrorClass::Forbidden => Category::Access,
            ErrorClass::RateLimited | ErrorClass::QuotaExhausted => Category::Limits,
            ErrorClass::NoSuchModel
            | ErrorClass::WrongUrl
            | ErrorClass::ContextTooLong
            | ErrorClass::Unsupported
            | ErrorClass::BadRequest
            | ErrorClass::Refused => Category::Request,
            ErrorClass::Overloaded | ErrorClass::Server | ErrorClass::BadAnswer => {
                Category::Provider
            }
            ErrorClass::Unreachable | ErrorClass::TimedOut | ErrorClass::CutOff => {
                Category::Connection
            }
            ErrorClass::Unknown => Category::Unknown,
        }
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            ErrorClass::RateLimited => Severity::Notice,
            ErrorClass::ContextTooLong
            | ErrorClass::Refused
            | ErrorClass::Overloaded
            | ErrorClass::Server
            | ErrorClass::TimedOut
            | ErrorClass::CutOff => Severity::Warning,
            ErrorClass::NoSuchModel
            | ErrorClass::Unsupported
            | ErrorClass::BadRequest
            | ErrorClass::BadAnswer
            | ErrorClass::Unreachable
            | ErrorClass::Unknown => Severity::Error,
            ErrorClass::BadKey
            | ErrorClass::Forbidden
            | ErrorClass::QuotaExhausted
            | ErrorClass::WrongUrl => Severity::Critical,
        }
    }

    /// What to do, in words: whether to try again, and what a person can change.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            ErrorClass::BadKey => {
                "Do not retry. Put a valid key for this provider into the vault or the environment variable that its settings name."
            }
            ErrorClass::Forbidden => {
                "Do not retry. In the provider's console, check what this key may do, whether the API is enabled, and whether the account and this country are allowed."
            }
            ErrorClass::RateLimited => {
                "Retry after the time the provider names, or after a growing pause; send less at once, or add a second candidate to the route."
            }
            ErrorClass::QuotaExhausted => {
                "Do not retry. Add credit or raise the plan's limit at the provider, wait for the quota's next period, or use another candidate."
            }
            ErrorClass::NoSuchModel => {
                "Do not retry. List the provider's models and correct the name; a local model must be pulled first."
            }
            ErrorClass::WrongUrl => {
                "Do not retry. Correct the provider's base_url: often /v1 is missing, doubled, or the whole path was given."
            }
            ErrorClass::ContextTooLong => {
                "Do not retry as it is. Send less, compact the conversation, or use a model or an account that takes more."
            }
            ErrorClass::Unsupported => {
                "Do not retry as it is. Leave out the tools, pictures or parameter that it names, or use a model that has them."
            }
            ErrorClass::BadRequest => {
                "Do not retry. The request is malformed: the message names the field; if it was translated between providers, report it."
            }
            ErrorClass::Refused => {
                "Do not retry unchanged. Reword the request, or use a model with another policy."
            }
            ErrorClass::Overloaded => {
                "Retry after a growing pause, or use another candidate; on your own machine, use a smaller model or free memory."
            }
            ErrorClass::Server => {
                "Retry once or twice after a pause, then use another candidate; if it lasts, look at the provider's status page."
            }
            ErrorClass::BadAnswer => {
                "Retry once. If it stays, something between us and the provider answers in its place: check base_url and proxies, or use another model."
            }
            ErrorClass::Unreachable => {
                "Check that the host name is right, that the server runs, and that proxy, firewall and certificates let us through; then retry."
            }
            ErrorClass::TimedOut => {
                "Retry, streamed if it was not; for slow models raise the provider's time limits."
            }
            ErrorClass::CutOff => {
                "Retry from the start; what came until then is not the whole answer. If it repeats, look for a proxy that limits time."
            }
            ErrorClass::Unknown => {
                "Look at the provider's message; retry once, then use another candidate."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_a_word_of_its_own_that_is_read_back() {
        for class in ErrorClass::ALL {
            assert_eq!(ErrorClass::parse(class.as_str()), class);
        }
        assert_eq!(ErrorClass::parse("of_tomorrow"), ErrorClass::Unknown);
    }

    #[test]
    fn advice_says_whether_to_retry_unless_there_is_something_to_check_first() {
        for class in ErrorClass::ALL {
            let advice = class.advice().to_lowercase();
            assert!(advice.contains("retry"), "{class:?}");
        }
    }
}
