//! How far estimates of a prompt's tokens are off, for each provider and model.
//!
//! For: one number for each, learned from what providers report, which every process on the board shares. Not for:
//! estimating (routing does).

use callboard_store::{Conn, StoreError, params};

use crate::error::LimitError;

/// What a report may say of an estimate at most: beyond four times, or less than a quarter, something else was
/// counted than what was sent.
const RANGE: (i64, i64) = (250_000, 4_000_000);
/// An estimate of fewer tokens says more about overhead than about the text.
const LEAST: u64 = 50;
/// Once so many reports are in, one of them counts for a tenth.
const SETTLED: i64 = 10;
/// A report that differs by less than this many millionths is no news, and not worth a row's change.
const NEWS: i64 = 20_000;

/// By how much an estimate is to be multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factor {
    /// Millionths.
    pub millionths: i64,
    /// How many reports it was learned from.
    pub reports: i64,
}

impl Default for Factor {
    /// Nothing was learned yet: estimates stay as they are.
    fn default() -> Self {
        Factor {
            millionths: 1_000_000,
            reports: 0,
        }
    }
}

impl Factor {
    /// An estimate as it should be, rounded up.
    #[must_use]
    pub fn of(self, estimate: u64) -> u64 {
        let millionths = u128::from(self.millionths.unsigned_abs());
        let corrected = (u128::from(estimate) * millionths).div_ceil(1_000_000);
        u64::try_from(corrected).unwrap_or(u64::MAX)
    }

    /// What it becomes with one more report; `None` where that is no news.
    fn after(self, estimate: u64, reported: u64) -> Option<Factor> {
        if estimate < LEAST || reported == 0 {
            return None;
        }
        let ratio = u128::from(reported) * 1_000_000 / u128::from(estimate);
        let ratio = i64::try_from(ratio)
            .unwrap_or(i64::MAX)
            .clamp(RANGE.0, RANGE.1);
        let off = ratio - self.millionths;
        if self.reports >= SETTLED && off.abs() < NEWS {
            return None;
        }
        let share = (self.reports + 1).min(SETTLED);
        Some(Factor {
            millionths: self.millionths + off / share,
            reports: self.reports.saturating_add(1),
        })
    }
}

/// What was learned of a model; without reports, that estimates stay as they are.
///
/// # Errors
/// Only when the store fails.
pub fn factor_get(c: &mut dyn Conn, provider: &str, model: &str) -> Result<Factor, LimitError> {
    let found = c.query_one(
        "SELECT millionths, reports FROM token_factors WHERE provider = ?1 AND model = ?2",
        params![provider, model],
        |row| {
            Ok::<_, StoreError>(Factor {
                millionths: row.int(0)?,
                reports: row.int(1)?,
            })
        },
    )?;
    Ok(found.unwrap_or_default())
}

/// Takes down what a provider counted where so much was estimated (before any correction). Writes nothing where
/// that is no news.
///
/// # Errors
/// Only when the store fails.
pub fn factor_learn(
    c: &mut dyn Conn,
    provider: &str,
    model: &str,
    estimate: u64,
    reported: u64,
) -> Result<(), LimitError> {
    let Some(factor) = factor_get(c, provider, model)?.after(estimate, reported) else {
        return Ok(());
    };
    c.execute(
        "INSERT INTO token_factors (provider, model, millionths, reports) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (provider, model) DO UPDATE SET millionths = excluded.millionths, reports = excluded.reports",
        params![provider, model, factor.millionths, factor.reports],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_comes_close_to_what_is_reported_and_stays_within_reason() {
        let first = Factor::default().after(1_000, 1_300).unwrap();
        assert_eq!((first.millionths, first.of(1_000)), (1_300_000, 1_300));
        let mut factor = first;
        for _ in 0..50 {
            factor = factor.after(1_000, 1_500).unwrap_or(factor);
        }
        assert!((1_480_000..=1_500_000).contains(&factor.millionths));
        // Nothing new: nothing to write.
        assert_eq!(factor.after(1_000, 1_490), None);
        let absurd = Factor::default().after(1_000, 1_000_000).unwrap();
        assert_eq!(absurd.millionths, 4_000_000);
        assert_eq!(Factor::default().after(49, 100), None);
        assert_eq!(Factor::default().after(1_000, 0), None);
    }

    #[test]
    fn a_corrected_estimate_is_rounded_up_and_never_overflows() {
        let half = Factor {
            millionths: 500_000,
            reports: 1,
        };
        assert_eq!((half.of(0), half.of(1), half.of(3)), (0, 1, 2));
        let most = Factor {
            millionths: 4_000_000,
            reports: 1,
        };
        assert_eq!(most.of(u64::MAX), u64::MAX);
    }
}
