//! Lines of an answer; in one piece it is a line too.

use crate::chat::{Event, Finish};
use crate::failure::{Failure, FailureKind};
use crate::wire::counting::Counting;
use crate::wire::{Head, Wire, errors, text};
use callboard_telemetry::Tokens;
use serde_json::Value;

/// What is known so far.
#[derive(Debug, Default)]
pub(in crate::wire) struct Reading {
    started: bool,
    id: String,
    calls: usize,
}

impl Reading {
    /// A line.
    pub(in crate::wire) fn take(
        &mut self,
        head: &Head,
        value: &Value,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        if !value["message"].is_object() && value["done"] != true {
            let message = "a line of the answer has no message in it";
            return Err(errors::failure(head, FailureKind::Malformed, message));
        }
        if !self.started {
            self.started = true;
            // The wire names neither answers nor calls; calls need names that no other answer uses.
            let made = value["created_at"].as_str().unwrap_or_default();
            self.id = made.chars().filter(char::is_ascii_digit).collect();
            out.push(Event::Started {
                id: None,
                model: text(&value["model"]),
            });
        }
        let message = &value["message"];
        out.extend(text(&message["thinking"]).map(|text| Event::Thinking { text }));
        out.extend(text(&message["content"]).map(|text| Event::Text { text }));
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let index = self.calls;
            self.calls += 1;
            out.push(Event::ToolCallStarted {
                index,
                id: text(&call["id"]).unwrap_or_else(|| format!("cb_{}_{index}", self.id)),
                name: text(&call["function"]["name"]).unwrap_or_default(),
                kept: None,
            });
            let arguments = match &call["function"]["arguments"] {
                Value::Null => "{}".to_owned(),
                Value::String(text) => text.clone(),
                object => object.to_string(),
            };
            out.push(Event::ToolCallDelta { index, arguments });
        }
        if value["done"] == true {
            Counting::default().says(Wire::Ollama, tokens(value), out);
            let word = text(&value["done_reason"]);
            let finish = match word.as_deref() {
                None | Some("stop") if self.calls > 0 => Finish::ToolCalls,
                None | Some("stop") => Finish::Stop,
                Some("length") => Finish::Length,
                Some(_) => Finish::Other,
            };
            out.push(Event::Finished { finish, word });
        }
        Ok(())
    }

    /// An answer in one piece.
    pub(in crate::wire) fn whole(
        mut self,
        head: &Head,
        value: &Value,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        self.take(head, value, out)?;
        match out.last() {
            Some(Event::Finished { .. }) => Ok(()),
            _ => Err(errors::cut(head)),
        }
    }
}

/// A prompt that was all in its cache is not counted by older versions: then the count is not known.
fn tokens(value: &Value) -> Option<Tokens> {
    Some(Tokens {
        input: value["prompt_eval_count"].as_u64()?,
        output: value["eval_count"].as_u64()?,
        ..Tokens::default()
    })
}
