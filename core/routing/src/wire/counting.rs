//! What a provider says that an answer used, as far as it can be true.
//! For: no number of a provider's overflows a sum, stops a budget for ever, or passes for a measurement. Not for: what
//! stands in its place; whoever pays for the answer estimates it.

use super::Wire;
use crate::chat::{COUNTED, Charged, Event};
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

/// What was said in one answer so far that its price depends on, beside tokens.
#[derive(Debug, Default)]
pub(in crate::wire) struct Charging {
    said: Charged,
}

impl Charging {
    /// Hands on what is said now, if it is anything new.
    pub(in crate::wire) fn says(&mut self, now: Charged, out: &mut Vec<Event>) {
        let before = self.said.clone();
        let said = &mut self.said;
        said.tier = now.tier.or(said.tier.take());
        said.speed = now.speed.or(said.speed.take());
        said.place = now.place.or(said.place.take());
        said.tools.extend(now.tools);
        self.tells(&before, out);
    }

    /// A tool of the provider's was used once, if it is one of those that are counted.
    pub(in crate::wire) fn used(&mut self, tool: &str, out: &mut Vec<Event>) {
        let before = self.said.clone();
        if COUNTED.contains(&tool) {
            let times = self.said.tools.entry(tool.to_owned()).or_insert(Some(0));
            *times = times.map(|times| times.saturating_add(1));
        }
        self.tells(&before, out);
    }

    fn tells(&self, before: &Charged, out: &mut Vec<Event>) {
        if self.said != *before {
            out.push(Event::Charged(self.said.clone()));
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
