//! A call that nobody was asked for.
//! For: its row in the log, so that what was refused can be found like what was answered. Not for: why it was (`run`).
//!
//! No reservation stands behind it, so it goes to the log's bounded queue and to nothing else: what does not fit there is
//! counted and left out. How many there may be is a matter of the callers' rate and of how long rows are kept.

use callboard_telemetry::MicroDollars;
use callboard_telemetry::llm::{LlmCall, LlmOutcome};
use serde_json::Value;

use super::detail::class_of;
use super::explain::Explained;
use super::{CallError, Who};

/// What stands in the place of a provider. The row is about none: it must not count against one.
const NOBODY: &str = "none";

/// What is known of it.
pub(super) struct Refused<'r> {
    pub(super) id: String,
    pub(super) at: i64,
    pub(super) who: &'r Who,
    pub(super) explained: &'r Explained,
    pub(super) decision: Value,
    pub(super) streamed: bool,
    /// The version of the prices by which it cost nothing.
    pub(super) prices: &'r str,
}

impl Refused<'_> {
    pub(super) fn row(self, error: &CallError) -> LlmCall {
        let who = self.who.clone();
        LlmCall {
            id: self.id,
            at: self.at,
            trace: who.trace,
            parent: who.parent,
            server: who.server,
            tool: who.tool,
            agent: who.agent,
            task: who.task,
            project: who.project,
            route: Some(self.explained.route.clone()),
            provider: NOBODY.to_owned(),
            model: self.explained.route.clone(),
            decision: Some(self.decision.to_string()),
            cost: Some(MicroDollars::ZERO),
            price: Some(self.prices.to_owned()),
            outcome: LlmOutcome::Error,
            error: class_of(&error.clone().into_failure()),
            attempt: 0,
            streamed: self.streamed,
            ..LlmCall::default()
        }
    }
}
