//! `task_add`.

use super::post::Post;
use crate::Assigner;
use callboard_mcp::{CallContext, Effect, Render, Role, Tool, ToolError};
use callboard_scheduling::{Posted, reason_of, task_add};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

/// Puts one task on the board.
pub struct TaskAdd;

/// The task, and why it is where it is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Added {
    id: String,
    state: &'static str,
    reason: String,
    /// Whether it was created by this call.
    #[schemars(skip)]
    created: bool,
}

impl Render for Added {
    fn text(&self) -> String {
        let how = if self.created {
            "added"
        } else {
            "was there already"
        };
        format!("{} {how}: {}", self.id, self.reason)
    }
}

impl Tool<Assigner> for TaskAdd {
    const NAME: &'static str = "task_add";
    const TITLE: &'static str = "Add a task";
    const DESCRIPTION: &'static str = "Puts a task on the board, for a worker to claim.";
    const EFFECT: Effect = Effect::Write {
        destructive: false,
        idempotent: false,
    };
    const ROLE: Role = Role::Developer;
    type Params = Post;
    type Output = Added;

    async fn call(board: Arc<Assigner>, params: Post, _: CallContext) -> Result<Added, ToolError> {
        let new = params.checked(board.now())?;
        let id = board.id("t_");
        board
            .write(move |c, now| {
                let (task, posted) = task_add(c, now, &id, &new)?;
                Ok(Added {
                    reason: reason_of(c, now, &task)?,
                    state: task.state.as_str(),
                    id: task.id,
                    created: posted == Posted::Created,
                })
            })
            .await
    }
}
