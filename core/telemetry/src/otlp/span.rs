//! Spans made of recorded calls.
//! For: names, times, parents and attributes in the conventions of `names`. Not for: texts of requests or answers:
//! they are never read here, whatever is kept.

use super::wire::Message;
use crate::call_log::{CallRow, Outcome};
use crate::llm::{LlmCall, LlmOutcome};
use crate::names::{self, attribute};

const SERVER: u64 = 2;
const CLIENT: u64 = 3;
const FAILED: u64 = 2;

/// An attribute's value.
enum Value<'a> {
    Text(&'a str),
    Own(String),
    Texts(&'a str),
    Count(u64),
    Real(f64),
    Truth(bool),
}

/// A span, ready to be written.
pub(super) struct Span<'a> {
    trace: [u8; 16],
    id: [u8; 8],
    parent: Option<[u8; 8]>,
    name: String,
    kind: u64,
    start_ns: u64,
    end_ns: u64,
    attributes: Vec<(&'static str, Value<'a>)>,
    failed: Option<&'a str>,
}

impl<'a> Span<'a> {
    /// The span of a call to a model.
    pub(super) fn of_model(call: &'a LlmCall) -> Self {
        let mut span = Span {
            trace: trace(call.trace.as_deref(), &call.id),
            id: span_id(&call.id),
            parent: call.parent.as_deref().map(parent),
            name: names::inference_span("chat", &call.model),
            kind: CLIENT,
            start_ns: ns(call.at),
            end_ns: ns(call.at).saturating_add(call.total_us.unwrap_or(0).saturating_mul(1_000)),
            attributes: Vec::new(),
            failed: None,
        };
        span.put(attribute::OPERATION, Some(Value::Text("chat")));
        span.put(
            attribute::PROVIDER,
            Some(Value::Text(names::provider(
                call.vendor.as_deref(),
                &call.provider,
            ))),
        );
        span.put(attribute::CONFIGURED, Some(Value::Text(&call.provider)));
        span.put(attribute::REQUEST_MODEL, Some(Value::Text(&call.model)));
        span.put(attribute::RESPONSE_MODEL, text(&call.model_answered));
        span.put(
            attribute::FINISH_REASONS,
            call.finish.as_deref().map(Value::Texts),
        );
        if let Some(usage) = &call.usage {
            let tokens = &usage.tokens;
            let some = |count: u64| (count > 0).then_some(Value::Count(count));
            span.put(attribute::INPUT_TOKENS, Some(Value::Count(tokens.input)));
            span.put(attribute::OUTPUT_TOKENS, Some(Value::Count(tokens.output)));
            span.put(attribute::CACHE_READ_TOKENS, some(tokens.cached));
            span.put(attribute::CACHE_WRITE_TOKENS, some(tokens.cache_write));
            span.put(attribute::REASONING_TOKENS, some(tokens.reasoning));
        }
        span.put(
            attribute::FIRST_CHUNK,
            call.first_byte_us.map(|us| Value::Real(seconds(us))),
        );
        span.put(attribute::STREAM, Some(Value::Truth(call.streamed)));
        span.put(
            attribute::STATUS,
            call.status.map(|status| Value::Count(status.into())),
        );
        // Unknown is absent; 0 is a price.
        #[expect(clippy::cast_precision_loss, reason = "dollars for people and charts")]
        let cost = call.cost.map(|cost| Value::Real(cost.0 as f64 / 1e6));
        span.put(attribute::COST, cost);
        let mode = (!call.mode.is_standard()).then(|| Value::Own(call.mode.to_string()));
        span.put(attribute::MODE, mode);
        span.put(attribute::SERVER, text(&call.server));
        span.put(attribute::TOOL, text(&call.tool));
        span.put(attribute::AGENT, text(&call.agent));
        span.put(attribute::TASK, text(&call.task));
        span.put(attribute::ROUTE, text(&call.route));
        span.put(attribute::OUTCOME, Some(Value::Text(call.outcome.as_str())));
        if call.outcome == LlmOutcome::Error {
            let class = call.error.map_or("_OTHER", |class| class.as_str());
            span.put(attribute::ERROR, Some(Value::Text(class)));
            span.failed = Some(class);
        }
        span
    }

