//! The settings the rest of the program reads: typed, complete, each with the place it came from.
//! For: everything above this crate.
//! Not for: parsing; a value in here has passed its check.

use crate::access::Access;
use crate::agent::{self, Agent};
use crate::duration::format_duration;
use crate::environment::Environment;
use crate::error::{ConfigError, Source, Untrusted, shown};
use crate::layers::{Layers, Overrides, WhenUntrusted};
use crate::llm::{Models, Problems};
use crate::log::Log;
use crate::nearest::did_you_mean;
use crate::serve::Serve;
use crate::take::{Take, by_default, named_in, row};
use crate::vault::Vault;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The name under which the embedded stand-in is shown; no configured agent may take it.
pub const STAND_IN: &str = "stand-in";

/// A value and where it came from. Reads as the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Who said so.
    pub source: Source,
}

impl<T> Deref for Setting<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// All settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directory of the board, absolute; it may not exist yet.
    pub board: Setting<PathBuf>,
    /// How a roadmap is worked.
    pub run: Run,
    /// How a project's tests are run.
    pub tests: Tests,
    /// Configured agents by name.
    pub agents: BTreeMap<String, Agent>,
    /// How the vault's passphrase is had.
    pub vault: Vault,
    /// How the servers are offered over HTTP.
    pub serve: Serve,
    /// Who may use the servers.
    pub access: Access,
    /// Which models may be asked, on which way, and for how much.
    pub models: Models,
    /// What is written to standard error.
    pub log: Log,
    /// Things worth telling the user that stop nothing.
    pub warnings: Vec<String>,
}

/// How a roadmap is worked.
#[derive(Debug, Clone)]
pub struct Run {
    /// How many agents work at once, 1 to 16.
    pub agents: Setting<u32>,
    /// What was chosen; see [`Config::chosen_agent`].
    pub agent: Setting<Option<String>>,
    /// Attempts that count, before an item is left for a person.
    pub attempts: Setting<u32>,
    /// Limit of one attempt of an agent, without the tests.
    pub task_timeout: Setting<Duration>,
    /// Branch that finished items are merged into.
    pub integration_branch: Setting<String>,
    /// The roadmap, relative to the root of the repository.
    pub roadmap: Setting<PathBuf>,
    /// Whether the merged tree is tested before the integration branch moves.
    pub test_merges: Setting<bool>,
}

/// How a project's tests are run.
#[derive(Debug, Clone)]
pub struct Tests {
    /// Program and arguments; `None`: to be detected.
    pub command: Setting<Option<Vec<String>>>,
    /// Limit of one run.
    pub timeout: Setting<Duration>,
}

impl Config {
    /// Loads all layers. `project` is the root of the repository in question, if any.
    ///
    /// # Errors
    /// Every problem of every layer at once; [`ConfigError::Untrusted`] when the project's file sets what needs trust.
    pub fn load(
        environment: &Environment,
        project: Option<&Path>,
        flags: &Overrides,
    ) -> Result<Self, ConfigError> {
        let layers = Layers::gather(environment, project, flags, WhenUntrusted::Refuse)?;
        Self::from_layers(environment, layers).map(|(config, _)| config)
    }

    /// The configuration of a server that a client has started: of the project it was started in, with
    /// dangerous keys of an untrusted project file left out (and said in `warnings`).
    ///
    /// # Errors
    /// As [`Config::load`], but for the trust.
    pub fn for_server(env: &Environment, flags: &Overrides) -> Result<Config, ConfigError> {
        let root = env.project_root();
        let (mut config, untrusted) = Config::load_cautious(env, root.as_deref(), flags)?;
        if let Some(untrusted) = untrusted {
            config
                .warnings
                .push(ConfigError::Untrusted(untrusted).to_string());
        }
        Ok(config)
    }

    /// As [`Config::load`], for a server that must start anyway: what an untrusted project file may not set is left
    /// out and told.
    ///
    /// # Errors
    /// Every problem of every layer at once.
    pub fn load_cautious(
        environment: &Environment,
        project: Option<&Path>,
        flags: &Overrides,
    ) -> Result<(Self, Option<Untrusted>), ConfigError> {
        let layers = Layers::gather(environment, project, flags, WhenUntrusted::LeaveOut)?;
        Self::from_layers(environment, layers)
    }

    fn from_layers(
        environment: &Environment,
        layers: Layers,
    ) -> Result<(Self, Option<Untrusted>), ConfigError> {
        let Layers {
            values,
            tables,
            warnings,
            untrusted,
            ..
        } = layers;
        let mut take = Take(values);
        let mut problems = Problems(Vec::new());
        let config = Self {
            board: match take.path("board") {
                Some(said) => said,
                None => by_default(environment.default_board()?),
            },
            run: run_settings(&mut take),
            tests: Tests {
                command: take.words("tests.command"),
                timeout: take.time("tests.timeout", Duration::from_secs(600)),
            },
            vault: Vault::take(&mut take, &mut problems.0),
            serve: Serve::take(&mut take),
            access: Access::take(&mut take),
            log: Log::take(&mut take),
            agents: agent::take_all(&mut take, named_in(&tables, "agents"), &mut problems.0),
            models: Models::take(&mut take, &mut problems, &tables),
            warnings,
        };
        if !problems.0.is_empty() {
            return Err(ConfigError::Invalid {
                problems: problems.0,
            });
        }
        Ok((config, untrusted))
    }

