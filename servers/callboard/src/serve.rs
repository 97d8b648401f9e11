//! `callboard serve`: every server in one process, over HTTP.
//!
//! For: the address, TLS, and putting the servers together. Not for: the protocol (callboard_mcp), or what
//! the servers do.

use callboard_config::{Config, Environment, LogStyle, Overrides, Serve};
use callboard_mcp::http::{
    EndedAtOnce, Http, Limits, ListenError, Listener, NameError, Names, Open, Plaintext, Stop,
};
use callboard_mcp::{Gate, Role};
use callboard_telemetry::{LogFormat, init_tracing};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// The address to listen on instead of `serve.listen`; port 0 takes a free one.
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
    callboard_mcp::run(run(args, environment.clone(), config))?
}

async fn run(
    args: &ServeArgs,
    environment: Environment,
    config: Config,
) -> anyhow::Result<ExitCode> {
    let stop = Stop::on_signals()?;
    let listener = listen(args, *config.serve.listen).await?;
    let http = Http::new(gate())
        .names(names(&config.serve)?)
        .limits(limits(&config.serve))
        .mount(callboard_assigner_server::mount(config.clone())?)
        .mount(callboard_roadmap_server::mount(environment, config)?);
    writeln!(std::io::stdout(), "listening on {}", listener.url())?;
    match http.serve(listener, stop).await {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error @ EndedAtOnce { .. }) => Err(error.into()),
    }
}

/// Who is let in.
fn gate() -> Arc<dyn Gate> {
    Arc::new(Open(Role::Admin))
}

/// Which hosts and pages requests may name, beside those of this machine.
fn names(serve: &Serve) -> anyhow::Result<Names> {
    let wrong = |error: NameError| {
        let key = match error {
            NameError::Host(_) => "serve.hosts",
            NameError::Origin(_) => "serve.origins",
        };
        anyhow::anyhow!("{key}: {error}")
    };
    Names::loopback()
        .and(serve.hosts.iter(), serve.origins.iter())
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

async fn listen(args: &ServeArgs, configured: SocketAddr) -> anyhow::Result<Listener> {
    let address = args.listen.unwrap_or(configured);
    // Whoever reaches us is let in, so only this machine's users may.
    if !address.ip().is_loopback() {
        anyhow::bail!(
            "{address} is not a loopback address, and `callboard serve` asks for no token yet\nHint: listen on 127.0.0.1, \
             and reach it from elsewhere through ssh: ssh -L {port}:127.0.0.1:{port} HOST",
            port = address.port()
        );
    }
    let bound = match (&args.tls_cert, &args.tls_key) {
        (Some(chain), Some(key)) => Listener::tls(address, chain, key).await,
        _ => Listener::plain(address, Plaintext::Loopback).await,
    };
    bound.map_err(|error: ListenError| anyhow::anyhow!("{error}\nHint: {}", error.hint()))
}
