//! The protocols that providers speak.
//!
//! For: turning a [`Chat`](crate::chat::Chat) into a request, and what comes back into values. Not for: sending
//! anything; nothing here waits, connects or reads a clock.

mod anthropic;
mod counting;
mod decoder;
mod errors;
mod framing;
mod gemini;
mod headers;
mod lacks;
mod models;
mod ollama;
mod openai;

pub(crate) use counting::believed;
pub use decoder::Decoder;
pub use models::{Listing, Model};

use crate::chat::{Assembly, Chat, Event, Image, Part, Reply};
use crate::failure::{Failure, FailureKind};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// The most bytes of an answer that comes in one piece.
pub const MOST_BODY: usize = 32 * 1024 * 1024;

/// How an answer is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// In one piece.
    Plain,
    /// As it is made.
    Stream,
}

/// A request as it goes out; who sends it adds the base URL and the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// What comes after the base URL, with its query.
    pub path: String,
    /// What the wire wants said besides.
    pub headers: Vec<(&'static str, &'static str)>,
    /// JSON.
    pub body: Vec<u8>,
}

impl Encoded {
    fn new(path: String, body: &Value) -> Encoded {
        Encoded {
            path,
            headers: vec![("content-type", "application/json")],
            body: body.to_string().into_bytes(),
        }
    }
}

/// The beginning of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// When it came, milliseconds since 1970-01-01 UTC: some headers say moments.
    pub now_ms: i64,
}

impl Head {
    /// The provider's id for the request.
    #[must_use]
    pub fn request_id(&self) -> Option<String> {
        headers::request_id(&self.headers)
    }

    /// What may still be asked.
    #[must_use]
    pub fn remaining(&self) -> crate::chat::Remaining {
        headers::remaining(&self.headers, self.now_ms)
    }

    /// Whether the body says of itself that it is events, which come as they are made.
    #[must_use]
    pub fn is_event_stream(&self) -> bool {
        let kind = self.headers.get(http::header::CONTENT_TYPE);
        let kind = kind.map_or(&b""[..], |kind| kind.as_bytes());
        let kind = kind.split(|byte| *byte == b';').next();
        kind.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"text/event-stream"))
    }

    /// Whether the status is one of success.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wire {
    /// Chat completions as OpenAI defined them and as Groq, AnythingLLM, vLLM and many others speak them.
    OpenAi,
    /// Anthropic's Messages.
    Anthropic,
    /// Gemini's `generateContent` and `streamGenerateContent`.
    Gemini,
    /// Ollama's own `/api/chat`.
    Ollama,
}

impl Wire {
    /// All of them.
    pub const ALL: [Wire; 4] = [Wire::OpenAi, Wire::Anthropic, Wire::Gemini, Wire::Ollama];

