//! For: everything that can go wrong with git, typed, with the words git said and what to do next.
//! Credentials in remote addresses are taken out before a text gets here.
//! Not for: outcomes that are part of the work (a conflict, a refused push): those are values.

use std::path::PathBuf;
use std::time::Duration;

use crate::Oid;

/// A git (or `gh`) command that ended with an unexpected code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Program and arguments, redacted, shortened to 300 characters.
    pub command: String,
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard error, redacted, the last 4,000 characters.
    pub stderr: String,
}

/// What went wrong, and (by [`GitError::hint`]) what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The path is in no git repository (or does not exist).
    #[error("{} is not inside a git repository", path.display())]
    NotARepository {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// The repository has no work tree here: it is bare, or the path is inside `.git`.
    #[error("{} has no work tree", path.display())]
    Bare {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// The repository has no commit yet.
    #[error("the repository {} has no commit yet", root.display())]
    Unborn {
        /// The repository's work tree.
        root: PathBuf,
    },
    /// The program could not be started.
    #[error("cannot start {program}: {source}")]
    NoProgram {
        /// The program's name or path.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// The installed git lacks `merge-tree --write-tree`.
    #[error("git {found} is too old")]
    TooOld {
        /// What `git version` said.
        found: String,
    },
    /// A command failed.
    #[error("`{}` failed ({}): {}", .0.command, code_text(.0.code), .0.stderr)]
    Failed(Box<Failure>),
    /// A command did not end in time; its process group was ended.
    #[error("`{command}` did not end within {} s and was stopped", after.as_secs())]
    TimedOut {
        /// Program and arguments, redacted.
        command: String,
        /// The limit.
        after: Duration,
    },
    /// A command wrote more than fits.
    #[error("`{command}` wrote more than {limit} bytes")]
    TooMuchOutput {
        /// Program and arguments, redacted.
        command: String,
        /// The bound in bytes.
        limit: usize,
    },
    /// A command's answer was not understood.
    #[error("`{command}` answered something unexpected: {what}")]
    Unexpected {
        /// Program and arguments, redacted.
        command: String,
        /// The part that was not understood.
        what: String,
    },
    /// A file operation failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, with the path.
        doing: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A name, path or text that is refused before git sees it.
    #[error("not a usable {what}: {value:?} ({why})")]
    Invalid {
        /// What kind of value.
        what: &'static str,
        /// The value, shortened.
        value: String,
        /// The rule it breaks.
        why: String,
    },
    /// A ref was not where the caller expected it; nothing was changed.
    #[error(
        "{reference} moved: expected {}, found {}",
        or_absent(expected),
        or_absent(found)
    )]
    Moved {
        /// The full name of the ref.
        reference: String,
        /// Where it should have been; `None`: it should not have existed.
        expected: Option<Oid>,
        /// Where it is.
        found: Option<Oid>,
    },
    /// Something is already at the place of a new worktree: a crash left it, or another attempt uses it.
    #[error("{} already exists", path.display())]
    PathTaken {
        /// The place.
        path: PathBuf,
    },
    /// The branch of a new worktree exists and points elsewhere, or is checked out.
    #[error("branch {branch} already exists at {}", tip.short())]
    BranchTaken {
        /// The branch's short name.
        branch: String,
        /// Where it points.
        tip: Oid,
        /// The worktree that has it checked out, if any.
        at: Option<PathBuf>,
    },
    /// The directory is not a worktree of this repository, so it is left alone.
    #[error("{} is not a worktree of this repository", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// The worktree's HEAD is no longer on the branch it was made for.
    #[error("the worktree {} should be on branch {expected} but is {found}", path.display())]
    WrongBranch {
        /// The worktree.
        path: PathBuf,
        /// The branch it was made for.
        expected: String,
        /// Where HEAD is.
        found: String,
    },
    /// The worktree holds unresolved conflicts.
    #[error("{} unresolved conflicts in the worktree, first: {}", paths.len(), first(paths))]
    Unresolved {
        /// The files with conflicts.
        paths: Vec<PathBuf>,
    },
    /// The worktree holds a git repository of its own, which a commit would not contain.
    #[error("{} is a git repository of its own inside the worktree", path.display())]
    Nested {
        /// Path relative to the worktree.
        path: PathBuf,
    },
    /// Another process kept the repository's worktree lock for too long.
    #[error("another process has held {} for {} s", lock.display(), after.as_secs())]
    Busy {
        /// The lock file.
        lock: PathBuf,
        /// How long was waited.
        after: Duration,
    },
}

