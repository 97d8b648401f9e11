//! Which calls a tool is asked about.
//! For: the words that narrow an answer, as every tool takes them. Not for: SQL.

use callboard_mcp::{Line, ToolError};
use callboard_telemetry::errors::ErrorClass;
use callboard_telemetry::llm::LlmOutcome;
use callboard_telemetry::query::LlmFilter;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::period::Period;

type Name = Option<Line<200>>;

/// Only calls with all of these.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Only {
    #[schemars(with = "Option<String>")]
    provider: Name,
    #[schemars(with = "Option<String>")]
    model: Name,
    #[schemars(with = "Option<String>")]
    agent: Name,
    #[schemars(with = "Option<String>")]
    task: Name,
    #[schemars(with = "Option<String>")]
    project: Name,
    #[schemars(with = "Option<String>")]
    tool: Name,
    #[schemars(with = "Option<String>")]
    server: Name,
    #[schemars(with = "Option<String>")]
    route: Name,
    #[schemars(with = "Option<String>")]
    account: Name,
    #[schemars(with = "Option<String>")]
    trace: Name,
    outcome: Option<Ended>,
    #[schemars(with = "Option<String>")]
    error: Name,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Ended {
    Ok,
    Error,
    Cancelled,
    Lost,
}

impl Only {
    /// The filter, or what is wrong with it.
    pub(crate) fn filter(self, period: &Period) -> Result<LlmFilter, ToolError> {
        let error = self.error.map(|word| class(&word)).transpose()?;
        Ok(LlmFilter {
            since: period.since,
            until: period.until,
            provider: self.provider.map(String::from),
            model: self.model.map(String::from),
            account: self.account.map(String::from),
            agent: self.agent.map(String::from),
            task: self.task.map(String::from),
            project: self.project.map(String::from),
            server: self.server.map(String::from),
            tool: self.tool.map(String::from),
            route: self.route.map(String::from),
            trace: self.trace.map(String::from),
            outcome: self.outcome.map(|ended| match ended {
                Ended::Ok => LlmOutcome::Ok,
                Ended::Error => LlmOutcome::Error,
                Ended::Cancelled => LlmOutcome::Cancelled,
                Ended::Lost => LlmOutcome::Lost,
            }),
            error,
        })
    }
}

fn class(word: &str) -> Result<ErrorClass, ToolError> {
    let mut classes = ErrorClass::ALL.into_iter();
    classes.find(|class| class.as_str() == word).ok_or_else(|| {
        let all: Vec<&str> = ErrorClass::ALL.iter().map(|class| class.as_str()).collect();
        ToolError::invalid(format!(
            "only.error: {:?} is no kind of error",
            callboard_mcp::clip(word, 60)
        ))
        .hint(format!("the kinds are: {}", all.join(", ")))
    })
}
