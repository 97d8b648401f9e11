//! A conversation with a model, in one shape for every provider.
//!
//! For: what is asked ([`Chat`]), what comes back whole ([`Reply`]) or piece by piece ([`Event`]). Not for: how a
//! provider writes it down ([`wire`](crate::wire) knows).

mod assembly;
mod charged;
mod reply;

pub use assembly::Assembly;
pub(crate) use charged::COUNTED;
pub use charged::Charged;
pub(crate) use reply::known;
pub use reply::{Allowance, Event, Finish, Remaining, Reply};

use crate::wire::Wire;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One request to a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Chat {
    /// The model, by the provider's own name.
    pub model: String,
    /// What the model is told before the conversation, in order.
    pub system: Vec<String>,
    /// The conversation so far, oldest first.
    pub messages: Vec<Message>,
    /// What the model may call.
    pub tools: Vec<ToolSpec>,
    /// Whether it must.
    pub tool_choice: ToolChoice,
    /// Whether it may call several tools at once; the provider's default when absent.
    pub parallel_tools: Option<bool>,
    /// The form of the answer.
    pub output: Output,
    /// The most tokens to produce, reasoning included; the provider's default when absent.
    pub max_output: Option<u64>,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// How much the model thinks first; the provider's default when absent.
    pub reasoning: Option<Reasoning>,
    /// Who the provider is told asks: an opaque id, never a name.
    pub user: Option<String>,
}

impl Chat {
    /// One question.
    #[must_use]
    pub fn ask(model: &str, text: &str) -> Chat {
        Chat {
            model: model.to_owned(),
            messages: vec![Message::user(text)],
            ..Chat::default()
        }
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The caller, and the tools it ran.
    User,
    /// The model.
    Assistant,
}

/// What one side said in its turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who.
    pub role: Role,
    /// What, in order.
    pub parts: Vec<Part>,
}

impl Message {
    /// A text of the caller's.
    #[must_use]
    pub fn user(text: &str) -> Message {
        Message {
            role: Role::User,
            parts: vec![Part::text(text)],
        }
    }

    /// What the model said, to be given back to it.
    #[must_use]
    pub fn assistant(parts: Vec<Part>) -> Message {
        Message {
            role: Role::Assistant,
            parts,
        }
    }
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    /// Words.
    Text {
        /// The words.
        text: String,
        /// What its provider wants back with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kept: Option<Kept>,
    },
    /// A picture.
    Image(Image),
    /// What the model thought, as far as its provider shows it. Given back only to the wire it came from, and only
    /// with what was kept: nobody else can check it.
    Thinking {
        /// The words; empty when they are hidden.
        text: String,
        /// What its provider wants back with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kept: Option<Kept>,
    },
    /// The model calls a tool.
    ToolCall {
        /// Names the call in its result; unique in the conversation.
        id: String,
        /// Which tool.
        name: String,
        /// A JSON object as text, as the model wrote it; it may be malformed.
        arguments: String,
        /// What its provider wants back with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kept: Option<Kept>,
    },
    /// What a tool answered.
    ToolResult {
        /// Which call.
        id: String,
        /// Which tool; some wires name it instead of the call. May be empty when the call is in the conversation.
        #[serde(default)]
        name: String,
        /// Texts and pictures.
        parts: Vec<Part>,
        /// Whether the tool failed.
        #[serde(default)]
        is_error: bool,
    },
    /// The model declines, in a field of its own.
    Refusal {
        /// Why, in its words.
        text: String,
    },
}

impl Part {
    /// Words.
    #[must_use]
    pub fn text(text: &str) -> Part {
        Part::Text {
            text: text.to_owned(),
            kept: None,
        }
    }

    /// The name for messages to people.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Part::Text { .. } => "text",
            Part::Image(_) => "image",
            Part::Thinking { .. } => "thinking",
            Part::ToolCall { .. } => "tool call",
            Part::ToolResult { .. } => "tool result",
            Part::Refusal { .. } => "refusal",
        }
    }
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Image {
    /// The picture itself.
    Inline {
        /// `image/png` and the like.
        media_type: String,
        /// Its bytes in base64 (standard alphabet, padded).
        data: String,
    },
    /// Where the provider finds it.
    Url {
        /// The address.
        url: String,
    },
}

/// Something opaque that a provider gave with a part and wants back with it, unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Who can read it.
    pub wire: Wire,
    /// What it is.
    pub form: Form,
    /// The thing itself.
    pub payload: String,
}

/// What a [`Kept`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A signature over the part.
    Signature,
    /// The thought itself, which only the provider can read.
    Redacted,
    /// The name of the field that the thought stood in.
    Field,
}

/// A tool that the model may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Its name.
    pub name: String,
    /// When to call it.
    #[serde(default)]
    pub description: String,
    /// JSON Schema of its arguments; an object.
    pub parameters: Value,
    /// Whether arguments must keep to the schema; the provider's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

/// Whether a tool must be called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// As the model likes.
    #[default]
    Auto,
    /// No tool.
    None,
    /// Any, but one of them.
    Any,
    /// This one.
    Named(String),
}

/// The form of an answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// Words.
    #[default]
    Text,
    /// One JSON value.
    Json,
    /// One JSON value of this schema.
    Schema {
        /// A name for it: letters, digits, `_` and `-`.
        name: String,
        /// The JSON Schema.
        schema: Value,
    },
}

/// How tokens are drawn; the provider's default where absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sampling {
    /// 0 is the likeliest token always.
    pub temperature: Option<f64>,
    /// Among the likeliest that together have this share.
    pub top_p: Option<f64>,
    /// Among this many of the likeliest.
    pub top_k: Option<u64>,
    /// The same again for the same seed, as far as the provider can.
    pub seed: Option<i64>,
    /// Where to stop.
    pub stop: Vec<String>,
    /// Against saying the same often.
    pub frequency_penalty: Option<f64>,
    /// Against saying the same at all.
    pub presence_penalty: Option<f64>,
}

/// How much a model thinks before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reasoning {
    /// Not at all.
    Off,
    /// Hardly.
    Minimal,
    /// Little.
    Low,
    /// As usual.
    Medium,
    /// Much.
    High,
    /// At most this many tokens.
    Budget(u64),
}
