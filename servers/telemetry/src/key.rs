//! What answers are added up by.

use callboard_mcp::ToolError;
use callboard_telemetry::query::By;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a sum is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Key {
    Model,
    Provider,
    Agent,
    Task,
    Project,
    Tool,
    Server,
    Route,
    Account,
    Day,
    Hour,
}

impl Key {
    pub(crate) fn by(self) -> By {
        match self {
            Key::Model => By::Model,
            Key::Provider => By::Provider,
            Key::Agent => By::Agent,
            Key::Task => By::Task,
            Key::Project => By::Project,
            Key::Tool => By::Tool,
            Key::Server => By::Server,
            Key::Route => By::Route,
            Key::Account => By::Account,
            Key::Day => By::Day,
            Key::Hour => By::Hour,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Key::Model => "model",
            Key::Provider => "provider",
            Key::Agent => "agent",
            Key::Task => "task",
            Key::Project => "project",
            Key::Tool => "tool",
            Key::Server => "server",
            Key::Route => "route",
            Key::Account => "account",
            Key::Day => "day",
            Key::Hour => "hour",
        }
    }
}

/// Keys, each once and at most three.
pub(crate) fn keys(given: &[Key]) -> Result<Vec<Key>, ToolError> {
    let mut keys: Vec<Key> = Vec::new();
    for key in given {
        if !keys.contains(key) {
            keys.push(*key);
        }
    }
    if keys.len() > 3 {
        return Err(ToolError::invalid(format!("by: got {} keys; at most 3 are taken", keys.len()))
            .hint("name up to three, for example [\"day\", \"model\"]; the filter `only` narrows the rest"));
    }
    Ok(keys)
}

pub(crate) fn words(keys: &[Key]) -> String {
    let words: Vec<&str> = keys.iter().map(|key| key.as_str()).collect();
    words.join(" and ")
}
