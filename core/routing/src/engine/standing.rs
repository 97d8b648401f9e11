//! Where each model stands: its breaker, its limits, how it has done.
//! For: people who look why something is not asked. Not for: decisions.

use std::collections::BTreeSet;

use callboard_limits::{
    Breaker, LimitError, Standing as LimitStanding, Target as Broken, breakers, subject_standings,
};
use callboard_store::Conn;

use super::explain::subject;
use super::{CallError, Router, Target, Who};
use crate::route::Window;
use crate::wire::Wire;

/// Where one model of a provider stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The provider's configured name.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The account; empty where there is but one.
    pub account: String,
    /// What the provider speaks.
    pub wire: Wire,
    /// Its breaker, where anything is known against it.
    pub breaker: Option<Breaker>,
    /// The limits that count its calls whoever makes them.
    pub limits: Vec<LimitStanding>,
    /// Its calls of the last quarter of an hour.
    pub recent: Window,
}

impl Router {
    /// Where everybody stands who is declared by a provider, is a candidate of a route, was asked lately, or has a
    /// breaker with something to say.
    ///
    /// # Errors
    /// [`CallError::Board`].
    pub async fn standing(&self) -> Result<Vec<Standing>, CallError> {
        let parts = &self.inner.parts;
        let now = parts.clock.now_ms();
        let known = self.inner.health.fresh(&parts.log, now).await;
        let settings = self.settings();
        let looked = parts
            .store
            .read_now(|c| -> Result<Vec<Standing>, LimitError> {
                let breakers = breakers(c, now)?;
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
                let broken = breakers
                    .iter()
                    .map(|breaker| Target::new(&breaker.target.provider, &breaker.target.model));
                let asked = known
                    .keys()
                    .map(|(provider, model, _)| Target::new(provider, model));
                let targets: BTreeSet<Target> =
                    declared.chain(routed).chain(broken).chain(asked).collect();
                let mut standings = Vec::with_capacity(targets.len());
                for target in targets {
                    // What is no longer configured stands nowhere.
                    let Some(provider) = settings.providers.get(&target.provider) else {
                        continue;
                    };
                    let account = provider.account().to_owned();
                    let limits = limits_of(c, now, &target, provider)?;
                    let is_its = |of: &Broken| {
                        of.provider == target.provider
                            && of.model == target.model
                            && of.account == account
                    };
                    let breaker = breakers.iter().find(|breaker| is_its(&breaker.target));
                    let key = (
                        target.provider.clone(),
                        target.model.clone(),
                        account.clone(),
                    );
                    standings.push(Standing {
                        recent: known.get(&key).copied().unwrap_or_default(),
                        wire: provider.upstream.endpoint().wire,
                        breaker: breaker.cloned(),
                        provider: target.provider,
                        model: target.model,
                        account,
                        limits,
                    });
                }
                Ok(standings)
            })?;
        Ok(looked)
    }
}

fn limits_of(
    c: &mut dyn Conn,
    now: i64,
    target: &Target,
    provider: &super::Provider,
) -> Result<Vec<LimitStanding>, LimitError> {
    subject_standings(c, now, &subject(target, provider, &Who::default()))
}
