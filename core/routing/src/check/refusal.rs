//! Whether a model declines.
//!
//! For: what providers say in a field of its own, and wording that means nothing else. Not for: answers that mention
//! what they can't do and then help: a refusal that goes unseen costs nothing, one that is imagined costs a dear call.

use super::{Form, schema::shortened};
use crate::chat::{Finish, Part, Reply};

/// A refusal is short; what goes on for longer says something besides.
const LONGEST: usize = 400;

/// Why it declines, if it does.
pub(super) fn of(reply: &Reply, form: &Form) -> Option<String> {
    let said = reply.parts.iter().find_map(|part| match part {
        Part::Refusal { text } => Some(shortened(text.trim())),
        _ => None,
    });
    if said.is_some() {
        return said;
    }
    let text = reply.text();
    let text = text.trim();
    if reply.finish == Finish::Refused {
        let word = reply.finish_word.as_deref().unwrap_or("refused");
        let why = if text.is_empty() { word } else { text };
        return Some(shortened(why));
    }
    let only_words = reply
        .parts
        .iter()
        .all(|part| matches!(part, Part::Text { .. } | Part::Thinking { .. }));
    // What is JSON as it should be is an answer, whatever is in it.
    let is_json = !matches!(form, Form::Any) && text.starts_with(['{', '[', '"']);
    (only_words && !is_json && declines(text)).then(|| shortened(text))
}

/// Whether the text begins "(I'm sorry, but) I can't help with that." in one of its usual forms.
fn declines(text: &str) -> bool {
    if text.chars().count() > LONGEST {
        return false;
    }
    let text = text.to_lowercase().replace('’', "'");
    let mut rest = text.as_str();
    rest = without(
        rest,
        &[
            "i'm sorry",
            "i am sorry",
            "i'm very sorry",
            "sorry",
            "i apologize",
            "i apologise",
            "unfortunately",
        ],
    )
    .unwrap_or(rest);
    rest = rest.trim_start_matches([',', '.', '!', ' ']);
    rest = without(rest, &["but "]).unwrap_or(rest);
    let Some(rest) = without(
        rest,
        &[
            "i can't ",
            "i cannot ",
            "i can not ",
            "i'm unable to ",
            "i am unable to ",
            "i'm not able to ",
            "i am not able to ",
            "i won't ",
            "i will not ",
            "i must decline to ",
        ],
    ) else {
        return false;
    };
    let Some(rest) = without(
        rest,
        &[
            "assist with ",
            "assist you with ",
            "help with ",
            "help you with ",
            "comply with ",
            "fulfill ",
            "fulfil ",
        ],
    ) else {
        return false;
    };
    let Some(rest) = without(
        rest,
        &[
            "that request",
            "this request",
            "your request",
            "that",
            "this",
        ],
    ) else {
        return false;
    };
    // "I can't help with that file" says something about a file.
    rest.is_empty() || rest.starts_with(['.', '!'])
}

fn without<'t>(text: &'t str, beginnings: &[&str]) -> Option<&'t str> {
    beginnings.iter().find_map(|some| text.strip_prefix(some))
}
