//! Finding many values in a text at once.
//! For: replacing each with `[vault:NAME]`, the longest first, also where JSON's escapes stand in it. A look costs about a
//! nanosecond a byte, and more only where backslashes are.
//! Not for: knowing which values there are (see the register).

use crate::escaped::meant;
use crate::forms::{Form, SHORTEST_FORM, forms};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use zeroize::Zeroize;

/// Values with their shapes, ready to be looked for.
#[derive(Default)]
pub struct Scrubber {
    /// In the order of their bytes, so that those with one beginning stand together.
    patterns: Vec<(Form, Arc<str>)>,
    /// One bit for each pair of first bytes that a pattern has.
    starts: Vec<u64>,
    longest: usize,
}

/// A text that is looked through.
#[derive(Clone, Copy)]
pub(crate) struct Text<'b> {
    bytes: &'b [u8],
    /// Without a backslash there is nothing to take escapes off.
    escapes: bool,
}

impl<'b> Text<'b> {
    pub(crate) fn of(bytes: &'b [u8]) -> Self {
        let escapes = bytes.contains(&b'\\');
        Self { bytes, escapes }
    }
}

impl Drop for Scrubber {
    fn drop(&mut self) {
        self.starts.zeroize();
    }
}

impl std::fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scrubber")
            .field("patterns", &self.patterns.len())
            .finish_non_exhaustive()
    }
}

