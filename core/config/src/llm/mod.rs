//! Which models may be asked, on which way, and for how much.
//! For: the tables `providers`, `routes`, `budgets`, `limits`, `prices`, `llm` and `gateway`, checked against each
//! other. Not for: keys in the clear, or asking anybody: what names a secret stays a name here.

mod cap;
mod keys;
mod provider;
mod route;
mod rows;
mod vendors;

pub use cap::Cap;
pub(crate) use keys::KEYS;
pub use provider::{Model, Provider, Timeouts};
pub use route::{ModelName, Route};
pub use vendors::{VENDORS, Vendor, vendor};

use crate::error::{Problem, Source};
use crate::forms::is_exposed;
use crate::nearest::did_you_mean;
use crate::settings::Setting;
use crate::take::{Take, named_in};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Everything that is said of models.
#[derive(Debug, Clone)]
pub struct Models {
    /// Providers by name.
    pub providers: BTreeMap<String, Provider>,
    /// Routes by name.
    pub routes: BTreeMap<String, Route>,
    /// Budgets and limits.
    pub caps: Vec<Cap>,
    /// Prices of the user's own.
    pub prices_file: Setting<Option<PathBuf>>,
    /// What savings are measured against: vendor and model of the table of prices.
    pub baseline: Setting<Option<ModelName>>,
    /// The route of requests that name none.
    pub default_route: Setting<Option<String>>,
    /// Whether texts of calls are kept.
    pub keeps_texts: Setting<bool>,
    /// How long calls are kept.
    pub retention: Retention,
    /// How often a candidate is asked again before the next one.
    pub retries: Setting<u32>,
    /// After how many failures in a row a model is left alone.
    pub open_after: Setting<u32>,
    /// For how long.
    pub open_for: Setting<Duration>,
    /// Minutes that the clock of days, weeks and months is ahead of UTC.
    pub utc_offset: Setting<i32>,
    /// Whether agents are answered at /v1.
    pub gateway: Setting<bool>,
    /// Where agents of ours reach it; `None`: where it listens.
    pub gateway_url: Setting<Option<String>>,
}

/// How long calls to models are kept, and how many.
#[derive(Debug, Clone)]
pub struct Retention {
    /// Days that calls are kept.
    pub days: Setting<u32>,
    /// Calls at most.
    pub rows: Setting<u32>,
    /// Days that texts are kept.
    pub text_days: Setting<u32>,
    /// Texts at most.
    pub text_rows: Setting<u32>,
}

/// What is found wrong on the way.
pub(crate) struct Problems(pub Vec<Problem>);

impl Problems {
    fn add(&mut self, place: &Source, key: &str, message: impl Into<String>) {
        self.0.push(Problem {
            place: place.clone(),
            key: key.to_owned(),
            message: message.into(),
        });
    }
}

impl Models {
    pub(crate) fn take(
        take: &mut Take,
        problems: &mut Problems,
        tables: &BTreeMap<Vec<String>, Source>,
    ) -> Self {
        let declared: Vec<&str> = named_in(tables, "providers")
            .map(|(name, _)| name)
            .collect();
        let mut providers = BTreeMap::new();
        for (name, source) in named_in(tables, "providers") {
            let models = models_of(tables, name);
            if let Some(provider) = Provider::take(take, problems, name, source, &models) {
                providers.insert(name.to_owned(), provider);
            }
        }
        let mut routes = BTreeMap::new();
        for (name, source) in named_in(tables, "routes") {
            let route = Route::take(take, problems, name, source, &providers, &declared);
            if let Some(route) = route {
                routes.insert(name.to_owned(), route);
            }
        }
        let default_route = take.text("llm.default_route");
        if let Some(name) = &default_route.value
            && !named_in(tables, "routes").any(|(route, _)| route == name)
        {
            let message = unknown_route(name, tables);
            problems.add(&default_route.source, "llm.default_route", message);
        }
        let gateway_url = take.text("gateway.url");
        if gateway_url.value.as_deref().is_some_and(is_exposed) {
            let message = "http:// to another machine: everybody on the way can read the keys and the prompts of agents. Use https://";
            problems.add(&gateway_url.source, "gateway.url", message);
        }
        Self {
            caps: cap::take(take, problems, tables, &declared),
            providers,
            routes,
            default_route,
            prices_file: take.path_if("prices.file"),
            baseline: take
                .text("prices.baseline")
                .map(|said| said.as_deref().and_then(ModelName::of)),
            keeps_texts: take
                .text("llm.privacy")
                .map(|said| said.as_deref() == Some("full")),
            retention: Retention {
                days: take.number("llm.retention_days", 90),
                rows: take.number("llm.retention_rows", 1_000_000),
                text_days: take.number("llm.text_days", 7),
                text_rows: take.number("llm.text_rows", 10_000),
            },
            retries: take.number("llm.retries", 2),
            open_after: take.number("llm.open_after", 5),
            open_for: take.time("llm.open_for", Duration::from_secs(60)),
            utc_offset: take.offset("llm.utc_offset"),
            gateway: take.switch("gateway.enabled", true),
            gateway_url,
        }
    }
}

/// The models of a provider that have a table.
fn models_of<'t>(tables: &'t BTreeMap<Vec<String>, Source>, provider: &str) -> Vec<&'t str> {
    let models = tables.keys().filter_map(|path| match path.as_slice() {
        [first, name, third, model]
            if first == "providers" && name == provider && third == "models" =>
        {
            Some(model.as_str())
        }
        _ => None,
    });
    models.collect()
}

fn unknown_route(name: &str, tables: &BTreeMap<Vec<String>, Source>) -> String {
    let names: Vec<&str> = named_in(tables, "routes").map(|(name, _)| name).collect();
    let there = match did_you_mean(name, names.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None if names.is_empty() => "none is configured; add [routes.<name>]".to_owned(),
        None => format!("configured are: {}", names.join(", ")),
    };
    format!("there is no route {:?}: {there}", crate::error::shown(name))
}
