//! The shapes in which a value turns up in text.
//! For: the value as it is, escaped for JSON or Rust or a URL, in base 64 (wherever it begins in the encoded bytes)
//! and in hexadecimal; each longer line of a value of several lines.
//! Not for: other ways to escape for JSON (see `escaped`); nor compression, encryption or spelling it backwards: whoever
//! holds a value can always hide it.

use std::fmt::Write as _;
use zeroize::Zeroizing;

/// A shape shorter than this would be found by chance.
pub(crate) const SHORTEST_FORM: usize = 8;
/// A line of a longer value is looked for by itself from this length on.
const SHORTEST_LINE: usize = 16;

pub(crate) type Form = Zeroizing<Vec<u8>>;

/// Every shape of `value`, without repetition.
pub(crate) fn forms(value: &str) -> Vec<Form> {
    let mut found = Vec::new();
    shapes(value, &mut found);
    if value.contains('\n') {
        for line in value.lines().map(str::trim) {
            if line.len() >= SHORTEST_LINE {
                shapes(line, &mut found);
            }
        }
    }
    found.retain(|form| form.len() >= SHORTEST_FORM);
    found.sort_by(|a, b| a.as_slice().cmp(b.as_slice()));
    found.dedup();
    found
}

fn shapes(value: &str, found: &mut Vec<Form>) {
    let mut add = |text: String| found.push(Zeroizing::new(text.into_bytes()));
    let quoted = Zeroizing::new(format!("{value:?}"));
    let debug = &quoted[1..quoted.len() - 1];
    add(value.to_owned());
    // Once more for a text that is put into JSON itself: a log line with a `Debug` form, an answer with JSON in it.
    for escaped in [
        json(value),
        debug.to_owned(),
        value.escape_debug().to_string(),
    ] {
        add(json(&escaped));
        add(escaped);
    }
    for hex in [hex_lower, hex_upper] {
        add(percent(value, hex, "%20"));
        add(percent(value, hex, "+"));
        add(value
            .bytes()
            .fold(String::new(), |text, byte| text + &hex(byte)));
    }
    for alphabet in [STANDARD, URL_SAFE] {
        (0..3).for_each(|before| add(base64_within(value.as_bytes(), before, alphabet)));
    }
}

/// As the inside of a JSON string, in the way that serde writes it.
fn json(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            c if u32::from(c) < 0x20 => drop(write!(text, "\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text
}

/// As part of a URL (RFC 3986: everything but the unreserved characters).
fn percent(value: &str, hex: fn(u8) -> String, space: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            b' ' => text.push_str(space),
            _ => {
                text.push('%');
                text.push_str(&hex(byte));
            }
        }
    }
    text
}

fn hex_lower(byte: u8) -> String {
    format!("{byte:02x}")
}

fn hex_upper(byte: u8) -> String {
    format!("{byte:02X}")
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The part of an encoding that is the same whatever stands around the value, when `before` bytes (modulo 3) stand
/// before it: `user:value` in a header has other characters than `value` alone.
fn base64_within(value: &[u8], before: usize, alphabet: &[u8; 64]) -> String {
    let bits: Vec<u8> = std::iter::repeat_n(0, before)
        .chain(value.iter().copied())
        .collect();
    let mut text = String::with_capacity(bits.len() * 4 / 3 + 4);
    for group in bits.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let word = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..=group.len() {
            let index = (word >> (18 - 6 * place)) & 0x3f;
            text.push(char::from(alphabet[index as usize]));
        }
    }
    // The first characters hold bits of what stands before, the last one bits of what follows.
    let first = [0, 2, 3][before];
    let last = text.len() - usize::from(!bits.len().is_multiple_of(3));
    text.get(first..last).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(value: &str, form: &str) -> bool {
        forms(value)
            .iter()
            .any(|found| found.as_slice() == form.as_bytes())
    }

    #[test]
    fn a_value_is_known_in_its_usual_shapes() {
        let value = "pa\"ss\\wo rd/é\n?";
        for form in [
            value,
            "pa\\\"ss\\\\wo rd/é\\n?",
            r#"pa\\\"ss\\\\wo rd/é\\n?"#,
            "pa%22ss%5Cwo%20rd%2F%C3%A9%0A%3F",
            "pa%22ss%5cwo%20rd%2f%c3%a9%0a%3f",
            "pa%22ss%5Cwo+rd%2F%C3%A9%0A%3F",
            "70612273735c776f2072642fc3a90a3f",
        ] {
            assert!(has(value, form), "{form}");
        }
    }

    #[test]
    fn base64_is_known_wherever_the_value_begins() {
        // printf 'correct horse' | base64, after 'u:' and 'ab:' too
        assert!(has("correct horse", "Y29ycmVjdCBob3JzZ"));
        let (with_two, with_three) = ("dTpjb3JyZWN0IGhvcnNlOg==", "YWI6Y29ycmVjdCBob3JzZTo=");
        for whole in [with_two, with_three] {
            assert!(
                forms("correct horse").iter().any(|form| {
                    whole.contains(std::str::from_utf8(form).unwrap()) && form.len() > 12
                }),
                "{whole}"
            );
        }
    }

    #[test]
    fn long_lines_are_known_by_themselves() {
        let key = "-----BEGIN X-----\nMIIEvQIBADANBgkqhkiG\nshort\n-----END X-----\n";
        assert!(has(key, "MIIEvQIBADANBgkqhkiG"));
        assert!(!has(key, "short"));
    }
}
