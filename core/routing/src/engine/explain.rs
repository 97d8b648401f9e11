//! Who would be asked, and why: the decision with everything it was made from.
//! For: one look at the board before a call, and the same as an answer for people. Not for: asking anybody.

use callboard_limits::{
    BreakerState, Denied, Estimate, Factor, Frees, LimitError, PriceTable, Resource, RouteTally,
    Subject, Target as Broken, UnpricedMode, breaker_get, factor_get, outcomes_tally,
    reservation_try, subject_standings,
};
use callboard_store::Conn;
use callboard_telemetry::{MicroDollars, Tokens};
use std::collections::BTreeSet;

use super::ask::{Terms, Who};
use super::estimate;
use super::health::Known;
use super::settings::{Provider, RouteSettings, Settings, Target};
use super::{CallError, Wanted};
use crate::bandit::{COUNTED_MS, Chance, Policy, Tally, relearn};
use crate::chat::{Charged, Chat};
use crate::route::{
    Candidate, Decision, Health, Need, Privacy, Route, Strategy, TaskClass, Unpriced, Window,
    decide,
};
use crate::wire::Wire;

/// A decision and all that it was made from. Nothing was written, and nobody was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// The route's name, or `provider/model`.
    pub route: String,
    /// How its candidates are ordered.
    pub strategy: Strategy,
    /// What the request needs, what the route demands included.
    pub need: Need,
    /// Everybody who could answer, in the order of the settings.
    pub candidates: Vec<Considered>,
    /// Who is asked in which order, and why the others are not; places are those of `candidates`.
    pub decision: Decision,
}

/// One candidate as it was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Considered {
    /// What it is, how it has done, and what the request would cost there at most.
    pub candidate: Candidate,
    /// The most that the request may use there. This is what a reservation holds.
    pub estimate: Estimate,
    /// The version of the prices by which the cost was reckoned.
    pub price_version: Option<String>,
    /// Whether a person is asked before it is.
    pub confirm: bool,
    /// The limit that stands in the way.
    pub denied: Option<Denied>,
    /// What it is asked for that its price depends on, beside tokens.
    pub charged: Charged,
}

impl Considered {
    /// Who it is.
    #[must_use]
    pub fn target(&self) -> Target {
        Target::new(&self.candidate.provider, &self.candidate.model)
    }
}

/// A request before anybody was looked at.
pub(super) struct Question<'a> {
    pub(super) chain: Chain<'a>,
    pub(super) need: Need,
    /// For estimates of the answer.
    pub(super) chat: &'a Chat,
    /// Tokens of the prompt before any correction.
    pub(super) base: u64,
    /// How many answers it wants; each may have as many tokens as one.
    pub(super) answers: u64,
    pub(super) who: &'a Who,
    /// What of the request can't be told whoever speaks this wire.
    pub(super) lacks: &'a dyn Fn(Wire) -> Option<String>,
    /// What it asks of whoever speaks this wire that its price depends on, beside tokens.
    pub(super) charged: &'a dyn Fn(Wire) -> Charged,
}

/// A route by its name, or one model as a route of its own.
pub(super) struct Chain<'a> {
    pub(super) name: String,
    pub(super) strategy: Strategy,
    pub(super) members: Vec<(Target, &'a Provider)>,
    /// Whether the order is learned, and how.
    pub(super) learn: Option<Policy>,
}

impl Settings {
    /// Whom a request means.
    pub(super) fn chain<'a>(
        &'a self,
        wanted: &Wanted,
    ) -> Result<(Chain<'a>, Option<&'a RouteSettings>), CallError> {
        let by_name = |name: &str| {
            let route = self.routes.get(name).ok_or_else(|| CallError::Unknown {
                what: "route",
                name: name.to_owned(),
                known: self.routes.keys().cloned().collect(),
            })?;
            let member = |target: &Target| Ok((target.clone(), self.provider(&target.provider)?));
            let members: Result<Vec<_>, CallError> = route.candidates.iter().map(member).collect();
            let chain = Chain {
                name: name.to_owned(),
                strategy: route.strategy,
                members: members?,
                learn: route.learn,
            };
            Ok((chain, Some(route)))
        };
        match wanted {
            Wanted::Route(name) => by_name(name),
            Wanted::Default => by_name(self.default_name()?),
            Wanted::Model { provider, model } => {
                let target = Target::new(provider, model);
                let chain = Chain {
                    name: target.to_string(),
                    strategy: Strategy::Sequential,
                    members: vec![(target, self.provider(provider)?)],
                    learn: None,
                };
                Ok((chain, None))
            }
        }
    }

    fn default_name(&self) -> Result<&str, CallError> {
        let only = || {
            let mut names = self.routes.keys();
            names.next().filter(|_| self.routes.len() == 1)
        };
        let name = self.default_route.as_ref().or_else(only);
        name.map(String::as_str).ok_or_else(|| CallError::Unknown {
            what: "default route",
            name: String::new(),
            known: self.routes.keys().cloned().collect(),
        })
    }

    /// What a request needs, with what its caller and its route demand.
    ///
    /// # Errors
    /// [`CallError::Role`] where no route at all knows whose work it is: a word that is misspelt would go by the class of
    /// others without anybody seeing it. A role of other routes goes by this route's own class.
    pub(super) fn demanded(
        &self,
        need: Need,
        terms: &Terms,
        who: &Who,
        route: Option<&RouteSettings>,
    ) -> Result<Need, CallError> {
        if let Some(role) = &who.role {
            let mut routes = self.routes.values();
            if !routes.any(|route| route.roles.contains_key(role)) {
                return Err(CallError::Role {
                    role: role.clone(),
                    known: self.roles(),
                });
            }
        }
        Ok(demanded(need, terms, who, route))
    }

    /// Every role of work that a route knows.
    fn roles(&self) -> Vec<String> {
        let all = self.routes.values().flat_map(|route| route.roles.keys());
        let all: BTreeSet<&String> = all.collect();
        all.into_iter().cloned().collect()
    }

    pub(super) fn provider(&self, name: &str) -> Result<&Provider, CallError> {
        self.providers.get(name).ok_or_else(|| CallError::Unknown {
            what: "provider",
            name: name.to_owned(),
            known: self.providers.keys().cloned().collect(),
        })
    }
}

