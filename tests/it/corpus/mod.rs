//! Malformed, oversized, out-of-order and hostile messages, over every transport: each gets an answer or a
//! clean close, and the server is there afterwards, no bigger than before.
//!
//! The cases are data: `tests/corpus`.

mod http;
mod mutations;
mod pipe;
mod site;
mod sse;
mod stdio;
mod tokens;
mod web;

use callboard_tests::Footprint;
use callboard_tests::corpus::Expect;
use serde_json::{Value, json};

/// The kinds of errors that a tool may answer wrong input with.
const KINDS: [&str; 8] = [
    "invalid_input",
    "not_found",
    "conflict",
    "stale_lease",
    "limit",
    "needs_person",
    "unavailable",
    "forbidden",
];
/// An answer to wrong input does not carry the input back.
const ANSWER_BYTES: usize = 70_000;
/// What memory may differ by between two passes that hold the same things.
const SLACK_KB: u64 = 4 * 1024;
/// How many passes may be told apart before growth counts as a leak.
const PASSES: usize = 5;

/// All that went wrong, told at the end.
#[derive(Default)]
pub struct Faults(Vec<String>);

impl Faults {
    pub fn expect(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.0.push(fault());
        }
    }

    /// Compares an answer, or that there was none, with what had to come.
    pub fn judge(&mut self, name: &str, expect: &Expect, answer: Option<&Value>) {
        let said = answer.map_or_else(|| "nothing".to_owned(), |answer| clip(&answer.to_string()));
        self.expect(fits(expect, answer), || {
            format!("{name}: {expect:?}, got {said}")
        });
        let Some(answer) = answer else { return };
        let text = answer.to_string();
        self.expect(text.len() < ANSWER_BYTES, || {
            format!("{name}: {} bytes in the answer", text.len())
        });
        self.expect(answer["error"]["code"] != json!(-32603), || {
            format!("{name}: an internal error: {said}")
        });
        let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        let told = [
            &answer["error"]["message"],
            &answer["result"]["content"][0]["text"],
        ];
        let plain = told
            .iter()
            .all(|text| !text.as_str().unwrap_or_default().contains(odd));
        self.expect(plain, || format!("{name}: control characters in {said}"));
    }

    /// Plays again what was played once, and again: one of the times leaves no more behind than the one before.
    /// The allocator may take more for itself at any time; a leak comes every time.
    pub fn again(&mut self, pid: u32, mut pass: impl FnMut()) {
        pass();
        let mut before = Footprint::of(pid);
        let mut seen = vec![before];
        for _ in 0..PASSES {
            pass();
            let after = Footprint::of(pid);
            seen.push(after);
            let grown = after.resident_kb.saturating_sub(before.resident_kb);
            if after.open_files <= before.open_files
                && after.threads <= before.threads + 2
                && grown <= SLACK_KB
            {
                return;
            }
            before = after;
        }
        self.0.push(format!("the process grows: {seen:?}"));
    }

    pub fn none(&self) {
        assert!(
            self.0.is_empty(),
            "{} faults:\n{}",
            self.0.len(),
            self.0.join("\n")
        );
    }
}

fn fits(expect: &Expect, answer: Option<&Value>) -> bool {
    let error = answer.and_then(|answer| answer["error"]["code"].as_i64());
    let result = answer.and_then(|answer| answer.get("result"));
    let kind = result
        .filter(|result| result["isError"] == json!(true))
        .map(|result| {
            let text = result["content"][0]["text"].as_str().unwrap_or_default();
            text.split_once(": ").map_or(text, |(kind, _)| kind)
        });
    match expect {
        Expect::Result => result.is_some(),
        Expect::Error(None) => error.is_some(),
        Expect::Error(wanted) => error == *wanted,
        Expect::Tool(wanted) => kind.is_some_and(|kind| {
            KINDS.contains(&kind) && wanted.as_ref().is_none_or(|wanted| wanted == kind)
        }),
        Expect::Answer => error.is_some() != result.is_some(),
        Expect::Nothing => answer.is_none(),
        Expect::NothingOrError => answer.is_none() || error.is_some(),
        Expect::Status(_) => false,
    }
}

pub fn clip(text: &str) -> String {
    text.chars().take(300).collect()
}
