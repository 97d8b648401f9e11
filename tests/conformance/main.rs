//! The official conformance suites, against a server with their fixtures and against ours.
//!
//! Needs what `tests/clients/install core` brings and the example `fixtures` of callboard-mcp; `tests/run` sees to
//! both. The fixtures show that `core/mcp` can do what the suites ask for; our servers have other tools, so
//! for them only what fits any server passes, and the rest is listed like any other failure that is expected:
//! `expected/SERVER-SUITE.yml`, in the suites' own format, each entry with its reason. An entry that passes is a
//! failure as well.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests start processes and fail loudly"
)]

mod expected;
mod served;
mod suite;

use served::Served;
use suite::Suite;

#[test]
fn fixtures_released() {
    suite::check(&Served::fixtures(), Suite::Released);
}

#[test]
fn fixtures_2025_11_25() {
    suite::check(&Served::fixtures(), Suite::Requirements("2025-11-25"));
}

#[test]
fn fixtures_2026_07_28() {
    suite::check(&Served::fixtures(), Suite::Requirements("2026-07-28"));
}

#[test]
fn assigner_released() {
    suite::check(&Served::server("assigner"), Suite::Released);
}

#[test]
fn assigner_2025_11_25() {
    suite::check(
        &Served::server("assigner"),
        Suite::Requirements("2025-11-25"),
    );
}

#[test]
fn assigner_2026_07_28() {
    suite::check(
        &Served::server("assigner"),
        Suite::Requirements("2026-07-28"),
    );
}

#[test]
fn roadmap_released() {
    suite::check(&Served::server("roadmap"), Suite::Released);
}

#[test]
fn roadmap_2025_11_25() {
    suite::check(
        &Served::server("roadmap"),
        Suite::Requirements("2025-11-25"),
    );
}

#[test]
fn roadmap_2026_07_28() {
    suite::check(
        &Served::server("roadmap"),
        Suite::Requirements("2026-07-28"),
    );
}
