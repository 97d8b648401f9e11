//! An answer as a chat completion, whole or in chunks.

use crate::chat::{Event, Finish, Kept, Part, Reply, known};
use crate::failure::Failure;
use crate::gateway::{Stamp, misplaced, no_picture};
use crate::wire::Wire;
use callboard_telemetry::Usage;
use serde_json::{Value, json};

const PROTOCOL: &str = "OpenAI's chat completions";

pub(in crate::gateway) fn reply(reply: &Reply, stamp: &Stamp) -> Result<Value, Failure> {
    let mut message = json!({"role": "assistant", "content": null, "refusal": null});
    let (mut said, mut thought, mut refused) = (String::new(), String::new(), String::new());
    let mut calls = Vec::new();
    for part in &reply.parts {
        match part {
            Part::Text { text, .. } => said.push_str(text),
            Part::Thinking { text, .. } => thought.push_str(text),
            Part::Refusal { text } => refused.push_str(text),
            Part::ToolCall {
                id,
                name,
                arguments,
                kept,
            } => {
                let mut call = call(id, name, kept.as_ref());
                call["function"]["arguments"] = json!(arguments);
                calls.push(call);
            }
            Part::Image(_) => return Err(no_picture(PROTOCOL)),
            Part::ToolResult { .. } => return Err(misplaced(PROTOCOL, part)),
        }
    }
    let refuses = !refused.is_empty();
    if !said.is_empty() || (calls.is_empty() && !refuses) {
        message["content"] = json!(said);
    }
    if refuses {
        message["refusal"] = json!(refused);
    }
    if !thought.is_empty() {
        message["reasoning_content"] = json!(thought);
    }
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    let reason = finish_reason(reply.finish, refuses);
    let model = reply.model.as_deref().unwrap_or(&stamp.model);
    Ok(json!({
        "id": format!("chatcmpl-{}", stamp.id),
        "object": "chat.completion",
        "created": stamp.created_s,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": reason}],
        "usage": reply.usage.map(usage),
    }))
}

fn call(id: &str, name: &str, kept: Option<&Kept>) -> Value {
    let mut call =
        json!({"id": id, "type": "function", "function": {"name": name, "arguments": ""}});
    if let Some(kept) = kept.filter(|kept| kept.wire == Wire::Gemini) {
        call["extra_content"] = json!({"google": {"thought_signature": kept.payload}});
    }
    call
}

/// A refusal in words ends as any answer does.
fn finish_reason(finish: Finish, refused: bool) -> &'static str {
    match finish {
        Finish::Refused if !refused => "content_filter",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::Refused | Finish::Stop | Finish::StopSequence | Finish::Paused | Finish::Other => {
            "stop"
        }
    }
}

fn usage(usage: Usage) -> Value {
    let tokens = usage.tokens;
    let mut sent = json!({"cached_tokens": tokens.cached});
    if tokens.cache_write > 0 {
        sent["cache_write_tokens"] = json!(tokens.cache_write);
    }
    json!({
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input.saturating_add(tokens.output),
        "prompt_tokens_details": sent,
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning},
    })
}

/// Writes the chunks of an answer.
#[derive(Debug)]
pub(in crate::gateway) struct Writer {
    stamp: Stamp,
    model: Option<String>,
    wants_usage: bool,
    usage: Option<Usage>,
    begun: bool,
    refused: bool,
}

impl Writer {
    pub(in crate::gateway) fn new(stamp: Stamp, wants_usage: bool) -> Writer {
        Writer {
            stamp,
            model: None,
            wants_usage,
            usage: None,
            begun: false,
            refused: false,
        }
    }

    pub(in crate::gateway) fn event(
        &mut self,
        event: &Event,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        match event {
            Event::Started { model, .. } => self.model.clone_from(model),
            Event::Usage(usage) => self.usage = known(*usage),
            Event::Text { text } => self.delta(json!({"content": text}), out),
            Event::Thinking { text } => self.delta(json!({"reasoning_content": text}), out),
            Event::Refusal { text } => {
                self.refused = true;
                self.delta(json!({"refusal": text}), out);
            }
            Event::ToolCallStarted {
                index,
                id,
                name,
                kept,
            } => {
                let mut piece = json!({"index": index});
                if let (Some(piece), Value::Object(call)) =
                    (piece.as_object_mut(), call(id, name, kept.as_ref()))
                {
                    piece.extend(call);
                }
                self.delta(json!({"tool_calls": [piece]}), out);
            }
            Event::ToolCallDelta { index, arguments } => {
                let piece = json!({"index": index, "function": {"arguments": arguments}});
                self.delta(json!({"tool_calls": [piece]}), out);
            }
            // Only its own wire can take it back.
            Event::Kept(_) | Event::Charged(_) => {}
            Event::Image(_) => return Err(no_picture(PROTOCOL)),
            Event::Finished { finish, .. } => self.finish(*finish, out),
        }
        Ok(())
    }

    fn finish(&mut self, finish: Finish, out: &mut Vec<u8>) {
        self.begin(out);
        let reason = finish_reason(finish, self.refused);
        let choice = json!({"index": 0, "delta": {}, "finish_reason": reason});
        self.chunk(json!([choice]), None, out);
        if let Some(usage) = self.usage.filter(|_| self.wants_usage) {
            self.chunk(json!([]), Some(usage), out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            let delta = json!({"role": "assistant", "content": ""});
            let choice = json!({"index": 0, "delta": delta, "finish_reason": null});
            self.chunk(json!([choice]), None, out);
        }
    }

    fn delta(&mut self, delta: Value, out: &mut Vec<u8>) {
        self.begin(out);
        let choice = json!({"index": 0, "delta": delta, "finish_reason": null});
        self.chunk(json!([choice]), None, out);
    }

    fn chunk(&self, choices: Value, usage: Option<Usage>, out: &mut Vec<u8>) {
        let mut chunk = json!({
            "id": format!("chatcmpl-{}", self.stamp.id),
            "object": "chat.completion.chunk",
            "created": self.stamp.created_s,
            "model": self.model.as_deref().unwrap_or(&self.stamp.model),
            "choices": choices,
        });
        if self.wants_usage {
            chunk["usage"] = json!(usage.map(self::usage));
        }
        out.extend_from_slice(format!("data: {chunk}\n\n").as_bytes());
    }
}
