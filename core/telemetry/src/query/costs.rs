//! What calls cost and used.
//! For: sums by anything, with what is not known beside them. Not for: prices.

use callboard_store::{Conn, Row, StoreError};
use serde::Serialize;

use super::{By, LlmFilter, Where};
use crate::{MicroDollars, Tokens};

/// What a number of calls add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Calls.
    pub calls: u64,
    /// Of them, those that the model answered.
    pub ok: u64,
    /// Of them, those that failed.
    pub failed: u64,
    /// Of them, those that were given up or lost.
    pub ended_early: u64,
    /// Of them, those whose cost is not known; they are in no sum.
    pub unknown_cost: u64,
    /// Of them, those whose tokens are not known; they are in no sum.
    pub unknown_tokens: u64,
    /// Of them, those whose tokens are our estimate.
    pub estimated: u64,
    /// The known cost.
    pub cost: MicroDollars,
    /// The known tokens.
    pub tokens: Tokens,
}

impl Totals {
    /// The part of the input that came from a cache, 0 to 1; `None` without input.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share for people to read")]
    pub fn cache_share(&self) -> Option<f64> {
        (self.tokens.input > 0).then(|| self.tokens.cached as f64 / self.tokens.input as f64)
    }

    fn add(&mut self, more: &Totals) {
        self.calls += more.calls;
        self.ok += more.ok;
        self.failed += more.failed;
        self.ended_early += more.ended_early;
        self.unknown_cost += more.unknown_cost;
        self.unknown_tokens += more.unknown_tokens;
        self.estimated += more.estimated;
        self.cost += more.cost;
        self.tokens = self.tokens + more.tokens;
    }
}

/// The calls of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CostRow {
    /// The key, one part for each [`By`]; `None` where a call does not have it.
    pub key: Vec<Option<String>>,
    /// What they add up to.
    #[serde(flatten)]
    pub totals: Totals,
}

/// Costs by something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Costs {
    /// The keys: those of time in its order, others the dearest first.
    pub rows: Vec<CostRow>,
    /// All calls that fit, also those of keys that were left out.
    pub total: Totals,
    /// Keys beyond the limit.
    pub left_out: u64,
}

const SUMS: &str = "count(*),
    COALESCE(sum(outcome = 'ok'), 0), COALESCE(sum(outcome = 'error'), 0),
    COALESCE(sum(outcome IN ('cancelled', 'lost')), 0),
    COALESCE(sum(cost IS NULL), 0), COALESCE(sum(counted IS NULL), 0),
    COALESCE(sum(counted = 'estimated'), 0), COALESCE(sum(cost), 0),
    COALESCE(sum(input), 0), COALESCE(sum(cached), 0), COALESCE(sum(cache_write), 0),
    COALESCE(sum(cache_write_1h), 0), COALESCE(sum(output), 0), COALESCE(sum(reasoning), 0)";

/// What the calls cost and used, by up to three keys at once; without any, one row. At most `limit` keys.
///
/// # Errors
/// Only when the store fails.
pub fn costs(
    c: &mut dyn Conn,
    filter: &LlmFilter,
    by: &[By],
    limit: u32,
) -> Result<Costs, StoreError> {
    let by = &by[..by.len().min(3)];
    if by.is_empty() {
        let total = totals(c, filter)?;
        let rows = vec![CostRow {
            key: Vec::new(),
            totals: total,
        }];
        return Ok(Costs {
            rows,
            total,
            left_out: 0,
        });
    }
    let keys: Vec<&str> = by.iter().map(|by| by.sql()).collect();
    let places: Vec<String> = (1..=by.len()).map(|place| place.to_string()).collect();
    let group = places.join(", ");
    let order = if by[0].is_time() {
        format!("min(at), {group}")
    } else {
        format!("COALESCE(sum(cost), 0) DESC, count(*) DESC, {group}")
    };
    let clause = Where::of(filter);
    let sql = format!(
        "SELECT {}, {SUMS} FROM llm_call {} GROUP BY {group} ORDER BY {order}",
        keys.join(", "),
        clause.sql
    );
    let mut found = Costs {
        rows: Vec::new(),
        total: Totals::default(),
        left_out: 0,
    };
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    // One pass: what is left out is still in the total.
    c.for_each(&sql, &clause.values, &mut |row| {
        let totals = sums(row, by.len())?;
        found.total.add(&totals);
        if found.rows.len() == most {
            found.left_out += 1;
            return Ok(());
        }
        let key = by.iter().enumerate();
        let key = key.map(|(index, by)| Ok(by.key(row.opt_text(index)?)));
        found.rows.push(CostRow {
            key: key.collect::<Result<_, StoreError>>()?,
            totals,
        });
        Ok(())
    })?;
    Ok(found)
}

/// What all calls that fit add up to.
///
/// # Errors
/// Only when the store fails.
pub fn totals(c: &mut dyn Conn, filter: &LlmFilter) -> Result<Totals, StoreError> {
    let clause = Where::of(filter);
    let sql = format!("SELECT {SUMS} FROM llm_call {}", clause.sql);
    Ok(c.query_one(&sql, &clause.values, |row| sums(row, 0))?
        .unwrap_or_default())
}

fn sums(row: &dyn Row, first: usize) -> Result<Totals, StoreError> {
    let count =
        |index: usize| Ok::<_, StoreError>(u64::try_from(row.int(first + index)?).unwrap_or(0));
    Ok(Totals {
        calls: count(0)?,
        ok: count(1)?,
        failed: count(2)?,
        ended_early: count(3)?,
        unknown_cost: count(4)?,
        unknown_tokens: count(5)?,
        estimated: count(6)?,
        cost: MicroDollars(row.int(first + 7)?),
        tokens: Tokens {
            input: count(8)?,
            cached: count(9)?,
            cache_write: count(10)?,
            cache_write_1h: count(11)?,
            output: count(12)?,
            reasoning: count(13)?,
        },
    })
}
