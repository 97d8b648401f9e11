//! Putting a streamed answer together again.

use super::{Charged, Event, Finish, Form, Part, Remaining, Reply, known};
use callboard_telemetry::Usage;
use std::collections::BTreeMap;

/// An answer that is coming. Feed it every event; what it makes is what the same answer would be in one piece.
#[derive(Debug, Clone, Default)]
pub struct Assembly {
    id: Option<String>,
    model: Option<String>,
    parts: Vec<Part>,
    /// Where in `parts` each call is.
    calls: BTreeMap<usize, usize>,
    /// The last part is whole: what comes next is another.
    closed: bool,
    usage: Option<Usage>,
    charged: Charged,
    finish: Option<(Finish, Option<String>)>,
}

impl Assembly {
    /// Takes the next event.
    pub fn take(&mut self, event: Event) {
        match event {
            Event::Started { id, model } => (self.id, self.model) = (id, model),
            Event::Text { text: more } => match self.open() {
                Some(Part::Text { text, .. }) => text.push_str(&more),
                _ => self.push(Part::Text {
                    text: more,
                    kept: None,
                }),
            },
            Event::Thinking { text: more } => match self.open() {
                Some(Part::Thinking { text, .. }) => text.push_str(&more),
                _ => self.push(Part::Thinking {
                    text: more,
                    kept: None,
                }),
            },
            Event::Refusal { text: more } => match self.open() {
                Some(Part::Refusal { text }) => text.push_str(&more),
                _ => self.push(Part::Refusal { text: more }),
            },
            Event::Kept(given) => {
                let whole = given.form == Form::Redacted;
                match self.open() {
                    Some(Part::Text { kept, .. } | Part::Thinking { kept, .. }) if !whole => {
                        *kept = Some(given);
                    }
                    _ => self.push(Part::Thinking {
                        text: String::new(),
                        kept: Some(given),
                    }),
                }
                self.closed = true;
            }
            Event::Image(image) => self.push(Part::Image(image)),
            Event::ToolCallStarted {
                index,
                id,
                name,
                kept,
            } => {
                self.push(Part::ToolCall {
                    id,
                    name,
                    arguments: String::new(),
                    kept,
                });
                self.calls.insert(index, self.parts.len() - 1);
            }
            Event::ToolCallDelta {
                index,
                arguments: more,
            } => {
                let part = self.calls.get(&index).copied();
                if let Some(Part::ToolCall { arguments, .. }) =
                    part.and_then(|part| self.parts.get_mut(part))
                {
                    arguments.push_str(&more);
                }
            }
            Event::Usage(usage) => self.usage = known(usage),
            Event::Charged(charged) => self.charged = charged,
            Event::Finished { finish, word } => self.finish = Some((finish, word)),
        }
    }

    /// What was used so far, as far as the provider said.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// What came so far.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The whole answer; nothing unless it was finished.
    #[must_use]
    pub fn reply(self, request_id: Option<String>, remaining: Remaining) -> Option<Reply> {
        let (finish, finish_word) = self.finish?;
        Some(Reply {
            id: self.id,
            model: self.model,
            parts: self.parts,
            finish,
            finish_word,
            usage: self.usage,
            charged: self.charged,
            request_id,
            remaining,
        })
    }

    fn open(&mut self) -> Option<&mut Part> {
        if self.closed {
            return None;
        }
        self.parts.last_mut()
    }

    fn push(&mut self, part: Part) {
        self.parts.push(part);
        self.closed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Kept;
    use crate::wire::Wire;
    use callboard_telemetry::{Counted, Tokens};

    fn kept(form: Form, payload: &str) -> Kept {
        Kept {
            wire: Wire::Anthropic,
            form,
            payload: payload.to_owned(),
        }
    }

    #[test]
    fn a_streamed_answer_is_put_together() {
        let usage = |output| Usage {
            tokens: Tokens {
                output,
                ..Tokens::default()
            },
            counted: Counted::Reported,
        };
        let text = |text: &str| Event::Text {
            text: text.to_owned(),
        };
        let thinking = |text: &str| Event::Thinking {
            text: text.to_owned(),
        };
        let call = |index, id: &str| Event::ToolCallStarted {
            index,
            id: id.to_owned(),
            name: "look".to_owned(),
            kept: None,
        };
        let more = |index, arguments: &str| Event::ToolCallDelta {
            index,
            arguments: arguments.to_owned(),
        };
        let mut assembly = Assembly::default();
        for event in [
            Event::Started {
                id: Some("m1".to_owned()),
                model: None,
            },
            Event::Usage(usage(1)),
            thinking("a"),
            thinking("b"),
            Event::Kept(kept(Form::Signature, "s1")),
            thinking("c"),
            Event::Kept(kept(Form::Signature, "s2")),
            Event::Kept(kept(Form::Redacted, "r")),
            text("x"),
            text("y"),
            call(0, "t0"),
            call(1, "t1"),
            more(0, "{"),
            more(1, "[]"),
            more(0, "}"),
            Event::Usage(usage(9)),
        ] {
            assembly.take(event);
        }
        assert_eq!(assembly.clone().reply(None, Remaining::default()), None);
        assembly.take(Event::Finished {
            finish: Finish::ToolCalls,
            word: None,
        });
        let reply = assembly.reply(None, Remaining::default()).unwrap();
        let thought = |text: &str, kept| Part::Thinking {
            text: text.to_owned(),
            kept: Some(kept),
        };
        let called = |id: &str, arguments: &str| Part::ToolCall {
            id: id.to_owned(),
            name: "look".to_owned(),
            arguments: arguments.to_owned(),
            kept: None,
        };
        assert_eq!(
            reply.parts,
            [
                thought("ab", kept(Form::Signature, "s1")),
                thought("c", kept(Form::Signature, "s2")),
                thought("", kept(Form::Redacted, "r")),
                Part::text("xy"),
                called("t0", "{}"),
                called("t1", "[]"),
            ]
        );
        assert_eq!(reply.usage, Some(usage(9)));
        assert_eq!(reply.text(), "xy");
    }

    #[test]
    fn a_chat_survives_being_written_down() {
        use crate::chat::{Chat, Image, Message, Output, Reasoning, ToolChoice};
        let mut chat = Chat::ask("m", "hi");
        chat.tool_choice = ToolChoice::Named("look".to_owned());
        chat.output = Output::Json;
        chat.reasoning = Some(Reasoning::Budget(7));
        chat.messages.push(Message::assistant(vec![
            Part::Thinking {
                text: "hm".to_owned(),
                kept: Some(kept(Form::Signature, "s")),
            },
            Part::Image(Image::Url {
                url: "https://x/y.png".to_owned(),
            }),
            Part::Image(Image::Inline {
                media_type: "image/png".to_owned(),
                data: "AA==".to_owned(),
            }),
        ]));
        let text = serde_json::to_string(&chat).unwrap();
        assert_eq!(serde_json::from_str::<Chat>(&text).unwrap(), chat);
    }
}
