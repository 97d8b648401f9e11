//! What can be wrong with configuration, told so that the reader can mend it.
//! For: every error of this crate, and where a value came from.
//! Not for: recovering. Nothing here changes a file.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where a value came from. Displayed as a place a person can go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody said anything: the built-in default.
    Default,
    /// The user's own `config.toml`.
    User {
        /// Absolute path of the file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
    },
    /// `callboard.toml` at the root of the project.
    Project {
        /// Absolute path of the file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
    },
    /// The user's register of projects.
    Register {
        /// Absolute path of the register.
        file: PathBuf,
    },
    /// An environment variable.
    Environment {
        /// Its name, `CALLBOARD_…`.
        name: String,
    },
    /// A flag on the command line.
    Flag {
        /// The flag as typed, with its dashes.
        name: &'static str,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "default"),
            Self::User { file, line } | Self::Project { file, line } => {
                write!(f, "{}:{line}", file.display())
            }
            Self::Register { file } => write!(f, "{}", file.display()),
            Self::Environment { name } => write!(f, "{name}"),
            Self::Flag { name } => write!(f, "{name}"),
        }
    }
}

/// One thing wrong in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The place.
    pub place: Source,
    /// The key, with dots (`run.agents`); empty when the file is no TOML at that place.
    pub key: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}", self.message)
    }
}

/// A key that an untrusted project file may not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UntrustedKey {
    /// The key, with dots.
    pub key: String,
    /// Line, from 1.
    pub line: usize,
    /// The value as the file has it, shortened and without control characters.
    pub value: String,
}

/// A project file with keys that need the user's trust, which it does not have (or no longer has).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untrusted {
    /// Root of the project.
    pub project: PathBuf,
    /// The file.
    pub file: PathBuf,
    /// SHA-256 of its content in lower-case hex: what `callboard trust` records.
    pub sha256: String,
    /// The keys.
    pub keys: Vec<UntrustedKey>,
    /// An earlier content was trusted: the file has changed since.
    pub changed: bool,
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = if self.changed {
            "has changed since you trusted it, and sets"
        } else {
            "is not trusted, and sets"
        };
        writeln!(
            f,
            "{} {since} what only you may allow:",
            self.file.display()
        )?;
        for key in &self.keys {
            writeln!(f, "  line {}: {} = {}", key.line, key.key, key.value)?;
        }
        write!(
            f,
            "Review the file, then run `callboard trust {}`.",
            shell_quoted(&self.project)
        )
    }
}

/// A path as it can be pasted into a shell.
pub(crate) fn shell_quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    shlex::try_quote(&text).map_or_else(|_| format!("{text:?}"), |quoted| quoted.into_owned())
}

/// Why configuration could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Values that can't be used; all of them, not only the first.
    #[error("{}", list(problems))]
    Invalid {
        /// At least one.
        problems: Vec<Problem>,
    },
    /// The project file asks for more than an untrusted one may.
    #[error("{0}")]
    Untrusted(Untrusted),
    /// A file that exists could not be read.
    #[error("{}: {why}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What to do about it.
        why: String,
    },
    /// Neither `HOME` nor the XDG variables are set.
    #[error(
        "HOME is not set (or not absolute), so there is no place for configuration or the board: set HOME, or CALLBOARD_DATA_DIR to an absolute directory"
    )]
    NoHome,
    /// A directory variable that is not an absolute path.
    #[error("{name} is {value:?}, which is not an absolute path: set it to one or unset it")]
    NotAbsolute {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// An agent was chosen by a name that is not configured.
    #[error("{place}: {message}")]
    UnknownAgent {
        /// Who chose it.
        place: Source,
        /// What is configured, and how to add one.
        message: String,
    },
    /// The register of projects.
    #[error(transparent)]
    Register(#[from] RegisterError),
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

/// Why the register of projects could not be read or changed. It is never overwritten when it is broken.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Not what we wrote, nor anything we understand.
    #[error("{}:{line}: {message}; mend the line by hand (nothing was changed)", file.display())]
    Broken {
        /// The register.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// Another process holds the lock for too long.
    #[error("{}: another process has held the register's lock for {seconds} s; end it and try again", file.display())]
    Busy {
        /// The lock file.
        file: PathBuf,
        /// How long we waited.
        seconds: u64,
    },
    /// Paths and boards are text in the register.
    #[error("{}: the path is not valid UTF-8, so it can't be registered", path.display())]
    NotText {
        /// The path.
        path: PathBuf,
    },
    /// Reading or writing failed.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file or directory.
        file: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

/// Text from a file that nobody has vouched for, fit for a terminal: one line, no control characters, bounded.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 120;
    let mut safe: String = text
        .chars()
        .take(LONGEST)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        safe.push('…');
    }
    safe
}
