//! `callboard://task/{id}/log`: what the last attempt wrote.

use crate::Assigner;
use crate::logs::{self, From};
use callboard_mcp::{CallContext, ResourcePage, ResourceRequest, Sight, ToolError, Watch, Watched};
use callboard_scheduling::{attempts_of, task_get};
use std::sync::Arc;

/// How much of a log's end is compared. Logs only grow, so their length says most.
const TAIL_BYTES: usize = 4_096;
/// A page, in bytes.
const PAGE_BYTES: usize = 64 * 1024;

/// The log of a task's last attempt.
pub struct TaskLog;

impl callboard_mcp::Resource<Assigner> for TaskLog {
    const URI: &'static str = "callboard://task/{id}/log{?cursor}";
    const NAME: &'static str = "task_log";
    const TITLE: &'static str = "A task's log";
    const DESCRIPTION: &'static str = "What the last attempt at a task wrote, from its beginning.";
    const MIME: &'static str = "text/plain";

    async fn read(
        board: Arc<Assigner>,
        request: ResourceRequest,
        _: CallContext,
    ) -> Result<ResourcePage, ToolError> {
        let from = match request.cursor() {
            None => 0,
            Some(cursor) => cursor.parse().map_err(|_| {
                ToolError::invalid("cursor: is not a byte position")
                    .hint("read without a cursor first, then with the one each page names")
            })?,
        };
        let id = request.variable("id").to_owned();
        let attempts = board.look(|c, _| {
            task_get(c, &id)?;
            attempts_of(c, &id)
        })?;
        let (_, path) = logs::logged(&attempts).ok_or_else(|| logs::none(&id))?;
        let page = logs::page(path, From::Byte(from), PAGE_BYTES).await?;
        let next = (!page.end).then(|| page.next_cursor.to_string());
        Ok(ResourcePage::part(page.text, next))
    }
}

impl Watched<Assigner> for TaskLog {
    async fn look(board: Arc<Assigner>, request: ResourceRequest) -> Result<Sight, ToolError> {
        let watch = Watch::new().board(board.store().changes_closely());
        let id = request.variable("id").to_owned();
        let attempts = board.look(|c, _| {
            task_get(c, &id)?;
            attempts_of(c, &id)
        })?;
        // A log that is not there yet may be soon.
        let Some((attempt, path)) = logs::logged(&attempts) else {
            return Ok(watch.saw("no log"));
        };
        let watch = watch.file(&path);
        let seen = match logs::page(path, From::End, TAIL_BYTES).await {
            Ok(page) => format!("{} {} {}", attempt.id, page.next_cursor, page.text),
            Err(_) => format!("{} not there", attempt.id),
        };
        Ok(watch.saw(seen))
    }
}
