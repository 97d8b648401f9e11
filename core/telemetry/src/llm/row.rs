//! What is remembered of one call to a model.
//! For: plain data. Not for: SQL.

use callboard_store::StoreError;

use crate::errors::ErrorClass;
use crate::{MicroDollars, Mode, Usage};

/// How a call to a model ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LlmOutcome {
    /// The model answered.
    #[default]
    Ok,
    /// It failed; the row says how.
    Error,
    /// Whoever asked gave it up.
    Cancelled,
    /// Its process was killed: what came of it is not known. A row that knows replaces this word.
    Lost,
}

impl LlmOutcome {
    /// The word in the column `outcome`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            LlmOutcome::Ok => "ok",
            LlmOutcome::Error => "error",
            LlmOutcome::Cancelled => "cancelled",
            LlmOutcome::Lost => "lost",
        }
    }

    pub(crate) fn parse(word: &str) -> Result<Self, StoreError> {
        [Self::Ok, Self::Error, Self::Cancelled, Self::Lost]
            .into_iter()
            .find(|outcome| outcome.as_str() == word)
            .ok_or_else(|| StoreError::Row(format!("outcome {word:?} is not known")))
    }
}

/// One call to a model: one attempt at one provider. What is `None` is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LlmCall {
    /// Its id, `c_…`: the row's key.
    pub id: String,
    /// When it began, milliseconds since 1970 UTC.
    pub at: i64,
    /// The trace that it belongs to: 32 hexadecimal digits.
    pub trace: Option<String>,
    /// The span or call that it was made for.
    pub parent: Option<String>,
    /// The server whose tool made it, or `gateway`.
    pub server: Option<String>,
    /// The tool that made it.
    pub tool: Option<String>,
    /// The agent on whose behalf it was made.
    pub agent: Option<String>,
    /// The task.
    pub task: Option<String>,
    /// The project.
    pub project: Option<String>,
    /// The route that was asked for.
    pub route: Option<String>,
    /// The provider, by its configured name.
    pub provider: String,
    /// Whose models these are, where the configuration says so by its prices or its wire: `openai`, `google`.
    pub vendor: Option<String>,
    /// The model that was asked.
    pub model: String,
    /// The model that answered, as it called itself.
    pub model_answered: Option<String>,
    /// The provider's account.
    pub account: Option<String>,
    /// Why this provider and model: candidates and reasons as JSON.
    pub decision: Option<String>,
    /// What it used.
    pub usage: Option<Usage>,
    /// How it was made, as far as its price depends on that.
    pub mode: Mode,
    /// What it cost. Unknown is not zero.
    pub cost: Option<MicroDollars>,
    /// Which version of the price table says so.
    pub price: Option<String>,
    /// How long it waited for its turn, in microseconds.
    pub queue_us: Option<u64>,
    /// From sending to the first byte of the answer, in microseconds.
    pub first_byte_us: Option<u64>,
    /// From sending to the end, in microseconds.
    pub total_us: Option<u64>,
    /// How it ended.
    pub outcome: LlmOutcome,
    /// What kind of error it was.
    pub error: Option<ErrorClass>,
    /// The provider's own word for the error.
    pub error_code: Option<String>,
    /// The HTTP status.
    pub status: Option<u16>,
    /// Why the model stopped, in the provider's word.
    pub finish: Option<String>,
    /// Which try at this provider it was, counted from 1.
    pub attempt: u32,
    /// How many candidates failed before this one.
    pub hop: u32,
    /// Bytes received from the provider.
    pub bytes_in: Option<u64>,
    /// Bytes sent to the provider.
    pub bytes_out: Option<u64>,
    /// Whether the answer came as a stream.
    pub streamed: bool,
}
