//! What looks like a secret, in any text.
//! For: keys by how they begin, tokens with a signature, private keys, passwords in addresses and behind their names.
//! Not for: secrets that are known to be in use (`callboard_redact` has those), or deciding what is kept.
//!
//! A text is gone through once, from its start to its end; no place is looked at more than a few times.

use std::borrow::Cow;

/// What keys of well-known providers begin with, and how many characters follow at least.
const KEYS: [(&str, usize); 15] = [
    ("sk-", 16),
    ("gsk_", 16),
    ("xai-", 16),
    ("AIza", 30),
    ("ghp_", 30),
    ("gho_", 30),
    ("ghs_", 30),
    ("github_pat_", 30),
    ("glpat-", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("AKIA", 16),
    ("ASIA", 16),
    ("hf_", 30),
    ("npm_", 30),
];

/// What a name ends with whose value is a secret, in small letters.
const NAMES: [&str; 13] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "token",
    "secret",
    "api_key",
    "api-key",
    "apikey",
    "access_key",
    "private_key",
    "secret_key",
    "accesskey",
];

/// What stands behind such a name and is no secret.
const EMPTY: [&str; 6] = ["true", "false", "null", "none", "undefined", "string"];

const PEM: &[u8] = b"-----BEGIN ";
/// Bytes of a private key in this form at most; the largest in use have a quarter of it.
const LONGEST_PEM: usize = 64 * 1024;

const KEY: &str = "[key]";
const SECRET: &str = "[secret]";

/// The text with `[key]` in place of what looks like a key, and `[secret]` in place of what is said to be one.
pub(super) fn mask(text: &str) -> Cow<'_, str> {
    let mut scan = Scan {
        bytes: text.as_bytes(),
        pem_end: 0,
    };
    let mut clean = String::new();
    let (mut copied, mut at) = (0, 0);
    while at < text.len() {
        let Some(found) = scan.at(at) else {
            at += 1;
            continue;
        };
        // All of these lie beside ASCII.
        clean.push_str(&text[copied..found.from]);
        clean.push_str(found.mark);
        (copied, at) = (found.until, found.until);
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(&text[copied..]);
    Cow::Owned(clean)
}

/// What is to be taken out.
struct Found {
    from: usize,
    until: usize,
    mark: &'static str,
}

struct Scan<'t> {
    bytes: &'t [u8],
    /// Where the next end of a private key was seen, so that no stretch is searched for it twice.
    pem_end: usize,
}

impl Scan<'_> {
    fn at(&mut self, at: usize) -> Option<Found> {
        let bytes = self.bytes;
        let key = |until| Found {
            from: at,
            until,
            mark: KEY,
        };
        match bytes[at] {
            b'-' if bytes[at..].starts_with(PEM) => return self.pem(at).map(key),
            b':' => return url_password(bytes, at),
            byte if !is_key_byte(byte) => return None,
            _ => {}
        }
        if !starts_word(bytes, at) {
            return None;
        }
        if let Some(until) = key_end(bytes, at).or_else(|| jwt_end(bytes, at)) {
            return Some(key(until));
        }
        let end = run(bytes, at, is_key_byte);
        bearer(bytes, at, end).or_else(|| named(bytes, at, end))
    }

    /// The end of a private key that begins here: with its last line, or, where that was cut off, with the last line that
    /// can only be part of a key.
    fn pem(&mut self, at: usize) -> Option<usize> {
        let label = &self.bytes[at + PEM.len()..];
        let label = &label[..label.len().min(60)];
        let head = find(label, b"-----")?;
        if !label[..head].ends_with(b"PRIVATE KEY")
            && !label[..head].ends_with(b"PRIVATE KEY BLOCK")
        {
            return None;
        }
        let body = at + PEM.len() + head + 5;
        if self.pem_end < body {
            let end = find(&self.bytes[body..], b"-----END ");
            self.pem_end = end.map_or(usize::MAX, |end| body + end);
        }
        if self.pem_end.saturating_sub(body) > LONGEST_PEM {
            return Some(lines_of_key(self.bytes, body));
        }
        let foot = self.pem_end + 9;
        let rest = &self.bytes[foot..];
        let rest = &rest[..rest.len().min(60)];
        let closed = find(rest, b"-----").unwrap_or(rest.len());
        // It may be that of something else, far behind a key of which only the name is told.
        if find(&rest[..closed], b"PRIVATE KEY").is_none() {
            return Some(lines_of_key(self.bytes, body));
        }
        Some((foot + closed + 5).min(self.bytes.len()))
    }
}

fn lines_of_key(bytes: &[u8], from: usize) -> usize {
    let mut end = from;
    loop {
        let mut line = end;
        // Within JSON the end of a line is a backslash and a letter.
        loop {
            line = match bytes.get(line) {
                Some(b'\n' | b'\r' | b' ' | b'\t') => line + 1,
                Some(b'\\') if matches!(bytes.get(line + 1), Some(b'n' | b'r')) => line + 2,
                _ => break,
            };
        }
        let until = run(bytes, line, is_base64);
        if until - line < 32 && (until < bytes.len() || until == line) {
            return end;
        }
        end = until;
    }
}

fn key_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let (start, least) = KEYS
        .iter()
        .find(|(start, _)| rest.starts_with(start.as_bytes()))?;
    let end = run(bytes, at + start.len(), is_key_byte);
    (end - at >= start.len() + least).then_some(end)
}

