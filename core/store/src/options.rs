//! Where a store lives, how durable it is, and the tables it needs.
//!
//! For: plain data handed to [`Store::open`](crate::Store::open). Not for: finding out which board a
//! project uses; configuration does that and passes a directory.

use std::path::{Path, PathBuf};

/// One step from an older layout of a component's tables to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// The crate that owns the tables, for example `scheduling`.
    pub component: &'static str,
    /// The version that the tables have afterwards: 1, 2, 3, … in the order of the list.
    pub version: u32,
    /// The statements, separated by semicolons. All pending migrations run in one transaction.
    pub sql: &'static str,
}

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Death of the process and loss of power: every commit waits for the disk.
    Full,
    /// Death of the process. Loss of power may take the last commits, never the file's integrity.
    Normal,
}

/// Where a store lives and how it behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The database file. Made (0600) with its directory (0700) when missing.
    pub path: PathBuf,
    /// What a commit survives.
    pub durability: Durability,
    /// How many snapshot reads may run at once; as many point reads may run beside them. At least 1.
    pub readers: usize,
    /// Where processes leave the sockets by which they hint each other that something changed. Without
    /// it a change by another process is seen by polling alone.
    pub signal_dir: Option<PathBuf>,
}

impl Options {
    /// The board itself: `board.db`, fully durable, with change signals.
    #[must_use]
    pub fn board(dir: &Path) -> Self {
        Self {
            path: dir.join("board.db"),
            durability: Durability::Full,
            readers: 4,
            signal_dir: Some(dir.join("signal")),
        }
    }

    /// High-volume events beside the board: `telemetry.db`, a lock of its own, no signals.
    #[must_use]
    pub fn events(dir: &Path) -> Self {
        Self {
            path: dir.join("telemetry.db"),
            durability: Durability::Normal,
            readers: 2,
            signal_dir: None,
        }
    }
}
