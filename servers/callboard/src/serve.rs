//! `callboard serve`: every server in one process, over HTTP.
//!
//! For: the address, TLS, and putting the servers together. Not for: the protocol (callboard_mcp), or what
//! the servers do.

use crate::serve_models;
use crate::token::local;
use anyhow::Context as _;
use callboard_config::{Access, AccessRole, Config, Environment, LogStyle, Overrides, Serve};
use callboard_mcp::access::{Loopback, Policy, TokenGate};
use callboard_mcp::http::{
    EndedAtOnce, Http, Limits, ListenError, Listener, NameError, Names, Plaintext, Stop,
};
use callboard_mcp::{Gate, Role};
use callboard_store::actor::{Actor, scope_now};
use callboard_store::{Store, SystemClock};
use callboard_telemetry::metrics::{CONTENT_TYPE, Metrics};
use callboard_telemetry::{CallLog, CallLogError, LogFormat, init_tracing};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// The address to listen on instead of `serve.listen`; port 0 takes a free one. One that other machines can reach needs TLS.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// The directory of the board.
    #[arg(long, value_name = "DIR")]
    board: Option<PathBuf>,
    /// The certificate chain (PEM) to serve TLS with.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key (PEM) of the certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Listen without TLS where other machines can reach it: whoever sees the network can read the tokens.
    #[arg(long, conflicts_with = "tls_cert")]
    insecure_plaintext: bool,
}

/// Serves until SIGTERM or SIGINT, and prints where as its one line.
pub(crate) fn serve(args: &ServeArgs, environment: &Environment) -> anyhow::Result<ExitCode> {
    let flags = Overrides {
        board: args.board.clone(),
        ..Overrides::default()
    };
    let config = Config::for_server(environment, &flags)?;
    let format = match config.log.format.value {
        LogStyle::Text => LogFormat::Text,
        LogStyle::Json => LogFormat::Json,
    };
    init_tracing(config.log.level.as_str(), format)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let store = callboard_board::open(&config.board)
        .with_context(|| format!("opening the board in {}", config.board.display()))?;
    // Without a home there is no place for the user's own token; those on the board work all the same.
    let actor = Arc::new(Actor::command(&environment.user(), "serve"));
    match scope_now(actor, || local::ensure(environment, &store)) {
        Ok(local) => {
            if let Some(kept_out) = local.kept_out {
                tracing::warn!("the token is in {}. {kept_out}", local.file.display());
            }
        }
        Err(error) => tracing::warn!("the user's own token: {error:#}"),
    }
    callboard_mcp::run(run(args, environment.clone(), config, store))?
}

async fn run(
    args: &ServeArgs,
    environment: Environment,
    config: Config,
    store: Store,
) -> anyhow::Result<ExitCode> {
    let stop = Stop::on_signals()?;
    let _learning = callboard_crew::learn_secrets(&environment, &config, Some(&store));
    let models = callboard_llm_server::open(&environment, &config, &store).await?;
    let spans = callboard_crew::send_spans(&environment, &config.board);
    let listener = listen(args, &config).await?;
    let gate = Arc::new(TokenGate::new(
        store,
        Arc::new(SystemClock),
        policy(&config.access),
    ));
    let figures = Figures::of(&config).await;
    let mut http = Http::new(Arc::clone(&gate) as Arc<dyn Gate>)
        .page("/metrics", CONTENT_TYPE, move || figures.clone().page())
        .names(names(&config.serve, &listener)?)
        .limits(limits(&config.serve))
        .mount(
            callboard_assigner_server::mount(&environment, config.clone())?
                .refusals(gate.refusals().clone()),
        )
        .mount(
            callboard_roadmap_server::mount(environment.clone(), config.clone())?
                .refusals(gate.refusals().clone()),
        )
        .mount(
            callboard_llm_server::mount(&environment, &config, models.clone())
                .refusals(gate.refusals().clone()),
        )
        .mount(
            callboard_telemetry_server::mount(&environment, &config)?
                .refusals(gate.refusals().clone()),
        );
    if let Some(gateway) = serve_models::gateway(&models) {
        http = http.endpoints(gateway);
    }
    let duties = models.keep();
    writeln!(std::io::stdout(), "listening on {}", listener.url())?;
    let served = http.serve(listener, stop).await;
    gate.refusals().flush().await;
    duties.end().await;
    spans.finish().await;
    match served {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error @ EndedAtOnce { .. }) => Err(error.into()),
    }
}