fn demanded(need: Need, terms: &Terms, who: &Who, route: Option<&RouteSettings>) -> Need {
    let nothing = RouteSettings::default();
    let route = route.unwrap_or(&nothing);
    let by_role = || route.roles.get(who.role.as_ref()?).copied();
    let local = [terms.privacy, route.privacy].contains(&Privacy::LocalOnly);
    let costs = [terms.max_cost, route.max_cost];
    Need {
        privacy: if local {
            Privacy::LocalOnly
        } else {
            Privacy::Any
        },
        regions: in_both(&terms.regions, &route.regions),
        max_cost: costs.into_iter().flatten().min(),
        within_ms: terms.within_ms.or(route.within_ms),
        class: terms.class.or_else(by_role).or(route.class),
        ..need
    }
}

/// The regions that both allow; no names allow any.
fn in_both(one: &[String], other: &[String]) -> Vec<String> {
    if one.is_empty() || other.is_empty() {
        return [one, other].concat();
    }
    let both: Vec<String> = one
        .iter()
        .filter(|region| other.contains(region))
        .cloned()
        .collect();
    if both.is_empty() {
        // No region has this name: nobody but this machine may answer.
        return vec!["none of both".to_owned()];
    }
    both
}

/// Looks at everybody and decides, within one snapshot of the board.
pub(super) fn considered(
    c: &mut dyn Conn,
    now: i64,
    prices: &PriceTable,
    question: Question<'_>,
    known: &Known,
) -> Result<Explained, LimitError> {
    let Question {
        chain,
        mut need,
        chat,
        base,
        answers,
        who,
        lacks,
        charged,
    } = question;
    let mut candidates = Vec::with_capacity(chain.members.len());
    for (target, provider) in &chain.members {
        let factor = factor_get(c, &target.provider, &target.model)?;
        let wire = provider.upstream.endpoint().wire;
        let charged = charged(wire);
        let priced = Priced {
            target,
            provider,
            prices,
            now,
            answers,
            charged: &charged,
        };
        let (estimate, price_version) = priced.estimate(chat, base, factor);
        let key = (
            target.provider.clone(),
            target.model.clone(),
            provider.account().to_owned(),
        );
        let recent = known.get(&key).copied().unwrap_or_default();
        let subject = subject(target, provider, who);
        let denied = denied(c, now, &subject, &estimate)?;
        let unpriced = match priced.unpriced(estimate.cost) {
            Some(unpriced) if need.max_cost.is_some() || has_budget(c, now, &subject)? => {
                Some(unpriced)
            }
            _ => None,
        };
        let health = health(c, now, target, provider, recent, denied.as_ref())?;
        let candidate = Candidate {
            provider: target.provider.clone(),
            model: target.model.clone(),
            account: provider.account().to_owned(),
            offer: provider.offer_of(&target.model, prices).into_owned(),
            lacks: lacks(wire).into_iter().collect(),
            health,
            input: Some(estimate.input),
            cost: estimate.cost,
            unpriced,
        };
        candidates.push(Considered {
            candidate,
            estimate,
            price_version,
            confirm: provider.confirm,
            denied,
            charged,
        });
    }
    need.input = base;
    let route = Route {
        name: chain.name,
        strategy: chain.strategy,
        candidates: candidates
            .iter()
            .map(|considered| considered.candidate.clone())
            .collect(),
    };
    let mut decision = decide(&route, &need);
    if let Some(policy) = &chain.learn {
        decision = learned(c, now, policy, &route, decision, need.class, who)?;
    }
    Ok(Explained {
        route: route.name,
        strategy: route.strategy,
        need,
        candidates,
        decision,
    })
}

