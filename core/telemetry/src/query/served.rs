//! Who answered the calls that were made for a task.
//! For: counting what came of a model's work. Not for: costs.

use callboard_store::{Conn, StoreError, params};

/// A model that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The provider, by its configured name.
    pub provider: String,
    /// The model that was asked.
    pub model: String,
    /// Why it was it: the column `decision`, JSON of who decided.
    pub decision: Option<String>,
}

/// Calls that are looked at for one task; a longer work is told by its first ones.
const LOOKED_AT: u32 = 5_000;

/// The calls of a task that were answered within a time (milliseconds since 1970 UTC, both ends included), first ones
/// first.
///
/// # Errors
/// Only when the store fails.
pub fn served(
    c: &mut dyn Conn,
    task: &str,
    from: i64,
    until: i64,
) -> Result<Vec<Served>, StoreError> {
    c.query(
        "SELECT provider, model, decision FROM llm_call
         WHERE task = ?1 AND at >= ?2 AND at <= ?3 AND outcome = 'ok' ORDER BY at, id LIMIT ?4",
        params![task, from, until, LOOKED_AT],
        |row| {
            Ok(Served {
                provider: row.text(0)?,
                model: row.text(1)?,
                decision: row.opt_text(2)?,
            })
        },
    )
}
