//! `callboard doctor`: what is present, what is missing, who needs it, and what to type.
//! For: looking, with every outside program bounded in time. It exits 1 only for what stops `callboard run`.
//! Not for: mending or creating anything; a board that does not exist yet is not made.

mod access;
mod board;
mod configuration;
mod models;
mod probe;
mod programs;
mod projects;
mod tell;

use callboard_config::{Config, Environment, Overrides, Source};
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `callboard doctor`.
#[derive(Debug, Clone, clap::Args)]
pub struct DoctorArgs {
    /// The project in question; by default the one around the current directory
    #[arg(long, value_name = "DIR")]
    pub path: Option<PathBuf>,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// How a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Present and in order.
    Ok,
    /// Absent, which stops nothing that the user may not care about.
    Missing,
    /// Worth knowing; stops nothing by itself.
    Note,
    /// Stops `callboard run`.
    Problem,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Note => "note",
            Self::Problem => "PROBLEM",
        }
    }
}

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    group: &'static str,
    name: String,
    state: State,
    /// What was found: a version, a path, a count.
    found: String,
    /// Who needs it; empty where that is plain.
    needed_by: &'static str,
    /// What to do or to type; empty when there is nothing to do.
    advice: String,
}

impl Check {
    pub(crate) fn new(
        group: &'static str,
        name: impl Into<String>,
        state: State,
        found: impl Into<String>,
    ) -> Self {
        Self {
            group,
            name: name.into(),
            state,
            found: found.into(),
            needed_by: "",
            advice: String::new(),
        }
    }

    pub(crate) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    fn needed_by(mut self, who: &'static str) -> Self {
        self.needed_by = who;
        self
    }
}

/// A setting and the place it came from.
#[derive(Debug, Serialize)]
struct SettingRow {
    key: String,
    value: String,
    source: String,
}

#[derive(Debug, Serialize)]
struct Answer {
    version: &'static str,
    healthy: bool,
    project: Option<PathBuf>,
    checks: Vec<Check>,
    settings: Vec<SettingRow>,
}

/// Looks at everything and tells: 0 when nothing stops `callboard run`, else 1.
///
/// # Errors
/// Only when the answer can't be written.
pub fn doctor(
    args: &DoctorArgs,
    environment: &Environment,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let answer = examine(args, environment);
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &answer)?;
        writeln!(out)?;
    } else {
        tell::tell(&answer, out)?;
    }
    Ok(if answer.healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

fn examine(args: &DoctorArgs, environment: &Environment) -> Answer {
    let start = match &args.path {
        Some(path) => environment.cwd().join(path),
        None => environment.cwd().to_owned(),
    };
    let project = project_around(&start);
    let config = Config::load_cautious(environment, project.as_deref(), &Overrides::default());
    let mut checks = programs::checks(environment);
    checks.extend(configuration::checks(
        environment,
        project.as_deref(),
        &config,
    ));
    let board = match &config {
        Ok((config, _)) => Some(config.board.value.clone()),
        Err(_) => environment.default_board().ok(),
    };
    if let Some(board) = board {
        checks.extend(board::checks(&board));
    }
    checks.extend(crate::vault::standing(environment));
    if let Ok((config, _)) = &config {
        checks.extend(access::checks(environment, config));
        checks.extend(models::checks(environment, config));
    }
    checks.extend(projects::checks(environment));
    let settings = config
        .map(|(config, _)| config.settings())
        .unwrap_or_default();
    Answer {
        version: env!("CARGO_PKG_VERSION"),
        healthy: checks.iter().all(|check| check.state != State::Problem),
        project,
        checks,
        settings: settings.into_iter().map(setting_row).collect(),
    }
}

fn setting_row((key, value, source): (String, String, Source)) -> SettingRow {
    SettingRow {
        key,
        value,
        source: source.to_string(),
    }
}

/// The directory, or the nearest one above it, that holds a repository.
fn project_around(start: &Path) -> Option<PathBuf> {
    let start = start.canonicalize().ok()?;
    start
        .ancestors()
        .find(|dir| dir.join(".git").exists())
        .map(Path::to_owned)
}

#[cfg(test)]
mod tests;
