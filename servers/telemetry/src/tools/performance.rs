//! `performance`.

use std::sync::Arc;

use callboard_mcp::{CallContext, Effect, Limit, Render, Role, Tool, ToolError};
use callboard_telemetry::query::{Percentiles, Speed, SpeedRow, speed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Telemetry;
use crate::key::Key;
use crate::only::Only;
use crate::period::Word;
use crate::views::{Open, grouped, key, ms, percent, rounded, table, time};

/// How fast models answered.
pub struct Performance;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// As in costs.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    period: Option<Word>,
    /// Default model.
    #[serde(default)]
    by: Option<Key>,
    #[serde(default)]
    only: Only,
    #[serde(default)]
    limit: Limit<20, 100>,
}

/// Times of answered calls.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Performed {
    period: String,
    by: Key,
    #[schemars(with = "Vec<Open>")]
    rows: Vec<Timed>,
    looked_at: u64,
    /// There were more calls; only the latest were looked at.
    truncated: bool,
    #[serde(skip)]
    text: String,
}

#[derive(Debug, Serialize)]
struct Timed {
    key: Option<String>,
    calls: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_ms: Option<Spread>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte_ms: Option<Spread>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_ms: Option<Spread>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_share: Option<f64>,
}

/// Milliseconds.
#[derive(Debug, Serialize)]
struct Spread {
    p50: f64,
    p95: f64,
    p99: f64,
    max: f64,
    /// Calls whose time is known.
    calls: u64,
}

impl Spread {
    fn of(times: &Percentiles) -> Self {
        Spread {
            p50: ms(times.p50),
            p95: ms(times.p95),
            p99: ms(times.p99),
            max: ms(times.max),
            calls: times.calls,
        }
    }
}

impl Render for Performed {
    fn text(&self) -> String {
        self.text.clone()
    }
}

impl Tool<Telemetry> for Performance {
    const NAME: &'static str = "performance";
    const TITLE: &'static str = "Performance";
    const DESCRIPTION: &'static str = "How fast models answered: p50, p95, p99 of the whole time, the first byte and the queue, tokens a second, \
the share of input that came from a cache. Only calls that were answered count.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;
    type Params = Params;
    type Output = Performed;

    async fn call(
        state: Arc<Telemetry>,
        params: Params,
        _: CallContext,
    ) -> Result<Performed, ToolError> {
        let period = state.period(params.period.as_deref())?;
        let words = period.words(state.now());
        let filter = params.only.filter(&period)?;
        let by = params.by.unwrap_or(Key::Model);
        let limit = params.limit.get();
        let found = state
            .read(move |c| speed(c, &filter, Some(by.by()), limit))
            .await?;
        Ok(Performed {
            text: text(&found, by, &words),
            period: words,
            by,
            rows: found.rows.iter().map(row).collect(),
            looked_at: found.looked_at,
            truncated: found.truncated,
        })
    }
}

fn row(row: &SpeedRow) -> Timed {
    Timed {
        key: row.key.clone(),
        calls: row.calls,
        total_ms: row.total.as_ref().map(Spread::of),
        first_byte_ms: row.first_byte.as_ref().map(Spread::of),
        queue_ms: row.queue.as_ref().map(Spread::of),
        tokens_per_second: row
            .tokens_per_second
            .map(|rate| (rate * 10.0).round() / 10.0),
        cached_share: row.cache_share.map(rounded),
    }
}

fn text(found: &Speed, by: Key, period: &str) -> String {
    if found.looked_at == 0 {
        return format!("{period}: no answered call fits");
    }
    let dash = || "-".to_owned();
    let rows: Vec<Vec<String>> = found
        .rows
        .iter()
        .map(|row| {
            let total = |of: fn(&Percentiles) -> u64| {
                row.total
                    .as_ref()
                    .map_or_else(dash, |times| time(of(times)))
            };
            let first = |of: fn(&Percentiles) -> u64| {
                row.first_byte
                    .as_ref()
                    .map_or_else(dash, |times| time(of(times)))
            };
            vec![
                key(std::slice::from_ref(&row.key)),
                grouped(row.calls),
                total(|times| times.p50),
                total(|times| times.p95),
                total(|times| times.p99),
                first(|times| times.p50),
                first(|times| times.p95),
                row.tokens_per_second
                    .map_or_else(dash, |rate| format!("{rate:.0}")),
                row.cache_share.map_or_else(dash, percent),
            ]
        })
        .collect();
    let heads = [
        by.as_str(),
        "answered",
        "p50",
        "p95",
        "p99",
        "first byte p50",
        "p95",
        "tokens/s",
        "cached",
    ];
    let more = if found.truncated {
        " (the latest; there were more)"
    } else {
        ""
    };
    format!(
        "{period}: {} answered calls{more}\n\n{}",
        grouped(found.looked_at),
        table(&heads, &rows)
    )
}
