//! Reservations: what a call may use is held before it, and what it used is counted after it.
//!
//! For: one row for each call, and every step of its life, each exact in one transaction whoever else is at work
//! on the same file. Not for: estimating (routing does) or looking whether a process lives (the caller does).
//!
//! A call is held, and then settled (what it used is known), released (it never reached the provider) or expired
//! (its process died, or it took longer than it said). What is settled stays so. A call that was released or
//! expired can still be settled: what was used has to be paid, however late that is heard.

mod calls;
mod denied;
mod row;
mod standing;

use callboard_store::{Conn, params};
use callboard_telemetry::usage::{Counted, MicroDollars, Usage};

use crate::breaker::probe_lost;
use crate::counter::counters_follow;
use crate::error::LimitError;
use crate::price::Priced;
use crate::rule::Scope;

use calls::call_find;
pub use calls::{
    KEEP_MS, call_get, call_logged, call_price, calls_prune, calls_unlogged, calls_unpriced,
};
pub use denied::{Denied, Frees};
pub use row::{Call, CallState};
pub use standing::{Level, Standing};
pub(crate) use standing::{Reading, admit_money, standings_for};
use standing::{admit, wanted};

/// How many rows one sweep touches at most, so that it never holds the write lock for long.
const BATCH: u32 = 200;
/// More tokens or micro-dollars than any call uses; a larger estimate counts as this.
const MOST: i64 = 1_000_000_000_000;

/// Whom a call is for. A limit counts it where the field that the limit is about is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The provider, by its configured name.
    pub provider: Option<String>,
    /// The model, as the provider names it.
    pub model: Option<String>,
    /// The account at the provider.
    pub account: Option<String>,
    /// The project.
    pub project: Option<String>,
    /// The task.
    pub task: Option<String>,
}

impl Subject {
    /// The name by which a scope knows it; `None` where it has none.
    #[must_use]
    pub fn name(&self, scope: Scope) -> Option<String> {
        let at_provider = |name: &Option<String>| {
            let (provider, name) = (self.provider.as_ref()?, name.as_ref()?);
            Some(format!("{provider}/{name}"))
        };
        match scope {
            Scope::All => Some(String::new()),
            Scope::Provider => self.provider.clone(),
            Scope::Model => at_provider(&self.model),
            Scope::Account => at_provider(&self.account),
            Scope::Project => self.project.clone(),
            Scope::Task => self.task.clone(),
        }
    }
}

/// A process: its number, and when it started in clock ticks since boot, so that a re-used number is not taken
/// for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The process number.
    pub pid: u32,
    /// Field 22 of `/proc/<pid>/stat`.
    pub start: u64,
}

/// The most that a call is expected to use. Nothing is granted beyond a limit as far as estimates are not
/// exceeded, so take the highest: the output that was allowed, not the one that is likely.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Tokens sent.
    pub input: u64,
    /// Tokens received.
    pub output: u64,
    /// Its cost; `None` where the price is not known.
    pub cost: Option<MicroDollars>,
}

/// A call that wants to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Its id (`c_…`), its own alone.
    pub call: String,
    /// Whom it is for.
    pub subject: Subject,
    /// The process that makes it.
    pub owner: Owner,
    /// Until when it will have ended, ms since 1970 UTC; then it counts as lost.
    pub until: i64,
    /// The most that it will use.
    pub estimate: Estimate,
    /// What is known about it already, as a JSON object; a settlement puts its own in its place.
    pub detail: String,
}

/// A granted reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// The call.
    pub call: String,
    /// The limits of which, with this call, more than the warning share is gone.
    pub warnings: Vec<Standing>,
}

/// What a call used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Its tokens; `None` where nobody knows.
    pub usage: Option<Usage>,
    /// Its cost; `None` where that is not known.
    pub cost: Option<Priced>,
    /// More about it as a JSON object, for whoever derives a row of the call log from this one.
    pub detail: String,
}

