//! How a failure is recognised.
//! For: the rules, in the order in which they are asked. Not for: what a class means.
//!
//! Words that one provider uses for one thing come first, words that many use for several things later, the
//! status last: a body says more than its status (a spent account is 400, 402, 403 or 429, depending on whom
//! one asks).

use super::ErrorClass::{
    BadAnswer, BadKey, BadRequest, ContextTooLong, CutOff, Forbidden, NoSuchModel, Overloaded,
    QuotaExhausted, RateLimited, Server, TimedOut, Unknown, Unreachable, WrongUrl,
};
use super::phrases::{CONNECTION, Rule, SURE, VAGUE};
use super::{Classified, Confidence, ErrorClass, ErrorFacts, Phase};

/// Bytes of a body that are looked at.
const LOOKED_AT: usize = 16 * 1024;

pub(super) fn classify(facts: &ErrorFacts<'_>) -> Classified {
    let said = said(facts);
    let status = facts
        .status
        .filter(|status| *status >= 400)
        .or_else(|| status_in(&said));
    let sure = |class| Classified {
        class,
        confidence: Confidence::High,
    };
    if let Some(class) = too_long_to_ever_fit(&said) {
        return sure(class);
    }
    if is_page(&said) {
        return Classified {
            class: page(&said, status),
            confidence: Confidence::Medium,
        };
    }
    let broke = facts.status.is_none() || facts.phase != Phase::Answered;
    if broke
        && status.is_none()
        && let Some(class) = first(CONNECTION, &said)
    {
        return sure(class);
    }
    if let Some(class) = first(SURE, &said) {
        return sure(class);
    }
    if let Some(class) = in_doubt(facts, &said, status) {
        return Classified {
            class,
            confidence: Confidence::Medium,
        };
    }
    Classified {
        class: Unknown,
        confidence: Confidence::Low,
    }
}

fn in_doubt(facts: &ErrorFacts<'_>, said: &str, status: Option<u16>) -> Option<ErrorClass> {
    if let Some(class) = status.and_then(|status| by_status(status, said)) {
        return Some(class);
    }
    if let Some(class) = first(VAGUE, said).or_else(|| first(CONNECTION, said)) {
        return Some(class);
    }
    match facts.phase {
        Phase::Connecting => Some(Unreachable),
        Phase::Waiting => Some(TimedOut),
        Phase::Streaming => Some(CutOff),
        Phase::Answered if facts.status == Some(200) => Some(BadAnswer),
        Phase::Answered => None,
    }
}

fn by_status(status: u16, said: &str) -> Option<ErrorClass> {
    Some(match status {
        400 | 409 | 411 | 415 | 422 => BadRequest,
        401 => BadKey,
        402 => QuotaExhausted,
        403 | 451 => Forbidden,
        404 | 410 if said.contains("model") => NoSuchModel,
        404 | 405 | 410 => WrongUrl,
        408 | 504 | 522 | 524 => TimedOut,
        413 => ContextTooLong,
        429 => RateLimited,
        // Local servers name their memory, and many a server its upstream's time.
        500..=599
            if ["timed out", "timeout", "deadline"]
                .iter()
                .any(|word| said.contains(word)) =>
        {
            TimedOut
        }
        503 | 529 => Overloaded,
        521 | 523 | 525 | 526 => Unreachable,
        500..=599 => Server,
        _ => return None,
    })
}

/// A web page in the place of an answer.
fn is_page(said: &str) -> bool {
    let start = said.trim_start();
    start.starts_with("<!doctype html") || start.starts_with("<html") || start.contains("<html")
}

fn page(said: &str, status: Option<u16>) -> ErrorClass {
    let title = ["504", "gateway time", "524", "timed out", "timeout"];
    if title.iter().any(|word| said.contains(word)) || matches!(status, Some(408 | 504 | 522 | 524))
    {
        return TimedOut;
    }
    if said.contains("bad gateway") {
        return Server;
    }
    if said.contains("service unavailable") || said.contains("temporarily unavailable") {
        return Overloaded;
    }
    if said.contains("too many requests") {
        return RateLimited;
    }
    match status {
        None => BadAnswer,
        Some(404 | 405) => WrongUrl,
        Some(status) => by_status(status, "").unwrap_or(BadAnswer),
    }
}

/// A single request larger than what the account may send in a minute: called a rate limit, but waiting
/// does not help.
fn too_long_to_ever_fit(said: &str) -> Option<ErrorClass> {
    contains(said, "request too large for").then_some(ContextTooLong)
}

/// The code and the text in lower case, quoted JSON within JSON unquoted, white space as one space.
fn said(facts: &ErrorFacts<'_>) -> String {
    let text = crate::text::at_most(facts.text, LOOKED_AT);
    let mut said = String::with_capacity(text.len() + 64);
    for part in [facts.code.unwrap_or_default(), text] {
        let mut chars = part.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' => {
                    if let Some('n' | 't' | 'r') = chars.peek() {
                        chars.next();
                        space(&mut said);
                    }
                }
                '’' => said.push('\''),
                c if c.is_whitespace() => space(&mut said),
                c => said.extend(c.to_lowercase()),
            }
        }
        space(&mut said);
    }
    said
}

fn space(said: &mut String) {
    if !said.ends_with(' ') {
        said.push(' ');
    }
}

/// A status that the body itself names, as `"code": 429` or `status code: 429`.
fn status_in(said: &str) -> Option<u16> {
    let names = [
        "\"code\":",
        "'code':",
        "\"status\":",
        "'status':",
        "status code:",
        "status:",
        "error code:",
        "status code ",
        "http ",
    ];
    names
        .iter()
        .find_map(|name| {
            said.match_indices(name).find_map(|(at, name)| {
                let rest = said[at + name.len()..].trim_start_matches([' ', '"', '\'']);
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                (digits.len() == 3).then(|| digits.parse().ok()).flatten()
            })
        })
        .filter(|status| (400..600).contains(status))
}

fn first(rules: &[Rule], said: &str) -> Option<ErrorClass> {
    rules
        .iter()
        .find(|(_, phrases)| phrases.iter().any(|phrase| contains(said, phrase)))
        .map(|(class, _)| *class)
}

/// Whether the parts of the phrase stand in the text in this order, none further than 200 bytes from the one
/// before.
fn contains(said: &str, phrase: &str) -> bool {
    let Some((head, rest)) = phrase.split_once('*') else {
        return said.contains(phrase);
    };
    said.match_indices(head).any(|(at, _)| {
        let from = at + head.len();
        contains(crate::text::at_most(&said[from..], 200), rest)
    })
}
