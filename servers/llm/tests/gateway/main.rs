//! The gateway over real HTTP: who gets in, what is asked, and what is said back in each client's protocol.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the report"
)]

mod names;
mod questions;
mod rig;
mod several;
