//! The report as JSON.

use super::{Difference, Failure, Outcome, Report, Verdict};
use serde_json::{Value, json};

/// The report as JSON.
#[must_use]
pub fn to_json(report: &Report) -> Value {
    let failed = report
        .outcomes
        .iter()
        .filter(|outcome| outcome.verdict != Verdict::Passed)
        .count();
    json!({
        "passed": report.outcomes.len() - failed,
        "failed": failed,
        "seconds": report.took.as_secs_f64(),
        "scenarios": report.outcomes.iter().map(outcome).collect::<Vec<Value>>(),
    })
}

fn outcome(outcome: &Outcome) -> Value {
    json!({
        "name": outcome.name,
        "file": outcome.file,
        "verdict": match outcome.verdict {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::Unread => "error",
        },
        "seconds": outcome.took.as_secs_f64(),
        "steps": outcome.steps,
        "failures": outcome.failures.iter().map(failure).collect::<Vec<Value>>(),
    })
}

fn failure(failure: &Failure) -> Value {
    json!({
        "file": failure.file,
        "line": failure.line,
        "column": failure.column,
        "step": failure.step,
        "verb": failure.verb,
        "within": failure.within,
        "message": failure.message,
        "differences": failure.differences.iter().map(difference).collect::<Vec<Value>>(),
        "servers": failure.servers.iter().map(|server| json!({
            "name": server.name,
            "traffic": server.traffic,
            "stderr": server.stderr,
        })).collect::<Vec<Value>>(),
    })
}

fn difference(difference: &Difference) -> Value {
    let mut value = json!({"at": difference.at, "what": difference.what});
    if let Some(expected) = &difference.expected {
        value["expected"] = expected.clone();
    }
    if let Some(actual) = &difference.actual {
        value["actual"] = actual.clone();
    }
    value
}
