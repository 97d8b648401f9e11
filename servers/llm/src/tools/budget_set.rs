//! `budget_set`.

use std::sync::Arc;

use callboard_limits::{
    Limit, LimitError, Resource, Scope, Span, Unpriced, budget_forecast, limit_drop, limit_set,
    limits_list, standings,
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
    per: Per,
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
        let done = if set {
            "it holds from now on"
        } else {
            "dropped"
        };
        Ok(Set {
            done: done.to_owned(),
            now,
        })
    }
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
        (What::Concurrent, _) => Span::Now,
        (_, Per::Minute) => Span::Minute,
        (_, Per::Day) => Span::Day,
        (_, Per::Week) => Span::Week,
        (_, Per::Month) => Span::Month,
        (_, Per::Ever) => Span::Ever,
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
