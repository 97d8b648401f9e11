//! The models as configured, in the processes of the command.
//! For: opening them for `serve` and `run`. Not for: what is done with them.

use callboard_config::{Config, Environment};
use callboard_crew::{look_up, users_vault};
use callboard_models::{Models, Opening};
use callboard_store::{Store, SystemClock};
use std::path::PathBuf;
use std::sync::Arc;

/// For a process that serves: with the keys, and a warning for each provider that can't be used.
pub(crate) async fn serving(
    environment: &Environment,
    config: &Config,
    store: &Store,
) -> Option<Models> {
    // Nobody sits at this process, so no passphrase is asked for on a terminal.
    let vault = users_vault(environment, config, Arc::new(SystemClock), None);
    let opening = Opening {
        secrets: look_up(vault),
        ..Opening::new(environment, config, store)
    };
    let models = Models::try_open(opening).await?;
    models.warn();
    Some(models)
}

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
