//! Prices that became known later.
//! For: filling in costs that were unknown, from stored tokens. Not for: prices (limits has them).

use std::sync::Arc;

use callboard_store::{Conn, StoreError, params};

use super::table::usage;
use crate::{MicroDollars, Mode, Tokens};

/// A call whose tokens are known and whose cost is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpriced {
    /// The call.
    pub id: String,
    /// When it began, milliseconds since 1970 UTC: prices have dates.
    pub at: i64,
    /// The provider.
    pub provider: String,
    /// The model that was asked.
    pub model: String,
    /// The model that answered, where it said so.
    pub model_answered: Option<String>,
    /// What it used.
    pub tokens: Tokens,
    /// How it was made: by this alone it may be priced.
    pub mode: Mode,
}

/// A cost and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    /// What it cost.
    pub cost: MicroDollars,
    /// Which version of the price table says so.
    pub version: String,
}

/// What knows prices, for many calls.
pub type PriceOf = Arc<dyn Fn(&Unpriced) -> Option<Priced> + Send + Sync>;

/// What one step did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repriced {
    /// Calls that have a cost now.
    pub priced: usize,
    /// Calls for which there is still no price.
    pub unknown: usize,
    /// Where the next step begins; `None` at the end.
    pub next: Option<(i64, String)>,
}

/// Looks at up to `batch` calls of unknown cost after `after`, the oldest first, and fills in what `price`
/// knows. A known cost never changes.
///
/// # Errors
/// Only when the store fails.
pub fn reprice(
    c: &mut dyn Conn,
    after: Option<&(i64, String)>,
    batch: u32,
    price: &dyn Fn(&Unpriced) -> Option<Priced>,
) -> Result<Repriced, StoreError> {
    let (at, id) = after.map_or((i64::MIN, ""), |(at, id)| (*at, id.as_str()));
    let calls = c.query(
        "SELECT id, at, provider, model, model_answered,
                input, cached, cache_write, cache_write_1h, output, reasoning, counted, mode
         FROM llm_call
         WHERE cost IS NULL AND counted IS NOT NULL AND (at, id) > (?1, ?2)
         ORDER BY at, id LIMIT ?3",
        params![at, id, batch],
        |row| {
            Ok(Unpriced {
                id: row.text(0)?,
                at: row.int(1)?,
                provider: row.text(2)?,
                model: row.text(3)?,
                model_answered: row.opt_text(4)?,
                tokens: usage(row, 5)?.map(|usage| usage.tokens).unwrap_or_default(),
                mode: row.opt_text(12)?.map(Mode::from).unwrap_or_default(),
            })
        },
    )?;
    let mut done = Repriced::default();
    for call in &calls {
        match price(call) {
            Some(priced) => {
                c.execute(
                    "UPDATE llm_call SET cost = ?2, price = ?3 WHERE id = ?1 AND cost IS NULL",
                    params![&call.id, priced.cost.0, &priced.version],
                )?;
                done.priced += 1;
            }
            None => done.unknown += 1,
        }
    }
    if calls.len() == usize::try_from(batch).unwrap_or(usize::MAX) {
        done.next = calls.last().map(|call| (call.at, call.id.clone()));
    }
    Ok(done)
}
