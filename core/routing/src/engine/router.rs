//! The handle that everybody calls models through.
//! For: the settings in force, names that clients use, and dry runs. Not for: how a call is made.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use callboard_store::Ids;
use futures_util::future::BoxFuture;

use super::explain::{Question, considered};
use super::flights::Flights;
use super::health::Health;
use super::settings::{Parts, Provider, Settings};
use super::{Ask, CallError, Explained, Wanted, estimate};
use crate::chat::Charged;
use crate::failure::Failure;
use crate::route::Need;
use crate::wire::Model;

/// Calls models by the routes of the settings, within the limits of the board. Clones share everything.
#[derive(Clone)]
pub struct Router {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) parts: Parts,
    settings: RwLock<Arc<Settings>>,
    pub(super) health: Health,
    pub(super) ids: Ids,
    pub(super) flights: Flights,
    /// What was said once already of calls without a price.
    pub(super) told: Mutex<BTreeSet<String>>,
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Router")
            .field("settings", &self.settings())
            .finish_non_exhaustive()
    }
}

impl Router {
    /// A router over the board. Nothing is asked of anybody yet.
    #[must_use]
    pub fn new(parts: Parts, settings: Settings) -> Router {
        let inner = Inner {
            parts,
            settings: RwLock::new(Arc::new(settings)),
            health: Health::default(),
            ids: Ids::system(),
            flights: Flights::default(),
            told: Mutex::default(),
        };
        Router {
            inner: Arc::new(inner),
        }
    }

    /// Other settings from now on. Calls that are being made end by the old ones.
    pub fn replace(&self, settings: Settings) {
        let mut current = self
            .inner
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(settings);
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        let current = self
            .inner
            .settings
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }

    /// Whom a client means by the name of a model: a route of that name, `provider/model`, a model that a provider
    /// declares (the first provider by name), and otherwise whoever the default route chooses.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Wanted {
        let settings = self.settings();
        if settings.routes.contains_key(name) {
            return Wanted::Route(name.to_owned());
        }
        let model = |provider: &str, model: &str| Wanted::Model {
            provider: provider.to_owned(),
            model: model.to_owned(),
        };
        if let Some((provider, rest)) = name.split_once('/')
            && settings.providers.contains_key(provider)
            && !rest.is_empty()
        {
            return model(provider, rest);
        }
        let declares = |entry: &(&String, &Provider)| entry.1.models.contains_key(name);
        match settings.providers.iter().find(declares) {
            Some((provider, _)) => model(provider, name),
            None => Wanted::Default,
        }
    }

    /// Who would be asked and why, what it would cost, and what stands in the way. Writes nothing and asks nobody.
    ///
    /// # Errors
    /// [`CallError::Unknown`] for a route or provider that is not configured, [`CallError::Role`], [`CallError::Board`].
    pub fn explain<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Result<Explained, CallError>> {
        Box::pin(async move {
            let parts = &self.inner.parts;
            let now = parts.clock.now_ms();
            let known = self.inner.health.fresh(&parts.log, now).await;
            let settings = self.settings();
            let (chain, route) = settings.chain(&ask.target)?;
            let base = estimate::input_tokens(&ask.chat);
            let need = settings.demanded(Need::of(&ask.chat, base), &ask.terms, &ask.who, route)?;
            let question = Question {
                chain,
                need,
                chat: &ask.chat,
                base,
                answers: 1,
                who: &ask.who,
                lacks: &|wire| wire.lacks(&ask.chat),
                charged: &|_| Charged::default(),
            };
            let explained = parts
                .store
                .read_now(|c| considered(c, now, &settings.prices, question, &known))?;
            Ok(explained)
        })
    }

    /// The models that a provider says it has.
    ///
    /// # Errors
    /// [`CallError::Unknown`] for a provider that is not configured, [`CallError::Failed`] with what it said instead.
    pub fn models<'a>(&'a self, provider: &'a str) -> BoxFuture<'a, Result<Vec<Model>, CallError>> {
        Box::pin(async move {
            let settings = self.settings();
            let upstream = &settings.provider(provider)?.upstream;
            let failed = |failure: Failure| CallError::Failed {
                failure,
                hops: Vec::new(),
            };
            upstream.models().await.map_err(failed)
        })
    }
}
