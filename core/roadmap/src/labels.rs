//! For: the word and number that an item begins with: "PRIORITY 3.5", "Phase II", "4.2", "US-001".
//! Not for: the title after it (see `parts`) or text that names items elsewhere (see `refs`).

use crate::model::ItemKind;

/// What a heading or entry begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    pub kind: ItemKind,
    /// "priority", "us"; empty for a number alone.
    pub word: String,
    /// In lower case.
    pub number: String,
    /// Where the label ends, its separator left out.
    pub end: usize,
    /// Where what follows it starts.
    pub rest: usize,
    /// It numbers other things as often as work: "Step 1", "Part 2", "1."; it takes more to make an item.
    pub faint: bool,
}

const WORDS: &[(&str, ItemKind, bool)] = &[
    ("priority", ItemKind::Priority, false),
    ("prio", ItemKind::Priority, false),
    ("phase", ItemKind::Phase, false),
    ("tier", ItemKind::Tier, false),
    ("milestone", ItemKind::Milestone, false),
    ("option", ItemKind::Option, false),
    ("alternative", ItemKind::Option, false),
    ("variant", ItemKind::Option, false),
    ("epic", ItemKind::Labelled, false),
    ("feature", ItemKind::Labelled, false),
    ("task", ItemKind::Labelled, false),
    ("user story", ItemKind::Labelled, false),
    ("story", ItemKind::Labelled, false),
    ("goal", ItemKind::Labelled, false),
    ("objective", ItemKind::Labelled, false),
    ("stage", ItemKind::Labelled, false),
    ("sprint", ItemKind::Labelled, false),
    ("iteration", ItemKind::Labelled, false),
    ("workstream", ItemKind::Labelled, false),
    ("track", ItemKind::Labelled, false),
    ("release", ItemKind::Labelled, false),
    ("version", ItemKind::Labelled, false),
    ("initiative", ItemKind::Labelled, false),
    ("theme", ItemKind::Labelled, false),
    ("wave", ItemKind::Labelled, false),
    ("batch", ItemKind::Labelled, false),
    ("ticket", ItemKind::Labelled, false),
    ("issue", ItemKind::Labelled, false),
    ("work item", ItemKind::Labelled, false),
    ("requirement", ItemKind::Labelled, false),
    ("project", ItemKind::Labelled, false),
    ("step", ItemKind::Labelled, true),
    ("part", ItemKind::Labelled, true),
    ("level", ItemKind::Labelled, true),
    ("module", ItemKind::Labelled, true),
    ("item", ItemKind::Labelled, true),
];

/// Codes that are quarters, halves, weeks and formats more often than items.
const NO_CODES: &[&str] = &[
    "q", "h", "w", "fy", "cy", "utf", "sha", "iso", "rfc", "http", "tls", "ipv",
];

/// The label at the start of a text.
pub(crate) fn label(text: &str) -> Option<Label> {
    worded(text)
        .or_else(|| version(text))
        .or_else(|| coded(text))
        .or_else(|| numbered(text))
}

/// The canonical word for one of the words that label items, singular or plural, in lower case.
pub(crate) fn canonical(word: &str) -> Option<&'static str> {
    let singular = |w: &'static str| -> bool {
        w == word
            || word.strip_suffix('s') == Some(w)
            || (w.ends_with('y') && word.strip_suffix("ies") == w.strip_suffix('y'))
    };
    let known = WORDS.iter().map(|(w, ..)| *w).find(|w| singular(w))?;
    Some(if known == "prio" { "priority" } else { known })
}

fn worded(text: &str) -> Option<Label> {
    let fits = |(word, ..): &&(&str, ItemKind, bool)| {
        text.get(..word.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(word))
            && !text[word.len()..].starts_with(char::is_alphabetic)
    };
    let (word, kind, faint) = WORDS.iter().find(fits)?;
    let after = &text[word.len()..];
    let gap = after.len()
        - after
            .trim_start_matches([' ', '\t', '#', '-', '–', '_', '\u{a0}'])
            .len();
    let at = word.len() + gap;
    let (number, length) = number(&text[at..]).filter(|_| gap > 0)?;
    Some(finish(
        text,
        *kind,
        canonical(word).unwrap_or(word),
        number,
        at + length,
        *faint,
    ))
}

