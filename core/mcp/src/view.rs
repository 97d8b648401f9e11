//! Keeping answers short.
//!
//! For: the size an answer should keep to, and cutting a text that a person or model only glances at.
//! Not for: paging through what must be complete (resources and cursors do that).

use std::borrow::Cow;

/// What an answer should stay under, in characters; clients cut or spill what is longer.
pub const ANSWER_CHARS: usize = 10_000;

/// `text` if it has at most `max` characters, else its beginning and how many more there are. Secrets in use are taken out
/// first: a piece of one would not be known for what it is.
pub fn clip(text: &str, max: usize) -> Cow<'_, str> {
    match callboard_redact::scrub(text) {
        Cow::Borrowed(text) => cut(text, max),
        Cow::Owned(clean) => Cow::Owned(cut(&clean, max).into_owned()),
    }
}

fn cut(text: &str, max: usize) -> Cow<'_, str> {
    let Some((end, _)) = text.char_indices().nth(max) else {
        return Cow::Borrowed(text);
    };
    let more = text[end..].chars().count();
    Cow::Owned(format!("{}… ({more} more characters)", &text[..end]))
}

/// `text` with its middle left out if it has more than `max` characters.
pub(crate) fn clip_middle(text: &str, max: usize) -> Cow<'_, str> {
    let count = text.chars().count();
    if count <= max {
        return Cow::Borrowed(text);
    }
    let keep = max / 2;
    let head: String = text.chars().take(keep).collect();
    let tail: String = text.chars().skip(count - keep).collect();
    Cow::Owned(format!("{head}…{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_is_left_alone() {
        assert_eq!(clip("añb", 3), "añb");
        assert_eq!(clip_middle("añb", 3), "añb");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(clip("ññññ", 1), "ñ… (3 more characters)");
        assert_eq!(clip_middle("ññxxñ", 4), "ññ…xñ");
    }
}
