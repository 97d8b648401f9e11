//! The server through the real protocol, in memory, on repositories made for each test.
//!
//! For: what a client sees of every tool, resource and prompt, and what they do to files, branches and the board. Not
//! for: the rules of the crew and of the document, which are tested there.
#![allow(clippy::unwrap_used)]

mod choosing;
mod editing;
mod listing;
mod reading;
mod rig;
mod running;
mod wrong_input;
