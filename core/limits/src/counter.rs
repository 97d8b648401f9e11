//! What the reservations of a window add up to.
//!
//! For: one row for each window that a limit was asked about, made from the reservations when it is first
//! needed and following each of them from then on, so that a reservation reads a row instead of a month. Not
//! for: deciding (reservation does).

use callboard_store::{Conn, Row, StoreError, params};

use callboard_telemetry::usage::MicroDollars;

use crate::reservation::{Call, CallState, clamped};
use crate::rule::{Limit, Resource, Scope};

/// The sums of a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counter {
    /// Held by calls that have not ended.
    pub held: i64,
    /// Used by calls that have.
    pub used: i64,
    /// Ended calls whose cost is not known, where money is counted.
    pub unpriced: i64,
}

impl Counter {
    fn minus(self, other: Counter) -> Counter {
        Counter {
            held: self.held - other.held,
            used: self.used - other.used,
            unpriced: self.unpriced - other.unpriced,
        }
    }
}

/// The sums for `name` in the limit's window at `at`, without writing anything.
pub(crate) fn counter_read(
    c: &mut dyn Conn,
    limit: &Limit,
    name: &str,
    at: i64,
) -> Result<Counter, StoreError> {
    match counter_row(c, limit, name, at)? {
        Some(counter) => Ok(counter),
        None => counter_sum(c, limit, name, at),
    }
}

/// As [`counter_read`], and from now on there is a row.
pub(crate) fn counter_keep(
    c: &mut dyn Conn,
    limit: &Limit,
    name: &str,
    at: i64,
) -> Result<Counter, StoreError> {
    if let Some(counter) = counter_row(c, limit, name, at)? {
        return Ok(counter);
    }
    let counter = counter_sum(c, limit, name, at)?;
    let (starts_at, ends_at) = limit.window(at);
    c.execute(
        "INSERT INTO limit_counters (scope, name, resource, starts_at, ends_at, held, used, unpriced)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            limit.scope.as_str(),
            name,
            limit.resource.as_str(),
            starts_at,
            ends_at,
            counter.held,
            counter.used,
            counter.unpriced,
        ],
    )?;
    Ok(counter)
}

fn counter_row(
    c: &mut dyn Conn,
    limit: &Limit,
    name: &str,
    at: i64,
) -> Result<Option<Counter>, StoreError> {
    let (starts_at, ends_at) = limit.window(at);
    c.query_one(
        "SELECT held, used, unpriced FROM limit_counters
         WHERE scope = ?1 AND name = ?2 AND resource = ?3 AND ends_at = ?4 AND starts_at = ?5",
        params![
            limit.scope.as_str(),
            name,
            limit.resource.as_str(),
            ends_at,
            starts_at
        ],
        counter_from,
    )
}

fn counter_sum(
    c: &mut dyn Conn,
    limit: &Limit,
    name: &str,
    at: i64,
) -> Result<Counter, StoreError> {
    let (starts_at, ends_at) = limit.window(at);
    let (held, used, unpriced) = match limit.resource {
        Resource::Requests => ("state = 'held'", "state IN ('settled', 'expired')", "0"),
        Resource::Concurrent => ("state = 'held'", "0", "0"),
        Resource::Input => (
            "(state = 'held') * held_input",
            "(state = 'settled') * input",
            "0",
        ),
        Resource::Output => (
            "(state = 'held') * held_output",
            "(state = 'settled') * output",
            "0",
        ),
        Resource::Money => (
            "(state = 'held') * COALESCE(held_money, 0)",
            "(state = 'settled') * COALESCE(money, 0)",
            "state = 'settled' AND money IS NULL",
        ),
    };
    let of = scope_sql(limit.scope);
    // Calls at the same time are only those held, which have an index of their own; the plus keeps the other out.
    let (only, at) = match limit.resource {
        Resource::Concurrent => ("state = 'held' AND", "+reserved_at"),
        _ => ("", "reserved_at"),
    };
    let sql = format!(
        "SELECT COALESCE(sum({held}), 0), COALESCE(sum({used}), 0), COALESCE(sum({unpriced}), 0)
         FROM reservations WHERE {only} {of} AND {at} >= ?2 AND {at} < ?3"
    );
    let sum = c.query_one(&sql, params![name, starts_at, ends_at], counter_from)?;
    Ok(sum.unwrap_or_default())
}

