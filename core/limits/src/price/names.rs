//! Which row a model's name means.
//!
//! For: the few ways in which one model has several names, each a rule that is written down. Not for: likeness;
//! a name that no rule covers has no price, because a new model's price is not that of the one it resembles.

use std::collections::BTreeMap;

use super::mode::{Tier, ToolPrices};
use crate::calendar::month_length;

/// What the names of one provider look like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Other names of the provider.
    pub also: Vec<String>,
    /// What may stand before a model's name without meaning another.
    pub prefixes: Vec<String>,
    /// What may stand after it.
    pub suffixes: Vec<String>,
    /// Whether its models run on the user's own machine, and so cost nothing.
    pub local: bool,
    /// The ends of names of models that run elsewhere all the same.
    pub remote_suffixes: Vec<String>,
    /// What its tiers of service cost, for all its models.
    pub tiers: BTreeMap<String, Tier>,
    /// What its tools cost.
    pub tools: ToolPrices,
}

impl Names {
    /// The name without what the provider's rules let stand around it.
    pub(super) fn bare<'n>(&self, name: &'n str) -> &'n str {
        let name = self
            .prefixes
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix.as_str()))
            .unwrap_or(name);
        self.suffixes
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix.as_str()))
            .unwrap_or(name)
    }

    /// Whether a model of this name runs on the user's own machine.
    pub(super) fn is_local(&self, name: &str) -> bool {
        let remote = |suffix: &String| name.ends_with(suffix.as_str());
        self.local && !self.remote_suffixes.iter().any(remote)
    }
}

/// The name without a date at its end: `-20251001` or `-2025-10-01`. `None` when there is none.
pub(super) fn undated(name: &str) -> Option<&str> {
    [9, 11].into_iter().find_map(|length| {
        let (bare, end) = name.split_at_checked(name.len().checked_sub(length)?)?;
        let end = end.strip_prefix('-')?;
        (!bare.is_empty() && is_date(end)).then_some(bare)
    })
}

/// `20251001` or `2025-10-01`, and a day that exists.
fn is_date(text: &str) -> bool {
    let digits = match text.len() {
        8 => text.to_owned(),
        _ if text.as_bytes().get(4) == Some(&b'-') && text.as_bytes().get(7) == Some(&b'-') => {
            text.replacen('-', "", 2)
        }
        _ => return false,
    };
    if digits.len() != 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let number = |range: std::ops::Range<usize>| digits[range].parse::<u16>().unwrap_or(0);
    let (year, month, day) = (number(0..4), number(4..6), number(6..8));
    let month = u8::try_from(month).unwrap_or(0);
    (2000..2100).contains(&year)
        && (1..=12).contains(&month)
        && (1..=u16::from(month_length(i64::from(year), month))).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_at_the_end_is_no_part_of_a_name() {
        for (name, bare) in [
            ("claude-haiku-4-5-20251001", Some("claude-haiku-4-5")),
            ("gpt-5.4-2026-03-05", Some("gpt-5.4")),
            ("claude-haiku-4-5", None),
            ("model-20251301", None),
            ("model-2025-02-29", None),
            ("model-2024-02-29", Some("model")),
            ("model-2025100", None),
            ("model-123456789", None),
            ("model20251001", None),
            ("-20251001", None),
            ("20251001", None),
            ("", None),
            ("modell-é0251001", None),
            ("modell-é025-10-0", None),
        ] {
            assert_eq!(undated(name), bare, "{name}");
        }
    }
}
