//! The llm server: models asked by route, within limits, at a known price.
//!
//! For: the gateway, over which agents ask models in the protocols they speak already. Not for: choosing a model,
//! retrying, limits or prices (callboard_routing and callboard_limits decide those).

pub mod gateway;
