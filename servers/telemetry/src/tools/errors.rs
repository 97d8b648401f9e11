//! `errors`.

use std::collections::BTreeMap;
use std::sync::Arc;

use callboard_mcp::{CallContext, Effect, Render, Role, Tool, ToolError, Whole};
use callboard_telemetry::query::{DayFailures, FailureClass, Failures, failures};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Telemetry;
use crate::only::Only;
use crate::period::{Word, instant};
use crate::views::{Open, grouped, name, percent, rounded};

/// What went wrong.
pub struct Errors;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// As in costs.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    period: Option<Word>,
    #[serde(default)]
    only: Only,
    /// Days of the trend, the latest; default 14.
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    days: Option<Whole<1, 92>>,
}

/// Failures by kind and by day.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Failed {
    period: String,
    calls: u64,
    failed: u64,
    #[schemars(with = "Vec<Open>")]
    classes: Vec<Kind>,
    #[schemars(with = "Vec<Open>")]
    days: Vec<Day>,
    trend: &'static str,
    #[serde(skip)]
    text: String,
}

#[derive(Debug, Serialize)]
struct Kind {
    class: &'static str,
    category: &'static str,
    severity: &'static str,
    calls: u64,
    first_at: String,
    last_at: String,
    /// The providers and models with the most of them.
    sources: Vec<String>,
    advice: &'static str,
}

#[derive(Debug, Serialize)]
struct Day {
    day: String,
    calls: u64,
    failed: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    classes: BTreeMap<&'static str, u64>,
}

impl Render for Failed {
    fn text(&self) -> String {
        self.text.clone()
    }
}

impl Tool<Telemetry> for Errors {
    const NAME: &'static str = "errors";
    const TITLE: &'static str = "Errors";
    const DESCRIPTION: &'static str = "What went wrong with calls to models: kinds of failure with severity, where they come from and what to do, \
and how they went from day to day.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;
    type Params = Params;
    type Output = Failed;

    async fn call(
        state: Arc<Telemetry>,
        params: Params,
        _: CallContext,
    ) -> Result<Failed, ToolError> {
        let period = state.period(params.period.as_deref())?;
        let words = period.words(state.now());
        let filter = params.only.filter(&period)?;
        let days = params.days.map_or(14, Whole::get);
        let found = state.read(move |c| failures(c, &filter, days)).await?;
        let trend = trend(&found.days);
        Ok(Failed {
            text: text(&found, trend, &words),
            period: words,
            calls: found.calls,
            failed: found.failed,
            classes: found.classes.iter().map(kind).collect(),
            days: found.days.iter().map(day).collect(),
            trend,
        })
    }
}

fn kind(class: &FailureClass) -> Kind {
    let sources = class.sources.iter();
    Kind {
        class: class.class.as_str(),
        category: class.category.as_str(),
        severity: class.severity.as_str(),
        calls: class.calls,
        first_at: instant(class.first_at),
        last_at: instant(class.last_at),
        sources: sources
            .map(|(provider, model, calls)| format!("{}/{} {calls}", name(provider), name(model)))
            .collect(),
        advice: class.advice,
    }
}

fn day(day: &DayFailures) -> Day {
    let classes = day.classes.iter();
    Day {
        day: day.day.clone(),
        calls: day.calls,
        failed: day.failed,
        classes: classes
            .map(|(class, calls)| (class.as_str(), *calls))
            .collect(),
    }
}

/// Compares the share of failures in the later half of the days with that of the earlier half.
fn trend(days: &[DayFailures]) -> &'static str {
    let (early, late) = days.split_at(days.len() / 2);
    let (Some(early), Some(late)) = (share(early), share(late)) else {
        return "too few days to tell";
    };
    // A share moves by chance; a third more or less, and a percentage point, is taken for a change.
    match late - early {
        by if by > 0.01 && by > early / 3.0 => "rising",
        by if by < -0.01 && -by > early / 3.0 => "falling",
        _ => "steady",
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share for people to read")]
fn share(days: &[DayFailures]) -> Option<f64> {
    let calls: u64 = days.iter().map(|day| day.calls).sum();
    let failed: u64 = days.iter().map(|day| day.failed).sum();
    (calls > 0).then(|| rounded(failed as f64 / calls as f64))
}

fn text(found: &Failures, trend: &str, period: &str) -> String {
    if found.calls == 0 {
        return format!("{period}: no calls to models fit");
    }
    let mut out = format!(
        "{period}: {} of {} calls failed",
        grouped(found.failed),
        grouped(found.calls)
    );
    if found.failed == 0 {
        return out;
    }
    out.push_str(&format!("; trend: {trend}"));
    for class in &found.classes {
        let kind = kind(class);
        out.push_str(&format!(
            "\n\n{} ({}, {}): {} calls, last {}; {}\n  {}",
            kind.class,
            kind.category,
            kind.severity,
            grouped(kind.calls),
            &kind.last_at[..16],
            kind.sources.join(", "),
            kind.advice
        ));
    }
    out.push('\n');
    for day in &found.days {
        let share = share(std::slice::from_ref(day)).unwrap_or_default();
        out.push_str(&format!(
            "\n{}  {} of {} ({})",
            day.day,
            grouped(day.failed),
            grouped(day.calls),
            percent(share)
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_is_a_change_of_the_share() {
        let days = |failed: &[u64]| {
            let each = failed.iter().map(|failed| DayFailures {
                day: String::new(),
                calls: 100,
                failed: *failed,
                classes: BTreeMap::new(),
            });
            each.collect::<Vec<_>>()
        };
        assert_eq!(trend(&days(&[1, 2, 9, 12])), "rising");
        assert_eq!(trend(&days(&[20, 2])), "falling");
        assert_eq!(trend(&days(&[10, 11, 10])), "steady");
        assert_eq!(trend(&days(&[10])), "too few days to tell");
        assert_eq!(trend(&[]), "too few days to tell");
    }
}
