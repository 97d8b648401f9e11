//! An answer as a response, whole or in events.
//!
//! Thoughts are not shown: this protocol gives them back sealed by who made them, and we can't.

use super::{INPUT, Names, Tool};
use crate::chat::{Event, Finish, Part, Reply, known};
use crate::failure::Failure;
use crate::gateway::{Stamp, errors, misplaced, no_picture};
use callboard_telemetry::Usage;
use serde_json::{Value, json};

const PROTOCOL: &str = "OpenAI's Responses";

pub(in crate::gateway) fn reply(
    reply: &Reply,
    stamp: &Stamp,
    names: &Names,
) -> Result<Value, Failure> {
    let mut items: Vec<Item> = Vec::new();
    for part in &reply.parts {
        match part {
            Part::Text { text, .. } => match items.last_mut() {
                Some(Item::Message {
                    said,
                    refused: false,
                }) => said.push_str(text),
                _ => items.push(Item::Message {
                    said: text.clone(),
                    refused: false,
                }),
            },
            Part::Refusal { text } => items.push(Item::Message {
                said: text.clone(),
                refused: true,
            }),
            Part::Thinking { .. } => {}
            Part::ToolCall {
                id,
                name,
                arguments,
                ..
            } => items.push(Item::Call {
                index: 0,
                id: id.clone(),
                name: name.clone(),
                arguments: arguments.clone(),
            }),
            Part::Image(_) => return Err(no_picture(PROTOCOL)),
            Part::ToolResult { .. } => return Err(misplaced(PROTOCOL, part)),
        }
    }
    let output = (0..).zip(&items);
    let output: Vec<Value> = output
        .map(|(at, item)| item.value(stamp, at, names, Stage::Done))
        .collect();
    let mut whole = response(stamp, reply.model.as_deref(), &output);
    finish(&mut whole, reply.finish, reply.usage);
    Ok(whole)
}

fn response(stamp: &Stamp, model: Option<&str>, output: &[Value]) -> Value {
    json!({
        "id": format!("resp_{}", stamp.id),
        "object": "response",
        "created_at": stamp.created_s,
        "status": "in_progress",
        "error": null,
        "incomplete_details": null,
        "model": model.unwrap_or(&stamp.model),
        "output": output,
        "store": false,
        "usage": null,
    })
}

fn finish(response: &mut Value, finish: Finish, usage: Option<Usage>) {
    let reason = match finish {
        Finish::Length => Some("max_output_tokens"),
        Finish::Refused => Some("content_filter"),
        _ => None,
    };
    response["status"] = json!(if reason.is_some() {
        "incomplete"
    } else {
        "completed"
    });
    if let Some(reason) = reason {
        response["incomplete_details"] = json!({"reason": reason});
    }
    response["usage"] = json!(usage.map(|usage| {
        let tokens = usage.tokens;
        json!({
            "input_tokens": tokens.input,
            "input_tokens_details": {"cached_tokens": tokens.cached},
            "output_tokens": tokens.output,
            "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
            "total_tokens": tokens.input.saturating_add(tokens.output),
        })
    }));
}

#[derive(Debug)]
enum Item {
    Message {
        said: String,
        refused: bool,
    },
    Call {
        /// The model's own count of its calls.
        index: usize,
        id: String,
        name: String,
        arguments: String,
    },
}

/// How far an item is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Added,
    Done,
}

impl Item {
    fn id(&self, stamp: &Stamp, at: usize) -> String {
        let kind = match self {
            Item::Message { .. } => "msg",
            Item::Call { .. } => "fc",
        };
        format!("{kind}_{}_{at}", stamp.id)
    }

    fn piece(&self) -> Value {
        match self {
            Item::Message {
                said,
                refused: true,
            } => json!({"type": "refusal", "refusal": said}),
            Item::Message { said, .. } => {
                json!({"type": "output_text", "text": said, "annotations": []})
            }
            Item::Call { .. } => Value::Null,
        }
    }

