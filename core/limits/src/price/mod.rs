//! What tokens cost: a dated table of prices, and sums that are exact.
//!
//! For: the cost of a call from its tokens, or none where the price is not known; never 0 for that. Not for:
//! reading a file (the caller hands over its text) or knowing which models exist.
//!
//! Prices are whole micro-dollars for a million tokens. A cost is summed up in whole numbers and rounded once,
//! to the nearest micro-dollar, a half upwards.
//!
//! A call that was no ordinary one (another tier of service, tools that the provider ran) is priced by what the table
//! says of that, or not at all. No call of ours is part of a batch: `batch` is there for tiers that cost the same, as
//! OpenAI's flex does, and for an answer whose provider says that it was one.

mod file;
mod mode;
mod names;
mod table;

use std::collections::BTreeMap;

pub use callboard_telemetry::usage::Mode;
pub use file::PriceFileError;
pub use mode::{Tier, Unpriced};
pub use table::PriceTable;

use callboard_telemetry::usage::{MicroDollars, Tokens};
use mode::Terms;

/// What a call cost, and by which prices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    /// The cost.
    pub cost: MicroDollars,
    /// The version of the price file that it was reckoned by.
    pub version: String,
}

/// Prices of a million tokens, in micro-dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Input that is neither read from a cache nor written into one.
    pub input: u64,
    /// Output, reasoning included.
    pub output: u64,
    /// Input read from a cache. `None`: as other input.
    pub cached: Option<u64>,
    /// Input written into a cache. `None`: as other input.
    pub cache_write: Option<u64>,
    /// Input written into a cache that keeps it for an hour. `None`: as other writes.
    pub cache_write_1h: Option<u64>,
    /// Input of a batch read from a cache, where the share of a batch does not hold for it.
    pub batch_cached: Option<u64>,
}

/// The price of one model from a day on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// Who asks for it.
    pub provider: String,
    /// The model, as the provider names it.
    pub model: String,
    /// Other names that mean the same model.
    pub aliases: Vec<String>,
    /// From when, ms since 1970 UTC; `i64::MIN` when it was never otherwise.
    pub from: i64,
    /// The prices.
    pub rates: Rates,
    /// The prices of every token of a call with more input than so many tokens.
    pub long: Option<(u64, Rates)>,
    /// The thousandths of these prices that a batch costs; `None` where that is not known.
    pub batch: Option<u64>,
    /// What other tiers of service cost, where that is not as the provider's other models have it.
    pub tiers: BTreeMap<String, Tier>,
    /// Where it was read.
    pub source: String,
    /// The version of the file that says so.
    pub version: String,
}

/// Thousandths in a whole.
const WHOLE: u64 = 1_000;

impl Price {
    /// The cost of `tokens`; `None` for sums beyond all reason.
    fn cost(&self, tokens: &Tokens, terms: &Terms) -> Option<MicroDollars> {
        let rates = match &self.long {
            Some((above, long)) if tokens.input > *above => long,
            _ => &self.rates,
        };
        let share = u128::from(terms.times).checked_mul(terms.batch.unwrap_or(WHOLE).into())?;
        let cached = match (terms.batch, rates.batch_cached) {
            (Some(_), Some(price)) => (price, u128::from(terms.times) * u128::from(WHOLE)),
            _ => (rates.cached.unwrap_or(rates.input), share),
        };
        let write = rates.cache_write.unwrap_or(rates.input);
        let kept = tokens.cache_write_1h.min(tokens.cache_write);
        // A provider that counts what it read from a cache beside its input would make this negative.
        let plain = tokens
            .input
            .saturating_sub(tokens.cached)
            .saturating_sub(tokens.cache_write);
        let parts = [
            (plain, rates.input, share),
            (tokens.cached, cached.0, cached.1),
            (tokens.cache_write - kept, write, share),
            (kept, rates.cache_write_1h.unwrap_or(write), share),
            (tokens.output, rates.output, share),
        ];
        let mut sum: u128 = 0;
        for (tokens, price, share) in parts {
            let part = u128::from(tokens)
                .checked_mul(u128::from(price))?
                .checked_mul(share)?;
            sum = sum.checked_add(part)?;
        }
        // Thousandths of thousandths of micro-dollars for a million tokens.
        let unit = u128::from(WHOLE * WHOLE) * 1_000_000;
        let rounded = (sum + unit / 2) / unit;
        let tokens = i64::try_from(rounded).ok()?;
        tokens.checked_add(terms.tools).map(MicroDollars)
    }
}

#[cfg(test)]
mod tests;
