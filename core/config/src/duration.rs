//! Lengths of time as people write them: `90s`, `30m`, `1h30m`, `500ms`.
//! For: configuration values and command-line flags.
//! Not for: dates or clocks. A number without a unit is refused, since nobody agrees on what it means.

use std::time::Duration;

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads `1h30m`, `90s`, `250ms`; units are `d h m s ms`, whole numbers only.
///
/// # Errors
/// A sentence that says what is allowed.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let trimmed = text.trim();
    let millis = total_millis(trimmed).filter(|_| !trimmed.is_empty());
    millis.map(Duration::from_millis).ok_or_else(|| {
        "expected a length of time with its unit, like \"90s\", \"30m\" or \"1h30m\" (d, h, m, s, ms)"
            .to_owned()
    })
}

fn total_millis(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (part, after) = next_part(rest)?;
        total = total.checked_add(part)?;
        rest = after.trim_start();
    }
    Some(total)
}

fn next_part(text: &str) -> Option<(u64, &str)> {
    let (number, rest) = split_where(text, |c| !c.is_ascii_digit());
    let (unit, rest) = split_where(rest, |c| !c.is_ascii_alphabetic());
    let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
    Some((number.parse::<u64>().ok()?.checked_mul(*millis)?, rest))
}

fn split_where(text: &str, stop: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(stop).unwrap_or(text.len()))
}

/// Writes a length of time the way [`parse_duration`] reads it, rounded down to milliseconds.
#[must_use]
pub fn format_duration(length: Duration) -> String {
    let mut rest = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, millis) in UNITS {
        let count = rest / millis;
        rest %= millis;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, millis) in [
            ("90s", 90_000),
            ("30m", 1_800_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("250ms", 250),
            ("2d", 172_800_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_what_could_mean_two_things() {
        for text in [
            "",
            "30",
            "m",
            "-5s",
            "1.5h",
            "5 minutes",
            "99999999999999999999s",
            "1h-",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        for text in ["90s", "1h30m", "250ms", "1d2h3m4s5ms", "0s"] {
            let length = parse_duration(text).unwrap();
            assert_eq!(parse_duration(&format_duration(length)), Ok(length));
        }
        assert_eq!(format_duration(Duration::from_secs(90)), "1m30s");
    }
}
