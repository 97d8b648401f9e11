//! What comes back from a model.

use super::{Charged, Image, Kept, Part};
use callboard_telemetry::{Counted, Usage};
use serde::{Deserialize, Serialize};

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The provider's id for the answer.
    pub id: Option<String>,
    /// The model that answered, where the provider says so; it may be more exact than the one asked for.
    pub model: Option<String>,
    /// What it said, in order.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub finish: Finish,
    /// The same in the provider's word.
    pub finish_word: Option<String>,
    /// What it used; absent when the provider does not say.
    pub usage: Option<Usage>,
    /// What it says of tiers and tools of its own.
    #[serde(default, skip_serializing_if = "Charged::is_empty")]
    pub charged: Charged,
    /// The provider's id for the request, from the headers.
    pub request_id: Option<String>,
    /// What may still be asked, from the headers.
    pub remaining: Remaining,
}

impl Reply {
    /// All its words, without thoughts.
    #[must_use]
    pub fn text(&self) -> String {
        self.parts
            .iter()
            .filter_map(|part| match part {
                Part::Text { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model was done.
    Stop,
    /// It came to a text where it should stop.
    StopSequence,
    /// It came to the most tokens.
    Length,
    /// It wants tools called.
    ToolCalls,
    /// It, or a filter of the provider's, declined.
    Refused,
    /// The provider paused a long turn; asked again, it goes on.
    Paused,
    /// For another reason; the provider's word says which.
    Other,
}

impl Finish {
    /// The word in rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Finish::Stop => "stop",
            Finish::StopSequence => "stop_sequence",
            Finish::Length => "length",
            Finish::ToolCalls => "tool_calls",
            Finish::Refused => "refused",
            Finish::Paused => "paused",
            Finish::Other => "other",
        }
    }
}

/// A piece of an answer, as it comes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The model begins.
    Started {
        /// The provider's id for the answer.
        id: Option<String>,
        /// The model that answers.
        model: Option<String>,
    },
    /// Words.
    Text {
        /// Some more of them.
        text: String,
    },
    /// Thoughts.
    Thinking {
        /// Some more of them.
        text: String,
    },
    /// What the provider wants back with the part that just came; a redacted thought is a part of its own.
    Kept(Kept),
    /// The model declines.
    Refusal {
        /// Some more of why.
        text: String,
    },
    /// A picture.
    Image(Image),
    /// A tool call begins.
    ToolCallStarted {
        /// Counts the calls of this answer from 0.
        index: usize,
        /// Names the call in its result.
        id: String,
        /// Which tool.
        name: String,
        /// What its provider wants back with it.
        kept: Option<Kept>,
    },
    /// More of a call's arguments.
    ToolCallDelta {
        /// Which call.
        index: usize,
        /// A piece of JSON text.
        arguments: String,
    },
    /// What was used so far; each replaces the one before. One that is not reported says that nothing is known: what
    /// the provider said can't be true.
    Usage(Usage),
    /// What was said so far that its price depends on, beside tokens; each replaces the one before.
    Charged(Charged),
    /// The answer is whole. Always the last.
    Finished {
        /// Why.
        finish: Finish,
        /// The same in the provider's word.
        word: Option<String>,
    },
}

/// What an [`Event::Usage`] says.
pub(crate) fn known(usage: Usage) -> Option<Usage> {
    Some(usage).filter(|usage| usage.counted == Counted::Reported)
}

impl Event {
    /// Whether the model said something with it, so that asking again would say it twice.
    #[must_use]
    pub fn is_content(&self) -> bool {
        !matches!(
            self,
            Event::Started { .. } | Event::Usage(_) | Event::Charged(_) | Event::Finished { .. }
        )
    }
}

/// What may still be asked of a provider, as its headers say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remaining {
    /// Requests.
    pub requests: Option<Allowance>,
    /// Tokens of either kind.
    pub tokens: Option<Allowance>,
    /// Tokens sent.
    pub input: Option<Allowance>,
    /// Tokens produced.
    pub output: Option<Allowance>,
}

impl Remaining {
    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Remaining::default()
    }

    /// All that were said.
    pub fn all(&self) -> impl Iterator<Item = Allowance> {
        [self.requests, self.tokens, self.input, self.output]
            .into_iter()
            .flatten()
    }
}

/// How much of one limit is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// How much there is in all.
    pub limit: Option<u64>,
    /// How much is left.
    pub left: u64,
    /// Milliseconds until it is whole again.
    pub reset_ms: Option<u64>,
}
