//! `providers`.

use std::sync::Arc;

use callboard_limits::{BreakerState, Level};
use callboard_mcp::{CallContext, Effect, Line, Render, Role, Tool, ToolError};
use callboard_routing::engine::{Provider, Standing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::views::{Open, left, time};
use crate::{Llm, errors};

/// How providers stand.
pub struct Providers;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    provider: Option<Line<120>>,
}

/// All of them.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Stand {
    #[schemars(with = "Vec<Open>")]
    providers: Vec<One>,
}

/// A provider.
#[derive(Debug, Serialize)]
struct One {
    provider: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    wire: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_url: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    account: String,
    has_key: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    asks_a_person_first: bool,
    /// Why it can't be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    unready: Option<String>,
    models: Vec<Health>,
}

/// A model of it.
#[derive(Debug, Serialize)]
struct Health {
    model: String,
    /// closed, open, half_open or cooling.
    breaker: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failures_in_a_row: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<String>,
    /// Of the last quarter of an hour.
    calls: u64,
    failures: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_ms: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    limits: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    limit_used_up: bool,
}

impl Health {
    fn of(standing: &Standing) -> Health {
        let breaker = standing.breaker.as_ref();
        let closed = BreakerState::Closed;
        Health {
            model: standing.model.clone(),
            breaker: breaker.map_or(closed, |breaker| breaker.state).as_str(),
            until: breaker.and_then(|breaker| time(breaker.until?)),
            failures_in_a_row: breaker
                .map(|breaker| breaker.failures)
                .filter(|count| *count > 0),
            last_failure: breaker.and_then(|breaker| breaker.last_failure.clone()),
            calls: standing.recent.calls,
            failures: standing.recent.failures,
            p50_ms: standing.recent.p50_ms,
            limits: standing.limits.iter().map(left).collect(),
            limit_used_up: standing
                .limits
                .iter()
                .any(|limit| limit.level() == Level::Stop),
        }
    }

    fn line(&self) -> String {
        let mut out = format!("  {}: breaker {}", self.model, self.breaker);
        if let Some(until) = &self.until {
            out.push_str(&format!(" until {until}"));
        }
        if let Some(failures) = self.failures_in_a_row {
            let last = self.last_failure.as_deref().unwrap_or("unknown");
            out.push_str(&format!(", {failures} failures in a row (last {last})"));
        }
        out.push_str(&format!(
            "; {} calls lately, {} failed",
            self.calls, self.failures
        ));
        if let Some(p50) = self.p50_ms {
            out.push_str(&format!(", half within {p50} ms"));
        }
        for limit in &self.limits {
            out.push_str(&format!("; {limit}"));
        }
        out
    }
}

impl Render for Stand {
    fn text(&self) -> String {
        let mut lines = Vec::new();
        for one in &self.providers {
            let wire = one.wire.as_deref().unwrap_or("-");
            let at = one.base_url.as_deref().unwrap_or("-");
            let key = if one.has_key {
                "with a key"
            } else {
                "without a key"
            };
            lines.push(format!("{}: {wire} at {at}, {key}", one.provider));
            lines.extend(
                one.unready
                    .iter()
                    .map(|why| format!("  can't be used: {why}")),
            );
            lines.extend(one.models.iter().map(Health::line));
        }
        if lines.is_empty() {
            lines.push("no providers; add [providers.NAME] to the user's configuration".to_owned());
        }
        lines.join("\n")
    }
}

impl Tool<Llm> for Providers {
    const NAME: &'static str = "providers";
    const TITLE: &'static str = "Providers";
    const DESCRIPTION: &'static str = "How each provider and model stands: breaker, pauses it asked for, limits, how its latest calls went, and why one can't be used.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;
    type Params = Params;
    type Output = Stand;

    async fn call(llm: Arc<Llm>, params: Params, _: CallContext) -> Result<Stand, ToolError> {
        stand(&llm, params.provider.as_deref()).await
    }
}

/// How one provider stands, or all of them.
pub(crate) async fn stand(llm: &Llm, only: Option<&str>) -> Result<Stand, ToolError> {
    let standings = llm.router().standing().await.map_err(errors::call)?;
    let settings = llm.router().settings();
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    let usable = settings.providers.iter();
    let mut providers: Vec<One> = usable
        .filter(|(name, _)| wanted(name))
        .map(|(name, provider)| one(name, provider, &standings))
        .collect();
    let unready = llm.models().unready().into_iter();
    providers.extend(
        unready
            .filter(|unready| wanted(&unready.provider))
            .map(|unready| One {
                provider: unready.provider,
                wire: None,
                base_url: None,
                account: String::new(),
                has_key: false,
                asks_a_person_first: false,
                unready: Some(unready.why),
                models: Vec::new(),
            }),
    );
    if let Some(name) = only.filter(|_| providers.is_empty()) {
        return Err(ToolError::not_found(format!(
            "provider: {:?} is not configured",
            callboard_mcp::clip(name, 80)
        ))
        .hint("providers without arguments shows all of them"));
    }
    Ok(Stand { providers })
}

fn one(name: &str, provider: &Provider, standings: &[Standing]) -> One {
    let endpoint = provider.upstream.endpoint();
    let its = standings
        .iter()
        .filter(|standing| standing.provider == name);
    One {
        provider: name.to_owned(),
        wire: Some(endpoint.wire.to_string()),
        base_url: Some(endpoint.base_url.clone()),
        account: endpoint.account.clone(),
        has_key: endpoint.key.is_some(),
        asks_a_person_first: provider.confirm,
        unready: None,
        models: its.map(Health::of).collect(),
    }
}
