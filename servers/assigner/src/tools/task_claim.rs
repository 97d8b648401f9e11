//! `task_claim`.

use super::task_wait::MAX_S;
use crate::Assigner;
use crate::views::{Facts, lines, page, time};
use callboard_mcp::{CallContext, Effect, Line, Link, Render, Role, Tool, ToolError, Whole};
use callboard_models::{Dispatched, Stop, dispatch};
use callboard_scheduling::{
    Claim, DEFAULT_LEASE_MS, DEFAULT_QUEUE, Lease, Outcome, Task, queue_ready, span, task_release,
};
use callboard_store::actor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The longest piece of a prompt in the answer, in characters.
const PROMPT_CHARS: usize = 6_000;
/// Environment and metadata that are longer are left to the resource, in bytes of JSON.
const JSON_BYTES: usize = 2_000;
/// A caller that asked for progress hears at least this often that we are still there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// How often it is looked whether a budget has something again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Takes a task to work on.
pub struct TaskClaim;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Your name.
    #[schemars(with = "String")]
    worker: Line<120>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    queue: Option<Line<120>>,
    /// How long the lease holds without a heartbeat; 300 by default.
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    lease_s: Option<LeaseSeconds>,
    /// How long to wait if there is no task; up to 45.
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    wait_s: Option<Whole<0, MAX_S>>,
}

/// From a second to a day.
pub(super) type LeaseSeconds = Whole<1, 86_400>;

/// A lease's length in milliseconds.
pub(super) fn lease_ms(given: Option<LeaseSeconds>) -> i64 {
    given.map_or(DEFAULT_LEASE_MS, |seconds| i64::from(seconds.get()) * 1000)
}

/// A roadmap's item is done when it is merged, which only the crew can see to.
fn refuse_crews_queue(queue: Option<&str>) -> Result<(), ToolError> {
    if queue.is_some_and(callboard_scheduling::is_crews_queue) {
        return Err(ToolError::conflict(
            "this queue holds a roadmap's items, and only the crew works those",
        )
        .hint("start it with the tool roadmap_start, or with `callboard run` in the project"));
    }
    Ok(())
}

/// A task and its lease, or the word that there is none.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Claimed {
    claimed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fence: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_until: Option<String>,
    /// What to call next.
    next: String,
    /// What is to be done, and where.
    #[serde(flatten)]
    #[schemars(skip)]
    more: Map<String, Value>,
}

impl Render for Claimed {
    fn text(&self) -> String {
        let mut out = match (&self.task, self.fence) {
            (Some(task), Some(fence)) => format!("claimed {task} with fence {fence}"),
            _ => "no task".to_owned(),
        };
        out.push_str(&lines(&self.more));
        if let Some(until) = &self.lease_until {
            out.push_str(&format!("\nlease until {until}"));
        }
        out.push_str(&format!("\n{}", self.next));
        out
    }

    fn links(&self) -> Vec<Link> {
        match &self.task {
            Some(task) if self.more.contains_key("left_out") => vec![Link {
                uri: format!("callboard://task/{task}"),
                name: "task".to_owned(),
                description: "All of it".to_owned(),
                mime: "application/json",
            }],
            _ => Vec::new(),
        }
    }
}

impl Tool<Assigner> for TaskClaim {
    const NAME: &'static str = "task_claim";
    const TITLE: &'static str = "Claim a task";
    const DESCRIPTION: &'static str = "Takes the most urgent ready task, for you alone until its lease ends; later calls carry the fence given here.";
    const EFFECT: Effect = Effect::Write {
        destructive: false,
        idempotent: false,
    };
    const ROLE: Role = Role::Developer;
    type Params = Params;
    type Output = Claimed;

    async fn call(
        board: Arc<Assigner>,
        params: Params,
        ctx: CallContext,
    ) -> Result<Claimed, ToolError> {
        refuse_crews_queue(params.queue.as_deref())?;
        let wait_s = params.wait_s.map_or(0, Whole::get);
        let claim = Claim {
            queue: params
                .queue
                .map_or_else(|| DEFAULT_QUEUE.to_owned(), String::from),
            lease_ms: lease_ms(params.lease_s),
            ..Claim::by(params.worker)
        };
        // Before the first look, so that no task can be posted between the two unnoticed.
        let mut changes = board.store().changes();
        let began = Instant::now();
        let end = began + Duration::from_secs(wait_s.into());
        loop {
            match attempt(&board, &claim, &ctx).await? {
                Dispatched::Task(task) => return Ok(claimed(&task, board.now())),
                Dispatched::Nothing if Instant::now() >= end => return Ok(nothing(&claim.queue)),
                Dispatched::Nothing => {}
                Dispatched::Stopped(stop) if Instant::now() >= end => return Ok(stopped(stop)),
                Dispatched::Stopped(stop) => {
                    let so_far = began.elapsed().as_secs();
                    ctx.progress(so_far, Some(wait_s.into()), &stop.why).await;
                    // Tasks are ready all the while: only time, or somebody who raises it, helps.
                    tokio::select! {
                        () = ctx.cancelled() => return Err(ToolError::cancelled()),
                        () = tokio::time::sleep_until(end.min(Instant::now() + LOOK_AGAIN)) => {}
                    }
                    continue;
                }
            }
            loop {
                let so_far = began.elapsed().as_secs();
                ctx.progress(so_far, Some(wait_s.into()), "no task is ready")
                    .await;
                tokio::select! {
                    () = ctx.cancelled() => return Err(ToolError::cancelled()),
                    _ = changes.changed() => {}
                    () = tokio::time::sleep_until(end.min(Instant::now() + SIGN_OF_LIFE)) => {}
                }
                // A look costs no write; many may wait on one queue.
                if Instant::now() >= end || board.look(|c, _| queue_ready(c, &claim.queue))? {
                    break;
                }
            }
        }
    }
}

