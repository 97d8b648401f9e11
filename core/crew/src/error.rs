//! What keeps the crew from working at all, in words that say what to do next.

use std::path::PathBuf;

/// A project can't be worked, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum CrewError {
    /// The configuration is wrong or not trusted.
    #[error(transparent)]
    Config(#[from] callboard_config::ConfigError),
    /// An agent's environment can't be made.
    #[error(transparent)]
    Environment(#[from] callboard_config::EnvironmentError),
    /// Git refused.
    #[error(transparent)]
    Git(#[from] callboard_worktree::GitError),
    /// The roadmap can't be read.
    #[error(transparent)]
    Roadmap(#[from] callboard_roadmap::RoadmapError),
    /// The board refused.
    #[error(transparent)]
    Scheduling(#[from] callboard_scheduling::SchedulingError),
    /// The board can't be opened.
    #[error(transparent)]
    Open(#[from] callboard_store::OpenError),
    /// A secret that the agent's configuration names can't be had.
    #[error(transparent)]
    Vault(#[from] callboard_store::vault::VaultError),
    /// A child could not be supervised.
    #[error(transparent)]
    Console(#[from] callboard_console::ConsoleError),
    /// A file of ours could not be written or read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The project is not in a state in which it can be worked.
    #[error("{message}\nHint: {hint}")]
    Refused {
        /// What is in the way.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// A bug: a background task of ours panicked.
    #[error("internal error: {0}")]
    Internal(String),
}

impl CrewError {
    /// What happened and, where that is known, what to do about it.
    #[must_use]
    pub fn advice(&self) -> String {
        match self {
            CrewError::Git(error) => with_hint(error.to_string(), error.hint()),
            CrewError::Scheduling(error) => {
                with_hint(error.to_string(), error.hint().map(Into::into))
            }
            other => other.to_string(),
        }
    }

    pub(crate) fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        CrewError::Refused {
            message: message.into(),
            hint: hint.into(),
        }
    }

    pub(crate) fn file(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        CrewError::File {
            path: path.into(),
            source,
        }
    }
}

fn with_hint(message: String, hint: Option<String>) -> String {
    match hint {
        Some(hint) => format!("{message}\nHint: {hint}"),
        None => message,
    }
}

impl From<callboard_store::StoreError> for CrewError {
    fn from(error: callboard_store::StoreError) -> Self {
        CrewError::Scheduling(error.into())
    }
}
