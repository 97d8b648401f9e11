//! Labels, few and short.
//! For: a bound on what names that others choose can cost. Not for: which labels there are.

use std::collections::HashSet;

/// Bytes of a label's value at most.
const LONGEST: usize = 80;
/// What stands for all that came too late for a label of its own.
const OTHER: &str = "other";

/// Pairs of names that have labels of their own: the first ones that came.
pub(super) struct Pairs {
    known: HashSet<(String, String)>,
    most: usize,
}

impl Pairs {
    pub(super) fn at_most(most: usize) -> Self {
        Self {
            known: HashSet::new(),
            most,
        }
    }

    /// Whether these are the labels of all that came too late.
    pub(super) fn is_other(first: &str, second: &str) -> bool {
        first == OTHER && second == OTHER
    }

    /// The values of the two labels.
    pub(super) fn labels(&mut self, first: &str, second: &str) -> (String, String) {
        let pair = (value(first), value(second));
        if self.known.contains(&pair) {
            return pair;
        }
        if self.known.len() < self.most {
            self.known.insert(pair.clone());
            return pair;
        }
        (OTHER.to_owned(), OTHER.to_owned())
    }
}

/// A value that needs no escaping and has a bounded length.
pub(super) fn value(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._:/@+-".contains(c);
    text.chars()
        .take(LONGEST)
        .map(|c| if plain(c) { c } else { '_' })
        .collect()
}

/// A name as Prometheus takes it: `gen_ai.provider.name` becomes `gen_ai_provider_name`.
pub(super) fn key(attribute: &str) -> String {
    attribute.replace('.', "_")
}
