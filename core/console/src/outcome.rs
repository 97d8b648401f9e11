//! For: how a command ended, as facts.
//! Not for: whether that counts as success; the caller decides.

use serde::{Deserialize, Serialize};

/// Why and how the command itself ended. What stopped it comes before how it then exited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It exited by itself with this code.
    Exited(i32),
    /// This signal, not sent by us, ended it.
    Signalled(i32),
    /// It ran longer than [`crate::Spec::timeout`] and was ended.
    TimedOut,
    /// [`crate::Supervised::stop`] ended it.
    Stopped,
    /// The supervisor was killed or stopped answering. What could be found of the tree has been ended; the exit
    /// status is unknown and the log may lack its tail.
    SupervisorLost,
}

/// What is known after the whole tree has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Why and how the command ended.
    pub outcome: Outcome,
    /// From the command's start to its own end, milliseconds of running time.
    pub duration_ms: u64,
    /// Bytes this command added to its log file, the marker line included.
    pub log_bytes: u64,
    /// Bytes of output that are in no log: over the limit, or the disk refused them (see [`Ending::log_error`]).
    pub dropped_bytes: u64,
    /// Why the log could not be written, for instance a full disk. The command ran on regardless.
    pub log_error: Option<String>,
    /// Descendants that were still alive when the command had ended, and were ended.
    pub leftovers_ended: u32,
    /// Descendants that could not be ended in time (for instance stuck in the kernel, or another user's).
    pub survivors: u32,
    /// The largest resident set of any one process of the tree, bytes. `None` when the supervisor was lost.
    pub max_rss_bytes: Option<u64>,
    /// User and system time of the whole tree, milliseconds. `None` when the supervisor was lost.
    pub cpu_ms: Option<u64>,
}

/// How to stop a running command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM to the whole tree, SIGKILL after [`crate::Spec::grace`].
    Graceful,
    /// SIGKILL to the whole tree.
    Now,
}
