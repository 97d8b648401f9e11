//! The calls themselves.
//! For: one page after the other. Not for: sums.

use callboard_store::{Conn, StoreError};

use super::{LlmFilter, Where};
use crate::llm::{COLUMNS, LlmCall, from_row};

/// Which calls come first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The latest.
    #[default]
    Latest,
    /// The dearest; those of unknown cost last.
    Dearest,
    /// The slowest; those of unknown time last.
    Slowest,
}

impl Order {
    fn sql(self) -> &'static str {
        match self {
            Order::Latest => "at",
            Order::Dearest => "COALESCE(cost, -1)",
            Order::Slowest => "COALESCE(total_us, -1)",
        }
    }

    pub(super) fn of(self, call: &LlmCall) -> i64 {
        let count =
            |count: Option<u64>| count.map_or(-1, |count| i64::try_from(count).unwrap_or(i64::MAX));
        match self {
            Order::Latest => call.at,
            Order::Dearest => call.cost.map_or(-1, |cost| cost.0),
            Order::Slowest => count(call.total_us),
        }
    }
}

/// Some calls, and where the next ones begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallPage {
    /// The calls.
    pub calls: Vec<LlmCall>,
    /// Hand it back with the same filter and order for the next page; `None` at the end.
    pub next: Option<String>,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum CursorError {
    /// The cursor is none of ours.
    #[error("the cursor {0:?} is not one that an answer gave; leave it out to begin at the start")]
    Cursor(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// At most `limit` of the calls that fit, from `cursor` on.
///
/// # Errors
/// A cursor that no answer gave; otherwise only when the store fails.
pub fn find_calls(
    c: &mut dyn Conn,
    filter: &LlmFilter,
    order: Order,
    cursor: Option<&str>,
    limit: u32,
) -> Result<CallPage, CursorError> {
    let mut clause = Where::of(filter);
    let by = order.sql();
    if let Some(cursor) = cursor {
        let (value, id) = read(cursor).ok_or_else(|| CursorError::Cursor(cursor.to_owned()))?;
        let (value, id) = (clause.bind(value), clause.bind(id));
        clause
            .sql
            .push_str(&format!(" AND ({by}, id) < ({value}, {id})"));
    }
    let place = clause.bind(i64::from(limit) + 1);
    let sql = format!(
        "SELECT {} FROM llm_call {} ORDER BY {by} DESC, id DESC LIMIT {place}",
        *COLUMNS, clause.sql
    );
    let mut calls = c.query(&sql, &clause.values, from_row)?;
    let more = calls.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if more {
        calls.pop();
    }
    let next = calls
        .last()
        .filter(|_| more)
        .map(|call| format!("{}.{}", order.of(call), call.id));
    Ok(CallPage { calls, next })
}

/// Hands over each of the calls that fit, the earliest first, and ends early where `take` fails.
///
/// # Errors
/// The store's, or that of `take`.
pub fn each_call(
    c: &mut dyn Conn,
    filter: &LlmFilter,
    take: &mut dyn FnMut(LlmCall) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let clause = Where::of(filter);
    let sql = format!(
        "SELECT {} FROM llm_call {} ORDER BY at, id",
        *COLUMNS, clause.sql
    );
    c.for_each(&sql, &clause.values, &mut |row| take(from_row(row)?))
}

fn read(cursor: &str) -> Option<(i64, &str)> {
    let (value, id) = cursor.split_once('.')?;
    Some((value.parse().ok()?, id))
}
