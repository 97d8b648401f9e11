//! Whether an answer will do, as far as that can be told without knowing better.
//!
//! For: what is wrong with an answer beyond doubt, so that a cheap model is asked first and a dearer one only when it
//! has to be. Not for: judging how good an answer is, or asking anybody; tests that a task has to pass are run by whoever
//! works on it.

mod refusal;
mod schema;
mod score;
#[cfg(test)]
mod tests;

pub use schema::{BadSchema, Schema};
pub use score::{question, read_score};

use crate::chat::{Chat, Finish, Output, Part, Reply, ToolSpec};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an answer has to be. The default is content with anything.
#[derive(Debug, Clone, Default)]
pub struct Check {
    /// Its form.
    pub form: Form,
    /// It has to say something: words, a picture or a tool call.
    pub content: bool,
    /// It must not decline.
    pub refusal: bool,
    /// It must not have ended at the most tokens.
    pub truncation: bool,
    /// It may only call these tools, with arguments that fit; `None`: calls are not looked at.
    pub tools: Option<Vec<ToolSpec>>,
    /// The least score, 0 to 100, that the model has to give its own answer when asked [`question`]; `None`: it is not
    /// asked.
    pub least_score: Option<u8>,
}

/// The form of an answer's words. An answer that calls tools instead is not held to it.
#[derive(Debug, Clone, Default)]
pub enum Form {
    /// Any.
    #[default]
    Any,
    /// One JSON value.
    Json,
    /// One JSON value that fits.
    Schema(Schema),
}

impl Check {
    /// All that can be told from the request itself. Whoever sets a length gets that length: only an answer that
    /// nobody limited counts as cut off.
    ///
    /// # Errors
    /// A JSON Schema in it that can't be used.
    pub fn of(chat: &Chat) -> Result<Check, BadSchema> {
        let form = match &chat.output {
            Output::Text => Form::Any,
            Output::Json => Form::Json,
            Output::Schema { schema, .. } => Form::Schema(Schema::new(schema)?),
        };
        Ok(Check {
            form,
            content: true,
            refusal: true,
            truncation: chat.max_output.is_none(),
            tools: Some(chat.tools.clone()),
            least_score: None,
        })
    }

    /// Whether the score that the model gave its answer is enough. No score is none: who is to vouch for an answer and
    /// does not has not vouched for it.
    ///
    /// # Errors
    /// A score that is too low, or that nobody can read.
    pub fn weigh(&self, score: Option<u8>) -> Result<(), Unmet> {
        match (self.least_score, score) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(Unmet::NoScore),
            (Some(least), Some(score)) if score < least => Err(Unmet::LowScore { score, least }),
            _ => Ok(()),
        }
    }
}

/// Why an answer will not do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "unmet", rename_all = "snake_case")]
pub enum Unmet {
    /// There is nothing in it.
    #[error("the answer is empty")]
    Empty,
    /// It declines.
    #[error("the answer is a refusal: {why}")]
    Refused {
        /// In its words, the beginning of them.
        why: String,
    },
    /// It was cut off.
    #[error("the answer was cut off at the most tokens")]
    Truncated,
    /// It should be JSON.
    #[error("the answer is not JSON: {why}")]
    NotJson {
        /// What is in the way.
        why: String,
    },
    /// It is JSON, but not the JSON that was asked for.
    #[error("the answer does not fit the schema at {at}: {why}")]
    Schema {
        /// A JSON pointer into the answer; `/` is all of it.
        at: String,
        /// What is wrong there.
        why: String,
    },
    /// It calls a tool that it can't call so.
    #[error("the call of the tool {tool} can't be made: {why}")]
    ToolCall {
        /// Which.
        tool: String,
        /// What is wrong with it.
        why: String,
    },
    /// The model itself does not think much of it.
    #[error("the model gave its own answer {score} of 100, {least} are wanted")]
    LowScore {
        /// What it gave.
        score: u8,
        /// What is wanted.
        least: u8,
    },
    /// The model was asked for a score and gave none.
    #[error("the model gave its own answer no score that can be read")]
    NoScore,
}

impl Unmet {
    /// The word in rows.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Unmet::Empty => "empty",
            Unmet::Refused { .. } => "refused",
            Unmet::Truncated => "truncated",
            Unmet::NotJson { .. } => "not_json",
            Unmet::Schema { .. } => "schema",
            Unmet::ToolCall { .. } => "tool_call",
            Unmet::LowScore { .. } => "low_score",
            Unmet::NoScore => "no_score",
        }
    }
}

/// Whether the answer will do; the score is weighed apart, as somebody has to ask for it.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn judge(reply: &Reply, check: &Check) -> Result<(), Unmet> {
    // Before the length: a filter that cuts an answer short says both.
    if check.refusal
        && let Some(why) = refusal::of(reply, &check.form)
    {
        return Err(Unmet::Refused { why });
    }
    if check.truncation && reply.finish == Finish::Length {
        return Err(Unmet::Truncated);
    }
    if check.content && !says_something(reply) {
        return Err(Unmet::Empty);
    }
    if let Some(tools) = &check.tools {
        for part in &reply.parts {
            if let Part::ToolCall {
                name, arguments, ..
            } = part
            {
                judge_call(name, arguments, tools)?;
            }
        }
    }
    if calls_tools(reply) {
        return Ok(());
    }
    judge_form(&reply.text(), &check.form)
}

fn says_something(reply: &Reply) -> bool {
    reply.parts.iter().any(|part| match part {
        Part::Text { text, .. } | Part::Refusal { text } => !text.trim().is_empty(),
        Part::Thinking { .. } => false,
        Part::Image(_) | Part::ToolCall { .. } | Part::ToolResult { .. } => true,
    })
}

fn calls_tools(reply: &Reply) -> bool {
    let is_call = |part: &Part| matches!(part, Part::ToolCall { .. });
    reply.parts.iter().any(is_call)
}

fn judge_form(text: &str, form: &Form) -> Result<(), Unmet> {
    let schema = match form {
        Form::Any => return Ok(()),
        Form::Json => None,
        Form::Schema(schema) => Some(schema),
    };
    let value: Value = serde_json::from_str(text).map_err(|error| Unmet::NotJson {
        why: if text.trim_start().starts_with("```") {
            "it stands in a Markdown fence".to_owned()
        } else {
            error.to_string()
        },
    })?;
    schema.map_or(Ok(()), |schema| schema.judge(&value))
}

fn judge_call(name: &str, arguments: &str, tools: &[ToolSpec]) -> Result<(), Unmet> {
    let unmet = |why: String| Unmet::ToolCall {
        tool: name.to_owned(),
        why,
    };
    let Some(tool) = tools.iter().find(|tool| tool.name == name) else {
        return Err(unmet("there is no such tool".to_owned()));
    };
    // Models leave out the arguments of a tool that takes none.
    let arguments = match arguments.trim() {
        "" => "{}",
        some => some,
    };
    let value: Value = serde_json::from_str(arguments)
        .map_err(|error| unmet(format!("its arguments are not JSON: {error}")))?;
    if !value.is_object() {
        return Err(unmet("its arguments are no JSON object".to_owned()));
    }
    // A tool whose schema can't be used is no fault of the model's.
    let Ok(schema) = Schema::new(&tool.parameters) else {
        return Ok(());
    };
    match schema.judge(&value) {
        Err(Unmet::Schema { at, why }) => Err(unmet(format!("at {at}: {why}"))),
        other => other,
    }
}
