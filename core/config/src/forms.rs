//! What names, addresses and amounts look like.
//! For: the predicates that kinds of values are checked by.
//! Not for: telling what is wrong with a value (`kind` does).

use std::net::{Ipv4Addr, Ipv6Addr};
use toml::de::DeValue;

/// What git's `check-ref-format --branch` accepts, less what nobody should use (`HEAD`, a leading dash).
pub(crate) fn is_branch(name: &str) -> bool {
    let bad_part = |part: &str| {
        part.is_empty() || part.starts_with('.') || part.ends_with('.') || part.ends_with(".lock")
    };
    let bad_char = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    !(name.starts_with('-')
        || name == "HEAD"
        || name == "@"
        || name.len() > 200
        || name.contains("..")
        || name.contains("@{")
        || name.contains(bad_char)
        || name.split('/').any(bad_part))
}

/// Names are part of keys, logs and branch names, so they are plain.
pub(crate) fn is_agent_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    !name.is_empty() && name.len() <= 40 && name.chars().all(plain) && !name.starts_with('-')
}

pub(crate) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// A model as its provider names it.
pub(crate) fn is_model(name: &str) -> bool {
    is_label(name) && !name.contains(char::is_whitespace)
}

/// A short text on one line.
pub(crate) fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text.chars().count() <= 200
        && text.trim() == text
        && !text.contains(char::is_control)
}

/// Provider and model of `provider/model`; a model's name may have slashes of its own.
pub(crate) fn target(text: &str) -> Option<(&str, &str)> {
    text.split_once('/')
        .filter(|(provider, model)| is_agent_name(provider) && is_model(model))
}

/// What is wrong with a base URL; it is never told what it says, because people put keys there.
#[must_use]
pub fn wrong_url(text: &str) -> Option<&'static str> {
    let Some((_, rest)) = scheme(text) else {
        return Some("it does not begin with http:// or https://");
    };
    let authority = rest.split('/').next().unwrap_or_default();
    if rest.contains('@') {
        return Some("it has a user or a password in it, which do not belong there");
    }
    if rest.contains(['?', '#']) {
        return Some("it has a query or a fragment, which do not belong there");
    }
    let plain = |c: char| c.is_ascii_graphic() && !"\\\"<>^`{|}".contains(c);
    if !rest.chars().all(plain) || text.len() > 500 {
        return Some("it has characters that no URL has, or more than 500");
    }
    match host_of(authority) {
        Some(_) => None,
        None => Some("its host or port can't be read"),
    }
}

/// Whether a good base URL is unencrypted, and its host is another machine.
#[must_use]
pub fn is_exposed(url: &str) -> bool {
    matches!(scheme(url), Some(("http", _))) && !is_here(url)
}

/// Whether a good base URL is on this machine.
pub(crate) fn is_here(url: &str) -> bool {
    let rest = scheme(url).map_or("", |(_, rest)| rest);
    let host = host_of(rest.split('/').next().unwrap_or_default()).unwrap_or_default();
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        || host.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback())
}

fn scheme(text: &str) -> Option<(&'static str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let known = ["http", "https"].into_iter();
    let mut known = known.filter(|known| scheme.eq_ignore_ascii_case(known));
    Some((known.next()?, rest))
}

/// The host of `host:port`, without the brackets of an address of IPv6.
fn host_of(authority: &str) -> Option<&str> {
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        let port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return (port && host.parse::<Ipv6Addr>().is_ok()).then_some(host);
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let named = !host.is_empty() && host.chars().all(plain);
    (named && port.is_none_or(is_port)).then_some(host)
}

/// Dollars as millionths: `5`, `5.00`, `$0.25`, at most six decimals and a million dollars.
pub(crate) fn micro_dollars(text: &str) -> Option<i64> {
    const MOST: i64 = 1_000_000_000_000;
    let text = text.trim();
    let text = text.strip_prefix('$').unwrap_or(text);
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 9 || !digits(whole) || !digits(part) || part.len() > 6 {
        return None;
    }
    let part: i64 = format!("{part:0<6}").parse().ok()?;
    let all = whole.parse::<i64>().ok()?.checked_mul(1_000_000)? + part;
    (all <= MOST).then_some(all)
}

