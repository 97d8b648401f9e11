//! What a caller wants of a model, as its tools take it.
//! For: checked words turned into a question to the router. Not for: asking it.

use callboard_mcp::{CallContext, Text, ToolError};
use callboard_routing::chat::{Chat, Message, Output, Part};
use callboard_routing::check::Check;
use callboard_routing::engine::{Ask, Terms, Wanted, Who};
use callboard_routing::route::{Privacy, TaskClass};
use callboard_telemetry::MicroDollars;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

use crate::Llm;

/// Characters of a prompt.
pub(crate) const PROMPT: usize = 1_000_000;
/// Messages of a conversation.
const MOST_MESSAGES: usize = 500;

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Class {
    Simple,
    Standard,
    Complex,
}

impl From<Class> for TaskClass {
    fn from(class: Class) -> TaskClass {
        match class {
            Class::Simple => TaskClass::Simple,
            Class::Standard => TaskClass::Standard,
            Class::Complex => TaskClass::Complex,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Speaker {
    User,
    Assistant,
}

/// One turn of a conversation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    role: Speaker,
    #[schemars(with = "String")]
    text: Text<PROMPT>,
}

/// An amount of money that a caller writes in dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dollars(pub MicroDollars);

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let dollars = f64::deserialize(from)?;
        if !(0.0..=1e9).contains(&dollars) {
            return Err(de::Error::custom(
                "is an amount in US dollars, from 0 on, like 0.05",
            ));
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "at most 1e15, which a double holds exactly"
        )]
        let micro = (dollars * 1e6).round() as i64;
        Ok(Dollars(MicroDollars(micro)))
    }
}

impl JsonSchema for Dollars {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Dollars".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "number", "minimum": 0})
    }
}

/// Everything that can be wanted.
#[derive(Debug, Default)]
pub(crate) struct Wish {
    pub prompt: Option<String>,
    pub messages: Vec<Said>,
    pub system: Option<String>,
    pub model: Option<String>,
    pub route: Option<String>,
    pub class: Option<Class>,
    pub role: Option<String>,
    pub json: bool,
    pub schema: Option<Map<String, Value>>,
    pub max_tokens: Option<u32>,
    pub max_cost: Option<Dollars>,
    pub deadline_s: Option<u32>,
    pub local_only: bool,
    pub escalate: Option<bool>,
    pub task: Option<String>,
}

impl Wish {
    /// The question, and for whom it is.
    pub(crate) fn ask(
        self,
        llm: &Llm,
        ctx: &CallContext,
        tool: &'static str,
    ) -> Result<Ask, ToolError> {
        let target = match (&self.model, &self.route) {
            (Some(_), Some(_)) => {
                return Err(
                    ToolError::invalid("model and route: one of them decides who answers")
                        .hint("leave one of them out"),
                );
            }
            (Some(model), None) => llm.named(model)?,
            (None, Some(route)) => Wanted::Route(route.clone()),
            (None, None) => Wanted::Default,
        };
        let terms = Terms {
            class: self.class.map(TaskClass::from),
            privacy: match self.local_only {
                true => Privacy::LocalOnly,
                false => Privacy::Any,
            },
            max_cost: self.max_cost.map(|cost| cost.0),
            within_ms: self.deadline_s.map(|seconds| u64::from(seconds) * 1_000),
            ..Terms::default()
        };
        let caller = ctx.caller();
        let who = Who {
            task: self.task.clone(),
            agent: caller.agent.clone(),
            role: self.role.clone(),
            server: Some("llm".to_owned()),
            tool: Some(tool.to_owned()),
            trace: ctx.trace().map(str::to_owned),
            client: Some(caller.name.clone()),
            ..Who::default()
        };
        let escalate = self.escalate == Some(true);
        let chat = self.chat()?;
        let check = match escalate {
            true => Some(Check::of(&chat).map_err(|error| {
                ToolError::invalid(format!("schema: {error}"))
                    .hint("write a JSON Schema that can be checked")
            })?),
            false => None,
        };
        Ok(Ask {
            chat,
            target,
            terms,
            who,
            check,
            ..Ask::default()
        })
    }

    fn chat(self) -> Result<Chat, ToolError> {
        let mut messages: Vec<Message> = self.messages.iter().map(message).collect();
        if messages.len() > MOST_MESSAGES {
            return Err(ToolError::invalid(format!(
                "messages: {} of them; at most {MOST_MESSAGES} are taken",
                messages.len()
            ))
            .hint("sum up what was said first"));
        }
        messages.extend(self.prompt.as_deref().map(Message::user));
        let says_something = |message: &Message| {
            let mut parts = message.parts.iter();
            parts.any(|part| matches!(part, Part::Text { text, .. } if !text.trim().is_empty()))
        };
        if !messages.iter().any(says_something) {
            return Err(ToolError::invalid("prompt: nothing is asked")
                .hint("write a prompt, or messages that end with the user's"));
        }
        Ok(Chat {
            system: self.system.into_iter().collect(),
            messages,
            output: match (self.schema, self.json) {
                (Some(schema), _) => Output::Schema {
                    name: "answer".to_owned(),
                    schema: Value::Object(schema),
                },
                (None, true) => Output::Json,
                (None, false) => Output::Text,
            },
            max_output: self.max_tokens.map(u64::from),
            ..Chat::default()
        })
    }
}

fn message(said: &Said) -> Message {
    match said.role {
        Speaker::User => Message::user(&said.text),
        Speaker::Assistant => Message::assistant(vec![Part::text(&said.text)]),
    }
}
