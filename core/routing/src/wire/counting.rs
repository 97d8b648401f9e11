//! What a provider says that an answer used, as far as it can be true.
//! For: no number of a provider's overflows a sum, stops a budget for ever, or passes for a measurement. Not for: what
//! stands in its place; whoever pays for the answer estimates it.

use super::Wire;
use crate::chat::Event;
use callboard_telemetry::{Counted, Tokens, Usage};

/// More than any call uses: the largest windows hold ten million tokens, and the most answers that one call may ask
/// for, 128, have a hundred thousand or so each.
const MOST_TOKENS: u64 = 100_000_000;

/// What was said in one answer so far.
#[derive(Debug, Default)]
pub(in crate::wire) struct Counting {
    last: Option<Usage>,
    doubted: bool,
}

impl Counting {
    /// Hands on what is said now, if it is anything new.
    pub(in crate::wire) fn says(
        &mut self,
        wire: Wire,
        tokens: Option<Tokens>,
        out: &mut Vec<Event>,
    ) {
        let Some(tokens) = tokens.filter(|_| !self.doubted) else {
            return;
        };
        let usage = believed(wire, tokens).unwrap_or(UNKNOWN);
        // Who said once what can't be true is not listened to again.
        self.doubted = usage == UNKNOWN;
        if self.last != Some(usage) {
            self.last = Some(usage);
            out.push(Event::Usage(usage));
        }
    }
}

/// Takes the place of what was said before, and says nothing.
const UNKNOWN: Usage = Usage {
    tokens: Tokens {
        input: 0,
        cached: 0,
        cache_write: 0,
        cache_write_1h: 0,
        output: 0,
        reasoning: 0,
    },
    counted: Counted::Estimated,
};

/// What a provider reports, unless no call can have used so much.
pub(crate) fn believed(wire: Wire, tokens: Tokens) -> Option<Usage> {
    let (input, output) = (tokens.input, tokens.output);
    if input.max(output) > MOST_TOKENS {
        tracing::warn!(%wire, input, output, "a provider says that a call used more tokens than any can: its use is estimated");
        return None;
    }
    Some(Usage {
        tokens,
        counted: Counted::Reported,
    })
}