fn finish(
    text: &str,
    kind: ItemKind,
    word: &str,
    number: String,
    end: usize,
    faint: bool,
) -> Label {
    let rest = &text[end..];
    let rest = end
        + (rest.len()
            - rest
                .trim_start_matches([
                    ':', '：', '.', ')', '-', '–', '—', '|', ']', ' ', '\t', '\u{a0}',
                ])
                .len());
    Label {
        kind,
        word: word.replace(' ', "-"),
        number,
        end,
        rest,
        faint,
    }
}

/// "3.5", "1-2", "II", "A", "One", and how many bytes it takes.
pub(crate) fn number(text: &str) -> Option<(String, usize)> {
    let length = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '-'))
        .unwrap_or(text.len());
    let token = text[..length].trim_end_matches(['.', '-']);
    let next = text[token.len()..].chars().next();
    let separated = next.is_none_or(|c| {
        matches!(
            c,
            ':' | '：' | '.' | ')' | '(' | ']' | '-' | '–' | '—' | ','
        ) || c.is_whitespace()
    });
    let value = token.to_lowercase();
    if !separated || value.is_empty() {
        return None;
    }
    if is_dotted(&value) {
        return Some((value, token.len()));
    }
    let marked = next.is_none_or(|c| matches!(c, ':' | '：' | '.' | ')'))
        || text[token.len()..]
            .trim_start()
            .starts_with([':', '-', '–', '—', '(']);
    let letter = token.len() == 1 && token.starts_with(|c: char| c.is_ascii_uppercase());
    let roman =
        token.len() > 1 && token.len() < 6 && token.chars().all(|c| matches!(c, 'I' | 'V' | 'X'));
    let spelled = SPELLED.contains(&value.as_str());
    ((letter && marked) || roman || spelled).then_some((value, token.len()))
}

const SPELLED: &[&str] = &[
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "zero",
];

/// Digits in groups with dots, a letter after them, or two such with a dash.
fn is_dotted(value: &str) -> bool {
    let single = |part: &str| {
        let digits = part.trim_end_matches(|c: char| c.is_ascii_lowercase());
        part.len() - digits.len() <= 1
            && digits.split('.').all(|group| {
                (1..=4).contains(&group.len()) && group.chars().all(|c| c.is_ascii_digit())
            })
    };
    value.split('-').count() <= 2 && value.split('-').all(single)
}

/// "v1.2 – Title".
fn version(text: &str) -> Option<Label> {
    let rest = text.strip_prefix(['v', 'V'])?;
    let (value, length) = number(rest).filter(|(n, _)| is_dotted(n))?;
    Some(finish(
        text,
        ItemKind::Labelled,
        "version",
        value,
        1 + length,
        false,
    ))
}

/// "US-001: Title", "[T12] Title", "P1. Title".
fn coded(text: &str) -> Option<Label> {
    let open = usize::from(text.starts_with('['));
    let body = &text[open..];
    let letters = body
        .find(|c: char| !c.is_ascii_uppercase())
        .unwrap_or(body.len());
    let dash = usize::from(body[letters..].starts_with('-'));
    let (value, length) = number(&body[letters + dash..])
        .filter(|(n, _)| n.chars().all(|c| c.is_ascii_digit() || c == '.'))?;
    let end = open + letters + dash + length;
    let after = text[end..].trim_start();
    let word = body[..letters].to_lowercase();
    let closed = if open == 1 {
        after.starts_with(']')
    } else {
        after.starts_with([':', '.', '-', '–', '—', ')'])
    };
    let plausible = (1..=6).contains(&letters) && !NO_CODES.contains(&word.as_str());
    (plausible && closed).then(|| finish(text, ItemKind::Coded, &word, value, end, true))
}

