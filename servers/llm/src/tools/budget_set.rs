//! `budget_set`.

use std::collections::BTreeSet;
use std::sync::Arc;

use callboard_config::Config;
use callboard_limits::{
    EACH, Limit, LimitError, Resource, Scope, Span, Unpriced, budget_forecast, limit_drop,
    limit_set, limits_list, standings,
};
use callboard_mcp::{CallContext, Effect, Line, Render, Role, Tool, ToolError, Whole};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::budgets::Budget;
use crate::Llm;
use crate::views::Open;

/// Who set it, in rows.
const ORIGIN: &str = "user";

/// Sets a budget or limit.
pub struct BudgetSet;

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Of {
    All,
    Provider,
    Model,
    Account,
    Project,
    Task,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum What {
    #[default]
    Money,
    Requests,
    Input,
    Output,
    Concurrent,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Per {
    Minute,
    #[default]
    Day,
    Week,
    Month,
    Ever,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    scope: Of,
    /// Its name, provider/model for a model, or * for each one separately; none for all.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    of: Option<Line<200>>,
    #[serde(default)]
    resource: What,
    #[serde(default)]
    #[schemars(with = "Per")]
    per: Option<Per>,
    /// US dollars, calls or tokens. 0 stops everything; none drops the limit.
    #[serde(default)]
    amount: Option<f64>,
    /// Percent from which on there is a warning.
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    warn: Option<Whole<1, 100>>,
    /// For money: deny calls whose price is not known.
    #[serde(default)]
    deny_unpriced: bool,
}

/// What stands now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Set {
    done: String,
    #[schemars(with = "Vec<Open>")]
    now: Vec<Budget>,
}

impl Render for Set {
    fn text(&self) -> String {
        let lines = self.now.iter().map(Budget::plain);
        let lines: Vec<String> = std::iter::once(self.done.clone()).chain(lines).collect();
        lines.join("\n")
    }
}

impl Tool<Llm> for BudgetSet {
    const NAME: &'static str = "budget_set";
    const TITLE: &'static str = "Set a budget";
    const DESCRIPTION: &'static str = "Sets, changes or drops a budget or limit beside those of the configuration; the strictest holds. One that is used up stops calls and the handing out of tasks.";
    const EFFECT: Effect = Effect::Write {
        destructive: true,
        idempotent: true,
    };
    const ROLE: Role = Role::Admin;
    type Params = Params;
    type Output = Set;

    async fn call(llm: Arc<Llm>, params: Params, _: CallContext) -> Result<Set, ToolError> {
        let (limit, set) = rule(&params)?;
        let changed = limit.clone();
        let done = llm
            .change(move |c, now| -> Result<_, LimitError> {
                if set {
                    limit_set(c, now, &changed)?;
                    return Ok(true);
                }
                limit_drop(c, now, &changed)
            })
            .await?;
        if !done {
            let others = llm.look(|c, _| Ok(limits_list(c)?.len()))?;
            return Err(ToolError::not_found("no such limit was set by a tool")
                .hint(format!("budgets shows the {others} that there are; those of the configuration are changed there")));
        }
        let now = llm.look(|c, now| {
            let all = standings(c, now)?;
            let its = all.iter().filter(|standing| standing.limit == limit);
            let mut shown = Vec::new();
            for standing in its {
                let expected = budget_forecast(c, now, standing)?;
                shown.push(Budget::of(standing, expected));
            }
            Ok(shown)
        })?;
        let done = match (set, nobody(llm.models().config(), &limit)) {
            (false, _) => "dropped".to_owned(),
            (true, None) => "it holds from now on".to_owned(),
            (true, Some(why)) => format!("it holds from now on, but for nobody yet: {why}"),
        };
        Ok(Set { done, now })
    }
}

/// Why nothing that is configured is what a limit is for. Tasks and projects come and go, so nothing is said of them.
fn nobody(config: &Config, limit: &Limit) -> Option<String> {
    let name = limit.name.as_str();
    let providers = &config.models.providers;
    let names = || providers.keys().cloned().collect();
    // A provider has more models than those of which something is said.
    let (kind, asked, known): (_, _, BTreeSet<String>) = match limit.scope {
        Scope::Provider => ("provider", name, names()),
        Scope::Model => ("provider", name.split('/').next().unwrap_or(name), names()),
        Scope::Account => {
            let accounts = providers.values();
            let accounts = accounts.map(|said| format!("{}/{}", said.name, said.account.value));
            (
                "account",
                name,
                accounts.filter(|name| !name.ends_with('/')).collect(),
            )
        }
        Scope::All | Scope::Project | Scope::Task => return None,
    };
    if name == EACH || known.contains(asked) {
        return None;
    }
    let known: Vec<String> = known.into_iter().take(20).collect();
    let known = match known.is_empty() {
        true => "none".to_owned(),
        false => known.join(", "),
    };
    Some(format!(
        "no {kind} called {asked} is configured; there is {known}"
    ))
}

/// The limit, and whether it is to be set.
fn rule(params: &Params) -> Result<(Limit, bool), ToolError> {
    let scope = match params.scope {
        Of::All => Scope::All,
        Of::Provider => Scope::Provider,
        Of::Model => Scope::Model,
        Of::Account => Scope::Account,
        Of::Project => Scope::Project,
        Of::Task => Scope::Task,
    };
    let resource = match params.resource {
        What::Money => Resource::Money,
        What::Requests => Resource::Requests,
        What::Input => Resource::Input,
        What::Output => Resource::Output,
        What::Concurrent => Resource::Concurrent,
    };
    let span = match (params.resource, params.per) {
        (What::Concurrent, None) => Span::Now,
        (What::Concurrent, Some(_)) => {
            return Err(ToolError::invalid(
                "per: concurrent is counted at each moment, not per anything",
            )
            .hint("leave per out; or say resource: requests for so many calls in a time"));
        }
        (_, per) => match per.unwrap_or_default() {
            Per::Minute => Span::Minute,
            Per::Day => Span::Day,
            Per::Week => Span::Week,
            Per::Month => Span::Month,
            Per::Ever => Span::Ever,
        },
    };
    let amount = params.amount.unwrap_or(0.0);
    if !(0.0..=1e9).contains(&amount) {
        return Err(
            ToolError::invalid("amount: is a number from 0 to 1000000000").hint(
                "dollars for money, like 5 or 0.5; a whole number of calls or tokens otherwise",
            ),
        );
    }
    let unit = if resource == Resource::Money {
        1e6
    } else {
        1.0
    };
    if resource != Resource::Money && amount.fract() != 0.0 {
        return Err(
            ToolError::invalid("amount: calls and tokens are whole numbers")
                .hint("leave the decimals out, or say resource: money"),
        );
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most 1e15, which a double holds exactly"
    )]
    let amount = (amount * unit).round() as i64;
    let name = params.of.as_deref().unwrap_or_default();
    let mut limit = Limit::new(scope, name, resource, span, amount);
    ORIGIN.clone_into(&mut limit.origin);
    if let Some(warn) = params.warn {
        limit.warn = u16::try_from(warn.get() * 10).unwrap_or(1_000);
    }
    if params.deny_unpriced {
        limit.unpriced = Unpriced::Deny;
    }
    Ok((limit, params.amount.is_some()))
}