/// Which reservations count for the name `?1`.
pub(crate) fn scope_sql(scope: Scope) -> &'static str {
    match scope {
        Scope::All => "?1 = ''",
        Scope::Provider => "provider = ?1",
        Scope::Model => "provider || '/' || model = ?1",
        Scope::Account => "provider || '/' || account = ?1",
        Scope::Project => "project = ?1",
        Scope::Task => "task = ?1",
    }
}

fn counter_from(row: &dyn Row) -> Result<Counter, StoreError> {
    Ok(Counter {
        held: row.int(0)?,
        used: row.int(1)?,
        unpriced: row.int(2)?,
    })
}

/// What a call adds to the sums of a resource.
fn part(resource: Resource, call: &Call) -> Counter {
    let held = call.state == CallState::Held;
    let settled = call.state == CallState::Settled;
    let used = call.usage.map(|usage| usage.tokens).unwrap_or_default();
    let money = |cost: Option<MicroDollars>| cost.map_or(0, |cost| cost.0);
    let (holds, uses) = match resource {
        // A lost call may have reached the provider.
        Resource::Requests => (1, i64::from(settled || call.state == CallState::Expired)),
        Resource::Concurrent => (1, 0),
        Resource::Input => (clamped(call.estimate.input), clamped(used.input)),
        Resource::Output => (clamped(call.estimate.output), clamped(used.output)),
        Resource::Money => (money(call.estimate.cost), money(call.cost)),
    };
    let unpriced = resource == Resource::Money && settled && call.cost.is_none();
    Counter {
        held: if held { holds } else { 0 },
        used: uses,
        unpriced: i64::from(unpriced),
    }
}

/// Makes the counters follow a call from what it was, if it was there, to what it is.
pub(crate) fn counters_follow(
    c: &mut dyn Conn,
    before: Option<&Call>,
    call: &Call,
) -> Result<(), StoreError> {
    let change = |resource| {
        let was = before.map_or(Counter::default(), |call| part(resource, call));
        part(resource, call).minus(was)
    };
    let [requests, concurrent, input, output, money] = [
        Resource::Requests,
        Resource::Concurrent,
        Resource::Input,
        Resource::Output,
        Resource::Money,
    ]
    .map(change);
    let all = [requests, concurrent, input, output, money];
    if all.iter().all(|change| *change == Counter::default()) {
        return Ok(());
    }
    for &scope in Scope::ALL {
        let Some(name) = call.subject.name(scope) else {
            continue;
        };
        // By limit_counters_live, and without a table of the engine's own, which an OR over the scopes would take.
        c.execute(
            "UPDATE limit_counters SET
                 held = held + CASE resource WHEN 'requests' THEN ?4 WHEN 'concurrent' THEN ?5 WHEN 'input' THEN ?6
                     WHEN 'output' THEN ?7 WHEN 'money' THEN ?8 ELSE 0 END,
                 used = used + CASE resource WHEN 'requests' THEN ?9 WHEN 'concurrent' THEN ?10 WHEN 'input' THEN ?11
                     WHEN 'output' THEN ?12 WHEN 'money' THEN ?13 ELSE 0 END,
                 unpriced = unpriced + CASE resource WHEN 'money' THEN ?14 ELSE 0 END
             WHERE scope = ?1 AND name = ?2 AND ends_at > ?3 AND starts_at <= ?3",
            params![
                scope.as_str(),
                &name,
                call.reserved_at,
                requests.held,
                concurrent.held,
                input.held,
                output.held,
                money.held,
                requests.used,
                concurrent.used,
                input.used,
                output.used,
                money.used,
                money.unpriced,
            ],
        )?;
    }
    Ok(())
}
