//! The configuration as a router wants it.
//! For: filling in secrets, and telling which provider can't be used and why. Not for: reading the configuration or
//! opening a vault.

use callboard_config::{Config, Environment, Model, Provider as Said, Route, Template};
use callboard_limits::PriceTable;
use callboard_redact::Secret;
use callboard_routing::bandit::Policy;
use callboard_routing::engine::{Escalate, Patience, Provider, RouteSettings, Settings, Target};
use callboard_routing::route::{Offer, Privacy, Strategy, TaskClass};
use callboard_routing::upstream::{Deadlines, Endpoint, Upstream};
use callboard_routing::wire::Wire;
use callboard_store::Clock;
use callboard_telemetry::{MicroDollars, llm};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How the values of secrets are had by their names. Only what is configured is asked for, and nothing where nothing
/// names a secret. The text of an error says what to do, and holds no value.
pub type Secrets =
    Arc<dyn Fn(&BTreeSet<String>) -> Result<BTreeMap<String, Secret>, String> + Send + Sync>;

/// For who has no vault: every secret is missing.
#[must_use]
pub fn no_secrets() -> Secrets {
    Arc::new(|_| Err("there is no vault here".to_owned()))
}

/// A provider that is configured and can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unready {
    /// Its name.
    pub provider: String,
    /// Why, and what to do; without any value.
    pub why: String,
}

/// What became of the configuration.
pub(crate) struct Built {
    pub settings: Settings,
    pub unready: Vec<Unready>,
}

/// What is needed beside the configuration.
pub(crate) struct Around<'a> {
    pub environment: &'a Environment,
    pub secrets: &'a Secrets,
    pub clock: &'a Arc<dyn Clock>,
    pub prices: Arc<PriceTable>,
}

/// Makes settings of a configuration. What can't be used is left out of routes and told, so that the rest works.
pub(crate) fn build(config: &Config, around: &Around<'_>) -> Built {
    let said = &config.models;
    let mut providers = BTreeMap::new();
    let mut unready = Vec::new();
    for (name, provider) in &said.providers {
        match ready(provider, around) {
            Ok(mut made) => {
                remote_models(&mut made, provider, &around.prices);
                providers.insert(name.clone(), made);
            }
            Err(why) => unready.push(Unready {
                provider: name.clone(),
                why,
            }),
        }
    }
    let routes = said.routes.iter().map(|(name, said)| {
        let mut route = route(said);
        route
            .candidates
            .retain(|target| providers.contains_key(&target.provider));
        (name.clone(), route)
    });
    let routes = routes.collect();
    let usual = Patience::default();
    let open_ms = i64::try_from(said.open_for.as_millis()).unwrap_or(i64::MAX);
    let settings = Settings {
        routes,
        default_route: said.default_route.value.clone(),
        prices: Arc::clone(&around.prices),
        patience: Patience {
            retries: said.retries.value,
            ..usual
        },
        breaker: callboard_limits::Patience {
            failures: said.open_after.value,
            open_ms,
            ..callboard_limits::Patience::default()
        },
        privacy: privacy(config),
        providers,
    };
    Built { settings, unready }
}

/// What is remembered of calls.
pub(crate) fn privacy(config: &Config) -> llm::Privacy {
    if config.models.keeps_texts.value {
        llm::Privacy::Full
    } else {
        llm::Privacy::Metadata
    }
}

fn ready(said: &Said, around: &Around<'_>) -> Result<Provider, String> {
    let values = secrets(said, around)?;
    let fill = |template: &Template| {
        let filled = template.fill(|name| values.get(name).map(Secret::expose));
        filled
            .map(Secret::new)
            .map_err(|name| format!("the secret {name} is missing"))
    };
    let key = match (&said.key.value, &said.key_env.value) {
        (Some(template), _) => Some(fill(template)?),
        (None, Some(name)) => Some(from_environment(said, name, around.environment)?),
        (None, None) => None,
    };
    let mut headers = Vec::new();
    for (name, template) in &said.headers {
        headers.push((name.clone(), fill(template)?));
    }
    let wire = Wire::named(&said.wire).ok_or_else(|| format!("no wire {}", *said.wire))?;
    let endpoint = Endpoint {
        name: said.name.clone(),
        wire,
        base_url: said.base_url.value.clone(),
        key,
        account: said.account.value.clone(),
        headers,
        deadlines: Deadlines {
            connect: said.timeouts.connect.value,
            first_byte: said.timeouts.first_byte.value,
            between: said.timeouts.between.value,
            total: said.timeouts.total.value,
        },
    };
    let upstream = Upstream::new(endpoint, Arc::clone(around.clock))
        .map_err(|failure| failure.message.clone())?;
    let models = said
        .models
        .iter()
        .map(|(name, model)| (name.clone(), offer(said, Some(model))));
    Ok(Provider {
        upstream,
        prices_as: said.prices.value.clone(),
        models: models.collect(),
        offer: offer(said, None),
        confirm: said.confirm.value,
    })
}

