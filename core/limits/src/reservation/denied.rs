//! Why a call was not let through.

use std::fmt;

use callboard_telemetry::usage::MicroDollars;

use super::Standing;
use crate::rule::{Limit, Resource, Scope, Span};

/// When what is in the way goes away; of several, the later one is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Frees {
    /// When a call that is being made ends.
    WhenACallEnds,
    /// At this time, ms since 1970 UTC, at the latest.
    At(i64),
    /// Not by itself: the limit has to be raised, the call made smaller, or the model given a price.
    Never,
}

/// Which limit stands in the way, how much of it is left, and when there is more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The limit.
    pub limit: Limit,
    /// Whom it counted: for a limit on each one separately, which one.
    pub name: String,
    /// What the call wanted of it.
    pub wanted: i64,
    /// Used by calls that have ended.
    pub used: i64,
    /// Held by calls that have not.
    pub held: i64,
    /// What is left.
    pub left: i64,
    /// When there is more.
    pub frees: Frees,
    /// Whether the reason is that the call's price is not known.
    pub unpriced: bool,
    /// When this was so, ms since 1970 UTC.
    pub at: i64,
}

impl Denied {
    pub(super) fn new(now: i64, standing: Standing, wanted: i64, unpriced: bool) -> Denied {
        let limit = &standing.limit;
        let frees = match limit.span {
            _ if unpriced || wanted > limit.amount => Frees::Never,
            Span::Now => Frees::WhenACallEnds,
            Span::Ever if wanted > limit.amount - standing.used => Frees::Never,
            Span::Ever => Frees::WhenACallEnds,
            Span::Minute | Span::Day | Span::Week | Span::Month => Frees::At(standing.ends_at),
        };
        Denied {
            wanted,
            used: standing.used,
            held: standing.held,
            left: standing.left().max(0),
            frees,
            unpriced,
            at: now,
            name: standing.name,
            limit: standing.limit,
        }
    }

    fn amount(&self, amount: i64) -> String {
        match self.limit.resource {
            Resource::Money => MicroDollars(amount).to_string(),
            _ => amount.to_string(),
        }
    }
}

impl std::error::Error for Denied {}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.limit.resource {
            Resource::Requests => " calls",
            Resource::Input => " tokens of input",
            Resource::Output => " tokens of output",
            Resource::Concurrent => " calls at the same time",
            Resource::Money => "",
        };
        let span = match self.limit.span {
            Span::Now | Span::Ever => "",
            Span::Minute => " a minute",
            Span::Day => " a day",
            Span::Week => " a week",
            Span::Month => " a month",
        };
        write!(
            f,
            "the limit of {}{what}{span}",
            self.amount(self.limit.amount)
        )?;
        match self.limit.scope {
            Scope::All => {}
            scope => write!(f, " for {scope} {}", self.name)?,
        }
        if self.unpriced {
            return write!(
                f,
                " lets no call through whose price is not known: give the model a price"
            );
        }
        write!(
            f,
            " has {} left ({} used, {} held by calls that are being made), and this call may need {}; ",
            self.amount(self.left),
            self.amount(self.used),
            self.amount(self.held),
            self.amount(self.wanted),
        )?;
        match self.frees {
            Frees::WhenACallEnds => write!(f, "try again when another call has ended"),
            Frees::At(at) => write!(f, "there is more in {} at the latest", within(at - self.at)),
            Frees::Never => write!(f, "raise the limit, or ask for less"),
        }
    }
}

/// A span of time in its two largest units, rounded up.
fn within(ms: i64) -> String {
    let seconds = (ms.max(0) + 999) / 1_000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}
