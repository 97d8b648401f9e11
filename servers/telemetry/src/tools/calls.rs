//! `calls`.

use std::sync::Arc;

use callboard_mcp::{
    CallContext, Effect, Id, Limit, Line, Link, Render, Role, Tool, ToolError, clip,
};
use callboard_store::{Conn, StoreError};
use callboard_telemetry::llm::{LlmCall, llm_call, llm_text};
use callboard_telemetry::query::{Order, find_calls};
use callboard_telemetry::{Counted, Usage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::Telemetry;
use crate::errors::no_page;
use crate::only::Only;
use crate::period::{Word, instant};
use crate::views::{Open, dollars, ms, name, short_money, time};

/// Characters of a kept text within an answer; the resource has the rest.
const SHOWN: usize = 3_000;

/// Finds calls to models.
pub struct Calls;

/// Which calls come first.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum First {
    #[default]
    Latest,
    Dearest,
    Slowest,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Everything about this one call; the rest is ignored.
    #[serde(default)]
    id: Option<Id>,
    /// As in costs.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    period: Option<Word>,
    #[serde(default)]
    only: Only,
    #[serde(default)]
    order: First,
    /// `next` of the page before, with the same arguments.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    cursor: Option<Line<200>>,
    #[serde(default)]
    limit: Limit<20, 100>,
}

/// A page, or one call.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Found {
    #[schemars(with = "Vec<Open>")]
    calls: Vec<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(skip)]
    text: String,
    #[serde(skip)]
    link: Option<Link>,
}

impl Render for Found {
    fn text(&self) -> String {
        self.text.clone()
    }

    fn links(&self) -> Vec<Link> {
        self.link.clone().into_iter().collect()
    }
}

impl Tool<Telemetry> for Calls {
    const NAME: &'static str = "calls";
    const TITLE: &'static str = "Calls to models";
    const DESCRIPTION: &'static str = "Finds single calls to models: who made them, what was asked of which model, tokens, cost, times, how they ended. \
One call in full by its id.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;
    type Params = Params;
    type Output = Found;

    async fn call(
        state: Arc<Telemetry>,
        params: Params,
        ctx: CallContext,
    ) -> Result<Found, ToolError> {
        if let Some(id) = params.id {
            return one(&state, String::from(id), ctx.caller().role).await;
        }
        let period = state.period(params.period.as_deref())?;
        let words = period.words(state.now());
        let filter = params.only.filter(&period)?;
        let order = match params.order {
            First::Latest => Order::Latest,
            First::Dearest => Order::Dearest,
            First::Slowest => Order::Slowest,
        };
        let (cursor, limit) = (params.cursor.map(String::from), params.limit.get());
        let page = state
            .read(move |c| Ok(find_calls(c, &filter, order, cursor.as_deref(), limit)))
            .await?
            .map_err(no_page)?;
        let mut text = match page.calls.len() {
            0 => format!("{words}: no call fits"),
            count => format!("{words}: {count} calls"),
        };
        for call in &page.calls {
            text.push('\n');
            text.push_str(&line(call));
        }
        if let Some(next) = &page.next {
            text.push_str(&format!("\nmore: cursor {next}"));
        }
        Ok(Found {
            calls: page.calls.iter().map(brief).collect(),
            next: page.next,
            text,
            link: None,
        })
    }
}

