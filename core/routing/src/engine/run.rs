//! From a decision to an attempt, and from a failed one to the next.
//! For: the loop that whole answers, streamed ones and passed ones share. Not for: the answers themselves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use callboard_limits::{BreakerState, Denied, Standing};
use serde_json::json;

use super::attempt::{Attempt, Plan, Turn};
use super::detail::{Detail, Origin};
use super::error::{CallError, Hop, Nobody};
use super::explain::{Considered, Explained, broken, frees_in, subject};
use super::next::{Patience, Plight, Step, next};
use super::refused::Refused;
use super::router::Inner;
use super::settings::Settings;
use super::used::Ended;
use super::{Target, Who};
use crate::check::{Check, Unmet};
use crate::evaluate::Dice;
use crate::failure::{Failure, FailureKind};
use crate::route::{Rejection, Route, TaskClass, decide};

/// A call from its decision on.
pub(super) struct Run {
    inner: Arc<Inner>,
    pub(super) settings: Arc<Settings>,
    pub(super) explained: Explained,
    /// Tokens of the prompt before correction.
    pub(super) base: u64,
    pub(super) who: Who,
    pub(super) patience: Patience,
    pub(super) confirmed: bool,
    pub(super) streamed: bool,
    /// The request's text, where texts are kept.
    pub(super) words: Option<Arc<str>>,
    deadline: Option<Instant>,
    /// The place in the decision's order.
    turn: usize,
    /// How often this candidate was asked again.
    retried: u32,
    /// Until when this candidate may be asked; `None`: its turn has not come.
    here_until: Option<Instant>,
    pub(super) hops: Vec<Hop>,
    last: Option<Failure>,
    /// Why those were passed over that the decision had let through.
    turned: Vec<(usize, Rejection)>,
    pub(super) warnings: Vec<Standing>,
    /// What a whole answer has to be.
    pub(super) check: Option<Check>,
    /// How hard the work was said to be; whoever is asked in the end may be meant for harder work.
    class: Option<TaskClass>,
    /// Since when the next attempt waits for its turn.
    since: Instant,
}

/// What a run is made of.
pub(super) struct Start {
    pub(super) inner: Arc<Inner>,
    pub(super) settings: Arc<Settings>,
    pub(super) explained: Explained,
    pub(super) base: u64,
    pub(super) who: Who,
    pub(super) patience: Option<Patience>,
    pub(super) confirmed: bool,
    pub(super) streamed: bool,
    pub(super) words: Option<Arc<str>>,
    pub(super) began: Instant,
}

impl Run {
    pub(super) fn new(start: Start) -> Run {
        let within = start.explained.need.within_ms.map(Duration::from_millis);
        let class = start.explained.need.class;
        Run {
            patience: start.patience.unwrap_or(start.settings.patience),
            deadline: within.and_then(|within| start.began.checked_add(within)),
            inner: start.inner,
            settings: start.settings,
            explained: start.explained,
            base: start.base,
            who: start.who,
            confirmed: start.confirmed,
            streamed: start.streamed,
            words: start.words,
            turn: 0,
            retried: 0,
            here_until: None,
            hops: Vec::new(),
            last: None,
            turned: Vec::new(),
            warnings: Vec::new(),
            check: None,
            class,
            since: start.began,
        }
    }

    /// The time that is left of the call's; `None`: there is no end to it.
    pub(super) fn left(&self) -> Option<Duration> {
        let deadline = self.deadline?;
        Some(until(deadline))
    }

    /// The time that an attempt has: what is left of the call's, and of its candidate's, which all its retries share.
    pub(super) fn left_here(&self) -> Option<Duration> {
        let here = self.here_until.map(until);
        self.left().into_iter().chain(here).min()
    }

