//! The store from outside: one board in a file of its own, opened, written and read, by several processes too.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod opening;
mod operations;
mod processes;
mod rig;
