//! Points in time as people read and write them. For: tables, and options that take one. Not for: clocks or time
//! zones; everything is UTC.

use callboard_config::parse_duration;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::time::Duration;

/// Since when, as somebody wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// So long ago.
    Ago(Duration),
    /// Milliseconds since 1970.
    At(i64),
}

impl Since {
    /// In milliseconds since 1970, when it is `now`.
    pub(crate) fn at(self, now: i64) -> i64 {
        match self {
            Since::Ago(ago) => {
                now.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX))
            }
            Since::At(at) => at,
        }
    }
}

/// Reads `7d`, `2026-11-21`, `2026-11-21T14:00Z` (RFC 3339) or `2026-11-21 14:00 UTC`, as [`utc`] writes it.
///
/// # Errors
/// A sentence that says what is allowed.
pub(crate) fn since(text: &str) -> Result<Since, String> {
    let text = text.trim();
    if let Ok(ago) = parse_duration(text) {
        return Ok(Since::Ago(ago));
    }
    let with_its_zone = text.parse::<Timestamp>().ok();
    let of_utc = || {
        let civil: DateTime = text.strip_suffix(" UTC").unwrap_or(text).parse().ok()?;
        Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    let at = with_its_zone.or_else(of_utc).ok_or(
        "expected a length of time (7d, 1h30m), a day (2026-11-21) or a time (2026-11-21T14:00Z); days are those of UTC",
    )?;
    Ok(Since::At(at.as_millisecond()))
}

/// `2026-11-21 15:40 UTC`.
pub(crate) fn utc(ms: i64) -> String {
    let minutes = ms.div_euclid(60_000);
    let (day, minute) = (minutes.div_euclid(24 * 60), minutes.rem_euclid(24 * 60));
    let (year, month, date) = civil(day);
    format!(
        "{year:04}-{month:02}-{date:02} {:02}:{:02} UTC",
        minute / 60,
        minute % 60
    )
}

/// The date of a day counted from 1970-01-01, by eras of 400 years that begin in March.
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_can_be_written_in_several_ways() {
        let day = 1_700_006_400_000;
        for (text, at) in [
            ("2023-11-15", day),
            ("2023-11-15T00:01Z", day + 60_000),
            ("2023-11-15T00:01:00.250Z", day + 60_250),
            ("2023-11-15T01:01:00+01:00", day + 60_000),
            (" 2023-11-15 00:01 ", day + 60_000),
            ("2023-11-15 00:01 UTC", day + 60_000),
        ] {
            assert_eq!(since(text), Ok(Since::At(at)), "{text}");
        }
        let ago = since("1h30m").unwrap();
        assert_eq!((ago.at(day), Since::At(7).at(day)), (day - 5_400_000, 7));
        assert_eq!(since("150000000000d").unwrap().at(0), -i64::MAX);
        for text in [
            "",
            "yesterday",
            "2023-13-01",
            "2023-02-30",
            "15.11.2023",
            "7",
        ] {
            let error = since(text).unwrap_err();
            assert!(error.contains("2026-11-21T14:00Z"), "{text}: {error}");
        }
    }

    #[test]
    fn known_moments() {
        // date -u -d @… +'%F %R'
        for (seconds, text) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_399, "2000-02-28 23:59 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_709_251_200, "2024-03-01 00:00 UTC"),
            (1_790_000_000, "2026-09-21 14:13 UTC"),
            (-1, "1969-12-31 23:59 UTC"),
        ] {
            assert_eq!(utc(seconds * 1_000), text);
        }
    }
}
