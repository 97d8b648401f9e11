//! For: durations and calendar windows as people write them.
//! In working days: 8 hours a day, 5 days a week, 21 a month. Not for: where they are written.

use std::ops::Range;

use crate::words::{Word, tokens, words};

/// The days between which the first duration of a text lies.
pub(crate) fn read_duration(text: &str) -> Option<(f64, f64)> {
    first_duration(text).map(|(days, _)| days)
}

/// The days of a text that is nothing but a duration: "~2-3 weeks", "est. 4h", "3-5 days per part".
pub(crate) fn read_only_duration(text: &str) -> Option<(f64, f64)> {
    let (days, range) = first_duration(text)?;
    let before = words(&text[..range.start]);
    let after = words(&text[range.end..]);
    let opens = before.iter().all(|w| OPENERS.contains(&w.lower.as_str()));
    let closes = after
        .first()
        .is_none_or(|w| CLOSERS.contains(&w.lower.as_str()));
    (opens && closes).then_some(days)
}

const OPENERS: &[&str] = &[
    "about",
    "approx",
    "approximately",
    "ca",
    "circa",
    "est",
    "estimate",
    "estimated",
    "estimation",
    "duration",
    "effort",
    "up",
    "to",
    "at",
    "most",
    "least",
    "over",
    "under",
    "roughly",
    "around",
    "some",
    "eta",
    "total",
    "max",
    "min",
];
const CLOSERS: &[&str] = &[
    "per",
    "each",
    "if",
    "or",
    "max",
    "at",
    "total",
    "of",
    "estimated",
    "effort",
    "work",
];
const ADJECTIVES: &[&str] = &[
    "business",
    "working",
    "work",
    "person",
    "man",
    "calendar",
    "full",
    "dev",
    "developer",
    "engineer",
    "engineering",
    "more",
];

fn unit_days(word: &str) -> Option<f64> {
    Some(match word {
        "min" | "mins" | "minute" | "minutes" => 1.0 / 480.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 0.125,
        "d" | "day" | "days" => 1.0,
        "w" | "wk" | "wks" | "week" | "weeks" => 5.0,
        "sprint" | "sprints" => 10.0,
        "mo" | "month" | "months" => 21.0,
        "quarter" | "quarters" => 63.0,
        "y" | "yr" | "yrs" | "year" | "years" => 252.0,
        _ => return None,
    })
}

/// A number, the unit glued or set behind it, and where the whole ends.
struct Amount {
    value: f64,
    unit: Option<f64>,
    range: Range<usize>,
}

fn first_duration(text: &str) -> Option<((f64, f64), Range<usize>)> {
    let text = text
        .char_indices()
        .nth(300)
        .map_or(text, |(at, _)| &text[..at]);
    let found = words(text);
    (0..found.len()).find_map(|at| duration_at(text, &found, at))
}

fn duration_at(text: &str, found: &[Word], at: usize) -> Option<((f64, f64), Range<usize>)> {
    let (first, next) = amount(text, found, at)?;
    let second = range_partner(text, found, first.range.end, next);
    let unit = |a: &Amount| a.unit;
    match second {
        Some(second) if unit(&second).is_some() => {
            let last = second.unit?;
            let low = first.value * first.unit.unwrap_or(last);
            let high = second.value * last;
            Some((
                (low.min(high), low.max(high)),
                first.range.start..second.range.end,
            ))
        }
        _ => {
            let days = first.value * first.unit?;
            Some(((days, days), first.range))
        }
    }
}

/// The "5 days" of "3-5 days", "3 to 5 days", "2 days – 1 week".
fn range_partner(text: &str, found: &[Word], end: usize, next: usize) -> Option<Amount> {
    let word = found.get(next)?;
    let between = text[end..word.range.start].trim();
    let dash = matches!(between, "-" | "–" | "—" | "‑" | "~");
    if dash {
        return amount(text, found, next).map(|(a, _)| a);
    }
    let joined = between.is_empty() && matches!(word.lower.as_str(), "to" | "or");
    joined
        .then(|| amount(text, found, next + 1))
        .flatten()
        .map(|(a, _)| a)
}

fn amount(text: &str, found: &[Word], at: usize) -> Option<(Amount, usize)> {
    let word = found.get(at)?;
    if let Some(value) = small_number(&word.lower) {
        let (unit, end, next) = unit_after(text, found, at + 1, word.range.end);
        return unit.is_some().then_some((
            Amount {
                value,
                unit,
                range: word.range.start..end,
            },
            next,
        ));
    }
    let digits = word
        .lower
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(word.lower.len());
    let mut value: f64 = word.lower[..digits].parse().ok().filter(|_| digits <= 6)?;
    let glued = &word.lower[digits..];
    let (mut end, mut next) = (word.range.end, at + 1);
    let mut tail = glued.to_owned();
    if glued.is_empty()
        && let Some((fraction, fraction_end, fraction_tail)) = fraction(text, found, at)
    {
        value += fraction;
        (end, next, tail) = (fraction_end, at + 2, fraction_tail);
    }
    if !tail.is_empty() {
        return Some((
            Amount {
                value,
                unit: Some(unit_days(&tail)?),
                range: word.range.start..end,
            },
            next,
        ));
    }
    let (unit, unit_end, after) = unit_after(text, found, next, end);
    let end = if unit.is_some() { unit_end } else { end };
    let next = if unit.is_some() { after } else { next };
    Some((
        Amount {
            value,
            unit,
            range: word.range.start..end,
        },
        next,
    ))
}

