//! Answers and their pieces, which differ only in the name of one field.

use crate::chat::{Charged, Event, Finish, Form, Kept};
use crate::failure::{Failure, FailureKind};
use crate::wire::counting::{Charging, Counting};
use crate::wire::{Head, Wire, errors, text, uses};
use callboard_telemetry::Tokens;
use serde_json::Value;
use std::collections::BTreeMap;

/// Where thoughts stand: DeepSeek's field, then the one of Groq and OpenRouter.
const THOUGHTS: [&str; 2] = ["reasoning_content", "reasoning"];

/// What is known so far.
#[derive(Debug, Default)]
pub(in crate::wire) struct Reading {
    started: bool,
    finish: Option<String>,
    refused: bool,
    counting: Counting,
    charging: Charging,
    /// The provider's index of a call to ours and its id.
    calls: BTreeMap<u64, (usize, String)>,
    count: usize,
    /// The field of thoughts that are not yet over.
    thinking: Option<&'static str>,
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
        if !self.started {
            self.started = true;
            out.push(Event::Started {
                id: text(&value["id"]),
                model: text(&value["model"]),
            });
        }
        if let Some(choice) = value["choices"].get(0) {
            let part = choice.get("delta").unwrap_or(&choice["message"]);
            self.part(part, out);
            self.finish = text(&choice["finish_reason"]).or(self.finish.take());
        }
        let said = tokens(&value["usage"]).or_else(|| tokens(&value["x_groq"]["usage"]));
        self.counting.says(Wire::OpenAi, said, out);
        let mut said = Charged {
            tier: text(&value["service_tier"]),
            // OpenRouter's name, and xAI's.
            tools: uses(&value["usage"]["server_tool_use"]),
            ..Charged::default()
        };
        if let Some(sources) = value["usage"]["num_sources_used"].as_u64() {
            said.tools.insert("live_search".to_owned(), Some(sources));
        }
        self.charging.says(said, out);
        Ok(())
    }

    /// An answer in one piece.
    pub(in crate::wire) fn whole(
        mut self,
        head: &Head,
        value: &Value,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        if value["choices"]
            .get(0)
            .is_none_or(|choice| !choice["message"].is_object())
        {
            let message = "the answer has no message in it";
            return Err(errors::failure(head, FailureKind::Malformed, message));
        }
        self.take(head, value, out)?;
        // Some leave the reason out; in one piece it is whole all the same.
        self.finish.get_or_insert_default();
        self.end(head, out)
    }

    /// The end mark, or the end of the stream.
    pub(in crate::wire) fn end(
        &mut self,
        head: &Head,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        let Some(word) = self.finish.take() else {
            return Err(errors::cut(head));
        };
        self.thought(out);
        let finish = match word.as_str() {
            _ if self.refused => Finish::Refused,
            "stop" | "eos" => Finish::Stop,
            "length" | "max_tokens" => Finish::Length,
            "tool_calls" | "function_call" => Finish::ToolCalls,
            "content_filter" => Finish::Refused,
            _ => Finish::Other,
        };
        // Several servers say "stop" after calls too.
        let finish = match finish {
            Finish::Stop | Finish::Other if self.count > 0 => Finish::ToolCalls,
            finish => finish,
        };
        let word = Some(word).filter(|word| !word.is_empty());
        out.push(Event::Finished { finish, word });
        Ok(())
    }

    fn part(&mut self, part: &Value, out: &mut Vec<Event>) {
        for field in THOUGHTS {
            if let Some(text) = text(&part[field]) {
                self.thinking = Some(field);
                out.push(Event::Thinking { text });
                break;
            }
        }
        if let Some(text) = text(&part["content"]) {
            self.thought(out);
            out.push(Event::Text { text });
        }
        for piece in part["content"].as_array().into_iter().flatten() {
            if let Some(text) = text(&piece["text"]) {
                self.thought(out);
                out.push(Event::Text { text });
            }
        }
        if let Some(text) = text(&part["refusal"]) {
            self.refused = true;
            out.push(Event::Refusal { text });
        }
        for call in part["tool_calls"].as_array().into_iter().flatten() {
            self.thought(out);
            self.call(call, out);
        }
    }

    /// The thoughts are over; they go back in the field they came in.
    fn thought(&mut self, out: &mut Vec<Event>) {
        if let Some(field) = self.thinking.take() {
            out.push(Event::Kept(Kept {
                wire: Wire::OpenAi,
                form: Form::Field,
                payload: field.to_owned(),
            }));
        }
    }

    /// A call or a piece of one. Servers differ: without an index, a call is whole; with the index of another call and
    /// an id of its own, it is another.
    fn call(&mut self, call: &Value, out: &mut Vec<Event>) {
        let (id, index) = (text(&call["id"]), call["index"].as_u64());
        let at = index.unwrap_or_else(|| match &id {
            Some(_) => self.calls.keys().last().map_or(0, |last| last + 1),
            None => self.calls.keys().last().copied().unwrap_or_default(),
        });
        let known = self.calls.get(&at);
        let known = known.filter(|(_, known)| id.as_ref().is_none_or(|id| id == known));
        let ours = match known {
            Some((ours, _)) => *ours,
            None => {
                let ours = self.count;
                self.count += 1;
                let id = id.unwrap_or_else(|| format!("call_{ours}"));
                self.calls.insert(at, (ours, id.clone()));
                out.push(Event::ToolCallStarted {
                    index: ours,
                    id,
                    name: text(&call["function"]["name"]).unwrap_or_default(),
                    kept: None,
                });
                ours
            }
        };
        let arguments = match &call["function"]["arguments"] {
            Value::String(text) => text.clone(),
            // Against the definition, but seen.
            object @ Value::Object(_) => object.to_string(),
            _ => String::new(),
        };
        if !arguments.is_empty() {
            out.push(Event::ToolCallDelta {
                index: ours,
                arguments,
            });
        }
    }
}

/// `prompt_tokens` and `completion_tokens` include their details, with one exception: xAI counts reasoning beside.
fn tokens(value: &Value) -> Option<Tokens> {
    let input = value["prompt_tokens"].as_u64()?;
    let mut output = value["completion_tokens"].as_u64().unwrap_or(0);
    let (sent, made) = (
        &value["prompt_tokens_details"],
        &value["completion_tokens_details"],
    );
    let first = |values: [&Value; 2]| values.into_iter().find_map(Value::as_u64).unwrap_or(0);
    let reasoning = made["reasoning_tokens"].as_u64().unwrap_or(0);
    let all = input.saturating_add(output).saturating_add(reasoning);
    let beside = reasoning > 0 && value["total_tokens"].as_u64() == Some(all);
    if beside || reasoning > output {
        output = output.saturating_add(reasoning);
    }
    let cached = first([&sent["cached_tokens"], &value["prompt_cache_hit_tokens"]]).min(input);
    let written = first([&sent["cache_write_tokens"], &sent["cache_creation_tokens"]]);
    Some(Tokens {
        input,
        cached,
        cache_write: written.min(input - cached),
        cache_write_1h: 0,
        output,
        reasoning,
    })
}
