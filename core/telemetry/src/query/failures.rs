//! What went wrong.
//! For: kinds of failure with advice, and how they went from day to day. Not for: recognising one.

use std::collections::BTreeMap;

use callboard_store::{Conn, StoreError};
use serde::Serialize;

use super::{LlmFilter, MODEL, Where, time};
use crate::errors::{Category, ErrorClass, Severity};

/// Where most failures of a kind came from, at most.
const SOURCES: usize = 3;

/// The failures of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailureClass {
    /// The kind.
    pub class: ErrorClass,
    /// What it is about.
    pub category: Category,
    /// How bad it is.
    pub severity: Severity,
    /// How many calls ended in it.
    pub calls: u64,
    /// When it was seen first in the range, milliseconds since 1970 UTC.
    pub first_at: i64,
    /// When it was seen last.
    pub last_at: i64,
    /// Provider and model with the most of them, and how many.
    pub sources: Vec<(String, String, u64)>,
    /// What to do.
    pub advice: &'static str,
}

/// One day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DayFailures {
    /// The day, in UTC.
    pub day: String,
    /// All calls of the day.
    pub calls: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that failed, by kind.
    pub classes: BTreeMap<ErrorClass, u64>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failures {
    /// All calls that fit, failed or not.
    pub calls: u64,
    /// Those that failed.
    pub failed: u64,
    /// The kinds, the most frequent first.
    pub classes: Vec<FailureClass>,
    /// The latest days that had calls, the earliest of them first.
    pub days: Vec<DayFailures>,
}

/// What went wrong among the calls that fit, with the latest `days` days that had any. The filter's words on
/// outcome and error choose failures; the calls beside them are counted without those words.
///
/// # Errors
/// Only when the store fails.
pub fn failures(c: &mut dyn Conn, filter: &LlmFilter, days: u32) -> Result<Failures, StoreError> {
    let all = LlmFilter {
        outcome: None,
        error: None,
        ..filter.clone()
    };
    let days = by_day(c, &all, filter.error, days)?;
    let classes = by_class(c, &all, filter.error)?;
    let clause = Where::of(&all);
    let sql = format!("SELECT count(*) FROM llm_call {}", clause.sql);
    let calls = c.query_one(&sql, &clause.values, |row| row.int(0))?;
    Ok(Failures {
        calls: calls.map_or(0, count),
        failed: classes.iter().map(|class| class.calls).sum(),
        classes,
        days,
    })
}

fn by_class(
    c: &mut dyn Conn,
    all: &LlmFilter,
    only: Option<ErrorClass>,
) -> Result<Vec<FailureClass>, StoreError> {
    let clause = Where::of(all);
    let sql = format!(
        "SELECT COALESCE(error, 'unknown'), provider, {MODEL}, count(*), min(at), max(at) FROM llm_call {}
         AND outcome = 'error' GROUP BY 1, 2, 3 ORDER BY 4 DESC, 2, 3",
        clause.sql
    );
    let mut classes: BTreeMap<ErrorClass, FailureClass> = BTreeMap::new();
    c.for_each(&sql, &clause.values, &mut |row| {
        let class = ErrorClass::parse(&row.text(0)?);
        if only.is_some_and(|only| only != class) {
            return Ok(());
        }
        let (calls, first_at, last_at) = (count(row.int(3)?), row.int(4)?, row.int(5)?);
        let entry = classes.entry(class).or_insert_with(|| FailureClass {
            class,
            category: class.category(),
            severity: class.severity(),
            calls: 0,
            first_at,
            last_at,
            sources: Vec::new(),
            advice: class.advice(),
        });
        entry.calls += calls;
        entry.first_at = entry.first_at.min(first_at);
        entry.last_at = entry.last_at.max(last_at);
        if entry.sources.len() < SOURCES {
            entry.sources.push((row.text(1)?, row.text(2)?, calls));
        }
        Ok(())
    })?;
    let mut classes: Vec<FailureClass> = classes.into_values().collect();
    classes.sort_by(|a, b| b.calls.cmp(&a.calls).then(a.class.cmp(&b.class)));
    Ok(classes)
}

fn by_day(
    c: &mut dyn Conn,
    all: &LlmFilter,
    only: Option<ErrorClass>,
    days: u32,
) -> Result<Vec<DayFailures>, StoreError> {
    let mut clause = Where::of(all);
    let place = clause.bind(days);
    // Within the latest days that had calls.
    let sql = format!(
        "SELECT at / 86400000, outcome = 'error', COALESCE(error, 'unknown'), count(*) FROM llm_call {where_}
         AND at / 86400000 IN (SELECT DISTINCT at / 86400000 FROM llm_call {where_} ORDER BY 1 DESC LIMIT {place})
         GROUP BY 1, 2, 3 ORDER BY 1",
        where_ = clause.sql
    );
    let mut found: BTreeMap<i64, DayFailures> = BTreeMap::new();
    c.for_each(&sql, &clause.values, &mut |row| {
        let (day, calls) = (row.int(0)?, count(row.int(3)?));
        let entry = found.entry(day).or_insert_with(|| DayFailures {
            day: time::day(day),
            calls: 0,
            failed: 0,
            classes: BTreeMap::new(),
        });
        entry.calls += calls;
        let class = ErrorClass::parse(&row.text(2)?);
        if row.int(1)? != 0 && only.is_none_or(|only| only == class) {
            entry.failed += calls;
            *entry.classes.entry(class).or_default() += calls;
        }
        Ok(())
    })?;
    Ok(found.into_values().collect())
}

fn count(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
