//! How long rows are kept.
//! For: forgetting by age and by number, a few rows at a time, so that no writer waits. Not for: deciding when.

use callboard_store::{Conn, StoreError, params};

/// How long rows are kept, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Calls older than this are forgotten, with their texts.
    pub days: u32,
    /// At most this many calls are kept, the latest ones.
    pub rows: u32,
    /// Texts older than this are forgotten.
    pub text_days: u32,
    /// At most this many texts are kept, the latest ones.
    pub text_rows: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            days: 90,
            rows: 1_000_000,
            text_days: 7,
            text_rows: 10_000,
        }
    }
}

/// How much one step forgot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Calls.
    pub calls: usize,
    /// Texts.
    pub texts: usize,
}

impl Forgotten {
    /// Nothing more is to be forgotten.
    #[must_use]
    pub fn is_done(self) -> bool {
        self == Self::default()
    }
}

/// Forgets at most `batch` calls and at most twice as many texts, the oldest first; call it until it
/// [is done](Forgotten::is_done). A crash between two steps leaves rows that the next run forgets.
///
/// # Errors
/// Only when the store fails.
pub fn forget(
    c: &mut dyn Conn,
    now: i64,
    retention: &Retention,
    batch: u32,
) -> Result<Forgotten, StoreError> {
    let mut done = Forgotten::default();
    let calls = excess(c, "llm_call", now, retention.days, retention.rows, batch)?;
    if calls > 0 {
        // The text goes first: a text must not outlive its call.
        done.texts += c.execute(
            "DELETE FROM llm_text WHERE id IN (SELECT id FROM llm_call ORDER BY at, id LIMIT ?1)",
            params![calls],
        )?;
        done.calls = c.execute(
            "DELETE FROM llm_call WHERE id IN (SELECT id FROM llm_call ORDER BY at, id LIMIT ?1)",
            params![calls],
        )?;
    }
    let texts = excess(
        c,
        "llm_text",
        now,
        retention.text_days,
        retention.text_rows,
        batch,
    )?;
    if texts > 0 {
        done.texts += c.execute(
            "DELETE FROM llm_text WHERE id IN (SELECT id FROM llm_text ORDER BY at, id LIMIT ?1)",
            params![texts],
        )?;
    }
    Ok(done)
}

/// How many of the oldest rows are too old or too many, at most `batch`.
fn excess(
    c: &mut dyn Conn,
    table: &str,
    now: i64,
    days: u32,
    rows: u32,
    batch: u32,
) -> Result<i64, StoreError> {
    let before = now.saturating_sub(i64::from(days) * 86_400_000);
    let old = format!("SELECT count(*) FROM (SELECT 1 FROM {table} WHERE at < ?1 LIMIT ?2)");
    let old = c.query_one(&old, params![before, batch], |row| row.int(0))?;
    let all = c.query_one(&format!("SELECT count(*) FROM {table}"), params![], |row| {
        row.int(0)
    })?;
    let many = all.unwrap_or(0) - i64::from(rows);
    Ok(old.unwrap_or(0).max(many).clamp(0, batch.into()))
}
