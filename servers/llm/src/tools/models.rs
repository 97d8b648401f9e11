//! `models`.

use std::collections::BTreeMap;
use std::sync::Arc;

use callboard_mcp::{CallContext, Effect, Limit, Line, Render, Role, Tool, ToolError};
use callboard_routing::engine::{Provider, Settings, Target, Wanted};
use callboard_routing::wire::Model;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::views::Open;
use crate::{Llm, errors};

/// Lists models.
pub struct ListModels;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    provider: Option<Line<120>>,
    /// Ask the provider which it has.
    #[serde(default)]
    discover: bool,
    /// provider/model: whether the provider has it, and takes our key.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    validate: Option<Line<200>>,
    #[serde(default)]
    limit: Limit<50, 500>,
}

/// The models.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    #[schemars(with = "Vec<Open>")]
    models: Vec<Entry>,
    /// Routes with their candidates.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    routes: BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_route: Option<String>,
    /// Providers that are configured and can't be used.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    unready: BTreeMap<String, String>,
    left_out: usize,
    /// Whether a provider said so just now.
    live: bool,
}

#[derive(Debug, Serialize)]
struct Entry {
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output: Option<u64>,
    /// US dollars for a million tokens: in, out.
    #[serde(skip_serializing_if = "Option::is_none")]
    usd_per_million: Option<[f64; 2]>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    local: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    classes: Vec<String>,
}

impl Entry {
    fn line(&self) -> String {
        let mut out = self.model.clone();
        if let Some(window) = self.window {
            out.push_str(&format!(", window {window}"));
        }
        match self.usd_per_million {
            Some([input, output]) => {
                out.push_str(&format!(", ${input} in and ${output} out a million tokens"));
            }
            None => out.push_str(", price unknown"),
        }
        if self.local {
            out.push_str(", local");
        }
        out
    }
}

impl Render for Listed {
    fn text(&self) -> String {
        let mut lines: Vec<String> = self.models.iter().map(Entry::line).collect();
        if lines.is_empty() {
            lines.push("no models".to_owned());
        }
        if self.left_out > 0 {
            lines.push(format!("{} more are left out; raise limit", self.left_out));
        }
        for (route, candidates) in &self.routes {
            let default = match self.default_route.as_ref() == Some(route) {
                true => " (default)",
                false => "",
            };
            lines.push(format!("route {route}{default}: {}", candidates.join(", ")));
        }
        for (provider, why) in &self.unready {
            lines.push(format!("{provider} can't be used: {why}"));
        }
        lines.join("\n")
    }
}

impl Tool<Llm> for ListModels {
    const NAME: &'static str = "models";
    const TITLE: &'static str = "Models";
    const DESCRIPTION: &'static str = "The models and routes that are configured, with prices. With discover, what a provider says it has; \
with validate, whether one name, its key and its address are right.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;
    const OPEN_WORLD: bool = true;
    type Params = Params;
    type Output = Listed;

    async fn call(llm: Arc<Llm>, params: Params, _: CallContext) -> Result<Listed, ToolError> {
        let settings = llm.router().settings();
        if let Some(name) = params.validate {
            return validated(&llm, &settings, &name).await;
        }
        let limit = usize::try_from(params.limit.get()).unwrap_or(usize::MAX);
        if params.discover {
            let name = params.provider.as_deref().ok_or_else(|| {
                ToolError::invalid("provider: discover asks one provider")
                    .hint(format!("name one of: {}", names(&settings)))
            })?;
            let provider = provider(&llm, &settings, name)?;
            let found = provider.upstream.models().await;
            let found = found.map_err(|failure| errors::asked(name, &failure))?;
            let entries = found.iter().map(|model| {
                let target = Target::new(name, &model.id);
                entry(&llm, &settings, &target, Some(model))
            });
            return Ok(listed(entries.collect(), limit, true));
        }
        if let Some(name) = params.provider.as_deref() {
            provider(&llm, &settings, name)?;
        }
        let only = params.provider.as_deref();
        let mut listed = listed(configured(&llm, &settings, only), limit, false);
        listed.routes = routes(&settings);
        listed.default_route = settings.default_route.clone();
        let unready = llm.models().unready().into_iter();
        listed.unready = unready
            .map(|unready| (unready.provider, unready.why))
            .collect();
        Ok(listed)
    }
}

