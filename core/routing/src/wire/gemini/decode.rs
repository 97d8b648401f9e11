//! Answers and their pieces, which have the same shape.

use crate::chat::{Event, Finish, Form, Image, Kept};
use crate::failure::{Failure, FailureKind};
use crate::wire::counting::Counting;
use crate::wire::{Head, Wire, errors, text};
use callboard_telemetry::Tokens;
use serde_json::Value;

/// Begins the ids of calls that the provider gave none.
pub(in crate::wire) const OURS: &str = "cb_";

/// What is known so far.
#[derive(Debug, Default)]
pub(in crate::wire) struct Reading {
    started: bool,
    id: String,
    calls: usize,
    counting: Counting,
    finish: Option<String>,
}

impl Reading {
    /// A piece of an answer.
    pub(in crate::wire) fn take(
        &mut self,
        head: &Head,
        value: &Value,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        if !value.is_object() {
            let message = "a piece of the answer is no object";
            return Err(errors::failure(head, FailureKind::Malformed, message));
        }
        let candidate = value["candidates"].get(0);
        if let Some(reason) = text(&value["promptFeedback"]["blockReason"])
            && candidate.is_none()
        {
            return Err(errors::declined(head, &reason));
        }
        if !self.started {
            self.started = true;
            let id = text(&value["responseId"]);
            self.id = id.clone().unwrap_or_default();
            out.push(Event::Started {
                id,
                model: text(&value["modelVersion"]),
            });
        }
        if let Some(candidate) = candidate {
            let parts = candidate["content"]["parts"].as_array();
            for part in parts.into_iter().flatten() {
                self.part(part, out);
            }
            self.finish = text(&candidate["finishReason"]).or(self.finish.take());
        }
        let said = tokens(&value["usageMetadata"]);
        self.counting.says(Wire::Gemini, said, out);
        Ok(())
    }

    /// An answer in one piece.
    pub(in crate::wire) fn whole(
        mut self,
        head: &Head,
        value: &Value,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        // Without `alt=sse` a stream is one array of its pieces.
        let pieces = value.as_array();
        let pieces = pieces.map_or(std::slice::from_ref(value), Vec::as_slice);
        for piece in pieces {
            if let Some(failure) = errors::in_band(Wire::Gemini, head, piece) {
                return Err(failure);
            }
            let is = piece["candidates"].is_array() || piece["promptFeedback"].is_object();
            if !is {
                let message = "the answer has no candidates in it";
                return Err(errors::failure(head, FailureKind::Malformed, message));
            }
            self.take(head, piece, out)?;
        }
        self.end(head, out)
    }

    /// The end of the stream: the wire has no mark for it but the reason.
    pub(in crate::wire) fn end(
        &mut self,
        head: &Head,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        let Some(word) = self.finish.take() else {
            return Err(errors::cut(head));
        };
        let finish = match word.as_str() {
            "STOP" if self.calls > 0 => Finish::ToolCalls,
            "STOP" => Finish::Stop,
            "MAX_TOKENS" => Finish::Length,
            "SAFETY"
            | "RECITATION"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION" => Finish::Refused,
            _ => Finish::Other,
        };
        out.push(Event::Finished {
            finish,
            word: Some(word),
        });
        Ok(())
    }

    fn part(&mut self, part: &Value, out: &mut Vec<Event>) {
        let signature = text(&part["thoughtSignature"]).map(|payload| Kept {
            wire: Wire::Gemini,
            form: Form::Signature,
            payload,
        });
        let call = &part["functionCall"];
        if call.is_object() {
            let index = self.calls;
            self.calls += 1;
            let id = text(&call["id"]).unwrap_or_else(|| format!("{OURS}{}_{index}", self.id));
            out.push(Event::ToolCallStarted {
                index,
                id,
                name: text(&call["name"]).unwrap_or_default(),
                kept: signature,
            });
            let arguments = match &call["args"] {
                Value::Null => "{}".to_owned(),
                args => args.to_string(),
            };
            out.push(Event::ToolCallDelta { index, arguments });
            return;
        }
        if let (Some(media_type), Some(data)) = (
            text(&part["inlineData"]["mimeType"]),
            text(&part["inlineData"]["data"]),
        ) {
            out.push(Event::Image(Image::Inline { media_type, data }));
        }
        if let Some(text) = text(&part["text"]) {
            out.push(match part["thought"].as_bool() {
                Some(true) => Event::Thinking { text },
                _ => Event::Text { text },
            });
        }
        out.extend(signature.map(Event::Kept));
    }
}

/// The prompt's count includes what was cached; thoughts are counted beside the candidates.
fn tokens(value: &Value) -> Option<Tokens> {
    let count = |name: &str| value[name].as_u64();
    let prompt = count("promptTokenCount")?;
    let thoughts = count("thoughtsTokenCount").unwrap_or(0);
    let tools = count("toolUsePromptTokenCount").unwrap_or(0);
    let said = count("candidatesTokenCount").unwrap_or(0);
    Some(Tokens {
        input: prompt.saturating_add(tools),
        cached: count("cachedContentTokenCount").unwrap_or(0).min(prompt),
        cache_write: 0,
        cache_write_1h: 0,
        output: said.saturating_add(thoughts),
        reasoning: thoughts,
    })
}