impl GitError {
    pub(crate) fn invalid(what: &'static str, value: &str, why: &str) -> GitError {
        let value = value.chars().take(80).collect();
        GitError::Invalid {
            what,
            value,
            why: why.to_owned(),
        }
    }

    pub(crate) fn io(doing: impl Into<String>, source: std::io::Error) -> GitError {
        GitError::Io {
            doing: doing.into(),
            source,
        }
    }

    /// What to do next, where that is known.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            GitError::NotARepository { path } => {
                format!("Run `git init` in {} and commit once.", path.display())
            }
            GitError::Bare { .. } => {
                "Name a checkout: clone the repository and use the clone.".into()
            }
            GitError::Unborn { .. } => {
                "Make the first commit: `git add -A && git commit -m \"chore: start\"`.".into()
            }
            GitError::NoProgram { program, .. } => {
                format!("Install {program} and see that it is on PATH.")
            }
            GitError::TooOld { .. } => "Install git 2.38 or newer.".into(),
            GitError::Failed(failure) => return failure.hint(),
            GitError::TimedOut { .. } => {
                "See whether it waits for a password, a hook or the network; run it by hand.".into()
            }
            GitError::Moved { .. } => {
                "Read the ref again and repeat the step on its new value.".into()
            }
            GitError::PathTaken { path } => {
                format!(
                    "Remove what an earlier attempt left: `git worktree list` shows whether {} is in use.",
                    path.display()
                )
            }
            GitError::BranchTaken { branch, .. } => {
                format!("Use another name, or delete it: `git branch -D {branch}`.")
            }
            GitError::WrongBranch { expected, .. } => {
                format!("Stay on {expected}: do not switch branches in the worktree.")
            }
            GitError::Unresolved { .. } => "Resolve the conflicts and remove the markers.".into(),
            GitError::Nested { path } => {
                format!("Delete {} or list it in .gitignore.", path.display())
            }
            GitError::Busy { .. } => "See which process holds the lock: `fuser <file>`.".into(),
            _ => return None,
        };
        Some(text)
    }
}

const HINTS: &[(&str, &str)] = &[
    (
        "dubious ownership",
        "Say that you trust it: `git config --global --add safe.directory <path>`.",
    ),
    (
        "terminal prompts disabled",
        "Set up a credential helper: `gh auth setup-git` or `git config credential.helper`.",
    ),
    (
        "Authentication failed",
        "Check the stored credentials: `git push` by hand shows what is asked.",
    ),
    (
        "Permission denied (publickey",
        "Load the key: `ssh-add`, then try `git push` by hand.",
    ),
    (
        "Host key verification failed",
        "Connect once by hand so that the host's key is known.",
    ),
    (
        "Could not resolve host",
        "The network or the remote's address is wrong: `git remote -v`.",
    ),
    (
        "does not appear to be a git repository",
        "The remote's address is wrong: `git remote -v`.",
    ),
    ("No space left on device", "Free some disk space and go on."),
    (
        "failed to sign",
        "Signing failed: try `git commit -S` by hand, or set commit.gpgsign=false for this repository.",
    ),
    (
        "gpg failed",
        "Signing failed: try `git commit -S` by hand, or set commit.gpgsign=false for this repository.",
    ),
    (
        ".lock': File exists",
        "Another git process is running, or one crashed: when none runs, delete the lock file.",
    ),
    (
        "unrelated histories",
        "The branch was not made from this repository's history; make it anew.",
    ),
    (
        "hook",
        "A hook of the repository refused; its words are above.",
    ),
];

impl Failure {
    fn hint(&self) -> Option<String> {
        let found = HINTS
            .iter()
            .find(|(needle, _)| self.stderr.contains(needle));
        found.map(|(_, hint)| (*hint).to_owned())
    }
}

fn code_text(code: Option<i32>) -> String {
    code.map_or("ended by a signal".into(), |code| format!("exit {code}"))
}

fn or_absent(oid: &Option<Oid>) -> String {
    oid.as_ref()
        .map_or("nothing".into(), |oid| oid.short().to_owned())
}

fn first(paths: &[PathBuf]) -> String {
    paths
        .first()
        .map(|path| path.display().to_string())
        .unwrap_or_default()
}
