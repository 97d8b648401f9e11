//! `task_heartbeat`.

use super::task_claim::{LeaseSeconds, lease_ms};
use crate::Assigner;
use crate::views::time;
use callboard_mcp::{CallContext, Effect, Id, Render, Role, Text, Tool, ToolError};
use callboard_scheduling::{Lease, lease_extend, span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Keeps a lease.
pub struct TaskHeartbeat;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    task: Id,
    fence: i64,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    progress: Option<Text<2_000>>,
    /// 300 by default.
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    lease_s: Option<LeaseSeconds>,
}

/// Until when the lease holds.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Kept {
    lease_until: String,
    /// How long that is from now.
    left_s: i64,
}

impl Render for Kept {
    fn text(&self) -> String {
        if self.left_s <= 0 {
            return format!(
                "the time limit was reached at {}: stop, the task goes back",
                self.lease_until
            );
        }
        format!(
            "the lease holds for {}, until {}",
            span(self.left_s * 1000),
            self.lease_until
        )
    }
}

impl Tool<Assigner> for TaskHeartbeat {
    const NAME: &'static str = "task_heartbeat";
    const TITLE: &'static str = "Keep a lease";
    const DESCRIPTION: &'static str =
        "Keeps the lease on a claimed task and reports progress; never past the task's time limit.";
    const EFFECT: Effect = Effect::Write {
        destructive: false,
        idempotent: true,
    };
    const ROLE: Role = Role::Developer;
    type Params = Params;
    type Output = Kept;

    async fn call(board: Arc<Assigner>, params: Params, _: CallContext) -> Result<Kept, ToolError> {
        let lease = Lease {
            task: params.task.into(),
            fence: params.fence,
        };
        let progress = params.progress.map(String::from);
        let for_ms = lease_ms(params.lease_s);
        let (until, now) = board
            .write(move |c, now| {
                let until = lease_extend(c, now, &lease, for_ms, progress.as_deref())?;
                Ok((until, now))
            })
            .await?;
        Ok(Kept {
            lease_until: time(until),
            left_s: (until - now) / 1000,
        })
    }
}
