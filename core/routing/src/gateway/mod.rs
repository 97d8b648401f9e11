//! The protocols that clients speak to this gateway.
//!
//! For: a client's request as a [`Chat`], and a model's answer in the client's own protocol, whoever gave it. Not for:
//! sending anything, keys, routes or limits; nothing here waits or reads a clock.

mod anthropic;
mod errors;
mod openai_chat;
mod passing;
mod read;
mod responses;
mod seal;

pub use errors::ErrorAnswer;
pub use passing::{Named, Seen, Tap, passes};
pub use read::Unfit;

use crate::chat::{Chat, Event, Message, Part, Reasoning, Reply, Role};
use crate::failure::Failure;
use crate::wire::{Mode, Wire};
use serde_json::Value;

/// A protocol that a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Anthropic's Messages.
    Messages,
    /// OpenAI's chat completions.
    Completions,
    /// OpenAI's Responses.
    Responses,
}

impl Dialect {
    /// The wire whose providers understand the client's body as it is.
    #[must_use]
    pub fn wire(self) -> Option<Wire> {
        match self {
            Dialect::Messages => Some(Wire::Anthropic),
            Dialect::Completions => Some(Wire::OpenAi),
            Dialect::Responses => None,
        }
    }

    /// What the client asks for.
    ///
    /// # Errors
    /// What is wrong with it, or has no translation, with its name and place. Nothing that changes the answer is left
    /// out in silence.
    pub fn decode(self, body: &[u8]) -> Result<Asked, Unfit> {
        match self {
            Dialect::Messages => anthropic::decode(body),
            Dialect::Completions => openai_chat::decode(body),
            Dialect::Responses => responses::decode(body),
        }
    }

    /// A failure, when no byte of an answer was sent.
    #[must_use]
    pub fn refuse(self, failure: &Failure) -> ErrorAnswer {
        match self {
            Dialect::Messages => errors::messages(failure),
            Dialect::Completions | Dialect::Responses => errors::openai(failure),
        }
    }
}

/// The chat whose tokens `POST /v1/messages/count_tokens` wants counted.
///
/// # Errors
/// As [`Dialect::decode`].
pub fn decode_count(body: &[u8]) -> Result<Chat, Unfit> {
    anthropic::decode_count(body)
}

/// What a client asks for, and how it wants the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The question; its model is the name that the client used.
    pub chat: Chat,
    /// Whole or as it is made.
    pub mode: Mode,
    style: Style,
}

/// What of a request only its answer needs.
#[derive(Debug, Clone, PartialEq)]
enum Style {
    Messages {
        /// The client wants to see thoughts.
        thinking: bool,
    },
    Completions {
        /// The client wants to know at the end of a stream what was used.
        usage: bool,
    },
    Responses {
        /// Which tools are more than functions.
        names: responses::Names,
    },
}

/// What an answer says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// Its id, unique; letters, digits and `_`.
    pub id: String,
    /// The model, where the provider does not say.
    pub model: String,
    /// When it was asked for, seconds since 1970-01-01 UTC.
    pub created_s: i64,
}

impl Asked {
    /// An answer in one piece.
    ///
    /// # Errors
    /// [`Malformed`](crate::failure::FailureKind::Malformed) when the protocol has no words for what the model said.
    pub fn reply(&self, reply: &Reply, stamp: &Stamp) -> Result<Vec<u8>, Failure> {
        let value = match &self.style {
            Style::Messages { thinking } => anthropic::reply(reply, stamp, *thinking)?,
            Style::Completions { .. } => openai_chat::reply(reply, stamp)?,
            Style::Responses { names } => responses::reply(reply, stamp, names)?,
        };
        Ok(value.to_string().into_bytes())
    }

