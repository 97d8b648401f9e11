//! For: the words and symbols that people write a status with, and what each means.
//! Not for: finding them in a text (`marks`) or what one document means by them (`legend`).

use crate::model::Status;
use crate::words::{Word, words};

use Status::{Blocked, Cancelled, Done, Failed, InProgress, Planned};

/// Words that settle the matter wherever a status is expected. Longer phrases win.
pub(crate) const CLEAR: &[(&str, Status)] = &[
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
pub(crate) const FAINT: &[(&str, Status)] = &[
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

pub(crate) fn longest(words: &[Word], table: &[(&str, Status)]) -> Option<(usize, Status)> {
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
    let mut found = words(title.get(..300).unwrap_or(title));
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

/// Words after which a status is still a status: "done in 1.2", "blocked by #3", "planned for May".
pub(crate) fn goes_on(word: Option<&Word>) -> bool {
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

pub(crate) fn normal(symbol: &str) -> String {
    symbol
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '\u{fe0f}' | '\u{fe0e}' | '*'))
        .collect()
}

pub(crate) fn known_meaning(symbol: &str) -> Option<Status> {
    let known = SYMBOLS.iter().find(|(known, _)| *known == symbol);
    known
        .or_else(|| SYMBOLS.iter().find(|(known, _)| symbol.starts_with(known)))
        .map(|(_, status)| *status)
}

pub(crate) fn usual_symbol(status: Status) -> &'static str {
    match status {
        Planned => "📝",
        other => unmistakable_symbol(other),
    }
}

/// A colour, which people use for many things.
pub(crate) fn is_circle(symbol: &str) -> bool {
    symbol.starts_with(['🟢', '🟡', '🟠', '🔴', '🔵', '⚪', '⚫'])
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

/// "new", "current", "next": of a title they say when, not how far.
pub(crate) fn is_timeless(word: &str) -> bool {
    const TIMES: &[&str] = &[
        "open",
        "new",
        "ready",
        "next",
        "current",
        "future",
        "later",
        "idea",
        "tbd",
        "available",
        "testing",
    ];
    TIMES.contains(&word.to_lowercase().as_str())
}
