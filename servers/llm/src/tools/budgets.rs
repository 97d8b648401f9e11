//! `budgets`.

use std::sync::Arc;

use callboard_limits::{Forecast, Level, Resource, Standing, budget_forecast, standings};
use callboard_mcp::{CallContext, Effect, Limit, Render, Role, Tool, ToolError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Llm;
use crate::views::{Open, amount, dollars, limit, money, time};

/// Where limits stand.
pub struct Budgets;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Money alone.
    #[serde(default)]
    money_only: bool,
    #[serde(default)]
    limit: Limit<50, 200>,
}

/// All of them.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Standings {
    #[schemars(with = "Vec<Open>")]
    budgets: Vec<Budget>,
    left_out: usize,
}

/// One of them.
#[derive(Debug, Serialize)]
pub(super) struct Budget {
    what: String,
    scope: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    of: String,
    resource: &'static str,
    per: &'static str,
    /// Calls, tokens, or US dollars.
    amount: f64,
    used: f64,
    held: f64,
    left: f64,
    /// fine, warn or stop.
    level: &'static str,
    #[serde(skip_serializing_if = "is_zero")]
    calls_of_unknown_cost: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// config, project:…, or user (set by a tool).
    set_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    forecast: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &i64) -> bool {
    *count == 0
}

impl Budget {
    pub(super) fn of(standing: &Standing, expected: Option<Forecast>) -> Budget {
        let rule = &standing.limit;
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let figure = |figure: i64| match rule.resource {
            Resource::Money => dollars(callboard_telemetry::MicroDollars(figure)),
            _ => figure as f64,
        };
        Budget {
            what: limit(standing),
            scope: rule.scope.as_str(),
            of: standing.name.clone(),
            resource: rule.resource.as_str(),
            per: rule.span.as_str(),
            amount: figure(rule.amount),
            used: figure(standing.used),
            held: figure(standing.held),
            left: figure(standing.left().max(0)),
            level: match standing.level() {
                Level::Fine => "fine",
                Level::Warn => "warn",
                Level::Stop => "stop",
            },
            calls_of_unknown_cost: standing.unpriced,
            until: time(standing.ends_at),
            set_by: rule.origin.clone(),
            forecast: expected.map(words),
        }
    }

    fn line(&self, standing: &str) -> String {
        let mut out = format!("{}: {standing}, {}", self.what, self.level);
        if let Some(until) = &self.until {
            out.push_str(&format!(", until {until}"));
        }
        if self.calls_of_unknown_cost > 0 {
            out.push_str(&format!(
                ", {} calls of unknown cost are not in it",
                self.calls_of_unknown_cost
            ));
        }
        if let Some(forecast) = &self.forecast {
            out.push_str(&format!("; {forecast}"));
        }
        out
    }

    pub(super) fn plain(&self) -> String {
        self.line(&format!(
            "{} used, {} held, {} left",
            self.figure(self.used),
            self.figure(self.held),
            self.figure(self.left)
        ))
    }

    fn figure(&self, figure: f64) -> String {
        match self.resource {
            "money" => format!("${figure}"),
            _ => figure.to_string(),
        }
    }
}

impl Render for Standings {
    fn text(&self) -> String {
        if self.budgets.is_empty() {
            return "no limits; add [budgets.NAME] to the configuration, or call budget_set"
                .to_owned();
        }
        let mut lines: Vec<String> = self.budgets.iter().map(Budget::plain).collect();
        if self.left_out > 0 {
            lines.push(format!("{} more are left out; raise limit", self.left_out));
        }
        lines.join("\n")
    }
}

impl Tool<Llm> for Budgets {
    const NAME: &'static str = "budgets";
    const TITLE: &'static str = "Budgets";
    const DESCRIPTION: &'static str = "Where every budget and limit stands: used, held by calls that are being made, left, until when, and when money will be used up if days go on as they did.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;
    type Params = Params;
    type Output = Standings;

    async fn call(llm: Arc<Llm>, params: Params, _: CallContext) -> Result<Standings, ToolError> {
        where_they_stand(&llm, params.money_only, params.limit.get())
    }
}

/// Budgets and limits, what stands in the way first.
pub(crate) fn where_they_stand(
    llm: &Llm,
    money_only: bool,
    most: u32,
) -> Result<Standings, ToolError> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    llm.look(|c, now| {
        let mut found = standings(c, now)?;
        found.retain(|one| !money_only || one.limit.resource == Resource::Money);
        found.sort_by_key(|one| std::cmp::Reverse(one.level()));
        let left_out = found.len().saturating_sub(most);
        found.truncate(most);
        let mut budgets = Vec::with_capacity(found.len());
        for standing in &found {
            let expected = budget_forecast(c, now, standing)?;
            budgets.push(Budget::of(standing, expected));
        }
        Ok(Standings { budgets, left_out })
    })
}

fn words(forecast: Forecast) -> String {
    let at_the_end = |total: Option<_>| {
        total.map_or_else(String::new, |total| {
            format!(", {} at its end", money(Some(total)))
        })
    };
    match forecast {
        Forecast::TooLittle { days, needed } => {
            format!("no forecast: {days} of {needed} days of use are known")
        }
        Forecast::Over => "it is used up".to_owned(),
        Forecast::Overrun { at, daily, total } => format!(
            "it will be used up on {} at {} a day{}",
            time(at).unwrap_or_else(|| "a far day".to_owned()),
            amount(Resource::Money, daily.0),
            at_the_end(total)
        ),
        Forecast::Within { daily, total } => format!(
            "it will last at {} a day{}",
            amount(Resource::Money, daily.0),
            at_the_end(total)
        ),
    }
}
