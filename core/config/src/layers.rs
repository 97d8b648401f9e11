//! The layers in their order: defaults < user < project < register < environment < flags.
//! For: gathering what each layer says, checked, with its place; later layers win key by key.
//! Not for: the typed settings that the rest of the program reads.

use crate::environment::Environment;
use crate::error::{ConfigError, Problem, Source, Untrusted};
use crate::file::{PROJECT_FILE, Parsed, ProjectFile, faults_to_problems, parse, read_text};
use crate::forms::is_branch;
use crate::keys::{KEYS, Key, Trust};
use crate::kind::{Kind, Value};
use crate::nearest::did_you_mean;
use crate::projects::Projects;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Variables of ours that are no configuration key: where data lives, and what an agent is told about its task.
const OTHER_VARIABLES: &[&str] = &[
    "CALLBOARD_DATA_DIR",
    "CALLBOARD_TOKEN",
    "CALLBOARD_TASK",
    "CALLBOARD_ATTEMPT",
    "CALLBOARD_WORKER",
    "CALLBOARD_TRY",
    "CALLBOARD_ITEM",
    "CALLBOARD_WORKTREE",
    "CALLBOARD_PROMPT_FILE",
    "CALLBOARD_REPORT_FILE",
    "CALLBOARD_CONFLICT",
    "CALLBOARD_GIT",
    "CALLBOARD_SECRETS",
    "CALLBOARD_TOKEN",
];

/// What was said on the command line; it wins over every other layer.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--board`: a directory, relative to the current one.
    pub board: Option<PathBuf>,
    /// `--agents`: how many at once.
    pub agents: Option<u32>,
    /// `--agent`: name of a configured agent, or a command line.
    pub agent: Option<String>,
    /// `--attempts`.
    pub attempts: Option<u32>,
    /// `--timeout`.
    pub task_timeout: Option<Duration>,
    /// `--onto`: the integration branch; the only way to name `main`.
    pub integration_branch: Option<String>,
    /// `--roadmap`: relative to the root of the repository.
    pub roadmap: Option<PathBuf>,
    /// `--tests`.
    pub test_command: Option<String>,
    /// `--log-level`.
    pub log_level: Option<String>,
    /// `--log-format`.
    pub log_format: Option<String>,
}

/// A place where configuration is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// `user`, `project` or `register`.
    pub role: &'static str,
    /// Its path.
    pub path: PathBuf,
    /// Whether something is there.
    pub exists: bool,
}

/// Where configuration is looked for, in the order of the layers.
#[must_use]
pub fn config_files(environment: &Environment, project: Option<&Path>) -> Vec<ConfigFile> {
    let register = Projects::of(environment).ok().map(|p| p.file());
    let found = [
        ("user", user_file(environment)),
        ("project", project.map(|root| root.join(PROJECT_FILE))),
        ("register", register),
    ];
    found
        .into_iter()
        .filter_map(|(role, path)| path.map(|path| (role, path)))
        .map(|(role, path)| ConfigFile {
            role,
            exists: path.exists(),
            path,
        })
        .collect()
}

/// Without a home there is no user file, which is no error: the data directory may be given by itself.
fn user_file(environment: &Environment) -> Option<PathBuf> {
    let dir = environment.config_dir().ok()?;
    Some(dir.join("config.toml"))
}

/// What to do with keys that an untrusted project file may not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenUntrusted {
    Refuse,
    LeaveOut,
}

/// What all layers say, key by key.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    pub values: BTreeMap<String, (Value, Source)>,
    /// Tables that somebody named, such as `agents.<name>`, with where that was first.
    pub tables: BTreeMap<Vec<String>, Source>,
    pub problems: Vec<Problem>,
    pub warnings: Vec<String>,
    pub untrusted: Option<Untrusted>,
}

