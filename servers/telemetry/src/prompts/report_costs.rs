//! `report_costs`: what was spent, for people.

use std::sync::Arc;

use callboard_mcp::{
    CallContext, Message, Prompt, PromptArgument, PromptArguments, Render as _, ToolError,
};

use crate::Telemetry;
use crate::key::Key;
use crate::only::Only;
use crate::tools::costs::costed;

/// Asks for a report on costs as they are now.
pub struct ReportCosts;

impl Prompt<Telemetry> for ReportCosts {
    const NAME: &'static str = "report_costs";
    const TITLE: &'static str = "Report costs";
    const DESCRIPTION: &'static str = "A short report on what calls to models cost: how much, for what, what is odd, what would save.";
    const ARGUMENTS: &'static [PromptArgument] = &[PromptArgument {
        name: "period",
        description: "today, 7d, month, 2026-11, … (7d unless said)",
        required: false,
    }];

    async fn messages(
        state: Arc<Telemetry>,
        arguments: PromptArguments,
        _: CallContext,
    ) -> Result<Vec<Message>, ToolError> {
        let period = state.period(arguments.get("period"))?;
        let words = period.words(state.now());
        let mut parts = Vec::new();
        for by in [Key::Model, Key::Day, Key::Agent] {
            let filter = Only::default().filter(&period)?;
            let answer = costed(&state, filter, vec![by], words.clone(), 15).await?;
            parts.push(answer.text());
        }
        Ok(vec![Message::user(format!(
            "Report on the costs below in at most twelve lines: how much was spent and on what, which days or agents stand out, \
             and what would save most. Use `performance`, `errors`, `savings` and `calls` of the telemetry server where a reason \
             needs more detail. A cost that is not known is not 0: say how many calls that concerns. Say only what the figures \
             say.\n\n{}",
            parts.join("\n\n")
        ))])
    }
}
