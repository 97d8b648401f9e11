//! The one edge at which this server's errors become what a caller reads: kind, message, hint.

use callboard_mcp::{ErrorKind, ToolError};
use callboard_scheduling::SchedulingError;
use callboard_store::{OpenError, StoreError};
use std::path::Path;

/// What scheduling or its store refused, for the caller.
pub(crate) fn refused(error: SchedulingError) -> ToolError {
    let kind = match &error {
        SchedulingError::Store(error) => return failed(error),
        SchedulingError::NotFound { .. } => ErrorKind::NotFound,
        SchedulingError::Invalid { .. } => ErrorKind::InvalidInput,
        SchedulingError::Cycle { .. } | SchedulingError::Illegal { .. } => ErrorKind::Conflict,
        SchedulingError::Stale { .. } => ErrorKind::StaleLease,
        SchedulingError::Held { .. } => ErrorKind::Unavailable,
    };
    let told = ToolError::new(kind, error.to_string());
    match (error.hint(), kind) {
        (Some(hint), _) => told.hint(hint),
        (None, ErrorKind::InvalidInput) => {
            told.hint("correct it and call again; nothing was changed")
        }
        (None, _) => told.hint("task_get tells how the task stands now"),
    }
}

fn failed(error: &StoreError) -> ToolError {
    let (kind, hint) = match error {
        StoreError::Busy { .. } => (
            ErrorKind::Unavailable,
            "another process keeps the board busy; nothing was changed, call again",
        ),
        StoreError::Full => (
            ErrorKind::Unavailable,
            "nothing was saved; free some space on the board's disk and call again",
        ),
        StoreError::ReadOnly(_) | StoreError::Closed | StoreError::Commit(_) => (
            ErrorKind::Unavailable,
            "nothing was saved; `callboard doctor` looks at the board's directory",
        ),
        _ => (
            ErrorKind::Internal,
            "nothing was saved; `callboard doctor` looks at the board, and the server's standard error has more",
        ),
    };
    ToolError::new(kind, format!("the board: {error}")).hint(hint)
}

/// Why the board could not be opened, for whoever started the server.
pub(crate) fn unopened(board: &Path, error: &OpenError) -> anyhow::Error {
    let advice = match error {
        OpenError::Newer { .. } => "update callboard, or name another board with --board",
        _ => "look at the directory's rights, or name another board with --board",
    };
    anyhow::anyhow!("the board in {}: {error}; {advice}", board.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_refusal_has_its_kind() {
        let stale = SchedulingError::Stale {
            id: "t_1".to_owned(),
            fence: 2,
            why: "the task is done now".to_owned(),
        };
        let cases = [
            (stale, ErrorKind::StaleLease, "discard the result"),
            (
                SchedulingError::Cycle {
                    path: vec!["a".to_owned(), "a".to_owned()],
                },
                ErrorKind::Conflict,
                "leave out",
            ),
            (
                StoreError::Busy {
                    waited: Duration::from_secs(30),
                }
                .into(),
                ErrorKind::Unavailable,
                "call again",
            ),
            (
                StoreError::Full.into(),
                ErrorKind::Unavailable,
                "free some space",
            ),
            (
                StoreError::Engine("x".to_owned()).into(),
                ErrorKind::Internal,
                "callboard doctor",
            ),
        ];
        for (error, kind, hint) in cases {
            let message = error.to_string();
            let told = refused(error);
            assert_eq!(told.kind, kind, "{message}");
            assert!(told.message.contains(&message), "{}", told.message);
            assert!(told.hint.unwrap().contains(hint), "{message}");
        }
    }

    #[test]
    fn a_newer_board_says_to_update() {
        let error = OpenError::Newer {
            component: "scheduling".to_owned(),
            found: 2,
            known: 1,
            path: "/b/board.db".into(),
        };
        let said = unopened(Path::new("/b"), &error).to_string();
        assert!(said.contains("update callboard"), "{said}");
    }
}
