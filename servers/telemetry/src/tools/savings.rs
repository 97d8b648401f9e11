//! `savings`.

use std::collections::BTreeMap;
use std::sync::Arc;

use callboard_limits::{Mode, PriceTable, Savings as Saved, Spent, savings};
use callboard_mcp::{CallContext, Effect, Limit, Line, Render, Role, Tool, ToolError};
use callboard_telemetry::query::{LlmFilter, each_call};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Telemetry;
use crate::key::Key;
use crate::only::Only;
use crate::period::Word;
use crate::views::{Open, dollars, grouped, key, short_money, table};

/// What was saved against one model for everything.
pub struct Savings;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// provider/model of the price table, for example anthropic/claude-opus-4-5. Default: prices.baseline of the settings.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    baseline: Option<Line<200>>,
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

/// Costs beside those of the baseline.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Compared {
    period: String,
    baseline: String,
    #[schemars(with = "Open")]
    total: Comparison,
    by: Key,
    #[schemars(with = "Vec<Open>")]
    rows: Vec<Row>,
    left_out: usize,
    #[serde(skip)]
    text: String,
}

#[derive(Debug, Serialize)]
struct Row {
    key: Option<String>,
    #[serde(flatten)]
    compared: Comparison,
}

#[derive(Debug, Serialize)]
struct Comparison {
    /// Calls in both sums.
    compared_calls: u64,
    actual_usd: f64,
    baseline_usd: f64,
    saved_usd: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    saved_percent: Option<f64>,
    unknown_cost_calls: u64,
    no_baseline_price_calls: u64,
    unknown_tokens_calls: u64,
}

/// What is added up for one key.
#[derive(Default)]
struct Sums {
    saved: Saved,
    untold: u64,
}

impl Render for Compared {
    fn text(&self) -> String {
        self.text.clone()
    }
}

impl Tool<Telemetry> for Savings {
    const NAME: &'static str = "savings";
    const TITLE: &'static str = "Savings";
    const DESCRIPTION: &'static str = "What was saved against using one named model for everything: the same tokens at its prices. \
Calls of unknown cost are counted and are in neither sum.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;
    type Params = Params;
    type Output = Compared;

    async fn call(
        state: Arc<Telemetry>,
        params: Params,
        _: CallContext,
    ) -> Result<Compared, ToolError> {
        let period = state.period(params.period.as_deref())?;
        let words = period.words(state.now());
        let filter = params.only.filter(&period)?;
        let named = params.baseline.as_deref().or(state.usual_baseline());
        let prices = state.prices();
        let (provider, model) = baseline(named, &prices, state.now())?;
        let by = params.by.unwrap_or(Key::Model);
        let against = (provider.clone(), model.clone());
        let (total, rows) = state
            .read(move |c| {
                let mut sums = BTreeMap::new();
                add_up(c, &filter, by, &prices, &against, &mut sums)?;
                Ok(settled(sums))
            })
            .await?;
        let most = usize::try_from(params.limit.get()).unwrap_or(usize::MAX);
        let baseline = format!("{provider}/{model}");
        Ok(Compared {
            text: text(&total, &rows, most, &baseline, by, &words),
            period: words,
            baseline,
            total: comparison(&total),
            by,
            left_out: rows.len().saturating_sub(most),
            rows: rows
                .into_iter()
                .take(most)
                .map(|(key, sums)| Row {
                    key,
                    compared: comparison(&sums),
                })
                .collect(),
        })
    }
}

/// The provider and model to compare with, which must have a price.
fn baseline(
    named: Option<&str>,
    prices: &PriceTable,
    now: i64,
) -> Result<(String, String), ToolError> {
    let Some(named) = named else {
        return Err(ToolError::invalid("baseline: none is named, and the settings have none")
            .hint("name provider/model, for example the dearest model that you would use for everything; or set prices.baseline"));
    };
    let Some((provider, model)) = named.split_once('/') else {
        return Err(ToolError::invalid(format!(
            "baseline: {:?} is not provider/model",
            callboard_mcp::clip(named, 80)
        ))
        .hint("write for example anthropic/claude-opus-4-5"));
    };
    if prices.price(provider, model, now).is_none() && !prices.is_local(provider, model) {
        let known: Vec<String> = alike(prices, provider, model);
        return Err(ToolError::not_found(format!(
            "baseline: {} has no price",
            callboard_mcp::clip(named, 80)
        ))
        .hint(format!(
            "models with a price are, for example: {}",
            known.join(", ")
        )));
    }
    Ok((provider.to_owned(), model.to_owned()))
}

