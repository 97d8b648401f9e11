//! Servers as their clients see them, in one process: bare lines, and bare HTTP.
//!
//! For: what goes over the wire and what comes of it, with a small server that has a tool for each way a call can
//! go. Not for: our own servers and programs, which `tests/it` asks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the report"
)]

mod fixture;

mod asking;
mod batches;
mod calls;
mod http;
mod kinds;
mod long;
mod offers;
mod session;
