//! A configuration and a board become models that are asked, watched and learned from.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests write files, start processes and fail loudly"
)]

mod dispatch;
mod duties;
mod learning;
mod prices;
mod rig;
mod settings;