impl Layers {
    pub(crate) fn gather(
        environment: &Environment,
        project: Option<&Path>,
        flags: &Overrides,
        when_untrusted: WhenUntrusted,
    ) -> Result<Self, ConfigError> {
        let mut layers = Self::default();
        layers.user(environment)?;
        if let Some(root) = project {
            layers.project(environment, root)?;
            layers.register(environment, root)?;
        }
        layers.environment(environment);
        layers.flags(environment, flags);
        if !layers.problems.is_empty() {
            return Err(ConfigError::Invalid {
                problems: layers.problems,
            });
        }
        match layers.untrusted.take() {
            Some(untrusted) if when_untrusted == WhenUntrusted::Refuse => {
                Err(ConfigError::Untrusted(untrusted))
            }
            kept => Ok(Self {
                untrusted: kept,
                ..layers
            }),
        }
    }

    fn user(&mut self, environment: &Environment) -> Result<(), ConfigError> {
        let Some(file) = user_file(environment) else {
            return Ok(());
        };
        let Some(text) = read_text(&file)? else {
            return Ok(());
        };
        let home = environment.home().ok();
        let place = |line| Source::User {
            file: file.clone(),
            line,
        };
        self.file(parse(&text), place, |path| {
            resolve(path, home.as_deref(), None)
        });
        Ok(())
    }

    fn project(&mut self, environment: &Environment, root: &Path) -> Result<(), ConfigError> {
        let Some(mut found) = ProjectFile::read(root)? else {
            return Ok(());
        };
        let dangerous = found.dangerous();
        if !dangerous.is_empty() {
            let trusted = Projects::of(environment)?.get(root)?.trusted;
            if trusted.as_deref() != Some(&found.sha256) {
                self.untrusted = Some(Untrusted {
                    project: root.to_owned(),
                    file: found.file.clone(),
                    sha256: found.sha256.clone(),
                    keys: dangerous,
                    changed: trusted.is_some(),
                });
                found
                    .parsed
                    .entries
                    .retain(|entry| entry.key.trust == Trust::Safe);
                found.parsed.tables.clear();
            }
        }
        let home = environment.home().ok();
        let place = |line| Source::Project {
            file: found.file.clone(),
            line,
        };
        self.file(found.parsed, place, |path| {
            resolve(path, home.as_deref(), Some(root))
        });
        Ok(())
    }

    fn file(
        &mut self,
        parsed: Parsed,
        place: impl Fn(usize) -> Source,
        resolved: impl Fn(&Path) -> Result<PathBuf, String>,
    ) {
        self.problems
            .extend(faults_to_problems(&parsed.faults, &place));
        for (path, line) in parsed.tables {
            self.named(path, place(line));
        }
        for entry in parsed.entries {
            self.set(
                entry.path,
                entry.key,
                entry.value,
                place(entry.line),
                &resolved,
            );
        }
    }

    /// What is spent is limited by the user's budgets whatever a project says: its own stand beside them.
    fn named(&mut self, path: Vec<String>, place: Source) {
        let own = ["budgets", "limits"].contains(&path[0].as_str());
        match self.tables.get(&path) {
            Some(users) if own => {
                let message = format!(
                    "your own configuration has one of this name ({users}): a project's stands beside it, so give it \
                     another name"
                );
                let key = crate::tables::written(&path);
                self.problem(place, &key, message);
            }
            Some(_) => {}
            None => drop(self.tables.insert(path, place)),
        }
    }

    fn set(
        &mut self,
        path: String,
        key: &Key,
        value: Value,
        place: Source,
        resolved: impl Fn(&Path) -> Result<PathBuf, String>,
    ) {
        let settled = match value {
            Value::Path(dir) if matches!(key.kind, Kind::Directory | Kind::File) => {
                resolved(&dir).map(Value::Path)
            }
            other => Ok(other),
        };
        match settled {
            Ok(value) => drop(self.values.insert(path, (value, place))),
            Err(message) => self.problem(place, &path, message),
        }
    }

    fn problem(&mut self, place: Source, key: &str, message: String) {
        self.problems.push(Problem {
            place,
            key: key.to_owned(),
            message,
        });
    }

    fn register(&mut self, environment: &Environment, root: &Path) -> Result<(), ConfigError> {
        let projects = Projects::of(environment)?;
        if let Some(board) = projects.get(root)?.board {
            let place = Source::Register {
                file: projects.file(),
            };
            if board.is_absolute() {
                self.values
                    .insert("board".to_owned(), (Value::Path(board), place));
            } else {
                self.problem(place, "board", "expected an absolute path".to_owned());
            }
        }
        Ok(())
    }

