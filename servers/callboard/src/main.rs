//! The one command: works a roadmap, runs any server on stdio, and does the everyday chores.
//!
//! For: turning what was typed into calls of the core, and what comes back into something to read.
//! Not for: deciding anything about tasks, git or agents.

mod audit;
mod backup;
mod doctor;
mod evaluate;
mod example;
mod hidden;
mod init;
mod models;
mod out;
mod prices;
mod questions;
mod run;
mod serve;
mod serve_models;
mod show;
mod test;
mod token;
mod trust;
mod vault;
mod when;

use callboard_config::{Config, Environment, Overrides};
use callboard_crew::CrewError;
use callboard_worktree::GitError;
use clap::{Parser, Subcommand};
use std::io::Write as _;
use std::process::ExitCode;

/// Runs an orchestra of coding agents: a roadmap worked on branches, and the MCP servers behind it.
#[derive(Debug, Parser)]
#[command(
    name = "callboard",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Work a repository's ROADMAP.md to its end, with several agents at once.
    Run(run::RunArgs),
    /// The MCP server for the board (tasks, leases, waits), on standard input and output.
    Assigner(ServerArgs),
    /// The MCP server that works a roadmap, on standard input and output.
    Roadmap(ServerArgs),
    /// The MCP server that asks models by route and tells their limits and prices, on standard input and output.
    Llm(ServerArgs),
    /// The MCP server for what calls to models cost and how they went, on standard input and output.
    Telemetry(ServerArgs),
    /// Every MCP server in one process, over HTTP.
    Serve(serve::ServeArgs),
    /// Make, list and revoke the tokens that HTTP clients show.
    Token(token::TokenArgs),
    /// Show who changed what on the board, why and from where.
    Audit(audit::AuditArgs),
    /// Copy the board and the call log, checked, while everything goes on.
    Backup(backup::BackupArgs),
    /// Make a board of a backup.
    Restore(backup::RestoreArgs),
    /// Write the servers into an MCP client's file, keeping what is there; undo it.
    Init(init::InitArgs),
    /// Run scenario files against MCP servers, ours or any.
    Test(test::TestArgs),
    /// Compare ways of choosing models, on prompts that several have answered.
    Evaluate(evaluate::EvaluateArgs),
    /// Tell what is present, what is missing, and what to type.
    Doctor(doctor::DoctorArgs),
    /// Trust a project's callboard.toml to name commands.
    Trust(trust::TrustArgs),
    /// List the questions that wait for a person.
    Questions(questions::QuestionsArgs),
    /// Answer a question; the call that asked it goes on when it is made again.
    Answer(questions::AnswerArgs),
    /// Show what models cost, and put newer prices in force.
    Prices(prices::PricesArgs),
    /// Keep secrets, such as API keys, encrypted; configuration names them, agents get them.
    Vault(vault::VaultArgs),
}

#[derive(Debug, clap::Args)]
struct ServerArgs {
    /// The directory of the board.
    #[arg(long, value_name = "DIR")]
    board: Option<std::path::PathBuf>,
}

/// As shells show a program that ended because nobody read its output: no success, as the rest is unknown.
const UNREAD: u8 = 141;

fn main() -> ExitCode {
    callboard_redact::guard_panics();
    callboard_console::supervise_if_asked();
    let environment = Environment::from_process();
    if let Some(code) = callboard_crew::play_if_asked(&environment) {
        return code;
    }
    if let Err(full) =
        callboard_redact::inherit(|name| environment.get(name)?.to_str().map(str::to_owned))
    {
        let _ = writeln!(std::io::stderr(), "callboard: {full}");
        return ExitCode::from(1);
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            tell_misuse(&error);
            // 2 means that items need a person, so a slip of the keyboard must not.
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    let mut out = out::Out::new();
    match dispatch(arguments, environment, &mut out) {
        Ok(code) => code,
        Err(_) if out.is_unread() => ExitCode::from(UNREAD),
        Err(error) => {
            let told = told(&error);
            let _ = writeln!(
                std::io::stderr(),
                "callboard: {}",
                callboard_redact::scrub(&told)
            );
            ExitCode::from(1)
        }
    }
}

/// Says what is wrong with the command line; a value of a secret in it is not repeated.
fn tell_misuse(error: &clap::Error) {
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let said = error.to_string();
    match vault::refuse_shown_values(&said, &words) {
        Some(clean) if clean != said => {
            let _ = write!(std::io::stderr(), "{clean}");
        }
        _ => drop(error.print()),
    }
}

/// What went wrong and, where that is known, what to do about it.
fn told(error: &anyhow::Error) -> String {
    if let Some(crew) = error.downcast_ref::<CrewError>() {
        return crew.advice();
    }
    match error.downcast_ref::<GitError>().and_then(GitError::hint) {
        Some(hint) => format!("{error:#}\nHint: {hint}"),
        None => format!("{error:#}"),
    }
}

fn dispatch(
    arguments: Arguments,
    environment: Environment,
    out: &mut out::Out,
) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Run(args) => run::run(&args, environment),
        Command::Assigner(args) => serve(&args, &environment, callboard_assigner_server::serve),
        Command::Roadmap(args) => serve(&args, &environment, callboard_roadmap_server::serve),
        Command::Llm(args) => serve(&args, &environment, callboard_llm_server::serve),
        Command::Telemetry(args) => serve(&args, &environment, callboard_telemetry_server::serve),
        Command::Serve(args) => serve::serve(&args, &environment),
        Command::Token(args) => token::token(&args, &environment, out),
        Command::Audit(args) => audit::audit(&args, &environment, out),
        Command::Backup(args) => backup::backup(&args, &environment, out),
        Command::Restore(args) => backup::restore(&args, &environment, out),
        Command::Init(args) => init::init(&args, &environment, out),
        Command::Test(args) => test::test(&args, &environment, out),
        Command::Evaluate(args) => evaluate::evaluate(&args, &environment, out),
        Command::Doctor(args) => doctor::doctor(&args, &environment, out),
        Command::Trust(args) => trust::trust(&args, &environment, out),
        Command::Questions(args) => questions::questions(&args, &environment, out),
        Command::Answer(args) => questions::answer(&args, &environment, out),
        Command::Prices(args) => prices::prices(&args, &environment, out),
        Command::Vault(args) => vault::vault(&args, &environment, out),
    }
}

fn serve(
    args: &ServerArgs,
    environment: &Environment,
    server: impl FnOnce(Environment, Config) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    let flags = Overrides {
        board: args.board.clone(),
        ..Overrides::default()
    };
    server(
        environment.clone(),
        Config::for_server(environment, &flags)?,
    )?;
    Ok(ExitCode::SUCCESS)
}
