//! Putting the server together and running it.

use std::sync::Arc;

use anyhow::Context as _;
use callboard_config::{Config, Environment, LogStyle};
use callboard_mcp::{Caller, Memory, Server, ServerSpec};
use callboard_models::Models;
use callboard_telemetry::audit::Refusals;
use callboard_telemetry::{LogFormat, init_tracing};

use crate::{Llm, open, resources, tools};

const INSTRUCTIONS: &str = "\
Models, asked by route, within limits, at a known price.

complete asks one; without model and route the default route decides who answers. A model is written provider/model. \
When a candidate fails, the next of its route is asked, and the answer says so. route_explain is a dry run of the same: \
who would be asked, why the others are not, what it would cost. compare asks several at once.

models lists what is configured, and with discover what a provider really has. providers tells why one is not asked \
now: breaker, pause, limits. budgets tells what is left and until when it lasts.

A cost that is not known is called unknown and is never 0. What was asked before is in the telemetry server.";

/// The server over models that were opened; whoever opened them sees to their duties.
#[must_use]
pub fn mount(environment: &Environment, config: &Config, models: Models) -> Server<Llm> {
    let spec = ServerSpec {
        name: "llm",
        title: "Callboard models",
        version: env!("CARGO_PKG_VERSION"),
        instructions: INSTRUCTIONS,
    };
    let clock = Arc::clone(models.clock());
    let log = models.log().clone();
    let store = models.store().clone();
    let refusals = Refusals::new(store.clone(), Arc::clone(&clock));
    let told = refusals.clone();
    let role = config.access.stdio_role.as_str();
    let state = Arc::new(Llm::new(models));
    Server::new(spec, state, log)
        .clock(clock)
        .memory(Memory::of(store))
        .caller(
            Caller::configured(environment.user(), role)
                .for_agent(callboard_crew::agent_of(environment)),
        )
        .refusals(refusals)
        .ready(|state| async move { state.ready() })
        .on_shutdown(move |_| {
            let refusals = told.clone();
            async move { refusals.flush().await }
        })
        .tool::<tools::Complete>()
        .tool::<tools::RouteExplain>()
        .tool::<tools::ListModels>()
        .tool::<tools::Providers>()
        .tool::<tools::ProviderReset>()
        .tool::<tools::Budgets>()
        .tool::<tools::BudgetSet>()
        .tool::<tools::Compare>()
        .tool::<tools::AnswerRest>()
        .resource::<resources::Budgets>()
        .resource::<resources::Providers>()
        .resource::<resources::Answer>()
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
        let store = callboard_board::open(&config.board.value).with_context(|| {
            format!(
                "the board in {}; look at the directory's rights, or name another board with --board",
                config.board.value.display()
            )
        })?;
        let _learning = callboard_crew::learn_secrets(&environment, &config, Some(&store));
        let spans = callboard_crew::send_spans(&environment, &config.board);
        let models = open(&environment, &config, &store).await?;
        let duties = models.keep();
        let served = callboard_mcp::serve_stdio(mount(&environment, &config, models)).await;
        duties.end().await;
        spans.finish().await;
        Ok::<_, anyhow::Error>(served?)
    })?
}
