//! Budgets: where limits stand, what stops, and what was spent day by day.
//!
//! For: answers for people and for whoever hands out work. Not for: letting a call through (reservation does,
//! by the same counters).

use callboard_store::{Conn, Row, StoreError, params};
use callboard_telemetry::usage::MicroDollars;

use crate::calendar::{self, DAY_MS};
use crate::counter::{counter_read, scope_sql};
use crate::error::LimitError;
use crate::forecast::{Course, Forecast, forecast};
use crate::reservation::{Denied, Reading, Standing, Subject, admit_money, standings_for};
use crate::rule::{EACH, Limit, Resource, Scope, Span, limits_list};

/// Where every limit stands. One on each of a scope stands there once for each that has calls in its window.
///
/// # Errors
/// Only when the store fails.
pub fn standings(c: &mut dyn Conn, now: i64) -> Result<Vec<Standing>, LimitError> {
    let mut standings = Vec::new();
    for limit in limits_list(c)? {
        let names = if limit.name == EACH {
            names_of(c, &limit, now)?
        } else {
            vec![limit.name.clone()]
        };
        for name in names {
            let counter = counter_read(c, &limit, &name, now)?;
            let (starts_at, ends_at) = limit.window(now);
            standings.push(Standing {
                limit: limit.clone(),
                name,
                starts_at,
                ends_at,
                used: counter.used,
                held: counter.held,
                unpriced: counter.unpriced,
            });
        }
    }
    Ok(standings)
}

/// Whom a limit on each one separately counts in its window now; at most a thousand.
fn names_of(c: &mut dyn Conn, limit: &Limit, now: i64) -> Result<Vec<String>, StoreError> {
    let column = match limit.scope {
        Scope::All => "''",
        Scope::Provider => "provider",
        Scope::Model => "provider || '/' || model",
        Scope::Account => "provider || '/' || account",
        Scope::Project => "project",
        Scope::Task => "task",
    };
    let held = if limit.span == Span::Now {
        "AND state = 'held'"
    } else {
        ""
    };
    let (starts_at, ends_at) = limit.window(now);
    c.query(
        &format!(
            "SELECT DISTINCT {column} FROM reservations
             WHERE {column} IS NOT NULL AND reserved_at >= ?1 AND reserved_at < ?2 {held} ORDER BY 1 LIMIT 1000"
        ),
        params![starts_at, ends_at],
        |row| row.text(0),
    )
}

/// The budget that stops work for a project or task, where one does: nothing of it is left. Whoever hands out
/// work asks this first.
///
/// # Errors
/// Only when the store fails.
pub fn budget_stops(
    c: &mut dyn Conn,
    now: i64,
    subject: &Subject,
) -> Result<Option<Denied>, LimitError> {
    let standings = standings_for(c, now, subject, Reading::Only)?;
    match admit_money(now, standings) {
        Ok(()) => Ok(None),
        Err(LimitError::Denied(denied)) => Ok(Some(*denied)),
        Err(other) => Err(other),
    }
}

/// Whether any budget could stop work at all: one look at a few rows, for who would otherwise ask for each task.
///
/// # Errors
/// Only when the store fails.
pub fn budgets_any(c: &mut dyn Conn) -> Result<bool, LimitError> {
    let found = c.query_one(
        "SELECT EXISTS (SELECT 1 FROM limit_rules WHERE resource = 'money' AND scope IN ('all', 'project', 'task'))",
        params![],
        |row| row.int(0),
    )?;
    Ok(found == Some(1))
}

/// How many whole days a forecast looks back over.
pub const LOOK_BACK_DAYS: u32 = 14;

/// When a budget will be used up, if days go on costing what the last [`LOOK_BACK_DAYS`] did. `None` for a limit
/// on anything but money.
///
/// # Errors
/// Only when the store fails.
pub fn budget_forecast(
    c: &mut dyn Conn,
    now: i64,
    standing: &Standing,
) -> Result<Option<Forecast>, LimitError> {
    let limit = &standing.limit;
    if limit.resource != Resource::Money {
        return Ok(None);
    }
    let daily = spend_daily(c, now, limit, &standing.name, LOOK_BACK_DAYS)?;
    let course = Course {
        amount: MicroDollars(limit.amount),
        spent: MicroDollars(standing.used),
        ends_at: standing.ends_at,
        daily: &daily,
    };
    Ok(Some(forecast(now, &course)))
}

/// What was spent on each of the last `days` whole days before today, oldest first, by the clock of the limit:
/// what a forecast needs. Calls of unknown cost are not in it.
///
/// # Errors
/// Only when the store fails.
pub fn spend_daily(
    c: &mut dyn Conn,
    now: i64,
    limit: &Limit,
    name: &str,
    days: u32,
) -> Result<Vec<MicroDollars>, LimitError> {
    let (today, _) = calendar::day(now, limit.offset_min);
    let from = today - i64::from(days) * DAY_MS;
    let of = scope_sql(limit.scope);
    let spent = c.query(
        &format!(
            "SELECT (reserved_at - ?2) / {DAY_MS}, sum(money) FROM reservations
             WHERE {of} AND state = 'settled' AND money IS NOT NULL AND reserved_at >= ?2 AND reserved_at < ?3 GROUP BY 1"
        ),
        params![name, from, today],
        day_from,
    )?;
    let mut daily = vec![MicroDollars::ZERO; usize::try_from(days).unwrap_or(0)];
    for (day, amount) in spent {
        if let Some(place) = daily.get_mut(day) {
            *place = amount;
        }
    }
    Ok(daily)
}

fn day_from(row: &dyn Row) -> Result<(usize, MicroDollars), StoreError> {
    Ok((
        usize::try_from(row.int(0)?).unwrap_or(usize::MAX),
        MicroDollars(row.int(1)?),
    ))
}
