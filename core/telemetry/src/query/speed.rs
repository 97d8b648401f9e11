//! How fast models answered.
//! For: exact percentiles over a bounded number of calls. Not for: calls that failed; their times mean something
//! else.

use std::collections::BTreeMap;

use callboard_store::{Conn, StoreError};
use serde::Serialize;

use super::{By, LlmFilter, Where};
use crate::llm::LlmOutcome;

/// Calls that are looked at, the latest ones.
const LOOKED_AT: u32 = 200_000;

/// Times in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// How many calls have this time.
    pub calls: u64,
    /// Half of them took no longer.
    pub p50: u64,
    /// 95 of 100 took no longer.
    pub p95: u64,
    /// 99 of 100 took no longer.
    pub p99: u64,
    /// The longest.
    pub max: u64,
}

impl Percentiles {
    fn of(mut times: Vec<u64>) -> Option<Self> {
        times.sort_unstable();
        let max = *times.last()?;
        // Nearest rank: the least value that at least so many in a hundred do not exceed.
        let rank = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1];
        Some(Self {
            calls: times.len() as u64,
            p50: rank(50),
            p95: rank(95),
            p99: rank(99),
            max,
        })
    }
}

/// How fast the answered calls of one key were.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SpeedRow {
    /// The key; `None` where a call does not have it.
    pub key: Option<String>,
    /// Answered calls.
    pub calls: u64,
    /// From sending to the end.
    pub total: Option<Percentiles>,
    /// From sending to the first byte.
    pub first_byte: Option<Percentiles>,
    /// Waiting for its turn.
    pub queue: Option<Percentiles>,
    /// Tokens put out in a second of putting out: from the first byte on where it is known.
    pub tokens_per_second: Option<f64>,
    /// The part of the input that came from a cache, 0 to 1.
    pub cache_share: Option<f64>,
}

/// How fast models answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Speed {
    /// The keys, the most calls first.
    pub rows: Vec<SpeedRow>,
    /// How many calls this is about.
    pub looked_at: u64,
    /// There were more; only the latest were looked at.
    pub truncated: bool,
}

#[derive(Default)]
struct Gathered {
    calls: u64,
    total: Vec<u64>,
    first_byte: Vec<u64>,
    queue: Vec<u64>,
    output: u64,
    output_us: u64,
    input: u64,
    cached: u64,
}

/// How fast the calls that fit were answered, by `by` or all together, at most `limit` keys.
///
/// # Errors
/// Only when the store fails.
pub fn speed(
    c: &mut dyn Conn,
    filter: &LlmFilter,
    by: Option<By>,
    limit: u32,
) -> Result<Speed, StoreError> {
    speed_of(c, filter, by, limit, LOOKED_AT)
}

pub(super) fn speed_of(
    c: &mut dyn Conn,
    filter: &LlmFilter,
    by: Option<By>,
    limit: u32,
    most: u32,
) -> Result<Speed, StoreError> {
    let answered = LlmFilter {
        outcome: Some(LlmOutcome::Ok),
        ..filter.clone()
    };
    let mut clause = Where::of(&answered);
    let place = clause.bind(i64::from(most) + 1);
    let key = by.map_or("NULL", By::sql);
    let sql = format!(
        "SELECT {key}, total_us, first_byte_us, queue_us, output, input, cached FROM llm_call {}
         ORDER BY at DESC, id DESC LIMIT {place}",
        clause.sql
    );
    let mut keys: BTreeMap<Option<String>, Gathered> = BTreeMap::new();
    let mut looked_at = 0_u64;
    let mut truncated = false;
    c.for_each(&sql, &clause.values, &mut |row| {
        if looked_at == u64::from(most) {
            truncated = true;
            return Ok(());
        }
        looked_at += 1;
        let count = |index| {
            Ok::<_, StoreError>(
                row.opt_int(index)?
                    .and_then(|count| u64::try_from(count).ok()),
            )
        };
        let gathered = keys.entry(row.opt_text(0)?).or_default();
        let (total, first_byte) = (count(1)?, count(2)?);
        gathered.calls += 1;
        gathered.total.extend(total);
        gathered.first_byte.extend(first_byte);
        gathered.queue.extend(count(3)?);
        if let (Some(output), Some(total)) = (count(4)?, total) {
            let before = first_byte.filter(|first| *first < total).unwrap_or(0);
            gathered.output += output;
            gathered.output_us += total - before;
        }
        gathered.input += count(5)?.unwrap_or(0);
        gathered.cached += count(6)?.unwrap_or(0);
        Ok(())
    })?;
    let mut rows: Vec<SpeedRow> = keys
        .into_iter()
        .map(|(key, gathered)| row(by.map_or(key.clone(), |by| by.key(key)), gathered))
        .collect();
    rows.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.key.cmp(&b.key)));
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(Speed {
        rows,
        looked_at,
        truncated,
    })
}

fn row(key: Option<String>, gathered: Gathered) -> SpeedRow {
    SpeedRow {
        key,
        calls: gathered.calls,
        total: Percentiles::of(gathered.total),
        first_byte: Percentiles::of(gathered.first_byte),
        queue: Percentiles::of(gathered.queue),
        tokens_per_second: ratio(gathered.output, gathered.output_us).map(|per_us| per_us * 1e6),
        cache_share: ratio(gathered.cached, gathered.input),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people to read")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let percentiles = Percentiles::of((1..=200).rev().collect()).unwrap();
        let Percentiles {
            calls,
            p50,
            p95,
            p99,
            max,
        } = percentiles;
        assert_eq!((calls, p50, p95, p99, max), (200, 100, 190, 198, 200));
        let one = Percentiles::of(vec![7]).unwrap();
        assert_eq!((one.p50, one.p99), (7, 7));
        assert_eq!(Percentiles::of(Vec::new()), None);
    }
}
