//! The providers of models, their routes, and the prices in force: what is configured and what is missing.
//! Nobody is asked, and no value of a key is looked at beyond whether it is there.

use super::{Check, State};
use callboard_config::{Config, Environment, Provider};
use callboard_models::prices::{Files, Part, in_force};

const GROUP: &str = "models";

/// Nothing where no models are configured and no prices were brought.
pub(super) fn checks(environment: &Environment, config: &Config) -> Vec<Check> {
    let said = &config.models;
    let mut checks: Vec<Check> = said
        .providers
        .values()
        .map(|one| provider(environment, one))
        .collect();
    for route in said.routes.values() {
        let names = route.candidates.value.iter().map(ToString::to_string);
        let names: Vec<String> = names.collect();
        let found = format!("{}: {}", *route.strategy, names.join(", "));
        checks.push(Check::new(
            GROUP,
            format!("route {}", route.name),
            State::Ok,
            found,
        ));
    }
    if !said.routes.is_empty() && said.default_route.value.is_none() && said.routes.len() > 1 {
        let found = "none: requests have to name a route or a model";
        checks.push(
            Check::new(GROUP, "default route", State::Note, found).advice("set llm.default_route"),
        );
    }
    if let Ok(files) = Files::of(environment, config) {
        let prices = in_force(&files);
        let parts = prices.parts.iter();
        let told = parts.filter(|part| part.file.is_some() || !said.providers.is_empty());
        checks.extend(told.map(price_part));
    }
    checks
}

fn provider(environment: &Environment, provider: &Provider) -> Check {
    let name = format!("provider {}", provider.name);
    let place = format!("{} at {}", *provider.wire, *provider.base_url);
    let found = format!("{place}, key {}", provider.key_shown());
    let variable = provider.key_env.value.as_deref();
    let is_set = |name: &str| environment.get(name).is_some_and(|value| !value.is_empty());
    match variable.filter(|_| provider.key.value.is_none()) {
        Some(variable) if !is_set(variable) => {
            let found = format!("{place}, but ${variable} is not set");
            Check::new(GROUP, name, State::Missing, found).advice(format!(
                "set it, or `callboard vault set NAME` and key = \"${{vault:NAME}}\" in [providers.{}]",
                provider.name
            ))
        }
        // Whether the vault has it is told there.
        _ => Check::new(GROUP, name, State::Ok, found),
    }
}

fn price_part(part: &Part) -> Check {
    let place = part.file.as_deref().map_or_else(
        || "with the program".to_owned(),
        |file| file.display().to_string(),
    );
    match &part.unused {
        None => {
            let found = format!("version {} ({place})", part.version);
            Check::new(GROUP, "prices", State::Ok, found)
        }
        Some(why) => Check::new(
            GROUP,
            "prices",
            State::Note,
            format!("{place} does not count"),
        )
        .advice(why.as_str()),
    }
}
