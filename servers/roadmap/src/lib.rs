//! The roadmap server: a repository's ROADMAP.md read, edited, and worked to merged branches, over MCP.
//!
//! For: tools that find the repository, make one call of the core, and say what came of it. Not for:
//! deciding what an item or a task may become, running agents or git itself, or knowing the board's other
//! tasks (the assigner shows those).

mod desk;
mod document;
mod errors;
mod file;
mod keys;
mod place;
mod progress;
mod prompts;
mod resources;
mod state;
mod table;
mod tools;
mod view;

pub use keys::GATEWAY_KEYS;
pub use state::Roadmaps;

use callboard_config::{Config, Environment, LogStyle};
use callboard_mcp::{Caller, Memory, OpenBoard, Role, Server, ServerSpec, ToolError};
use callboard_store::SystemClock;
use callboard_telemetry::audit::Refusals;
use callboard_telemetry::{CallLog, LogFormat};
use std::sync::Arc;

const SPEC: ServerSpec = ServerSpec {
    name: "roadmap",
    title: "Callboard roadmap",
    version: env!("CARGO_PKG_VERSION"),
    instructions: "Works a repository's ROADMAP.md: each open item becomes a task, an agent works on it in a \
branch and worktree of its own, the project's tests run, and what passes is merged into the integration branch \
(callboard/integration unless configured), never into main and never in the user's checkout.\n\
Usual course: roadmap_read to see the plan as it is understood; roadmap_start; roadmap_wait again and again until \
state is no longer running; roadmap_status for the table of outcomes. roadmap_load only posts the tasks. \
item_set_status and item_check edit the user's ROADMAP.md file itself; agents see an edit once it is committed.\n\
path is the absolute path of a repository; left out, it is the client's project. Agents are named by a name from \
the user's configuration, never by a command line. The work of roadmap_start ends with this server's process; \
`callboard run <path>` in a terminal goes on without a client. The assigner server shows the tasks and their logs.",
};

/// The server over `state`, ready to be served.
#[must_use]
pub fn server(state: Arc<Roadmaps>, call_log: CallLog) -> Server<Roadmaps> {
    let memory = memory(&state);
    Server::new(SPEC, state, call_log)
        .memory(memory)
        .tool::<tools::RoadmapRead>()
        .tool::<tools::RoadmapLoad>()
        .tool::<tools::RoadmapStart>()
        .tool::<tools::RoadmapWait>()
        .tool::<tools::RoadmapStatus>()
        .tool::<tools::RoadmapStop>()
        .tool::<tools::ItemSetStatus>()
        .tool::<tools::ItemCheck>()
        .watched::<resources::Document>()
        .watched::<resources::Table>()
        .prompt::<prompts::PlanRoadmap>()
        .prompt::<prompts::ReportRoadmap>()
        .on_shutdown(|state: Arc<Roadmaps>| async move { state.close().await })
}

/// Questions are kept on the user's own board, whatever board a project has.
fn memory(state: &Arc<Roadmaps>) -> Memory {
    let directory = state.config.board.value.clone();
    let (state, board) = (Arc::downgrade(state), directory.clone());
    let open: OpenBoard = Box::new(move || {
        let (state, board) = (state.upgrade(), board.clone());
        Box::pin(async move {
            match state {
                Some(state) => state.board_in(board).await,
                None => Err(ToolError::cancelled()),
            }
        })
    });
    Memory::opened_by(&directory, open)
}

/// Serves standard input and output until input ends. The program must be one that begins with
/// [`callboard_console::supervise_if_asked`] and [`callboard_crew::play_if_asked`]: it is started again for
/// each child.
///
/// # Errors
/// No runtime, or no session.
pub fn serve(environment: Environment, config: Config) -> anyhow::Result<()> {
    let format = match config.log.format.value {
        LogStyle::Json => LogFormat::Json,
        LogStyle::Text => LogFormat::Text,
    };
    callboard_telemetry::init_tracing(config.log.level.value.as_str(), format)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    callboard_mcp::run(async move {
        let _learning = callboard_crew::learn_secrets(&environment, &config, None);
        let spans = callboard_crew::send_spans(&environment, &config.board);
        let server = mount(environment, config)?;
        let served = callboard_mcp::serve_stdio(server).await;
        spans.finish().await;
        Ok::<_, anyhow::Error>(served?)
    })?
}

/// The server with the state of this process, for any transport; what it began ends with it. The program must
/// be one as for [`serve`].
///
/// # Errors
/// The program can't be found, so that no child could be started.
pub fn mount(environment: Environment, config: Config) -> anyhow::Result<Server<Roadmaps>> {
    let program = callboard_console::this_program()?;
    let call_log = CallLog::open(&config.board.value);
    let caller = Caller::configured(environment.user(), config.access.stdio_role.as_str())
        .for_agent(callboard_crew::agent_of(&environment));
    // Whoever may do everything is refused nothing, so that there is no board to make for it.
    let refusals = (caller.role < Role::Admin)
        .then(|| callboard_board::open(&config.board.value))
        .transpose()?
        .map(|store| Refusals::new(store, Arc::new(SystemClock)));
    let state = Roadmaps::new(environment, config, program);
    let server = server(Arc::new(state), call_log).caller(caller);
    Ok(match refusals {
        Some(refusals) => server.refusals(refusals),
        None => server,
    })
}
