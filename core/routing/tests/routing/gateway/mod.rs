//! The gateway's two sides together: a client's body to a provider's, and a provider's bytes to a client's.

mod completions;
mod counts;
mod messages;
mod passing;
mod responses;
mod survival;

use callboard_routing::chat::Event;
use callboard_routing::gateway::{Asked, Dialect, Stamp, fit};
use callboard_routing::wire::{Head, Mode, Wire};
use http::HeaderMap;
use serde_json::Value;

pub fn stamp() -> Stamp {
    Stamp {
        id: "c_1".to_owned(),
        model: "asked".to_owned(),
        created_s: 7,
    }
}

pub fn head(status: u16) -> Head {
    Head {
        status,
        headers: HeaderMap::new(),
        now_ms: 0,
    }
}

pub fn asked(dialect: Dialect, body: &Value) -> Asked {
    dialect.decode(body.to_string().as_bytes()).unwrap()
}

/// A client's body as a provider gets it.
pub fn across(dialect: Dialect, body: &Value, wire: Wire) -> Value {
    let mut chat = asked(dialect, body).chat;
    fit(&mut chat, wire);
    let encoded = wire.encode(&chat, Mode::Plain).unwrap();
    serde_json::from_slice(&encoded.body).unwrap()
}

/// What the client is told of why its body is refused.
pub fn refusal(dialect: Dialect, body: &Value) -> String {
    let refused = dialect.decode(body.to_string().as_bytes());
    refused.map(|asked| asked.chat).unwrap_err().to_string()
}

/// What a client sees of these events.
pub fn written(asked: &Asked, events: &[Event]) -> String {
    let (mut stream, mut out) = (asked.stream(stamp()), Vec::new());
    for event in events {
        stream.event(event, &mut out);
    }
    String::from_utf8(out).unwrap()
}

/// What a client sees of a provider's bytes, a failure in them included.
pub fn relayed(asked: &Asked, wire: Wire, bytes: &[u8]) -> String {
    let mut decoder = wire.decoder(head(200));
    let (mut stream, mut out) = (asked.stream(stamp()), Vec::new());
    let mut events = Vec::new();
    let fed = decoder.feed(bytes, &mut events);
    let ended = fed.and_then(|()| decoder.end(&mut events));
    for event in &events {
        stream.event(event, &mut out);
    }
    if let Err(failure) = ended {
        stream.fail(&failure, &mut out);
    }
    assert!(stream.is_over());
    String::from_utf8(out).unwrap()
}

/// The data of each event; its name must say the same.
pub fn data(text: &str) -> Vec<Value> {
    let blocks = text.split_terminator("\n\n");
    blocks
        .map(|block| {
            let (name, data) = match block.split_once('\n') {
                Some((name, data)) => (name.strip_prefix("event: "), data),
                None => (None, block),
            };
            let data = data.strip_prefix("data: ").unwrap();
            let value = match data {
                "[DONE]" => Value::from("[DONE]"),
                data => serde_json::from_str(data).unwrap(),
            };
            if let Some(name) = name {
                assert_eq!(value["type"], name);
            }
            value
        })
        .collect()
}

pub fn said(text: &str) -> Event {
    Event::Text {
        text: text.to_owned(),
    }
}

pub fn call(index: usize, id: &str) -> Event {
    Event::ToolCallStarted {
        index,
        id: id.to_owned(),
        name: "look".to_owned(),
        kept: None,
    }
}

pub fn more(index: usize, arguments: &str) -> Event {
    Event::ToolCallDelta {
        index,
        arguments: arguments.to_owned(),
    }
}