async fn one(state: &Telemetry, id: String, role: Role) -> Result<Found, ToolError> {
    let uri = format!("telemetry://call/{id}");
    let mut call = whole(state, id, role).await?;
    let mut cut = false;
    if let Some(Value::Object(texts)) = call.get_mut("texts") {
        for text in texts.values_mut() {
            if let Value::String(whole) = text {
                cut |= whole.chars().count() > SHOWN;
                *text = Value::String(clip(whole, SHOWN).into_owned());
            }
        }
    }
    let lines = call.iter().map(|(field, value)| match value {
        Value::String(text) => format!("{field}: {text}"),
        other => format!("{field}: {other}"),
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let link = cut.then(|| Link {
        uri,
        name: "call".to_owned(),
        description: "This call with its whole texts".to_owned(),
        mime: "application/json",
    });
    Ok(Found {
        calls: vec![call],
        next: None,
        text,
        link,
    })
}

/// Everything about one call. Its texts, where they are kept, are for those who may work on the board.
pub(crate) async fn whole(
    state: &Telemetry,
    id: String,
    role: Role,
) -> Result<Map<String, Value>, ToolError> {
    let wanted = id.clone();
    let read = move |c: &mut dyn Conn| {
        let text = match role {
            Role::Viewer => None,
            Role::Developer | Role::Admin => llm_text(c, &wanted)?,
        };
        Ok::<_, StoreError>((llm_call(c, &wanted)?, text))
    };
    let (call, text) = state.read(read).await?;
    let call = call.ok_or_else(|| {
        ToolError::not_found(format!("no call {id}"))
            .hint("calls without id lists them; rows older than the retention are forgotten")
    })?;
    let mut all = full(&call);
    if let Some(text) = text {
        all.insert(
            "texts".to_owned(),
            json!({"request": text.request(), "answer": text.answer()}),
        );
    }
    Ok(all)
}

/// The fields that are known, in their order.
fn known<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// What a list shows of a call.
fn brief(call: &LlmCall) -> Map<String, Value> {
    known([
        ("id", json!(call.id)),
        ("at", json!(instant(call.at))),
        ("provider", json!(call.provider)),
        (
            "model",
            json!(call.model_answered.as_ref().unwrap_or(&call.model)),
        ),
        ("agent", json!(call.agent)),
        ("task", json!(call.task)),
        ("tool", json!(call.tool)),
        ("outcome", json!(call.outcome.as_str())),
        ("error", json!(call.error.map(|class| class.as_str()))),
        (
            "input_tokens",
            json!(call.usage.map(|usage| usage.tokens.input)),
        ),
        (
            "output_tokens",
            json!(call.usage.map(|usage| usage.tokens.output)),
        ),
        ("cost_usd", json!(call.cost.map(dollars))),
        ("total_ms", json!(call.total_us.map(ms))),
    ])
}

/// All that is stored of a call but texts, also for files.
pub(crate) fn full(call: &LlmCall) -> Map<String, Value> {
    let tokens = |usage: &Usage| {
        let Usage { tokens, counted } = usage;
        json!({
            "input": tokens.input, "cached": tokens.cached, "cache_write": tokens.cache_write,
            "cache_write_1h": tokens.cache_write_1h, "output": tokens.output, "reasoning": tokens.reasoning,
            "counted": match counted { Counted::Reported => "reported", Counted::Estimated => "estimated" },
        })
    };
    let decision = call.decision.as_ref().map(|text| {
        serde_json::from_str::<Value>(text).unwrap_or_else(|_| Value::String(text.clone()))
    });
    known([
        ("id", json!(call.id)),
        ("at", json!(instant(call.at))),
        ("outcome", json!(call.outcome.as_str())),
        ("error", json!(call.error.map(|class| class.as_str()))),
        ("error_code", json!(call.error_code)),
        ("advice", json!(call.error.map(|class| class.advice()))),
        ("status", json!(call.status)),
        ("finish", json!(call.finish)),
        ("provider", json!(call.provider)),
        ("model", json!(call.model)),
        ("model_answered", json!(call.model_answered)),
        ("account", json!(call.account)),
        ("route", json!(call.route)),
        ("decision", json!(decision)),
        ("attempt", json!(call.attempt)),
        ("hop", json!(call.hop)),
        ("streamed", json!(call.streamed)),
        ("server", json!(call.server)),
        ("tool", json!(call.tool)),
        ("agent", json!(call.agent)),
        ("task", json!(call.task)),
        ("project", json!(call.project)),
        ("trace", json!(call.trace)),
        ("parent", json!(call.parent)),
        ("tokens", json!(call.usage.as_ref().map(tokens))),
        ("mode", json!(mode(call))),
        ("cost_usd", json!(call.cost.map(dollars))),
        ("cost", json!(call.cost.is_none().then_some("unknown"))),
        ("price", json!(call.price)),
        ("queue_ms", json!(call.queue_us.map(ms))),
        ("first_byte_ms", json!(call.first_byte_us.map(ms))),
        ("total_ms", json!(call.total_us.map(ms))),
        ("bytes_in", json!(call.bytes_in)),
        ("bytes_out", json!(call.bytes_out)),
    ])
}

/// How it was made, where that was no ordinary way.
fn mode(call: &LlmCall) -> Option<String> {
    (!call.mode.is_standard()).then(|| call.mode.to_string())
}

fn line(call: &LlmCall) -> String {
    let mut line = format!(
        "{} {} {}/{}",
        &instant(call.at)[..19],
        call.id,
        name(&call.provider),
        name(call.model_answered.as_ref().unwrap_or(&call.model))
    );
    let tokens = call.usage.map_or_else(
        || "tokens unknown".to_owned(),
        |usage| format!("{} in {} out", usage.tokens.input, usage.tokens.output),
    );
    let cost = call
        .cost
        .map_or_else(|| "cost unknown".to_owned(), short_money);
    line.push_str(&format!(", {tokens}"));
    if let Some(mode) = mode(call) {
        line.push_str(&format!(", {mode}"));
    }
    line.push_str(&format!(", {cost}"));
    if let Some(total) = call.total_us {
        line.push_str(&format!(", {}", time(total)));
    }
    match call.error {
        Some(error) => line.push_str(&format!(", {}", error.as_str())),
        None => line.push_str(&format!(", {}", call.outcome.as_str())),
    }
    line
}
