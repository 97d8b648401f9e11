//! What the headers of an answer say: ids, limits, and when to come back.

use crate::chat::{Allowance, Remaining};
use http::HeaderMap;
use jiff::Timestamp;

/// Nobody is told to wait longer than a week.
const LONGEST_WAIT_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

fn get<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty()).then_some(value)
}

/// The provider's id for the request.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    const NAMES: [&str; 4] = [
        "request-id",
        "x-request-id",
        "apim-request-id",
        "x-amzn-requestid",
    ];
    let id = NAMES.iter().find_map(|name| get(headers, name))?;
    Some(id.chars().take(200).collect())
}

/// What may still be asked.
pub(super) fn remaining(headers: &HeaderMap, now_ms: i64) -> Remaining {
    let of = |limit: &str, left: &str, reset: &str| {
        Some(Allowance {
            left: count(get(headers, left)?)?,
            limit: get(headers, limit).and_then(count),
            reset_ms: get(headers, reset).and_then(|text| reset_ms(text, now_ms)),
        })
    };
    let both = |what: &str| {
        let theirs = format!("anthropic-ratelimit-{what}");
        of(
            &format!("x-ratelimit-limit-{what}"),
            &format!("x-ratelimit-remaining-{what}"),
            &format!("x-ratelimit-reset-{what}"),
        )
        .or_else(|| {
            of(
                &format!("{theirs}-limit"),
                &format!("{theirs}-remaining"),
                &format!("{theirs}-reset"),
            )
        })
    };
    let plain = || {
        of(
            "x-ratelimit-limit",
            "x-ratelimit-remaining",
            "x-ratelimit-reset",
        )
    };
    Remaining {
        requests: both("requests").or_else(plain),
        tokens: both("tokens"),
        input: both("input-tokens"),
        output: both("output-tokens"),
    }
}

fn count(text: &str) -> Option<u64> {
    text.parse().ok()
}

/// Milliseconds until a limit is whole again: a length of time, a moment, or seconds since 1970.
fn reset_ms(text: &str, now_ms: i64) -> Option<u64> {
    if let Ok(number) = text.parse::<f64>() {
        return match number {
            n if n < 0.0 || !n.is_finite() => None,
            n if n >= 1e11 => Some(until(n as i64, now_ms)),
            n if n >= 1e9 => Some(until((n * 1e3) as i64, now_ms)),
            n => Some(bounded(n * 1e3)),
        };
    }
    leading_ms(text).or_else(|| moment(text).map(|then| until(then, now_ms)))
}

/// Milliseconds that a header says to wait.
pub(super) fn retry_after(headers: &HeaderMap, now_ms: i64) -> Option<u64> {
    let exact = get(headers, "retry-after-ms").and_then(|text| text.parse::<f64>().ok());
    if let Some(ms) = exact.filter(|ms| *ms >= 0.0) {
        return Some(bounded(ms));
    }
    let text = get(headers, "retry-after")?;
    match text.parse::<f64>() {
        Ok(seconds) if seconds >= 0.0 => Some(bounded(seconds * 1e3)),
        Ok(_) => None,
        Err(_) => moment(text).map(|then| until(then, now_ms)),
    }
}

/// Milliseconds since 1970 of an HTTP date or an RFC 3339 time.
fn moment(text: &str) -> Option<i64> {
    let exact = text.parse::<Timestamp>().ok();
    exact
        .or_else(|| {
            jiff::fmt::rfc2822::DateTimeParser::new()
                .parse_timestamp(text)
                .ok()
        })
        .map(Timestamp::as_millisecond)
}

fn until(then_ms: i64, now_ms: i64) -> u64 {
    u64::try_from(then_ms.saturating_sub(now_ms))
        .unwrap_or(0)
        .min(LONGEST_WAIT_MS)
}

fn bounded(ms: f64) -> u64 {
    // Rounded up: a little too late is right, a little too early is refused again.
    (ms.ceil() as u64).min(LONGEST_WAIT_MS)
}

