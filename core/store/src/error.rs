//! What can go wrong between an operation and the disk.
//!
//! For: errors that are cheap to clone (one failed commit is told to every waiter) and say what to do
//! next. Not for: anything about tasks; an operation has its own error type that these convert into.

use std::path::PathBuf;
use std::time::Duration;

/// What can go wrong while an operation runs or commits.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The engine refused a statement.
    #[error("{0}")]
    Engine(String),
    /// A row did not have the shape that the code expected.
    #[error("unexpected row: {0}")]
    Row(String),
    /// A unique, foreign key, NOT NULL or CHECK constraint refused a statement.
    #[error("constraint refused: {0}")]
    Constraint(String),
    /// Another process or thread held what this operation needed for longer than the store waits.
    #[error(
        "the board was busy for {} ms; another process holds it: try again, or end that process",
        .waited.as_millis()
    )]
    Busy {
        /// How long the store waited before it gave up.
        waited: Duration,
    },
    /// No space is left for the board's file.
    #[error("no space left for the board: free some on its disk and try again")]
    Full,
    /// The operation tried to change data where it may not.
    #[error("{0}")]
    ReadOnly(String),
    /// The commit failed, so none of the operations that shared it happened.
    #[error("nothing was saved, the commit failed: {0}")]
    Commit(String),
    /// The operation panicked; what it had changed was rolled back.
    #[error("the operation panicked and was rolled back: {0}")]
    Panicked(String),
    /// The store was closed before the operation could run.
    #[error("the board is closed in this process: start it again")]
    Closed,
    /// A backup could not be made; no file was left at its target.
    #[error("no backup was made: {0}")]
    Backup(String),
}

/// Why a store could not be opened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenError {
    /// A newer program has written tables that this one does not know.
    #[error(
        "{} was written by a newer callboard: its `{component}` tables have version {found}, this program \
         knows up to {known}. Update callboard, or choose another board with --board",
        .path.display()
    )]
    Newer {
        /// The component whose tables are newer.
        component: String,
        /// The version found in the file.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
        /// The file.
        path: PathBuf,
    },
    /// The list of migrations itself is wrong; a mistake in the program.
    #[error(
        "the migrations of `{component}` must be numbered 1, 2, 3, …: found {found} where {wanted} belongs"
    )]
    Misnumbered {
        /// The component whose list is wrong.
        component: String,
        /// The version that was found.
        found: u32,
        /// The version that belongs there.
        wanted: u32,
    },
    /// A migration failed; the file is as it was before.
    #[error("migration {version} of `{component}` failed and was rolled back: {message}")]
    Migration {
        /// The component that was being migrated.
        component: String,
        /// The version that failed.
        version: u32,
        /// What the engine said.
        message: String,
    },
    /// The directory or the file could not be made or opened.
    #[error("{}: {message}", .path.display())]
    Path {
        /// The directory or file.
        path: PathBuf,
        /// What went wrong and what to do.
        message: String,
    },
    /// The engine refused to set the store up.
    #[error(transparent)]
    Store(#[from] StoreError),
}
