//! What could answer: a model of a provider, and what is known of it.

use callboard_telemetry::MicroDollars;
use serde::{Deserialize, Serialize};
use std::fmt;

use super::TaskClass;

/// A model of a provider, through one account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The provider's configured name.
    pub provider: String,
    /// The model, as the provider names it.
    pub model: String,
    /// Which of the user's accounts there; empty for the only one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub account: String,
    /// What it can do.
    pub offer: Offer,
    /// What of this request it can't be told, however able it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<String>,
    /// How it has done lately.
    pub health: Health,
    /// Tokens of the prompt as this model counts them; `None`: as [`Need::input`](super::Need::input) says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<u64>,
    /// What this request would cost at most; `None`: its price is not known.
    pub cost: Option<MicroDollars>,
    /// Why the request has no price here though the model has one; only where money is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpriced: Option<Unpriced>,
}

/// What of a request has no price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpriced {
    /// What, in words.
    pub what: String,
    /// What to do about it.
    pub instead: String,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)?;
        if !self.account.is_empty() {
            write!(f, " ({})", self.account)?;
        }
        Ok(())
    }
}

/// What a model can do. What nobody said is `None`, and no reason to leave it out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Offer {
    /// Tokens of prompt and answer together.
    pub window: Option<u64>,
    /// Tokens of an answer.
    pub max_output: Option<u64>,
    /// Calls tools.
    pub tools: Option<bool>,
    /// Sees pictures.
    pub images: Option<bool>,
    /// Has a JSON mode.
    pub json: Option<bool>,
    /// Holds itself to a JSON Schema.
    pub schema: Option<bool>,
    /// Runs on this machine.
    pub local: bool,
    /// Where it runs.
    pub region: Option<String>,
    /// The work it is meant for; none named: any.
    pub classes: Vec<TaskClass>,
}

/// How a candidate has done lately, and whether it may be asked now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// Milliseconds until its breaker lets a probe through; `None`: it is closed.
    pub open_for_ms: Option<u64>,
    /// Milliseconds until it may be asked again, as it said itself.
    pub cools_for_ms: Option<u64>,
    /// Which limit has nothing left for this request, in words, and the milliseconds until it has.
    pub limited: Option<(String, Option<u64>)>,
    /// The calls looked at.
    pub recent: Window,
}

/// The latest calls of a candidate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Window {
    /// How many.
    pub calls: u64,
    /// How many of them failed for reasons of the provider.
    pub failures: u64,
    /// Half of the good ones were complete within so many milliseconds.
    pub p50_ms: Option<u64>,
}

impl Window {
    /// Milliseconds that an answer takes, those counted in that have to be asked for again. Four good calls are
    /// imagined beside those seen, so that one bad start condemns nobody and what was never tried is tried.
    pub(super) fn expected_ms(self, unknown: u64) -> u64 {
        const IMAGINED: u64 = 4;
        let good = self.calls.saturating_sub(self.failures) + IMAGINED;
        let p50 = self.p50_ms.unwrap_or(unknown);
        p50.saturating_mul(self.calls + IMAGINED) / good
    }
}
