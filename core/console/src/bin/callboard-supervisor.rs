//! For: trying a command under the supervisor by hand, and being the supervisor in this crate's tests.
//! Not for: running agents; that is `callboard run`.

use std::{ffi::OsString, io::Write, path::Path, process::ExitCode, time::Duration};

use callboard_console::{Ending, Outcome, Spec, spawn, supervise_if_asked, this_program};

const USAGE: &str = "usage: callboard-supervisor LOG [NAME=VALUE ...] PROGRAM [ARGUMENT ...]
Runs PROGRAM with exactly the variables given, its output in LOG, and prints how it ended as JSON.";

fn main() -> ExitCode {
    supervise_if_asked();
    match parse(std::env::args_os().skip(1)) {
        Some(spec) => run(spec).unwrap_or_else(|message| fail(&message)),
        None => fail(USAGE),
    }
}

fn parse(arguments: impl Iterator<Item = OsString>) -> Option<Spec> {
    let mut words = arguments
        .map(OsString::into_string)
        .collect::<Result<Vec<_>, _>>()
        .ok()?
        .into_iter();
    let log = std::path::absolute(words.next()?).ok()?;
    let words: Vec<String> = words.collect();
    let variables = words.iter().map_while(|word| word.split_once('='));
    let env: Vec<(String, String)> = variables
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let (program, args) = words[env.len()..].split_first()?;
    Some(Spec {
        program: program.clone(),
        args: args.to_vec(),
        cwd: std::env::current_dir().ok()?,
        env,
        stdin: None,
        log,
        log_limit: 16 * 1024 * 1024,
        timeout: None,
        grace: Duration::from_secs(5),
    })
}

fn run(spec: Spec) -> Result<ExitCode, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let program = this_program().map_err(|error| error.to_string())?;
    let ending = runtime
        .map_err(|error| error.to_string())?
        .block_on(supervised(&program, spec))?;
    let line = serde_json::to_string(&ending).map_err(|error| error.to_string())?;
    // A reader that went away does not change how the command ended.
    let _ = writeln!(std::io::stdout(), "{line}");
    Ok(if ending.outcome == Outcome::Exited(0) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn supervised(program: &Path, spec: Spec) -> Result<Ending, String> {
    let mut running = spawn(program, spec)
        .await
        .map_err(|error| error.to_string())?;
    Ok(running.wait().await)
}

fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(2)
}