/// One look at the queue, to its end even if this call is dropped meanwhile: a claim that is under way can't
/// be called back, so somebody has to be there to give the task back.
async fn attempt(
    board: &Arc<Assigner>,
    claim: &Claim,
    ctx: &CallContext,
) -> Result<Dispatched, ToolError> {
    let (board, claim, given_up) = (Arc::clone(board), claim.clone(), ctx.cancellation());
    let attempt = board.id("a_");
    let claiming = actor::spawn(async move {
        let claimed = board
            .write(move |c, now| dispatch(c, now, &attempt, &claim))
            .await?;
        match claimed {
            Dispatched::Task(task) if given_up.is_cancelled() => give_back(&board, *task).await,
            claimed => Ok(claimed),
        }
    });
    claiming.await.unwrap_or_else(|_| {
        Err(ToolError::internal(
            "the claim was lost; task_list shows whether it was made",
        ))
    })
}

/// The task goes back at once, without waiting for its lease to run out.
async fn give_back(board: &Assigner, task: Task) -> Result<Dispatched, ToolError> {
    let lease = Lease {
        task: task.id,
        fence: task.fence,
    };
    let why = "the client gave up the call that claimed it";
    board
        .write(move |c, now| task_release(c, now, &lease, Outcome::Released, why))
        .await?;
    Err(ToolError::cancelled())
}

fn nothing(queue: &str) -> Claimed {
    Claimed {
        claimed: false,
        task: None,
        fence: None,
        lease_until: None,
        next: format!(
            "no task is ready in queue {queue:?}: call task_claim again with wait_s, or see task_list"
        ),
        more: Map::new(),
    }
}

fn stopped(stop: Stop) -> Claimed {
    let mut more = Map::new();
    more.insert("stopped_by".to_owned(), stop.why.into());
    if let Some(until) = stop.until {
        more.insert("stopped_until".to_owned(), time(until).into());
    }
    Claimed {
        next: "tasks are ready and stay so: call task_claim again when there is money".to_owned(),
        more,
        ..nothing("")
    }
}

fn claimed(task: &Task, now: i64) -> Claimed {
    let left = span(task.lease_until.unwrap_or(now) - now);
    Claimed {
        claimed: true,
        task: Some(task.id.clone()),
        fence: Some(task.fence),
        lease_until: task.lease_until.map(time),
        next: format!(
            "do it; call task_heartbeat within {left}, then task_finish, task_fail or task_release, with the fence"
        ),
        more: work(task),
    }
}

/// What the worker needs to know.
fn work(task: &Task) -> Map<String, Value> {
    let mut facts = Facts::default();
    let prompt = page(&task.prompt, 0, PROMPT_CHARS);
    let mut left_out = Vec::new();
    if prompt.next.is_some() {
        left_out.push(format!(
            "the rest of the prompt: task_get with prompt_cursor {PROMPT_CHARS}"
        ));
    }
    facts
        .add("title", task.title.as_str())
        .add("prompt", prompt.text)
        .add("attempt", task.attempts)
        .add("last_failure", task.reason.as_deref())
        .add("kind", task.kind.as_str())
        .add("project", task.project.as_deref())
        .add("branch", task.branch.as_deref())
        .add("working_dir", task.working_dir.as_deref())
        .add("tags", task.tags.clone())
        .add("timeout_s", task.timeout_ms.map(|ms| ms / 1000));
    let env = serde_json::to_value(&task.env).unwrap_or_default();
    for (name, value) in [("env", env), ("metadata", task.metadata.clone())] {
        if value.to_string().len() <= JSON_BYTES {
            facts.add(name, value);
        } else {
            left_out.push(format!("{name}: read callboard://task/{}", task.id));
        }
    }
    facts.add("left_out", left_out);
    facts.done()
}
