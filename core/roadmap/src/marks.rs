//! For: reading a status from what people write: words, percentages, emoji, and the wreck of emoji.
//! Words come first, because an emoji that went through a wrong encoding can turn into another one; what a symbol
//! means is learned from the document where a word stands beside it. Not for: where statuses are written.

use std::ops::Range;

use crate::legend::Legend;
use crate::model::Status;
use crate::vocabulary::{CLEAR, FAINT, goes_on, is_circle, is_timeless, longest, unmistakable};
use crate::words::{Word, is_symbol, leading_symbols, tokens, trim_range, words};

/// Values longer than this hold prose; their start says what there is to say.
const READ_AT_MOST: usize = 300;

/// A status in a text, and the parts of the text that say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub status: Status,
    pub percent: Option<u8>,
    pub symbol: Option<Range<usize>>,
    pub word: Option<Range<usize>>,
    /// Said by an unmistakable word.
    pub clear: bool,
}

use Status::{Done, InProgress, Planned};

/// The value of a status line.
pub(crate) fn read_value(value: &str, legend: &Legend) -> Option<Found> {
    let value = head_of(value);
    let reading = Reading::new(value);
    let spoken = reading.spoken(0, CLEAR).filter(|s| s.ends_well);
    let at_end = || reading.spoken_last();
    if let Some(said) = spoken {
        return Some(reading.found(said, true));
    }
    if let Some(amount) = reading.amount_alone() {
        return Some(reading.found(amount, true));
    }
    let faint = reading.spoken(0, FAINT).filter(|s| s.ends_well);
    let symbol = reading.prefix.as_ref().map(|p| &value[p.clone()]);
    // A coloured circle says less than the faintest word: "🟢 ready for assignment".
    let symbol = symbol.filter(|s| faint.is_none() || !is_circle(s));
    if let Some(status) = symbol.and_then(|s| legend.meaning(s)) {
        let word = faint.map(|s| s.range);
        return Some(Found {
            status,
            percent: None,
            symbol: reading.prefix.clone(),
            word,
            clear: false,
        });
    }
    if let Some(said) = faint {
        return Some(reading.found(said, false));
    }
    at_end()
        .map(|said| reading.found(said, true))
        .or_else(|| any_symbol(value, legend))
}

/// A status that is the whole of a text: of what stands in brackets or behind a dash in a title.
pub(crate) fn read_whole(text: &str, legend: &Legend) -> Option<Found> {
    let text = head_of(text);
    let reading = Reading::new(text);
    let said = reading.spoken(0, CLEAR).or_else(|| {
        reading
            .spoken(0, FAINT)
            .filter(|s| !is_timeless(&text[s.range.clone()]))
    });
    if let Some(said) = said.or_else(|| reading.amount_alone()) {
        let found = reading.found(said, true);
        let end = [&found.symbol, &found.word]
            .into_iter()
            .flatten()
            .map(|r| r.end)
            .max()
            .unwrap_or(0);
        return is_aside(&text[end..]).then_some(found);
    }
    let symbol = trim_range(text, 0..text.len());
    let status =
        unmistakable(&text[symbol.clone()]).and_then(|_| legend.meaning(&text[symbol.clone()]));
    status.map(|status| Found {
        status,
        percent: None,
        symbol: Some(symbol),
        word: None,
        clear: false,
    })
}

/// Nothing, or a remark that the status can stand without.
fn is_aside(rest: &str) -> bool {
    let rest = rest.trim_start();
    let next = words(rest);
    // "(implemented by the daemon)" says by whom, not that it happened.
    let by = next.first().is_some_and(|w| w.lower == "by");
    rest.is_empty()
        || rest.starts_with([',', ';', '-', '–', '—', ':', '(', '/'])
        || (!by && goes_on(next.first()))
}

fn head_of(value: &str) -> &str {
    value
        .char_indices()
        .nth(READ_AT_MOST)
        .map_or(value, |(at, _)| &value[..at])
}

