//! What the user's vault holds is kept out of sight from the start.
//! For: a process that answers others: it registers every value before it serves anything, and again soon after
//! another process changed the vault. Not for: asking for a passphrase, or handing out a value.

use crate::error::CrewError;
use crate::passphrase::passphrase;
use callboard_config::{Config, Environment};
use callboard_store::vault::{self, AskPassphrase, Mark, Vault};
use callboard_store::{Clock, Options, Store, SystemClock, actor};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often the vault is looked at when nothing tells of a change.
const PERIOD: Duration = Duration::from_secs(2);
/// The least time between two looks: a busy board changes all the time.
const GAP: Duration = Duration::from_millis(100);
/// How long a vault that does not open is left alone at first: a wrong passphrase costs as much as a right one, and a
/// program that is to print it may ask somebody.
const RETRY_MS: i64 = 30_000;
/// It is left alone for twice as long each time, up to this.
const RETRY_MOST_MS: i64 = 5 * 60_000;
/// How long the program may take that prints the passphrase: a client waits for its server meanwhile.
const PASSPHRASE_WITHIN: Duration = Duration::from_secs(10);

/// Knows the vault's values as long as it is held.
#[derive(Debug)]
#[must_use = "no more values are learned once it is dropped"]
pub struct Learning(JoinHandle<()>);

impl Drop for Learning {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Registers every value of the user's vault if it opens without asking anybody, and goes on doing so while the
/// result is held. A vault that does not open is warned of in the log. `store` is used if it is the user's board.
/// Call inside a runtime.
pub fn learn_secrets(
    environment: &Environment,
    config: &Config,
    store: Option<&Store>,
) -> Learning {
    let mut learner = Learner {
        environment: environment.clone(),
        passphrase: passphrase(environment, config, PASSPHRASE_WITHIN),
        store: store.cloned(),
        clock: Arc::new(SystemClock),
        vault: None,
        seen: None,
        told: None,
        patience_ms: RETRY_MS,
    };
    // Before anything is served.
    learner.look();
    Learning(actor::spawn(go_on(learner)))
}

struct Learner {
    environment: Environment,
    passphrase: Option<AskPassphrase>,
    store: Option<Store>,
    clock: Arc<dyn Clock>,
    vault: Option<(Vault, watch::Receiver<u64>)>,
    seen: Option<Mark>,
    /// The last failure, and when it was.
    told: Option<(String, i64)>,
    /// How long it is left alone after the next failure.
    patience_ms: i64,
}

impl Learner {
    fn look(&mut self) {
        match self.try_look() {
            Ok(()) => {}
            Err(error) => {
                let (text, now) = (error.to_string(), self.clock.now_ms());
                if self.told.as_ref().is_none_or(|(told, _)| *told != text) {
                    tracing::warn!(
                        "the values in the vault are not all known here, so answers and logs can't be kept free of \
                         them: {text}"
                    );
                }
                self.told = Some((text, now));
            }
        }
    }

    fn try_look(&mut self) -> Result<(), CrewError> {
        let Some(vault) = self.vault()? else {
            return Ok(());
        };
        let mark = vault.mark()?;
        let is_new = self.seen.as_ref() != Some(&mark);
        if !is_new && !self.is_due() {
            return Ok(());
        }
        self.patience_ms = if is_new {
            RETRY_MS
        } else {
            (self.patience_ms * 2).min(RETRY_MOST_MS)
        };
        self.seen = Some(mark.clone());
        if !mark.is_empty() {
            vault.learn()?;
            tracing::debug!("the values in the vault are known here");
        }
        self.told = None;
        Ok(())
    }

    /// Whether the last look failed some time ago.
    fn is_due(&self) -> bool {
        let now = self.clock.now_ms();
        self.told
            .as_ref()
            .is_some_and(|(_, at)| !(0..self.patience_ms).contains(&(now - at)))
    }

    /// The user's vault; none as long as the user has no board.
    fn vault(&mut self) -> Result<Option<Vault>, CrewError> {
        if let Some((vault, _)) = &self.vault {
            return Ok(Some(vault.clone()));
        }
        let options = Options::board(&Config::users_board(&self.environment)?);
        let store = match self.store.take_if(|store| store.path() == options.path) {
            Some(store) => store,
            None if !options.path.is_file() => return Ok(None),
            None => Store::open(
                options,
                &[callboard_telemetry::audit::MIGRATIONS, vault::MIGRATIONS],
            )?,
        };
        let changes = store.changes();
        let data = self.environment.data_dir()?;
        let mut vault = Vault::new(store, &data, Arc::clone(&self.clock));
        if let Some(ask) = self.passphrase.clone() {
            vault = vault.asking(ask);
        }
        self.vault = Some((vault.clone(), changes));
        Ok(Some(vault))
    }
}

async fn go_on(mut learner: Learner) {
    loop {
        let change = async {
            let told = match &mut learner.vault {
                Some((_, changes)) => changes.changed().await.is_ok(),
                None => false,
            };
            if !told {
                std::future::pending::<()>().await;
            }
        };
        // Either way it is looked.
        drop(tokio::time::timeout(PERIOD, change).await);
        let looked = actor::spawn_blocking(move || {
            learner.look();
            learner
        });
        match looked.await {
            Ok(back) => learner = back,
            Err(error) => {
                tracing::warn!(%error, "the vault is not looked at any more");
                return;
            }
        }
        tokio::time::sleep(GAP).await;
    }
}