    fn value(&self, stamp: &Stamp, at: usize, names: &Names, stage: Stage) -> Value {
        let id = self.id(stamp, at);
        let done = stage == Stage::Done;
        let status = if done { "completed" } else { "in_progress" };
        match self {
            Item::Message { .. } => {
                let content = if done { vec![self.piece()] } else { vec![] };
                json!({"type": "message", "id": id, "status": status, "role": "assistant", "content": content})
            }
            Item::Call {
                id: call,
                name,
                arguments,
                ..
            } => match names.known.get(name) {
                Some(Tool::Custom) => {
                    let input = if done {
                        input(arguments)
                    } else {
                        String::new()
                    };
                    json!({"type": "custom_tool_call", "id": id, "status": status, "call_id": call, "name": name, "input": input})
                }
                inside => {
                    let arguments = if done { whole(arguments) } else { "" };
                    let mut item = json!({"type": "function_call", "id": id, "status": status, "call_id": call, "name": name, "arguments": arguments});
                    if let Some(Tool::Inside { namespace, name }) = inside {
                        item["namespace"] = json!(namespace);
                        item["name"] = json!(name);
                    }
                    item
                }
            },
        }
    }
}

fn whole(arguments: &str) -> &str {
    if arguments.trim().is_empty() {
        "{}"
    } else {
        arguments
    }
}

/// A custom tool's text; what is no object as it should be is taken for the text itself.
fn input(arguments: &str) -> String {
    let value: Option<Value> = serde_json::from_str(arguments).ok();
    let text = value.as_ref().and_then(|value| value[INPUT].as_str());
    text.unwrap_or(arguments).to_owned()
}

/// Writes the events of a response.
#[derive(Debug)]
pub(in crate::gateway) struct Writer {
    stamp: Stamp,
    names: Names,
    model: Option<String>,
    usage: Option<Usage>,
    number: u64,
    begun: bool,
    items: Vec<Item>,
    /// As many of them are done.
    done: usize,
}

impl Writer {
    pub(in crate::gateway) fn new(stamp: Stamp, names: Names) -> Writer {
        Writer {
            stamp,
            names,
            model: None,
            usage: None,
            number: 0,
            begun: false,
            items: Vec::new(),
            done: 0,
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
            Event::Text { text } => self.say(text, false, out),
            Event::Refusal { text } => self.say(text, true, out),
            Event::ToolCallStarted {
                index, id, name, ..
            } => {
                self.close_words(out);
                let item = Item::Call {
                    index: *index,
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                };
                self.add(item, out);
            }
            Event::ToolCallDelta { index, arguments } => self.argue(*index, arguments, out),
            Event::Thinking { .. } | Event::Kept(_) => self.begin(out),
            Event::Charged(_) => {}
            Event::Image(_) => return Err(no_picture(PROTOCOL)),
            Event::Finished { finish, .. } => {
                self.begin(out);
                self.close(out);
                let mut whole = self.response();
                self::finish(&mut whole, *finish, self.usage);
                let kind = format!("response.{}", whole["status"].as_str().unwrap_or_default());
                self.send(&kind, json!({"response": whole}), out);
            }
        }
        Ok(())
    }

