//! Where limits stand, and whether they let a call through.

use callboard_store::Conn;
use callboard_telemetry::usage::MicroDollars;

use super::{Denied, Estimate, MOST, Subject, clamped};
use crate::counter::{counter_keep, counter_read};
use crate::error::LimitError;
use crate::rule::{Limit, Resource, Unpriced, limits_for};

/// Where a limit stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The limit.
    pub limit: Limit,
    /// Whom it counts here: for a limit on each one separately, which one.
    pub name: String,
    /// When its window began, ms since 1970 UTC; `i64::MIN` where it has no beginning.
    pub starts_at: i64,
    /// When it ends; `i64::MAX` where it does not.
    pub ends_at: i64,
    /// Used by calls that have ended.
    pub used: i64,
    /// Held by calls that have not.
    pub held: i64,
    /// Ended calls in it whose cost is not known, where money is limited.
    pub unpriced: i64,
}

/// How far a limit is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Less than the warning share.
    Fine,
    /// At least the warning share.
    Warn,
    /// Nothing is left.
    Stop,
}

impl Standing {
    /// What is left of it; less than nothing when calls used more than they had said.
    #[must_use]
    pub fn left(&self) -> i64 {
        self.limit.amount - self.used - self.held
    }

    /// How far it is used up.
    #[must_use]
    pub fn level(&self) -> Level {
        let gone = i128::from(self.used) + i128::from(self.held);
        if self.left() <= 0 {
            Level::Stop
        } else if gone * 1_000 >= i128::from(self.limit.amount) * i128::from(self.limit.warn) {
            Level::Warn
        } else {
            Level::Fine
        }
    }
}

/// Whether counters may be written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Reads and nothing else.
    Only,
    /// What is read is kept from now on.
    Keep,
}

/// Where the limits stand that count calls of this subject.
pub(crate) fn standings_for(
    c: &mut dyn Conn,
    now: i64,
    subject: &Subject,
    reading: Reading,
) -> Result<Vec<Standing>, LimitError> {
    let mut standings = Vec::new();
    for limit in limits_for(c, subject)? {
        let Some(name) = limit.counts(subject) else {
            continue;
        };
        let counter = match reading {
            Reading::Only => counter_read(c, &limit, &name, now)?,
            Reading::Keep => counter_keep(c, &limit, &name, now)?,
        };
        let (starts_at, ends_at) = limit.window(now);
        standings.push(Standing {
            limit,
            name,
            starts_at,
            ends_at,
            used: counter.used,
            held: counter.held,
            unpriced: counter.unpriced,
        });
    }
    Ok(standings)
}

/// What the call wants of a resource. A call of unknown cost wants that something is left.
pub(super) fn wanted(resource: Resource, estimate: &Estimate) -> i64 {
    match resource {
        Resource::Requests | Resource::Concurrent => 1,
        Resource::Input => clamped(estimate.input),
        Resource::Output => clamped(estimate.output),
        Resource::Money => estimate.cost.map_or(1, |cost| cost.0.clamp(0, MOST)),
    }
}

/// The standings as they are with the call, if every limit lets it through.
pub(super) fn admit(
    now: i64,
    standings: Vec<Standing>,
    estimate: &Estimate,
) -> Result<Vec<Standing>, LimitError> {
    let mut worst: Option<Denied> = None;
    let mut granted = Vec::with_capacity(standings.len());
    for mut standing in standings {
        let resource = standing.limit.resource;
        let unpriced = resource == Resource::Money && estimate.cost.is_none();
        let wanted = wanted(resource, estimate);
        let never = unpriced && standing.limit.unpriced == Unpriced::Deny;
        if never || (wanted > 0 && wanted > standing.left()) {
            let denied = Denied::new(now, standing, wanted, never);
            if worst
                .as_ref()
                .is_none_or(|worst| denied.frees > worst.frees)
            {
                worst = Some(denied);
            }
        } else {
            standing.held += if unpriced { 0 } else { wanted };
            granted.push(standing);
        }
    }
    match worst {
        Some(denied) => Err(LimitError::Denied(Box::new(denied))),
        None => Ok(granted),
    }
}

/// Whether every budget among the standings has something left.
pub(crate) fn admit_money(now: i64, standings: Vec<Standing>) -> Result<(), LimitError> {
    let mut money = standings;
    money.retain(|standing| standing.limit.resource == Resource::Money);
    let least = Estimate {
        cost: Some(MicroDollars(1)),
        ..Estimate::default()
    };
    admit(now, money, &least).map(drop)
}
