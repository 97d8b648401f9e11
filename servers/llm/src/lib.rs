//! The llm server: models asked by route, within limits, at a known price.
//!
//! For: the MCP server whose tools ask models and tell how they stand, and the gateway, over which agents ask models in
//! the protocols they speak already. Not for: choosing a model, retrying, limits or prices (callboard_routing and
//! callboard_limits decide those).

mod answers;
mod asking;
mod errors;
pub mod gateway;
mod open;
mod pieces;
mod resources;
mod serve;
mod state;
mod tools;
mod views;
mod waiting;

pub use open::open;
pub use serve::{mount, serve};
pub use state::Llm;
