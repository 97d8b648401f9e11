//! Where generated input goes in, past the process and the sockets.
//!
//! For: the fuzz targets in `fuzz/` and the test of mutations in `tests/it`: each function takes any bytes
//! and panics when something does not hold that must hold for all of them. Not for: anything else.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use rmcp::model::JsonObject;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

use crate::decode::{self, Shape};
use crate::lines::Lines;
use crate::{Id, Limit, Line, Text, Whole, schema};

/// What counts as too long a line here; the real bound is out of reach of generated input.
const LONGEST: usize = 700;
/// An answer to a line that is no message carries at most its id back.
const REFUSAL_BYTES: usize = LONGEST + 1_000;

/// What came of some input.
#[derive(Debug, PartialEq)]
struct Outcome {
    messages: Vec<Value>,
    refusals: Vec<Value>,
}

/// Reads `bytes` as standard input brings them, at once and in pieces of `piece`: the same messages and the
/// same refusals come of it, no more than there are lines, and each refusal is an error of the protocol.
///
/// # Panics
/// When that does not hold.
pub fn framing(bytes: &[u8], piece: usize) {
    let whole = read(bytes, bytes.len());
    let pieces = read(bytes, piece.max(1));
    assert_eq!(whole, pieces, "what comes of it depends on how it arrives");
    let lines = bytes.split(|byte| *byte == b'\n').count();
    assert!(whole.messages.len() + whole.refusals.len() <= lines);
    for refusal in &whole.refusals {
        let code = refusal["error"]["code"].as_i64();
        assert!(
            matches!(code, Some(-32_700 | -32_600 | -32_602 | -32_601)),
            "{refusal}"
        );
        assert!(refusal.to_string().len() < REFUSAL_BYTES, "{refusal}");
        assert_plain(refusal["error"]["message"].as_str().unwrap_or("\u{0}"));
    }
}

fn read(bytes: &[u8], piece: usize) -> Outcome {
    let written = Written::default();
    let input = Pieces {
        rest: bytes.to_vec().into(),
        piece,
    };
    let mut lines = Lines::new(input, written.clone(), CancellationToken::new()).longest(LONGEST);
    let mut messages = Vec::new();
    // Nothing here ever waits, so each step is done when it is asked for.
    while let Some(message) = lines.next_message().now_or_never().flatten() {
        messages.push(serde_json::to_value(&message).unwrap_or_default());
    }
    let written = written.0.lock().unwrap_or_else(PoisonError::into_inner);
    let refusals = written
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap_or_default());
    Outcome {
        refusals: refusals.collect(),
        messages,
    }
}

/// Decodes `bytes` as the arguments of a tool that takes one of everything: it gets parameters, or an error
/// that is short, plain and says what the tool takes.
///
/// # Panics
/// When that does not hold.
pub fn arguments(bytes: &[u8]) {
    let Ok(Value::Object(arguments)) = serde_json::from_slice(bytes) else {
        return;
    };
    let schema = schema::of_params::<Everything>();
    let shape = Shape {
        tool: "everything",
        schema: &schema,
    };
    let size = decode::object_bytes(&arguments);
    check(decode::params::<Everything>(Some(arguments), size, &shape));
}

fn check(decoded: Result<Everything, crate::ToolError>) {
    let Err(error) = decoded else { return };
    let said = error.to_string();
    assert!(said.len() < 4_000, "{} bytes: {said}", said.len());
    assert_plain(&said);
    assert!(error.hint.is_some_and(|hint| hint.len() > 8), "{said}");
}

fn assert_plain(text: &str) {
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    assert!(!text.contains(odd), "control characters: {text:?}");
}

/// One of everything that tools take.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "decoded to see whether it can be")]
struct Everything {
    line: Line<40>,
    text: Option<Text<60>>,
    id: Option<Id>,
    whole: Option<Whole<0, 10>>,
    #[serde(default)]
    limit: Limit<20, 100>,
    flag: Option<bool>,
    signed: Option<i64>,
    #[serde(default)]
    list: Vec<Line<20>>,
    #[serde(default)]
    parts: Vec<Part>,
    kind: Option<Kind>,
    object: Option<JsonObject>,
    anything: Option<Value>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "decoded to see whether it can be")]
struct Part {
    key: Option<Id>,
    title: Line<20>,
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Plain,
    Other,
}

/// Input that comes in pieces.
struct Pieces {
    rest: std::collections::VecDeque<u8>,
    piece: usize,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let taken = self.piece.min(into.remaining()).min(self.rest.len());
        let bytes: Vec<u8> = self.rest.drain(..taken).collect();
        into.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

/// Output that is kept.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl AsyncWrite for Written {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