/// Some models that have a price: those of the provider, or with part of the name, first.
fn alike(prices: &PriceTable, provider: &str, model: &str) -> Vec<String> {
    let mut all: Vec<(bool, String)> = prices
        .prices()
        .map(|price| {
            let near = price.provider == provider || price.model.contains(model);
            (!near, format!("{}/{}", price.provider, price.model))
        })
        .collect();
    all.sort();
    all.dedup();
    all.into_iter().take(8).map(|(_, name)| name).collect()
}

fn add_up(
    c: &mut dyn callboard_store::Conn,
    filter: &LlmFilter,
    by: Key,
    prices: &PriceTable,
    (provider, model): &(String, String),
    sums: &mut BTreeMap<Option<String>, Sums>,
) -> Result<(), callboard_store::StoreError> {
    each_call(c, filter, &mut |call| {
        let sums = sums.entry(by.by().of(&call)).or_default();
        let Some(usage) = call.usage else {
            sums.untold += 1;
            return Ok(());
        };
        let spent = Spent {
            at: call.at,
            tokens: usage.tokens,
            mode: Mode::STANDARD,
            cost: call.cost,
        };
        add(&mut sums.saved, &savings(prices, provider, model, [spent]));
        Ok(())
    })
}

fn add(sum: &mut Saved, more: &Saved) {
    sum.calls += more.calls;
    sum.actual += more.actual;
    sum.baseline += more.baseline;
    sum.unpriced += more.unpriced;
    sum.no_baseline += more.no_baseline;
}

type Keyed = (Option<String>, Sums);

/// The total, and the keys, those that saved most first.
fn settled(sums: BTreeMap<Option<String>, Sums>) -> (Sums, Vec<Keyed>) {
    let mut total = Sums::default();
    for sums in sums.values() {
        add(&mut total.saved, &sums.saved);
        total.untold += sums.untold;
    }
    let mut rows: Vec<Keyed> = sums.into_iter().collect();
    rows.sort_by_key(|(_, sums)| std::cmp::Reverse(sums.saved.saved()));
    (total, rows)
}

fn comparison(sums: &Sums) -> Comparison {
    let saved = &sums.saved;
    #[expect(clippy::cast_precision_loss, reason = "a share for people to read")]
    let percent = saved.share().map(|share| share as f64 / 10.0);
    Comparison {
        compared_calls: saved.calls,
        actual_usd: dollars(saved.actual),
        baseline_usd: dollars(saved.baseline),
        saved_usd: dollars(saved.saved()),
        saved_percent: percent,
        unknown_cost_calls: saved.unpriced,
        no_baseline_price_calls: saved.no_baseline,
        unknown_tokens_calls: sums.untold,
    }
}

fn text(
    total: &Sums,
    rows: &[Keyed],
    most: usize,
    baseline: &str,
    by: Key,
    period: &str,
) -> String {
    let Sums { saved, untold } = total;
    let left = saved.unpriced + saved.no_baseline + untold;
    if saved.calls + left == 0 {
        return format!("{period}: no calls to models fit");
    }
    let percent = |saved: &Saved| {
        let share = saved.share();
        share.map_or_else(
            || "-".to_owned(),
            |share| format!("{}.{} %", share / 10, share.abs() % 10),
        )
    };
    let mut out = format!(
        "{period}: {} calls cost {}; the same tokens at {baseline} cost {}: {} saved ({})",
        grouped(saved.calls),
        short_money(saved.actual),
        short_money(saved.baseline),
        short_money(saved.saved()),
        percent(saved)
    );
    if left > 0 {
        out.push_str(&format!(
            "\nnot compared: {} calls of unknown cost, {} of unknown tokens, {} for which the baseline has no price",
            saved.unpriced, untold, saved.no_baseline
        ));
    }
    let lines: Vec<Vec<String>> = rows
        .iter()
        .take(most)
        .map(|(part, sums)| {
            let saved = &sums.saved;
            vec![
                key(std::slice::from_ref(part)),
                grouped(saved.calls),
                short_money(saved.actual),
                short_money(saved.baseline),
                short_money(saved.saved()),
                percent(saved),
                grouped(saved.unpriced + saved.no_baseline + sums.untold),
            ]
        })
        .collect();
    let heads = [
        by.as_str(),
        "compared",
        "cost",
        "baseline",
        "saved",
        "share",
        "not compared",
    ];
    out.push_str("\n\n");
    out.push_str(&table(&heads, &lines));
    out.push_str(
        "\n\nAnother model may have needed more tokens, or fewer; this compares prices only.",
    );
    out
}
