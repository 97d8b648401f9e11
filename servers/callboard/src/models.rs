//! The models as configured, in the processes of the command.
//! For: opening them for `serve` and `run`. Not for: what is done with them.

use callboard_config::{Config, Environment};
use callboard_crew::{look_up, users_vault};
use callboard_models::{Models, Opening, Secrets, keeping, no_secrets};
use callboard_store::{Store, SystemClock};
use callboard_telemetry::CallLog;
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
    let project = environment.project_root();
    let models = open(environment, config, project, store, look_up(vault)).await?;
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
    open(environment, config, Some(root), store, no_secrets()).await
}

/// What is wrong is told and stops nothing else.
async fn open(
    environment: &Environment,
    config: &Config,
    project: Option<PathBuf>,
    store: &Store,
    secrets: Secrets,
) -> Option<Models> {
    let opening = Opening {
        environment: environment.clone(),
        config: config.clone(),
        project,
        store: store.clone(),
        log: CallLog::keeping(&config.board, keeping(config)),
        clock: Arc::new(SystemClock),
        secrets,
    };
    Models::open(opening)
        .await
        .inspect_err(|error| {
            tracing::warn!("the models of the configuration are not used: {error}")
        })
        .ok()
}