/// Reserves what a call may use, or says which limit stands in the way.
///
/// # Errors
/// [`LimitError::Denied`] when a limit would be exceeded: of several, the one that is in the way for longest.
/// [`LimitError::Twice`] for an id that was used before, [`LimitError::Invalid`] for an empty one.
pub fn reserve(c: &mut dyn Conn, now: i64, ask: &Ask) -> Result<Reservation, LimitError> {
    if ask.call.is_empty() || ask.call.len() > 200 {
        return Err(LimitError::invalid(
            "call",
            "is the call's id, of at most 200 bytes",
        ));
    }
    if call_find(c, &ask.call)?.is_some() {
        return Err(LimitError::Twice {
            id: ask.call.clone(),
        });
    }
    expire_overdue(c, now)?;
    let standings = standings_for(c, now, &ask.subject, Reading::Keep)?;
    let granted = admit(now, standings, &ask.estimate)?;
    let call = Call::held(now, ask);
    c.execute(
        "INSERT INTO reservations (id, state, provider, model, account, project, task, pid, pid_start, reserved_at, until, held_input, held_output, held_money, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        params![
            &call.id,
            call.state.as_str(),
            call.subject.provider.as_deref(),
            call.subject.model.as_deref(),
            call.subject.account.as_deref(),
            call.subject.project.as_deref(),
            call.subject.task.as_deref(),
            call.owner.pid,
            signed(call.owner.start),
            call.reserved_at,
            call.until,
            clamped(call.estimate.input),
            clamped(call.estimate.output),
            call.estimate.cost.map(|cost| cost.0),
            &call.detail,
        ],
    )?;
    counters_follow(c, None, &call)?;
    let warns = |standing: &Standing| {
        standing.level() >= Level::Warn && wanted(standing.limit.resource, &ask.estimate) > 0
    };
    Ok(Reservation {
        call: call.id,
        warnings: granted.into_iter().filter(warns).collect(),
    })
}

/// Whether a call of that kind would be granted now, without reserving anything.
///
/// # Errors
/// As [`reserve`].
pub fn reservation_try(
    c: &mut dyn Conn,
    now: i64,
    subject: &Subject,
    estimate: &Estimate,
) -> Result<(), LimitError> {
    let standings = standings_for(c, now, subject, Reading::Only)?;
    admit(now, standings, estimate).map(drop)
}

/// Where the limits stand that count calls of this subject.
///
/// # Errors
/// Only when the store fails.
pub fn subject_standings(
    c: &mut dyn Conn,
    now: i64,
    subject: &Subject,
) -> Result<Vec<Standing>, LimitError> {
    standings_for(c, now, subject, Reading::Only)
}

/// Counts what a call used, once: says whether this was the first time. What it held is free again.
///
/// # Errors
/// [`LimitError::Unknown`] when it was never reserved.
pub fn settle(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    settlement: &Settlement,
) -> Result<bool, LimitError> {
    let before = call_get(c, id)?;
    if before.state == CallState::Settled {
        return Ok(false);
    }
    let after = before.settled(now, settlement);
    let tokens = after.usage.map(|usage| usage.tokens).unwrap_or_default();
    let counted = after.usage.map(|usage| match usage.counted {
        Counted::Reported => "reported",
        Counted::Estimated => "estimated",
    });
    c.execute(
        "UPDATE reservations SET state = 'settled', ended_at = ?2, input = ?3, cached = ?4, cache_write = ?5, cache_write_1h = ?6,
             output = ?7, reasoning = ?8, counted = ?9, money = ?10, price_version = ?11, detail = ?12, logged = 0
         WHERE id = ?1",
        params![
            id,
            now,
            clamped(tokens.input),
            clamped(tokens.cached),
            clamped(tokens.cache_write),
            clamped(tokens.cache_write_1h),
            clamped(tokens.output),
            clamped(tokens.reasoning),
            counted,
            after.cost.map(|cost| cost.0),
            after.price_version.as_deref(),
            &after.detail,
        ],
    )?;
    counters_follow(c, Some(&before), &after)?;
    Ok(true)
}

