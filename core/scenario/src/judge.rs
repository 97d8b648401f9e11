//! Whether what came is what was expected.
//!
//! For: comparing, and naming each difference with its place. Not for: getting it, or showing it.

mod checks;
mod compare;

use crate::format::{ErrorExpect, Expect, PathCheck, Took};
use crate::values::{Scope, Wrong};
use serde_json::Value;
use std::time::Duration;

pub(crate) use checks::{check, compile, count};
pub(crate) use compare::{Mismatch, holds};

/// What a step brought.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    pub(crate) value: Option<Value>,
    pub(crate) text: Option<String>,
    pub(crate) result: Option<Value>,
    pub(crate) message: Option<Value>,
    pub(crate) fault: Option<Fault>,
    pub(crate) took: Duration,
    pub(crate) progress: u64,
}

impl Evidence {
    pub(crate) fn of(value: Value) -> Evidence {
        Evidence {
            text: value.as_str().map(str::to_owned),
            value: Some(value),
            ..Evidence::default()
        }
    }

    pub(crate) fn json(&self) -> Option<Value> {
        self.text
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok())
    }
}

/// An error that came.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) from: &'static str,
    pub(crate) kind: Option<String>,
    pub(crate) code: Option<i64>,
    pub(crate) message: String,
    pub(crate) status: Option<u64>,
    pub(crate) data: Option<Value>,
}

impl Fault {
    /// An answer with `isError`.
    pub(crate) fn tool(text: &str) -> Fault {
        Fault {
            from: "tool",
            kind: word_before_colon(text),
            code: None,
            message: text.to_owned(),
            status: None,
            data: None,
        }
    }

    /// A JSON-RPC error.
    pub(crate) fn protocol(error: &Value, status: Option<u64>) -> Fault {
        let message = error["message"].as_str().unwrap_or_default();
        Fault {
            from: "protocol",
            kind: error["data"]["kind"]
                .as_str()
                .map(str::to_owned)
                .or_else(|| word_before_colon(message)),
            code: error["code"].as_i64(),
            message: message.to_owned(),
            status,
            data: error.get("data").cloned(),
        }
    }

    /// The connection, or an HTTP status.
    pub(crate) fn transport(message: String, status: Option<u64>) -> Fault {
        Fault {
            from: "transport",
            kind: None,
            code: None,
            message,
            status,
            data: None,
        }
    }

    fn told(&self) -> String {
        let status = self
            .status
            .map_or_else(String::new, |status| format!(" (HTTP {status})"));
        match (self.from, self.code) {
            ("tool", _) => format!("the tool says that it failed: {}", self.message),
            (_, Some(code)) => format!("protocol error {code}{status}: {}", self.message),
            _ if self.message.is_empty() => format!("{} error{status}", self.from),
            _ => format!("{} error{status}: {}", self.from, self.message),
        }
    }
}

fn word_before_colon(text: &str) -> Option<String> {
    let (word, _) = text.split_once(':')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (!word.is_empty() && word.chars().all(plain)).then(|| word.to_owned())
}

/// What differs from what a step expects; nothing when all is well.
pub(crate) fn judge(
    scope: &Scope,
    expect: Option<&Expect>,
    evidence: &Evidence,
) -> Result<Vec<Mismatch>, Wrong> {
    let Some(expect) = expect else {
        return Ok(evidence.fault.iter().map(unexpected).collect());
    };
    let mut wrong = Vec::new();
    match (&expect.error, &evidence.fault) {
        (None, Some(fault)) => return Ok(vec![unexpected(fault)]),
        (Some(error), None) if !error.optional => wrong.push(Mismatch {
            at: "error".to_owned(),
            what: "an error was expected, but it succeeded".to_owned(),
            expected: Some(Value::String(wanted(error))),
            actual: evidence.result.clone().or_else(|| evidence.value.clone()),
        }),
        (Some(error), Some(fault)) => failed_as(scope, error, fault, &mut wrong)?,
        _ => {}
    }
    check(
        scope,
        &expect.check(),
        evidence.value.as_ref(),
        "value",
        &mut wrong,
    )?;
    if let Some(text) = &expect.text {
        contains(scope, text, evidence.text.as_deref(), &mut wrong)?;
    }
    for (nested, found, at) in [
        (&expect.json, evidence.json(), "json"),
        (&expect.result, evidence.result.clone(), "result"),
        (&expect.message, evidence.message.clone(), "message"),
    ] {
        if let Some(nested) = nested {
            checks::value_or_check(scope, nested, found.as_ref(), at, &mut wrong)?;
        }
    }
    if let Some(class) = expect.took {
        took(class, evidence.took, &mut wrong);
    }
    if let Some(wanted) = &expect.progress {
        count(
            scope,
            wanted,
            evidence.progress,
            "progress",
            "progress notifications",
            &mut wrong,
        )?;
    }
    Ok(wrong)
}

