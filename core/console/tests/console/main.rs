//! For: what the supervisor promises, shown with real processes.
//! Not for: anything that depends on how fast the machine is: every wait looks again until its bound.
//!
//! Needs `/bin/sh` and the usual small programs (sleep, setsid, env, seq, cat, wc).

#![allow(clippy::unwrap_used)] // a test's way to fail

mod endings;
mod logs;
mod processes;
mod stage;
mod trees;
