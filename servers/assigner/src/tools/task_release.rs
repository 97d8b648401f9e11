//! `task_release`.

use crate::Assigner;
use crate::views::Stated;
use callboard_mcp::{CallContext, Effect, Id, Role, Text, Tool, ToolError};
use callboard_scheduling::{Lease, Outcome, reason_of, task_release};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// Gives a claimed task back.
pub struct TaskRelease;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    task: Id,
    fence: i64,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    reason: Option<Text<2_000>>,
}

impl Tool<Assigner> for TaskRelease {
    const NAME: &'static str = "task_release";
    const TITLE: &'static str = "Give a task back";
    const DESCRIPTION: &'static str =
        "Gives a claimed task back for somebody else, without using up a retry.";
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
        let why = params
            .reason
            .map(String::from)
            .filter(|reason| !reason.trim().is_empty())
            .unwrap_or_else(|| "given back by its worker".to_owned());
        board
            .write(move |c, now| {
                let task = task_release(c, now, &lease, Outcome::Released, &why)?;
                Ok(Stated::of(&task, reason_of(c, now, &task)?))
            })
            .await
    }
}