/// The length of time at the beginning of a text: `1.2s`, `6m0s`, `20ms`, `1h2m`, `20 seconds`.
pub(super) fn leading_ms(text: &str) -> Option<u64> {
    let (mut rest, mut total, mut any) = (text.trim_start(), 0.0, false);
    while rest.starts_with(|first: char| first.is_ascii_digit()) {
        let end = rest
            .find(|next: char| !next.is_ascii_digit() && next != '.')
            .unwrap_or(rest.len());
        let Ok(number) = rest[..end].parse::<f64>() else {
            break;
        };
        let after = rest[end..].trim_start_matches(' ');
        let end = after
            .find(|next: char| !next.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let unit = match &after[..end] {
            "ms" | "millisecond" | "milliseconds" => 1.0,
            "s" | "sec" | "secs" | "second" | "seconds" => 1e3,
            "m" | "min" | "mins" | "minute" | "minutes" => 6e4,
            "h" | "hour" | "hours" => 36e5,
            "d" | "day" | "days" => 864e5,
            _ => break,
        };
        total += number * unit;
        any = true;
        rest = after[end..].trim_start_matches(' ');
    }
    any.then(|| bounded(total))
}

/// Milliseconds that a message says to wait, in the words that providers use.
pub(super) fn retry_in_words(message: &str) -> Option<u64> {
    let lower = message.to_ascii_lowercase();
    ["try again in ", "retry in ", "retry after "]
        .iter()
        .find_map(|words| {
            let at = lower.find(words)?;
            leading_ms(&lower[at + words.len()..])
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21T20:00:00Z.
    const NOW: i64 = 1_795_291_200_000;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| {
                (
                    http::HeaderName::from_static(name),
                    value.parse::<http::HeaderValue>().unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn waits_are_read_from_seconds_and_dates() {
        for (name, value, ms) in [
            ("retry-after", "20", Some(20_000)),
            ("retry-after", "0.25", Some(250)),
            ("retry-after", "Sat, 21 Nov 2026 20:00:07 GMT", Some(7_000)),
            ("retry-after", "Sat, 21 Nov 2026 19:00:00 GMT", Some(0)),
            ("retry-after", "-1", None),
            ("retry-after", "soon", None),
            ("retry-after", "99999999999", Some(LONGEST_WAIT_MS)),
            ("retry-after-ms", "1500", Some(1_500)),
            ("x-other", "1", None),
        ] {
            assert_eq!(
                retry_after(&headers(&[(name, value)]), NOW),
                ms,
                "{name}: {value}"
            );
        }
    }

    #[test]
    fn waits_are_read_from_words() {
        for (text, ms) in [
            ("Please try again in 1.2s. Contact us", Some(1_200)),
            ("Please try again in 20ms.", Some(20)),
            ("Please try again in 7m12.5s. Need more?", Some(432_500)),
            ("Please retry in 47.430182956s.", Some(47_431)),
            ("Please retry after 6 seconds.", Some(6_000)),
            ("Try again in 1 hour 2 minutes", Some(3_720_000)),
            ("try again in a moment", None),
            ("", None),
        ] {
            assert_eq!(retry_in_words(text), ms, "{text}");
        }
    }

    #[test]
    fn limits_are_read_in_each_providers_words() {
        let openai = headers(&[
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "59"),
            ("x-ratelimit-reset-requests", "1m2s"),
            ("x-ratelimit-remaining-tokens", "149984"),
            ("x-ratelimit-reset-tokens", "6ms"),
        ]);
        let allowance = |limit, left, reset_ms| {
            Some(Allowance {
                limit,
                left,
                reset_ms,
            })
        };
        assert_eq!(
            remaining(&openai, NOW),
            Remaining {
                requests: allowance(Some(60), 59, Some(62_000)),
                tokens: allowance(None, 149_984, Some(6)),
                ..Remaining::default()
            }
        );
        let anthropic = headers(&[
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2026-11-21T20:00:30Z"),
            ("anthropic-ratelimit-input-tokens-remaining", "7"),
            ("anthropic-ratelimit-output-tokens-remaining", "8"),
        ]);
        assert_eq!(
            remaining(&anthropic, NOW),
            Remaining {
                requests: allowance(Some(50), 0, Some(30_000)),
                input: allowance(None, 7, None),
                output: allowance(None, 8, None),
                ..Remaining::default()
            }
        );
        let plain = headers(&[
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1795291205000"),
        ]);
        let of = remaining(&plain, NOW).requests;
        assert_eq!(of, allowance(None, 0, Some(5_000)));
        assert!(remaining(&headers(&[]), NOW).is_empty());
    }

    #[test]
    fn the_request_is_named_by_the_header_that_each_uses() {
        for name in ["request-id", "x-request-id"] {
            assert_eq!(
                request_id(&headers(&[(name, "req_1")])).as_deref(),
                Some("req_1")
            );
        }
        assert_eq!(request_id(&headers(&[])), None);
    }
}