fn unexpected(fault: &Fault) -> Mismatch {
    Mismatch {
        at: "error".to_owned(),
        what: fault.told(),
        expected: None,
        actual: fault.data.clone(),
    }
}

fn wanted(error: &ErrorExpect) -> String {
    let mut words = error.from.0.join(" or ");
    for (name, value) in [
        ("kind", error.kind.clone()),
        ("code", error.code.map(|code| code.to_string())),
        ("message", error.message.clone()),
        ("status", error.status.map(|status| status.to_string())),
    ] {
        if let Some(value) = value {
            words.push_str(&format!(
                "{}{name} {value}",
                if words.is_empty() { "" } else { ", " }
            ));
        }
    }
    if words.is_empty() {
        "any error".to_owned()
    } else {
        words
    }
}

fn failed_as(
    scope: &Scope,
    error: &ErrorExpect,
    fault: &Fault,
    wrong: &mut Vec<Mismatch>,
) -> Result<(), Wrong> {
    let mut differs = |at: &str, expected: Value, actual: Value| {
        wrong.push(Mismatch {
            at: format!("error.{at}"),
            what: fault.told(),
            expected: Some(expected),
            actual: Some(actual),
        });
    };
    if !error.from.0.is_empty() && !error.from.0.iter().any(|from| from == fault.from) {
        differs(
            "from",
            Value::from(error.from.0.join(" or ")),
            Value::from(fault.from),
        );
    }
    if let Some(kind) = &error.kind {
        let kind = scope.text(kind)?;
        if fault.kind.as_ref() != Some(&kind) {
            differs("kind", Value::from(kind), Value::from(fault.kind.clone()));
        }
    }
    if let Some(code) = error.code
        && fault.code != Some(code)
    {
        differs("code", Value::from(code), Value::from(fault.code));
    }
    if let Some(pattern) = &error.message
        && !scope.pattern(pattern)?.is_match(&fault.message)
    {
        differs(
            "message",
            Value::from(pattern.as_str()),
            Value::from(fault.message.as_str()),
        );
    }
    if let Some(status) = error.status
        && fault.status != Some(status)
    {
        differs("status", Value::from(status), Value::from(fault.status));
    }
    if let Some(data) = &error.data {
        checks::value_or_check(scope, data, fault.data.as_ref(), "error.data", wrong)?;
    }
    Ok(())
}

/// A plain text must be contained; checks look at the text.
fn contains(
    scope: &Scope,
    wanted: &PathCheck,
    text: Option<&str>,
    wrong: &mut Vec<Mismatch>,
) -> Result<(), Wrong> {
    let actual = text.map(Value::from);
    match wanted {
        PathCheck::Is(Value::String(words)) => {
            let words = scope.text(words)?;
            if !text.is_some_and(|text| text.contains(&words)) {
                wrong.push(Mismatch {
                    at: "text".to_owned(),
                    what: "the text does not contain these words".to_owned(),
                    expected: Some(Value::String(words)),
                    actual,
                });
            }
            Ok(())
        }
        other => checks::value_or_check(scope, other, actual.as_ref(), "text", wrong),
    }
}

fn took(class: Took, took: Duration, wrong: &mut Vec<Mismatch>) {
    let (limit, name) = match class {
        Took::Fast => (1, "fast"),
        Took::Normal => (10, "normal"),
        Took::Slow => (60, "slow"),
    };
    if took >= Duration::from_secs(limit) {
        wrong.push(Mismatch {
            at: "took".to_owned(),
            what: format!(
                "it took {:.1} s; {name} is under {limit} s",
                took.as_secs_f64()
            ),
            expected: None,
            actual: None,
        });
    }
}

#[cfg(test)]
mod tests;