/// The decision in the order that the board's tasks of this class have taught.
fn learned(
    c: &mut dyn Conn,
    now: i64,
    policy: &Policy,
    route: &Route,
    decision: Decision,
    class: Option<TaskClass>,
    who: &Who,
) -> Result<Decision, LimitError> {
    let tallies = match class {
        Some(class) => outcomes_tally(c, class.as_str(), now.saturating_sub(COUNTED_MS))?,
        None => return Ok(decision),
    };
    let tally = |candidate: &Candidate| {
        let key = (candidate.provider.clone(), candidate.model.clone());
        let RouteTally { succeeded, failed } = tallies.get(&key).copied().unwrap_or_default();
        Tally { succeeded, failed }
    };
    let chance = Chance::of(&route.name, who.task.as_deref());
    Ok(relearn(route, decision, class, tally, policy, chance))
}

/// More tokens than any call has.
const MOST_TOKENS: u64 = 1_000_000_000_000;

/// A model with its prices.
struct Priced<'a> {
    target: &'a Target,
    provider: &'a Provider,
    prices: &'a PriceTable,
    now: i64,
    answers: u64,
    charged: &'a Charged,
}

impl Priced<'_> {
    fn estimate(&self, chat: &Chat, base: u64, factor: Factor) -> (Estimate, Option<String>) {
        let input = factor.of(base);
        let offer = self.provider.offer_of(&self.target.model, self.prices);
        let one = estimate::output_tokens(chat, input, &offer);
        // However absurd: it has a price, and a sum that no limit lets through, where one beyond all numbers would be unknown.
        let output = one.saturating_mul(self.answers).min(MOST_TOKENS);
        let input = input.min(MOST_TOKENS);
        let tokens = Tokens {
            input,
            output,
            ..Tokens::default()
        };
        let (vendor, model) = (&self.provider.prices_as, &self.target.model);
        let priced = self
            .prices
            .cost(vendor, model, self.now, &tokens, &self.charged.mode());
        let (cost, version) = priced.map(|priced| (priced.cost, priced.version)).unzip();
        let estimate = Estimate {
            input,
            output,
            cost,
        };
        (estimate, version)
    }

    /// Why the call has no price though the model has one.
    fn unpriced(&self, cost: Option<MicroDollars>) -> Option<Unpriced> {
        if cost.is_some() {
            return None;
        }
        let (vendor, model) = (&self.provider.prices_as, &self.target.model);
        let mode = self.charged.mode();
        let what = self.prices.unpriced(vendor, model, self.now, &mode)?;
        let instead = match &what {
            UnpricedMode::Tier(_) => "ask for the standard tier, or give this one a price",
            UnpricedMode::Tool(_) => "leave it out, or give it a price",
            UnpricedMode::Uses(_) => "say how often at most, in its max_uses",
        };
        Some(Unpriced {
            what: what.to_string(),
            instead: instead.to_owned(),
        })
    }
}

/// Whether a limit counts its money.
fn has_budget(c: &mut dyn Conn, now: i64, subject: &Subject) -> Result<bool, LimitError> {
    let standings = subject_standings(c, now, subject)?;
    let mut limits = standings.iter().map(|standing| &standing.limit);
    Ok(limits.any(|limit| limit.resource == Resource::Money))
}

/// By what limits know a call.
pub(super) fn subject(target: &Target, provider: &Provider, who: &Who) -> Subject {
    let account = provider.account();
    Subject {
        provider: Some(target.provider.clone()),
        model: Some(target.model.clone()),
        account: (!account.is_empty()).then(|| account.to_owned()),
        project: who.project.clone(),
        task: who.task.clone(),
    }
}

/// By what breakers know it.
pub(super) fn broken(target: &Target, provider: &Provider) -> Broken {
    Broken {
        provider: target.provider.clone(),
        model: target.model.clone(),
        account: provider.account().to_owned(),
    }
}

fn denied(
    c: &mut dyn Conn,
    now: i64,
    subject: &Subject,
    estimate: &Estimate,
) -> Result<Option<Denied>, LimitError> {
    match reservation_try(c, now, subject, estimate) {
        Ok(()) => Ok(None),
        Err(LimitError::Denied(denied)) => Ok(Some(*denied)),
        Err(error) => Err(error),
    }
}

fn health(
    c: &mut dyn Conn,
    now: i64,
    target: &Target,
    provider: &Provider,
    recent: Window,
    denied: Option<&Denied>,
) -> Result<Health, LimitError> {
    let breaker = breaker_get(c, now, &broken(target, provider))?;
    // One that is open and whose time is over lets a probe through.
    let until = |state| {
        let breaker = breaker.as_ref().filter(|breaker| breaker.state == state)?;
        let left = breaker.until?.saturating_sub(now);
        u64::try_from(left).ok().filter(|left| *left > 0)
    };
    let open = until(BreakerState::Open).or_else(|| until(BreakerState::HalfOpen));
    Ok(Health {
        open_for_ms: open,
        cools_for_ms: until(BreakerState::Cooling),
        limited: denied.map(|denied| (denied.to_string(), frees_in(denied, now))),
        recent,
    })
}

/// Milliseconds until a limit has something left again, where anybody can say.
pub(super) fn frees_in(denied: &Denied, now: i64) -> Option<u64> {
    match denied.frees {
        Frees::At(at) => u64::try_from(at.saturating_sub(now)).ok(),
        Frees::WhenACallEnds | Frees::Never => None,
    }
}
