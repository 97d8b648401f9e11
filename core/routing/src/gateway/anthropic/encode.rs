//! An answer as a message, whole or in events (docs.anthropic.com/en/docs/build-with-claude/streaming).

use crate::chat::{Event, Finish, Form, Kept, Part, Reply, known};
use crate::failure::{Failure, FailureKind};
use crate::gateway::{Stamp, misplaced, named, no_picture, seal};
use crate::wire::Wire;
use callboard_telemetry::Usage;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use std::collections::VecDeque;

const PROTOCOL: &str = "Anthropic's Messages";

pub(in crate::gateway) fn reply(
    reply: &Reply,
    stamp: &Stamp,
    thinking: bool,
) -> Result<Value, Failure> {
    let mut content = Vec::new();
    for part in &reply.parts {
        block(part, thinking, &mut content)?;
    }
    let mut message = message(stamp, reply.model.as_deref(), reply.usage);
    message["content"] = json!(content);
    message["stop_reason"] = json!(stop_reason(reply.finish, reply.finish_word.as_deref()));
    Ok(message)
}

fn block(part: &Part, thinking: bool, out: &mut Vec<Value>) -> Result<(), Failure> {
    match part {
        Part::Text { text, .. } | Part::Refusal { text } => {
            out.push(json!({"type": "text", "text": text}));
        }
        Part::Thinking { text, kept } if thinking => out.push(match kept {
            Some(Kept {
                wire: Wire::Anthropic,
                form: Form::Redacted,
                payload,
            }) => json!({"type": "redacted_thinking", "data": payload}),
            kept => {
                json!({"type": "thinking", "thinking": text, "signature": signature(kept.as_ref())})
            }
        }),
        Part::Thinking { .. } => {}
        Part::ToolCall {
            id,
            name,
            arguments,
            kept,
        } => {
            out.extend(kept.as_ref().map(redacted));
            let text = match arguments.trim() {
                "" => "{}",
                text => text,
            };
            let input: Value = serde_json::from_str(text).unwrap_or_default();
            if !input.is_object() {
                let message =
                    format!("the arguments of the model's call to {name} are no JSON object");
                return Err(Failure::new(FailureKind::Malformed, message));
            }
            out.push(json!({"type": "tool_use", "id": id, "name": name, "input": input}));
        }
        Part::Image(_) => return Err(no_picture(PROTOCOL)),
        Part::ToolResult { .. } => return Err(misplaced(PROTOCOL, part)),
    }
    Ok(())
}

fn signature(kept: Option<&Kept>) -> String {
    match kept {
        Some(kept) if kept.wire == Wire::Anthropic => kept.payload.clone(),
        Some(kept) => seal::seal(kept),
        None => seal::nothing(),
    }
}

/// What another wire wants back with the call that follows.
fn redacted(kept: &Kept) -> Value {
    json!({"type": "redacted_thinking", "data": seal::seal(kept)})
}

fn message(stamp: &Stamp, model: Option<&str>, usage: Option<Usage>) -> Value {
    json!({
        "id": format!("msg_{}", stamp.id),
        "type": "message",
        "role": "assistant",
        "model": model.unwrap_or(&stamp.model),
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": self::usage(usage),
    })
}

/// This protocol counts what a cache holds beside `input_tokens`, and has no word for not knowing.
fn usage(usage: Option<Usage>) -> Value {
    let tokens = usage.map(|usage| usage.tokens).unwrap_or_default();
    let beside = tokens.cached.saturating_add(tokens.cache_write);
    json!({
        "input_tokens": tokens.input.saturating_sub(beside),
        "cache_creation_input_tokens": tokens.cache_write,
        "cache_read_input_tokens": tokens.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.cache_write.saturating_sub(tokens.cache_write_1h),
            "ephemeral_1h_input_tokens": tokens.cache_write_1h,
        },
        "output_tokens": tokens.output,
    })
}

fn stop_reason(finish: Finish, word: Option<&str>) -> &'static str {
    match finish {
        Finish::Stop | Finish::Other => "end_turn",
        Finish::StopSequence => "stop_sequence",
        Finish::Length if word == Some("model_context_window_exceeded") => {
            "model_context_window_exceeded"
        }
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::Refused => "refusal",
        Finish::Paused => "pause_turn",
    }
}

/// Writes a message's events. Blocks come one after the other here, while other wires may mix the pieces of several
/// calls: what belongs to a later block waits until the open call is whole.
#[derive(Debug)]
pub(in crate::gateway) struct Writer {
    stamp: Stamp,
    thinking: bool,
    model: Option<String>,
    usage: Option<Usage>,
    begun: bool,
    /// The next block's index.
    next: u64,
    open: Option<Open>,
    waiting: VecDeque<Event>,
}

#[derive(Debug)]
enum Open {
    Text,
    Thinking,
    Call { index: usize, arguments: String },
}

impl Writer {
    pub(in crate::gateway) fn new(stamp: Stamp, thinking: bool) -> Writer {
        Writer {
            stamp,
            thinking,
            model: None,
            usage: None,
            begun: false,
            next: 0,
            open: None,
            waiting: VecDeque::new(),
        }
    }

