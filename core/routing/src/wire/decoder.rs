//! A streamed answer, from bytes cut anywhere to events.

use super::framing::{Lines, Sse, TooLong};
use super::{Head, MOST_BODY, Wire, anthropic, errors, gemini, ollama, openai};
use crate::chat::Event;
use crate::failure::{Failure, FailureKind};
use serde::de::IgnoredAny;
use serde_json::Value;

/// Reads one answer. Feed it the bytes as they come, then tell it the end.
///
/// After a failure or the last event it takes no more. Which events it makes does not depend on where the bytes were
/// cut.
#[derive(Debug)]
pub struct Decoder {
    wire: Wire,
    head: Head,
    shape: Shape,
    lines: Lines,
    sse: Sse,
    reading: Reading,
    spoken: bool,
    over: bool,
}

/// What the body turns out to be.
#[derive(Debug)]
enum Shape {
    /// Nothing but white space came.
    Unknown,
    /// Events or lines.
    Stream,
    /// One piece after all: an error, or a provider that does not stream.
    Whole(Vec<u8>),
}

#[derive(Debug)]
enum Reading {
    OpenAi(openai::Reading),
    Anthropic(anthropic::Reading),
    Gemini(gemini::Reading),
    Ollama(ollama::Reading),
}

impl Decoder {
    pub(super) fn new(wire: Wire, head: Head) -> Decoder {
        let reading = match wire {
            Wire::OpenAi => Reading::OpenAi(openai::Reading::default()),
            Wire::Anthropic => Reading::Anthropic(anthropic::Reading::default()),
            Wire::Gemini => Reading::Gemini(gemini::Reading::default()),
            Wire::Ollama => Reading::Ollama(ollama::Reading::default()),
        };
        let shape = if head.is_success() {
            Shape::Unknown
        } else {
            Shape::Whole(Vec::new())
        };
        Decoder {
            wire,
            head,
            shape,
            lines: Lines::default(),
            sse: Sse::default(),
            reading,
            spoken: false,
            over: false,
        }
    }

    /// The beginning of the answer.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Whether a part of the answer came already.
    #[must_use]
    pub fn has_spoken(&self) -> bool {
        self.spoken
    }

    /// Whether there is nothing more to come: the last event or a failure was handed out.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Takes the next bytes; what they complete goes to `out`, also when a failure follows.
    ///
    /// # Errors
    /// What the provider says instead of an answer, or that the answer can't be read.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<(), Failure> {
        self.guarded(out, |decoder, out| decoder.take(bytes, out))
    }

    /// The body ended.
    ///
    /// # Errors
    /// [`FailureKind::Truncated`] when the answer did not; or as [`Decoder::feed`].
    pub fn end(&mut self, out: &mut Vec<Event>) -> Result<(), Failure> {
        self.guarded(out, Decoder::close)
    }

    fn guarded(
        &mut self,
        out: &mut Vec<Event>,
        work: impl FnOnce(&mut Decoder, &mut Vec<Event>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.over {
            return Ok(());
        }
        let before = out.len();
        let done = work(self, out);
        self.spoken |= out[before..].iter().any(Event::is_content);
        self.over |= done.is_err() || matches!(out.last(), Some(Event::Finished { .. }));
        done.map_err(|mut failure| {
            failure.after_bytes = self.spoken;
            failure
        })
    }

    fn take(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<(), Failure> {
        let mut bytes = bytes;
        if matches!(self.shape, Shape::Unknown) {
            bytes = bytes.trim_ascii_start();
            let streams = self.wire == Wire::Ollama;
            self.shape = match bytes.first() {
                None => return Ok(()),
                Some(b'<') => return Err(errors::foreign(&self.head, "<")),
                Some(b'{' | b'[') if !streams => Shape::Whole(Vec::new()),
                Some(_) => Shape::Stream,
            };
        }
        if let Shape::Whole(body) = &mut self.shape {
            if body.len() + bytes.len() > MOST_BODY {
                return Err(too_long(&self.head));
            }
            body.extend_from_slice(bytes);
            return Ok(());
        }
        self.lines.feed(bytes);
        loop {
            let line = self.lines.next().map_err(|TooLong| too_long(&self.head))?;
            let Some(line) = line else {
                return Ok(());
            };
            self.line(&line, out)?;
            if matches!(out.last(), Some(Event::Finished { .. })) {
                return Ok(());
            }
        }
    }

    fn line(&mut self, line: &str, out: &mut Vec<Event>) -> Result<(), Failure> {
        if self.wire == Wire::Ollama {
            return self.data(line, out);
        }
        let data = self
            .sse
            .line(line)
            .map_err(|TooLong| too_long(&self.head))?;
        match data {
            Some(data) => self.data(&data, out),
            None => Ok(()),
        }
    }

    /// The data of an event, or a line of JSON.
    fn data(&mut self, data: &str, out: &mut Vec<Event>) -> Result<(), Failure> {
        let (head, data) = (&self.head, data.trim());
        if data.is_empty() {
            return Ok(());
        }
        if data == "[DONE]" {
            return match &mut self.reading {
                Reading::OpenAi(reading) => reading.end(head, out),
                // Added by gateways; these wires have an end of their own.
                _ => Ok(()),
            };
        }
        let value: Value = serde_json::from_str(data).map_err(|error| {
            if self.wire == Wire::Ollama && !data.starts_with('{') {
                errors::foreign(head, data)
            } else {
                errors::unreadable(head, "a piece of the answer", &error)
            }
        })?;
        if let Some(failure) = errors::in_band(self.wire, head, &value) {
            return Err(failure);
        }
        match &mut self.reading {
            Reading::OpenAi(reading) => reading.take(head, &value, out),
            Reading::Anthropic(reading) => reading.take(head, &value, out),
            Reading::Gemini(reading) => reading.take(head, &value, out),
            Reading::Ollama(reading) => reading.take(head, &value, out),
        }
    }

    /// What stood after the last end of a line or event: taken if it is whole, else it was cut with the stream.
    fn tail(&mut self, data: &str, out: &mut Vec<Event>) -> Result<(), Failure> {
        let whole = data == "[DONE]" || serde_json::from_str::<IgnoredAny>(data).is_ok();
        let foreign = self.wire == Wire::Ollama && !data.trim_start().starts_with('{');
        if whole || foreign {
            return self.data(data, out);
        }
        Ok(())
    }

    fn close(&mut self, out: &mut Vec<Event>) -> Result<(), Failure> {
        if let Shape::Whole(body) = &self.shape {
            return self.wire.whole(&self.head, body, out);
        }
        match self.lines.rest() {
            Some(line) if self.wire == Wire::Ollama => self.tail(&line, out)?,
            Some(line) => self
                .sse
                .unfinished(&line)
                .map_err(|TooLong| too_long(&self.head))?,
            None => {}
        }
        if let Some(data) = self.sse.rest() {
            self.tail(&data, out)?;
        }
        if matches!(out.last(), Some(Event::Finished { .. })) {
            return Ok(());
        }
        let head = &self.head;
        let ended = match &mut self.reading {
            Reading::OpenAi(reading) => reading.end(head, out),
            Reading::Gemini(reading) => reading.end(head, out),
            // Their last event says so, and it did not come.
            Reading::Anthropic(_) | Reading::Ollama(_) => Err(errors::cut(head)),
        };
        ended.map_err(|failure| match self.sse.strange && !self.spoken {
            true => errors::foreign(head, ""),
            false => failure,
        })
    }
}

fn too_long(head: &Head) -> Failure {
    let message = "the answer, or a piece of it, is longer than an answer of a model can be";
    errors::failure(head, FailureKind::Malformed, message)
}
