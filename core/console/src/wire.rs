//! For: the lines between us and the supervisor.
//! Not for: anything another program may read; both ends are always the same binary.
//!
//! To it: one JSON [`Order`] line, then `stdin_bytes` raw bytes, then single bytes [`TERM`] or [`KILL`]; end of input
//! means "end everything now". From it: one JSON [`Event`] per line.

use serde::{Deserialize, Serialize};

use crate::{Ending, ProcessId, Spec};

/// The argument that makes our binary the supervisor.
pub(crate) const ARGUMENT: &str = "__supervise";
/// Ask the tree to end.
pub(crate) const TERM: u8 = b't';
/// End the tree now.
pub(crate) const KILL: u8 = b'k';

/// The first line to the supervisor.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    pub spec: Spec,
    /// Length of the command's standard input, which follows the line; `None` is `/dev/null`.
    pub stdin_bytes: Option<u64>,
    /// Values that must not get into the log, with what stands in their place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<(String, String)>,
}

/// What the supervisor tells us.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    Started { command: ProcessId },
    CouldNotStart { message: String },
    Ended(Ending),
}
