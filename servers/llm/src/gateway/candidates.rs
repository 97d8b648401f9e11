//! Who could answer a question, before anybody is chosen.

use callboard_routing::engine::{Provider, Settings, Target, Wanted};
use callboard_routing::wire::Wire;

/// A model of a configured provider.
pub(super) type Candidate<'s> = (Target, &'s Provider);

/// Everybody of the route, or the one that is wanted.
pub(super) fn of<'s>(settings: &'s Settings, wanted: &Wanted) -> Vec<Candidate<'s>> {
    let route = |name: &str| match settings.routes.get(name) {
        Some(route) => route.candidates.clone(),
        None => Vec::new(),
    };
    let targets = match wanted {
        Wanted::Model { provider, model } => vec![Target::new(provider, model)],
        Wanted::Route(name) => route(name),
        Wanted::Default => match (&settings.default_route, settings.routes.len()) {
            (Some(name), _) => route(name),
            (None, 1) => settings
                .routes
                .keys()
                .flat_map(|name| route(name))
                .collect(),
            _ => Vec::new(),
        },
    };
    let known = targets.into_iter().filter_map(|target| {
        let provider = settings.providers.get(&target.provider)?;
        Some((target, provider))
    });
    known.collect()
}

/// Whether they are some, and all of them speak this wire.
pub(super) fn all_speak(wire: Wire, candidates: &[Candidate<'_>]) -> bool {
    let speaks = |(_, provider): &Candidate<'_>| provider.upstream.endpoint().wire == wire;
    !candidates.is_empty() && candidates.iter().all(speaks)
}

/// Whether one of them speaks this wire.
pub(super) fn any_speaks(wire: Wire, candidates: &[Candidate<'_>]) -> bool {
    let mut wires = candidates
        .iter()
        .map(|(_, provider)| provider.upstream.endpoint().wire);
    wires.any(|known| known == wire)
}
