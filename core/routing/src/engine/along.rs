//! Reading along an answer that is handed on.
//!
//! For: what it says of its end and its use. Not for: handing it on (`pass`).

use callboard_telemetry::Tokens;

use super::used::Seen;
use crate::chat::Event;
use crate::failure::{Failure, FailureKind};
use crate::wire::{Decoder, Head, MOST_BODY, Wire, believed};

/// Reads along.
pub(super) enum Reader {
    /// An answer as it is made.
    Stream(Box<Decoder>),
    /// An answer in one piece.
    Answer(Wire, Vec<u8>),
    /// One piece of JSON that is no answer and says what was used.
    Numbers(Vec<u8>),
    /// Nothing more is of interest.
    Done,
}

impl Reader {
    pub(super) fn feed(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), Failure> {
        match self {
            Reader::Stream(decoder) => decoder.feed(bytes, events),
            Reader::Answer(_, body) | Reader::Numbers(body) => {
                // What is longer passes, and is not understood.
                if body.len() + bytes.len() <= MOST_BODY {
                    body.extend_from_slice(bytes);
                }
                Ok(())
            }
            Reader::Done => Ok(()),
        }
    }

    pub(super) fn end(
        self,
        events: &mut Vec<Event>,
        head: &Head,
        seen: &mut Seen,
    ) -> Result<(), Failure> {
        match self {
            Reader::Stream(mut decoder) => decoder.end(events),
            Reader::Answer(wire, body) => {
                let reply = wire.decode(head, &body)?;
                seen.reply(&reply);
                events.push(Event::Finished {
                    finish: reply.finish,
                    word: reply.finish_word,
                });
                Ok(())
            }
            Reader::Numbers(body) => numbers(&body, events, head),
            Reader::Done => Ok(()),
        }
    }
}

/// What an answer in one piece that is no conversation says of its use.
fn numbers(body: &[u8], events: &mut Vec<Event>, head: &Head) -> Result<(), Failure> {
    let value: serde_json::Value = serde_json::from_slice(body).map_err(|error| {
        let mut failure = Failure::new(FailureKind::NotJson, format!("no JSON: {error}"));
        failure.status = Some(head.status);
        failure
    })?;
    if let Some(input) = value["usage"]["prompt_tokens"].as_u64() {
        let tokens = Tokens {
            input,
            ..Tokens::default()
        };
        events.extend(believed(Wire::OpenAi, tokens).map(Event::Usage));
    }
    events.push(Event::Finished {
        finish: crate::chat::Finish::Stop,
        word: None,
    });
    Ok(())
}