    /// The span of a request that a server of ours answered; `row` is the row's number in its log.
    pub(super) fn of_tool(row: i64, call: &'a CallRow) -> Self {
        let (method, target, tool) = match call.tool.split_once(':') {
            Some(("resource", name)) => ("resources/read", name, false),
            Some(("prompt", name)) => ("prompts/get", name, false),
            _ => ("tools/call", &*call.tool, true),
        };
        let own = format!("{row} {} {}", call.at_ms, call.tool);
        let mut span = Span {
            trace: trace(call.trace.as_deref(), &own),
            id: span_id(&own),
            parent: None,
            name: names::mcp_span(method, Some(target)),
            kind: SERVER,
            start_ns: ns(call.at_ms),
            end_ns: ns(call.at_ms).saturating_add(call.duration_us.saturating_mul(1_000)),
            attributes: Vec::new(),
            failed: None,
        };
        span.put(attribute::MCP_METHOD, Some(Value::Text(method)));
        if tool {
            span.put(attribute::OPERATION, Some(Value::Text("execute_tool")));
            span.put(attribute::TOOL, Some(Value::Text(target)));
        }
        span.put(attribute::SERVER, Some(Value::Text(&call.server)));
        span.put(attribute::AGENT, text(&call.agent));
        span.put(attribute::OUTCOME, Some(Value::Text(call.outcome.as_str())));
        if matches!(call.outcome, Outcome::Error | Outcome::Panic) {
            let kind = call.error_kind.as_deref().unwrap_or("_OTHER");
            // A tool's error is an answer, and the convention has one word for all of them.
            let class = if tool { "tool_error" } else { kind };
            span.put(attribute::ERROR, Some(Value::Text(class)));
            span.failed = Some(kind);
        }
        span
    }

    fn put(&mut self, name: &'static str, value: Option<Value<'a>>) {
        if let Some(value) = value {
            self.attributes.push((name, value));
        }
    }

    /// Field numbers of `opentelemetry.proto.trace.v1.Span`.
    fn write(&self, out: &mut Message) {
        out.block(1, &self.trace);
        out.block(2, &self.id);
        if let Some(parent) = &self.parent {
            out.block(4, parent);
        }
        out.text(5, &self.name);
        out.varint(6, self.kind);
        out.fixed64(7, self.start_ns);
        out.fixed64(8, self.end_ns);
        for (name, value) in &self.attributes {
            out.message(9, |pair| attribute(pair, name, value));
        }
        if let Some(why) = self.failed {
            out.message(15, |status| {
                status.text(2, why);
                status.varint(3, FAILED);
            });
        }
    }
}

/// `ExportTraceServiceRequest` with these spans, as one resource and scope.
pub(super) fn request(spans: &[Span<'_>]) -> Vec<u8> {
    let mut request = Message::default();
    let version = env!("CARGO_PKG_VERSION");
    request.message(1, |of_resource| {
        of_resource.message(1, |resource| {
            for (name, value) in [("service.name", "callboard"), ("service.version", version)] {
                resource.message(1, |pair| attribute(pair, name, &Value::Text(value)));
            }
        });
        of_resource.message(2, |of_scope| {
            of_scope.message(1, |scope| {
                scope.text(1, "callboard");
                scope.text(2, version);
            });
            for span in spans {
                of_scope.message(2, |out| span.write(out));
            }
        });
    });
    request.bytes()
}

/// `opentelemetry.proto.common.v1.KeyValue`.
fn attribute(pair: &mut Message, name: &str, value: &Value<'_>) {
    pair.text(1, name);
    pair.message(2, |any| match value {
        Value::Text(text) => any.text(1, &callboard_redact::scrub(text)),
        Value::Own(text) => any.text(1, &callboard_redact::scrub(text)),
        Value::Truth(truth) => any.always(2, u64::from(*truth)),
        Value::Count(count) => any.always(3, *count),
        Value::Real(real) => any.fixed64(4, real.to_bits()),
        Value::Texts(only) => any.message(5, |list| {
            list.message(1, |any| any.text(1, &callboard_redact::scrub(only)));
        }),
    });
}

fn text(value: &Option<String>) -> Option<Value<'_>> {
    value.as_deref().map(Value::Text)
}

fn ns(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0).saturating_mul(1_000_000)
}

#[expect(clippy::cast_precision_loss, reason = "a time for people")]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

/// The caller's trace; a call outside of any is a trace of its own, the same whenever it is sent.
fn trace(given: Option<&str>, own: &str) -> [u8; 16] {
    let given = given.and_then(|given| u128::from_str_radix(given, 16).ok());
    let number = given
        .filter(|trace| *trace != 0)
        .unwrap_or_else(|| u128::from(mixed(own, 1)) << 64 | u128::from(mixed(own, 2)));
    number.to_be_bytes()
}

/// Always the same for one call: whoever gets it twice knows it.
fn span_id(own: &str) -> [u8; 8] {
    mixed(own, 3).to_be_bytes()
}

/// A parent is a span's id as callers send it, or the id of one of our calls.
fn parent(given: &str) -> [u8; 8] {
    let id = Some(given).filter(|given| given.len() == 16);
    id.and_then(|id| u64::from_str_radix(id, 16).ok())
        .map_or_else(|| span_id(given), u64::to_be_bytes)
}

/// FNV-1a, with the finish of SplitMix64 so that near texts lie far apart; never 0, which means no id.
fn mixed(text: &str, seed: u64) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let hash = text.bytes().fold(start, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (hash ^ hash >> 31).max(1)
}
