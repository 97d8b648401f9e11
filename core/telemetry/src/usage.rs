//! What a call to a model used, and money.
//!
//! For: tokens by kind as one shape for every provider, and amounts that add up exactly. Not for: prices
//! (limits has them) or reading a provider's answer (routing does).

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// Tokens of one call, or of many. As in OpenTelemetry's conventions for generative models, `input` includes
/// what came from and went into a cache, and `output` includes reasoning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// All that was sent to the model.
    pub input: u64,
    /// The part of `input` that was read from a cache.
    pub cached: u64,
    /// The part of `input` that was written into a cache, whatever its lifetime.
    pub cache_write: u64,
    /// The part of `cache_write` that is kept for an hour, which costs more.
    pub cache_write_1h: u64,
    /// All that the model produced.
    pub output: u64,
    /// The part of `output` that was reasoning.
    pub reasoning: u64,
}

impl Add for Tokens {
    type Output = Tokens;

    fn add(self, other: Tokens) -> Tokens {
        Tokens {
            input: self.input.saturating_add(other.input),
            cached: self.cached.saturating_add(other.cached),
            cache_write: self.cache_write.saturating_add(other.cache_write),
            cache_write_1h: self.cache_write_1h.saturating_add(other.cache_write_1h),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
        }
    }
}

/// Who counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// The provider said so.
    Reported,
    /// We did, because the provider said nothing.
    Estimated,
}

/// What one call used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// How much.
    #[serde(flatten)]
    pub tokens: Tokens,
    /// Who says so.
    pub counted: Counted,
}

/// Millionths of a US dollar.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MicroDollars(pub i64);

impl MicroDollars {
    /// Nothing.
    pub const ZERO: MicroDollars = MicroDollars(0);

    /// The sum; at the end of the range it stays there.
    pub fn saturating_add(self, other: MicroDollars) -> MicroDollars {
        MicroDollars(self.0.saturating_add(other.0))
    }

    /// The difference; at the end of the range it stays there.
    pub fn saturating_sub(self, other: MicroDollars) -> MicroDollars {
        MicroDollars(self.0.saturating_sub(other.0))
    }
}

impl Add for MicroDollars {
    type Output = MicroDollars;

    fn add(self, other: MicroDollars) -> MicroDollars {
        self.saturating_add(other)
    }
}

impl AddAssign for MicroDollars {
    fn add_assign(&mut self, other: MicroDollars) {
        *self = *self + other;
    }
}

impl Sum for MicroDollars {
    fn sum<I: Iterator<Item = MicroDollars>>(amounts: I) -> MicroDollars {
        amounts.fold(MicroDollars::ZERO, Add::add)
    }
}

/// Dollars with six decimals, without trailing zeros beyond cents: `$0.25`, `$0.001234`.
impl fmt::Display for MicroDollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (
            self.0.unsigned_abs() / 1_000_000,
            self.0.unsigned_abs() % 1_000_000,
        );
        let mut decimals = format!("{part:06}");
        while decimals.len() > 2 && decimals.ends_with('0') {
            decimals.pop();
        }
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}${whole}.{decimals}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_in_dollars() {
        for (amount, shown) in [
            (0, "$0.00"),
            (250_000, "$0.25"),
            (1_234, "$0.001234"),
            (12_340_000, "$12.34"),
            (-500_000, "-$0.50"),
        ] {
            assert_eq!(MicroDollars(amount).to_string(), shown);
        }
    }
}
