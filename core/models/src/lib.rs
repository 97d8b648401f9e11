//! The models as configured: what may be asked, with which keys, within which limits and at which prices.
//!
//! For: turning [`callboard_config::Config`] into a [`Router`](callboard_routing::engine::Router) over a board
//! ([`Models::open`]); prices that the user brought ([`prices`]); and what has to be done beside calls by somebody
//! ([`Models::keep`]). Whoever hands out work and calls no model needs only the limits: [`set_limits`]. Not for: reading configuration, opening a vault (the caller hands in how secrets are had), or
//! deciding who is asked.

mod caps;
mod dispatch;
mod duties;
mod error;
mod gateway;
mod learning;
mod measured;
mod mending;
mod models;
pub mod prices;
mod settings;

pub use caps::{set_limits, try_set_limits};
pub use dispatch::{Dispatched, Stop, dispatch, task_stop};
pub use duties::{Done, Duties, tick};
pub use error::ModelsError;
pub use gateway::gateway_knows;
pub use learning::learn;
pub use measured::measured_route;
pub use models::{Models, Opening, keeping, this_process};
pub use settings::{Secrets, Unready, no_secrets};
