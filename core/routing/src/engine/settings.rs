//! What a router is made from: the providers, the routes, and how patient it is.
//! For: plain data that whoever reads the configuration fills in. Not for: reading it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use callboard_limits::{Owner, PriceTable};
use callboard_store::{Clock, Store};
use callboard_telemetry::{CallLog, MicroDollars, llm, names};

use super::Patience;
use crate::bandit::Policy;
use crate::route::{Offer, Privacy, Strategy, TaskClass};
use crate::upstream::Upstream;
use crate::wire::Wire;

/// What a router works with. It owns none of it.
#[derive(Clone)]
pub struct Parts {
    /// The board's file: reservations, limits and breakers are rows in it.
    pub store: Store,
    /// Where the texts of calls go if they are kept, and where recent health is read.
    pub log: CallLog,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// This process, in whose name reservations are held.
    pub owner: Owner,
}

/// Everything that a configuration says about calling models.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// By the name that routes, rows and people use.
    pub providers: BTreeMap<String, Provider>,
    /// By name.
    pub routes: BTreeMap<String, RouteSettings>,
    /// The route of requests that name none; with a single route, that one needs no mention.
    pub default_route: Option<String>,
    /// The prices, the user's own over the built-in ones.
    pub prices: Arc<PriceTable>,
    /// How much is tried.
    pub patience: Patience,
    /// How patient breakers are.
    pub breaker: callboard_limits::Patience,
    /// How much is remembered of calls.
    pub privacy: llm::Privacy,
}

/// A provider and what is known of its models.
#[derive(Debug, Clone)]
pub struct Provider {
    /// How it is reached.
    pub upstream: Upstream,
    /// The vendor's name in the table of prices.
    pub prices_as: String,
    /// Models that the configuration says something about, by the provider's own names.
    pub models: BTreeMap<String, Offer>,
    /// What its other models can do.
    pub offer: Offer,
    /// Whether a person is to be asked before each call.
    pub confirm: bool,
}

impl Provider {
    /// What a model of it can do. Of a model that nobody declared, a program on the user's own machine may send prompts
    /// elsewhere all the same: that shows in its name, as the price table knows.
    #[must_use]
    pub fn offer_of(&self, model: &str, prices: &PriceTable) -> Cow<'_, Offer> {
        match self.models.get(model) {
            Some(declared) => Cow::Borrowed(declared),
            None if self.offer.local && prices.runs_elsewhere(&self.prices_as, model) => {
                Cow::Owned(Offer {
                    local: false,
                    ..self.offer.clone()
                })
            }
            None => Cow::Borrowed(&self.offer),
        }
    }

    /// Whose models it has, as far as that shows: in the prices that it asks, or in its wire. OpenAI's is spoken by too
    /// many for that.
    #[must_use]
    pub fn vendor(&self) -> Option<&str> {
        let wire = self.upstream.endpoint().wire;
        let by_wire = (wire != Wire::OpenAi).then(|| wire.as_str());
        let by_prices = Some(self.prices_as.as_str());
        by_prices
            .filter(|prices| names::well_known(prices).is_some())
            .or(by_wire)
    }

    /// The account that the key belongs to; empty where there is but one.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.upstream.endpoint().account
    }
}

/// A named chain of models.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteSettings {
    /// How they are ordered.
    pub strategy: Strategy,
    /// Who could answer, in order.
    pub candidates: Vec<Target>,
    /// Where its prompts may go.
    pub privacy: Privacy,
    /// Regions they may go to; none named: any.
    pub regions: Vec<String>,
    /// What one call may cost at most.
    pub max_cost: Option<MicroDollars>,
    /// Milliseconds within which the whole answer has to be there, where the request does not say so itself.
    pub within_ms: Option<u64>,
    /// The class of its work where neither the request nor the caller's role says one.
    pub class: Option<TaskClass>,
    /// The class of work by the caller's role.
    pub roles: BTreeMap<String, TaskClass>,
    /// Whether an answer that will not do is asked for again, of the next candidate; `None`: the first answer counts.
    pub escalate: Option<Escalate>,
    /// How the order is learned from what came of tasks; `None`: it is not.
    pub learn: Option<Policy>,
}

/// When an answer will not do: where that can be seen from the request, and where its model says so itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Escalate {
    /// The least score, 0 to 100, that a model has to give its own answer; `None`: it is not asked, which is another
    /// call.
    pub least_score: Option<u8>,
}

/// A model of a provider.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Target {
    /// The provider's configured name.
    pub provider: String,
    /// The model, as the provider names it.
    pub model: String,
}

impl Target {
    /// A model of a provider.
    #[must_use]
    pub fn new(provider: impl Into<String>, model: impl Into<String>) -> Target {
        Target {
            provider: provider.into(),
            model: model.into(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}
