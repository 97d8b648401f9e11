//! What a call to a model used, and money.
//!
//! For: tokens by kind as one shape for every provider, and amounts that add up exactly. Not for: prices
//! (limits has them) or reading a provider's answer (routing does).

use std::collections::{BTreeMap, BTreeSet};
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

/// How a call was made, as far as its price depends on that. Nothing in it: an ordinary call, paid by its tokens alone.
///
/// In rows it is its text: `flex`, `web_search=3`, `priority code_execution=?`. A word that nobody knows stays in it, so
/// that such a call is never priced as an ordinary one.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Mode {
    /// Tiers of service other than the standard one, in the provider's words.
    pub tiers: BTreeSet<String>,
    /// Tools that the provider ran, by name, and how often; `None` where that is not known, or not what is paid for.
    pub tools: BTreeMap<String, Option<u64>>,
}

impl Mode {
    /// An ordinary call.
    pub const STANDARD: Mode = Mode {
        tiers: BTreeSet::new(),
        tools: BTreeMap::new(),
    };

    /// A call in one tier.
    #[must_use]
    pub fn tier(word: &str) -> Mode {
        let mut mode = Mode::STANDARD;
        mode.in_tier(word);
        mode
    }

    /// The call is in this tier too.
    pub fn in_tier(&mut self, word: &str) {
        self.tiers.insert(plain(word));
    }

    /// A tool of the provider's was used so often.
    pub fn uses(&mut self, tool: &str, times: Option<u64>) {
        self.tools.insert(plain(tool), times);
    }

    /// Whether tokens alone make the price.
    #[must_use]
    pub fn is_standard(&self) -> bool {
        self.tiers.is_empty() && self.tools.is_empty()
    }
}

/// A word that can stand in a row; what can't is another word, and no tier that anybody knows.
fn plain(word: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    if !word.is_empty() && word.len() <= 64 && word.chars().all(fits) {
        word.to_owned()
    } else {
        "other".to_owned()
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for tier in &self.tiers {
            write!(f, "{between}{tier}")?;
            between = " ";
        }
        for (tool, times) in &self.tools {
            write!(f, "{between}{tool}=")?;
            match times {
                Some(times) => write!(f, "{times}")?,
                None => f.write_str("?")?,
            }
            between = " ";
        }
        Ok(())
    }
}

impl From<String> for Mode {
    fn from(text: String) -> Mode {
        let mut mode = Mode::STANDARD;
        for word in text.split_whitespace() {
            match word.split_once('=') {
                Some((tool, times)) => mode.uses(tool, times.parse().ok()),
                None => mode.in_tier(word),
            }
        }
        mode
    }
}

impl From<Mode> for String {
    fn from(mode: Mode) -> String {
        mode.to_string()
    }
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
    fn a_mode_is_its_text() {
        for text in [
            "",
            "flex",
            "web_search=3",
            "inference_geo:us priority code_execution=? web_search=0",
        ] {
            let mode = Mode::from(text.to_owned());
            assert_eq!(mode.to_string(), text);
            assert_eq!(mode.is_standard(), text.is_empty());
        }
        // What can't stand in a row is still not the standard tier.
        for word in ["", "a b", "x=1", "\u{7}", &"y".repeat(65)] {
            assert_eq!(Mode::tier(word).to_string(), "other", "{word:?}");
        }
        let odd = Mode::from("web_search=many".to_owned());
        assert_eq!(odd.tools["web_search"], None);
    }

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