/// The figures of the board at `/metrics`.
#[derive(Clone)]
struct Figures {
    log: CallLog,
    /// Made at the start, or at the first look where that failed.
    metrics: Arc<OnceLock<Arc<Metrics>>>,
}

impl Figures {
    async fn of(config: &Config) -> Self {
        let figures = Figures {
            log: CallLog::open(&config.board),
            metrics: Arc::default(),
        };
        if let Err(error) = figures.metrics().await {
            tracing::warn!("/metrics has no figures: {error}");
        }
        figures
    }

    async fn metrics(&self) -> Result<Arc<Metrics>, CallLogError> {
        if let Some(metrics) = self.metrics.get() {
            return Ok(Arc::clone(metrics));
        }
        let made = Arc::new(self.log.metrics().await?);
        Ok(Arc::clone(self.metrics.get_or_init(|| made)))
    }

    async fn page(self) -> Result<String, String> {
        let metrics = self.metrics().await.map_err(|error| error.to_string())?;
        let page = self.log.query(move |c| metrics.page(c)).await;
        page.map_err(|error| error.to_string())
    }
}

/// Who is let in.
fn policy(access: &Access) -> Policy {
    Policy {
        loopback: access
            .loopback
            .map_or(Loopback::Token, |role| Loopback::Open(role_of(role))),
        rate: *access.rate,
        rate_unauthenticated: *access.rate_unauthenticated,
    }
}

fn role_of(role: AccessRole) -> Role {
    match role {
        AccessRole::Viewer => Role::Viewer,
        AccessRole::Developer => Role::Developer,
        AccessRole::Admin => Role::Admin,
    }
}

/// What requests may name: this machine, the very address that is bound, and what the user said.
fn names(serve: &Serve, listener: &Listener) -> anyhow::Result<Names> {
    let wrong = |error: NameError| {
        let key = match error {
            NameError::Host(_) => "serve.hosts",
            NameError::Origin(_) => "serve.origins",
        };
        anyhow::anyhow!("{key}: {error}")
    };
    let bound = listener.address();
    let own = (!bound.ip().is_unspecified()).then(|| bound.to_string());
    let hosts = serve.hosts.iter().cloned().chain(own);
    Names::loopback()
        .and(hosts, serve.origins.iter())
        .map_err(wrong)
}

fn limits(serve: &Serve) -> Limits {
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Limits {
        connections: count(*serve.connections),
        sessions: count(*serve.sessions),
        sessions_per_caller: count(*serve.sessions_per_caller),
        head_bytes: count(*serve.head_bytes),
        body_bytes: count(*serve.body_bytes),
        head_within: *serve.head_timeout,
        body_within: *serve.body_timeout,
        answer_within: *serve.answer_timeout,
        write_stalled: *serve.write_timeout,
        connection_idle: *serve.idle_timeout,
        session_idle: *serve.session_idle,
        resume_within: *serve.resume_within,
        ending: *serve.stop_within,
        ..Limits::default()
    }
}

async fn listen(args: &ServeArgs, config: &Config) -> anyhow::Result<Listener> {
    let address = args.listen.unwrap_or(*config.serve.listen);
    let plaintext = if args.insecure_plaintext {
        Plaintext::Anywhere
    } else {
        Plaintext::Loopback
    };
    let bound = match (&args.tls_cert, &args.tls_key) {
        (Some(chain), Some(key)) => Listener::tls(address, chain, key).await,
        _ => Listener::plain(address, plaintext).await,
    };
    bound.map_err(|error: ListenError| anyhow::anyhow!("{error}\nHint: {}", error.hint()))
}
