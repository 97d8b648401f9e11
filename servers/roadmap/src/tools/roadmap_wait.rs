//! `roadmap_wait`: until the run ends, or for a while.

use crate::desk::Run;
use crate::place::{PathText, Place};
use crate::progress::{Ended, Progress};
use crate::state::Roadmaps;
use callboard_mcp::{CallContext, Effect, Id, Long, Render, Role, Tool, ToolError, Whole};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const DEFAULT_S: u64 = 30;
/// How long a task waits unless it was asked for less.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How many of the last events an answer tells.
const LINES: usize = 20;
/// How often the board is asked whether another process is still at work.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoadmapWaitParams {
    /// The repository's absolute path; default: the client's project.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    path: Option<PathText>,
    /// The run, instead of path.
    #[serde(default)]
    run: Option<Id>,
    /// Seconds; default 30.
    #[serde(default)]
    timeout_s: Option<Whole<0, 45>>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct RoadmapWaitOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    state: String,
    summary: String,
    all_done: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<String>,
    next: String,
}

impl Render for RoadmapWaitOutput {
    fn text(&self) -> String {
        let mut out = format!("{}: {}\n", self.state, self.summary);
        for event in &self.events {
            let _ = writeln!(out, "- {event}");
        }
        let _ = writeln!(out, "{}", self.next);
        out
    }
}

pub(crate) struct RoadmapWait;

impl Tool<Roadmaps> for RoadmapWait {
    const NAME: &'static str = "roadmap_wait";
    const TITLE: &'static str = "Wait for a run";
    const DESCRIPTION: &'static str = "Waits until a project's run ends, at most timeout_s (as an MCP task without it: up to a day); says how it stands and what \
happened meanwhile. Reports progress. Call it again while state is starting, running, stopping or elsewhere (another \
process). Giving it up does not stop the run.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;
    const LONG: Long = Long::Offered;
    type Params = RoadmapWaitParams;
    type Output = RoadmapWaitOutput;

    async fn call(
        server: Arc<Roadmaps>,
        params: RoadmapWaitParams,
        ctx: CallContext,
    ) -> Result<RoadmapWaitOutput, ToolError> {
        let asked = params
            .timeout_s
            .map(|seconds| Duration::from_secs(seconds.get().into()));
        if let Some(id) = &params.run {
            let run = server.run(id)?;
            return for_run(&run, asked, &ctx).await;
        }
        let place = server.place(params.path.as_ref()).await?;
        match server.desk(&place).last() {
            Some(run) if !run.has_ended() => for_run(&run, asked, &ctx).await,
            last => for_another(&server, &place, last, asked, &ctx).await,
        }
    }
}

/// Until when to wait. A client that follows a task waits to the end, unless it asked for less; the call is one
/// from here on.
async fn deadline(asked: Option<Duration>, ctx: &CallContext) -> Result<Instant, ToolError> {
    let at_once = asked.is_some_and(|asked| asked.is_zero());
    let unless_asked = if !at_once && ctx.detach().await? {
        A_DAY
    } else {
        Duration::from_secs(DEFAULT_S)
    };
    Ok(Instant::now() + asked.unwrap_or(unless_asked))
}

async fn for_run(
    run: &Run,
    asked: Option<Duration>,
    ctx: &CallContext,
) -> Result<RoadmapWaitOutput, ToolError> {
    let mut watch = run.watch();
    let since = watch.borrow_and_update().clone();
    // A run that has ended is told from its beginning.
    let from = if since.ended.is_some() { 0 } else { since.seq };
    let mut at = since;
    if at.ended.is_some() {
        return Ok(view(run, &at, from));
    }
    let deadline = deadline(asked, ctx).await?;
    while at.ended.is_none() {
        ctx.progress(at.seq, None, &at.words()).await;
        tokio::select! {
            changed = watch.changed() => if changed.is_err() { break },
            () = tokio::time::sleep_until(deadline) => break,
            () = ctx.cancelled() => return Err(ToolError::cancelled()),
        }
        at = watch.borrow_and_update().clone();
    }
    Ok(view(run, &at, from))
}

/// Follows another process by its duty on the board; answers at once when there is none.
async fn for_another(
    server: &Roadmaps,
    place: &Place,
    last: Option<Arc<Run>>,
    asked: Option<Duration>,
    ctx: &CallContext,
) -> Result<RoadmapWaitOutput, ToolError> {
    let mut looks = 0;
    let mut until = None;
    while let Some(pid) = server.elsewhere(place).await? {
        let deadline = match until {
            Some(until) => until,
            None => *until.insert(deadline(asked, ctx).await?),
        };
        if Instant::now() >= deadline {
            return Ok(elsewhere(pid));
        }
        looks += 1;
        ctx.progress(looks, None, &format!("process {pid} is at work"))
            .await;
        tokio::select! {
            () = tokio::time::sleep_until(deadline.min(Instant::now() + LOOK)) => {}
            () = ctx.cancelled() => return Err(ToolError::cancelled()),
        }
    }
    match last {
        Some(run) if looks == 0 => Ok(view(&run, &run.progress(), 0)),
        _ => nobody(server, place).await,
    }
}

fn view(run: &Run, at: &Progress, from: u64) -> RoadmapWaitOutput {
    let (summary, all_done) = match &at.ended {
        None => (at.words(), false),
        Some(Ended::Finished { summary, all_done }) => (summary.clone(), *all_done),
        Some(Ended::Stopped { summary }) => (format!("stopped: {summary}"), false),
        Some(Ended::Failed(error)) => (error.to_string(), false),
    };
    RoadmapWaitOutput {
        run: Some(run.id.clone()),
        state: run.state().to_owned(),
        summary,
        all_done,
        events: at.lines_after(from, LINES),
        next: next(at.ended.as_ref()).to_owned(),
    }
}

fn next(ended: Option<&Ended>) -> &'static str {
    match ended {
        None => "roadmap_wait again",
        Some(Ended::Finished { all_done: true, .. }) => "roadmap_status shows the table",
        Some(Ended::Finished { .. }) => {
            "roadmap_status shows what needs a person; then roadmap_start with retry"
        }
        Some(Ended::Stopped { .. }) => "nothing is lost; roadmap_start goes on",
        Some(Ended::Failed(_)) => "mend that, then roadmap_start goes on; nothing is lost",
    }
}

fn elsewhere(pid: u32) -> RoadmapWaitOutput {
    RoadmapWaitOutput {
        run: None,
        state: "elsewhere".to_owned(),
        summary: format!("process {pid} is at work"),
        all_done: false,
        events: Vec::new(),
        next: "roadmap_wait again; roadmap_status shows the table so far".to_owned(),
    }
}

async fn nobody(server: &Roadmaps, place: &Place) -> Result<RoadmapWaitOutput, ToolError> {
    let table = server.table(place).await?;
    Ok(RoadmapWaitOutput {
        run: None,
        state: table.state.to_owned(),
        summary: format!("nobody is at work; {}", table.report.summary()),
        all_done: !table.report.items.is_empty() && table.report.all_done(),
        events: Vec::new(),
        next: "roadmap_start begins; roadmap_status shows the table".to_owned(),
    })
}
