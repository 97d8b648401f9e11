//! What scheduling refuses, in words that say what to do next.

use crate::model::{Event, State};
use callboard_store::StoreError;

/// A refused or failed operation.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SchedulingError {
    /// The store failed; nothing was changed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such thing on this board.
    #[error("no {what} {id} on this board")]
    NotFound {
        /// "task", "attempt", …
        what: &'static str,
        /// What was asked for.
        id: String,
    },
    /// A value that can't be accepted.
    #[error("{field}: {why}")]
    Invalid {
        /// The field's name as the caller knows it.
        field: String,
        /// What is wrong and what is allowed.
        why: String,
    },
    /// The dependencies would run in a circle.
    #[error("these tasks would wait for each other: {}", path.join(" -> "))]
    Cycle {
        /// The circle, first task repeated at the end.
        path: Vec<String>,
    },
    /// The life cycle has no such step.
    #[error("task {id} is {state}: it can't be {}", event.participle())]
    Illegal {
        /// The task.
        id: String,
        /// Where it is.
        state: State,
        /// What was wanted.
        event: Event,
    },
    /// The caller's lease is gone: its writes are refused.
    #[error("the lease on task {id} with fence {fence} is no longer valid: {why}")]
    Stale {
        /// The task.
        id: String,
        /// The fence that was presented.
        fence: i64,
        /// What happened to the lease.
        why: String,
    },
    /// Another process holds a duty that only one may hold.
    #[error("{name} is held by process {pid} since {since_ms} ms")]
    Held {
        /// The duty.
        name: String,
        /// The holder.
        pid: u32,
        /// Since when, in milliseconds since 1970 UTC.
        since_ms: i64,
    },
}

impl SchedulingError {
    pub(crate) fn invalid(field: impl Into<String>, why: impl Into<String>) -> Self {
        SchedulingError::Invalid {
            field: field.into(),
            why: why.into(),
        }
    }

    pub(crate) fn no_task(id: &str) -> Self {
        SchedulingError::NotFound {
            what: "task",
            id: id.to_owned(),
        }
    }

    /// What the caller can do about it, where there is something to say.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            SchedulingError::NotFound { what: "task", .. } => {
                "task_list shows the tasks; archived ones need archived=true"
            }
            SchedulingError::Cycle { .. } => "leave out one of these dependencies",
            SchedulingError::Stale { .. } => {
                "stop working on it and discard the result; claim a task again with task_claim"
            }
            SchedulingError::Illegal {
                event: Event::Cancel,
                ..
            } => "it has already ended; task_control can archive it or run it again",
            SchedulingError::Illegal {
                event: Event::Rerun | Event::RerunBlocked,
                ..
            } => "only an ended task can be run again; cancel it first",
            SchedulingError::Held { .. } => "wait for that process to end, or stop it",
            _ => return None,
        })
    }
}
