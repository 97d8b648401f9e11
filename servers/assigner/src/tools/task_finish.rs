//! `task_finish`.

use crate::Assigner;
use crate::views::Stated;
use callboard_mcp::{CallContext, Effect, Id, Role, Tool, ToolError};
use callboard_scheduling::{Lease, reason_of, task_finish};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// Ends a claimed task with success.
pub struct TaskFinish;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    task: Id,
    fence: i64,
    /// Anything worth keeping, up to 256 KiB.
    #[serde(default)]
    result: Value,
}

impl Tool<Assigner> for TaskFinish {
    const NAME: &'static str = "task_finish";
    const TITLE: &'static str = "Finish a task";
    const DESCRIPTION: &'static str =
        "Reports that a claimed task is done; tasks that waited for it may start.";
    const EFFECT: Effect = Effect::Write {
        destructive: false,
        idempotent: false,
    };
    const ROLE: Role = Role::Developer;
    type Params = Params;
    type Output = Stated;

    async fn call(
        board: Arc<Assigner>,
        params: Params,
        _: CallContext,
    ) -> Result<Stated, ToolError> {
        let lease = Lease {
            task: params.task.into(),
            fence: params.fence,
        };
        let result = params.result;
        board
            .write(move |c, now| {
                let task = task_finish(c, now, &lease, &result)?;
                Ok(Stated::of(&task, reason_of(c, now, &task)?))
            })
            .await
    }
}