/// Minutes that a clock is ahead of UTC: `+02:00`, `-05:30`, `Z`.
pub(crate) fn offset_minutes(text: &str) -> Option<i32> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let two = |text: &str| -> Option<i32> {
        let whole = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| whole)
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches() {
        for good in ["callboard/integration", "release-1.2", "a/b/c"] {
            assert!(is_branch(good), "{good}");
        }
        for bad in [
            "", "-x", "a b", "a..b", "a/", "/a", "a//b", ".a", "a/.b", "a.lock", "a~1", "a:b", "@",
            "a@{1}", "HEAD", "a\nb", "a.",
        ] {
            assert!(!is_branch(bad), "{bad:?}");
        }
    }

    #[test]
    fn base_urls() {
        for good in [
            "https://api.example.org/v1",
            "HTTP://127.0.0.1:11434",
            "http://[::1]:8080/x/",
            "https://a_b-c.example:443",
        ] {
            assert_eq!(wrong_url(good), None, "{good}");
        }
        for (bad, why) in [
            ("api.example.org", "begin with"),
            ("ftp://example.org", "begin with"),
            ("https://user:sk-1@example.org", "password"),
            ("https://example.org/v1?key=sk-1", "query"),
            ("https://example.org/#x", "query"),
            ("https://", "host"),
            ("https://example.org:0", "host"),
            ("https://example.org:70000/", "host"),
            ("https://exa mple.org", "characters"),
            ("https://example.org/\\x", "characters"),
            ("https://[::1", "host"),
        ] {
            let told = wrong_url(bad).unwrap_or_default();
            assert!(told.contains(why), "{bad}: {told}");
        }
    }

    #[test]
    fn what_goes_over_the_network_in_the_open() {
        for open in [
            "http://10.0.0.7",
            "http://example.org:80/v1",
            "http://127.0.0.1.example.org",
        ] {
            assert!(is_exposed(open), "{open}");
        }
        for closed in [
            "https://10.0.0.7",
            "http://localhost:1",
            "http://127.0.0.9/v1",
            "http://[::1]:8080",
        ] {
            assert!(!is_exposed(closed), "{closed}");
        }
    }

    #[test]
    fn amounts_of_money_are_exact() {
        for (text, amount) in [
            ("5", 5_000_000),
            ("5.00", 5_000_000),
            ("$0.25", 250_000),
            ("0.000001", 1),
            ("0", 0),
            ("1000000", 1_000_000_000_000),
        ] {
            assert_eq!(micro_dollars(text), Some(amount), "{text}");
        }
        for bad in [
            "",
            "-1",
            "1e3",
            "0.0000001",
            "1,5",
            "1000001",
            ".5",
            "5 dollars",
            "$",
        ] {
            assert_eq!(micro_dollars(bad), None, "{bad}");
        }
    }

    #[test]
    fn offsets_from_utc() {
        for (text, minutes) in [("Z", 0), ("+02:00", 120), ("-05:30", -330), ("+14:00", 840)] {
            assert_eq!(offset_minutes(text), Some(minutes), "{text}");
        }
        for bad in ["", "2", "+2:00", "+15:00", "02:00", "+02:60", "é1:00"] {
            assert_eq!(offset_minutes(bad), None, "{bad}");
        }
    }

    #[test]
    fn targets_are_a_provider_and_a_model() {
        assert_eq!(target("openai/gpt-4.1"), Some(("openai", "gpt-4.1")));
        assert_eq!(
            target("router/meta/llama:70b"),
            Some(("router", "meta/llama:70b"))
        );
        for bad in ["gpt-4.1", "/x", "openai/", "Open AI/x", "a/b c"] {
            assert_eq!(target(bad), None, "{bad}");
        }
    }
}
