//! The server through the real protocol, in memory.
//!
//! For: what a client sees of every tool, resource and prompt, and what they do to the board. Not for: the
//! rules of scheduling, which are tested there.
#![allow(clippy::unwrap_used)]

mod conforms;
mod effects;
mod fixture;
mod offer;
mod reading;
mod waits;
mod wrong_input;
