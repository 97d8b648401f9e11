//! For: starting a command as a tree of processes we own, ending it to the last grandchild, reading what it wrote.
//! Also: finding and ending what an earlier, killed process of ours may have left behind.
//! Not for: deciding what to run or with which environment; tasks, leases, git; what the output means.
//!
//! A command runs under a small supervisor: our own binary, started again as `<program> __supervise`. The supervisor
//! adopts every orphan below it, so no descendant can leave the tree, and it ends the whole tree as soon as its pipe
//! to us closes, whether we dropped it or were killed.

mod answer;
mod log;
mod outcome;
mod output;
mod process;
mod relearn;
mod spec;
mod start;
mod supervised;
mod supervisor;
mod tree;
mod wire;

pub use answer::{Asked, NoAnswer, answer};
pub use log::{LogChunk, read_log, tail_log};
pub use outcome::{Ending, Outcome, Stop};
pub use process::{
    ProcessId, end_marked, end_processes, has_terminal, processes_with_env, processes_within,
};
pub use spec::Spec;
pub use supervised::{ConsoleError, Supervised, spawn, this_program};
pub use supervisor::supervise_if_asked;
