//! A stream of bytes without the values in it, wherever it is cut.
//! For: the output of a child, as it comes. Only bytes that may be the beginning of a value are held back.
//! Not for: whole texts (see [`Scrubber::scrub`]).

use crate::Scrubber;
use crate::scrubber::Text;
use std::sync::Arc;
use zeroize::Zeroize;

/// The state between two pieces of a stream.
#[derive(Debug, Default)]
pub struct Stream {
    scrubber: Arc<Scrubber>,
    held: Vec<u8>,
}

impl Stream {
    /// A stream from its beginning.
    #[must_use]
    pub fn new(scrubber: Arc<Scrubber>) -> Self {
        Self {
            scrubber,
            held: Vec::new(),
        }
    }

    /// Takes the next bytes and hands on what is surely free of values.
    pub fn take(&mut self, bytes: &[u8], mut on: impl FnMut(&[u8])) {
        if self.scrubber.is_empty() {
            return on(bytes);
        }
        self.held.extend_from_slice(bytes);
        let open = self.open_end();
        on(&self.scrubber.scrub_bytes(&self.held[..open]));
        self.forget(open);
    }

    /// Hands on what was held back: the stream has ended.
    pub fn finish(&mut self, mut on: impl FnMut(&[u8])) {
        if !self.held.is_empty() {
            on(&self.scrubber.scrub_bytes(&self.held));
            self.forget(self.held.len());
        }
    }

    /// Where the earliest match begins that more bytes could complete. What a whole value covers is closed: a
    /// longer value with the same beginning is waited for, nothing inside it is.
    fn open_end(&self) -> usize {
        let bytes = &self.held;
        let text = Text::of(bytes);
        let mut at = bytes.len().saturating_sub(self.scrubber.longest() - 1);
        // A match that begins before and reaches into the last bytes must not be cut.
        let mut from = 0;
        while let Some((found, _)) = self.scrubber.find(text, from) {
            if found.start >= at {
                break;
            }
            from = found.end;
            at = at.max(found.end);
        }
        let plain = (at..bytes.len()).find(|at| self.scrubber.may_continue(&bytes[*at..]));
        // An escape may be many times as long as what it means, so its match may have begun anywhere.
        let escaped = self.scrubber.first_open(text);
        let open = plain.into_iter().chain(escaped).min();
        open.map_or(bytes.len(), |open| self.not_inside_a_match(text, open))
    }

    fn not_inside_a_match(&self, text: Text<'_>, open: usize) -> usize {
        let mut from = 0;
        while let Some((found, _)) = self.scrubber.find(text, from) {
            if found.start >= open {
                break;
            }
            if found.end > open {
                return found.end;
            }
            from = found.end;
        }
        open
    }

    fn forget(&mut self, count: usize) {
        let rest = self.held.split_off(count);
        self.held.zeroize();
        self.held = rest;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.held.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str = "sk-live-0123456789";

    fn streamed(values: &[(&str, &str)], pieces: &[&[u8]]) -> String {
        let mut stream = Stream::new(Arc::new(Scrubber::new(values.iter().copied())));
        let mut out = Vec::new();
        for piece in pieces {
            stream.take(piece, |bytes| out.extend_from_slice(bytes));
        }
        stream.finish(|bytes| out.extend_from_slice(bytes));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_value_is_found_wherever_the_stream_is_cut() {
        let text = format!("before {VALUE} between {VALUE}{VALUE} sk-live-01 after");
        let expected = "before [vault:K] between [vault:K][vault:K] sk-live-01 after";
        for size in 1..text.len() {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            assert_eq!(
                streamed(&[("K", VALUE)], &pieces),
                expected,
                "pieces of {size}"
            );
        }
    }

    #[test]
    fn the_longer_of_two_values_wins_across_a_cut() {
        let longer = format!("{VALUE}-and-more");
        let values = [("K", VALUE), ("L", longer.as_str())];
        let text = format!("{longer} {VALUE}-and {longer}");
        for size in 1..text.len() {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            assert_eq!(
                streamed(&values, &pieces),
                "[vault:L] [vault:K]-and [vault:L]",
                "{size}"
            );
        }
    }

    #[test]
    fn only_what_may_be_a_value_is_held_back() {
        let mut stream = Stream::new(Arc::new(Scrubber::new([("K", VALUE)])));
        let mut out = Vec::new();
        stream.take(b"password? sk-li", |bytes| out.extend_from_slice(bytes));
        assert_eq!(out, b"password? ");
        stream.take(b"ne\n", |bytes| out.extend_from_slice(bytes));
        assert_eq!(out, b"password? sk-line\n");
    }
}