    /// The next attempt with its reservation, at whoever's turn it is and may be asked.
    pub(super) async fn attempt(&mut self) -> Result<Attempt, CallError> {
        loop {
            let Some(choice) = self.explained.decision.order.get(self.turn) else {
                return Err(self.stuck());
            };
            let at = choice.at;
            let considered = &self.explained.candidates[at];
            if considered.confirm && !self.confirmed {
                return Err(CallError::Confirm {
                    target: considered.target(),
                    cost: considered.estimate.cost,
                });
            }
            let plan = self.plan(considered)?;
            let (inner, settings) = (Arc::clone(&self.inner), Arc::clone(&self.settings));
            let mut attempt = Attempt::new(inner, settings, plan);
            let now = self.inner.parts.clock.now_ms();
            let in_the_way = match attempt.reserve().await? {
                Turn::Granted(warnings) => {
                    self.warnings = warnings;
                    self.here_until = self.here_until.or_else(|| attempt.latest());
                    return Ok(attempt);
                }
                Turn::Broken(state, until) => {
                    let for_ms = u64::try_from(until.saturating_sub(now)).unwrap_or(0);
                    match state {
                        BreakerState::Cooling => Rejection::Cooling { for_ms },
                        _ => Rejection::Open { for_ms },
                    }
                }
                Turn::Denied(denied) => {
                    let limit = denied.to_string();
                    let for_ms = frees_in(&denied, now);
                    self.explained.candidates[at].denied = Some(*denied);
                    Rejection::Limited { limit, for_ms }
                }
            };
            self.turned.push((at, in_the_way));
            self.moves_on();
        }
    }

    fn plan(&self, considered: &Considered) -> Result<Plan, CallError> {
        let target = considered.target();
        let provider = self.settings.provider(&target.provider)?;
        let now = self.inner.parts.clock.now_ms();
        let detail = Detail {
            origin: Origin::from(&self.who),
            vendor: provider.vendor().map(str::to_owned),
            route: Some(self.explained.route.clone()),
            decision: Some(self.reasons()),
            attempt: self.retried + 1,
            hop: self.hop(),
            streamed: self.streamed,
            mode: considered.charged.mode(),
            queue_us: None,
            end: None,
        };
        Ok(Plan {
            call: self.inner.ids.next("c_", now),
            subject: subject(&target, provider, &self.who),
            broken: broken(&target, provider),
            target,
            estimate: considered.estimate,
            base: self.base,
            charged: considered.charged.clone(),
            detail,
            since: self.since,
            words: self.words.clone(),
        })
    }

    /// How many candidates came before this one and failed.
    fn hop(&self) -> u32 {
        let mut before: Vec<&Target> = self.hops.iter().map(|hop| &hop.target).collect();
        before.dedup();
        let hops = before.len() - usize::from(self.retried > 0).min(before.len());
        u32::try_from(hops).unwrap_or(u32::MAX)
    }

    /// Why this one is asked: the whole decision with the first attempt, what failed before and who was passed over with
    /// later ones. The class is in all of them: by the rows it is told whose work a task was.
    fn reasons(&self) -> serde_json::Value {
        let mut reasons = match self.hops.last() {
            Some(before) => {
                let why = before.unmet.as_ref().map(Unmet::as_str);
                let mut reasons =
                    json!({ "after": before.call, "failed": why.unwrap_or(before.kind.as_str()) });
                let turned: Vec<_> = self.turned_away().collect();
                if !turned.is_empty() {
                    reasons["rejected"] = turned.into();
                }
                reasons
            }
            None => self.decided(),
        };
        if let Some(class) = self.class {
            reasons["class"] = class.as_str().into();
        }
        if let Some(class) = self.explained.decision.raised_to {
            reasons["raised_to"] = class.as_str().into();
        }
        reasons
    }

    /// Those who were passed over although the decision had let them through.
    fn turned_away(&self) -> impl Iterator<Item = serde_json::Value> {
        self.turned.iter().map(|(at, why)| {
            let model = self.explained.candidates[*at].target().to_string();
            json!({ "model": model, "why": [why.to_string()] })
        })
    }

