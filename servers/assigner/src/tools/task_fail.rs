//! `task_fail`.

use crate::Assigner;
use crate::views::Stated;
use callboard_mcp::{CallContext, Effect, Id, Role, Text, Tool, ToolError};
use callboard_scheduling::{Failure, Lease, Outcome, reason_of, task_fail};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// Ends an attempt without success.
pub struct TaskFail;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    task: Id,
    fence: i64,
    /// Why, for whoever tries next.
    #[schemars(with = "String")]
    error: Text<20_000>,
    /// Trying again is of no use.
    #[serde(default, rename = "final")]
    for_good: Option<bool>,
}

impl Tool<Assigner> for TaskFail {
    const NAME: &'static str = "task_fail";
    const TITLE: &'static str = "Fail a task";
    const DESCRIPTION: &'static str =
        "Reports that an attempt failed; it is tried again after a pause while retries are left.";
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
        let failure = if params.for_good == Some(true) {
            Failure::Final
        } else {
            Failure::Retry
        };
        let error = said(&params.error)?;
        board
            .write(move |c, now| {
                let task = task_fail(c, now, &lease, Outcome::Failed, failure, &error)?;
                Ok(Stated::of(&task, reason_of(c, now, &task)?))
            })
            .await
    }
}

fn said(error: &str) -> Result<String, ToolError> {
    if error.trim().is_empty() {
        return Err(ToolError::invalid("error: is empty; say what went wrong")
            .hint("whoever tries next reads it"));
    }
    Ok(error.to_owned())
}