/// "1. Title", "4.2 Title", "#3: Title", "1️⃣ Title"; not "3 ways" or "2025-10-09".
fn numbered(text: &str) -> Option<Label> {
    let hash = usize::from(text.starts_with('#'));
    let body = &text[hash..];
    let length = body
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(body.len());
    let value = body[..length].trim_end_matches('.');
    let after = &body[value.len()..];
    let keycap = after
        .trim_start_matches('\u{fe0f}')
        .strip_prefix('\u{20e3}');
    let single = !value.contains('.');
    let spaced = after.is_empty() || after.starts_with(char::is_whitespace);
    let pointed = after
        .strip_prefix(['.', ')', ':', '：'])
        .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric));
    let dashed = spaced && after.trim_start().starts_with(['-', '–', '—']);
    let counts = is_dotted(value) && value.split('.').all(|group| group.len() <= 3);
    let shaped = keycap.is_some() || pointed || dashed || (spaced && (!single || hash == 1));
    if !(counts && shaped) {
        return None;
    }
    let end = hash + value.len();
    let mut found = finish(text, ItemKind::Numbered, "", value.to_owned(), end, true);
    if let Some(rest) = keycap {
        let from = text.len() - rest.len();
        found.rest = from + (rest.len() - rest.trim_start().len());
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_label_and_rest() {
        let table = [
            ("PRIORITY 3.5: Error page", "priority", "3.5", "Error page"),
            ("Phase 3: Metrics", "phase", "3", "Metrics"),
            ("TIER 10: CONFIG", "tier", "10", "CONFIG"),
            ("4.2 Run executor", "", "4.2", "Run executor"),
            ("1. Core", "", "1", "Core"),
            ("2) Next", "", "2", "Next"),
            ("Option A: Router", "option", "a", "Router"),
            ("Phase II — Build", "phase", "ii", "Build"),
            ("Phase One: Go", "phase", "one", "Go"),
            ("Phase 1-2: Both", "phase", "1-2", "Both"),
            ("Milestone #4", "milestone", "4", ""),
            ("US-001: Login", "us", "001", "Login"),
            ("[T12] Index", "t", "12", "Index"),
            ("v1.2 – Sync", "version", "1.2", "Sync"),
            ("#3: Cache", "", "3", "Cache"),
            ("1️⃣ First", "", "1", "First"),
            ("User Story 7 - Logout", "user-story", "7", "Logout"),
            ("Phase 2a: Polish", "phase", "2a", "Polish"),
            ("Prio 1: X", "priority", "1", "X"),
            ("Phase 1", "phase", "1", ""),
            ("Phase 1.1 (optional)", "phase", "1.1", "(optional)"),
            ("Phase-2: y", "phase", "2", "y"),
        ];
        for (text, word, number, rest) in table {
            let found = label(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(
                (
                    found.word.as_str(),
                    found.number.as_str(),
                    &text[found.rest..]
                ),
                (word, number, rest),
                "{text}"
            );
        }
    }

    #[test]
    fn other_text_has_no_label() {
        for text in [
            "Priority Modules",
            "3 ways to fail",
            "2025-10-09 notes",
            "Week 1: x",
            "Option pricing",
            "Phased work",
            "Q3 2025: x",
            "Tier list",
            "Phase a draft",
            "",
            "UTF-8: support",
            "Features",
            "Project: Langfuse",
            "Risk: x",
            "K8s: move",
        ] {
            assert_eq!(label(text), None, "{text}");
        }
    }

    #[test]
    fn plurals_have_the_same_word() {
        assert_eq!(canonical("priorities"), Some("priority"));
        assert_eq!(
            (
                canonical("phases"),
                canonical("stories"),
                canonical("phaser")
            ),
            (Some("phase"), Some("story"), None)
        );
    }
}
