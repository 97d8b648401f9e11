//! `callboard://task/{id}`: everything about one task, as JSON.

use crate::Assigner;
use crate::tools::whole_task;
use callboard_mcp::{CallContext, ResourcePage, ResourceRequest, Sight, ToolError, Watch, Watched};
use std::sync::Arc;

/// One task.
pub struct Task;

impl callboard_mcp::Resource<Assigner> for Task {
    const URI: &'static str = "callboard://task/{id}{?cursor}";
    const NAME: &'static str = "task";
    const TITLE: &'static str = "A task";
    const DESCRIPTION: &'static str =
        "Everything about one task, uncut: prompt, metadata, result, dependencies, attempts.";
    const MIME: &'static str = "application/json";

    async fn read(
        board: Arc<Assigner>,
        request: ResourceRequest,
        _: CallContext,
    ) -> Result<ResourcePage, ToolError> {
        let id = request.variable("id").to_owned();
        let task = board.read(move |c, now| whole_task(c, now, &id)).await?;
        let text = serde_json::to_string_pretty(&task)
            .map_err(|error| ToolError::internal(format!("the task as JSON: {error}")))?;
        ResourcePage::of(&text, request.cursor())
    }
}

impl Watched<Assigner> for Task {
    async fn look(board: Arc<Assigner>, request: ResourceRequest) -> Result<Sight, ToolError> {
        let watch = Watch::new().board(board.store().changes_closely());
        let id = request.variable("id").to_owned();
        // Its times stand in it as they are; only the reason tells distances, here from the same moment always.
        let task = board.read(move |c, _| whole_task(c, 0, &id)).await?;
        Ok(watch.saw(task.to_string()))
    }
}
