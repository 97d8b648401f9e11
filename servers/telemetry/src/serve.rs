//! Putting the server together and running it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use callboard_config::{Config, Environment, LogStyle};
use callboard_mcp::{Caller, Memory, Server, ServerSpec};
use callboard_models::prices::{Current, Files};
use callboard_models::{Models, Opening};
use callboard_store::{Store, SystemClock};
use callboard_telemetry::audit::Refusals;
use callboard_telemetry::{CallLog, LogFormat, init_tracing};

use crate::{Telemetry, prompts, resources, tools};

const INSTRUCTIONS: &str = "\
What calls to models cost, how fast they were and what went wrong, over everything that was recorded on this board.

costs adds up by up to three keys (model, provider, agent, task, project, tool, day, …); chart: true answers with a \
picture. calls finds single calls and shows one in full by its id. performance has percentiles, errors has kinds of \
failure with advice, savings compares with one model for everything, export writes CSV, JSON or a chart.

period is a word: today, yesterday, week, month, all, 24h, 7d, 2026-11, 2026-11-21, or two with .. between; days are \
those of UTC. only narrows by any column. A cost that is not known is counted beside the sums and is never 0; it is \
filled in when a price becomes known.";

/// The server over what was recorded.
#[must_use]
pub fn server(state: Arc<Telemetry>, call_log: CallLog) -> Server<Telemetry> {
    let spec = ServerSpec {
        name: "telemetry",
        title: "Callboard telemetry",
        version: env!("CARGO_PKG_VERSION"),
        instructions: INSTRUCTIONS,
    };
    let clock = Arc::clone(state.clock());
    let memory = Memory::of(state.store().clone());
    Server::new(spec, state, call_log)
        .clock(clock)
        .memory(memory)
        .tool::<tools::Costs>()
        .tool::<tools::Calls>()
        .tool::<tools::Performance>()
        .tool::<tools::Errors>()
        .tool::<tools::Savings>()
        .tool::<tools::Export>()
        .resource::<resources::Costs>()
        .resource::<resources::Chart>()
        .resource::<resources::Call>()
        .prompt::<prompts::ReportCosts>()
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
    callboard_mcp::run(async move {
        let store = open(&config.board)?;
        let _learning = callboard_crew::learn_secrets(&environment, &config, Some(&store));
        let spans = callboard_crew::send_spans(&environment, &config.board);
        // What is told is what has been copied, priced and forgotten, so this process sees to it too.
        let models = Models::try_open(Opening::new(&environment, &config, &store)).await;
        let duties = models.as_ref().map(Models::keep);
        let server = over(store, &environment, &config)?;
        let served = callboard_mcp::serve_stdio(server).await;
        if let Some(duties) = duties {
            duties.end().await;
        }
        spans.finish().await;
        Ok::<_, anyhow::Error>(served?)
    })?
}

/// The server over the configured board, for any transport. Call inside a runtime.
///
/// # Errors
/// The board can't be opened.
pub fn mount(environment: &Environment, config: &Config) -> anyhow::Result<Server<Telemetry>> {
    over(open(&config.board)?, environment, config)
}

fn open(board: &Path) -> anyhow::Result<Store> {
    callboard_board::open(board).with_context(|| {
        format!(
            "the board in {}; look at the directory's rights, or name another board with --board",
            board.display()
        )
    })
}

fn over(
    store: Store,
    environment: &Environment,
    config: &Config,
) -> anyhow::Result<Server<Telemetry>> {
    let board = &config.board.value;
    let clock = Arc::new(SystemClock);
    let refusals = Refusals::new(store.clone(), Arc::clone(&clock) as _);
    let told = refusals.clone();
    let log = CallLog::keeping(board, callboard_models::keeping(config));
    let prices = Current::new(Files::of(environment, config)?);
    let baseline = config.models.baseline.value.as_ref();
    let state = Telemetry::new(store, board, log.clone(), clock, prices.table())
        .priced_by(move || prices.table())
        .baseline(baseline.map(ToString::to_string));
    let role = config.access.stdio_role.as_str();
    Ok(server(Arc::new(state), log)
        .caller(
            Caller::configured(environment.user(), role)
                .for_agent(callboard_crew::agent_of(environment)),
        )
        .refusals(refusals)
        .ready(|state| async move { state.ready().await })
        .on_shutdown(move |_| {
            let refusals = told.clone();
            async move { refusals.flush().await }
        }))
}
