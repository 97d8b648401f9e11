//! Which model answers, and how it is asked.
//!
//! For: [`chat`], one shape for conversations with any model; [`failure`], one shape for all that goes wrong; [`wire`],
//! the four protocols that providers speak, as functions over bytes; [`upstream`], which sends them to one provider;
//! [`route`], which candidates are asked in which order, and why; [`engine`], what comes after a failure; [`gateway`],
//! the protocols that clients speak to us. Not for: MCP, prices, or deciding what a task is worth.

pub mod bandit;
pub mod chat;
pub mod check;
pub mod engine;
pub mod evaluate;
pub mod failure;
pub mod gateway;
pub mod route;
pub mod upstream;
pub mod wire;
