//! Breakers: whether a model at a provider is asked at all after it has failed.
//!
//! For: one row for each provider, model and account, which every process reads and writes, so that all of them
//! agree. Not for: telling failures apart (routing says which count).
//!
//! Closed: everybody asks, and failures in a row are counted. Open, after enough of them: nobody asks for a
//! while. Then half-open: one call at a time asks, under a lease, so that a prober which is killed does not block
//! the others for ever; its success closes the breaker, its failure opens it again. Beside that a provider may ask
//! for a pause (429): until then nobody asks, and nothing is counted.
//!
//! While a breaker is not closed, only the prober's result changes it: the end of a call that began before says
//! nothing about now.

use callboard_store::{Conn, Row, StoreError, Value, params};
use callboard_telemetry::audit::audit_add;

use crate::error::LimitError;
use crate::rule::words;

/// What a breaker stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// The provider, by its configured name.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The account at the provider; empty where there is but one.
    pub account: String,
}

/// How patient breakers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// After so many failures in a row it opens.
    pub failures: u32,
    /// How long it stays open, ms.
    pub open_ms: i64,
    /// How long a prober may take before another one may probe, ms.
    pub probe_ms: i64,
}

impl Default for Patience {
    /// Five failures, a minute, and two minutes for a probe.
    fn default() -> Self {
        Patience {
            failures: 5,
            open_ms: 60_000,
            probe_ms: 120_000,
        }
    }
}

words! {
    /// Where a breaker stands.
    BreakerState {
        /// Everybody may ask.
        Closed = "closed",
        /// Nobody may.
        Open = "open",
        /// One call at a time may.
        HalfOpen = "half_open",
        /// The provider asked for a pause.
        Cooling = "cooling",
    }
}

/// Whether a call may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Go,
    /// It may, and decides whether the others may again: its end must be recorded.
    Probe,
    /// It may not.
    Refused {
        /// Why.
        state: BreakerState,
        /// When to ask again, ms since 1970 UTC; earlier where a prober is done earlier.
        until: i64,
    },
}

/// How a call ended, as far as breakers care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It got an answer.
    Succeeded,
    /// It failed in a way that counts; the word says how.
    Failed(&'a str),
    /// The provider asks for a pause until this time, ms since 1970 UTC.
    Cool(i64),
    /// It ended in a way that says nothing about the provider (a bad request, a bad key, cancelled).
    Nothing,
}

/// A breaker, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    /// What it stands for.
    pub target: Target,
    /// Where it stands.
    pub state: BreakerState,
    /// Failures in a row that counted.
    pub failures: u32,
    /// Until when nobody may ask, where that is so: ms since 1970 UTC.
    pub until: Option<i64>,
    /// The call that probes now.
    pub probe: Option<String>,
    /// How the last failure that counted was called.
    pub last_failure: Option<String>,
    /// When it last changed, ms since 1970 UTC.
    pub changed_at: i64,
}

/// A breaker's row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Stored {
    failures: u32,
    open_until: Option<i64>,
    cool_until: Option<i64>,
    probe: Option<String>,
    probe_until: Option<i64>,
    last_failure: Option<String>,
}

impl Stored {
    fn state(&self, now: i64) -> BreakerState {
        match (self.cool_until, self.open_until) {
            (Some(until), _) if now < until => BreakerState::Cooling,
            (_, Some(until)) if now < until => BreakerState::Open,
            (_, Some(_)) => BreakerState::HalfOpen,
            (_, None) => BreakerState::Closed,
        }
    }

    /// The call that probes now.
    fn prober(&self, now: i64) -> Option<&str> {
        let leased = self.probe_until.is_some_and(|until| now < until);
        self.probe.as_deref().filter(|_| leased)
    }

    /// Until when nobody may ask.
    fn until(&self, now: i64) -> Option<i64> {
        match self.state(now) {
            BreakerState::Closed => None,
            BreakerState::Cooling => self.cool_until.max(self.open_until),
            BreakerState::Open => self.open_until,
            BreakerState::HalfOpen => self.probe_until.filter(|_| self.prober(now).is_some()),
        }
    }

    /// Whether `call` may ask; where it is to probe, the row says so afterwards.
    fn admit(&mut self, now: i64, call: &str, patience: Patience) -> Admission {
        let state = self.state(now);
        if state == BreakerState::Closed {
            return Admission::Go;
        }
        if let Some(until) = self.until(now).filter(|_| self.prober(now) != Some(call)) {
            return Admission::Refused { state, until };
        }
        self.probe = Some(call.to_owned());
        self.probe_until = Some(now + patience.probe_ms);
        Admission::Probe
    }

    /// What the end of `call` makes of it.
    fn record(&mut self, now: i64, call: &str, verdict: Verdict<'_>, patience: Patience) {
        // A prober whose lease ran out is still the last that was let through, until another one is.
        let probes = self.open_until.is_some() && self.probe.as_deref() == Some(call);
        let counts = self.open_until.is_none() || probes;
        match verdict {
            Verdict::Succeeded if counts => {
                (self.failures, self.open_until) = (0, None);
            }
            Verdict::Failed(how) if counts => {
                self.failures = self.failures.saturating_add(1);
                self.last_failure = Some(how.to_owned());
                if probes || self.failures >= patience.failures {
                    self.open_until = Some(now + patience.open_ms);
                }
            }
            Verdict::Cool(until) if until > now => {
                self.cool_until = self.cool_until.max(Some(until));
            }
            Verdict::Succeeded | Verdict::Failed(_) | Verdict::Cool(_) | Verdict::Nothing => {}
        }
        if probes {
            (self.probe, self.probe_until) = (None, None);
        }
    }
}

