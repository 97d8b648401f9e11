//! Figures as answers show them.
//! For: money with its unknown, times of the day, limits in words. Not for: adding anything up.

use std::borrow::Cow;

use callboard_limits::{Resource, Scope, Span, Standing};
use callboard_telemetry::MicroDollars;
use jiff::Timestamp;
use schemars::JsonSchema;

/// The schema of an object that shows itself: what an answer makes plain is not paid for in every conversation.
pub(crate) struct Open;

impl JsonSchema for Open {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Open".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "object"})
    }
}

/// `$0.0012`, or `unknown`.
pub(crate) fn money(cost: Option<MicroDollars>) -> String {
    cost.map_or_else(|| "unknown".to_owned(), |cost| cost.to_string())
}

#[expect(clippy::cast_precision_loss, reason = "dollars for people")]
pub(crate) fn dollars(cost: MicroDollars) -> f64 {
    cost.0 as f64 / 1e6
}

/// A time as text: UTC, to the second; nothing where there is no end.
pub(crate) fn time(ms: i64) -> Option<String> {
    let at = Timestamp::from_second(ms.div_euclid(1_000)).ok()?;
    (ms != i64::MAX && ms != i64::MIN).then(|| at.to_string())
}

/// So much of what a limit counts.
pub(crate) fn amount(resource: Resource, amount: i64) -> String {
    match resource {
        Resource::Money => MicroDollars(amount).to_string(),
        Resource::Requests => format!("{amount} calls"),
        Resource::Input => format!("{amount} tokens of input"),
        Resource::Output => format!("{amount} tokens of output"),
        Resource::Concurrent => format!("{amount} calls at once"),
    }
}

/// `$5.00 a day for project site`.
pub(crate) fn limit(standing: &Standing) -> String {
    let limit = &standing.limit;
    let mut out = amount(limit.resource, limit.amount);
    out.push_str(match limit.span {
        Span::Now | Span::Ever => "",
        Span::Minute => " a minute",
        Span::Day => " a day",
        Span::Week => " a week",
        Span::Month => " a month",
    });
    if limit.scope != Scope::All {
        out.push_str(&format!(" for {} {}", limit.scope, standing.name));
    }
    out
}

/// The same with what is left of it.
pub(crate) fn left(standing: &Standing) -> String {
    let left = standing.left().max(0);
    format!(
        "{}: {} left",
        limit(standing),
        amount(standing.limit.resource, left)
    )
}

/// Milliseconds for people.
pub(crate) fn took(ms: u64) -> String {
    match ms {
        0..=999 => format!("{ms} ms"),
        1_000..=59_999 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms / 1_000 % 60),
    }
}
