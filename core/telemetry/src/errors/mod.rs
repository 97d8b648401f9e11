//! What kind of failure a call to a model ended in, how bad that is, and what to do.
//!
//! For: one word for the many ways in which providers say the same. Rules over the status, the provider's
//! code and the words of the body; nothing learned. Not for: deciding whether to retry (routing does, from
//! its own typed failures) or reading the wire.
//!
//! How often it is right is measured on collected error bodies, half of which the rules were never adjusted
//! to: `core/telemetry/tests/telemetry/errors.rs`.

mod class;
mod phrases;
mod rules;

pub use class::{Category, ErrorClass, Severity};

/// How far a call came before it failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// No connection stood yet.
    Connecting,
    /// The request was under way or sent, and nothing came back.
    Waiting,
    /// An answer came whole.
    #[default]
    Answered,
    /// Part of an answer came.
    Streaming,
}

/// What is known of a failure.
#[derive(Debug, Clone, Copy, Default)]
pub struct ErrorFacts<'a> {
    /// The provider's name, as configured.
    pub provider: &'a str,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// The provider's code or type of the error, if it was read already.
    pub code: Option<&'a str>,
    /// The body, or what the connection's error says.
    pub text: &'a str,
    /// How far the call came.
    pub phase: Phase,
}

/// How sure a classification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Nothing was recognised.
    Low,
    /// The status or the phase says so, or a word that providers use for several things.
    Medium,
    /// The provider's own code or words say so.
    High,
}

/// What a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classified {
    /// What kind.
    pub class: ErrorClass,
    /// How sure that is.
    pub confidence: Confidence,
}

impl Classified {
    /// How bad it is.
    #[must_use]
    pub fn severity(self) -> Severity {
        self.class.severity()
    }

    /// What to do, in words.
    #[must_use]
    pub fn advice(self) -> &'static str {
        self.class.advice()
    }
}

/// Says what kind of failure this is. Looks at no more than the first 16 KiB of the text.
#[must_use]
pub fn classify(facts: &ErrorFacts<'_>) -> Classified {
    rules::classify(facts)
}
