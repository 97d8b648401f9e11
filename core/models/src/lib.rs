//! The models as configured: what may be asked, with which keys, within which limits and at which prices.
//!
//! For: turning [`callboard_config::Config`] into a [`Router`](callboard_routing::engine::Router) over a board
//! ([`Models::open`]); and prices that the user brought ([`prices`]). Not for: reading configuration, opening a vault
//! (the caller hands in how secrets are had), or deciding who is asked.

mod caps;
mod error;
mod models;
pub mod prices;
mod settings;

pub use error::ModelsError;
pub use models::{Models, Opening, keeping, this_process};
pub use settings::{Secrets, Unready, no_secrets};
