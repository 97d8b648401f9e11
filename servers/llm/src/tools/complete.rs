//! `complete`.

use std::sync::Arc;

use callboard_mcp::{
    CallContext, Effect, Id, Line, Long, Question, Render, Role, Text, Tool, ToolError, Whole,
};
use callboard_routing::check::{Check, judge};
use callboard_routing::engine::{CallError, Hop, Settings, Target, Wanted};
use callboard_telemetry::{Counted, MicroDollars, Usage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::answers::{PAGE, Page};
use crate::asking::{Class, Dollars, PROMPT, Said, Wish};
use crate::pieces::{Got, streamed, whole};
use crate::views::{Open, dollars, left, money, took};
use crate::{Llm, errors, waiting};

/// Asks a model.
pub struct Complete;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    prompt: Option<Text<PROMPT>>,
    /// A conversation, oldest first; prompt comes after it.
    #[serde(default)]
    messages: Vec<Said>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    system: Option<Text<PROMPT>>,
    /// provider/model; or a route. Default: the default route.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    model: Option<Line<200>>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    route: Option<Line<120>>,
    /// How hard it is.
    #[serde(default)]
    class: Option<Class>,
    /// Whose work it is, where class is left out: a role that routes know.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    role: Option<Line<120>>,
    /// Answer in JSON.
    #[serde(default)]
    json: bool,
    /// Answer in JSON of this JSON Schema.
    #[serde(default)]
    #[schemars(with = "Option<Open>")]
    schema: Option<Map<String, Value>>,
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    max_tokens: Option<Whole<1, 10_000_000>>,
    /// What it may cost at most; models without a known price are left out then.
    #[serde(default)]
    max_cost_usd: Option<Dollars>,
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    deadline_s: Option<Whole<1, 3_600>>,
    /// The prompt stays on this machine.
    #[serde(default)]
    local_only: bool,
    /// An answer that is empty, refused, cut off or not of the schema is asked for again of the next candidate. Default: as the route says.
    #[serde(default)]
    escalate: Option<bool>,
    /// The task that it is for: its budget counts.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    task: Option<Id>,
}

/// The answer, and what it took.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Completed {
    text: String,
    /// Who answered.
    model: String,
    route: String,
    call: String,
    finish: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Open>")]
    usage: Option<Used>,
    /// In dollars, or unknown.
    cost: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_usd: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    price_version: Option<String>,
    ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    first_ms: Option<u64>,
    /// Who was asked before, and why that did not do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Open>")]
    hops: Vec<Tried>,
    /// Why it will not do, where nobody gave a better one.
    #[serde(skip_serializing_if = "Option::is_none")]
    unmet: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    warnings: Vec<String>,
    /// Where the rest begins: answer_rest with call and from.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u32>,
}

/// Tokens.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Used {
    input: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cached: u64,
    output: u64,
    #[serde(skip_serializing_if = "is_zero")]
    reasoning: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    estimated: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl From<Usage> for Used {
    fn from(usage: Usage) -> Used {
        let tokens = usage.tokens;
        Used {
            input: tokens.input,
            cached: tokens.cached,
            output: tokens.output,
            reasoning: tokens.reasoning,
            estimated: usage.counted == Counted::Estimated,
        }
    }
}

impl Used {
    pub(super) fn words(self) -> String {
        let about = if self.estimated { "about " } else { "" };
        format!("{about}{} tokens in, {} out", self.input, self.output)
    }
}

/// An attempt that did not do.
#[derive(Debug, Serialize)]
struct Tried {
    model: String,
    why: String,
    call: String,
}

impl From<&Hop> for Tried {
    fn from(hop: &Hop) -> Tried {
        Tried {
            model: hop.target.to_string(),
            why: match &hop.unmet {
                Some(unmet) => unmet.to_string(),
                None => hop.kind.to_string(),
            },
            call: hop.call.clone(),
        }
    }
}

impl Render for Completed {
    fn text(&self) -> String {
        let mut out = self.text.clone();
        if let Some(from) = self.from {
            out.push_str(&format!(
                "\n[… the rest: answer_rest with call {} and from {from}]",
                self.call
            ));
        }
        let used = self
            .usage
            .map_or_else(|| "tokens unknown".to_owned(), Used::words);
        out.push_str(&format!(
            "\n\n[{} by route {}: {used}, cost {}, {}; {}; call {}]",
            self.model,
            self.route,
            self.cost,
            took(self.ms),
            self.finish,
            self.call
        ));
        for hop in &self.hops {
            out.push_str(&format!("\n[before: {} {}]", hop.model, hop.why));
        }
        if let Some(unmet) = &self.unmet {
            out.push_str(&format!("\n[{unmet}]"));
        }
        for warning in &self.warnings {
            out.push_str(&format!("\n[nearly used up: {warning}]"));
        }
        out
    }
}

