//! `costs`.

use std::sync::Arc;

use callboard_mcp::{
    CallContext, Effect, Illustrated, Limit, Link, Media, Render, Role, Tool, ToolError,
};
use callboard_telemetry::query::{self, By, CostRow, LlmFilter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Telemetry;
use crate::chart::Chart;
use crate::key::{Key, keys, words};
use crate::only::Only;
use crate::period::Word;
use crate::views::{Open, Sum, grouped, key, known, money, percent, short_money, table};

/// Rows that a chart is drawn from: its days times its series.
const DRAWN: u32 = 4_000;

/// Adds up what calls to models cost.
pub struct Costs;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// today, yesterday, week, month, all, 24h, 7d, 2026-11, 2026-11-21 or A..B; UTC. Default 7d.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    period: Option<Word>,
    /// Up to 3 keys. Default model; with a chart day, model.
    #[serde(default)]
    by: Vec<Key>,
    #[serde(default)]
    only: Only,
    /// Answer with a picture (PNG) beside the table.
    #[serde(default)]
    chart: bool,
    #[serde(default)]
    limit: Limit<20, 100>,
}

/// Costs by something.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Costed {
    period: String,
    by: Vec<Key>,
    #[schemars(with = "Open")]
    total: Sum,
    #[schemars(with = "Vec<Open>")]
    rows: Vec<Costing>,
    /// Keys beyond the limit; they are in the total.
    left_out: u64,
    #[serde(skip)]
    text: String,
}

/// One key.
#[derive(Debug, Clone, Serialize)]
struct Costing {
    key: Vec<Option<String>>,
    #[serde(flatten)]
    sum: Sum,
}

impl Render for Costed {
    fn text(&self) -> String {
        self.text.clone()
    }

    fn links(&self) -> Vec<Link> {
        Vec::new()
    }
}

impl Tool<Telemetry> for Costs {
    const NAME: &'static str = "costs";
    const TITLE: &'static str = "Costs";
    const DESCRIPTION: &'static str = "What calls to models cost, with tokens, by model, provider, agent, task, project, tool, day and more. \
Costs that are not known are counted beside the sums, never taken for 0.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;
    type Params = Params;
    type Output = Illustrated<Costed>;

    async fn call(
        state: Arc<Telemetry>,
        params: Params,
        _: CallContext,
    ) -> Result<Illustrated<Costed>, ToolError> {
        let period = state.period(params.period.as_deref())?;
        let words = period.words(state.now());
        let filter = params.only.filter(&period)?;
        let mut by = keys(&params.by)?;
        if by.is_empty() {
            by = match params.chart {
                true => vec![Key::Day, Key::Model],
                false => vec![Key::Model],
            };
        }
        let limit = params.limit.get();
        let picture = match params.chart {
            true => Some(Media {
                mime: "image/png",
                bytes: drawn(&state, filter.clone(), by.clone(), words.clone())
                    .await?
                    .png()
                    .ok_or_else(undrawn)?,
            }),
            false => None,
        };
        let answer = costed(&state, filter, by, words, limit).await?;
        Ok(Illustrated { answer, picture })
    }
}

fn undrawn() -> ToolError {
    ToolError::internal("the chart could not be drawn")
        .hint("call again without chart: the table says the same")
}

/// The costs of the calls that fit, ready to be shown.
pub(crate) async fn costed(
    state: &Telemetry,
    filter: LlmFilter,
    by: Vec<Key>,
    period: String,
    limit: u32,
) -> Result<Costed, ToolError> {
    let found = read(state, filter, &by, limit).await?;
    let text = text(&found, &by, &period);
    Ok(Costed {
        period,
        by,
        total: Sum::of(&found.total),
        rows: found.rows.iter().map(row).collect(),
        left_out: found.left_out,
        text,
    })
}

/// The chart of the same.
pub(crate) async fn drawn(
    state: &Telemetry,
    filter: LlmFilter,
    by: Vec<Key>,
    period: String,
) -> Result<Chart, ToolError> {
    let found = read(state, filter, &by, DRAWN).await?;
    let total = &found.total;
    let about = format!(
        "{period} · {} · {} calls",
        match (known(total), total.unknown_cost) {
            (None, _) => "cost unknown".to_owned(),
            (Some(cost), 0) => short_money(cost),
            (Some(cost), unknown) => {
                format!("{} + {unknown} calls of unknown cost", short_money(cost))
            }
        },
        grouped(total.calls)
    );
    let title = format!("Cost of calls to models by {}", words(&by));
    let by: Vec<By> = by.into_iter().map(Key::by).collect();
    Ok(Chart::of(&found, &by, title, about))
}

async fn read(
    state: &Telemetry,
    filter: LlmFilter,
    by: &[Key],
    limit: u32,
) -> Result<query::Costs, ToolError> {
    let by: Vec<By> = by.iter().map(|key| key.by()).collect();
    state
        .read(move |c| query::costs(c, &filter, &by, limit))
        .await
}

fn row(row: &CostRow) -> Costing {
    Costing {
        key: row.key.clone(),
        sum: Sum::of(&row.totals),
    }
}

fn text(found: &query::Costs, by: &[Key], period: &str) -> String {
    let total = &found.total;
    if total.calls == 0 {
        return format!("{period}: no calls to models fit");
    }
    let mut out = format!(
        "{period}: {} for {} calls",
        money(total),
        grouped(total.calls)
    );
    if total.unknown_cost > 0 {
        out.push_str(&format!(
            "; {} calls have no known cost and are in no sum",
            grouped(total.unknown_cost)
        ));
    }
    if total.failed > 0 {
        out.push_str(&format!("; {} failed", grouped(total.failed)));
    }
    let rows: Vec<Vec<String>> = found
        .rows
        .iter()
        .map(|row| {
            let totals = &row.totals;
            vec![
                key(&row.key),
                money(totals),
                grouped(totals.calls),
                grouped(totals.tokens.input),
                totals.cache_share().map_or_else(|| "-".to_owned(), percent),
                grouped(totals.tokens.output),
            ]
        })
        .collect();
    let heads = ["cost", "calls", "input tokens", "cached", "output tokens"];
    let first = words(by);
    let heads: Vec<&str> = std::iter::once(first.as_str()).chain(heads).collect();
    out.push_str("\n\n");
    out.push_str(&table(&heads, &rows));
    if found.left_out > 0 {
        out.push_str(&format!(
            "\n{} more are left out; raise limit or narrow with only",
            found.left_out
        ));
    }
    out
}
