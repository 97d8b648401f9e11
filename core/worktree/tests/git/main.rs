//! The crate against real repositories, with every git that this machine has.

#![allow(clippy::unwrap_used)]

mod merges;
mod messages;
mod processes;
mod pulls;
mod refs;
mod remotes;
mod rescues;
mod rig;
mod worktrees;
