//! For: reading a status from what people write: words, percentages, emoji, and the wreck of emoji.
//! Words come first, because an emoji that went through a wrong encoding can turn into another one; what a symbol
//! means is learned from the document where a word stands beside it. Not for: where statuses are written.

use std::collections::HashMap;
use std::ops::Range;

use crate::model::Status;
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

use Status::{Blocked, Cancelled, Done, Failed, InProgress, Planned};

/// Words that settle the matter wherever a status is expected. Longer phrases win.
const CLEAR: &[(&str, Status)] = &[
    ("done", Done),
    ("all done", Done),
    ("complete", Done),
    ("completed", Done),
    ("finished", Done),
    ("shipped", Done),
    ("released", Done),
    ("merged", Done),
    ("implemented", Done),
    ("delivered", Done),
    ("closed", Done),
    ("resolved", Done),
    ("fixed", Done),
    ("achieved", Done),
    ("deployed", Done),
    ("launched", Done),
    ("fully complete", Done),
    ("fully implemented", Done),
    ("in progress", InProgress),
    ("work in progress", InProgress),
    ("wip", InProgress),
    ("ongoing", InProgress),
    ("in development", InProgress),
    ("under development", InProgress),
    ("in review", InProgress),
    ("under review", InProgress),
    ("in testing", InProgress),
    ("started", InProgress),
    ("doing", InProgress),
    ("underway", InProgress),
    ("in the works", InProgress),
    ("in flight", InProgress),
    ("incomplete", InProgress),
    ("partial", InProgress),
    ("partially", InProgress),
    ("partially complete", InProgress),
    ("partially completed", InProgress),
    ("partially done", InProgress),
    ("partially implemented", InProgress),
    ("almost done", InProgress),
    ("nearly done", InProgress),
    ("mostly done", InProgress),
    ("mostly complete", InProgress),
    ("nearly complete", InProgress),
    ("almost complete", InProgress),
    ("planned", Planned),
    ("todo", Planned),
    ("to do", Planned),
    ("to be done", Planned),
    ("not started", Planned),
    ("not yet started", Planned),
    ("not begun", Planned),
    ("not done", Planned),
    ("not complete", Planned),
    ("not completed", Planned),
    ("not finished", InProgress),
    ("not implemented", Planned),
    ("not yet implemented", Planned),
    ("not yet", Planned),
    ("pending", Planned),
    ("proposed", Planned),
    ("backlog", Planned),
    ("upcoming", Planned),
    ("scheduled", Planned),
    ("queued", Planned),
    ("coming soon", Planned),
    ("blocked", Blocked),
    ("on hold", Blocked),
    ("paused", Blocked),
    ("waiting", Blocked),
    ("stalled", Blocked),
    ("deferred", Blocked),
    ("postponed", Blocked),
    ("suspended", Blocked),
    ("stuck", Blocked),
    ("failed", Failed),
    ("failing", Failed),
    ("did not work", Failed),
    ("didn't work", Failed),
    ("cancelled", Cancelled),
    ("canceled", Cancelled),
    ("dropped", Cancelled),
    ("abandoned", Cancelled),
    ("won't do", Cancelled),
    ("wont do", Cancelled),
    ("won't fix", Cancelled),
    ("wontfix", Cancelled),
    ("will not do", Cancelled),
    ("obsolete", Cancelled),
    ("superseded", Cancelled),
    ("skipped", Cancelled),
    ("rejected", Cancelled),
    ("removed", Cancelled),
    ("descoped", Cancelled),
    ("out of scope", Cancelled),
    ("not planned", Cancelled),
    ("no longer needed", Cancelled),
    ("not needed", Cancelled),
    ("duplicate", Cancelled),
];

