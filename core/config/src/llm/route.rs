//! One route: who may answer, and who is asked first.

use super::Problems;
use super::provider::Provider;
use crate::error::{Source, shown};
use crate::forms::target;
use crate::nearest::did_you_mean;
use crate::settings::Setting;
use crate::take::Take;
use std::collections::BTreeMap;
use std::time::Duration;

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// sequential, smart or cost.
    pub strategy: Setting<String>,
    /// Who may answer, in order; at least one.
    pub candidates: Setting<Vec<ModelName>>,
    /// Whether prompts stay on the user's own machines.
    pub local_only: Setting<bool>,
    /// Regions where prompts may go; none: any.
    pub regions: Setting<Vec<String>>,
    /// What one call may cost at most, in micro-dollars.
    pub max_cost: Setting<Option<i64>>,
    /// How long a call may take, where the request does not say.
    pub deadline: Setting<Option<Duration>>,
    /// How hard its work is where nobody says so.
    pub class: Setting<Option<String>>,
    /// Whether an answer that will not do is asked for again, of the next candidate.
    pub escalate: Setting<bool>,
    /// The least score, 1 to 100, that a model has to give its own answer.
    pub least_score: Setting<Option<u8>>,
    /// How hard the work of a role is: simple, standard or complex.
    pub roles: BTreeMap<String, String>,
    /// The percentage of tasks that try another candidate than the one learned to be best; 0: nothing is learned.
    pub learn: Setting<u32>,
}

/// A model of a provider.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModelName {
    /// The provider.
    pub provider: String,
    /// The model, as the provider names it.
    pub model: String,
}

impl ModelName {
    pub(super) fn of(text: &str) -> Option<Self> {
        target(text).map(|(provider, model)| Self {
            provider: provider.to_owned(),
            model: model.to_owned(),
        })
    }
}

impl std::fmt::Display for ModelName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

impl Route {
    pub(super) fn take(
        take: &mut Take,
        problems: &mut Problems,
        name: &str,
        source: &Source,
        providers: &BTreeMap<String, Provider>,
        declared: &[&str],
    ) -> Option<Self> {
        let key = |field: &str| format!("routes.{name}.{field}");
        let said = take.words(&key("candidates"));
        let route = Self {
            name: name.to_owned(),
            strategy: take
                .text(&key("strategy"))
                .map(|said| said.unwrap_or_else(|| "sequential".to_owned())),
            local_only: take
                .text(&key("privacy"))
                .map(|said| said.as_deref() == Some("local-only")),
            regions: take.words(&key("regions")).map(Option::unwrap_or_default),
            max_cost: take.money(&key("max_cost")),
            deadline: take.time_if(&key("deadline")),
            class: take.text(&key("class")),
            escalate: take.switch(&key("escalate"), false),
            least_score: take
                .amount(&key("least_score"))
                .map(|score| score.and_then(|score| u8::try_from(score).ok())),
            roles: take.texts(&key("roles")),
            learn: take.number(&key("learn"), 0),
            candidates: said.map(|words| {
                let words = words.unwrap_or_default();
                words
                    .iter()
                    .filter_map(|word| ModelName::of(word))
                    .collect()
            }),
        };
        if route.candidates.value.is_empty() {
            let message = "this route has no candidates: add candidates = [\"provider/model\"]";
            problems.add(source, &key("candidates"), message);
            return None;
        }
        for candidate in &route.candidates.value {
            let name = &candidate.provider;
            if !declared.contains(&name.as_str()) {
                let message = unknown_provider(name, declared);
                problems.add(&route.candidates.source, &key("candidates"), message);
            }
        }
        if route.least_score.value.is_some() && !route.escalate.value {
            let message = "only a route with escalate = true asks again where an answer will not do: add that, or remove this";
            problems.add(&route.least_score.source, &key("least_score"), message);
        }
        let local = |candidate: &ModelName| {
            providers.get(&candidate.provider).is_none_or(|provider| {
                let model = provider.models.get(&candidate.model);
                model
                    .and_then(|model| model.local)
                    .unwrap_or(provider.local.value)
            })
        };
        if route.local_only.value && !route.candidates.value.iter().any(local) {
            let message = "no candidate runs on your own machines, so none could ever answer: add one, or say local = true of the provider that does";
            problems.add(&route.local_only.source, &key("privacy"), message);
        }
        Some(route)
    }
}

pub(super) fn unknown_provider(name: &str, declared: &[&str]) -> String {
    let there = match did_you_mean(name, declared.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None if declared.is_empty() => "none is configured; add [providers.<name>]".to_owned(),
        None => format!("configured are: {}", declared.join(", ")),
    };
    format!("there is no provider {:?}: {there}", shown(name))
}
