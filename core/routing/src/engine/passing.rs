//! A client's body as it goes to a provider of the same wire, and what can be seen of it without translating it.
//! For: what such a request needs, and about how many tokens it has. Not for: sending it.

use http::HeaderMap;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Patience, Terms, Wanted, Who, estimate};
use crate::chat::Chat;
use crate::gateway::{Named, Unfit};
use crate::route::{Format, Need};
use crate::wire::Wire;

/// A run of so many characters without a blank or a sign is no words, but a picture or another file in base64.
const FILE: usize = 512;
/// Tokens of a picture in a body, whose size is not looked for.
const PICTURE: u64 = 1_600;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// An answer to a conversation.
    Chat,
    /// Numbers for texts (`/embeddings` of OpenAI's wire).
    Embeddings,
}

/// A request that is handed on as it is, but for the model's name.
#[derive(Debug, Clone)]
pub struct Passing {
    /// What its body is written in. Only providers that speak it are asked.
    pub wire: Wire,
    /// What comes after a provider's base URL, as the wire's own requests have it.
    pub path: String,
    /// What the client said in headers and may say there; a provider's own settings and its key come over them.
    pub headers: HeaderMap,
    /// What is asked for.
    pub what: What,
    /// Who should answer.
    pub target: Wanted,
    /// What the caller demands beyond what can be seen from the body.
    pub terms: Terms,
    /// For whom it is.
    pub who: Who,
    /// How much is tried, where that differs from the settings.
    pub patience: Option<Patience>,
    /// A person has agreed to a call that needs it.
    pub confirmed: bool,
    pub(super) body: Vec<u8>,
    named: Named,
    sniffed: Sniffed,
}

/// The members of a body that matter here.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Sniffed {
    stream: Option<bool>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    tools: Option<Vec<IgnoredAny>>,
    response_format: Option<Formatted>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Formatted {
    r#type: String,
}

impl Passing {
    /// A client's body for a wire that names the model in it: all but Gemini's.
    ///
    /// # Errors
    /// When the body is no JSON object, or names no model.
    pub fn new(wire: Wire, path: impl Into<String>, body: Vec<u8>) -> Result<Passing, Unfit> {
        Ok(Passing {
            named: Named::find(&body)?,
            // What is of another shape than the wire's the provider refuses better than we would.
            sniffed: serde_json::from_slice(&body).unwrap_or_default(),
            wire,
            path: path.into(),
            headers: HeaderMap::new(),
            what: What::Chat,
            target: Wanted::Default,
            terms: Terms::default(),
            who: Who::default(),
            patience: None,
            confirmed: false,
            body,
        })
    }

    /// The model's name in the body, for [`Router::resolve`](super::Router::resolve).
    #[must_use]
    pub fn model(&self) -> &str {
        &self.named.model
    }

    /// Whether the answer is wanted as it is made.
    #[must_use]
    pub fn streams(&self) -> bool {
        self.sniffed.stream.unwrap_or(false)
    }

    /// The body for a model of this name.
    pub(super) fn body_for(&self, model: &str) -> Vec<u8> {
        self.named.renamed(&self.body, model)
    }

    /// What it needs, and the tokens of the prompt before any correction.
    pub(super) fn need(&self) -> (Need, u64) {
        let base = tokens(&self.body);
        let format = match self.sniffed.response_format.as_ref() {
            Some(format) if format.r#type == "json_object" => Format::Json,
            Some(format) if format.r#type == "json_schema" => Format::Schema,
            _ => Format::Text,
        };
        let need = Need {
            input: base,
            output: self.output(),
            tools: self
                .sniffed
                .tools
                .as_ref()
                .is_some_and(|tools| !tools.is_empty()),
            images: shows_pictures(&self.body),
            format,
            ..Need::default()
        };
        (need, base)
    }

    fn output(&self) -> Option<u64> {
        match self.what {
            What::Chat => self
                .sniffed
                .max_completion_tokens
                .or(self.sniffed.max_tokens),
            What::Embeddings => Some(0),
        }
    }