impl Tool<Llm> for Complete {
    const NAME: &'static str = "complete";
    const TITLE: &'static str = "Ask a model";
    const DESCRIPTION: &'static str = "Asks a model, or whoever a route chooses, and answers with its text, tokens, cost and time. The text also comes as progress. \
A call of more than 45 s needs a client that follows MCP tasks.";
    const EFFECT: Effect = Effect::Write {
        destructive: false,
        idempotent: false,
    };
    const ROLE: Role = Role::Developer;
    const OPEN_WORLD: bool = true;
    const LONG: Long = Long::Offered;
    type Params = Params;
    type Output = Completed;

    async fn call(llm: Arc<Llm>, params: Params, ctx: CallContext) -> Result<Completed, ToolError> {
        let escalate = params.escalate;
        let wish = Wish {
            prompt: params.prompt.map(String::from),
            messages: params.messages,
            system: params.system.map(String::from),
            model: params.model.map(String::from),
            route: params.route.map(String::from),
            class: params.class,
            role: params.role.map(String::from),
            json: params.json,
            schema: params.schema,
            max_tokens: params.max_tokens.map(Whole::get),
            max_cost: params.max_cost_usd,
            deadline_s: params.deadline_s.map(Whole::get),
            local_only: params.local_only,
            escalate,
            task: params.task.map(String::from),
        };
        let mut ask = wish.ask(&llm, &ctx, Self::NAME)?;
        let settings = llm.router().settings();
        let looked_at = escalate.unwrap_or_else(|| escalates(&settings, &ask.target));
        let began = Instant::now();
        let got = loop {
            let (chat, work) = (ask.chat.clone(), ask.clone());
            let answering = async {
                match looked_at {
                    true => whole(llm.router(), work).await,
                    false => streamed(llm.router(), work, &ctx).await,
                }
            };
            match Box::pin(waiting::done(&ctx, began, answering)).await? {
                Ok(mut got) => {
                    if got.unmet.is_none() {
                        got.unmet = unmet(&chat, &got);
                    }
                    break got;
                }
                Err(CallError::Confirm { target, cost }) if !ask.confirmed => {
                    agreed(&ctx, &target, cost).await?;
                    ask.confirmed = true;
                }
                Err(error) => return Err(errors::call(error)),
            }
        };
        llm.write_down(got.call.clone(), &got.target, got.cost)
            .await;
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(completed(&llm, &ctx, got, ms))
    }
}

/// Whether the route looks at answers before they count; such an answer can't be streamed.
fn escalates(settings: &Settings, wanted: &Wanted) -> bool {
    let only = || {
        settings
            .routes
            .keys()
            .next()
            .filter(|_| settings.routes.len() == 1)
    };
    let name = match wanted {
        Wanted::Route(name) => Some(name),
        Wanted::Default => settings.default_route.as_ref().or_else(only),
        Wanted::Model { .. } => None,
    };
    let route = name.and_then(|name| settings.routes.get(name));
    route.is_some_and(|route| route.escalate.is_some())
}

/// What is wrong with an answer of which a form was asked.
fn unmet(chat: &callboard_routing::chat::Chat, got: &Got) -> Option<String> {
    if chat.output == callboard_routing::chat::Output::Text {
        return None;
    }
    let check = Check::of(chat).ok()?;
    judge(&got.reply, &check)
        .err()
        .map(|unmet| unmet.to_string())
}

/// Goes on only if the user agrees.
pub(super) async fn agreed(
    ctx: &CallContext,
    target: &Target,
    cost: Option<MicroDollars>,
) -> Result<(), ToolError> {
    let most = match cost {
        Some(cost) => format!("it may cost {cost} at most"),
        None => "what it costs is not known".to_owned(),
    };
    let question = Question::confirm(format!(
        "Send this to {target}? {most}. If it fails, others of the route that need your word are asked too."
    ));
    let reply = ctx.ask(&format!("confirm:{target}"), question).await?;
    if reply.is_yes() {
        return Ok(());
    }
    Err(
        ToolError::conflict(format!("the user did not agree to a call to {target}"))
            .hint("name another model or route; nothing was sent"),
    )
}

fn completed(llm: &Llm, ctx: &CallContext, got: Got, ms: u64) -> Completed {
    let text = said(&got.reply);
    let Page { text, next } = llm.answers().first(ctx.caller(), &got.call, &text, PAGE);
    Completed {
        text,
        model: got.target.to_string(),
        route: got.route,
        finish: got.reply.finish.as_str().to_owned(),
        usage: got.usage.map(Used::from),
        cost: money(got.cost),
        cost_usd: got.cost.map(dollars),
        price_version: got.price_version,
        ms,
        first_ms: got.first_ms,
        hops: got.hops.iter().map(Tried::from).collect(),
        unmet: got.unmet,
        warnings: got.warnings.iter().map(left).collect(),
        from: next,
        call: got.call,
    }
}

/// Its words; a refusal in a field of its own is words too.
pub(super) fn said(reply: &callboard_routing::chat::Reply) -> String {
    use callboard_routing::chat::Part;
    let words = reply.parts.iter().filter_map(|part| match part {
        Part::Text { text, .. } | Part::Refusal { text } => Some(text.as_str()),
        _ => None,
    });
    words.collect()
}
