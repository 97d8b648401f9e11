//! `compare`.

use std::sync::Arc;

use callboard_mcp::{CallContext, Effect, Line, Long, Render, Role, Text, Tool, ToolError, Whole};
use callboard_routing::engine::{Ask, CallError};
use callboard_telemetry::MicroDollars;
use futures_util::StreamExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::complete::{Used, agreed, said};
use crate::answers::Page;
use crate::asking::{Dollars, PROMPT, Wish};
use crate::pieces::{Got, whole};
use crate::views::{Open, dollars, money, took};
use crate::{Llm, errors, waiting};

/// Models that are asked at the same time.
const AT_ONCE: usize = 3;
const LEAST: usize = 2;
const MOST: usize = 8;
/// Characters of all texts in an answer.
const TEXTS: usize = 7_000;

/// One prompt, several models.
pub struct Compare;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    #[schemars(with = "String")]
    prompt: Text<PROMPT>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    system: Option<Text<PROMPT>>,
    /// 2 to 8, as provider/model or route.
    #[schemars(with = "Vec<String>")]
    models: Vec<Line<200>>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    role: Option<Line<120>>,
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    max_tokens: Option<Whole<1, 10_000_000>>,
    /// Of each.
    #[serde(default)]
    max_cost_usd: Option<Dollars>,
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    deadline_s: Option<Whole<1, 3_600>>,
}

/// The answers side by side, in the order of models.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Compared {
    #[schemars(with = "Vec<Open>")]
    answers: Vec<Side>,
    /// Known costs together, in dollars.
    cost: String,
    unknown_costs: usize,
}

/// One of them.
#[derive(Debug, Serialize)]
struct Side {
    wanted: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Used>,
    cost: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_usd: Option<f64>,
    ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<String>,
    /// Where the rest begins: answer_rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u32>,
}

impl Render for Compared {
    fn text(&self) -> String {
        let mut out = String::new();
        for side in &self.answers {
            let used = side
                .usage
                .map_or_else(|| "tokens unknown".to_owned(), Used::words);
            let model = side.model.as_ref().unwrap_or(&side.wanted);
            out.push_str(&format!("## {model}: "));
            match (&side.text, &side.error) {
                (Some(text), _) => {
                    out.push_str(&format!(
                        "{used}, cost {}, {}\n{text}\n",
                        side.cost,
                        took(side.ms)
                    ));
                }
                (None, error) => {
                    let error = error.as_deref().unwrap_or("no answer");
                    out.push_str(&format!("failed after {}\n{error}\n", took(side.ms)));
                }
            }
            if let (Some(call), Some(from)) = (&side.call, side.from) {
                out.push_str(&format!(
                    "[… the rest: answer_rest with call {call} and from {from}]\n"
                ));
            }
            out.push('\n');
        }
        out.push_str(&format!("together {}", self.cost));
        if self.unknown_costs > 0 {
            out.push_str(&format!(", {} of unknown cost", self.unknown_costs));
        }
        out
    }
}

impl Tool<Llm> for Compare {
    const NAME: &'static str = "compare";
    const TITLE: &'static str = "Compare models";
    const DESCRIPTION: &'static str = "Asks several models the same and shows text, tokens, cost and time side by side. One that fails does not hold up the others.";
    const EFFECT: Effect = Effect::Write {
        destructive: false,
        idempotent: false,
    };
    const ROLE: Role = Role::Developer;
    const OPEN_WORLD: bool = true;
    const LONG: Long = Long::Offered;
    type Params = Params;
    type Output = Compared;

    async fn call(llm: Arc<Llm>, params: Params, ctx: CallContext) -> Result<Compared, ToolError> {
        let count = params.models.len();
        if !(LEAST..=MOST).contains(&count) {
            return Err(ToolError::invalid(format!(
                "models: {count} of them; a comparison is of {LEAST} to {MOST}"
            ))
            .hint("models lists what is configured; complete asks a single one"));
        }
        let mut asks = Vec::with_capacity(count);
        for model in &params.models {
            let wish = Wish {
                prompt: Some(params.prompt.to_string()),
                system: params.system.as_ref().map(ToString::to_string),
                model: Some(model.to_string()),
                role: params.role.as_ref().map(ToString::to_string),
                max_tokens: params.max_tokens.map(Whole::get),
                max_cost: params.max_cost_usd,
                deadline_s: params.deadline_s.map(Whole::get),
                ..Wish::default()
            };
            let mut ask = wish.ask(&llm, &ctx, Self::NAME)?;
            confirm(&llm, &ctx, &mut ask).await?;
            asks.push((model.to_string(), ask));
        }
        let began = Instant::now();
        let work = async {
            let mut done = Vec::with_capacity(count);
            let asked = asks.into_iter().enumerate().map(|(place, (name, ask))| {
                let llm = &llm;
                async move {
                    let began = Instant::now();
                    let got = whole(llm.router(), ask).await;
                    let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                    (place, name, got, ms)
                }
            });
            let mut asked = futures_util::stream::iter(asked).buffer_unordered(AT_ONCE);
            while let Some(one) = asked.next().await {
                done.push(one);
                let so_far = format!("{} of {count} have ended", done.len());
                ctx.progress(done.len() as u64, Some(count as u64), &so_far)
                    .await;
            }
            done
        };
        let mut done = waiting::done(&ctx, began, work).await?;
        done.sort_by_key(|(place, ..)| *place);
        let mut answers = Vec::with_capacity(count);
        let (mut known, mut unknown_costs) = (None, 0);
        for (_, wanted, got, ms) in done {
            if let Ok(got) = &got {
                llm.write_down(got.call.clone(), &got.target, got.cost)
                    .await;
                match got.cost {
                    Some(cost) => known = Some(known.unwrap_or(MicroDollars::ZERO) + cost),
                    None => unknown_costs += 1,
                }
            }
            answers.push(side(&llm, &ctx, wanted, got, ms, TEXTS / count));
        }
        Ok(Compared {
            answers,
            cost: money(known),
            unknown_costs,
        })
    }
}

/// Asks the user where whoever would be asked first needs it; questions come before any call is made.
async fn confirm(llm: &Llm, ctx: &CallContext, ask: &mut Ask) -> Result<(), ToolError> {
    let explained = llm.router().explain(ask).await.map_err(errors::call)?;
    let first = explained.decision.order.first();
    let first = first.and_then(|choice| explained.candidates.get(choice.at));
    if let Some(first) = first.filter(|first| first.confirm) {
        agreed(ctx, &first.target(), first.estimate.cost).await?;
        ask.confirmed = true;
    }
    Ok(())
}

fn side(
    llm: &Llm,
    ctx: &CallContext,
    wanted: String,
    got: Result<Got, CallError>,
    ms: u64,
    most: usize,
) -> Side {
    match got {
        Ok(got) => {
            let text = said(&got.reply);
            let Page { text, next } = llm.answers().first(ctx.caller(), &got.call, &text, most);
            Side {
                wanted,
                model: Some(got.target.to_string()),
                text: Some(text),
                error: None,
                finish: Some(got.reply.finish.as_str()),
                usage: got.usage.map(Used::from),
                cost: money(got.cost),
                cost_usd: got.cost.map(dollars),
                ms,
                call: Some(got.call),
                from: next,
            }
        }
        Err(error) => Side {
            wanted,
            model: None,
            text: None,
            error: Some(errors::call(error).to_string()),
            finish: None,
            usage: None,
            cost: money(None),
            cost_usd: None,
            ms,
            call: None,
            from: None,
        },
    }
}
