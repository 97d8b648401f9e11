//! What was saved against a model that might have been used for everything.
//!
//! For: a comparison by the same tokens, as stored. Not for: claims beyond that: another model may have needed
//! more tokens, or fewer.

use callboard_telemetry::usage::{MicroDollars, Tokens};

use crate::price::{Mode, PriceTable};

/// A call that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// When, ms since 1970 UTC.
    pub at: i64,
    /// Its tokens.
    pub tokens: Tokens,
    /// How it was made.
    pub mode: Mode,
    /// What it cost; `None` where that is not known.
    pub cost: Option<MicroDollars>,
}

/// What calls cost beside what they would have cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Savings {
    /// Calls that were compared.
    pub calls: u64,
    /// What they cost.
    pub actual: MicroDollars,
    /// What their tokens cost at the baseline.
    pub baseline: MicroDollars,
    /// Calls that could not be compared, because their own cost is not known.
    pub unpriced: u64,
    /// Calls that could not be compared, because the baseline has no price for their time or mode.
    pub no_baseline: u64,
}

impl Savings {
    /// What was saved; less than nothing where the baseline would have been cheaper.
    #[must_use]
    pub fn saved(&self) -> MicroDollars {
        self.baseline.saturating_sub(self.actual)
    }

    /// What was saved in thousandths of what the baseline costs; `None` where that is nothing.
    #[must_use]
    pub fn share(&self) -> Option<i64> {
        let saved = i128::from(self.saved().0) * 1_000;
        let share = saved.checked_div(i128::from(self.baseline.0))?;
        i64::try_from(share).ok()
    }
}

/// Compares calls with what their tokens would have cost at another model, at the prices of their time. A call
/// is in both sums or in none.
pub fn savings(
    table: &PriceTable,
    provider: &str,
    model: &str,
    calls: impl IntoIterator<Item = Spent>,
) -> Savings {
    let mut all = Savings::default();
    for call in calls {
        let baseline = table.cost(provider, model, call.at, &call.tokens, &call.mode);
        match (call.cost, baseline) {
            (None, _) => all.unpriced += 1,
            (Some(_), None) => all.no_baseline += 1,
            (Some(cost), Some(baseline)) => {
                all.calls += 1;
                all.actual += cost;
                all.baseline += baseline.cost;
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICES: &str = "
version = '1'
[[price]]
provider = 'p'
model = 'big'
input = 10
output = 50
cached = 1
source = 's'
[[price]]
provider = 'p'
model = 'big'
from = 2030-01-01
input = 5
output = 25
source = 's'
[provider.here]
local = true
";

    fn spent(input: u64, cached: u64, output: u64, cost: Option<i64>) -> Spent {
        let tokens = Tokens {
            input,
            cached,
            output,
            ..Tokens::default()
        };
        Spent {
            at: 0,
            tokens,
            mode: Mode::STANDARD,
            cost: cost.map(MicroDollars),
        }
    }

    fn against(provider: &str, model: &str, calls: &[Spent]) -> Savings {
        let table = PriceTable::empty().with(PRICES).unwrap();
        savings(&table, provider, model, calls.iter().cloned())
    }

    #[test]
    fn the_same_tokens_are_priced_at_the_baseline() {
        // 1000 * 10 + 100 * 50 = 15000; 900 * 10 + 100 * 1 = 9100.
        let calls = [
            spent(1_000, 0, 100, Some(600)),
            spent(1_000, 100, 0, Some(400)),
        ];
        let all = against("p", "big", &calls);
        assert_eq!(
            (all.calls, all.actual.0, all.baseline.0),
            (2, 1_000, 24_100)
        );
        assert_eq!((all.saved().0, all.share()), (23_100, Some(958)));
    }

    #[test]
    fn the_price_is_that_of_the_calls_time() {
        let mut later = spent(1_000, 0, 0, Some(1));
        later.at = 1_893_456_000_000;
        assert_eq!(against("p", "big", &[later.clone()]).baseline.0, 5_000);
        later.at -= 1;
        assert_eq!(against("p", "big", &[later]).baseline.0, 10_000);
    }

    #[test]
    fn what_cannot_be_compared_is_in_neither_sum() {
        let mut batch = spent(10, 0, 0, Some(7));
        batch.mode = Mode::tier("batch");
        let all = against(
            "p",
            "big",
            &[spent(10, 0, 0, None), batch, spent(10, 0, 0, Some(3))],
        );
        assert_eq!((all.calls, all.unpriced, all.no_baseline), (1, 1, 1));
        assert_eq!((all.actual.0, all.baseline.0), (3, 100));
        let unknown = against("p", "bigger", &[spent(10, 0, 0, Some(3))]);
        assert_eq!(
            (unknown.calls, unknown.no_baseline, unknown.share()),
            (0, 1, None)
        );
    }

    #[test]
    fn a_dearer_way_saved_less_than_nothing() {
        let all = against("p", "big", &[spent(10, 0, 0, Some(150))]);
        assert_eq!((all.saved().0, all.share()), (-50, Some(-500)));
        // At home everything is free: there is no share of nothing.
        let free = against("here", "small", &[spent(10, 0, 0, Some(150))]);
        assert_eq!((free.saved().0, free.share()), (-150, None));
    }
}
