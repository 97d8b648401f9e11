//! Texts that are only looked at in part.
//! For: cutting at a character. Not for: telling that it was cut.

/// The start of a text, at most `most` bytes, cut between characters.
pub(crate) fn at_most(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}
