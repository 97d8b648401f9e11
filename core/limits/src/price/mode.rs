//! What a call costs that was no ordinary one.
//!
//! For: tiers of service as so many times the standard price, and the provider's own tools by the use; or what of a
//! call's mode has no price. Not for: what a provider calls its tiers (routing reads that).

use std::collections::BTreeMap;
use std::fmt;

use callboard_telemetry::usage::Mode;

use super::names::Names;
use super::{Price, WHOLE};

/// The tier that a provider names of a call that was part of a batch.
const BATCH: &str = "batch";

/// What a tier of service costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// So many thousandths of the standard price.
    Times(u64),
    /// What a batch costs.
    Batch,
}

/// What of a call has no price, so that the call has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unpriced {
    /// This tier of service.
    Tier(String),
    /// This tool of the provider's.
    Tool(String),
    /// This tool has one, and nothing says how often it is used.
    Uses(String),
}

impl fmt::Display for Unpriced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unpriced::Tier(tier) => write!(f, "the price of service tier {tier} isn't known"),
            Unpriced::Tool(tool) => {
                write!(f, "the price of the provider's tool {tool} isn't known")
            }
            Unpriced::Uses(tool) => write!(f, "how often the tool {tool} is used isn't known"),
        }
    }
}

/// A mode as factors and a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    /// Thousandths of the price.
    pub times: u64,
    /// Thousandths of it that a batch costs, for what costs as much.
    pub batch: Option<u64>,
    /// Micro-dollars for tools.
    pub tools: i64,
}

impl Terms {
    /// What a mode means by the prices of a model and what is known of its provider.
    pub(super) fn of(
        mode: &Mode,
        price: &Price,
        provider: Option<&Names>,
    ) -> Result<Terms, Unpriced> {
        let mut terms = Terms {
            times: WHOLE,
            batch: None,
            tools: 0,
        };
        for tier in &mode.tiers {
            let unpriced = || Unpriced::Tier(tier.clone());
            let of_provider = provider.and_then(|provider| provider.tiers.get(tier));
            let known = price.tiers.get(tier).or(of_provider).copied();
            match known.or((tier == BATCH).then_some(Tier::Batch)) {
                // Two kinds of batch are one too many to be sure of.
                Some(Tier::Batch) if terms.batch.is_none() => {
                    terms.batch = Some(price.batch.ok_or_else(unpriced)?);
                }
                Some(Tier::Times(times)) => {
                    let product = terms.times.checked_mul(times).ok_or_else(unpriced)?;
                    // Thousandths of thousandths that are whole thousandths; any other product is nobody's price.
                    if product % WHOLE != 0 {
                        return Err(unpriced());
                    }
                    terms.times = product / WHOLE;
                }
                _ => return Err(unpriced()),
            }
        }
        for (tool, times) in &mode.tools {
            let each = provider.and_then(|provider| provider.tools.get(tool));
            let cost = match (each, times) {
                (_, Some(0)) | (Some(0), _) => 0,
                (None, _) => return Err(Unpriced::Tool(tool.clone())),
                (Some(_), None) => return Err(Unpriced::Uses(tool.clone())),
                (Some(each), Some(times)) => each
                    .checked_mul(*times)
                    .and_then(|cost| i64::try_from(cost).ok())
                    .ok_or_else(|| Unpriced::Tool(tool.clone()))?,
            };
            terms.tools = terms.tools.saturating_add(cost);
        }
        Ok(terms)
    }
}

/// Micro-dollars for each use of a provider's tools, by name.
pub(super) type ToolPrices = BTreeMap<String, u64>;
