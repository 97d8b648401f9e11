//! What came of the tasks that a model worked on.
//!
//! For: one row for each attempt at a task, so that counts are exact however often they are derived, and the counts by
//! class and model. Not for: saying which model did an attempt, or what follows from the counts (routing does both).

use callboard_store::{Conn, StoreError, params};
use std::collections::BTreeMap;

use crate::error::LimitError;

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteOutcome {
    /// The attempt's id.
    pub attempt: String,
    /// When it ended, ms since 1970 UTC.
    pub at: i64,
    /// How hard the work was said to be.
    pub class: String,
    /// The provider's configured name.
    pub provider: String,
    /// The model, as the provider names it.
    pub model: String,
    /// Whether the task was done with it.
    pub succeeded: bool,
}

/// Attempts of one class at one model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RouteTally {
    /// After which the task was done.
    pub succeeded: u64,
    /// After which it was not.
    pub failed: u64,
}

/// Where reading ended attempts got to: those up to here were looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LearnCursor {
    /// When the last one ended, ms since 1970 UTC.
    pub at: i64,
    /// Its place among those that ended in the same millisecond.
    pub seq: i64,
}

/// Counts by provider and model.
pub type RouteTallies = BTreeMap<(String, String), RouteTally>;

/// Takes down what came of attempts, and how far they were looked at. What is there already stays as it is, so the same
/// attempts may come again.
///
/// # Errors
/// Only when the store fails.
pub fn outcomes_record(
    c: &mut dyn Conn,
    outcomes: &[RouteOutcome],
    cursor: LearnCursor,
) -> Result<(), LimitError> {
    for outcome in outcomes {
        c.execute(
            "INSERT INTO route_outcomes (attempt, at, class, provider, model, succeeded) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (attempt) DO NOTHING",
            params![
                &outcome.attempt,
                outcome.at,
                &outcome.class,
                &outcome.provider,
                &outcome.model,
                outcome.succeeded
            ],
        )?;
    }
    // Two processes may come the same way; the one behind must not lead back.
    if cursor > outcomes_cursor(c)? {
        c.execute(
            "INSERT INTO route_learned (one, at, seq) VALUES (1, ?1, ?2)
             ON CONFLICT (one) DO UPDATE SET at = excluded.at, seq = excluded.seq",
            params![cursor.at, cursor.seq],
        )?;
    }
    Ok(())
}

/// How far attempts were looked at.
///
/// # Errors
/// Only when the store fails.
pub fn outcomes_cursor(c: &mut dyn Conn) -> Result<LearnCursor, LimitError> {
    let found = c.query_one(
        "SELECT at, seq FROM route_learned WHERE one = 1",
        params![],
        |row| {
            Ok::<_, StoreError>(LearnCursor {
                at: row.int(0)?,
                seq: row.int(1)?,
            })
        },
    )?;
    Ok(found.unwrap_or_default())
}

/// What came of a class's attempts since then.
///
/// # Errors
/// Only when the store fails.
pub fn outcomes_tally(
    c: &mut dyn Conn,
    class: &str,
    since: i64,
) -> Result<RouteTallies, LimitError> {
    let mut tallies = RouteTallies::new();
    c.for_each(
        "SELECT provider, model, succeeded, COUNT(*) FROM route_outcomes
         WHERE class = ?1 AND at >= ?2 GROUP BY provider, model, succeeded",
        params![class, since],
        &mut |row| {
            let tally = tallies.entry((row.text(0)?, row.text(1)?)).or_default();
            let count = u64::try_from(row.int(3)?).unwrap_or(0);
            if row.int(2)? == 1 {
                tally.succeeded = count;
            } else {
                tally.failed = count;
            }
            Ok(())
        },
    )?;
    Ok(tallies)
}

/// Forgets what ended before then; at most `most` rows at once. How many there were.
///
/// # Errors
/// Only when the store fails.
pub fn outcomes_prune(c: &mut dyn Conn, before: i64, most: u32) -> Result<usize, LimitError> {
    Ok(c.execute(
        "DELETE FROM route_outcomes WHERE attempt IN
         (SELECT attempt FROM route_outcomes WHERE at < ?1 ORDER BY at LIMIT ?2)",
        params![before, most],
    )?)
}
