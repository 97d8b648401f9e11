//! Messages and their pieces.

use crate::chat::{Charged, Event, Finish, Form, Kept};
use crate::failure::{Failure, FailureKind};
use crate::wire::counting::{Charging, Counting};
use crate::wire::{Head, Wire, errors, text, uses};
use callboard_telemetry::Tokens;
use serde_json::Value;
use std::collections::BTreeMap;

/// What is known so far.
#[derive(Debug, Default)]
pub(in crate::wire) struct Reading {
    blocks: BTreeMap<u64, Block>,
    calls: usize,
    counts: Counts,
    counting: Counting,
    charging: Charging,
    stop: Option<String>,
}

#[derive(Debug)]
enum Block {
    Text,
    Thinking {
        signature: String,
    },
    Call {
        index: usize,
        spoken: bool,
    },
    /// Of a kind that we never ask for.
    Other,
}

/// What a message used, as its pieces tell: each number replaces the one before.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    any: bool,
    fresh: u64,
    read: u64,
    written: u64,
    written_1h: u64,
    output: u64,
}

impl Counts {
    fn take(&mut self, usage: &Value) {
        let mut take = |target: &mut u64, value: &Value| {
            if let Some(count) = value.as_u64() {
                *target = count;
                self.any = true;
            }
        };
        take(&mut self.fresh, &usage["input_tokens"]);
        take(&mut self.read, &usage["cache_read_input_tokens"]);
        take(&mut self.written, &usage["cache_creation_input_tokens"]);
        let hour = &usage["cache_creation"]["ephemeral_1h_input_tokens"];
        take(&mut self.written_1h, hour);
        take(&mut self.output, &usage["output_tokens"]);
    }

    /// Anthropic counts what a cache holds beside `input_tokens`.
    fn tokens(self) -> Option<Tokens> {
        let beside = self.read.saturating_add(self.written);
        self.any.then(|| Tokens {
            input: self.fresh.saturating_add(beside),
            cached: self.read,
            cache_write: self.written,
            cache_write_1h: self.written_1h.min(self.written),
            output: self.output,
            reasoning: 0,
        })
    }
}

impl Reading {
    /// A piece of a message.
    pub(in crate::wire) fn take(
        &mut self,
        head: &Head,
        value: &Value,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        let at = value["index"].as_u64().unwrap_or(0);
        match value["type"].as_str().unwrap_or_default() {
            "message_start" => {
                let message = &value["message"];
                out.push(Event::Started {
                    id: text(&message["id"]),
                    model: text(&message["model"]),
                });
                self.count(&message["usage"], out);
            }
            "content_block_start" => self.open(at, &value["content_block"], out),
            "content_block_delta" => self.delta(at, &value["delta"], out),
            "content_block_stop" => self.close(at, out),
            "message_delta" => {
                self.stop = text(&value["delta"]["stop_reason"]).or(self.stop.take());
                self.count(&value["usage"], out);
            }
            "message_stop" => return self.finish(head, out),
            "" => {
                let message = "a piece of the answer does not say what it is";
                return Err(errors::failure(head, FailureKind::Malformed, message));
            }
            // `ping`, and what is new.
            _ => {}
        }
        Ok(())
    }

    /// A message in one piece.
    pub(in crate::wire) fn whole(
        mut self,
        head: &Head,
        value: &Value,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        let Some(blocks) = value["content"].as_array() else {
            let message = "the answer has no content in it";
            return Err(errors::failure(head, FailureKind::Malformed, message));
        };
        out.push(Event::Started {
            id: text(&value["id"]),
            model: text(&value["model"]),
        });
        for (at, block) in (0..).zip(blocks) {
            self.open(at, block, out);
            self.close(at, out);
        }
        self.count(&value["usage"], out);
        self.stop = text(&value["stop_reason"]);
        self.finish(head, out)
    }

    fn count(&mut self, usage: &Value, out: &mut Vec<Event>) {
        self.counts.take(usage);
        let said = self.counts.tokens();
        self.counting.says(Wire::Anthropic, said, out);
        let said = Charged {
            tier: text(&usage["service_tier"]),
            speed: text(&usage["speed"]),
            place: text(&usage["inference_geo"]),
            tools: uses(&usage["server_tool_use"]),
        };
        self.charging.says(said, out);
    }

