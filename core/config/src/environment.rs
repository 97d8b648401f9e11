//! The process environment, read once and passed on as a value.
//! For: where things live, finding programs, and the environment that agents, tests and git get.
//! Not for: changing the environment of this process; nothing does that.

use crate::error::ConfigError;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Names an agent gets when they are set here: who and where the user is, how text looks, where tools live.
const PASSED: &[&str] = &[
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_CACHE_HOME",
    "XDG_STATE_HOME",
    "XDG_RUNTIME_DIR",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "PYENV_ROOT",
    "NVM_DIR",
    "VOLTA_HOME",
    "ASDF_DATA_DIR",
    "JAVA_HOME",
    "GOPATH",
    "GOROOT",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
];

/// Names a task may not set: each makes some program load foreign code or look elsewhere for its settings.
const REFUSED: &[&str] = &[
    "PATH",
    "HOME",
    "IFS",
    "ENV",
    "BASH_ENV",
    "SHELLOPTS",
    "BASHOPTS",
    "PROMPT_COMMAND",
    "XDG_CONFIG_HOME",
    "NODE_OPTIONS",
    "PYTHONSTARTUP",
    "PYTHONPATH",
    "PYTHONHOME",
    "PERL5OPT",
    "PERL5LIB",
    "RUBYOPT",
    "JAVA_TOOL_OPTIONS",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
];

const REFUSED_PREFIXES: &[&str] = &["LD_", "DYLD_", "GIT_", "CALLBOARD_", "BASH_FUNC_"];

/// Variables that say where the user's configuration, the board and the register of projects are. Whoever starts us
/// with an environment of its own making has to hand these on, or there are two boards.
pub const PLACES: [&str; 4] = [
    "CALLBOARD_BOARD",
    "CALLBOARD_DATA_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
];

/// Variables of git that point it at another repository than the one it is started in.
const GIT_REDIRECTS: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_NAMESPACE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
    "GIT_CEILING_DIRECTORIES",
];

const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Why an environment for a child can't be put together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// A task wants to set a variable that it may not.
    #[error(
        "a task may not set {name}: it changes which programs run or what they load (refused: PATH, HOME, LD_*, DYLD_*, GIT_*, CALLBOARD_* and the like); put it into the agent's own configuration instead"
    )]
    Refused {
        /// The variable.
        name: String,
    },
    /// An agent's `pass_env` names a variable that is never passed.
    #[error(
        "pass_env may not name {name}: CALLBOARD_* is set for each task, and GIT_* could point git at another repository"
    )]
    NotPassed {
        /// The variable.
        name: String,
    },
    /// A task wants to name a secret.
    #[error(
        "a task may not name a secret (in {name}): name it in [agents.<name>.env] of your configuration, which a task can't read"
    )]
    NamesSecret {
        /// The variable.
        name: String,
    },
    /// No name of a variable at all.
    #[error(
        "{name:?} is no name of an environment variable: use letters, digits and _, not starting with a digit"
    )]
    BadName {
        /// What was given.
        name: String,
    },
    /// A value with a NUL byte.
    #[error("the value of {name} holds a NUL character, which no environment can carry")]
    BadValue {
        /// The variable.
        name: String,
    },
    /// A value of our own environment that is not UTF-8.
    #[error(
        "the value of {name} is not valid UTF-8, so it can't be passed on: unset it or set it to plain text"
    )]
    NotText {
        /// The variable.
        name: String,
    },
}

/// Refuses variables that a task (as opposed to the user's configuration) may not set.
///
/// # Errors
/// The first that is refused.
pub fn check_task_env(extra: &BTreeMap<String, String>) -> Result<(), EnvironmentError> {
    for (name, value) in extra {
        check_name(name)?;
        if value.contains('\0') {
            return Err(EnvironmentError::BadValue { name: name.clone() });
        }
        if crate::template::has_reference(value) {
            return Err(EnvironmentError::NamesSecret { name: name.clone() });
        }
        // Some programs read these names whatever their case, so case is no way around the list.
        let upper = name.to_ascii_uppercase();
        let prefixed = REFUSED_PREFIXES.iter().any(|p| upper.starts_with(p));
        if prefixed || REFUSED.contains(&upper.as_str()) {
            return Err(EnvironmentError::Refused { name: name.clone() });
        }
    }
    Ok(())
}