const COLUMNS: &str = "failures, open_until, cool_until, probe, probe_until, last_failure";

fn stored_from(row: &dyn Row) -> Result<Stored, StoreError> {
    Ok(Stored {
        failures: u32::try_from(row.int(0)?).unwrap_or(0),
        open_until: row.opt_int(1)?,
        cool_until: row.opt_int(2)?,
        probe: row.opt_text(3)?,
        probe_until: row.opt_int(4)?,
        last_failure: row.opt_text(5)?,
    })
}

fn load(c: &mut dyn Conn, target: &Target) -> Result<Option<Stored>, StoreError> {
    c.query_one(
        &format!(
            "SELECT {COLUMNS} FROM breakers WHERE provider = ?1 AND model = ?2 AND account = ?3"
        ),
        params![&target.provider, &target.model, &target.account],
        stored_from,
    )
}

fn save(c: &mut dyn Conn, now: i64, target: &Target, stored: &Stored) -> Result<(), StoreError> {
    c.execute(
        "INSERT INTO breakers (provider, model, account, failures, open_until, cool_until, probe, probe_until, last_failure, changed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (provider, model, account) DO UPDATE SET failures = excluded.failures, open_until = excluded.open_until,
             cool_until = excluded.cool_until, probe = excluded.probe, probe_until = excluded.probe_until,
             last_failure = excluded.last_failure, changed_at = excluded.changed_at",
        params![
            &target.provider,
            &target.model,
            &target.account,
            stored.failures,
            stored.open_until,
            stored.cool_until,
            stored.probe.as_deref(),
            stored.probe_until,
            stored.last_failure.as_deref(),
            now,
        ],
    )?;
    Ok(())
}

/// Whether `call` may ask now. A probe that is let through and never recorded blocks the next one for
/// [`Patience::probe_ms`].
///
/// # Errors
/// Only when the store fails.
pub fn breaker_admit(
    c: &mut dyn Conn,
    now: i64,
    target: &Target,
    call: &str,
    patience: Patience,
) -> Result<Admission, LimitError> {
    let Some(mut stored) = load(c, target)? else {
        return Ok(Admission::Go);
    };
    let admission = stored.admit(now, call, patience);
    if admission == Admission::Probe {
        save(c, now, target, &stored)?;
    }
    Ok(admission)
}

/// Where a breaker stands, without asking anything of it: to choose among candidates. `None` says when there is
/// nothing known against it.
///
/// # Errors
/// Only when the store fails.
pub fn breaker_get(
    c: &mut dyn Conn,
    now: i64,
    target: &Target,
) -> Result<Option<Breaker>, LimitError> {
    let found = breakers_where(
        c,
        now,
        "WHERE provider = ?1 AND model = ?2 AND account = ?3",
        params![&target.provider, &target.model, &target.account],
    )?;
    Ok(found.into_iter().next())
}

/// Takes down how a call ended. Writes nothing where that changes nothing.
///
/// # Errors
/// Only when the store fails.
pub fn breaker_record(
    c: &mut dyn Conn,
    now: i64,
    target: &Target,
    call: &str,
    verdict: Verdict<'_>,
    patience: Patience,
) -> Result<(), LimitError> {
    let before = load(c, target)?.unwrap_or_default();
    let mut after = before.clone();
    after.record(now, call, verdict, patience);
    if after != before {
        save(c, now, target, &after)?;
    }
    Ok(())
}

/// A call that was lost probes no more: the next one may, before the lease is over.
pub(crate) fn probe_lost(c: &mut dyn Conn, call: &str) -> Result<(), StoreError> {
    c.execute(
        "UPDATE breakers SET probe = NULL, probe_until = NULL WHERE probe = ?1",
        params![call],
    )?;
    Ok(())
}

/// Closes breakers again whatever they know: all, or those of a provider and model. Answers how many there were.
///
/// # Errors
/// Only when the store fails.
pub fn breakers_reset(
    c: &mut dyn Conn,
    now: i64,
    provider: Option<&str>,
    model: Option<&str>,
) -> Result<usize, LimitError> {
    let reset = c.execute(
        "DELETE FROM breakers WHERE (?1 IS NULL OR provider = ?1) AND (?2 IS NULL OR model = ?2)",
        params![provider, model],
    )?;
    if reset > 0 {
        let detail = [
            ("model", Value::from(model)),
            ("breakers", i64::try_from(reset).unwrap_or(i64::MAX).into()),
        ];
        audit_add(c, now, "breakers_reset", provider.unwrap_or(""), &detail)?;
    }
    Ok(reset)
}

/// Every breaker that something is known of.
///
/// # Errors
/// Only when the store fails.
pub fn breakers(c: &mut dyn Conn, now: i64) -> Result<Vec<Breaker>, LimitError> {
    breakers_where(c, now, "", params![])
}

fn breakers_where(
    c: &mut dyn Conn,
    now: i64,
    which: &str,
    params: &[Value<'_>],
) -> Result<Vec<Breaker>, LimitError> {
    let sql = format!(
        "SELECT {COLUMNS}, provider, model, account, changed_at FROM breakers {which} ORDER BY provider, model, account"
    );
    Ok(c.query(&sql, params, |row| {
        let stored = stored_from(row)?;
        Ok(Breaker {
            target: Target {
                provider: row.text(6)?,
                model: row.text(7)?,
                account: row.text(8)?,
            },
            state: stored.state(now),
            failures: stored.failures,
            until: stored.until(now),
            probe: stored.prober(now).map(str::to_owned),
            last_failure: stored.last_failure,
            changed_at: row.int(9)?,
        })
    })?)
}
