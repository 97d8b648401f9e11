//! Limits through the real store, on a file of its own for each test.
//!
//! For: what the rules promise once rows and several processes are involved. Not for: the pure parts, which are
//! tested beside their code.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod breakers;
mod budgets;
mod fixture;
mod granting;
mod later;
mod outcomes;
mod processes;
mod properties;
mod rules;
