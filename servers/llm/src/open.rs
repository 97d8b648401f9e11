//! The models of this user and board.
//! For: putting the configuration and the vault together, once for each process. Not for: what either of them says.

use std::sync::Arc;

use anyhow::Context as _;
use callboard_config::{Config, Environment};
use callboard_crew::users_vault;
use callboard_models::{Models, Opening, Secrets, keeping};
use callboard_store::{Clock, Store, SystemClock};
use callboard_telemetry::CallLog;

/// The models as configured, over this board.
///
/// # Errors
/// Where the board does not answer.
pub async fn open(
    environment: &Environment,
    config: &Config,
    store: &Store,
) -> anyhow::Result<Models> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let opening = Opening {
        environment: environment.clone(),
        config: config.clone(),
        project: None,
        store: store.clone(),
        log: CallLog::keeping(&config.board, keeping(config)),
        clock: Arc::clone(&clock),
        secrets: secrets(environment, config, clock),
    };
    let models = Models::open(opening).await;
    let models = models.context("opening the models of the configuration")?;
    models.warn();
    Ok(models)
}

/// The vault of the user who runs this process; nobody is there to be asked for its passphrase.
fn secrets(environment: &Environment, config: &Config, clock: Arc<dyn Clock>) -> Secrets {
    let vault = users_vault(environment, config, clock, None);
    Arc::new(move |names| {
        let vault = vault().map_err(|error| error.to_string())?;
        vault.resolve(names).map_err(|error| error.to_string())
    })
}
