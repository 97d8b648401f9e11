//! Scenarios: tests of MCP servers as data.
//!
//! For: reading scenario files, running them against any server, and reporting. Not for: serving anything.
//! It knows no server of ours: what `callboard: NAME` starts is the program that the caller passes in.

pub mod format;
mod judge;
mod nearest;
mod read;
pub mod report;
mod rig;
mod run;
mod secrets;
mod values;
mod wire;

pub use read::{LoadError, find, load, parse};
pub use report::{Failure, Outcome, Report, Verdict};
pub use run::{Options, run};
pub use secrets::{Refused, Secrets, resolve};

/// The JSON Schema of the format, for editors and for the file beside our own scenarios.
#[must_use]
pub fn schema() -> serde_json::Value {
    let schema = schemars::generate::SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<format::Scenario>();
    serde_json::to_value(schema).unwrap_or_default()
}
