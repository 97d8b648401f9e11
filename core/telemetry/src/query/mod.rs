//! What the calls to models add up to.
//!
//! For: costs by whatever they were spent on, the calls themselves, how fast they were, and what went wrong;
//! each over the calls that a [`LlmFilter`] lets through. An unknown cost is counted beside the sum and is
//! never a zero within it. Not for: budgets (the board's file is exact about those), charts, or files.
//!
//! Days and hours are those of UTC. The model is the one that answered, or the one that was asked where the
//! answer did not say; as a key it is `provider/model`, because two providers may have one of the same name. Percentiles are exact (nearest rank) over the latest 200,000 calls that fit; an
//! answer says when there were more.

mod calls;
mod costs;
mod failures;
mod recent;
mod served;
mod speed;
mod time;

use callboard_store::Value;

use crate::errors::ErrorClass;
use crate::llm::{LlmCall, LlmOutcome};

pub use calls::{CallPage, CursorError, Order, each_call, find_calls};
pub use costs::{CostRow, Costs, Totals, costs, totals};
pub use failures::{DayFailures, FailureClass, Failures, failures};
pub use recent::{Recent, recent};
pub use served::{Served, served};
pub use speed::{Percentiles, Speed, SpeedRow, speed};

/// Which calls to look at. What is `None` lets everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LlmFilter {
    /// Not before this time, milliseconds since 1970 UTC.
    pub since: Option<i64>,
    /// Before this time.
    pub until: Option<i64>,
    /// This provider.
    pub provider: Option<String>,
    /// This model, by the name that answered or, where unknown, that was asked; or as `provider/model`.
    pub model: Option<String>,
    /// This account at the provider.
    pub account: Option<String>,
    /// This agent.
    pub agent: Option<String>,
    /// This task.
    pub task: Option<String>,
    /// This project.
    pub project: Option<String>,
    /// This server.
    pub server: Option<String>,
    /// This tool.
    pub tool: Option<String>,
    /// This route.
    pub route: Option<String>,
    /// This trace.
    pub trace: Option<String>,
    /// Ended like this.
    pub outcome: Option<LlmOutcome>,
    /// Ended in this kind of error.
    pub error: Option<ErrorClass>,
}

/// What to add up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The model that answered, as `provider/model`.
    Model,
    /// The provider.
    Provider,
    /// The account at the provider.
    Account,
    /// The agent.
    Agent,
    /// The task.
    Task,
    /// The project.
    Project,
    /// The server.
    Server,
    /// The tool.
    Tool,
    /// The route.
    Route,
    /// The day, in UTC.
    Day,
    /// The hour, in UTC.
    Hour,
}

impl By {
    fn sql(self) -> &'static str {
        match self {
            By::Model => PROVIDER_MODEL,
            By::Provider => "provider",
            By::Account => "account",
            By::Agent => "agent",
            By::Task => "task",
            By::Project => "project",
            By::Server => "server",
            By::Tool => "tool",
            By::Route => "route",
            By::Day => "CAST(at / 86400000 AS TEXT)",
            By::Hour => "CAST(at / 3600000 AS TEXT)",
        }
    }

    /// The key as people read it.
    fn key(self, key: Option<String>) -> Option<String> {
        let number = || key.as_deref().and_then(|key| key.parse().ok());
        match self {
            By::Day => number().map(time::day),
            By::Hour => number().map(time::hour),
            _ => key,
        }
    }

    /// The key of one call, as it stands in a table of sums.
    #[must_use]
    pub fn of(self, call: &LlmCall) -> Option<String> {
        match self {
            By::Model => {
                let model = call.model_answered.as_ref().unwrap_or(&call.model);
                Some(format!("{}/{model}", call.provider))
            }
            By::Provider => Some(call.provider.clone()),
            By::Account => call.account.clone(),
            By::Agent => call.agent.clone(),
            By::Task => call.task.clone(),
            By::Project => call.project.clone(),
            By::Server => call.server.clone(),
            By::Tool => call.tool.clone(),
            By::Route => call.route.clone(),
            By::Day => Some(time::day(call.at / 86_400_000)),
            By::Hour => Some(time::hour(call.at / 3_600_000)),
        }
    }

    /// Whether the keys are times.
    #[must_use]
    pub fn is_time(self) -> bool {
        matches!(self, By::Day | By::Hour)
    }
}

const MODEL: &str = "COALESCE(model_answered, model)";
const PROVIDER_MODEL: &str = "provider || '/' || COALESCE(model_answered, model)";

/// A WHERE clause and its values.
struct Where<'f> {
    sql: String,
    values: Vec<Value<'f>>,
}

impl<'f> Where<'f> {
    fn of(filter: &'f LlmFilter) -> Self {
        let mut clause = Self {
            sql: "WHERE 1".to_owned(),
            values: Vec::new(),
        };
        let mut fits = |expression: &str, value: Option<Value<'f>>| {
            if let Some(value) = value {
                clause.and(expression, value);
            }
        };
        let text = |value: &'f Option<String>| value.as_deref().map(Value::from);
        fits("at >= ", filter.since.map(Value::from));
        fits("at < ", filter.until.map(Value::from));
        fits("provider = ", text(&filter.provider));
        fits("account = ", text(&filter.account));
        fits("agent = ", text(&filter.agent));
        fits("task = ", text(&filter.task));
        fits("project = ", text(&filter.project));
        fits("server = ", text(&filter.server));
        fits("tool = ", text(&filter.tool));
        fits("route = ", text(&filter.route));
        fits("trace = ", text(&filter.trace));
        fits(
            "outcome = ",
            filter.outcome.map(|outcome| outcome.as_str().into()),
        );
        fits("error = ", filter.error.map(|class| class.as_str().into()));
        if let Some(model) = &filter.model {
            let place = clause.bind(model.as_str());
            let either = format!(" AND {place} IN ({MODEL}, {PROVIDER_MODEL})");
            clause.sql.push_str(&either);
        }
        clause
    }

    /// The place of a value that is bound last.
    fn bind(&mut self, value: impl Into<Value<'f>>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    fn and(&mut self, expression: &str, value: Value<'f>) {
        let place = self.bind(value);
        self.sql.push_str(&format!(" AND {expression}{place}"));
    }
}

#[cfg(test)]
mod tests;