    fn open(&mut self, at: u64, block: &Value, out: &mut Vec<Event>) {
        let opened = match block["type"].as_str().unwrap_or_default() {
            "text" => {
                out.extend(text(&block["text"]).map(|text| Event::Text { text }));
                Block::Text
            }
            "thinking" => {
                out.extend(text(&block["thinking"]).map(|text| Event::Thinking { text }));
                Block::Thinking {
                    signature: text(&block["signature"]).unwrap_or_default(),
                }
            }
            "redacted_thinking" => {
                out.push(kept(
                    Form::Redacted,
                    text(&block["data"]).unwrap_or_default(),
                ));
                Block::Other
            }
            "tool_use" => {
                let index = self.calls;
                self.calls += 1;
                out.push(Event::ToolCallStarted {
                    index,
                    id: text(&block["id"]).unwrap_or_else(|| format!("call_{index}")),
                    name: text(&block["name"]).unwrap_or_default(),
                    kept: None,
                });
                // In a stream this is an empty object, and the input comes in pieces.
                let input = block["input"].as_object().filter(|input| !input.is_empty());
                if input.is_some() {
                    out.push(Event::ToolCallDelta {
                        index,
                        arguments: block["input"].to_string(),
                    });
                }
                Block::Call {
                    index,
                    spoken: input.is_some(),
                }
            }
            "server_tool_use" => {
                // Until the usage says how many were paid for.
                self.charging
                    .used(block["name"].as_str().unwrap_or_default(), out);
                Block::Other
            }
            _ => Block::Other,
        };
        self.blocks.insert(at, opened);
    }

    fn delta(&mut self, at: u64, delta: &Value, out: &mut Vec<Event>) {
        match delta["type"].as_str().unwrap_or_default() {
            "text_delta" => out.extend(text(&delta["text"]).map(|text| Event::Text { text })),
            "thinking_delta" => {
                out.extend(text(&delta["thinking"]).map(|text| Event::Thinking { text }));
            }
            "signature_delta" => {
                if let Some(Block::Thinking { signature }) = self.blocks.get_mut(&at) {
                    signature.push_str(delta["signature"].as_str().unwrap_or_default());
                }
            }
            "input_json_delta" => {
                let more = text(&delta["partial_json"]);
                if let (Some(Block::Call { index, spoken }), Some(arguments)) =
                    (self.blocks.get_mut(&at), more)
                {
                    *spoken = true;
                    out.push(Event::ToolCallDelta {
                        index: *index,
                        arguments,
                    });
                }
            }
            _ => {}
        }
    }

    fn close(&mut self, at: u64, out: &mut Vec<Event>) {
        match self.blocks.remove(&at) {
            Some(Block::Thinking { signature }) if !signature.is_empty() => {
                out.push(kept(Form::Signature, signature));
            }
            Some(Block::Call {
                index,
                spoken: false,
            }) => out.push(Event::ToolCallDelta {
                index,
                arguments: "{}".to_owned(),
            }),
            _ => {}
        }
    }

    fn finish(&mut self, head: &Head, out: &mut Vec<Event>) -> Result<(), Failure> {
        let Some(word) = self.stop.take() else {
            return Err(errors::cut(head));
        };
        let finish = match word.as_str() {
            "end_turn" => Finish::Stop,
            "stop_sequence" => Finish::StopSequence,
            "max_tokens" | "model_context_window_exceeded" => Finish::Length,
            "tool_use" => Finish::ToolCalls,
            "refusal" => Finish::Refused,
            "pause_turn" => Finish::Paused,
            _ => Finish::Other,
        };
        out.push(Event::Finished {
            finish,
            word: Some(word),
        });
        Ok(())
    }
}

fn kept(form: Form, payload: String) -> Event {
    Event::Kept(Kept {
        wire: Wire::Anthropic,
        form,
        payload,
    })
}