    fn decided(&self) -> serde_json::Value {
        let name = |at: usize| self.explained.candidates[at].target().to_string();
        let decision = &self.explained.decision;
        let order: Vec<_> = decision
            .order
            .iter()
            .map(|choice| json!({ "model": name(choice.at), "why": choice.why }))
            .collect();
        let rejected = decision.rejected.iter().map(|rejected| {
            let why: Vec<String> = rejected.why.iter().map(Rejection::to_string).collect();
            json!({ "model": name(rejected.at), "why": why })
        });
        let rejected: Vec<_> = rejected.chain(self.turned_away()).collect();
        let mut reasons = json!({ "strategy": self.explained.strategy.as_str(), "order": order });
        if !rejected.is_empty() {
            reasons["rejected"] = rejected.into();
        }
        reasons
    }

    /// An attempt failed: counts it, and waits for the time of the next one.
    ///
    /// # Errors
    /// [`CallError::Failed`] when there is none.
    pub(super) async fn failed(
        &mut self,
        mut attempt: Attempt,
        failure: Failure,
    ) -> Result<(), CallError> {
        attempt.ends(Ended::Badly(&failure));
        attempt.finish().await;
        self.after(&attempt, failure).await
    }

    /// The same of an attempt that is written down already.
    pub(super) async fn after(
        &mut self,
        attempt: &Attempt,
        failure: Failure,
    ) -> Result<(), CallError> {
        self.since = Instant::now();
        self.hops.push(Hop {
            call: attempt.plan.call.clone(),
            target: attempt.plan.target.clone(),
            kind: failure.kind,
            unmet: None,
        });
        let left = self.left();
        let plight = Plight {
            retried: self.retried,
            others: self.turn + 1 < self.explained.decision.order.len(),
            left_ms: left.map(millis),
            here_ms: self.here_until.map_or(u64::MAX, |by| millis(until(by))),
            jitter: jitter(&attempt.plan.call),
        };
        let step = next(&self.patience, &failure, &plight);
        self.last = Some(failure);
        match step {
            Step::Again { after_ms } => {
                self.retried += 1;
                tokio::time::sleep(Duration::from_millis(after_ms)).await;
                Ok(())
            }
            Step::Another => {
                self.moves_on();
                Ok(())
            }
            Step::Over => Err(self.stuck()),
        }
    }

    /// An answer will not do: whoever comes next is asked, and after the last one those who are meant for harder work.
    /// Says whether there is anybody.
    pub(super) fn unmet(&mut self, attempt: &Attempt, unmet: &Unmet) -> bool {
        self.since = Instant::now();
        let kind = match unmet {
            Unmet::Refused { .. } => FailureKind::Refused,
            Unmet::Truncated => FailureKind::Truncated,
            _ => FailureKind::Malformed,
        };
        self.hops.push(Hop {
            call: attempt.plan.call.clone(),
            target: attempt.plan.target.clone(),
            kind,
            unmet: Some(unmet.clone()),
        });
        // A failure before this answer says nothing about what comes after it.
        self.last = None;
        self.moves_on();
        self.turn < self.explained.decision.order.len() || self.raises()
    }

    /// Those are passed over.
    pub(super) fn without(&mut self, failed: &[Target]) {
        for at in 0..self.explained.candidates.len() {
            if !failed.contains(&self.explained.candidates[at].target()) {
                continue;
            }
            let order = &mut self.explained.decision.order;
            order.retain(|choice| choice.at != at);
            self.turned.push((at, Rejection::Failed));
        }
        if self.explained.decision.order.is_empty() {
            self.raises();
        }
    }

    /// Decides anew for harder work, without those who had their turn.
    fn raises(&mut self) -> bool {
        let Explained {
            route,
            strategy,
            need,
            candidates,
            decision,
        } = &mut self.explained;
        let Some(class) = need.class else {
            return false;
        };
        let route = Route {
            name: route.clone(),
            strategy: *strategy,
            candidates: candidates.iter().map(|of| of.candidate.clone()).collect(),
        };
        let had = |at: usize| {
            let target = candidates[at].target();
            self.turned.iter().any(|turned| turned.0 == at)
                || self.hops.iter().any(|hop| hop.target == target)
        };
        let harder = TaskClass::ALL.into_iter().filter(|other| *other > class);
        for class in harder {
            need.class = Some(class);
            let mut raised = decide(&route, need);
            raised.order.retain(|choice| !had(choice.at));
            if !raised.order.is_empty() {
                raised.raised_to = Some(class);
                *decision = raised;
                (self.turn, self.retried, self.here_until) = (0, 0, None);
                return true;
            }
        }
        false
    }