    pub(in crate::gateway) fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.begin(out);
        let error = &errors::openai_value(failure)["error"];
        let code = error["code"].as_str().or(error["type"].as_str());
        let mut whole = self.response();
        whole["status"] = json!("failed");
        whole["error"] = json!({"code": code, "message": error["message"]});
        self.send("response.failed", json!({"response": whole}), out);
    }

    fn response(&self) -> Value {
        let done = (0..self.done).zip(&self.items);
        let output: Vec<Value> = done
            .map(|(at, item)| item.value(&self.stamp, at, &self.names, Stage::Done))
            .collect();
        response(&self.stamp, self.model.as_deref(), &output)
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            let whole = self.response();
            self.send("response.created", json!({"response": whole}), out);
            self.send("response.in_progress", json!({"response": whole}), out);
        }
    }

    fn say(&mut self, text: &str, refuses: bool, out: &mut Vec<u8>) {
        self.begin(out);
        let open = match self.items.last() {
            Some(Item::Message { refused, .. }) => {
                *refused == refuses && self.done < self.items.len()
            }
            _ => false,
        };
        if !open {
            self.close_words(out);
            let item = Item::Message {
                said: String::new(),
                refused: refuses,
            };
            self.add(item, out);
            let (at, id, part) = self.last();
            let part = json!({"item_id": id, "output_index": at, "content_index": 0, "part": part});
            self.send("response.content_part.added", part, out);
        }
        if let Some(Item::Message { said, .. }) = self.items.last_mut() {
            said.push_str(text);
        }
        let (at, id, _) = self.last();
        let kind = if refuses { "refusal" } else { "output_text" };
        let delta = json!({"item_id": id, "output_index": at, "content_index": 0, "delta": text});
        self.send(&format!("response.{kind}.delta"), delta, out);
    }

    fn argue(&mut self, index: usize, more: &str, out: &mut Vec<u8>) {
        let is = |item: &Item| matches!(item, Item::Call { index: known, .. } if *known == index);
        let Some(at) = self
            .items
            .iter()
            .rposition(is)
            .filter(|at| *at >= self.done)
        else {
            return;
        };
        let id = self.items[at].id(&self.stamp, at);
        let Item::Call {
            name, arguments, ..
        } = &mut self.items[at]
        else {
            return;
        };
        arguments.push_str(more);
        // A custom tool's text is inside the arguments, and known when they are whole.
        if self.names.known.get(name) != Some(&Tool::Custom) {
            let delta = json!({"item_id": id, "output_index": at, "delta": more});
            self.send("response.function_call_arguments.delta", delta, out);
        }
    }

    fn add(&mut self, item: Item, out: &mut Vec<u8>) {
        self.begin(out);
        let at = self.items.len();
        let value = item.value(&self.stamp, at, &self.names, Stage::Added);
        self.items.push(item);
        self.send(
            "response.output_item.added",
            json!({"output_index": at, "item": value}),
            out,
        );
    }

    fn last(&self) -> (usize, String, Value) {
        let at = self.items.len().saturating_sub(1);
        match self.items.last() {
            Some(item) => (at, item.id(&self.stamp, at), item.piece()),
            None => (at, String::new(), Value::Null),
        }
    }

    /// The words are over. Calls stay open until the end, for their pieces may come mixed.
    fn close_words(&mut self, out: &mut Vec<u8>) {
        let words = |item: &Item| matches!(item, Item::Message { .. });
        if self.items[self.done..].iter().all(words) {
            self.close(out);
        }
    }

    /// Everything that is open is whole.
    fn close(&mut self, out: &mut Vec<u8>) {
        while let Some(item) = self.items.get(self.done) {
            let at = self.done;
            let id = item.id(&self.stamp, at);
            let value = item.value(&self.stamp, at, &self.names, Stage::Done);
            let mut events = Vec::new();
            match item {
                Item::Message { said, refused } => {
                    let (kind, key) = if *refused {
                        ("refusal", "refusal")
                    } else {
                        ("output_text", "text")
                    };
                    let place = json!({"item_id": id, "output_index": at, "content_index": 0});
                    let (mut text, mut part) = (place.clone(), place);
                    text[key] = json!(said);
                    part["part"] = item.piece();
                    events.push((format!("response.{kind}.done"), text));
                    events.push(("response.content_part.done".to_owned(), part));
                }
                Item::Call { .. } => {
                    let (kind, key) = match value["type"].as_str() {
                        Some("custom_tool_call") => ("custom_tool_call_input", "input"),
                        _ => ("function_call_arguments", "arguments"),
                    };
                    let mut all = json!({"item_id": id, "output_index": at});
                    if key == "input" {
                        all["delta"] = value[key].clone();
                        events.push((format!("response.{kind}.delta"), all.clone()));
                        all = json!({"item_id": id, "output_index": at});
                    }
                    all[key] = value[key].clone();
                    events.push((format!("response.{kind}.done"), all));
                }
            }
            events.push((
                "response.output_item.done".to_owned(),
                json!({"output_index": at, "item": value}),
            ));
            self.done += 1;
            for (kind, event) in events {
                self.send(&kind, event, out);
            }
        }
    }

    fn send(&mut self, kind: &str, fields: Value, out: &mut Vec<u8>) {
        let mut event = json!({"type": kind, "sequence_number": self.number});
        self.number += 1;
        if let (Some(event), Value::Object(fields)) = (event.as_object_mut(), fields) {
            event.extend(fields);
        }
        crate::gateway::named(&event, out);
    }
}