/// ".5" of "1.5 days", with a unit glued to it.
fn fraction(text: &str, found: &[Word], at: usize) -> Option<(f64, usize, String)> {
    let (whole, part) = (&found[at], found.get(at + 1)?);
    if !matches!(&text[whole.range.end..part.range.start], "." | ",") {
        return None;
    }
    let digits = part
        .lower
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(part.lower.len());
    let value: f64 = format!("0.{}", &part.lower[..digits])
        .parse()
        .ok()
        .filter(|_| digits > 0)?;
    Some((value, part.range.end, part.lower[digits..].to_owned()))
}

fn unit_after(text: &str, found: &[Word], at: usize, end: usize) -> (Option<f64>, usize, usize) {
    let mut at = at;
    let mut from = end;
    for _ in 0..3 {
        let Some(word) = found.get(at) else { break };
        let close = text[from..word.range.start]
            .chars()
            .all(|c| c.is_whitespace() || matches!(c, '-' | '+'));
        if !close {
            break;
        }
        if let Some(unit) = unit_days(&word.lower) {
            return (Some(unit), word.range.end, at + 1);
        }
        if !ADJECTIVES.contains(&word.lower.as_str()) && word.lower != "a" {
            break;
        }
        from = word.range.end;
        at += 1;
    }
    (None, end, at)
}

fn small_number(word: &str) -> Option<f64> {
    Some(match word {
        "half" => 0.5,
        "a" | "an" | "one" => 1.0,
        "two" => 2.0,
        "three" => 3.0,
        "four" => 4.0,
        "five" => 5.0,
        "six" => 6.0,
        "eight" => 8.0,
        "ten" => 10.0,
        _ => return None,
    })
}

/// Whether a text is nothing but a window of the calendar: "Week 1-2", "Q3 2025", "NOW", "by March".
pub(crate) fn is_window(text: &str) -> bool {
    let found = words(text);
    let calendar = |w: &Word| is_calendar(&w.lower);
    let number = |w: &Word| w.lower.chars().all(|c| c.is_ascii_digit());
    let filler = |w: &Word| {
        matches!(
            w.lower.as_str(),
            "by" | "in" | "to" | "of" | "end" | "early" | "mid" | "late" | "onwards" | "and" | "t"
        )
    };
    found.len() <= 6
        && tokens(text).len() <= 6
        && found.iter().any(calendar)
        && found.iter().all(|w| calendar(w) || number(w) || filler(w))
}

fn is_calendar(word: &str) -> bool {
    const NAMES: &[&str] = &[
        "week",
        "weeks",
        "day",
        "days",
        "month",
        "months",
        "quarter",
        "year",
        "sprint",
        "now",
        "next",
        "later",
        "soon",
        "today",
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "jan",
        "feb",
        "mar",
        "apr",
        "jun",
        "jul",
        "aug",
        "sep",
        "sept",
        "oct",
        "nov",
        "dec",
        "spring",
        "summer",
        "autumn",
        "fall",
        "winter",
    ];
    let period = |lead: char, most: u32| {
        word.strip_prefix(lead)
            .and_then(|n| n.parse::<u32>().ok())
            .is_some_and(|n| (1..=most).contains(&n))
    };
    let year = word.len() == 4 && word.parse::<u32>().is_ok_and(|y| (2000..2100).contains(&y));
    NAMES.contains(&word) || year || period('q', 4) || period('h', 2) || period('w', 53)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        let table = [
            ("2-3 weeks", 10.0, 15.0),
            ("3-5 days", 3.0, 5.0),
            ("1 week", 5.0, 5.0),
            ("3-4 weeks per project", 15.0, 20.0),
            ("1-2 weeks (or autonomous)", 5.0, 10.0),
            ("~20-30h", 2.5, 3.75),
            ("40-50h (1-2 weeks)", 5.0, 6.25),
            ("2w", 10.0, 10.0),
            ("half a day", 0.5, 0.5),
            ("30min-1h", 0.0625, 0.125),
            ("1.5 days", 1.5, 1.5),
            ("0.5d", 0.5, 0.5),
            ("two weeks", 10.0, 10.0),
            ("2 days – 1 week", 2.0, 5.0),
            ("3 to 5 days", 3.0, 5.0),
            ("5 business days", 5.0, 5.0),
            ("6-12 months", 126.0, 252.0),
            ("Estimated 3 person-days", 3.0, 3.0),
            ("Phase 2 takes 4 days", 4.0, 4.0),
            ("1 sprint", 10.0, 10.0),
        ];
        for (text, low, high) in table {
            assert_eq!(read_duration(text), Some((low, high)), "{text}");
        }
        for text in ["TBD", "large", "5 points", "Week 1", "2025-10-09", "", "3"] {
            assert_eq!(read_duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_remark_must_be_a_duration_as_a_whole() {
        for text in [
            "30 days",
            "~2 weeks",
            "est. 3h",
            "1-2 weeks each",
            "30min-1h",
        ] {
            assert!(read_only_duration(text).is_some(), "{text}");
        }
        for text in [
            "parse 3 days of logs",
            "5 days sync window",
            "last 24h",
            "NOW",
        ] {
            assert!(read_only_duration(text).is_none(), "{text}");
        }
    }

    #[test]
    fn windows_are_of_the_calendar() {
        for text in [
            "Week 1",
            "Week 1-2",
            "Month 6+",
            "NOW",
            "Q3 2025",
            "by March 2026",
            "2025-Q1",
            "H2",
        ] {
            assert!(is_window(text), "{text}");
        }
        for text in [
            "optional",
            "EXTENSIVE",
            "61 MODULES",
            "2",
            "Week of joy",
            "v2",
        ] {
            assert!(!is_window(text), "{text}");
        }
    }
}