/// Refuses names that an agent's `pass_env` may not hold.
pub(crate) fn check_passed_name(name: &str) -> Result<(), EnvironmentError> {
    check_name(name)?;
    let upper = name.to_ascii_uppercase();
    if upper.starts_with("CALLBOARD_") || upper.starts_with("GIT_") {
        return Err(EnvironmentError::NotPassed {
            name: name.to_owned(),
        });
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), EnvironmentError> {
    let good = !name.is_empty()
        && name.len() <= 200
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if good {
        return Ok(());
    }
    Err(EnvironmentError::BadName {
        name: crate::error::shown(name),
    })
}

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
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::PermissionsExt;

    fn extra(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    fn home() -> Environment {
        Environment::of([("HOME", "/home/ada"), ("PATH", "/opt/bin")], "/")
    }

    #[test]
    fn directories_follow_xdg() {
        let env = home();
        assert_eq!(
            env.config_dir().unwrap(),
            Path::new("/home/ada/.config/callboard")
        );
        assert_eq!(
            env.data_dir().unwrap(),
            Path::new("/home/ada/.local/share/callboard")
        );
        let xdg = Environment::of(
            [
                ("HOME", "/h"),
                ("XDG_DATA_HOME", "/d"),
                ("XDG_CONFIG_HOME", "relative"),
            ],
            "/",
        );
        assert_eq!(xdg.data_dir().unwrap(), Path::new("/d/callboard"));
        assert_eq!(xdg.config_dir().unwrap(), Path::new("/h/.config/callboard"));
    }

    #[test]
    fn directories_on_macos() {
        let mut env = home();
        env.mac = true;
        let expected = Path::new("/home/ada/Library/Application Support/callboard");
        assert_eq!(env.data_dir().unwrap(), expected);
    }

    #[test]
    fn data_dir_is_taken_as_it_is_and_must_be_absolute() {
        let own = Environment::of([("CALLBOARD_DATA_DIR", "/boards")], "/");
        assert_eq!(own.default_board().unwrap(), Path::new("/boards"));
        let relative = Environment::of([("CALLBOARD_DATA_DIR", "boards"), ("HOME", "/h")], "/");
        assert!(matches!(
            relative.data_dir(),
            Err(ConfigError::NotAbsolute { .. })
        ));
    }

    #[test]
    fn no_home_is_an_error_and_not_the_root_directory() {
        let env = Environment::of([("HOME", "")], "/");
        assert!(matches!(env.data_dir(), Err(ConfigError::NoHome)));
    }

    #[test]
    fn agents_get_little() {
        let env = Environment::of(
            [
                ("PATH", "/opt/bin"),
                ("HOME", "/h"),
                ("TERM", "xterm-256color"),
                ("LC_ALL", "C.UTF-8"),
                ("API_KEY", "secret"),
                ("OTHER_KEY", "secret too"),
                ("CALLBOARD_BOARD", "/b"),
                ("GIT_DIR", "/elsewhere"),
            ],
            "/",
        );
        let got = env
            .for_agent(&["API_KEY".to_owned()], &extra(&[("MODE", "fast")]))
            .unwrap();
        let expected: Vec<(String, String)> = [
            ("API_KEY", "secret"),
            ("HOME", "/h"),
            ("LC_ALL", "C.UTF-8"),
            ("MODE", "fast"),
            ("PATH", "/opt/bin"),
            ("TERM", "dumb"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .to_vec();
        assert_eq!(got, expected);
    }

    #[test]
    fn tasks_may_not_change_what_runs() {
        for name in [
            "PATH",
            "path",
            "LD_PRELOAD",
            "DYLD_INSERT_LIBRARIES",
            "GIT_DIR",
            "CALLBOARD_TASK",
            "HOME",
            "BASH_ENV",
            "RUSTC_WRAPPER",
        ] {
            let refused = home().for_agent(&[], &extra(&[(name, "x")]));
            assert_eq!(
                refused,
                Err(EnvironmentError::Refused {
                    name: name.to_owned()
                })
            );
        }
    }

    #[test]
    fn names_and_values_that_no_environment_can_carry() {
        for name in ["", "A=B", "1A", "A B", "A\0"] {
            assert!(
                matches!(
                    check_task_env(&extra(&[(name, "x")])),
                    Err(EnvironmentError::BadName { .. })
                ),
                "{name:?}"
            );
        }
        assert!(matches!(
            check_task_env(&extra(&[("A", "x\0y")])),
            Err(EnvironmentError::BadValue { .. })
        ));
        assert_eq!(check_task_env(&extra(&[("A_1", "x=y\nz")])), Ok(()));
    }

    #[test]
    fn pass_env_may_not_redirect_git() {
        let refused = home().for_agent(&["GIT_DIR".to_owned()], &BTreeMap::new());
        assert!(matches!(refused, Err(EnvironmentError::NotPassed { .. })));
    }

    #[test]
    fn a_value_that_is_not_text_is_named() {
        let env = Environment::of([("HOME", OsStr::from_bytes(b"/h\xff"))], "/");
        assert_eq!(
            env.for_agent(&[], &BTreeMap::new()),
            Err(EnvironmentError::NotText {
                name: "HOME".to_owned()
            })
        );
    }

    #[test]
    fn git_keeps_credentials_and_loses_redirects() {
        let env = Environment::of(
            [
                ("SSH_AUTH_SOCK", "/s"),
                ("GIT_SSH_COMMAND", "ssh -v"),
                ("GIT_DIR", "/x"),
                ("CALLBOARD_BOARD", "/b"),
            ],
            "/",
        );
        let names: Vec<_> = env.for_git().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["GIT_SSH_COMMAND", "SSH_AUTH_SOCK"]);
    }

    #[test]
    fn which_finds_executables_only() {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        for (name, mode) in [("tool", 0o755), ("data", 0o644)] {
            let file = std::fs::File::create(bin.join(name)).unwrap();
            file.set_permissions(std::fs::Permissions::from_mode(mode))
                .unwrap();
        }
        let path = format!("/nowhere:{}", bin.display());
        let env = Environment::of([("PATH", path)], dir.path());
        assert_eq!(env.which("tool"), Some(bin.join("tool")));
        assert_eq!(env.which("data"), None);
        assert_eq!(env.which("bin/tool"), Some(bin.join("tool")));
        assert_eq!(env.which(""), None);
    }
}
