//! What a request needs.

use callboard_telemetry::MicroDollars;
use serde::{Deserialize, Serialize};
use std::fmt;

use crate::chat::{Chat, Output, Part};

/// How hard the work is, as whoever asks declares it. Nobody guesses it: what can be seen of a prompt hardly tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskClass {
    /// A small model will do: renaming, formatting, a commit message.
    Simple,
    /// The usual.
    Standard,
    /// A strong model: design, a hard bug.
    Complex,
}

impl TaskClass {
    /// All of them, easiest first.
    pub const ALL: [TaskClass; 3] = [TaskClass::Simple, TaskClass::Standard, TaskClass::Complex];

    /// The word in settings and rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            TaskClass::Simple => "simple",
            TaskClass::Standard => "standard",
            TaskClass::Complex => "complex",
        }
    }
}

impl fmt::Display for TaskClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a prompt may go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Privacy {
    /// To any configured provider.
    #[default]
    Any,
    /// Nowhere but this machine.
    LocalOnly,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Words.
    #[default]
    Text,
    /// JSON.
    Json,
    /// JSON of a schema that the model holds itself to.
    Schema,
}

/// What a request needs of the model that answers it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// Tokens of the prompt, as estimated.
    pub input: u64,
    /// Tokens that the answer may have at most; `None`: as many as the model likes.
    pub output: Option<u64>,
    /// It brings tools.
    pub tools: bool,
    /// It shows pictures.
    pub images: bool,
    /// The form that the answer has to have.
    pub format: Format,
    /// Where it may go.
    pub privacy: Privacy,
    /// Regions it may go to; none named: any.
    pub regions: Vec<String>,
    /// What it may cost at most.
    pub max_cost: Option<MicroDollars>,
    /// Milliseconds within which the whole answer has to be there.
    pub within_ms: Option<u64>,
    /// How hard it is, where anybody said so.
    pub class: Option<TaskClass>,
}

impl Need {
    /// What can be seen from the request itself; `input` is the estimate of its prompt.
    #[must_use]
    pub fn of(chat: &Chat, input: u64) -> Need {
        let parts = || chat.messages.iter().flat_map(|message| &message.parts);
        Need {
            input,
            output: chat.max_output,
            tools: !chat.tools.is_empty(),
            images: parts().any(shows_a_picture),
            format: match chat.output {
                Output::Text => Format::Text,
                Output::Json => Format::Json,
                Output::Schema { .. } => Format::Schema,
            },
            ..Need::default()
        }
    }
}

fn shows_a_picture(part: &Part) -> bool {
    match part {
        Part::Image(_) => true,
        Part::ToolResult { parts, .. } => parts.iter().any(shows_a_picture),
        _ => false,
    }
}
