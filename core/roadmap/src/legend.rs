//! For: what symbols and words mean in one document, and which of them it uses for a status.
//! Not for: what they mean everywhere (`vocabulary`).

use std::collections::HashMap;

use crate::marks::read_value;
use crate::model::Status;
use crate::vocabulary::{known_meaning, normal, usual_symbol};

/// What symbols and words mean in one document, learned from its own status lines.
#[derive(Debug, Default)]
pub(crate) struct Legend {
    symbols: HashMap<String, [u32; 6]>,
    /// Symbols as they were written first, by their bare form.
    written: HashMap<String, String>,
    phrases: HashMap<(Status, String), (u32, usize)>,
}

impl Legend {
    /// Takes note of a status line's value.
    pub fn learn(&mut self, value: &str) {
        let Some(found) =
            read_value(value, &Self::default()).filter(|f| f.clear && f.percent.is_none())
        else {
            return;
        };
        if let Some(symbol) = &found.symbol {
            let symbol = &value[symbol.clone()];
            self.symbols.entry(normal(symbol)).or_default()[found.status as usize] += 1;
            self.written
                .entry(normal(symbol))
                .or_insert_with(|| symbol.to_owned());
        }
        let Some(phrase) = found.word else { return };
        let order = self.phrases.len();
        self.phrases
            .entry((found.status, value[phrase].to_lowercase()))
            .or_insert((0, order))
            .0 += 1;
    }

    /// What a symbol means here.
    pub fn meaning(&self, symbol: &str) -> Option<Status> {
        let symbol = normal(symbol);
        let known = known_meaning(&symbol);
        let Some(votes) = self.symbols.get(&symbol) else {
            return known;
        };
        let best = votes.iter().max().copied().unwrap_or(0);
        let learned = Status::ALL.into_iter().find(|s| votes[*s as usize] == best);
        // One odd use does not turn a symbol that everybody knows.
        known
            .filter(|k| best < 2 || votes[*k as usize] == best)
            .or(learned)
    }

    /// The symbol that this document uses for a status, else the usual one.
    pub fn symbol_for(&self, status: Status) -> String {
        let votes = |symbol: &String| self.symbols[symbol][status as usize];
        // The wreck of an emoji is read, never written.
        let sound = |s: &&String| !s.chars().any(char::is_alphanumeric);
        let own = self
            .symbols
            .keys()
            .filter(sound)
            .filter(|s| self.meaning(s) == Some(status) && votes(s) > 0);
        let best = own.max_by(|a, b| votes(a).cmp(&votes(b)).then(b.cmp(a)));
        best.map_or_else(
            || usual_symbol(status).to_owned(),
            |bare| self.written[bare].clone(),
        )
    }

    /// The word that this document uses for a status, else the usual one, in lower case.
    pub fn phrase_for(&self, status: Status) -> String {
        let own = self.phrases.iter().filter(|((s, _), _)| *s == status);
        let best = own.max_by_key(|(_, (count, order))| (*count, std::cmp::Reverse(*order)));
        best.map_or_else(
            || status.words().to_lowercase(),
            |((_, phrase), _)| phrase.clone(),
        )
    }
}
