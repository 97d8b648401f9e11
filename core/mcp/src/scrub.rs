//! Answers without the secrets in use.
//!
//! For: everything that a handler hands out, just before it is put on the wire. Not for: knowing the secrets
//! (`callboard_redact` does), or what a client sent.

use callboard_redact::{is_empty, scrub, scrub_bytes, scrub_in_place, sighted};
use rmcp::model::{ContentBlock, ErrorData};
use serde_json::{Map, Value};
use std::borrow::Cow;

use crate::{Answer, Block, Body};

impl Answer {
    pub(crate) fn scrubbed(mut self) -> Self {
        if !is_empty() {
            if let Some(structured) = &mut self.structured {
                scrub_value(structured);
            }
            self.blocks.iter_mut().for_each(scrub_block);
        }
        self
    }
}

/// A block on the wire.
pub(crate) fn content(mut block: Block) -> ContentBlock {
    scrub_block(&mut block);
    block.into_content()
}

/// An error of the protocol: it may repeat what a client sent.
pub(crate) fn error(mut error: ErrorData) -> ErrorData {
    if let Cow::Owned(clean) = scrub(&error.message) {
        error.message = clean.into();
    }
    if let Some(data) = &mut error.data {
        scrub_value(data);
    }
    error
}

fn scrub_block(block: &mut Block) {
    match block {
        Block::Text(text) => scrub_in_place(text),
        Block::Image(media) | Block::Audio(media) => scrub_all(&mut media.bytes),
        Block::Resource(embedded) => {
            scrub_in_place(&mut embedded.uri);
            scrub_body(&mut embedded.body);
        }
        Block::Link(link) => {
            for text in [&mut link.uri, &mut link.name, &mut link.description] {
                scrub_in_place(text);
            }
        }
    }
}

pub(crate) fn scrub_body(body: &mut Body) {
    match body {
        Body::Text(text) => scrub_in_place(text),
        Body::Bytes(bytes) => scrub_all(bytes),
    }
}

fn scrub_all(bytes: &mut Vec<u8>) {
    if let Cow::Owned(clean) = scrub_bytes(bytes) {
        *bytes = clean;
    }
}

pub(crate) fn scrub_value(value: &mut Value) {
    match value {
        Value::String(text) => scrub_in_place(text),
        Value::Array(items) => items.iter_mut().for_each(scrub_value),
        Value::Object(members) => scrub_members(members),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Names and values.
pub(crate) fn scrub_members(members: &mut Map<String, Value>) {
    let hidden = |key: &String| sighted(key.as_bytes()).is_some();
    if members.keys().any(hidden) {
        let all = std::mem::take(members).into_iter();
        members.extend(all.map(|(key, value)| (scrub(&key).into_owned(), value)));
    }
    members.values_mut().for_each(scrub_value);
}

/// A URL or a part of one. Which characters are escaped in it is its writer's choice, so it is looked through as it is
/// meant too.
pub(crate) fn url(text: &str) -> Cow<'_, str> {
    if is_empty() {
        return Cow::Borrowed(text);
    }
    let meant = unescaped(text.as_bytes());
    match sighted(&meant) {
        Some(_) => Cow::Owned(String::from_utf8_lossy(&scrub_bytes(&meant)).into_owned()),
        None => scrub(text),
    }
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        let (meant, left) = match byte {
            Some(byte) if first == b'%' => (byte, &after[2..]),
            _ => (first, after),
        };
        plain.push(meant);
        rest = left;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Embedded, Link};
    use serde_json::json;

    #[test]
    fn no_part_of_an_answer_holds_a_secret() {
        let value = "canary-in-an-answer";
        let secret = callboard_redact::Secret::new(value.to_owned());
        callboard_redact::register("ANSWERED", &secret).unwrap();
        let link = Link {
            uri: format!("x://{value}"),
            name: value.to_owned(),
            description: format!("about {value}"),
            mime: "text/plain",
        };
        let embedded = |body| {
            Block::Resource(Embedded {
                uri: format!("x://{value}"),
                mime: "text/plain",
                body,
            })
        };
        let answer = Answer {
            structured: Some(
                json!({"a": [value, {value: {"deep": format!("<{value}>")}}], "n": 1}),
            ),
            blocks: vec![
                Block::text(format!("text {value}")),
                Block::image("image/png", value),
                Block::Link(link),
                embedded(Body::Text(value.to_owned())),
                embedded(Body::Bytes(value.as_bytes().to_vec())),
            ],
        };
        assert_eq!(
            format!("{answer:?}").matches(value).count(),
            10,
            "{answer:?}"
        );
        let clean = answer.scrubbed();
        assert_eq!(
            clean.structured,
            Some(
                json!({"a": ["[vault:ANSWERED]", {"[vault:ANSWERED]": {"deep": "<[vault:ANSWERED]>"}}], "n": 1})
            )
        );
        let sent = serde_json::to_string(
            &clean
                .blocks
                .into_iter()
                .map(Block::into_content)
                .collect::<Vec<_>>(),
        )
        .unwrap();
        assert_eq!(sighted(sent.as_bytes()), None, "{sent}");
        assert!(sent.matches("[vault:ANSWERED]").count() >= 7, "{sent}");
    }
}
