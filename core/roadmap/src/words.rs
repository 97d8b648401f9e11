//! For: telling words from symbols: emoji, decoration, and what is left of emoji that went through a wrong encoding.
//! Not for: what the words mean.

use std::ops::Range;

/// A word (letters, digits, apostrophes) and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub lower: String,
    pub range: Range<usize>,
}

/// The words of a text. Hyphens and underscores separate, so "in-progress" is two words.
pub(crate) fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        let inside = c.is_alphanumeric() || (start.is_some() && matches!(c, '\'' | '’'));
        match (inside, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                found.push(word(text, from..at));
                start = None;
            }
            _ => {}
        }
    }
    found
}

fn word(text: &str, range: Range<usize>) -> Word {
    Word {
        lower: text[range.clone()].to_lowercase().replace('’', "'"),
        range,
    }
}

/// Text that is decoration: no letters or digits in it, or only the wreck of an emoji.
pub(crate) fn is_symbol(token: &str) -> bool {
    if token.is_empty() || token.chars().any(|c| c.is_ascii_alphanumeric()) {
        return false;
    }
    !token.chars().any(char::is_alphanumeric) || is_wreck(token)
}

/// UTF-8 read as Windows-1252 (or its Turkish sister) begins with the lead byte of a three- or four-byte sequence.
fn is_wreck(token: &str) -> bool {
    let lead = matches!(
        token.chars().next(),
        Some('â' | 'ð' | 'ğ' | 'ï' | 'Â' | 'Ã')
    );
    let mut rest = token.chars().skip(1);
    lead && rest.all(|c| {
        matches!(
            c,
            '\u{80}'..='\u{bf}' | 'â' | 'ï' | 'ð' | 'ğ' | 'Ÿ' | 'š' | 'Š' | 'ž' | 'Ž' | 'œ' | 'Œ'
        ) || !c.is_alphanumeric()
    })
}

/// The end of the decoration that the text starts with, white space around it included.
pub(crate) fn leading_symbols(text: &str) -> usize {
    let mut end = text.len() - text.trim_start().len();
    while let Some(token) = next_token(&text[end..]) {
        if opens_bracket(&text[end..][token.clone()]) {
            break;
        }
        let piece = &text[end..][token.clone()];
        if !is_symbol(piece) {
            return end + glued_symbols(&text[end..], &token);
        }
        end += token.end;
        end += text[end..].len() - text[end..].trim_start().len();
    }
    end
}

fn opens_bracket(token: &str) -> bool {
    token.starts_with(['(', '['])
}

/// Of "📠Planned": the bytes before the word.
fn glued_symbols(text: &str, token: &Range<usize>) -> usize {
    let glued = text[token.clone()]
        .char_indices()
        .find(|(_, c)| c.is_alphanumeric() || c.is_ascii());
    glued.map_or(0, |(at, _)| if at == 0 { 0 } else { token.start + at })
}

/// The first run without white space.
fn next_token(text: &str) -> Option<Range<usize>> {
    let start = text.len() - text.trim_start().len();
    let end = text[start..]
        .find(char::is_whitespace)
        .map_or(text.len(), |at| start + at);
    (start < end).then_some(start..end)
}

/// The runs without white space.
pub(crate) fn tokens(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(token) = next_token(&text[from..]) {
        found.push(from + token.start..from + token.end);
        from += token.end;
    }
    found
}

/// White space collapsed, ends trimmed.
pub(crate) fn tidy(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lower-case words joined by single spaces: equal for titles that differ in case, punctuation or emoji only.
pub(crate) fn plain(text: &str) -> String {
    words(text)
        .into_iter()
        .map(|w| w.lower)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The trimmed part of a range.
pub(crate) fn trim_range(text: &str, range: Range<usize>) -> Range<usize> {
    let piece = &text[range.clone()];
    let start = range.start + (piece.len() - piece.trim_start().len());
    let end = range.end - (piece.len() - piece.trim_end().len());
    if start < end {
        start..end
    } else {
        range.start..range.start
    }
}

/// At most `limit` characters, with an ellipsis where some were left off.
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_take_hyphens_apart_and_keep_apostrophes() {
        let found: Vec<String> = words("In-progress (won’t fix) 75%")
            .into_iter()
            .map(|w| w.lower)
            .collect();
        assert_eq!(found, ["in", "progress", "won't", "fix", "75"]);
    }

    #[test]
    fn decoration_is_told_from_words() {
        for symbol in ["✅", "🏷️", "—", "âš¡", "âœ…", "ğŸ›¡ï¸", "â", "***"] {
            assert!(is_symbol(symbol), "{symbol}");
        }
        for word in ["Über", "été", "优先级", "a", "1.", "v2", "âge"] {
            assert!(!is_symbol(word), "{word}");
        }
    }

    #[test]
    fn leading_decoration_ends_at_the_first_word() {
        for (text, rest) in [
            ("🔴 PRIORITY", "PRIORITY"),
            ("📠Planned", "Planned"),
            ("âš ï¸ 60%", "60%"),
            ("(note)", "(note)"),
            ("Über", "Über"),
            ("- ✅ x", "x"),
            ("✅", ""),
        ] {
            assert_eq!(&text[leading_symbols(text)..], rest, "{text}");
        }
    }
}