#[derive(Debug, Clone)]
struct Said {
    status: Status,
    percent: Option<u8>,
    range: Range<usize>,
    /// What follows can't turn the word into something else ("complete documentation").
    ends_well: bool,
}

struct Reading<'v> {
    value: &'v str,
    words: Vec<Word>,
    prefix: Option<Range<usize>>,
}

impl<'v> Reading<'v> {
    fn new(value: &'v str) -> Self {
        let end = leading_symbols(value);
        let prefix = trim_range(value, 0..end);
        let prefix = (!prefix.is_empty() && !value[prefix.clone()].is_ascii()).then_some(prefix);
        let words = words(&value[end..]).into_iter().map(|w| Word {
            range: w.range.start + end..w.range.end + end,
            ..w
        });
        // The wreck of an emoji has letters in it and is no word.
        let words = words.filter(|w| !is_symbol(&w.lower));
        Self {
            value,
            words: words.collect(),
            prefix,
        }
    }

    /// A phrase of the table at the given word, with an amount before it: "75% complete", "3/5 done".
    fn spoken(&self, first: usize, table: &[(&str, Status)]) -> Option<Said> {
        if first == 0 && !self.starts_directly() {
            return None;
        }
        let amount = if first == 0 { self.amount() } else { None };
        let at = amount.as_ref().map_or(first, |a| a.1);
        let (length, status) = longest(&self.words[at.min(self.words.len())..], table)?;
        let last = &self.words[at + length - 1];
        let start = amount
            .as_ref()
            .map_or(self.words[at].range.start, |a| a.0.range.start);
        let said = Said {
            status,
            percent: None,
            range: start..last.range.end,
            ends_well: self.ends_well(at + length, last.range.end),
        };
        Some(self.weigh(said, amount.map(|a| a.0)))
    }

    /// "75% complete" is not complete.
    fn weigh(&self, said: Said, before: Option<Said>) -> Said {
        let after = || self.amount_at(said.range.end);
        match before.or_else(after) {
            Some(amount) if said.status == Done => Said {
                status: amount.status,
                percent: amount.percent,
                range: said.range.start..said.range.end.max(amount.range.end),
                ..said
            },
            Some(amount) => Said {
                percent: amount.percent,
                range: said.range.start..said.range.end.max(amount.range.end),
                ..said
            },
            None => said,
        }
    }

    fn starts_directly(&self) -> bool {
        let from = self.prefix.as_ref().map_or(0, |p| p.end);
        self.words.first().is_some_and(|w| {
            self.value[from.min(w.range.start)..w.range.start]
                .chars()
                .all(|c| " *_`~<>≈\"'\t\u{a0}".contains(c) || !c.is_ascii())
        })
    }

    /// An amount at the start, and the number of words it takes.
    fn amount(&self) -> Option<(Said, usize)> {
        let first = self.words.first()?;
        let amount = self.amount_at_word(first)?;
        let taken = self
            .words
            .iter()
            .take_while(|w| w.range.start < amount.range.end)
            .count();
        Some((amount, taken))
    }

    fn amount_at(&self, from: usize) -> Option<Said> {
        let next = self.words.iter().find(|w| w.range.start >= from)?;
        let between = &self.value[from..next.range.start];
        between
            .chars()
            .all(|c| " :-–—~".contains(c))
            .then(|| self.amount_at_word(next))
            .flatten()
    }

    fn amount_at_word(&self, word: &Word) -> Option<Said> {
        let number = u64::from(word.lower.parse::<u32>().ok()?);
        let rest = &self.value[word.range.end..];
        let spaces = rest.len() - rest.trim_start().len();
        let (percent, end) = if rest[spaces..].starts_with('%') {
            (number, word.range.end + spaces + 1)
        } else {
            let digits = rest.strip_prefix('/')?;
            let digits = &digits[..digits
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(digits.len())];
            let percent = (number * 100)
                .checked_div(digits.parse().ok()?)
                .unwrap_or(0);
            (percent, word.range.end + 1 + digits.len())
        };
        let percent = u8::try_from(percent).ok().filter(|p| *p <= 100)?;
        let status = match percent {
            0 => Planned,
            100 => Done,
            _ => InProgress,
        };
        Some(Said {
            status,
            percent: Some(percent),
            range: word.range.start..end,
            ends_well: true,
        })
    }

