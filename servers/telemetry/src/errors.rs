//! The one edge at which this server's errors become what a caller reads: kind, message, hint.

use callboard_mcp::{ErrorKind, ToolError};
use callboard_telemetry::CallLogError;
use callboard_telemetry::query::CursorError;

/// Why the log could not be read.
pub(crate) fn unread(error: &CallLogError) -> ToolError {
    ToolError::new(ErrorKind::Unavailable, error.to_string())
        .hint("call again; if it stays, `callboard doctor` looks at the board's directory")
}

/// Why there is no page.
pub(crate) fn no_page(error: CursorError) -> ToolError {
    match error {
        CursorError::Cursor(cursor) => ToolError::invalid(format!(
            "cursor: {:?} is not one that an answer gave",
            callboard_mcp::clip(&cursor, 60)
        ))
        .hint(
            "leave cursor out to begin at the start, then hand back `next` with the same arguments",
        ),
        CursorError::Store(error) => unread(&error.into()),
    }
}
