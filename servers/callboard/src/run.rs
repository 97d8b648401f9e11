//! `callboard run`: from a path to a worked roadmap.

use crate::{example, show};
use anyhow::Context as _;
use callboard_config::{Config, Environment, Overrides, Projects};
use callboard_crew::{Again, Agent, Crew, Report, Setup, users_vault};
use callboard_models::Models;
use callboard_store::actor::{self, Actor};
use callboard_store::{Clock, Ids, SystemClock};
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What `callboard run` takes.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// A repository with a ROADMAP.md, or an example of this project (a copy of it is worked).
    #[arg(default_value = ".")]
    path: PathBuf,
    /// The agent: a configured name, or a command line (it gets the prompt on standard input).
    #[arg(long, value_name = "NAME|COMMAND")]
    agent: Option<String>,
    /// A variable of your environment that the agent may see; can be given several times.
    #[arg(long, value_name = "NAME")]
    pass_env: Vec<String>,
    /// How many agents work at once.
    #[arg(long, value_name = "N")]
    agents: Option<u32>,
    /// How often an item is tried before it is left for a person.
    #[arg(long, value_name = "N")]
    attempts: Option<u32>,
    /// How long an agent may take for one attempt ("30m").
    #[arg(long, value_name = "TIME", value_parser = callboard_config::parse_duration)]
    timeout: Option<Duration>,
    /// The branch that results are merged into; `main` only if you name it here.
    #[arg(long, value_name = "BRANCH")]
    onto: Option<String>,
    /// The roadmap, relative to the repository.
    #[arg(long, value_name = "FILE")]
    roadmap: Option<PathBuf>,
    /// The command that runs the project's tests, instead of the configured or detected one.
    #[arg(long, value_name = "COMMAND")]
    tests: Option<String>,
    /// The directory of the board.
    #[arg(long, value_name = "DIR")]
    board: Option<PathBuf>,
    /// Try again what failed or was left for a person in an earlier run.
    #[arg(long)]
    retry: bool,
    /// Where an example's copy goes; must not exist yet.
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Print events as JSON, one a line.
    #[arg(long)]
    json: bool,
}

/// The exit code when some items need a person.
const NEEDS_PERSON: u8 = 2;
/// The exit code after Ctrl-C, as shells have it.
const INTERRUPTED: u8 = 130;

/// Works a repository, or a copy of an example.
///
/// # Errors
/// Whatever keeps work from beginning or ends it early.
pub fn run(args: &RunArgs, environment: Environment) -> anyhow::Result<ExitCode> {
    let ended = begin(args, environment);
    if let Err(error) = &ended
        && args.json
    {
        let line = serde_json::json!({"event": "error", "error": format!("{error:#}")});
        writeln!(std::io::stdout(), "{line}")?;
    }
    ended
}

