//! What happens on the connection.

use super::faults;
use super::wires::{self, Wire};
use serde_json::Value;

/// What is done to a request.
#[derive(Debug)]
pub(super) enum Act {
    /// An answer in one piece.
    Whole {
        status: u16,
        headers: Vec<(&'static str, String)>,
        kind: &'static str,
        body: String,
    },
    /// 200, and these pieces, then this.
    Pieces {
        headers: Vec<(&'static str, String)>,
        kind: &'static str,
        pieces: Vec<String>,
        then: Then,
    },
    /// Closed without a word.
    Reset,
    /// Not a byte.
    Hang,
}

/// What follows the pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// The proper end of an HTTP body.
    End,
    /// The connection breaks.
    Break,
    /// Nothing.
    Stall,
    /// White space, for ever.
    Drip,
}

impl Act {
    pub(super) fn plain(status: u16, kind: &'static str, body: &str) -> Act {
        Act::Whole {
            status,
            headers: Vec::new(),
            kind,
            body: body.to_owned(),
        }
    }

    pub(super) fn json(status: u16, body: &Value) -> Act {
        Act::plain(status, "application/json", &body.to_string())
    }

    /// Whether it is an answer of status 200 that comes to its end.
    pub(super) fn is_whole(&self) -> bool {
        match self {
            Act::Whole { status, .. } => *status == 200,
            Act::Pieces { then, .. } => *then == Then::End,
            Act::Reset | Act::Hang => false,
        }
    }

    pub(super) fn with(mut self, more: Vec<(&'static str, String)>) -> Act {
        if let Act::Whole { headers, .. } | Act::Pieces { headers, .. } = &mut self {
            headers.extend(more);
        }
        self
    }
}

/// What begins as a good answer: status 200.
pub(super) fn answer(wire: Wire, fault: &str, model: &str, stream: bool) -> Act {
    let headers = wires::headers(wire);
    let mut pieces = if stream {
        wires::pieces(wire, model, fault == "tools")
    } else {
        vec![wires::plain(wire, model, fault == "tools").to_string()]
    };
    let words = fault.strip_prefix("words-");
    if let Some(count) = words.and_then(|count| count.parse::<usize>().ok()) {
        let said = format!("from {model}");
        let more: String = (1..=count).map(|word| format!(" ä{word}")).collect();
        for piece in &mut pieces {
            *piece = piece.replace(&said, &format!("{said}{more}"));
        }
    }
    let half = |pieces: Vec<String>| match stream {
        // The beginning and one word.
        true => pieces.into_iter().take(wires::begun(wire)).collect(),
        false => pieces
            .into_iter()
            .map(|whole| whole[..whole.len() / 2].to_owned())
            .collect(),
    };
    let kind = match (stream, wire) {
        (false, _) => "application/json",
        (true, Wire::Ollama) => "application/x-ndjson",
        (true, _) => "text/event-stream",
    };
    let (kind, pieces, then) = match fault {
        "html" => (
            "text/html",
            vec!["<!doctype html><p>Please sign in".to_owned()],
            Then::End,
        ),
        "malformed" if stream && wire == Wire::Ollama => {
            (kind, vec!["{oops}\n".to_owned()], Then::End)
        }
        "malformed" if stream => (kind, vec!["data: {oops}\n\n".to_owned()], Then::End),
        "malformed" => (kind, vec!["{oops}".to_owned()], Then::End),
        "empty" => (kind, Vec::new(), Then::End),
        "midcut" => (kind, half(pieces), Then::Break),
        "noend" => (kind, half(pieces), Then::End),
        "inband" | "inband-overloaded" => {
            let error = faults::in_band(wire, fault == "inband-overloaded");
            if stream {
                let mut pieces: Vec<String> = half(pieces);
                pieces.push(wires::framed(wire, &error));
                (kind, pieces, Then::End)
            } else {
                (kind, vec![error.to_string()], Then::End)
            }
        }
        "huge" => {
            let begin = if wire == Wire::Ollama || !stream {
                "{"
            } else {
                "data: {"
            };
            let mut pieces = vec![begin.to_owned()];
            pieces.resize(34, "x".repeat(1024 * 1024));
            (kind, pieces, Then::End)
        }
        "head-stall" => (kind, Vec::new(), Then::Stall),
        "stall" => (kind, half(pieces), Then::Stall),
        "drip" => (kind, half(pieces), Then::Drip),
        "reset" => return Act::Reset,
        "hang" => return Act::Hang,
        _ if stream => (kind, pieces, Then::End),
        _ => {
            let body = pieces.concat();
            return Act::plain(200, kind, &body).with(headers);
        }
    };
    Act::Pieces {
        headers,
        kind,
        pieces,
        then,
    }
}