    /// "60%" with nothing that says of what.
    fn amount_alone(&self) -> Option<Said> {
        let (amount, taken) = self.starts_directly().then(|| self.amount()).flatten()?;
        (self.value[..amount.range.end].ends_with('%') && self.ends_well(taken, amount.range.end))
            .then_some(amount)
    }

    fn ends_well(&self, next: usize, end: usize) -> bool {
        let Some(word) = self.words.get(next) else {
            return true;
        };
        let between = &self.value[end..word.range.start];
        between.chars().any(|c| !c.is_whitespace()) || goes_on(Some(word))
    }

    /// "Backend completed ✅": the last words before any remark.
    fn spoken_last(&self) -> Option<Said> {
        let main_end = self
            .value
            .find(['(', ';', ',', '—', '–'])
            .unwrap_or(self.value.len());
        let count = self
            .words
            .iter()
            .take_while(|w| w.range.end <= main_end)
            .count();
        let starts = (count.saturating_sub(4)..count).filter(|first| *first > 0);
        let fits = |first: usize| {
            let (length, status) = longest(&self.words[first..count], CLEAR)?;
            let range = self.words[first].range.start..self.words[count - 1].range.end;
            (first + length == count).then_some(Said {
                status,
                percent: None,
                range,
                ends_well: true,
            })
        };
        starts.filter_map(fits).next()
    }

    fn found(&self, said: Said, clear: bool) -> Found {
        let symbol = if said.range.start == self.words.first().map_or(0, |w| w.range.start) {
            self.prefix.clone()
        } else {
            None
        };
        let symbol = symbol.or_else(|| trailing_symbol(self.value, said.range.end));
        Found {
            status: said.status,
            percent: said.percent,
            symbol,
            word: Some(said.range),
            clear,
        }
    }
}

/// "COMPLETE ✅": a symbol directly after the word.
fn trailing_symbol(value: &str, from: usize) -> Option<Range<usize>> {
    let rest = &value[from..];
    let end = leading_symbols(rest);
    let symbol = trim_range(value, from..from + end);
    let piece = &value[symbol.clone()];
    let dashes = piece
        .chars()
        .all(|c| c.is_ascii() || matches!(c, '–' | '—' | '…' | '·' | '•' | '→'));
    (!piece.is_empty()
        && !dashes
        && is_symbol(piece.split_whitespace().next()?)
        && piece.starts_with(|c: char| !c.is_ascii()))
    .then_some(symbol)
}