    /// The word in settings and rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Wire::OpenAi => "openai",
            Wire::Anthropic => "anthropic",
            Wire::Gemini => "gemini",
            Wire::Ollama => "ollama",
        }
    }

    /// The wire of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Wire> {
        Wire::ALL.into_iter().find(|wire| wire.as_str() == name)
    }

    /// Where its inventor serves it.
    #[must_use]
    pub fn usual_base(self) -> &'static str {
        match self {
            Wire::OpenAi => "https://api.openai.com/v1",
            Wire::Anthropic => "https://api.anthropic.com",
            Wire::Gemini => "https://generativelanguage.googleapis.com/v1beta",
            Wire::Ollama => "http://127.0.0.1:11434",
        }
    }

    /// The header that shows a key.
    #[must_use]
    pub fn key_header(self, key: &str) -> (&'static str, String) {
        match self {
            Wire::OpenAi | Wire::Ollama => ("authorization", format!("Bearer {key}")),
            Wire::Anthropic => ("x-api-key", key.to_owned()),
            Wire::Gemini => ("x-goog-api-key", key.to_owned()),
        }
    }

    /// A chat as a request.
    ///
    /// # Errors
    /// [`FailureKind::BadRequest`], naming what this wire has no words for: nothing is left out in silence.
    pub fn encode(self, chat: &Chat, mode: Mode) -> Result<Encoded, Failure> {
        match self {
            Wire::OpenAi => openai::encode(chat, mode),
            Wire::Anthropic => anthropic::encode(chat, mode),
            Wire::Gemini => gemini::encode(chat, mode),
            Wire::Ollama => ollama::encode(chat, mode),
        }
    }

    /// A request that asks how many tokens a chat has; nothing where the wire can't.
    ///
    /// # Errors
    /// As [`Wire::encode`].
    pub fn encode_count(self, chat: &Chat) -> Result<Option<Encoded>, Failure> {
        match self {
            Wire::Anthropic => anthropic::encode_count(chat).map(Some),
            Wire::Gemini => gemini::encode_count(chat).map(Some),
            Wire::OpenAi | Wire::Ollama => Ok(None),
        }
    }

    /// The answer to [`Wire::encode_count`].
    ///
    /// # Errors
    /// What the provider says instead.
    pub fn decode_count(self, head: &Head, body: &[u8]) -> Result<u64, Failure> {
        let value = self.value(head, body)?;
        let count = value["input_tokens"]
            .as_u64()
            .or_else(|| value["totalTokens"].as_u64());
        count.ok_or_else(|| {
            errors::failure(
                head,
                FailureKind::Malformed,
                "no number of tokens in the answer",
            )
        })
    }

    /// An answer that came in one piece.
    ///
    /// # Errors
    /// What the provider says instead, or that it can't be read.
    pub fn decode(self, head: &Head, body: &[u8]) -> Result<Reply, Failure> {
        let mut events = Vec::new();
        self.whole(head, body, &mut events)?;
        let mut assembly = Assembly::default();
        events.into_iter().for_each(|event| assembly.take(event));
        let reply = assembly.reply(head.request_id(), head.remaining());
        reply.ok_or_else(|| errors::cut(head))
    }

    /// A decoder for an answer that comes as it is made.
    #[must_use]
    pub fn decoder(self, head: Head) -> Decoder {
        Decoder::new(self, head)
    }

    /// An answer that came in one piece, as events.
    fn whole(self, head: &Head, body: &[u8], out: &mut Vec<Event>) -> Result<(), Failure> {
        let value = self.value(head, body)?;
        match self {
            Wire::OpenAi => openai::Reading::default().whole(head, &value, out),
            Wire::Anthropic => anthropic::Reading::default().whole(head, &value, out),
            Wire::Gemini => gemini::Reading::default().whole(head, &value, out),
            Wire::Ollama => ollama::Reading::default().whole(head, &value, out),
        }
    }

    /// The JSON of a good answer.
    fn value(self, head: &Head, body: &[u8]) -> Result<Value, Failure> {
        if !head.is_success() {
            return Err(errors::refused(self, head, body));
        }
        let value: Value = serde_json::from_slice(body).map_err(|error| {
            let text = String::from_utf8_lossy(body);
            let first = text.trim_start().chars().next();
            match first {
                None => errors::cut(head),
                Some('{' | '[') => errors::unreadable(head, "the answer", &error),
                Some(_) => errors::foreign(head, &text),
            }
        })?;
        if let Some(failure) = errors::in_band(self, head, &value) {
            return Err(failure);
        }
        Ok(value)
    }
}

/// What a tool told, for wires that have its words apart from its pictures; `picture` is one as the wire has it.
fn told<P>(
    wire: Wire,
    parts: &[Part],
    picture: impl Fn(&Image) -> Result<P, Failure>,
) -> Result<(String, Vec<P>), Failure> {
    let (mut said, mut pictures) = (String::new(), Vec::new());
    for part in parts {
        match part {
            Part::Text { text, .. } => said.push_str(text),
            Part::Image(image) => pictures.push(picture(image)?),
            other => {
                let what = format!("{} in a tool result", other.kind());
                return Err(errors::unsupported(wire, &what));
            }
        }
    }
    Ok((said, pictures))
}

/// What a tool told, for wires that have no other place to say that it failed.
fn outcome(said: String, is_error: bool) -> String {
    // Many tools say so themselves.
    if is_error && !said.starts_with("Error:") {
        return format!("Error: {said}");
    }
    said
}

/// How often tools were used that the provider ran, by name: `{"web_search_requests": 2}`.
fn uses(value: &Value) -> BTreeMap<String, Option<u64>> {
    let mut tools = BTreeMap::new();
    for (name, times) in value.as_object().into_iter().flatten() {
        if let (Some(tool), Some(times)) = (name.strip_suffix("_requests"), times.as_u64()) {
            tools.insert(tool.to_owned(), Some(times));
        }
    }
    tools
}

/// A text that is there and not empty.
fn text(value: &Value) -> Option<String> {
    value
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// A tool call's arguments as the object that some wires want.
fn object(name: &str, arguments: &str) -> Result<Value, Failure> {
    if arguments.trim().is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    match serde_json::from_str(arguments) {
        Ok(value @ Value::Object(_)) => Ok(value),
        _ => Err(Failure::new(
            FailureKind::BadRequest,
            format!("the arguments of the call to {name} in the conversation are no JSON object"),
        )),
    }
}

/// Puts a value that is there into an object.
fn put<T: Into<Value>>(object: &mut Value, key: &str, value: Option<T>) {
    if let Some(value) = value {
        object[key] = value.into();
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
