//! Putting the server together and running it.

use crate::assigner::{Assigner, open};
use crate::{prompts, resources, tools};
use callboard_config::{Config, Environment, LogStyle};
use callboard_crew::{learn_secrets, send_spans};
use callboard_mcp::{Caller, Memory, Server, ServerSpec};
use callboard_store::actor;
use callboard_telemetry::audit::Refusals;
use callboard_telemetry::{CallLog, LogFormat, init_tracing};
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const INSTRUCTIONS: &str = "\
A board of tasks that survives restarts and is shared by any number of clients and processes.

To hand out work: task_add (only a title is needed) or task_add_many (tasks that depend on each other by key). \
task_wait waits up to 45 s for tasks to settle and is called again until they have; task_get tells everything \
about one task, with its true reason for waiting and its log; task_list finds tasks.

To do work: task_claim gives the most urgent ready task with a fence, a number that proves the lease. Do the work, \
call task_heartbeat with the fence before the lease ends, then task_finish, task_fail or task_release. \
stale_lease means that somebody else has the task now: stop and discard the result.

States: waiting (for other tasks), scheduled (not due yet, or backing off after a failure), ready, running; settled \
are done, dead (out of retries), parked (a person must decide) and cancelled. task_control cancels, runs again, \
resolves, archives. Priority is 0 to 10; waiting raises a task, so nothing starves.

Roadmap items are tasks of kind `roadmap` in their project's own queue; the crew works them, so do not claim those.";

/// The server over an open board.
#[must_use]
pub fn server(state: Arc<Assigner>, call_log: CallLog) -> Server<Assigner> {
    let spec = ServerSpec {
        name: "assigner",
        title: "Callboard assigner",
        version: env!("CARGO_PKG_VERSION"),
        instructions: INSTRUCTIONS,
    };
    let clock = Arc::clone(state.clock());
    let memory = Memory::of(state.store().clone());
    Server::new(spec, state, call_log)
        .clock(clock)
        .memory(memory)
        .tool::<tools::TaskAdd>()
        .tool::<tools::TaskAddMany>()
        .tool::<tools::TaskList>()
        .tool::<tools::TaskGet>()
        .tool::<tools::TaskWait>()
        .tool::<tools::TaskUpdate>()
        .tool::<tools::TaskControl>()
        .tool::<tools::TaskClaim>()
        .tool::<tools::TaskHeartbeat>()
        .tool::<tools::TaskFinish>()
        .tool::<tools::TaskFail>()
        .tool::<tools::TaskRelease>()
        .watched::<resources::Board>()
        .watched::<resources::Task>()
        .watched::<resources::TaskLog>()
        .prompt::<prompts::ReportStatus>()
        .prompt::<prompts::TriageFailures>()
}

/// Runs the server on standard input and output until input ends: logging, runtime and all.
///
/// # Errors
/// The board can't be opened, or no session comes about.
pub fn serve(environment: Environment, config: Config) -> anyhow::Result<()> {
    let format = match config.log.format.value {
        LogStyle::Text => LogFormat::Text,
        LogStyle::Json => LogFormat::Json,
    };
    init_tracing(config.log.level.as_str(), format)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    callboard_mcp::run(serve_stdio(environment, config))?
}

/// Runs the server on standard input and output until input ends, inside a runtime.
///
/// # Errors
/// As [`serve`].
pub async fn serve_stdio(environment: Environment, config: Config) -> anyhow::Result<()> {
    let state = open(&config.board.value)?;
    let _learning = learn_secrets(&environment, &config, Some(state.store()));
    let spans = send_spans(&environment, &config.board);
    let project = environment.project_root();
    callboard_models::try_set_limits(&config, project.as_deref(), state.store()).await;
    let server = over(state, &environment, &config);
    let served = callboard_mcp::serve_stdio(server).await;
    spans.finish().await;
    Ok(served?)
}

/// The server over the configured board, with the board's background duties at work until it ends; for any
/// transport. Call inside a runtime.
///
/// # Errors
/// The board can't be opened.
pub fn mount(environment: &Environment, config: Config) -> anyhow::Result<Server<Assigner>> {
    Ok(over(open(&config.board.value)?, environment, &config))
}

fn over(state: Assigner, environment: &Environment, config: &Config) -> Server<Assigner> {
    let board = &config.board.value;
    let state = Arc::new(state);
    let upkeep = Upkeep::start(&state);
    let refusals = Refusals::new(state.store().clone(), Arc::clone(state.clock()));
    let told = refusals.clone();
    let role = config.access.stdio_role.as_str();
    server(state, CallLog::open(board))
        .caller(
            Caller::configured(environment.user(), role)
                .for_agent(callboard_crew::agent_of(environment)),
        )
        .refusals(refusals)
        .ready(|state| async move { state.ready().await })
        .on_shutdown(move |_| {
            let (ending, refusals) = (upkeep.end(), told.clone());
            async move {
                refusals.flush().await;
                let _ = ending.await;
            }
        })
}

/// The board's background duties, run by this process while it serves. Their first round comes after the
/// first tick, so that it never holds up the first answer.
struct Upkeep {
    stop: CancellationToken,
    task: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Upkeep {
    fn start(state: &Assigner) -> Self {
        let stop = CancellationToken::new();
        let duties = callboard_crew::upkeep::run(
            state.store().clone(),
            Arc::clone(state.clock()),
            stop.clone(),
        );
        Upkeep {
            stop,
            task: std::sync::Mutex::new(Some(actor::spawn(duties))),
        }
    }

    /// Asks for the end, which comes when the duty is given back.
    fn end(&self) -> impl Future<Output = ()> + use<> {
        self.stop.cancel();
        let task = self.task.lock().ok().and_then(|mut task| task.take());
        async move {
            if let Some(task) = task {
                let _ = task.await;
            }
        }
    }
}