    fn environment(&mut self, environment: &Environment) {
        for key in KEYS {
            let Some(name) = key.variable() else { continue };
            let Some(value) = environment.get(&name) else {
                continue;
            };
            let checked = value
                .to_str()
                .ok_or_else(|| "the value is not valid UTF-8".to_owned())
                .and_then(|text| key.kind.check_text(text));
            self.said(environment, key, checked, Source::Environment { name });
        }
        self.warn_of_unknown_variables(environment);
    }

    fn said(
        &mut self,
        environment: &Environment,
        key: &Key,
        checked: Result<Value, String>,
        place: Source,
    ) {
        let home = environment.home().ok();
        match checked {
            Ok(value) => self.set(key.name.to_owned(), key, value, place, |path| {
                resolve(path, home.as_deref(), Some(environment.cwd()))
            }),
            Err(message) => self.problem(place, key.name, message),
        }
    }

    /// Not an error: an agent that starts us may carry variables of a newer version.
    fn warn_of_unknown_variables(&mut self, environment: &Environment) {
        let known: Vec<String> = KEYS.iter().filter_map(Key::variable).collect();
        let all = || {
            known
                .iter()
                .map(String::as_str)
                .chain(OTHER_VARIABLES.iter().copied())
        };
        for name in environment.names() {
            if !name.starts_with("CALLBOARD_") || all().any(|known| known == name) {
                continue;
            }
            let hint = did_you_mean(name, all())
                .map(|near| format!("; did you mean {near}?"))
                .unwrap_or_default();
            self.warnings.push(format!(
                "the variable {name} is not known and has no effect{hint}"
            ));
        }
    }

    fn flags(&mut self, environment: &Environment, flags: &Overrides) {
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        let said: [(&'static str, &str, Option<String>); 9] = [
            ("--board", "board", flags.board.as_ref().map(path)),
            (
                "--agents",
                "run.agents",
                flags.agents.map(|n| n.to_string()),
            ),
            (
                "--attempts",
                "run.attempts",
                flags.attempts.map(|n| n.to_string()),
            ),
            (
                "--timeout",
                "run.task_timeout",
                flags.task_timeout.map(crate::duration::format_duration),
            ),
            (
                "--onto",
                "run.integration_branch",
                flags.integration_branch.clone(),
            ),
            ("--roadmap", "run.roadmap", flags.roadmap.as_ref().map(path)),
            ("--tests", "tests.command", flags.test_command.clone()),
            ("--log-level", "log.level", flags.log_level.clone()),
            ("--log-format", "log.format", flags.log_format.clone()),
        ];
        for (flag, name, text) in said {
            let key = KEYS.iter().find(|key| key.name == name);
            let (Some(key), Some(text)) = (key, text) else {
                continue;
            };
            self.said(
                environment,
                key,
                check_flag(key, &text),
                Source::Flag { name: flag },
            );
        }
        // May be a command line, so it is not checked as a name: `Config::chosen_agent` decides.
        if let Some(agent) = &flags.agent {
            let place = Source::Flag { name: "--agent" };
            self.values
                .insert("run.agent".to_owned(), (Value::Text(agent.clone()), place));
        }
    }
}

/// Only a person at the command line may choose `main`.
fn check_flag(key: &Key, text: &str) -> Result<Value, String> {
    if key.kind != Kind::Branch {
        return key.kind.check_text(text);
    }
    if is_branch(text) {
        return Ok(Value::Text(text.to_owned()));
    }
    Err(format!(
        "{:?} is no branch name git accepts",
        crate::error::shown(text)
    ))
}

/// A directory as an absolute path.
fn resolve(path: &Path, home: Option<&Path>, base: Option<&Path>) -> Result<PathBuf, String> {
    if let Ok(below) = path.strip_prefix("~") {
        return home
            .map(|home| home.join(below))
            .ok_or_else(|| "HOME is not set, so ~ means nothing here".to_owned());
    }
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    base.map(|base| base.join(path))
        .ok_or_else(|| "expected an absolute path, or one that starts with ~/".to_owned())
}
