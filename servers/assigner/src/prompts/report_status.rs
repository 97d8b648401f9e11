//! `report_status`: how things stand, for people.

use crate::Assigner;
use crate::resources::board::overview;
use callboard_mcp::{CallContext, Message, Prompt, PromptArgument, PromptArguments, ToolError};
use std::sync::Arc;

/// Asks for a report on the board as it is now.
pub struct ReportStatus;

impl Prompt<Assigner> for ReportStatus {
    const NAME: &'static str = "report_status";
    const TITLE: &'static str = "Report status";
    const DESCRIPTION: &'static str =
        "A short report on the board: what is done, what runs, what is stuck and why.";
    const ARGUMENTS: &'static [PromptArgument] = &[
        PromptArgument {
            name: "queue",
            description: "Only this queue.",
            required: false,
        },
        PromptArgument {
            name: "audience",
            description: "For whom it is, for example `the team` or `a customer`.",
            required: false,
        },
    ];

    async fn messages(
        board: Arc<Assigner>,
        arguments: PromptArguments,
        _: CallContext,
    ) -> Result<Vec<Message>, ToolError> {
        let queue = arguments.get("queue").map(str::to_owned);
        let audience = arguments
            .get("audience")
            .unwrap_or("the people who posted the work")
            .to_owned();
        let stand = board
            .read(move |c, now| overview(c, now, queue.as_deref()))
            .await?;
        Ok(vec![Message::user(format!(
            "Report on the work below to {audience}, in at most twelve lines. Say what is done, what is being worked on, \
             what is stuck and why, and what a person has to decide, with the tasks' ids. Use `task_get` where a reason needs \
             more detail. Say only what the board says; do not guess at progress or dates.\n\n{stand}"
        ))])
    }
}
