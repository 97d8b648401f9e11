//! `roadmap_stop`: ends the run of this process.

use crate::place::PathText;
use crate::progress::Ended;
use crate::state::{Roadmaps, busy_elsewhere};
use callboard_mcp::{CallContext, Effect, Render, Role, Tool, ToolError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// How long agents may take to end before the answer goes out.
const ENDING: Duration = Duration::from_secs(30);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoadmapStopParams {
    /// The repository's absolute path; default: the client's project.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    path: Option<PathText>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct RoadmapStopOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    state: String,
    summary: String,
}

impl Render for RoadmapStopOutput {
    fn text(&self) -> String {
        format!("{}: {}\n", self.state, self.summary)
    }
}

pub(crate) struct RoadmapStop;

impl Tool<Roadmaps> for RoadmapStop {
    const NAME: &'static str = "roadmap_stop";
    const TITLE: &'static str = "Stop a run";
    const DESCRIPTION: &'static str = "Stops the run of this server process: agents are ended, their attempts go \
back to the queue and cost no retry; nothing committed is lost. roadmap_start goes on.";
    const EFFECT: Effect = Effect::Write {
        destructive: true,
        idempotent: true,
    };
    const ROLE: Role = Role::Developer;
    type Params = RoadmapStopParams;
    type Output = RoadmapStopOutput;

    async fn call(
        server: Arc<Roadmaps>,
        params: RoadmapStopParams,
        ctx: CallContext,
    ) -> Result<RoadmapStopOutput, ToolError> {
        let place = server.place(params.path.as_ref()).await?;
        let Some(run) = server.desk(&place).last() else {
            return match server.elsewhere(&place).await? {
                Some(pid) => Err(busy_elsewhere(&place, pid)),
                None => Ok(idle()),
            };
        };
        let was_at_work = !run.has_ended();
        run.stop();
        if was_at_work {
            // After the word to stop, which must not wait for the board.
            let project = [("project", place.root.to_string_lossy().into_owned())];
            server
                .write_down(&place, "run_stop", &run.id, &project)
                .await?;
        }
        tokio::select! {
            _ = run.ended_within(ENDING) => {}
            // The run is asked to stop all the same.
            () = ctx.cancelled() => return Err(ToolError::cancelled()),
        }
        let summary = match run.progress().ended {
            Some(Ended::Finished { summary, .. } | Ended::Stopped { summary }) => summary,
            Some(Ended::Failed(error)) => error.to_string(),
            None => "agents are still ending; roadmap_wait tells when they have".to_owned(),
        };
        Ok(RoadmapStopOutput {
            run: Some(run.id.clone()),
            state: run.state().to_owned(),
            summary,
        })
    }
}

fn idle() -> RoadmapStopOutput {
    RoadmapStopOutput {
        run: None,
        state: "idle".to_owned(),
        summary: "nobody is at work on it, so there was nothing to stop".to_owned(),
    }
}
