//! `report_roadmap`: the table of the moment, to be told to a person.

use crate::place::PathText;
use crate::resources::table_markdown;
use crate::state::Roadmaps;
use callboard_mcp::{
    CallContext, Message, Prompt, PromptArgument, PromptArguments, ToolError, clip,
};
use std::sync::Arc;

/// How much of the table goes into the message; roadmap_status has the rest.
const TABLE_CHARS: usize = 20_000;

pub(crate) struct ReportRoadmap;

impl Prompt<Roadmaps> for ReportRoadmap {
    const NAME: &'static str = "report_roadmap";
    const TITLE: &'static str = "Report on a roadmap";
    const DESCRIPTION: &'static str =
        "Tells what became of a roadmap's items and what a person has to do next.";
    const ARGUMENTS: &'static [PromptArgument] = &[PromptArgument {
        name: "path",
        description: "Absolute path of the repository; the client's project if left out.",
        required: false,
    }];

    async fn messages(
        server: Arc<Roadmaps>,
        arguments: PromptArguments,
        _: CallContext,
    ) -> Result<Vec<Message>, ToolError> {
        let path = arguments.get("path").map(PathText::try_from).transpose();
        let path = path.map_err(|why| {
            ToolError::invalid(format!("path: {why}")).hint("give an absolute path")
        })?;
        let place = server.place(path.as_ref()).await?;
        let table = server.table(&place).await?;
        let shown = table_markdown(&table);
        Ok(vec![Message::user(format!(
            "This is where the roadmap stands:\n\n{}\n\n\
             Tell me in a short report: what was finished (with its merge), what failed at first and why, what is being \
             worked on, and, first of all, what needs me and exactly what I should do about it. Say nothing that is not in \
             the table; roadmap_status with item has the reasons at length.",
            clip(&shown, TABLE_CHARS)
        ))])
    }
}
