//! Records calls to models, one JSON object a line on standard input, in the board's directory that is its argument:
//! through the same function as whoever makes such calls. For scenarios about what was recorded.

#![expect(clippy::unwrap_used, reason = "a fixture fails loudly")]

use callboard_store::{Clock as _, StoreError, SystemClock};
use callboard_telemetry::errors::ErrorClass;
use callboard_telemetry::llm::{LlmCall, LlmOutcome, LlmText, record_llm, record_text};
use callboard_telemetry::{Counted, MicroDollars, Tokens, Usage, open_events};
use serde_json::Value;

fn main() {
    let board = std::env::args().nth(1).expect("the board's directory");
    let now = SystemClock.now_ms();
    let lines = std::io::stdin().lines().map(Result::unwrap);
    let lines: Vec<Value> = lines
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    let store = open_events(std::path::Path::new(&board)).unwrap();
    let written: Result<(), StoreError> = store.write_blocking(move |c| {
        for line in &lines {
            let call = call(line, now);
            record_llm(c, &call)?;
            if let (Some(request), Some(answer)) = (text(line, "request"), text(line, "answer")) {
                record_text(c, &LlmText::redacted(&call.id, call.at, &request, &answer))?;
            }
        }
        Ok(())
    });
    written.unwrap();
}

fn text(line: &Value, field: &str) -> Option<String> {
    line[field].as_str().map(str::to_owned)
}

fn call(line: &Value, now: i64) -> LlmCall {
    let count = |field: &str| line[field].as_u64();
    let outcome = match line["outcome"].as_str() {
        None | Some("ok") => LlmOutcome::Ok,
        Some("error") => LlmOutcome::Error,
        Some("cancelled") => LlmOutcome::Cancelled,
        Some("lost") => LlmOutcome::Lost,
        Some(other) => panic!("no outcome {other}"),
    };
    LlmCall {
        id: text(line, "id").expect("id"),
        at: now - line["ago_s"].as_i64().unwrap_or(60) * 1_000,
        trace: text(line, "trace"),
        parent: text(line, "parent"),
        server: text(line, "server"),
        tool: text(line, "tool"),
        agent: text(line, "agent"),
        task: text(line, "task"),
        project: text(line, "project"),
        route: text(line, "route"),
        provider: text(line, "provider").unwrap_or_else(|| "acme".to_owned()),
        model: text(line, "model").unwrap_or_else(|| "small".to_owned()),
        usage: count("input").map(|input| Usage {
            tokens: Tokens {
                input,
                cached: count("cached").unwrap_or(0),
                output: count("output").unwrap_or(0),
                ..Tokens::default()
            },
            counted: Counted::Reported,
        }),
        cost: line["cost_micro"].as_i64().map(MicroDollars),
        first_byte_us: count("first_byte_ms").map(|ms| ms * 1_000),
        total_us: count("total_ms").map(|ms| ms * 1_000),
        outcome,
        error: line["error"].as_str().map(ErrorClass::parse),
        status: count("status").and_then(|status| u16::try_from(status).ok()),
        attempt: 1,
        streamed: line["streamed"] == true,
        ..LlmCall::default()
    }
}