    /// An answer as it is made.
    #[must_use]
    pub fn stream(&self, stamp: Stamp) -> Stream {
        let writer = match &self.style {
            Style::Messages { thinking } => {
                Writer::Messages(anthropic::Writer::new(stamp, *thinking))
            }
            Style::Completions { usage } => {
                Writer::Completions(openai_chat::Writer::new(stamp, *usage))
            }
            Style::Responses { names } => {
                Writer::Responses(responses::Writer::new(stamp, names.clone()))
            }
        };
        Stream {
            writer,
            over: false,
        }
    }
}

/// Writes an answer as server-sent events.
#[derive(Debug)]
pub struct Stream {
    writer: Writer,
    over: bool,
}

#[derive(Debug)]
enum Writer {
    Messages(anthropic::Writer),
    Completions(openai_chat::Writer),
    Responses(responses::Writer),
}

impl Stream {
    /// Takes the next event; what the client is to get goes to `out`, which may be nothing. What the protocol has no
    /// words for ends the answer with an error.
    pub fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        self.over = matches!(event, Event::Finished { .. });
        let written = match &mut self.writer {
            Writer::Messages(writer) => writer.event(event, out),
            Writer::Completions(writer) => writer.event(event, out),
            Writer::Responses(writer) => writer.event(event, out),
        };
        if let Err(failure) = written {
            self.over = false;
            self.fail(&failure, out);
        }
    }

    /// The answer broke off: says so inside it. Before the first byte, [`Dialect::refuse`] says it better.
    pub fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        match &mut self.writer {
            Writer::Messages(_) => named(&errors::messages_value(failure), out),
            Writer::Responses(writer) => writer.fail(failure, out),
            Writer::Completions(_) => {
                let data = errors::openai_value(failure);
                out.extend_from_slice(format!("data: {data}\n\n").as_bytes());
            }
        }
    }

    /// Whether the end was written.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over
    }
}

/// Bends a chat where another wire has only a coarser word for the same wish; says what was bent.
///
/// A number of tokens to think becomes an effort for OpenAI's wire and Ollama's; a user's id that is too long for
/// OpenAI's wire is left out.
pub fn fit(chat: &mut Chat, wire: Wire) -> Vec<&'static str> {
    let mut bent = Vec::new();
    if let (Some(Reasoning::Budget(tokens)), Wire::OpenAi | Wire::Ollama) = (chat.reasoning, wire) {
        chat.reasoning = Some(match tokens {
            0..=1_024 => Reasoning::Low,
            1_025..=8_192 => Reasoning::Medium,
            _ => Reasoning::High,
        });
        bent.push("thinking budget as effort");
    }
    let long = chat.user.as_ref().is_some_and(|user| user.len() > 64);
    if long && wire == Wire::OpenAi {
        chat.user = None;
        bent.push("user id left out");
    }
    bent
}

/// A message of the operator's inside the conversation. Before the model's first answer it belongs to the system's
/// words; later it stays in its place, marked, among the caller's.
fn late_system(chat: &mut Chat, text: String) {
    let answered = |message: &Message| message.role == Role::Assistant;
    if chat.messages.iter().any(answered) {
        let text = format!("<system-message>\n{text}\n</system-message>");
        chat.messages.push(Message::user(&text));
    } else {
        chat.system.push(text);
    }
}

/// An event with its name.
fn named(value: &Value, out: &mut Vec<u8>) {
    let name = value["type"].as_str().unwrap_or_default();
    out.extend_from_slice(format!("event: {name}\ndata: {value}\n\n").as_bytes());
}

/// A picture that a model made.
fn no_picture(protocol: &str) -> Failure {
    unsayable(protocol, "a picture")
}

fn unsayable(protocol: &str, what: &str) -> Failure {
    Failure::new(
        crate::failure::FailureKind::Malformed,
        format!("the model answered with {what}, for which {protocol} has no words"),
    )
}

/// A part that only a caller's turn may hold.
fn misplaced(protocol: &str, part: &Part) -> Failure {
    unsayable(protocol, &format!("a {}", part.kind()))
}
