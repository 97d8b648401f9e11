//! The process environment, read once and passed on as a value.
//! For: where things live, finding programs, and the environment that agents, tests and git get.
//! Not for: changing the environment of this process; nothing does that.

mod names;

pub(crate) use names::check_passed_name;
use names::{DEFAULT_PATH, GIT_REDIRECTS, PASSED};
pub use names::{EnvironmentError, PLACES, check_task_env};

use crate::error::ConfigError;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// A snapshot of the environment and the current directory. An empty variable counts as unset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    vars: BTreeMap<OsString, OsString>,
    cwd: PathBuf,
    mac: bool,
}

impl Environment {
    /// The environment of this process, now. Called once, first thing in `main`.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one reading of the environment"
    )]
    pub fn from_process() -> Self {
        Self {
            vars: std::env::vars_os().collect(),
            cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            mac: cfg!(target_os = "macos"),
        }
    }

    /// An environment of these variables only, for tests and for callers that have their own.
    pub fn of<K: Into<OsString>, V: Into<OsString>>(
        vars: impl IntoIterator<Item = (K, V)>,
        cwd: impl Into<PathBuf>,
    ) -> Self {
        Self {
            vars: vars
                .into_iter()
                .map(|(k, v)| (k.into(), v.into()))
                .collect(),
            cwd: cwd.into(),
            mac: false,
        }
    }

    /// The value of a variable; `None` when it is unset or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.vars
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// Names of all variables that are set and are UTF-8.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.vars.keys().filter_map(|name| name.to_str())
    }

    /// All variables that are UTF-8, for a command that hands on those which its user's file names.
    #[must_use]
    pub fn texts(&self) -> BTreeMap<String, String> {
        self.vars
            .iter()
            .filter_map(|(name, value)| {
                Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()))
            })
            .collect()
    }

    /// The directory this process was started in.
    #[must_use]
    pub fn cwd(&self) -> &Path {
        &self.cwd
    }

    /// The repository that a server was started in: where the client says its project is, else the current
    /// directory, or the nearest directory above that has a `.git`.
    #[must_use]
    pub fn project_root(&self) -> Option<PathBuf> {
        let told = self.get("CLAUDE_PROJECT_DIR").map(PathBuf::from);
        let place = told
            .unwrap_or_else(|| self.cwd.clone())
            .canonicalize()
            .ok()?;
        let root = place.ancestors().find(|dir| dir.join(".git").exists())?;
        Some(root.to_path_buf())
    }

    /// What the user is called, for the audit: whoever can set the environment can say anything here.
    #[must_use]
    pub fn user(&self) -> String {
        let said = ["USER", "LOGNAME"]
            .into_iter()
            .find_map(|name| self.get(name));
        let name: String = said
            .map(OsStr::to_string_lossy)
            .unwrap_or_default()
            .chars()
            .filter(|c| !c.is_control())
            .take(60)
            .collect();
        if name.is_empty() {
            return "local".to_owned();
        }
        name
    }

    /// The user's home directory.
    ///
    /// # Errors
    /// [`ConfigError::NoHome`] when `HOME` is unset or relative.
    pub fn home(&self) -> Result<PathBuf, ConfigError> {
        self.absolute("HOME").ok_or(ConfigError::NoHome)
    }

    /// Where the user's `config.toml` is: `$XDG_CONFIG_HOME/callboard`, else `~/.config/callboard`
    /// (macOS: `~/Library/Application Support/callboard`).
    ///
    /// # Errors
    /// [`ConfigError::NoHome`].
    pub fn config_dir(&self) -> Result<PathBuf, ConfigError> {
        self.base_dir("XDG_CONFIG_HOME", ".config")
    }

    /// Where the board and the register of projects are: `CALLBOARD_DATA_DIR` itself, else
    /// `$XDG_DATA_HOME/callboard`, else `~/.local/share/callboard` (macOS: `~/Library/Application Support/callboard`).
    ///
    /// # Errors
    /// [`ConfigError::NoHome`], or [`ConfigError::NotAbsolute`] for a relative `CALLBOARD_DATA_DIR`.
    pub fn data_dir(&self) -> Result<PathBuf, ConfigError> {
        match self.get("CALLBOARD_DATA_DIR") {
            Some(dir) if Path::new(dir).is_absolute() => Ok(PathBuf::from(dir)),
            Some(dir) => Err(ConfigError::NotAbsolute {
                name: "CALLBOARD_DATA_DIR",
                value: dir.to_string_lossy().into_owned(),
            }),
            None => self.base_dir("XDG_DATA_HOME", ".local/share"),
        }
    }

    /// The board used when nothing names another: the data directory itself.
    ///
    /// # Errors
    /// As [`Environment::data_dir`].
    pub fn default_board(&self) -> Result<PathBuf, ConfigError> {
        self.data_dir()
    }

    /// The XDG specification says that a relative path in these variables is to be ignored.
    fn absolute(&self, name: &str) -> Option<PathBuf> {
        self.get(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    }

    fn base_dir(&self, variable: &str, below_home: &str) -> Result<PathBuf, ConfigError> {
        let base = match self.absolute(variable) {
            Some(dir) => dir,
            None if self.mac => self.home()?.join("Library/Application Support"),
            None => self.home()?.join(below_home),
        };
        Ok(base.join("callboard"))
    }

    /// The file that would run for `program`: a path as it is (from the current directory), a bare name by `PATH`.
    #[must_use]
    pub fn which(&self, program: &str) -> Option<PathBuf> {
        if program.is_empty() {
            return None;
        }
        if program.contains('/') {
            return Some(self.cwd.join(program)).filter(|path| is_executable(path));
        }
        let path = self.get("PATH").unwrap_or_else(|| OsStr::new(DEFAULT_PATH));
        std::env::split_paths(path)
            .map(|dir| self.cwd.join(dir).join(program))
            .find(|candidate| is_executable(candidate))
    }

    /// The complete environment of an agent or a test command: a minimal set, the `pass`ed names that are set, and
    /// `extra`, which comes from a task and wins over both.
    ///
    /// # Errors
    /// What a task may not set, and what can't be passed.
    pub fn for_agent(
        &self,
        pass: &[String],
        extra: &BTreeMap<String, String>,
    ) -> Result<Vec<(String, String)>, EnvironmentError> {
        check_task_env(extra)?;
        for name in pass {
            check_passed_name(name)?;
        }
        let mut vars = BTreeMap::from([
            ("PATH".to_owned(), DEFAULT_PATH.to_owned()),
            // No cursor movement, colours or pagers in a log.
            ("TERM".to_owned(), "dumb".to_owned()),
        ]);
        let locale = self.names().filter(|name| name.starts_with("LC_"));
        let named = pass.iter().map(String::as_str);
        let fixed = PASSED.iter().copied().chain(["PATH"]);
        for name in fixed.chain(locale).chain(named) {
            if let Some(value) = self.text(name)? {
                vars.insert(name.to_owned(), value);
            }
        }
        vars.extend(extra.iter().map(|(k, v)| (k.clone(), v.clone())));
        Ok(vars.into_iter().collect())
    }

    fn text(&self, name: &str) -> Result<Option<String>, EnvironmentError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let text = value.to_str().ok_or_else(|| EnvironmentError::NotText {
            name: name.to_owned(),
        })?;
        Ok(Some(text.to_owned()))
    }

    /// The environment for git itself: the user's own (credentials, signing, ssh), without what would point git at
    /// another repository, and without ours.
    #[must_use]
    pub fn for_git(&self) -> Vec<(OsString, OsString)> {
        let kept = |name: &OsStr| {
            let name = name.to_string_lossy();
            !name.starts_with("CALLBOARD_") && !GIT_REDIRECTS.contains(&name.as_ref())
        };
        self.vars
            .iter()
            .filter(|(name, _)| kept(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests;
