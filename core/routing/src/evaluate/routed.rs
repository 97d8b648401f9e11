//! What a configured route would have done.
//! For: its first choice. Not for: what comes after a failure, as nobody says how those calls went.

use super::{Labelled, Outcome};
use crate::route::{Need, Route, decide};

/// Why a route's choice can't be scored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Astray {
    /// The route asks nobody.
    #[error("the route {route} asks nobody: {why}")]
    Nobody {
        /// Which.
        route: String,
        /// What stands against each.
        why: String,
    },
    /// Nobody says how its choice does.
    #[error("the route {route} asks {choice}, of which there is no outcome; there are {present}")]
    NoOutcome {
        /// Which.
        route: String,
        /// Whom it asks.
        choice: String,
        /// Of whom there are outcomes.
        present: String,
    },
}

/// Characters of a token, about: enough to see which windows a prompt fits.
const PER_TOKEN: u64 = 4;

/// A configured route, and what it demands of all its calls.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Its candidates.
    pub route: Route,
    /// What it demands; its class is that of prompts which declare none.
    pub need: Need,
}

/// Whom a route asks first, and what came of it. Outcomes are those of `provider/model`, or else of `model`. All
/// candidates are taken to be well; their costs are what the route's candidates say.
///
/// # Errors
/// [`Astray`].
pub fn pick<'o>(asked: &Asked, labelled: &'o Labelled) -> Result<(&'o str, &'o Outcome), Astray> {
    let route = &asked.route;
    let need = Need {
        input: labelled.prompt.chars().count() as u64 / PER_TOKEN + 1,
        class: labelled.class.or(asked.need.class),
        ..asked.need.clone()
    };
    let decision = decide(route, &need);
    let Some(first) = decision.order.first() else {
        let each = decision.rejected.iter().map(|rejected| {
            let why: Vec<String> = rejected.why.iter().map(ToString::to_string).collect();
            format!("{} {}", route.candidates[rejected.at], why.join(", "))
        });
        let why = each.collect::<Vec<String>>().join("; ");
        return Err(Astray::Nobody {
            route: route.name.clone(),
            why: if why.is_empty() {
                "it has no candidates".to_owned()
            } else {
                why
            },
        });
    };
    let candidate = &route.candidates[first.at];
    let full = format!("{}/{}", candidate.provider, candidate.model);
    let outcomes = &labelled.outcomes;
    outcomes
        .get_key_value(&full)
        .or_else(|| outcomes.get_key_value(&candidate.model))
        .map(|(model, outcome)| (model.as_str(), outcome))
        .ok_or_else(|| Astray::NoOutcome {
            route: route.name.clone(),
            choice: full,
            present: outcomes.keys().cloned().collect::<Vec<_>>().join(", "),
        })
}
