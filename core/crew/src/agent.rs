//! Who does the work: any command, or the embedded stand-in.
//!
//! An agent gets its brief on standard input and in a file, works in a worktree of its own with a
//! minimal environment, and reports by its exit code and, if it likes, by a JSON file. Whether it
//! succeeded is not its word but what is verified afterwards.

use crate::error::CrewError;
use crate::stand_in::{self, StandInEnv};
use callboard_config::{Config, Environment, Source, Template};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// The largest report that is read.
const MAX_REPORT: u64 = 1024 * 1024;

/// A command that works on items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Its name, for people.
    pub name: String,
    /// The program and its arguments; no shell.
    pub argv: Vec<String>,
    /// Variables of the user's environment that it gets besides the minimal ones.
    pub pass_env: Vec<String>,
    /// Variables of its own; their values may name secrets of the vault.
    pub env: BTreeMap<String, Template>,
    /// Its time limit, where it has one of its own.
    pub timeout: Option<Duration>,
    /// Whether each attempt gets a key for models, and is told to use it.
    pub gateway: bool,
}

/// The hidden argument by which our own program plays the stand-in.
pub const STAND_IN_ARGUMENT: &str = "__stand-in";

/// Plays the stand-in when this process was started as it: the second line of a `main`, after
/// `callboard_console::supervise_if_asked`.
#[must_use]
pub fn play_if_asked(environment: &Environment) -> Option<ExitCode> {
    if std::env::args_os().nth(1)? != STAND_IN_ARGUMENT {
        return None;
    }
    let told = StandInEnv::from_lookup(|name| environment.get(name).map(OsStr::to_owned));
    let mut log = std::io::stdout();
    let code = match told {
        Ok(told) => stand_in::stand_in_main(&told, &mut log),
        Err(error) => {
            let _ = writeln!(log, "the stand-in is started by callboard: {error}");
            stand_in::EXIT_BAD_PREPARED
        }
    };
    Some(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// The agent that this process works for, where an agent's client started it: the name it works under, else its
/// attempt.
#[must_use]
pub fn agent_of(environment: &Environment) -> Option<String> {
    let named = ["CALLBOARD_WORKER", "CALLBOARD_ATTEMPT"]
        .into_iter()
        .filter_map(|name| environment.get(name)?.to_str());
    let mut named = named.map(|name| name.chars().take(120).collect::<String>());
    named.find(|name| !name.is_empty())
}

impl Agent {
    /// The agent named on the command line; else the stand-in, where the repository ships prepared edits
    /// (so that an example costs nothing); else the agent that the configuration names.
    ///
    /// # Errors
    /// [`CrewError::Refused`] when there is neither, saying how to name one.
    pub fn choose(config: &Config, root: &Path, program: &Path) -> Result<Agent, CrewError> {
        let named = matches!(config.run.agent.source, Source::Flag { .. });
        if !named && stand_in::has_prepared(root) {
            return Ok(Agent::stand_in(program));
        }
        if let Some(agent) = config.chosen_agent()? {
            return Ok(Agent {
                name: agent.name.clone(),
                argv: agent.command.value.clone(),
                pass_env: agent.pass_env.value.clone(),
                env: agent.env.clone(),
                timeout: agent.timeout.value,
                gateway: agent.gateway.value,
            });
        }
        Err(CrewError::refused(
            format!(
                "no agent is named for {}, and it ships no prepared edits for the stand-in to play",
                root.display()
            ),
            "name one: --agent 'claude -p --permission-mode acceptEdits', or in your configuration file \
             [agents.claude] command = [\"claude\", \"-p\"] and then --agent claude",
        ))
    }

    /// The embedded stand-in: no model, it plays the edits that a repository ships.
    #[must_use]
    pub fn stand_in(program: &Path) -> Agent {
        Agent {
            name: "stand-in".to_owned(),
            argv: vec![
                program.to_string_lossy().into_owned(),
                STAND_IN_ARGUMENT.to_owned(),
            ],
            pass_env: Vec::new(),
            env: BTreeMap::new(),
            timeout: None,
            gateway: false,
        }
    }
}

/// What an agent may say about its work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AgentReport {
    /// What it did.
    pub summary: Option<String>,
    /// How the commit is to be named.
    pub commit: CommitWish,
    /// Check-boxes that are completed, by their text.
    pub deliverables: Vec<String>,
    /// Why a person must decide.
    pub needs_person: Option<String>,
}

/// How an agent wants its commit named; what is missing or unfit is filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct CommitWish {
    /// A type of Conventional Commits.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The part of the project.
    pub scope: Option<String>,
    /// The first line, without type and scope.
    pub subject: Option<String>,
}

impl AgentReport {
    /// Reads the report; an agent need not write one, but a broken one is said.
    ///
    /// # Errors
    /// What is wrong with the file, for the agent.
    pub fn read(path: &Path) -> Result<AgentReport, String> {
        let length = match std::fs::metadata(path) {
            Ok(meta) => meta.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(AgentReport::default());
            }
            Err(error) => {
                return Err(format!(
                    "the report {} can't be read: {error}",
                    path.display()
                ));
            }
        };
        if length > MAX_REPORT {
            return Err(format!(
                "the report {} has {length} bytes, at most {MAX_REPORT}",
                path.display()
            ));
        }
        let bytes = std::fs::read(path)
            .map_err(|error| format!("the report {} can't be read: {error}", path.display()))?;
        // What an agent says goes onto the board, into commits and pull requests.
        serde_json::from_slice(&callboard_redact::scrub_bytes(&bytes)).map_err(|error| {
            format!(
                "the report {} is not the JSON that was asked for: {error}",
                path.display()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str) -> Result<AgentReport, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.json");
        std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), text.as_bytes())
            .unwrap();
        AgentReport::read(&path)
    }

    #[test]
    fn a_report_may_be_partial_or_missing_but_not_broken() {
        let partial = report(r#"{"summary": "Added totals", "commit": {"type": "fix"}}"#).unwrap();
        assert_eq!(partial.summary.as_deref(), Some("Added totals"));
        assert_eq!(partial.commit.kind.as_deref(), Some("fix"));
        assert_eq!(
            AgentReport::read(Path::new("/nonexistent/report.json")),
            Ok(AgentReport::default())
        );
        assert!(report("{").unwrap_err().contains("not the JSON"));
    }
}