    /// The board of the user, whatever a project says: where the vault is, so that one `callboard vault set` holds for
    /// every project.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn users_board(environment: &Environment) -> Result<PathBuf, ConfigError> {
        Ok(Self::load(environment, None, &Overrides::default())?
            .board
            .value)
    }

    /// The agent that is to do the work; `None` when nobody chose one. A flag may name a configured agent or give a
    /// command line; every other layer may only name one, so that no file or variable smuggles in a command.
    ///
    /// # Errors
    /// [`ConfigError::UnknownAgent`] with what is configured.
    pub fn chosen_agent(&self) -> Result<Option<Agent>, ConfigError> {
        let Some(chosen) = &self.run.agent.value else {
            return Ok(None);
        };
        if let Some(agent) = self.agents.get(chosen) {
            return Ok(Some(agent.clone()));
        }
        match self.run.agent.source {
            Source::Flag { .. } => self.agent_of_command_line(chosen).map(Some),
            _ => Err(self.unknown_agent(chosen)),
        }
    }

    /// A single word that is no program we can name is more likely a slip in a configured name; that is for the
    /// caller to find when the program does not start. Only what can't be a command is refused here.
    fn agent_of_command_line(&self, line: &str) -> Result<Agent, ConfigError> {
        let words = shlex::split(line).filter(|words| words.first().is_some_and(|w| !w.is_empty()));
        let Some(words) = words else {
            return Err(self.unknown_agent(line));
        };
        Ok(Agent::of_words(words, self.run.agent.source.clone()))
    }

    /// Where agents on this machine reach the gateway, without a slash at its end.
    ///
    /// # Errors
    /// What to configure where that can't be told from where `callboard serve` listens.
    pub fn gateway_url(&self) -> Result<String, String> {
        if let Some(url) = &self.models.gateway_url.value {
            return Ok(url.trim_end_matches('/').to_owned());
        }
        let listen = self.serve.listen.value;
        if listen.ip().is_loopback() && listen.port() != 0 {
            return Ok(format!("http://{listen}"));
        }
        Err(format!(
            "serve.listen = {listen} does not say where the gateway is: say gateway.url"
        ))
    }

    fn unknown_agent(&self, chosen: &str) -> ConfigError {
        let names: Vec<&str> = self.agents.keys().map(String::as_str).collect();
        let there = match (
            did_you_mean(chosen, names.iter().copied()),
            names.is_empty(),
        ) {
            (Some(near), _) => format!("did you mean {near}?"),
            (None, false) => format!("configured are: {}", names.join(", ")),
            (None, true) => {
                "none is configured; add [agents.<name>] with command = [\"…\"] to your config.toml"
                    .to_owned()
            }
        };
        ConfigError::UnknownAgent {
            place: self.run.agent.source.clone(),
            message: format!("there is no agent {:?}: {there}", shown(chosen)),
        }
    }

    /// Every setting as text with its place, in the order of the reference.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, String, Source)> {
        let mut rows = vec![
            row("board", &self.board, |dir| dir.display().to_string()),
            row("run.agents", &self.run.agents, u32::to_string),
            row("run.agent", &self.run.agent, |name| {
                name.clone().unwrap_or_else(|| "(none)".to_owned())
            }),
            row("run.attempts", &self.run.attempts, u32::to_string),
            row("run.task_timeout", &self.run.task_timeout, |t| {
                format_duration(*t)
            }),
            row(
                "run.integration_branch",
                &self.run.integration_branch,
                String::clone,
            ),
            row("run.roadmap", &self.run.roadmap, |file| {
                file.display().to_string()
            }),
            row("run.test_merges", &self.run.test_merges, bool::to_string),
            row("tests.command", &self.tests.command, |words| {
                words
                    .as_deref()
                    .map_or_else(|| "(detected)".to_owned(), command_line)
            }),
            row("tests.timeout", &self.tests.timeout, |t| {
                format_duration(*t)
            }),
        ];
        for agent in self.agents.values() {
            rows.extend(agent.rows());
        }
        rows.extend(self.vault.rows());
        rows.extend(self.access.rows());
        rows.extend(self.serve.rows());
        rows.extend(self.models.rows());
        rows.extend(self.log.rows());
        rows
    }
}

pub(crate) fn command_line(words: &[String]) -> String {
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
}

fn run_settings(take: &mut Take) -> Run {
    Run {
        agents: take.number("run.agents", 3),
        agent: take.text("run.agent"),
        attempts: take.number("run.attempts", 4),
        task_timeout: take.time("run.task_timeout", Duration::from_secs(1_800)),
        integration_branch: take
            .text("run.integration_branch")
            .map(|said| said.unwrap_or_else(|| "callboard/integration".to_owned())),
        roadmap: take
            .path("run.roadmap")
            .unwrap_or_else(|| by_default(PathBuf::from("ROADMAP.md"))),
        test_merges: take.switch("run.test_merges", true),
    }
}