impl Scrubber {
    /// A scrubber for `(name, value)` pairs; a value shorter than 8 bytes can't be told from other text and is left out.
    #[must_use]
    pub fn new<'v>(values: impl IntoIterator<Item = (&'v str, &'v str)>) -> Self {
        let mut patterns = Vec::new();
        for (name, value) in values {
            let name: Arc<str> = name.into();
            if value.len() >= SHORTEST_FORM {
                patterns.extend(
                    forms(value)
                        .into_iter()
                        .map(|form| (form, Arc::clone(&name))),
                );
            }
        }
        patterns.sort_by(|(a, _), (b, _)| a.as_slice().cmp(b.as_slice()));
        let mut starts = vec![0_u64; if patterns.is_empty() { 0 } else { 1024 }];
        for (form, _) in &patterns {
            let pair = pair(form[0], form[1]);
            starts[pair / 64] |= 1 << (pair % 64);
        }
        let longest = patterns.iter().map(|(form, _)| form.len()).max();
        Self {
            patterns,
            starts,
            longest: longest.unwrap_or(0),
        }
    }

    /// Whether there is nothing to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// The length of the longest shape, bytes.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// The text without the values; unchanged text is not copied.
    #[must_use]
    pub fn scrub<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.scrub_bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // A shape is whole characters, and so is what replaces it.
            Cow::Owned(bytes) => Cow::Owned(match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            }),
        }
    }

    /// The bytes without the values; unchanged bytes are not copied.
    #[must_use]
    pub fn scrub_bytes<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        if self.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let text = Text::of(bytes);
        let mut clean: Option<Vec<u8>> = None;
        let mut copied = 0;
        let mut from = 0;
        while let Some((found, name)) = self.find(text, from) {
            let clean = clean.get_or_insert_with(|| Vec::with_capacity(bytes.len()));
            clean.extend_from_slice(&bytes[copied..found.start]);
            clean.extend_from_slice(b"[vault:");
            clean.extend_from_slice(name.as_bytes());
            clean.push(b']');
            copied = found.end;
            from = found.end;
        }
        match clean {
            Some(mut clean) => {
                clean.extend_from_slice(&bytes[copied..]);
                Cow::Owned(clean)
            }
            None => Cow::Borrowed(bytes),
        }
    }

    /// The name of the first value in `bytes`, if there is one.
    #[must_use]
    pub fn sighted(&self, bytes: &[u8]) -> Option<&str> {
        self.find(Text::of(bytes), 0).map(|(_, name)| name)
    }

    /// The first value from `from` on: the longest of those that begin at one place.
    pub(crate) fn find(&self, text: Text<'_>, from: usize) -> Option<(Range<usize>, &str)> {
        let bytes = text.bytes;
        if self.patterns.is_empty() || bytes.len() < SHORTEST_FORM {
            return None;
        }
        let mut places = from..=bytes.len() - SHORTEST_FORM;
        if text.escapes {
            return places.find_map(|at| self.escaped_at(bytes, at));
        }
        places
            .filter(|at| self.may_start(bytes[*at], bytes[*at + 1]))
            .find_map(|at| self.match_at(bytes, at))
    }

    fn may_start(&self, first: u8, second: u8) -> bool {
        let pair = pair(first, second);
        self.starts[pair / 64] & (1 << (pair % 64)) != 0
    }

    fn match_at(&self, bytes: &[u8], at: usize) -> Option<(Range<usize>, &str)> {
        let rest = &bytes[at..];
        let here = self.beginning_with(&rest[..SHORTEST_FORM]);
        let fits = self.patterns[here]
            .iter()
            .filter(|(form, _)| rest.starts_with(form));
        fits.max_by_key(|(form, _)| form.len())
            .map(|(form, name)| (at..at + form.len(), name.as_ref()))
    }

    /// As `match_at`, of the text as it is and of what its escapes mean.
    fn escaped_at(&self, bytes: &[u8], at: usize) -> Option<(Range<usize>, &str)> {
        if !self.may_start_escaped(bytes, at) {
            return None;
        }
        let plain = self.may_start(bytes[at], bytes[at + 1]);
        let plain = plain.then(|| self.match_at(bytes, at)).flatten();
        let end = plain.as_ref().map_or(at, |(found, _)| found.end);
        match self.look(bytes, at).found {
            Some((later, pattern)) if later > end => {
                Some((at..later, self.patterns[pattern].1.as_ref()))
            }
            _ => plain,
        }
    }

    /// Whether a value may begin at a place, as far as its first two bytes tell.
    fn may_start_escaped(&self, bytes: &[u8], at: usize) -> bool {
        match (bytes[at], bytes.get(at + 1)) {
            (b'\\', Some(b'\\' | b'u') | None) => true,
            (b'\\', Some(kind)) => {
                let plain = self.may_start(b'\\', *kind);
                plain || self.may_begin(meant(*kind).unwrap_or(b'\\'))
            }
            (first, Some(b'\\') | None) => self.may_begin(first),
            (first, Some(second)) => self.may_start(first, *second),
        }
    }

    /// Whether a pattern begins with this byte.
    pub(crate) fn may_begin(&self, first: u8) -> bool {
        let of_first = pair(first, 0) / 64;
        self.starts[of_first..of_first + 4]
            .iter()
            .any(|seconds| *seconds != 0)
    }

    /// The first place where escapes leave open whether a value begins there.
    pub(crate) fn first_open(&self, text: Text<'_>) -> Option<usize> {
        let mut places = 0..if text.escapes { text.bytes.len() } else { 0 };
        places.find(|at| self.may_start_escaped(text.bytes, *at) && self.look(text.bytes, *at).open)
    }

    /// All patterns.
    pub(crate) fn all(&self) -> Range<usize> {
        0..self.patterns.len()
    }

    /// Those of `here`, which have their first `known` bytes in common, that go on with `byte`.
    pub(crate) fn narrowed(&self, here: Range<usize>, known: usize, byte: u8) -> Range<usize> {
        let patterns = &self.patterns[here.clone()];
        let first = patterns.partition_point(|(form, _)| form.get(known) < Some(&byte));
        let count = patterns[first..].partition_point(|(form, _)| form.get(known) == Some(&byte));
        here.start + first..here.start + first + count
    }

    /// How long a pattern is, bytes.
    pub(crate) fn length(&self, pattern: usize) -> usize {
        self.patterns[pattern].0.len()
    }

    /// The patterns that begin with `start`.
    fn beginning_with(&self, start: &[u8]) -> Range<usize> {
        let first = self
            .patterns
            .partition_point(|(form, _)| form.as_slice() < start);
        let count = self.patterns[first..].partition_point(|(form, _)| form.starts_with(start));
        first..first + count
    }

    /// Whether a pattern begins with `end` and goes on: more bytes must be seen to know.
    pub(crate) fn may_continue(&self, end: &[u8]) -> bool {
        if end.is_empty() || self.patterns.is_empty() {
            return false;
        }
        let here = self.beginning_with(end);
        self.patterns[here]
            .iter()
            .any(|(form, _)| form.len() > end.len())
    }
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubber() -> Scrubber {
        Scrubber::new([
            ("KEY", "sk-live-0123456789"),
            ("LONGER", "sk-live-0123456789-more"),
            ("TINY", "abc"),
        ])
    }

    #[test]
    fn values_are_replaced_by_their_names_the_longest_first() {
        let scrubber = scrubber();
        assert_eq!(
            scrubber.scrub("a sk-live-0123456789 b sk-live-0123456789-more\nsk-live-012345678"),
            "a [vault:KEY] b [vault:LONGER]\nsk-live-012345678"
        );
        assert!(matches!(
            scrubber.scrub("nothing abc here"),
            Cow::Borrowed(_)
        ));
        assert_eq!(scrubber.sighted(b"x sk-live-0123456789"), Some("KEY"));
        assert_eq!(scrubber.sighted(b"x"), None);
    }

    #[test]
    fn encoded_values_are_replaced_and_json_stays_json() {
        let scrubber = Scrubber::new([("P", "pass\"word-1234")]);
        let json = r#"{"a":"x pass\"word-1234 y"}"#;
        assert_eq!(scrubber.scrub(json), r#"{"a":"x [vault:P] y"}"#);
        assert_eq!(
            scrubber.scrub("Basic dTpwYXNzIndvcmQtMTIzNA=="),
            "Basic dTp[vault:P]A=="
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        let mixed = [&[0xff, 0xfe][..], b"sk-live-0123456789", &[0x80]].concat();
        let expected = [&[0xff, 0xfe][..], b"[vault:KEY]", &[0x80]].concat();
        assert_eq!(scrubber().scrub_bytes(&mixed).as_ref(), expected);
    }

    #[test]
    fn nothing_to_look_for_finds_nothing() {
        let none = Scrubber::new([]);
        assert!(none.is_empty() && !none.may_continue(b"a"));
        assert_eq!(none.scrub("anything at all"), "anything at all");
    }
}