    fn moves_on(&mut self) {
        (self.turn, self.retried, self.here_until) = (self.turn + 1, 0, None);
    }

    /// Why the call ends here. Where nobody was asked, the log gets a row of that.
    pub(super) fn stuck(&mut self) -> CallError {
        if let Some(failure) = self.last.take() {
            let hops = std::mem::take(&mut self.hops);
            return CallError::Failed { failure, hops };
        }
        let error = self.nobody();
        if self.hops.is_empty() {
            let parts = &self.inner.parts;
            let now = parts.clock.now_ms();
            let refused = Refused {
                id: self.inner.ids.next("c_", now),
                at: now,
                who: &self.who,
                explained: &self.explained,
                decision: self.reasons(),
                streamed: self.streamed,
                prices: self.settings.prices.version(),
            };
            parts.log.record_llm(refused.row(&error));
        }
        error
    }

    /// Everybody was passed over. For a call that was one see [`Run::stuck`].
    pub(super) fn nobody(&self) -> CallError {
        let explained = &self.explained;
        let why = |at: usize| {
            let decided = explained.decision.rejected.iter();
            let decided = decided.filter(move |rejected| rejected.at == at);
            let decided = decided.flat_map(|rejected| rejected.why.iter().cloned());
            let turned = self.turned.iter().filter(move |turned| turned.0 == at);
            decided.chain(turned.map(|turned| turned.1.clone()))
        };
        let candidates: Vec<(Target, Vec<Rejection>)> = (0..explained.candidates.len())
            .map(|at| (explained.candidates[at].target(), why(at).collect()))
            .collect();
        if let Some(denied) = only_limits(&explained.candidates, &candidates) {
            return CallError::Denied(Box::new(denied));
        }
        let waits = candidates.iter().filter_map(|(_, why)| {
            let passes: Option<Vec<u64>> = why.iter().map(Rejection::passes_in_ms).collect();
            passes?.into_iter().max()
        });
        CallError::Nobody(Box::new(Nobody {
            route: explained.route.clone(),
            retry_in_ms: waits.min(),
            candidates,
        }))
    }
}

/// The limit that is in the way for the shortest time, where limits alone are: everybody who fits is under one.
fn only_limits(
    considered: &[Considered],
    candidates: &[(Target, Vec<Rejection>)],
) -> Option<Denied> {
    let passing = |why: &Rejection| {
        matches!(
            why,
            Rejection::Open { .. } | Rejection::Cooling { .. } | Rejection::Limited { .. }
        )
    };
    let mut soonest: Option<&Denied> = None;
    for (considered, (_, why)) in considered.iter().zip(candidates) {
        if !why.iter().all(passing) {
            continue;
        }
        let limited = |why: &Rejection| matches!(why, Rejection::Limited { .. });
        // Somebody fits whom no limit keeps: the limit is not what to look at.
        let denied = considered
            .denied
            .as_ref()
            .filter(|_| why.iter().all(limited))?;
        if soonest.is_none_or(|soonest| denied.frees < soonest.frees) {
            soonest = Some(denied);
        }
    }
    soonest.cloned()
}

fn until(by: Instant) -> Duration {
    by.saturating_duration_since(Instant::now())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// 0 to 999, another one for each call.
fn jitter(call: &str) -> u64 {
    u64::try_from(Dice::of(&[call]).below(1_000)).unwrap_or(0)
}

/// The time for the whole call was over before anything was asked.
pub(super) fn overdue() -> Failure {
    Failure::new(
        FailureKind::Deadline,
        "the time for the whole call was over",
    )
}
