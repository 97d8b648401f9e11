//! What configuration means: layers, models, the vault.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests write files and fail loudly"
)]

mod layers;
mod models;
mod rig;
mod vault;
