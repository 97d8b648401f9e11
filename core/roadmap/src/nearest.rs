//! For: the item that a name which is gone most likely means, to name it in the error.
//! Not for: editing it in its place.

use std::collections::HashSet;

use crate::model::{Item, ItemKey};

/// The item whose key shares most pairs of letters with the one asked for, if it shares more than a third.
pub(crate) fn nearest(key: &ItemKey, items: &[Item]) -> Option<ItemKey> {
    let wanted = pairs(key.as_str());
    let scored = items
        .iter()
        .map(|item| (likeness(&wanted, &pairs(item.key.as_str())), item));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.34).then(|| best.1.key.clone())
}

fn pairs(text: &str) -> HashSet<(char, char)> {
    let chars: Vec<char> = std::iter::once(' ')
        .chain(text.chars())
        .chain([' '])
        .collect();
    chars.windows(2).map(|w| (w[0], w[1])).collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a key has some dozens of letters"
)]
fn likeness(a: &HashSet<(char, char)>, b: &HashSet<(char, char)>) -> f64 {
    let shared = a.intersection(b).count();
    if shared == 0 {
        0.0
    } else {
        2.0 * shared as f64 / (a.len() + b.len()) as f64
    }
}