fn listed(mut models: Vec<Entry>, limit: usize, live: bool) -> Listed {
    let left_out = models.len().saturating_sub(limit);
    models.truncate(limit);
    Listed {
        models,
        routes: BTreeMap::new(),
        default_route: None,
        unready: BTreeMap::new(),
        left_out,
        live,
    }
}

/// Whether its provider has it.
async fn validated(llm: &Llm, settings: &Settings, name: &str) -> Result<Listed, ToolError> {
    let Wanted::Model {
        provider: of,
        model,
    } = llm.named(name)?
    else {
        return Err(ToolError::invalid(format!(
            "validate: {name:?} is a route, and a route is no model"
        ))
        .hint("name one of its candidates, as provider/model"));
    };
    let provider = provider(llm, settings, &of)?;
    let found = provider.upstream.model(&model).await;
    let found = found.map_err(|failure| errors::asked(&of, &failure))?;
    let target = Target::new(of, model);
    let entry = entry(llm, settings, &target, Some(&found));
    Ok(listed(vec![entry], 1, true))
}

fn provider<'a>(llm: &Llm, settings: &'a Settings, name: &str) -> Result<&'a Provider, ToolError> {
    if let Some(provider) = settings.providers.get(name) {
        return Ok(provider);
    }
    llm.usable(name)?;
    Err(ToolError::not_found(format!(
        "provider: {:?} is not configured",
        callboard_mcp::clip(name, 80)
    ))
    .hint(format!("there are: {}", names(settings))))
}

fn names(settings: &Settings) -> String {
    if settings.providers.is_empty() {
        return "none; add [providers.NAME] to the user's configuration".to_owned();
    }
    let names: Vec<&str> = settings.providers.keys().map(String::as_str).collect();
    names.join(", ")
}

/// Those that a provider declares, and those that routes name.
fn configured(llm: &Llm, settings: &Settings, only: Option<&str>) -> Vec<Entry> {
    let declared = settings.providers.iter().flat_map(|(name, provider)| {
        provider
            .models
            .keys()
            .map(move |model| Target::new(name, model))
    });
    let routed = settings
        .routes
        .values()
        .flat_map(|route| route.candidates.iter().cloned());
    let targets: std::collections::BTreeSet<Target> = declared.chain(routed).collect();
    targets
        .iter()
        .filter(|target| only.is_none_or(|only| only == target.provider))
        .map(|target| entry(llm, settings, target, None))
        .collect()
}

fn routes(settings: &Settings) -> BTreeMap<String, Vec<String>> {
    let routes = settings.routes.iter();
    routes
        .map(|(name, route)| {
            let candidates = route.candidates.iter().map(Target::to_string);
            (name.clone(), candidates.collect())
        })
        .collect()
}

fn entry(llm: &Llm, settings: &Settings, target: &Target, live: Option<&Model>) -> Entry {
    let provider = settings.providers.get(&target.provider);
    let offer = provider.map(|provider| {
        provider
            .offer_of(&target.model, &settings.prices)
            .into_owned()
    });
    let offer = offer.unwrap_or_default();
    let price = provider.and_then(|provider| {
        let prices = &settings.prices;
        prices.price(&provider.prices_as, &target.model, llm.now())
    });
    #[expect(clippy::cast_precision_loss, reason = "dollars for people")]
    let usd = |micro: u64| micro as f64 / 1e6;
    Entry {
        model: target.to_string(),
        name: live.and_then(|live| live.name.clone()),
        window: live.and_then(|live| live.context).or(offer.window),
        max_output: live.and_then(|live| live.max_output).or(offer.max_output),
        usd_per_million: price.map(|price| [usd(price.rates.input), usd(price.rates.output)]),
        local: offer.local,
        classes: offer.classes.iter().map(ToString::to_string).collect(),
    }
}
