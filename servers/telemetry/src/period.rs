//! Stretches of time as people write them: `today`, `7d`, `2026-11`, `2026-11-01..2026-11-21`.
//! For: from such a word and the time now to milliseconds since 1970. Days are those of UTC. Not for: time zones.

use callboard_mcp::{Line, ToolError};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};

pub(crate) const DAY: i64 = 86_400_000;
/// What a caller who says nothing means.
const USUAL: &str = "7d";
const HINT: &str = "write today, yesterday, week, month, all, 90m, 24h, 7d, a month (2026-11), a day (2026-11-21), \
a time (2026-11-21T14:00Z), or two of them with .. between (2026-11-01..2026-11-15)";

/// A word for a stretch of time, as a tool takes it.
pub(crate) type Word = Line<60>;

/// A stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Period {
    /// Its first millisecond.
    pub since: Option<i64>,
    /// The first millisecond behind it.
    pub until: Option<i64>,
}

impl Period {
    /// What `word` means at `now`; without one, the last seven days.
    pub(crate) fn of(word: Option<&str>, now: i64) -> Result<Self, ToolError> {
        let word = word.unwrap_or(USUAL).trim();
        let wrong = || {
            let word = callboard_mcp::clip(word, 60);
            ToolError::invalid(format!("period: {word:?} is no stretch of time")).hint(HINT)
        };
        let period = match word.split_once("..") {
            None => read(word, now).ok_or_else(wrong)?,
            Some((from, to)) => {
                let end = |part: &str| match part.trim() {
                    "" => Ok(Period::all()),
                    part => read(part, now).ok_or_else(wrong),
                };
                let (from, to) = (end(from)?, end(to)?);
                Period {
                    since: from.since,
                    until: to.until,
                }
            }
        };
        match (period.since, period.until) {
            (Some(since), Some(until)) if since >= until => Err(ToolError::invalid(format!(
                "period: {:?} ends before it begins",
                callboard_mcp::clip(word, 60)
            ))
            .hint("write the earlier end first")),
            _ => Ok(period),
        }
    }

    fn all() -> Self {
        Period {
            since: None,
            until: None,
        }
    }

    /// In words, for an answer: `2026-11-15 to now`.
    pub(crate) fn words(&self, now: i64) -> String {
        let from = self.since.map(moment);
        let to = self.until.filter(|until| *until <= now);
        let to = to.map_or_else(
            || "now".to_owned(),
            |until| {
                // A day that ends at midnight is named by itself, not by the next one.
                if until.rem_euclid(DAY) == 0 {
                    day(until - 1)
                } else {
                    moment(until)
                }
            },
        );
        match from {
            None => format!("the beginning to {to} (UTC)"),
            Some(from) if from == to => format!("{from} (UTC)"),
            Some(from) => format!("{from} to {to} (UTC)"),
        }
    }
}

/// `2026-11-21`, or with its time where that is not midnight.
fn moment(ms: i64) -> String {
    match (ms.rem_euclid(DAY), stamp(ms)) {
        (0, _) => day(ms),
        (_, Some(stamp)) => stamp.strftime("%Y-%m-%d %H:%M").to_string(),
        (_, None) => day(ms),
    }
}

/// `2026-11-21`.
pub(crate) fn day(ms: i64) -> String {
    stamp(ms).map_or_else(String::new, |stamp| stamp.strftime("%Y-%m-%d").to_string())
}

/// `2026-11-21T14:03:09.120Z`.
pub(crate) fn instant(ms: i64) -> String {
    stamp(ms).map_or_else(String::new, |stamp| format!("{stamp:.3}"))
}

fn stamp(ms: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(ms).ok()
}

/// One word.
fn read(word: &str, now: i64) -> Option<Period> {
    let today = now.div_euclid(DAY) * DAY;
    let from = |since| Some(between(since, None));
    match word {
        "today" => from(today),
        "yesterday" => Some(between(today - DAY, Some(today))),
        "week" => from(today - 6 * DAY),
        "month" => from(start(date(now)?.first_of_month())?),
        "all" => Some(Period::all()),
        "now" => Some(between(now, Some(now))),
        _ => ago(word, now, today).or_else(|| calendar(word)),
    }
}

/// The last so many minutes or hours, or the last so many days with this one.
fn ago(word: &str, now: i64, today: i64) -> Option<Period> {
    let unit = word.chars().last().filter(char::is_ascii_lowercase)?;
    let count = word.strip_suffix(unit)?;
    let count: i64 = Some(count)
        .filter(|count| !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit()))?
        .parse()
        .ok()?;
    let back = |each: i64| {
        count
            .checked_mul(each)
            .filter(|_| (1..=100_000).contains(&count))
    };
    let since = match unit {
        'm' => now - back(60_000)?,
        'h' => now - back(3_600_000)?,
        'd' => today - back(DAY)? + DAY,
        'w' => today - back(7 * DAY)? + DAY,
        _ => return None,
    };
    Some(between(since, None))
}