    pub(in crate::gateway) fn event(
        &mut self,
        event: &Event,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        match event {
            Event::Started { model, .. } => self.model.clone_from(model),
            // The first numbers go into the beginning, the last into the end.
            Event::Usage(usage) => self.usage = known(*usage),
            Event::Charged(_) => {}
            Event::Finished { finish, word } => {
                self.begin(out);
                while !self.waiting.is_empty() {
                    self.close(out);
                    self.resume(out)?;
                }
                self.close(out);
                let reason = stop_reason(*finish, word.as_deref());
                let usage = usage(self.usage);
                let delta = json!({"stop_reason": reason, "stop_sequence": null});
                named(
                    &json!({"type": "message_delta", "delta": delta, "usage": usage}),
                    out,
                );
                named(&json!({"type": "message_stop"}), out);
            }
            content => {
                self.begin(out);
                self.content(content, out)?;
                while !self.waiting.is_empty() && !self.in_call() {
                    self.resume(out)?;
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            let message = message(&self.stamp, self.model.as_deref(), self.usage);
            named(&json!({"type": "message_start", "message": message}), out);
        }
    }

    /// What waited comes again, and waits again where it must.
    fn resume(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        for event in std::mem::take(&mut self.waiting) {
            self.content(&event, out)?;
        }
        Ok(())
    }

    /// A call is open whose arguments are not yet whole.
    fn in_call(&self) -> bool {
        match &self.open {
            Some(Open::Call { arguments, .. }) => {
                serde_json::from_str::<IgnoredAny>(arguments).is_err()
            }
            _ => false,
        }
    }

    fn content(&mut self, event: &Event, out: &mut Vec<u8>) -> Result<(), Failure> {
        if let Event::ToolCallDelta { index, arguments } = event
            && let Some(Open::Call {
                index: open,
                arguments: whole,
            }) = &mut self.open
            && open == index
        {
            whole.push_str(arguments);
            self.delta(
                json!({"type": "input_json_delta", "partial_json": arguments}),
                out,
            );
            return Ok(());
        }
        if !self.waiting.is_empty() || self.in_call() {
            self.waiting.push_back(event.clone());
            return Ok(());
        }
        match event {
            Event::Text { text } | Event::Refusal { text } => {
                if !matches!(self.open, Some(Open::Text)) {
                    self.start(Open::Text, &json!({"type": "text", "text": ""}), out);
                }
                self.delta(json!({"type": "text_delta", "text": text}), out);
            }
            Event::Thinking { text } if self.thinking => {
                self.think(out);
                self.delta(json!({"type": "thinking_delta", "thinking": text}), out);
            }
            Event::Kept(kept) if self.thinking => self.kept(kept, out),
            Event::ToolCallStarted {
                index,
                id,
                name,
                kept,
            } => {
                if let Some(kept) = kept {
                    self.whole(&redacted(kept), out);
                }
                let open = Open::Call {
                    index: *index,
                    arguments: String::new(),
                };
                let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
                self.start(open, &block, out);
            }
            Event::Image(_) => return Err(no_picture(PROTOCOL)),
            _ => {}
        }
        Ok(())
    }

    fn kept(&mut self, kept: &Kept, out: &mut Vec<u8>) {
        match (kept.wire, kept.form) {
            (Wire::Anthropic, Form::Redacted) => {
                let block = json!({"type": "redacted_thinking", "data": kept.payload});
                self.whole(&block, out);
            }
            (wire, _) => {
                // Hidden thoughts have a signature and no words; other wires sign words too.
                if matches!(self.open, Some(Open::Thinking)) || wire == Wire::Anthropic {
                    self.think(out);
                    self.sign(&signature(Some(kept)), out);
                }
            }
        }
    }

    fn think(&mut self, out: &mut Vec<u8>) {
        if !matches!(self.open, Some(Open::Thinking)) {
            let block = json!({"type": "thinking", "thinking": "", "signature": ""});
            self.start(Open::Thinking, &block, out);
        }
    }

    /// The signature ends the thought.
    fn sign(&mut self, signature: &str, out: &mut Vec<u8>) {
        self.delta(
            json!({"type": "signature_delta", "signature": signature}),
            out,
        );
        self.stop(out);
    }

    fn whole(&mut self, block: &Value, out: &mut Vec<u8>) {
        self.start(Open::Text, block, out);
        self.stop(out);
    }

    fn start(&mut self, open: Open, block: &Value, out: &mut Vec<u8>) {
        self.close(out);
        named(
            &json!({"type": "content_block_start", "index": self.next, "content_block": block}),
            out,
        );
        self.next += 1;
        self.open = Some(open);
    }

    fn delta(&mut self, delta: Value, out: &mut Vec<u8>) {
        let index = self.next.saturating_sub(1);
        named(
            &json!({"type": "content_block_delta", "index": index, "delta": delta}),
            out,
        );
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        match self.open {
            None => {}
            Some(Open::Thinking) => self.sign(&seal::nothing(), out),
            Some(_) => self.stop(out),
        }
    }

    fn stop(&mut self, out: &mut Vec<u8>) {
        self.open = None;
        let index = self.next.saturating_sub(1);
        named(&json!({"type": "content_block_stop", "index": index}), out);
    }
}
