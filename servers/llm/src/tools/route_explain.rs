//! `route_explain`.

use std::sync::Arc;

use callboard_mcp::{CallContext, Effect, Line, Render, Role, Text, Tool, ToolError, Whole};
use callboard_routing::engine::{Considered, Explained};
use callboard_routing::route::Rejection;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::asking::{Class, Dollars, PROMPT, Wish};
use crate::views::{Open, dollars, money};
use crate::{Llm, errors};

/// Who would be asked, and why.
pub struct RouteExplain;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    #[schemars(with = "String")]
    prompt: Text<PROMPT>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    model: Option<Line<200>>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    route: Option<Line<120>>,
    #[serde(default)]
    class: Option<Class>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    role: Option<Line<120>>,
    #[serde(default)]
    json: bool,
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    max_tokens: Option<Whole<1, 10_000_000>>,
    #[serde(default)]
    max_cost_usd: Option<Dollars>,
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    deadline_s: Option<Whole<1, 3_600>>,
    #[serde(default)]
    local_only: bool,
}

/// The decision.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Explanation {
    route: String,
    strategy: String,
    input_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    /// In this order.
    #[schemars(with = "Vec<Open>")]
    asked: Vec<Candidate>,
    #[schemars(with = "Vec<Open>")]
    rejected: Vec<Candidate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_in_s: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Candidate {
    model: String,
    why: Vec<String>,
    /// The most that the call may cost there.
    cost_at_most: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_at_most_usd: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price_version: Option<String>,
    input_tokens: u64,
    output_tokens_at_most: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    asks_a_person_first: bool,
}

impl Candidate {
    fn of(considered: &Considered, why: Vec<String>) -> Candidate {
        let estimate = &considered.estimate;
        Candidate {
            model: considered.candidate.to_string(),
            why,
            cost_at_most: money(estimate.cost),
            cost_at_most_usd: estimate.cost.map(dollars),
            price_version: considered.price_version.clone(),
            input_tokens: estimate.input,
            output_tokens_at_most: estimate.output,
            window: considered.candidate.offer.window,
            asks_a_person_first: considered.confirm,
        }
    }

    fn line(&self) -> String {
        let person = match self.asks_a_person_first {
            true => "; a person is asked first",
            false => "",
        };
        format!(
            "{}: {}; at most {} ({} tokens in, {} out){person}",
            self.model,
            self.why.join(", "),
            self.cost_at_most,
            self.input_tokens,
            self.output_tokens_at_most
        )
    }
}

impl Render for Explanation {
    fn text(&self) -> String {
        let mut out = format!(
            "route {} ({}), about {} tokens",
            self.route, self.strategy, self.input_tokens
        );
        if let Some(class) = &self.class {
            out.push_str(&format!(", {class} work"));
        }
        for (turn, candidate) in self.asked.iter().enumerate() {
            out.push_str(&format!("\n{}. {}", turn + 1, candidate.line()));
        }
        if self.asked.is_empty() {
            out.push_str("\nnobody can be asked");
        }
        for candidate in &self.rejected {
            out.push_str(&format!("\nnot {}", candidate.line()));
        }
        if let Some(seconds) = self.retry_in_s {
            out.push_str(&format!("\ntry again in {seconds} s"));
        }
        out
    }
}

impl Tool<Llm> for RouteExplain {
    const NAME: &'static str = "route_explain";
    const TITLE: &'static str = "Explain a route";
    const DESCRIPTION: &'static str = "Dry run of complete: who would be asked in which order and why, who not and why, and what it would cost at most. \
Asks nobody and writes nothing.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;
    type Params = Params;
    type Output = Explanation;

    async fn call(
        llm: Arc<Llm>,
        params: Params,
        ctx: CallContext,
    ) -> Result<Explanation, ToolError> {
        let wish = Wish {
            prompt: Some(params.prompt.into()),
            model: params.model.map(String::from),
            route: params.route.map(String::from),
            class: params.class,
            role: params.role.map(String::from),
            json: params.json,
            max_tokens: params.max_tokens.map(Whole::get),
            max_cost: params.max_cost_usd,
            deadline_s: params.deadline_s.map(Whole::get),
            local_only: params.local_only,
            ..Wish::default()
        };
        let ask = wish.ask(&llm, &ctx, Self::NAME)?;
        let explained = llm.router().explain(&ask).await.map_err(errors::call)?;
        Ok(explanation(&explained))
    }
}

fn explanation(explained: &Explained) -> Explanation {
    let decision = &explained.decision;
    let of = |at: usize, why: Vec<String>| {
        let considered = explained.candidates.get(at)?;
        Some(Candidate::of(considered, why))
    };
    let asked = decision.order.iter();
    let rejected = decision.rejected.iter();
    Explanation {
        route: explained.route.clone(),
        strategy: explained.strategy.as_str().to_owned(),
        input_tokens: explained.need.input,
        class: explained.need.class.map(|class| class.to_string()),
        asked: asked
            .filter_map(|choice| of(choice.at, vec![choice.why.clone()]))
            .collect(),
        rejected: rejected
            .filter_map(|rejected| {
                let why = rejected.why.iter().map(Rejection::to_string).collect();
                of(rejected.at, why)
            })
            .collect(),
        retry_in_s: decision.retry_in_ms().map(|ms| ms.div_ceil(1_000)),
    }
}
