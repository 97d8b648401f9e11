//! The MCP server for what calls to models cost, how fast they were and what went wrong.
//!
//! For: any MCP client that asks about the past; charts and exports. Not for: recording calls (whoever makes one
//! does), exact budgets (limits has them), or changing anything but files of its own.

mod chart;
mod csv;
mod errors;
mod files;
mod key;
mod only;
mod period;
mod prompts;
mod resources;
mod serve;
mod state;
mod tools;
mod views;

pub use serve::{mount, serve, server};
pub use state::Telemetry;