/// Two parts of Base64 that are JSON, and a signature; an encrypted one has five parts.
fn jwt_end(bytes: &[u8], at: usize) -> Option<usize> {
    if !bytes[at..].starts_with(b"eyJ") {
        return None;
    }
    let mut end = run(bytes, at, is_key_byte);
    if end - at < 12 {
        return None;
    }
    let mut parts = 1;
    while parts < 5 && bytes.get(end) == Some(&b'.') {
        let next = run(bytes, end + 1, is_key_byte);
        // Where the key is agreed on beforehand, an encrypted one has nothing in its second part.
        if next - end < 5 && !(parts == 1 && next == end + 1) {
            break;
        }
        end = next;
        parts += 1;
    }
    (parts >= 3).then_some(end)
}

/// `Bearer` and what it bears.
fn bearer(bytes: &[u8], at: usize, end: usize) -> Option<Found> {
    if !bytes[at..end].eq_ignore_ascii_case(b"bearer") || bytes.get(end) != Some(&b' ') {
        return None;
    }
    let from = end + 1;
    let until = run(bytes, from, |byte| {
        is_base64(byte) || b"-._~".contains(&byte)
    });
    let long = until - from >= 16 && bytes[from..until].iter().any(u8::is_ascii_digit);
    long.then_some(Found {
        from,
        until,
        mark: SECRET,
    })
}

/// The password of `scheme://user:password@host`; `at` is the colon of the scheme.
fn url_password(bytes: &[u8], at: usize) -> Option<Found> {
    if !bytes[at..].starts_with(b"://") || at == 0 || !bytes[at - 1].is_ascii_alphanumeric() {
        return None;
    }
    let begin = at + 3;
    let ends = |byte: u8| byte.is_ascii_whitespace() || b"/?#\"'<>`\\".contains(&byte);
    let authority = &bytes[begin..run(bytes, begin, |byte| !ends(byte))];
    let until = authority.iter().rposition(|byte| *byte == b'@')?;
    let from = authority[..until].iter().position(|byte| *byte == b':')? + 1;
    let said = &authority[from..until];
    (!said.is_empty() && !is_placeholder(said)).then_some(Found {
        from: begin + from,
        until: begin + until,
        mark: SECRET,
    })
}

/// The value behind a name such as `DB_PASSWORD` or `"api_key"`; the name lies between `at` and `end`.
fn named(bytes: &[u8], at: usize, end: usize) -> Option<Found> {
    let name = &bytes[at..end];
    let names = |known: &&str| {
        let tail = name
            .len()
            .checked_sub(known.len())
            .map(|from| &name[from..]);
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(known.as_bytes()))
    };
    NAMES.iter().find(|known| names(known))?;
    let sign = quote(bytes, end).map_or(end, |(after, _)| after);
    let sign = run_of(bytes, sign, b' ', 2);
    if !matches!(bytes.get(sign), Some(b'=' | b':')) {
        return None;
    }
    let value = run_of(bytes, sign + 1, b' ', 2);
    let (from, until) = match quote(bytes, value) {
        Some((from, mark)) => (from, closing(bytes, from, mark, from - value > 1)),
        None => {
            let until = run(bytes, value, |byte| {
                !byte.is_ascii_whitespace() && !b",;&|()[]{}<>\"'`\\".contains(&byte)
            });
            // Behind a space stands a sentence or a type more often than a secret.
            let close = value == sign + 1;
            let odd = bytes[value..until].iter().any(u8::is_ascii_digit);
            let least = if close { 4 } else { 6 };
            if until - value < least || !(close || odd) || bytes.get(until) == Some(&b'(') {
                return None;
            }
            (value, until)
        }
    };
    let said = &bytes[from..until];
    let empty = EMPTY
        .iter()
        .any(|empty| said.eq_ignore_ascii_case(empty.as_bytes()));
    (!said.is_empty() && !empty && !is_placeholder(said)).then_some(Found {
        from,
        until,
        mark: SECRET,
    })
}

/// A quotation mark, with or without a backslash before it: what is behind it, and which it is.
fn quote(bytes: &[u8], at: usize) -> Option<(usize, u8)> {
    let mark = run_of(bytes, at, b'\\', 1);
    let which = *bytes.get(mark)?;
    matches!(which, b'"' | b'\'').then_some((mark + 1, which))
}

/// Where a quoted text ends: with its mark, its line, or all.
fn closing(bytes: &[u8], from: usize, mark: u8, escaped: bool) -> usize {
    let mut at = from;
    while let Some(byte) = bytes.get(at) {
        match *byte {
            b'\\' if escaped && bytes.get(at + 1) == Some(&mark) => return at,
            b'\\' => at += 2,
            b'\n' => return at,
            byte if byte == mark => return at,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// `$NAME`, `{name}`, `<name>`, `[vault:name]`, `***`, `=`: a place for a secret, or one that was taken out.
fn is_placeholder(said: &[u8]) -> bool {
    matches!(
        said.first(),
        Some(b'$' | b'{' | b'<' | b'[' | b'%' | b'*' | b'=' | b':')
    )
}

/// Whether a word begins here; within JSON also behind the end of a line, which is a backslash and a letter.
fn starts_word(bytes: &[u8], at: usize) -> bool {
    if at == 0 || !is_key_byte(bytes[at - 1]) {
        return true;
    }
    at >= 2 && bytes[at - 2] == b'\\' && matches!(bytes[at - 1], b'n' | b'r' | b't')
}

fn run(bytes: &[u8], from: usize, fits: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| fits(**byte)).count()
}

fn run_of(bytes: &[u8], from: usize, one: u8, most: usize) -> usize {
    run(bytes, from, |byte| byte == one).min(from + most)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

#[cfg(test)]
mod tests;