/// Words that a symbol beside them outweighs: "✅ ACTIVE" is done, "ACTIVE" is in progress.
const FAINT: &[(&str, Status)] = &[
    ("live", Done),
    ("operational", Done),
    ("production ready", Done),
    ("ready for production", Done),
    ("passing", Done),
    ("passed", Done),
    ("verified", Done),
    ("stable", Done),
    ("available", Done),
    ("landed", Done),
    ("active", InProgress),
    ("current", InProgress),
    ("testing", InProgress),
    ("reviewing", InProgress),
    ("implementing", InProgress),
    ("developing", InProgress),
    ("open", Planned),
    ("new", Planned),
    ("ready", Planned),
    ("next", Planned),
    ("future", Planned),
    ("later", Planned),
    ("idea", Planned),
    ("draft", Planned),
    ("tbd", Planned),
    ("not ready", Planned),
];

/// What symbols mean where the document does not say otherwise.
const SYMBOLS: &[(&str, Status)] = &[
    ("📝", Planned),
    ("📋", Planned),
    ("⏳", Planned),
    ("⌛", Planned),
    ("⬜", Planned),
    ("◻", Planned),
    ("☐", Planned),
    ("🔲", Planned),
    ("⚪", Planned),
    ("📅", Planned),
    ("🗓", Planned),
    ("🔜", Planned),
    ("💡", Planned),
    ("🔄", InProgress),
    ("🚧", InProgress),
    ("🏗", InProgress),
    ("🔨", InProgress),
    ("🛠", InProgress),
    ("🔃", InProgress),
    ("♻", InProgress),
    ("🏃", InProgress),
    ("🟡", InProgress),
    ("🔵", InProgress),
    ("⚠", InProgress),
    ("✅", Done),
    ("✔", Done),
    ("☑", Done),
    ("✓", Done),
    ("🟢", Done),
    ("🎉", Done),
    ("💯", Done),
    ("👍", Done),
    ("⏸", Blocked),
    ("⛔", Blocked),
    ("🛑", Blocked),
    ("🔒", Blocked),
    ("🔴", Blocked),
    ("❌", Failed),
    ("✖", Failed),
    ("✗", Failed),
    ("✘", Failed),
    ("💥", Failed),
    ("🚫", Cancelled),
    ("🗑", Cancelled),
    ("❎", Cancelled),
    ("⏭", Cancelled),
];

/// Symbols that mean a status even outside a status line, where others are decoration.
const UNMISTAKABLE: &str = "✅✔☑✓🔄🚧⏳⌛⏸⛔❌✖✗✘🚫⬜☐🔲◻";

const BOXES: &[(&str, bool)] = &[
    ("✅", true),
    ("☑", true),
    ("✔", true),
    ("⬜", false),
    ("☐", false),
    ("🔲", false),
    ("◻", false),
];

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

    fn meaning(&self, symbol: &str) -> Option<Status> {
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

fn normal(symbol: &str) -> String {
    symbol
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '\u{fe0f}' | '\u{fe0e}' | '*'))
        .collect()
}

fn known_meaning(symbol: &str) -> Option<Status> {
    let known = SYMBOLS.iter().find(|(known, _)| *known == symbol);
    known
        .or_else(|| SYMBOLS.iter().find(|(known, _)| symbol.starts_with(known)))
        .map(|(_, status)| *status)
}