/// Gives back what a call held that never reached the provider: says whether it held anything. Nothing is
/// counted, not even a request.
///
/// # Errors
/// Only when the store fails.
pub fn release(c: &mut dyn Conn, now: i64, id: &str, detail: &str) -> Result<bool, LimitError> {
    end(c, now, id, CallState::Released, Some(detail))
}

fn end(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    state: CallState,
    detail: Option<&str>,
) -> Result<bool, LimitError> {
    let Some(before) = call_find(c, id)?.filter(|call| call.state == CallState::Held) else {
        return Ok(false);
    };
    c.execute(
        "UPDATE reservations SET state = ?2, ended_at = ?3, detail = COALESCE(?4, detail), logged = 0 WHERE id = ?1",
        params![id, state.as_str(), now, detail],
    )?;
    if state == CallState::Expired {
        probe_lost(c, id)?;
    }
    let mut after = before.clone();
    after.state = state;
    counters_follow(c, Some(&before), &after)?;
    Ok(true)
}

/// A call will take until later than it had said: says whether it still holds anything.
///
/// # Errors
/// Only when the store fails.
pub fn reservation_extend(c: &mut dyn Conn, id: &str, until: i64) -> Result<bool, LimitError> {
    let extended = c.execute(
        "UPDATE reservations SET until = max(until, ?2) WHERE id = ?1 AND state = 'held'",
        params![id, until],
    )?;
    Ok(extended > 0)
}

/// The processes that hold something: the caller looks which of them still live.
///
/// # Errors
/// Only when the store fails.
pub fn owners(c: &mut dyn Conn) -> Result<Vec<Owner>, LimitError> {
    Ok(c.query(
        "SELECT DISTINCT pid, pid_start FROM reservations WHERE state = 'held' LIMIT 1000",
        params![],
        |row| {
            Ok(Owner {
                pid: u32::try_from(row.int(0)?).unwrap_or(0),
                start: u64::try_from(row.int(1)?).unwrap_or(0),
            })
        },
    )?)
}

/// Ends the calls that are overdue and those whose process is `gone`, and answers their ids. What they held is
/// free again; each counts as a request, and what else it used is not known. Does a few hundred at most: call
/// it again while it answers any.
///
/// # Errors
/// Only when the store fails.
pub fn expire(
    c: &mut dyn Conn,
    now: i64,
    gone: &dyn Fn(Owner) -> bool,
) -> Result<Vec<String>, LimitError> {
    let mut lost = expire_overdue(c, now)?;
    let overdue = lost.len();
    for owner in owners(c)?.into_iter().filter(|&owner| gone(owner)) {
        lost.extend(c.query(
            "SELECT id FROM reservations WHERE state = 'held' AND pid = ?1 AND pid_start = ?2 LIMIT ?3",
            params![owner.pid, signed(owner.start), BATCH],
            |row| row.text(0),
        )?);
    }
    for id in &lost[overdue..] {
        end(c, now, id, CallState::Expired, None)?;
    }
    Ok(lost)
}

fn expire_overdue(c: &mut dyn Conn, now: i64) -> Result<Vec<String>, LimitError> {
    let lost = c.query(
        "SELECT id FROM reservations WHERE state = 'held' AND until < ?1 ORDER BY until LIMIT ?2",
        params![now, BATCH],
        |row| row.text(0),
    )?;
    for id in &lost {
        end(c, now, id, CallState::Expired, None)?;
    }
    Ok(lost)
}

pub(crate) fn clamped(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(MOST).min(MOST)
}

fn signed(start: u64) -> i64 {
    i64::try_from(start).unwrap_or(i64::MAX)
}
