//! The models as configured, in the processes of the command.
//! For: opening them for `run`. Not for: what is done with them.

use callboard_config::{Config, Environment};
use callboard_models::{Models, Opening};
use callboard_store::Store;
use std::path::PathBuf;

/// For a process that asks no model itself: limits, prices and the duties, without any key.
pub(crate) async fn beside(
    environment: &Environment,
    config: &Config,
    root: PathBuf,
    store: &Store,
) -> Option<Models> {
    let opening = Opening {
        project: Some(root),
        ..Opening::new(environment, config, store)
    };
    Models::try_open(opening).await
}