    /// As much of a chat as estimates of its answer look at.
    pub(super) fn outline(&self) -> Chat {
        Chat {
            max_output: self.output(),
            ..Chat::default()
        }
    }
}

/// About how many tokens a body has: its names and signs count a little too much, which the correction learns.
fn tokens(body: &[u8]) -> u64 {
    let mut thousandths = estimate::thousandths(body);
    let mut run = 0;
    let mut count = |run: usize| {
        if run >= FILE {
            thousandths = thousandths.saturating_sub(run as u64 * estimate::ASCII);
            thousandths += PICTURE * 1_000;
        }
    };
    for byte in body {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_') {
            run += 1;
        } else {
            count(run);
            run = 0;
        }
    }
    count(run);
    thousandths.div_ceil(1_000)
}

/// Whether a member says of itself that it is a picture: `"type": "image"` and the like.
fn shows_pictures(body: &[u8]) -> bool {
    let kinds: [&[u8]; 3] = [b"\"image\"", b"\"image_url\"", b"\"input_image\""];
    let colon_before = |at: usize| {
        let before = body[..at].trim_ascii_end();
        before.ends_with(b":")
            && before[..before.len() - 1]
                .trim_ascii_end()
                .ends_with(b"\"type\"")
    };
    let quotes = body.iter().enumerate().filter(|(_, byte)| **byte == b'"');
    quotes
        .filter(|(at, _)| kinds.iter().any(|kind| body[*at..].starts_with(kind)))
        .any(|(at, _)| colon_before(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passing(body: &str) -> Passing {
        Passing::new(Wire::OpenAi, "/chat/completions", body.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn what_a_body_needs_is_seen_without_translating_it() {
        let plain =
            passing(r#"{"model":"m","messages":[{"role":"user","content":"\"type\":\"image\""}]}"#);
        let (need, base) = plain.need();
        assert!(!need.images && !need.tools && !plain.streams() && base > 15);
        assert_eq!((need.output, need.format), (None, Format::Text));
        let all = passing(
            r#"{"model":"m","stream":true,"max_tokens":9,"max_completion_tokens":7,"tools":[{}],
                "response_format":{"type":"json_schema"},"messages":[{"content":[{"type" : "image_url"}]}]}"#,
        );
        let (need, _) = all.need();
        assert!(need.images && need.tools && all.streams());
        assert_eq!((need.output, need.format), (Some(7), Format::Schema));
        // A tool that has a parameter of this name shows no picture.
        let named =
            passing(r#"{"model":"m","tools":[{"parameters":{"image":{"type":"string"}}}]}"#);
        assert!(!named.need().0.images);
        // Of another shape: the provider will say so.
        assert!(
            !passing(r#"{"model":"m","tools":7,"stream":true}"#)
                .need()
                .0
                .tools
        );
        assert!(Passing::new(Wire::OpenAi, "/x", b"{}".to_vec()).is_err());
    }

    #[test]
    fn files_do_not_count_as_words() {
        let picture = "iVBORw0KGgo".repeat(1_000);
        let body = format!(r#"{{"model":"m","image":"{picture}","text":"hello there"}}"#);
        let counted = tokens(body.as_bytes());
        assert!((PICTURE..PICTURE + 30).contains(&counted), "{counted}");
        let words = "hello there ".repeat(1_000);
        assert_eq!(tokens(words.as_bytes()), 3_240);
    }

    #[test]
    fn the_body_stays_but_for_the_name() {
        let passing = passing("{ \"model\" : \"mine\", \"x\": [1,  2] }");
        assert_eq!(passing.model(), "mine");
        assert_eq!(passing.body_for("mine"), passing.body);
        let other = passing.body_for("theirs");
        assert_eq!(other, b"{ \"model\" : \"theirs\", \"x\": [1,  2] }");
    }
}
