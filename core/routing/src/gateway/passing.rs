//! A request to a provider that speaks the client's own protocol: as it came, but for the model's name.

use super::read::{Unfit, wrong};
use super::seal;
use crate::chat::{Event, Finish, known};
use crate::failure::Failure;
use crate::wire::{Decoder, Head, Wire};
use callboard_telemetry::Usage;
use serde::de::IgnoredAny;
use std::ops::Range;

/// Where in a body the model is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub model: String,
    at: Range<usize>,
}

impl Named {
    /// Finds the model's name in a body.
    ///
    /// # Errors
    /// The body is no JSON object, names no model, or several: who reads it could take either.
    pub fn find(body: &[u8]) -> Result<Named, Unfit> {
        if let Err(error) = serde_json::from_slice::<IgnoredAny>(body) {
            return Err(Unfit::NotJson(error.to_string()));
        }
        let mut found = None;
        for [key, at] in members(body)? {
            if serde_json::from_slice::<String>(&body[key]).is_ok_and(|key| key == "model") {
                if found.is_some() {
                    return Err(wrong("model", "is there twice"));
                }
                found = Some(at);
            }
        }
        let at = found.ok_or_else(|| wrong("model", "is required"))?;
        match serde_json::from_slice(&body[at.clone()]) {
            Ok(model) => Ok(Named { model, at }),
            Err(_) => Err(wrong("model", "must be a string")),
        }
    }

    /// The same body, byte for byte, with another model.
    #[must_use]
    pub fn renamed(&self, body: &[u8], model: &str) -> Vec<u8> {
        let name = serde_json::Value::from(model).to_string();
        let mut renamed = Vec::with_capacity(body.len() + name.len());
        renamed.extend_from_slice(&body[..self.at.start]);
        renamed.extend_from_slice(name.as_bytes());
        renamed.extend_from_slice(&body[self.at.end..]);
        renamed
    }
}

/// Whether a body can go to its own wire as it is: nothing is in it that only we can read. Thoughts of another wire's
/// models are, after a client was moved from there.
#[must_use]
pub fn passes(body: &[u8]) -> bool {
    let mark = seal::MARK.as_bytes();
    !body.windows(mark.len()).any(|window| window == mark)
}

/// The keys and values of an object that is known to be JSON: where each of them is.
fn members(body: &[u8]) -> Result<Vec<[Range<usize>; 2]>, Unfit> {
    let mut at = blank(body, 0);
    if body.get(at) != Some(&b'{') {
        return Err(Unfit::NotJson("it is another kind of value".to_owned()));
    }
    let mut members = Vec::new();
    at = blank(body, at + 1);
    while body.get(at) == Some(&b'"') {
        let key = at..value(body, at);
        // The colon is next.
        let from = blank(body, blank(body, key.end) + 1);
        let to = value(body, from);
        members.push([key, from..to]);
        // A comma or the end is next.
        at = blank(body, blank(body, to) + 1);
    }
    Ok(members)
}

/// The first byte from here that is no white space.
fn blank(body: &[u8], from: usize) -> usize {
    let rest = body.get(from..).unwrap_or_default();
    from + rest
        .iter()
        .take_while(|byte| b" \t\r\n".contains(byte))
        .count()
}

/// The end of the value that begins here.
fn value(body: &[u8], from: usize) -> usize {
    let (mut depth, mut text, mut escaped) = (0_usize, false, false);
    for (at, byte) in body.iter().enumerate().skip(from) {
        if text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => text = false,
                _ => {}
            }
            if text || depth > 0 {
                continue;
            }
            return at + 1;
        }
        match byte {
            b'"' => text = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 1 => depth -= 1,
            b'}' | b']' if depth == 1 => return at + 1,
            b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => return at,
            _ => {}
        }
    }
    body.len()
}

/// What an answer that passed through was.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// The provider's id for it.
    pub id: Option<String>,
    /// The model that answered.
    pub model: Option<String>,
    /// What was used, as far as it was said.
    pub usage: Option<Usage>,
    /// Why it ended, and the provider's word for it.
    pub finish: Option<(Finish, Option<String>)>,
    /// The model said something.
    pub spoke: bool,
    /// What went wrong.
    pub failure: Option<Failure>,
}

/// Listens to an answer that passes through. It alters nothing: who passes the bytes on gives it the same bytes.
#[derive(Debug)]
pub struct Tap {
    decoder: Decoder,
    seen: Seen,
}

impl Tap {
    /// For an answer that begins like this.
    #[must_use]
    pub fn new(wire: Wire, head: Head) -> Tap {
        Tap {
            decoder: wire.decoder(head),
            seen: Seen::default(),
        }
    }

    /// The next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut events = Vec::new();
        let fed = self.decoder.feed(bytes, &mut events);
        self.note(events, fed);
    }

    /// What is known so far.
    #[must_use]
    pub fn so_far(&self) -> &Seen {
        &self.seen
    }

    /// The body ended.
    #[must_use]
    pub fn end(mut self) -> Seen {
        let mut events = Vec::new();
        let ended = self.decoder.end(&mut events);
        self.note(events, ended);
        self.seen
    }

    fn note(&mut self, events: Vec<Event>, outcome: Result<(), Failure>) {
        for event in events {
            self.seen.spoke |= event.is_content();
            match event {
                Event::Started { id, model } => (self.seen.id, self.seen.model) = (id, model),
                Event::Usage(usage) => self.seen.usage = known(usage),
                Event::Finished { finish, word } => self.seen.finish = Some((finish, word)),
                _ => {}
            }
        }
        if let Err(failure) = outcome {
            self.seen.failure = Some(failure);
        }
    }
}
