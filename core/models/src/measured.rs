//! A route as the configuration has it, to be measured on data.
//! For: whom it would ask. Not for: asking anybody, so no key, vault or board is needed.

use crate::settings;
use callboard_config::Config;
use callboard_limits::PriceTable;
use callboard_routing::evaluate::Asked;
use callboard_routing::route::{Candidate, Need, Route};

/// The route of this name; `None`: there is no such route. Costs are left open, and everybody counts as well.
#[must_use]
pub fn measured_route(config: &Config, name: &str, prices: &PriceTable) -> Option<Asked> {
    let said = &config.models;
    let route = settings::route(said.routes.get(name)?);
    let candidates = route.candidates.iter().filter_map(|target| {
        let provider = said.providers.get(&target.provider)?;
        let model = provider.models.get(&target.model);
        let mut offer = settings::offer(provider, model);
        // As in `settings::remote_models`: what a local program offers may run elsewhere, by its name.
        if model.is_none_or(|model| model.local.is_none())
            && prices.runs_elsewhere(&provider.prices.value, &target.model)
        {
            offer.local = false;
        }
        Some(Candidate {
            provider: target.provider.clone(),
            model: target.model.clone(),
            account: provider.account.value.clone(),
            offer,
            ..Candidate::default()
        })
    });
    Some(Asked {
        route: Route {
            name: name.to_owned(),
            strategy: route.strategy,
            candidates: candidates.collect(),
        },
        need: Need {
            privacy: route.privacy,
            regions: route.regions,
            max_cost: route.max_cost,
            class: route.class,
            ..Need::default()
        },
    })
}
