use crate::{Scrubber, Stream};
use std::sync::Arc;

const VALUE: &str = "canary-99&11<zz>/slash+é\"\u{1f511}\\n'";

/// As writers of JSON spell it, each in its way.
fn spellings() -> Vec<(&'static str, String)> {
    let each = |spell: &dyn Fn(char) -> Option<String>| -> String {
        let one = |c: char| spell(c).unwrap_or_else(|| c.to_string());
        VALUE.chars().map(one).collect()
    };
    let units = |c: char, upper: bool| -> String {
        let mut buffer = [0; 2];
        let units = c.encode_utf16(&mut buffer).iter();
        units
            .map(|unit| {
                if upper {
                    format!("\\u{unit:04X}")
                } else {
                    format!("\\u{unit:04x}")
                }
            })
            .collect()
    };
    let usual = |c: char| matches!(c, '"' | '\\').then(|| format!("\\{c}"));
    vec![
        (
            "go",
            each(&|c| usual(c).or_else(|| matches!(c, '&' | '<' | '>').then(|| units(c, false)))),
        ),
        (
            "php",
            each(&|c| {
                let usual = usual(c).or_else(|| (c == '/').then(|| "\\/".to_owned()));
                usual.or_else(|| (!c.is_ascii()).then(|| units(c, false)))
            }),
        ),
        (
            "python",
            each(&|c| usual(c).or_else(|| (!c.is_ascii()).then(|| units(c, false)))),
        ),
        (
            ".net",
            each(&|c| {
                let escaped = "\"&'+<>".contains(c) || !c.is_ascii();
                let unit = escaped.then(|| units(c, true));
                unit.or_else(|| usual(c))
            }),
        ),
        ("all", each(&|c| Some(units(c, false)))),
    ]
}

/// A text as a string within JSON.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn scrubber() -> Scrubber {
    Scrubber::new([("V", VALUE), ("PLUS", "plus+and/slash==")])
}

#[test]
fn every_writer_of_json_is_understood_also_within_json() {
    let scrubber = scrubber();
    for (writer, inner) in spellings() {
        let mut text = format!("{{\"a\":\"{inner}\",\"path\":\"C:\\\\x\"}}");
        for depth in 1..=3 {
            let expected = {
                let mut around = "{\"a\":\"[vault:V]\",\"path\":\"C:\\\\x\"}".to_owned();
                for _ in 1..depth {
                    around = format!("[{}]", quoted(&around));
                }
                around
            };
            assert_eq!(scrubber.scrub(&text), expected, "{writer}, {depth} deep");
            assert_eq!(scrubber.sighted(text.as_bytes()), Some("V"), "{writer}");
            text = format!("[{}]", quoted(&text));
        }
    }
}

#[test]
fn other_shapes_of_a_value_may_be_escaped_too() {
    let scrubber = scrubber();
    for text in ["plus\\u002Band\\/slash==", "\\u0070lus+and/slash=="] {
        assert_eq!(scrubber.scrub(text), "[vault:PLUS]", "{text}");
    }
    let base64 = "cGx1cythbmQvc2xhc2g9P";
    assert_eq!(scrubber.scrub(&format!("{base64}Q==")), "[vault:PLUS]Q==");
    let escaped = base64.replace('y', "\\u0079");
    assert_eq!(scrubber.scrub(&format!("{escaped}Q==")), "[vault:PLUS]Q==");
}

#[test]
fn a_text_with_escapes_and_no_value_stays_as_it_is() {
    let scrubber = scrubber();
    for text in [
        "C:\\users\\name canary-99\\u00261",
        "\\ud83d\\n\\u12 \\uzzzz \\\\\\\\\\ \\",
        "canary-99\\u0026amp;11",
        "plus\\u002",
    ] {
        assert_eq!(scrubber.scrub(text), text);
    }
}

#[test]
fn a_stream_may_be_cut_anywhere_in_an_escape() {
    let scrubber = Arc::new(scrubber());
    let mut text = String::from("begin \\\\ ");
    for (_, inner) in spellings() {
        let nested = quoted(&format!("\"{inner}\""));
        text.push_str(&format!(
            "\"{inner}\" {nested}\\n canary-99\\u0026 {VALUE} "
        ));
    }
    text.push_str("plus\\u002Band\\/slash= \\u00");
    let expected = scrubber.scrub(&text).into_owned();
    assert_eq!(expected.matches("[vault:V]").count(), 15, "{expected}");
    for size in (1..24).chain([37, 61, 128, 331, 1000]) {
        let mut stream = Stream::new(Arc::clone(&scrubber));
        let mut out = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            stream.take(piece, |bytes| out.extend_from_slice(bytes));
        }
        stream.finish(|bytes| out.extend_from_slice(bytes));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            expected,
            "pieces of {size}"
        );
    }
}

#[test]
fn only_an_escape_that_may_be_of_a_value_is_held_back() {
    let mut stream = Stream::new(Arc::new(scrubber()));
    let mut out = Vec::new();
    stream.take(b"a\\tb\\u0041 canary-99\\u00", |bytes| {
        out.extend_from_slice(bytes);
    });
    assert_eq!(out, b"a\\tb\\u0041 ");
    stream.take(b"41 c\\n\n", |bytes| out.extend_from_slice(bytes));
    assert_eq!(out, b"a\\tb\\u0041 canary-99\\u0041 c\\n\n");
}
