//! A client's body as it goes to a provider of the same wire, and what can be seen of it without translating it.
//! For: what such a request needs, and about how many tokens it has. Not for: sending it.

use http::HeaderMap;

use super::sniff::Sniffed;
use super::{Patience, Terms, Wanted, Who};
use crate::chat::{Charged, Chat};
use crate::gateway::{Named, Unfit};
use crate::route::Need;
use crate::wire::Wire;

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

impl Passing {
    /// A client's body for a wire that names the model in it: all but Gemini's.
    ///
    /// # Errors
    /// When the body is no JSON object, names no model, or says twice or without sense how much is wanted.
    pub fn new(wire: Wire, path: impl Into<String>, body: Vec<u8>) -> Result<Passing, Unfit> {
        Ok(Passing {
            named: Named::find(&body)?,
            // What else is of another shape than the wire's the provider refuses better than we would.
            sniffed: Sniffed::of(wire, &body)?,
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
        self.sniffed.stream
    }

    /// The body for a model of this name.
    pub(super) fn body_for(&self, model: &str) -> Vec<u8> {
        self.named.renamed(&self.body, model)
    }

    /// What it needs, and the tokens of the prompt before any correction.
    pub(super) fn need(&self) -> (Need, u64) {
        let base = self.sniffed.tokens;
        let need = Need {
            input: base,
            output: self.output(),
            tools: self.sniffed.tools,
            images: self.sniffed.images,
            format: self.sniffed.format,
            ..Need::default()
        };
        (need, base)
    }

    /// How many answers are wanted, each as long as all may be.
    pub(super) fn answers(&self) -> u64 {
        match self.what {
            What::Chat => self.sniffed.answers,
            What::Embeddings => 1,
        }
    }

    /// What it asks for that its price depends on, beside tokens, of whoever speaks this wire: a translation has none.
    pub(super) fn charged(&self, wire: Wire) -> Charged {
        if wire == self.wire {
            self.sniffed.charged.clone()
        } else {
            Charged::default()
        }
    }

    /// The same without any of that, for what costs nothing.
    pub(super) fn for_nothing(mut self) -> Passing {
        self.sniffed.charged = Charged::default();
        self
    }

    fn output(&self) -> Option<u64> {
        match self.what {
            What::Chat => self.sniffed.most,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Format;

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
        assert_eq!((need.output, need.format), (Some(9), Format::Schema));
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
    fn the_body_stays_but_for_the_name() {
        let passing = passing("{ \"model\" : \"mine\", \"x\": [1,  2] }");
        assert_eq!(passing.model(), "mine");
        assert_eq!(passing.body_for("mine"), passing.body);
        let other = passing.body_for("theirs");
        assert_eq!(other, b"{ \"model\" : \"theirs\", \"x\": [1,  2] }");
    }
}
