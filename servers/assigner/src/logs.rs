//! Reading what an attempt wrote, a page at a time.

use callboard_console::{LogChunk, read_log, tail_log};
use callboard_mcp::ToolError;
use callboard_scheduling::Attempt;
use callboard_store::actor;
use std::path::PathBuf;

/// Where a page of a log begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// At this byte.
    Byte(u64),
    /// So that it is the last page.
    End,
}

/// The latest attempt that has a log, and its file.
pub(crate) fn logged(attempts: &[Attempt]) -> Option<(&Attempt, PathBuf)> {
    attempts
        .iter()
        .rev()
        .find_map(|attempt| Some((attempt, attempt.facts.log.as_deref()?.into())))
}

/// One page.
pub(crate) async fn page(path: PathBuf, from: From, bytes: usize) -> Result<LogChunk, ToolError> {
    let shown = path.display().to_string();
    let reading = actor::spawn_blocking(move || match from {
        From::Byte(cursor) => read_log(&path, cursor, bytes),
        From::End => tail_log(&path, bytes),
    });
    match reading.await {
        Ok(Ok(chunk)) => Ok(chunk),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(ToolError::not_found(format!("the log {shown} is gone"))
                .hint("it was not written yet, or was removed with the board's old logs"))
        }
        Ok(Err(error)) => Err(ToolError::unavailable(format!("the log {shown}: {error}"))),
        Err(_) => Err(ToolError::unavailable("the server is shutting down")),
    }
}

/// The error for a task none of whose attempts has a log.
pub(crate) fn none(task: &str) -> ToolError {
    ToolError::not_found(format!("no attempt at task {task} has a log"))
        .hint("attempts that agents of ours work on have one; those of a pulling client do not")
}
