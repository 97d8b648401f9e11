//! What a user and an MCP client see, through the real binaries.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests start processes and fail loudly"
)]

mod access;
mod agents;
mod answers;
mod attempt_keys;
mod audit;
mod cli;
mod clients;
mod corpus;
mod docs;
mod evaluate;
mod example;
mod gateway;
mod goldens;
mod kills;
mod layering;
mod leftovers;
mod models;
mod over_mcp;
mod people;
mod pulls;
mod request_ids;
mod roles;
mod scenarios;
mod serve;
mod stdio;
mod subscriptions;
mod tasks;
mod telemetry;
mod token_runs;
mod tokens;
mod vault;
mod workshop;
mod wrong_input;