/// A day, a month or a moment.
fn calendar(word: &str) -> Option<Period> {
    if let Ok(date) = word
        .parse::<Date>()
        .or_else(|_| Date::strptime("%Y-%m-%d", word))
        && word.len() == 10
    {
        return Some(between(start(date)?, Some(start(date.tomorrow().ok()?)?)));
    }
    if word.len() == 7
        && let Ok(first) = format!("{word}-01").parse::<Date>()
    {
        return Some(between(
            start(first)?,
            Some(start(first.checked_add(1.month()).ok()?)?),
        ));
    }
    let stamp: Timestamp = word.parse().ok()?;
    let at = stamp.as_millisecond();
    Some(between(at, Some(at)))
}

fn between(since: i64, until: Option<i64>) -> Period {
    Period {
        since: Some(since),
        until,
    }
}

fn date(ms: i64) -> Option<Date> {
    Some(stamp(ms)?.to_zoned(jiff::tz::TimeZone::UTC).date())
}

fn start(date: Date) -> Option<i64> {
    let start = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(start.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21T14:30:00Z.
    const NOW: i64 = 1_795_271_400_000;
    const TODAY: i64 = 1_795_219_200_000;

    #[test]
    fn words_mean_what_people_mean() {
        let cases = [
            (None, TODAY - 6 * DAY, None),
            (Some("7d"), TODAY - 6 * DAY, None),
            (Some("week"), TODAY - 6 * DAY, None),
            (Some("1w"), TODAY - 6 * DAY, None),
            (Some("today"), TODAY, None),
            (Some("1d"), TODAY, None),
            (Some("yesterday"), TODAY - DAY, Some(TODAY)),
            (Some("month"), TODAY - 20 * DAY, None),
            (Some("2026-11"), TODAY - 20 * DAY, Some(TODAY + 10 * DAY)),
            (Some("24h"), NOW - DAY, None),
            (Some("90m"), NOW - 5_400_000, None),
            (Some("2026-11-21"), TODAY, Some(TODAY + DAY)),
            (
                Some("2026-11-20..2026-11-21"),
                TODAY - DAY,
                Some(TODAY + DAY),
            ),
            (Some("2026-11-20.."), TODAY - DAY, None),
            (Some("yesterday..yesterday"), TODAY - DAY, Some(TODAY)),
            (
                Some("2026-11-21T14:00Z..2026-11-21T14:30Z"),
                NOW - 1_800_000,
                Some(NOW),
            ),
        ];
        for (word, since, until) in cases {
            assert_eq!(
                Period::of(word, NOW).unwrap(),
                between(since, until),
                "{word:?}"
            );
        }
        assert_eq!(Period::of(Some("all"), NOW).unwrap(), Period::all());
        let until = Period::of(Some("..2026-11-20"), NOW).unwrap();
        assert_eq!((until.since, until.until), (None, Some(TODAY)));
    }

    #[test]
    fn what_is_no_time_is_refused_with_what_to_write() {
        for word in [
            "",
            "soon",
            "7",
            "d",
            "-7d",
            "0d",
            "7y",
            "2026-13",
            "2026-02-30",
            "2026",
            "1e9d",
            "99999999999d",
            "2026-11-21T14:00",
            "..x",
            "ñd",
        ] {
            let error = Period::of(Some(word), NOW).unwrap_err();
            assert!(error.message.contains("no stretch of time"), "{word}");
            assert!(error.hint.unwrap().contains("yesterday"), "{word}");
        }
        for word in ["2026-11-21..2026-11-20", "today..yesterday"] {
            let error = Period::of(Some(word), NOW).unwrap_err();
            assert!(error.message.contains("ends before it begins"), "{word}");
        }
    }

    #[test]
    fn periods_are_told_as_they_were_meant() {
        for (word, words) in [
            ("7d", "2026-11-15 to now (UTC)"),
            ("yesterday", "2026-11-20 (UTC)"),
            ("2026-10", "2026-10-01 to 2026-10-31 (UTC)"),
            ("90m", "2026-11-21 13:00 to now (UTC)"),
            ("all", "the beginning to now (UTC)"),
            ("today", "2026-11-21 to now (UTC)"),
        ] {
            assert_eq!(Period::of(Some(word), NOW).unwrap().words(NOW), words);
        }
        assert_eq!(instant(NOW), "2026-11-21T14:30:00.000Z");
    }
}
