//! The models of one process on a board.

use crate::caps::set_limits;
use crate::duties::{self, Duties};
use crate::error::ModelsError;
use crate::prices::{self, Files, InForce};
use crate::settings::{Around, Built, Secrets, Unready, build, no_secrets, privacy};
use callboard_config::{Config, ConfigError, Environment, ModelName};
use callboard_console::ProcessId;
use callboard_limits::Owner;
use callboard_routing::engine::{Parts, Router};
use callboard_store::actor;
use callboard_store::{Clock, Store, SystemClock};
use callboard_telemetry::llm::Retention;
use callboard_telemetry::{CallLog, Keeping};
use futures_util::future::BoxFuture;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// What the models are opened with.
#[derive(Clone)]
pub struct Opening {
    /// Where files and keys are.
    pub environment: Environment,
    /// What is configured.
    pub config: Config,
    /// The project whose file is part of the configuration; its budgets stand beside the user's.
    pub project: Option<PathBuf>,
    /// The board.
    pub store: Store,
    /// Where rows of calls go: opened with [`keeping`].
    pub log: CallLog,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How secrets are had.
    pub secrets: Secrets,
}

impl Opening {
    /// On a board of this process, as its configuration says; without keys.
    #[must_use]
    pub fn new(environment: &Environment, config: &Config, store: &Store) -> Self {
        Opening {
            environment: environment.clone(),
            config: config.clone(),
            project: environment.project_root(),
            store: store.clone(),
            log: CallLog::keeping(&config.board, keeping(config)),
            clock: Arc::new(SystemClock),
            secrets: no_secrets(),
        }
    }
}

/// The models as configured. Clones share everything.
#[derive(Clone)]
pub struct Models {
    inner: Arc<Inner>,
}

struct Inner {
    opening: Opening,
    router: Router,
    files: Files,
    now: Mutex<Now>,
}

/// What holds at the moment.
struct Now {
    unready: Vec<Unready>,
    prices: Arc<InForce>,
    marks: Vec<Option<(std::time::SystemTime, u64)>>,
}

/// This process, in whose name calls are reserved.
#[must_use]
pub fn this_process() -> Owner {
    let id = ProcessId::current();
    Owner {
        pid: id.pid,
        start: id.start_ticks,
    }
}

/// What is kept of calls, and for how long: for whoever opens the log of calls.
#[must_use]
pub fn keeping(config: &Config) -> Keeping {
    let said = &config.models.retention;
    Keeping {
        privacy: privacy(config),
        retention: Retention {
            days: said.days.value,
            rows: said.rows.value,
            text_days: said.text_days.value,
            text_rows: said.text_rows.value,
        },
    }
}

impl Models {
    /// Makes the board's limits those of the configuration, fills in keys, and reads prices. No provider is asked. One
    /// that can't be used is left out of routes; [`Models::unready`] says why.
    ///
    /// # Errors
    /// Where the board does not answer, or there is no data directory.
    pub fn open(opening: Opening) -> BoxFuture<'static, Result<Models, ModelsError>> {
        Box::pin(async move {
            let files = Files::of(&opening.environment, &opening.config).map_err(no_place)?;
            let project = opening.project.as_deref();
            set_limits(
                &opening.config,
                project,
                &opening.store,
                opening.clock.now_ms(),
            )
            .await?;
            let marks = files.marks();
            let (prices, built) = Self::made(&opening, &files).await?;
            let parts = Parts {
                store: opening.store.clone(),
                log: opening.log.clone(),
                clock: Arc::clone(&opening.clock),
                owner: this_process(),
            };
            let inner = Inner {
                router: Router::new(parts, built.settings),
                files,
                now: Mutex::new(Now {
                    unready: built.unready,
                    prices,
                    marks,
                }),
                opening,
            };
            Ok(Models {
                inner: Arc::new(inner),
            })
        })
    }

    /// As [`Models::open`], for who has other work to do beside: what is wrong is told in the log.
    pub async fn try_open(opening: Opening) -> Option<Models> {
        let opened = Models::open(opening).await;
        opened
            .inspect_err(|error| tracing::warn!("the configured models are not used: {error}"))
            .ok()
    }

    /// Reads prices and fills in keys. That may wait for a vault's passphrase, which is a third of a second of pure
    /// computing.
    async fn made(opening: &Opening, files: &Files) -> Result<(Arc<InForce>, Built), ModelsError> {
        let (opening, files) = (opening.clone(), files.clone());
        let making = actor::spawn_blocking(move || {
            let prices = prices::in_force(&files);
            let around = Around {
                environment: &opening.environment,
                secrets: &opening.secrets,
                clock: &opening.clock,
                prices: Arc::new(prices.table.clone()),
            };
            let built = build(&opening.config, &around);
            (Arc::new(prices), built)
        });
        making
            .await
            .map_err(|error| ModelsError::file(std::path::Path::new("prices"), error))
    }

    /// What calls are made through.
    #[must_use]
    pub fn router(&self) -> &Router {
        &self.inner.router
    }

    /// Providers that are configured and can't be used, with what to do about it.
    #[must_use]
    pub fn unready(&self) -> Vec<Unready> {
        self.now(|now| now.unready.clone())
    }

    /// Warns in the log of each provider and price file that can't be used.
    pub fn warn(&self) {
        for Unready { provider, why } in self.unready() {
            tracing::warn!("the provider {provider} is not used: {why}");
        }
        for part in &self.prices().parts {
            if let (Some(file), Some(why)) = (&part.file, &part.unused) {
                tracing::warn!("the prices in {} do not count: {why}", file.display());
            }
        }
    }

    /// The prices in force.
    #[must_use]
    pub fn prices(&self) -> Arc<InForce> {
        self.now(|now| Arc::clone(&now.prices))
    }

    /// What savings are measured against.
    #[must_use]
    pub fn baseline(&self) -> Option<ModelName> {
        self.inner.opening.config.models.baseline.value.clone()
    }

    /// The configuration it was opened with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.opening.config
    }

    /// The board.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.opening.store
    }

    /// Where rows of calls go.
    #[must_use]
    pub fn log(&self) -> &CallLog {
        &self.inner.opening.log
    }

    /// The time.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.opening.clock
    }

    /// Does what has to be done beside calls, while the result is held. Every process that serves calls this; a row of
    /// the board decides which one acts. Call inside a runtime.
    pub fn keep(&self) -> Duties {
        duties::start(self.clone())
    }

    /// Takes up prices whose files have changed; says whether any had.
    pub async fn renew_prices(&self) -> bool {
        let marks = self.inner.files.marks();
        if self.now(|now| now.marks == marks) {
            return false;
        }
        let files = self.inner.files.clone();
        let read = actor::spawn_blocking(move || prices::in_force(&files)).await;
        let Ok(prices) = read else { return false };
        let mut settings = (*self.router().settings()).clone();
        settings.prices = Arc::new(prices.table.clone());
        self.router().replace(settings);
        self.now(|now| (now.prices, now.marks) = (Arc::new(prices), marks));
        true
    }

    fn now<T>(&self, look: impl FnOnce(&mut Now) -> T) -> T {
        // Values that are replaced as a whole are sound whoever panicked while holding them.
        let mut now = self
            .inner
            .now
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        look(&mut now)
    }
}

fn no_place(error: ConfigError) -> ModelsError {
    ModelsError::file(std::path::Path::new("prices.toml"), error)
}