fn usual_symbol(status: Status) -> &'static str {
    match status {
        Planned => "📝",
        other => unmistakable_symbol(other),
    }
}

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
    if let Some(status) = reading
        .prefix
        .as_ref()
        .and_then(|p| legend.meaning(&value[p.clone()]))
    {
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
    let said = reading
        .spoken(0, CLEAR)
        .or_else(|| reading.spoken(0, FAINT).filter(|s| !is_timeless(text, s)));
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

/// "new", "current", "next": of a title they say when, not how far.
fn is_timeless(text: &str, said: &Said) -> bool {
    let word = text[said.range.clone()].to_lowercase();
    matches!(
        word.as_str(),
        "open"
            | "new"
            | "ready"
            | "next"
            | "current"
            | "future"
            | "later"
            | "idea"
            | "tbd"
            | "available"
            | "testing"
    )
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

/// The symbol for a status where only unmistakable ones are read.
pub(crate) fn unmistakable_symbol(status: Status) -> &'static str {
    match status {
        Planned => "⏳",
        InProgress => "🔄",
        Done => "✅",
        Blocked => "⏸️",
        Failed => "❌",
        Cancelled => "🚫",
    }
}

/// The status that a section says its members have: "✅ Completed Projects", "In progress", "Backlog".
pub(crate) fn of_section(title: &str) -> Option<Status> {
    const NOUNS: &[&str] = &[
        "projects",
        "project",
        "items",
        "work",
        "tasks",
        "features",
        "milestones",
        "priorities",
        "phases",
        "things",
        "now",
    ];
    const TIMES: &[(&str, Status)] = &[
        ("next", Planned),
        ("later", Planned),
        ("future", Planned),
        ("now", Planned),
        ("up next", Planned),
        ("active", InProgress),
        ("current", InProgress),
        ("currently", InProgress),
        ("ideas", Planned),
        ("next up", Planned),
    ];
    let mut found = words(head_of(title));
    while found.len() > 1
        && found
            .last()
            .is_some_and(|w| NOUNS.contains(&w.lower.as_str()))
    {
        found.pop();
    }
    let whole = |table: &[(&str, Status)]| {
        longest(&found, table).filter(|(length, _)| *length == found.len())
    };
    whole(CLEAR)
        .or_else(|| whole(TIMES))
        .map(|(_, status)| status)
}

/// The status that a symbol alone means where people decorate: only those that are hardly used otherwise.
pub(crate) fn unmistakable(symbol: &str) -> Option<Status> {
    let symbol = normal(symbol);
    let first = symbol.chars().next()?;
    UNMISTAKABLE
        .contains(first)
        .then(|| known_meaning(&symbol))
        .flatten()
}

/// Whether a symbol is used as a check-box, and ticked.
pub(crate) fn symbol_box(symbol: &str) -> Option<bool> {
    let symbol = normal(symbol);
    BOXES
        .iter()
        .find(|(known, _)| *known == symbol)
        .map(|(_, done)| *done)
}

/// The partner of a check-box symbol.
pub(crate) fn symbol_box_for(symbol: &str, done: bool) -> &'static str {
    match (done, normal(symbol).as_str()) {
        (true, "☐") => "☑",
        (true, _) => "✅",
        (false, "☑" | "✔") => "☐",
        (false, _) => "⬜",
    }
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
        let number: u32 = word.lower.parse().ok()?;
        let rest = &self.value[word.range.end..];
        let spaces = rest.len() - rest.trim_start().len();
        let (percent, end) = if rest[spaces..].starts_with('%') {
            (number, word.range.end + spaces + 1)
        } else {
            let below: u32 = rest
                .strip_prefix('/')?
                .split(|c: char| !c.is_ascii_digit())
                .next()?
                .parse()
                .ok()?;
            (
                if below == 0 { 0 } else { number * 100 / below },
                word.range.end + 1 + below.to_string().len(),
            )
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

/// Words after which a status is still a status: "done in 1.2", "blocked by #3", "planned for May".
fn goes_on(word: Option<&Word>) -> bool {
    const PREPOSITIONS: &[&str] = &[
        "in",
        "on",
        "by",
        "for",
        "since",
        "until",
        "at",
        "as",
        "with",
        "pending",
        "via",
        "to",
        "from",
        "and",
        "but",
        "after",
        "before",
        "if",
        "when",
        "because",
        "due",
        "of",
        "per",
        "yesterday",
        "today",
        "last",
        "this",
        "next",
        "is",
        "now",
        "yet",
        "so",
        "already",
    ];
    word.is_none_or(|w| {
        PREPOSITIONS.contains(&w.lower.as_str())
            || w.lower.starts_with(|c: char| c.is_ascii_digit())
    })
}

fn longest(words: &[Word], table: &[(&str, Status)]) -> Option<(usize, Status)> {
    let fits = |(phrase, status): &(&str, Status)| {
        let mut at = 0;
        for part in phrase.split(' ') {
            if words.get(at)?.lower != part {
                return None;
            }
            at += 1;
        }
        Some((at, *status))
    };
    table
        .iter()
        .filter_map(fits)
        .max_by_key(|(length, _)| *length)
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
