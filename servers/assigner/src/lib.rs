//! The MCP server for the board: tasks, leases, waits.
//!
//! For: any MCP client, as the one who posts work or the one who does it. Not for: deciding anything about
//! a task (scheduling does), or starting agents (the crew does).

mod assigner;
mod errors;
mod logs;
mod prompts;
mod resources;
mod serve;
mod tools;
mod views;

pub use assigner::Assigner;
pub use serve::{mount, serve, serve_stdio, server};