/// The values of the secrets that this provider names.
fn secrets(said: &Said, around: &Around<'_>) -> Result<BTreeMap<String, Secret>, String> {
    let names = said.secrets();
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    (around.secrets)(&names).map_err(|why| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        format!(
            "it needs {} of the vault: {why} (`callboard vault set NAME`)",
            names.join(", ")
        )
    })
}

fn from_environment(said: &Said, name: &str, environment: &Environment) -> Result<Secret, String> {
    let value = environment
        .get(name)
        .and_then(|value| value.to_str())
        .map(str::trim)
        .filter(|value| !value.is_empty());
    value
        .map(|value| Secret::new(value.to_owned()))
        .ok_or_else(|| {
            format!(
                "it has no key: ${name} is not set. Set it, or store the key with `callboard vault set NAME` and write \
                 key = \"${{vault:NAME}}\" in [providers.{}]",
                said.name
            )
        })
}

pub(crate) fn offer(provider: &Said, model: Option<&Model>) -> Offer {
    let region = provider.region.value.clone();
    let Some(model) = model else {
        return Offer {
            local: provider.local.value,
            region,
            ..Offer::default()
        };
    };
    Offer {
        window: model.window,
        max_output: model.max_output,
        tools: model.tools,
        images: model.images,
        json: model.json,
        schema: model.schema,
        local: model.local.unwrap_or(provider.local.value),
        region: model.region.clone().or(region),
        classes: model
            .classes
            .iter()
            .filter_map(|word| class(word))
            .collect(),
    }
}

/// Some models that a local program offers run elsewhere all the same, as their names say. What is declared of them
/// says otherwise only where it says `local`.
fn remote_models(made: &mut Provider, said: &Said, prices: &PriceTable) {
    for (model, offer) in &mut made.models {
        let is_said = said.models.get(model).is_some_and(|m| m.local.is_some());
        if !is_said && offer.local && prices.runs_elsewhere(&made.prices_as, model) {
            offer.local = false;
        }
    }
}

pub(crate) fn route(said: &Route) -> RouteSettings {
    RouteSettings {
        strategy: match said.strategy.value.as_str() {
            "smart" => Strategy::Smart,
            "cost" => Strategy::Cost,
            _ => Strategy::Sequential,
        },
        candidates: said
            .candidates
            .value
            .iter()
            .map(|name| Target::new(&name.provider, &name.model))
            .collect(),
        privacy: if said.local_only.value {
            Privacy::LocalOnly
        } else {
            Privacy::Any
        },
        regions: said.regions.value.clone(),
        max_cost: said.max_cost.value.map(MicroDollars),
        within_ms: said
            .deadline
            .value
            .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        class: said.class.value.as_deref().and_then(class),
        roles: said
            .roles
            .iter()
            .filter_map(|(role, word)| Some((role.clone(), class(word)?)))
            .collect(),
        escalate: said.escalate.value.then_some(Escalate {
            least_score: said.least_score.value,
        }),
        learn: learns(said.learn.value),
    }
}

/// The percentage of tasks that explore; 0: nothing is learned.
fn learns(percent: u32) -> Option<Policy> {
    let explore = u16::try_from(percent).ok()?.saturating_mul(10);
    (explore > 0).then(|| Policy {
        explore,
        ..Policy::default()
    })
}

fn class(word: &str) -> Option<TaskClass> {
    TaskClass::ALL
        .into_iter()
        .find(|class| class.as_str() == word)
}