fn any_symbol(value: &str, legend: &Legend) -> Option<Found> {
    tokens(value).into_iter().find_map(|token| {
        let status = is_symbol(&value[token.clone()])
            .then(|| unmistakable(&value[token.clone()]))
            .flatten()?;
        let status = legend.meaning(&value[token.clone()]).unwrap_or(status);
        Some(Found {
            status,
            percent: None,
            symbol: Some(token),
            word: None,
            clear: false,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Blocked, Cancelled, Failed};

    fn status(value: &str) -> Option<Status> {
        read_value(value, &Legend::default()).map(|f| f.status)
    }

    #[test]
    fn reads_what_people_write() {
        let table = [
            ("✅ COMPLETED (Sprint 1 & 2)", Done),
            ("🔄 IN PROGRESS (second half)", InProgress),
            ("planned", Planned),
            ("📠Planned (optional)", Planned),
            ("In-Progress", InProgress),
            ("not_started", Planned),
            ("✅", Done),
            ("✅ PRODUCTION READY", Done),
            ("✅ ACTIVE", Done),
            ("active", InProgress),
            ("✅ 20/20 PASSING", Done),
            ("✅ 95% COMPLETE", InProgress),
            ("âš ï¸ 60% COMPLETE", InProgress),
            ("100% complete", Done),
            ("75%", InProgress),
            ("0%", Planned),
            ("3/5 done", InProgress),
            ("🟢 **READY** FOR ASSIGNMENT", Planned),
            ("🟢", Done),
            ("4000000000/04000000000 done", Done),
            ("Done: 80%", InProgress),
            ("Completed 2025-01-01", Done),
            ("done in 1.2", Done),
            ("Blocked by #12", Blocked),
            ("⏸️", Blocked),
            ("⏸️ On hold", Blocked),
            ("❌ Not started", Planned),
            ("❌", Failed),
            ("🚫 won't do", Cancelled),
            ("not done yet", Planned),
            ("Backend completed ✅", Done),
            ("in progress (75% complete)", InProgress),
            ("✅ EXTENSIVE (50+ parts)", Done),
            ("Waiting for review", Blocked),
            ("🚧 WIP", InProgress),
            ("⏳ Pending", Planned),
            ("TODO", Planned),
            ("~50% done", InProgress),
            ("not planned", Cancelled),
        ];
        for (value, expected) in table {
            assert_eq!(status(value), Some(expected), "{value}");
        }
    }

    #[test]
    fn prose_is_no_status() {
        for value in [
            "Complete documentation created",
            "see below",
            "",
            "Done deal makers wanted",
            "(done)",
        ] {
            assert_eq!(status(value), None, "{value}");
        }
    }

    #[test]
    fn a_symbol_means_what_the_document_uses_it_for() {
        let mut legend = Legend::default();
        legend.learn("📠Planned");
        legend.learn("📠Planned (optional)");
        let found = read_value("📠Complete documentation created", &legend).unwrap();
        assert_eq!(
            (found.status, found.symbol, found.word),
            (Planned, Some(0..4), None)
        );
        legend.learn("✅ COMPLETED");
        assert_eq!(
            (
                legend.symbol_for(Done).as_str(),
                legend.phrase_for(Done).as_str()
            ),
            ("✅", "completed")
        );
        assert_eq!(
            (
                legend.symbol_for(Planned).as_str(),
                legend.phrase_for(InProgress).as_str()
            ),
            ("📠", "in progress")
        );
    }

    #[test]
    fn says_which_bytes_say_so() {
        let pieces = |value: &str| {
            let found = read_value(value, &Legend::default()).unwrap_or_else(|| panic!("{value}"));
            let text = |r: Option<Range<usize>>| r.map(|r| value[r].to_owned()).unwrap_or_default();
            (text(found.symbol), text(found.word))
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(pieces("✅ COMPLETED (Sprint 1)"), pair("✅", "COMPLETED"));
        assert_eq!(pieces("75% COMPLETE âš ï¸"), pair("âš ï¸", "75% COMPLETE"));
        assert_eq!(pieces("📠Planned"), pair("📠", "Planned"));
        assert_eq!(pieces("✅ EXTENSIVE (50+)"), pair("✅", ""));
        assert_eq!(pieces("Backend completed ✅"), pair("✅", "completed"));
        assert_eq!(pieces("planned — later"), pair("", "planned"));
    }

    #[test]
    fn in_a_title_only_a_whole_status_counts() {
        let whole = |text: &str| read_whole(text, &Legend::default()).map(|f| f.status);
        for (text, expected) in [
            ("COMPLETE ✅", Done),
            ("75% COMPLETE âš ï¸", InProgress),
            ("ACTIVE", InProgress),
            ("100% PASSING", Done),
            ("✅", Done),
            ("done in 1.2", Done),
            ("in progress, 2 weeks", InProgress),
        ] {
            assert_eq!(whole(text), Some(expected), "{text}");
        }
        for text in [
            "EXTENSIVE, 138 MODULES",
            "Implemented by Daemon",
            "optional",
            "NEW",
            "complete set",
            "61 MODULES",
            "⚡",
            "88/88",
            "choose one",
        ] {
            assert_eq!(whole(text), None, "{text}");
        }
    }
}
