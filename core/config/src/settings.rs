//! The settings the rest of the program reads: typed, complete, each with the place it came from.
//! For: everything above this crate.
//! Not for: parsing; a value in here has passed its check.

use crate::duration::format_duration;
use crate::environment::Environment;
use crate::error::{ConfigError, Problem, Source, Untrusted, shown};
use crate::layers::{Layers, Overrides, WhenUntrusted};
use crate::llm::{Models, Problems};
use crate::nearest::did_you_mean;
use crate::serve::Serve;
use crate::take::{Take, by_default, named_in, row};
use crate::template::{Template, shown_values};
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

/// One configured agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Its name.
    pub name: String,
    /// Program and arguments, at least the program.
    pub command: Setting<Vec<String>>,
    /// Names of variables it gets beyond the minimal environment.
    pub pass_env: Setting<Vec<String>>,
    /// Variables of its own, by name; their values may name secrets.
    pub env: BTreeMap<String, Template>,
    /// Its own limit of one attempt; `None`: [`Run::task_timeout`].
    pub timeout: Setting<Option<Duration>>,
}

/// Who may use the servers.
#[derive(Debug, Clone)]
pub struct Access {
    /// The role of requests from this machine that show no token; `None`: they need one.
    pub loopback: Setting<Option<AccessRole>>,
    /// Requests a second of each token; 0: no limit.
    pub rate: Setting<u32>,
    /// Requests a second without a valid token, of each address; 0: no limit.
    pub rate_unauthenticated: Setting<u32>,
    /// The role over standard input and output.
    pub stdio_role: Setting<AccessRole>,
}

/// A role as it is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessRole {
    /// Looks.
    Viewer,
    /// Works.
    Developer,
    /// Everything.
    Admin,
}

impl AccessRole {
    const ALL: [Self; 3] = [Self::Viewer, Self::Developer, Self::Admin];

    /// As written in configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Developer => "developer",
            Self::Admin => "admin",
        }
    }

    fn of(said: Option<&str>) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|role| said == Some(role.as_str()))
    }
}

/// What is written to standard error.
#[derive(Debug, Clone)]
pub struct Log {
    /// The least important kind of line.
    pub level: Setting<LogLevel>,
    /// For people or for programs.
    pub format: Setting<LogStyle>,
}

/// Importance of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something may fail later.
    Warn,
    /// What happens.
    Info,
    /// Why it happens.
    Debug,
    /// Every step.
    Trace,
}

impl LogLevel {
    const ALL: [Self; 5] = [
        Self::Error,
        Self::Warn,
        Self::Info,
        Self::Debug,
        Self::Trace,
    ];

    /// As written in configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Shape of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStyle {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogStyle {
    /// As written in configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
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
            access: access_settings(&mut take),
            log: log_settings(&mut take),
            agents: agent_settings(&mut take, named_in(&tables, "agents"), &mut problems.0),
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
        let source = self.run.agent.source.clone();
        Ok(Agent {
            name: agent_name_of(&words[0]),
            command: Setting {
                value: words,
                source,
            },
            pass_env: by_default(Vec::new()),
            env: BTreeMap::new(),
            timeout: by_default(None),
        })
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
        for (name, agent) in &self.agents {
            rows.push(row(
                &format!("agents.{name}.command"),
                &agent.command,
                |w| command_line(w),
            ));
            rows.push(row(
                &format!("agents.{name}.pass_env"),
                &agent.pass_env,
                |names| names.join(" "),
            ));
            if !agent.env.is_empty() {
                let source = agent.command.source.clone();
                rows.push((
                    format!("agents.{name}.env"),
                    shown_values(&agent.env),
                    source,
                ));
            }
            rows.push(row(
                &format!("agents.{name}.timeout"),
                &agent.timeout,
                |limit| limit.map_or_else(|| "(run.task_timeout)".to_owned(), format_duration),
            ));
        }
        rows.extend(self.vault.rows());
        rows.extend(access_rows(&self.access));
        rows.extend(self.serve.rows());
        rows.extend(self.models.rows());
        rows.push(row("log.level", &self.log.level, |l| l.as_str().to_owned()));
        rows.push(row("log.format", &self.log.format, |f| {
            f.as_str().to_owned()
        }));
        rows
    }
}

pub(crate) fn command_line(words: &[String]) -> String {
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
}

/// The program's file name, made plain enough for a log or a commit.
fn agent_name_of(program: &str) -> String {
    let file = Path::new(program).file_name().unwrap_or_default();
    let plain: String = file
        .to_string_lossy()
        .to_lowercase()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .take(40)
        .collect();
    let trimmed = plain.trim_matches('-');
    if trimmed.is_empty() {
        return "agent".to_owned();
    }
    trimmed.to_owned()
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

fn access_rows(access: &Access) -> [(String, String, Source); 4] {
    [
        row("access.loopback", &access.loopback, |role| {
            role.map_or("token", AccessRole::as_str).to_owned()
        }),
        row("access.rate", &access.rate, u32::to_string),
        row(
            "access.rate_unauthenticated",
            &access.rate_unauthenticated,
            u32::to_string,
        ),
        row("access.stdio_role", &access.stdio_role, |role| {
            role.as_str().to_owned()
        }),
    ]
}

fn access_settings(take: &mut Take) -> Access {
    Access {
        loopback: take
            .text("access.loopback")
            .map(|said| AccessRole::of(said.as_deref())),
        rate: take.number("access.rate", 200),
        rate_unauthenticated: take.number("access.rate_unauthenticated", 10),
        stdio_role: take
            .text("access.stdio_role")
            .map(|said| AccessRole::of(said.as_deref()).unwrap_or(AccessRole::Admin)),
    }
}

fn log_settings(take: &mut Take) -> Log {
    let level = |said: Option<String>| {
        let found = LogLevel::ALL
            .into_iter()
            .find(|level| said.as_deref() == Some(level.as_str()));
        found.unwrap_or(LogLevel::Info)
    };
    Log {
        level: take.text("log.level").map(level),
        format: take.text("log.format").map(|said| match said.as_deref() {
            Some("json") => LogStyle::Json,
            _ => LogStyle::Text,
        }),
    }
}

fn agent_settings<'t>(
    take: &mut Take,
    declared: impl Iterator<Item = (&'t str, &'t Source)>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Agent> {
    let mut agents = BTreeMap::new();
    for (name, place) in declared {
        let key = |field: &str| format!("agents.{name}.{field}");
        let said = take.words(&key("command"));
        let Some(command) = said.value else {
            problems.push(Problem {
                place: place.clone(),
                key: key("command"),
                message: "this agent has no command: add command = [\"program\", \"argument\"]"
                    .to_owned(),
            });
            continue;
        };
        let agent = Agent {
            command: Setting {
                value: command,
                source: said.source,
            },
            pass_env: take.words(&key("pass_env")).map(Option::unwrap_or_default),
            env: take.variables(&key("env")),
            timeout: take.time_if(&key("timeout")),
            name: name.to_owned(),
        };
        agents.insert(name.to_owned(), agent);
    }
    agents
}