fn begin(args: &RunArgs, environment: Environment) -> anyhow::Result<ExitCode> {
    let path = environment.cwd().join(&args.path);
    anyhow::ensure!(path.is_dir(), "{} is not a directory", path.display());
    let path = if example::is_example(&path) {
        example::copy(&path, args.to.as_deref(), &environment, args.json)?
    } else {
        anyhow::ensure!(
            args.to.is_none(),
            "--to is for examples, and {} is a repository of its own",
            path.display()
        );
        path
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let code = runtime.block_on(work(args, environment, &path));
    runtime.shutdown_timeout(Duration::from_secs(2));
    code
}

async fn work(args: &RunArgs, environment: Environment, path: &Path) -> anyhow::Result<ExitCode> {
    let root = callboard_worktree::Repo::discover(path, "callboard")?
        .root()
        .to_path_buf();
    let again = go_on(args, &environment, &root);
    let user = environment.user();
    let config = Config::load(&environment, Some(&root), &overrides(args))?;
    callboard_telemetry::init_tracing(config.log.level.value.as_str(), log_format(&config))?;
    let program = callboard_console::this_program()?;
    let mut agent = Agent::choose(&config, &root, &program)?;
    agent.pass_env.extend(args.pass_env.iter().cloned());
    let board = config.board.value.clone();
    remember_board(&environment, &root, args)?;
    let store = callboard_board::open(&board)
        .with_context(|| format!("opening the board {}", board.display()))?;
    let _learning = callboard_crew::learn_secrets(&environment, &config, Some(&store));
    let spans = callboard_crew::send_spans(&environment, &board);
    let models = crate::models::beside(&environment, &config, root.clone(), &store).await;
    let duties = models.as_ref().map(Models::keep);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let vault = users_vault(
        &environment,
        &config,
        Arc::clone(&clock),
        Some(crate::vault::asking()),
    );
    let crew = Crew::open(Setup {
        path: root.clone(),
        environment,
        config,
        agent,
        supervisor: program,
        store,
        vault,
        keys: Some(callboard_roadmap_server::GATEWAY_KEYS),
        clock,
        ids: Ids::system(),
        chosen: Vec::new(),
        again: if args.retry {
            Again::Retry
        } else {
            Again::Leave
        },
    })?;
    let stop = CancellationToken::new();
    let shown = actor::spawn(show::follow(crew.events(), style(args)));
    actor::spawn(stop_on_signal(stop.clone()));
    let actor = Arc::new(Actor::command(&user, "run"));
    let report = actor::scope(actor, crew.run(stop.clone())).await;
    if let Some(duties) = duties {
        duties.end().await;
    }
    // The listener ends with the last sender.
    drop(crew);
    let _ = tokio::time::timeout(Duration::from_secs(2), shown).await;
    spans.finish().await;
    finish(args, &again, &report?, stop.is_cancelled())
}

/// How to go on: the same agent, onto the same branch.
fn go_on(args: &RunArgs, environment: &Environment, root: &Path) -> String {
    let mut again = show::run_again(environment, root);
    let given = [
        ("--agent", args.agent.as_ref()),
        ("--onto", args.onto.as_ref()),
    ];
    for (flag, value) in given {
        if let Some(value) = value {
            again.push_str(&format!(" {flag} {}", show::quoted(Path::new(value))));
        }
    }
    for name in &args.pass_env {
        again.push_str(&format!(" --pass-env {name}"));
    }
    again
}

fn overrides(args: &RunArgs) -> Overrides {
    Overrides {
        board: args.board.clone(),
        agents: args.agents,
        agent: args.agent.clone(),
        attempts: args.attempts,
        task_timeout: args.timeout,
        integration_branch: args.onto.clone(),
        roadmap: args.roadmap.clone(),
        test_command: args.tests.clone(),
        ..Overrides::default()
    }
}

/// A board named on the command line is the project's board from then on, so that the next call without
/// the flag goes on where this one stopped.
fn remember_board(environment: &Environment, root: &Path, args: &RunArgs) -> anyhow::Result<()> {
    if let Some(board) = &args.board {
        Projects::of(environment)?.set_board(root, &environment.cwd().join(board))?;
    }
    Ok(())
}

fn log_format(config: &Config) -> callboard_telemetry::LogFormat {
    match config.log.format.value {
        callboard_config::LogStyle::Json => callboard_telemetry::LogFormat::Json,
        callboard_config::LogStyle::Text => callboard_telemetry::LogFormat::Text,
    }
}

fn style(args: &RunArgs) -> show::Style {
    if args.json {
        show::Style::Json
    } else if std::io::stderr().is_terminal() && std::io::stdout().is_terminal() {
        show::Style::Live
    } else {
        show::Style::Lines
    }
}

/// The first signal stops cleanly; the second ends at once (the supervisors then end what they lead).
async fn stop_on_signal(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if stop.is_cancelled() {
            std::process::exit(i32::from(INTERRUPTED));
        }
        let _ = writeln!(
            std::io::stderr(),
            "stopping: ending the agents (once more ends at once)"
        );
        stop.cancel();
    }
}

fn finish(args: &RunArgs, again: &str, report: &Report, stopped: bool) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    if !args.json {
        show::table(&mut out, report)?;
        if stopped {
            writeln!(out, "\nStopped. Nothing is lost; to go on: {again}")?;
        } else if !report.all_done() {
            writeln!(
                out,
                "\nSome items need a person. When that is done: {again} --retry"
            )?;
        }
    }
    Ok(if stopped {
        ExitCode::from(INTERRUPTED)
    } else if report.all_done() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NEEDS_PERSON)
    })
}
