//! Calls as rows: looking at them, handing them to the call log, pricing them later, forgetting them.

use callboard_store::{Conn, StoreError, params};

use super::row::{CALL_COLUMNS, call_from, payable};
use super::{Call, CallState};
use crate::calendar::DAY_MS;
use crate::counter::counters_follow;
use crate::error::LimitError;
use crate::price::Priced;

/// One call.
///
/// # Errors
/// [`LimitError::Unknown`].
pub fn call_get(c: &mut dyn Conn, id: &str) -> Result<Call, LimitError> {
    call_find(c, id)?.ok_or_else(|| LimitError::Unknown { id: id.to_owned() })
}

pub(super) fn call_find(c: &mut dyn Conn, id: &str) -> Result<Option<Call>, StoreError> {
    c.query_one(
        &format!("SELECT {CALL_COLUMNS} FROM reservations WHERE id = ?1"),
        params![id],
        call_from,
    )
}

/// Calls that have ended and are not in the call log yet, as they ended or changed; at most `limit`.
///
/// # Errors
/// Only when the store fails.
pub fn calls_unlogged(c: &mut dyn Conn, limit: u32) -> Result<Vec<Call>, LimitError> {
    Ok(c.query(
        &format!("SELECT {CALL_COLUMNS} FROM reservations WHERE state <> 'held' AND logged = 0 ORDER BY seq LIMIT ?1"),
        params![limit],
        call_from,
    )?)
}

/// Notes that a call's row stands in the log as it was read; one that changed since then stays to be logged.
/// Do it after the log's commit: a crash between the two has the row written again, which changes nothing.
///
/// # Errors
/// Only when the store fails.
pub fn call_logged(c: &mut dyn Conn, call: &Call) -> Result<(), LimitError> {
    c.execute(
        "UPDATE reservations SET logged = 1 WHERE id = ?1 AND state = ?2 AND money IS ?3",
        params![&call.id, call.state.as_str(), call.cost.map(|cost| cost.0)],
    )?;
    Ok(())
}

/// Settled calls whose cost is not known, oldest first, each with its place; at most `limit` of those after the place
/// `after`. The next ones are after the last one's place; the first ones are after 0.
///
/// # Errors
/// Only when the store fails.
pub fn calls_unpriced(
    c: &mut dyn Conn,
    after: i64,
    limit: u32,
) -> Result<Vec<(i64, Call)>, LimitError> {
    Ok(c.query(
        &format!("SELECT {CALL_COLUMNS}, seq FROM reservations WHERE state = 'settled' AND money IS NULL AND seq > ?1 ORDER BY seq LIMIT ?2"),
        params![after, limit],
        |row| Ok((row.int(25)?, call_from(row)?)),
    )?)
}

/// Prices a settled call whose cost was not known; says whether it was one.
///
/// # Errors
/// [`LimitError::Unknown`] when it was never reserved.
pub fn call_price(c: &mut dyn Conn, id: &str, priced: &Priced) -> Result<bool, LimitError> {
    let before = call_get(c, id)?;
    if before.state != CallState::Settled || before.cost.is_some() {
        return Ok(false);
    }
    let cost = payable(priced.cost);
    let mut after = before.clone();
    after.cost = Some(cost);
    c.execute(
        "UPDATE reservations SET money = ?2, price_version = ?3, logged = 0 WHERE id = ?1",
        params![id, cost.0, &priced.version],
    )?;
    counters_follow(c, Some(&before), &after)?;
    Ok(true)
}

/// How long ended calls are kept: longer than any window that has an end.
pub const KEEP_MS: i64 = 70 * DAY_MS;

/// Forgets calls that were reserved longer ago than [`KEEP_MS`], have ended and are in the log; and the sums of
/// windows that ended a day ago, which are made from the calls again if somebody asks. Does a thousand calls at
/// most: call it again while it answers that many. A limit without end counts what it saw, and of the time before
/// it was set what is still there.
///
/// # Errors
/// Only when the store fails.
pub fn calls_prune(c: &mut dyn Conn, now: i64) -> Result<usize, LimitError> {
    c.execute(
        "DELETE FROM limit_counters WHERE ends_at < ?1",
        params![now - DAY_MS],
    )?;
    Ok(c.execute(
        "DELETE FROM reservations WHERE seq IN
             (SELECT seq FROM reservations WHERE reserved_at < ?1 AND state <> 'held' AND logged = 1 LIMIT 1000)",
        params![now - KEEP_MS],
    )?)
}
