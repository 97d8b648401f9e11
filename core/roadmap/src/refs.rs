//! For: what text means when it names items: "Requires PRIORITY 1 (…) completed", "Priorities 3 & 4", "1, 2", "US-7",
//! a title, "all other priorities". Not for: where dependencies are written.

use std::collections::HashMap;

use crate::draft::{Draft, Need};
use crate::labels;
use crate::model::{ItemKind, Need as Binding};
use crate::parts::Parts;
use crate::words::{plain, words};

/// Text of a dependency that is looked at; what is longer is prose.
const READ_AT_MOST: usize = 600;
/// Names of one dependency that are followed.
const NAMES_AT_MOST: usize = 200;

/// A name in a text: the word it is labelled by (empty for a number alone) and its number.
type Name = (String, String);

/// Finds the one item that a heading or row names.
pub(crate) struct Mentions {
    by_label: HashMap<Name, Option<usize>>,
    by_title: HashMap<String, Option<usize>>,
}

impl Mentions {
    pub fn new(drafts: &[Draft]) -> Self {
        let mut by_label: HashMap<Name, Option<usize>> = HashMap::new();
        let mut by_title: HashMap<String, Option<usize>> = HashMap::new();
        for (index, draft) in drafts.iter().enumerate() {
            if let Some(number) = draft.number.clone().filter(|_| !draft.word.is_empty()) {
                by_label
                    .entry((draft.word.clone(), number))
                    .and_modify(|one| *one = None)
                    .or_insert(Some(index));
            }
            let title = plain(&draft.parts.title);
            by_title
                .entry(title)
                .and_modify(|one| *one = None)
                .or_insert(Some(index));
        }
        Self { by_label, by_title }
    }

    /// The item, if the text names exactly one by its label.
    pub fn only(&self, text: &str) -> Option<usize> {
        let found = names(head(text));
        let [name] = found.as_slice() else {
            return None;
        };
        self.by_label.get(name).copied().flatten()
    }

    /// The item that a row stands for.
    pub fn row(&self, text: &str, parts: &Parts) -> Option<usize> {
        let by_title = || self.by_title.get(&plain(&parts.title)).copied().flatten();
        let label = parts.label.as_ref().filter(|l| !l.word.is_empty());
        let by_label = label.and_then(|l| {
            self.by_label
                .get(&(l.word.clone(), l.number.clone()))
                .copied()
                .flatten()
        });
        by_label
            .or_else(by_title)
            .filter(|_| !text.trim().is_empty())
    }
}

fn head(text: &str) -> &str {
    text.char_indices()
        .nth(READ_AT_MOST)
        .map_or(text, |(at, _)| &text[..at])
}

/// The labelled items that a text names: a word that labels items, and the numbers behind it.
fn names(text: &str) -> Vec<Name> {
    let mut found: Vec<Name> = Vec::new();
    let mut skip_to = 0;
    for word in words(text) {
        if word.range.start < skip_to || found.len() >= NAMES_AT_MOST {
            continue;
        }
        let Some(label) = labels::canonical(&word.lower) else {
            continue;
        };
        let (numbers, end) = numbers(text, word.range.end);
        skip_to = end;
        found.extend(numbers.into_iter().map(|n| (label.replace(' ', "-"), n)));
    }
    found.extend(codes(text));
    let mut seen = std::collections::HashSet::new();
    found.retain(|name| seen.insert(name.clone()));
    found
}

/// "3 & 4", "1-3, 5", "A or B" at the given place, and where they end. A range is left as "1-3".
fn numbers(text: &str, from: usize) -> (Vec<String>, usize) {
    let mut found = Vec::new();
    let mut at = from;
    let mut end = from;
    loop {
        let gap = separator(&text[at..], found.is_empty());
        let Some(gap) = gap else { break };
        let Some((number, length)) = one_number(&text[at + gap..]) else {
            break;
        };
        found.push(number);
        at += gap + length;
        end = at;
    }
    (found, end)
}

/// White space, commas and words between numbers.
fn separator(text: &str, first: bool) -> Option<usize> {
    let mut rest = text;
    let mut joined = first;
    loop {
        let before = rest.len();
        rest = rest.trim_start_matches([' ', '\u{a0}', '#', '\t']);
        if !first {
            for joint in [",", "&", "/", "+", "and ", "or ", "und "] {
                if let Some(after) = rest.strip_prefix(joint) {
                    rest = after;
                    joined = true;
                }
            }
        }
        if rest.len() == before {
            break;
        }
    }
    joined.then_some(text.len() - rest.len())
}

fn one_number(text: &str) -> Option<(String, usize)> {
    if let Some(found) = range(text) {
        return Some(found);
    }
    let token = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .unwrap_or("");
    let letter = token.len() == 1 && token.starts_with(|c: char| c.is_ascii_uppercase());
    if letter {
        return Some((token.to_lowercase(), 1));
    }
    labels::number(text).or_else(|| {
        // "2's", "2;": whatever follows a plain number.
        let length = text
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(text.len());
        let value = text[..length].trim_end_matches('.');
        let clear = !value.is_empty()
            && !text[value.len()..].starts_with(|c: char| c.is_ascii_alphabetic());
        clear.then(|| (value.to_owned(), value.len()))
    })
}

/// "1-3", "1 – 3", "1 to 3", "1 through 3".
fn range(text: &str) -> Option<(String, usize)> {
    let digits = |t: &str| t.len() - t.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let first = digits(text);
    let rest = text[first..].trim_start();
    let after = ["–", "—", "-", "to ", "through "]
        .iter()
        .find_map(|d| rest.strip_prefix(d))?
        .trim_start();
    let second = digits(after);
    let ends = !after[second..].starts_with(|c: char| c.is_alphanumeric());
    let whole = first > 0 && second > 0 && ends && first < 6 && second < 6;
    let length = text.len() - after.len() + second;
    whole.then(|| (format!("{}-{}", &text[..first], &after[..second]), length))
}

/// "US-001", "v1.2" anywhere in a text.
fn codes(text: &str) -> impl Iterator<Item = Name> + '_ {
    let pieces = text.split(|c: char| {
        c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')' | '&' | '+' | '"' | '`')
    });
    pieces.filter(|p| p.len() < 20).filter_map(|piece| {
        let bare = piece.trim_matches(['.', ':', '[', ']', '*', '/']);
        let code = bare.starts_with(|c: char| c.is_ascii_alphabetic())
            && bare.ends_with(|c: char| c.is_ascii_digit());
        let label = labels::label(&format!("{bare}:")).filter(|_| code)?;
        (!label.word.is_empty() && label.kind != ItemKind::Numbered)
            .then_some((label.word, label.number))
    })
}

/// What a dependency means besides the names in it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    #[default]
    Named,
    /// "None".
    Nothing,
    AllOthers,
    /// "All of the above".
    AllPrevious,
    Previous,
}

/// What a dependency's text says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub names: Vec<Name>,
    pub titles: Vec<String>,
    pub reach: Reach,
}

pub(crate) fn binding(need: &Need) -> Binding {
    let first = plain(head(&need.text));
    if need.blocker {
        Binding::Blocker
    } else if [
        "recommended",
        "ideally",
        "preferably",
        "nice",
        "optional",
        "optionally",
        "suggested",
    ]
    .iter()
    .any(|w| first.split(' ').next() == Some(w))
    {
        Binding::Recommended
    } else {
        Binding::Required
    }
}

/// Reads a dependency's text.
pub(crate) fn wanted(text: &str) -> Wanted {
    let text = head(text);
    let said = plain(text);
    let first = said.split(' ').next().unwrap_or("");
    let nothing = said.is_empty()
        || matches!(first, "none" | "nothing" | "nil" | "na")
        || said.starts_with("n a")
        || said.starts_with("no ")
        || said == "no"
        || [
            "all met",
            "met",
            "satisfied",
            "all satisfied",
            "already met",
            "fulfilled",
        ]
        .iter()
        .any(|met| said == *met || said.starts_with(&format!("{met} ")));
    if nothing {
        return Wanted {
            reach: Reach::Nothing,
            ..Wanted::default()
        };
    }
    let mut names = names(text);
    if names.is_empty() {
        names = bare_numbers(text);
    }
    let titles = if names.is_empty() {
        titles(text)
    } else {
        Vec::new()
    };
    Wanted {
        names,
        titles,
        reach: reach(&said),
    }
}

/// What plain words reach for; "all of the above" before "all others".
fn reach(said: &str) -> Reach {
    const ALL_PREVIOUS: &[&str] = &[
        "all previous",
        "all of the above",
        "all above",
        "all the above",
        "everything above",
        "all preceding",
        "all prior",
        "all earlier",
    ];
    const ALL_OTHERS: &[&str] = &[
        "all other",
        "all others",
        "everything else",
        "all the others",
        "all the rest",
    ];
    const PREVIOUS: &[&str] = &["previous", "prior phase", "preceding"];
    let padded = format!(" {said} ");
    let has = |phrases: &[&str]| phrases.iter().any(|p| padded.contains(&format!(" {p} ")));
    if has(ALL_PREVIOUS) {
        Reach::AllPrevious
    } else if has(ALL_OTHERS) || names_all(said) {
        Reach::AllOthers
    } else if has(PREVIOUS) {
        Reach::Previous
    } else {
        Reach::Named
    }
}

/// "all priorities", "all phases".
fn names_all(said: &str) -> bool {
    let found: Vec<&str> = said.split(' ').collect();
    found.windows(2).any(|pair| {
        pair[0] == "all" && pair[1].ends_with('s') && labels::canonical(pair[1]).is_some()
    })
}

/// "1, 2 and 4.1": a text that is nothing but numbers.
fn bare_numbers(text: &str) -> Vec<Name> {
    let bare = text.split('(').next().unwrap_or(text).trim();
    let bare = ["requires", "needs", "after", "on"]
        .iter()
        .find_map(|w| {
            bare.get(..w.len())
                .filter(|h| h.eq_ignore_ascii_case(w))
                .map(|_| &bare[w.len()..])
        })
        .unwrap_or(bare);
    let (found, end) = numbers(bare, 0);
    let rest = plain(&bare[end..]);
    let closed = rest.is_empty()
        || matches!(
            rest.as_str(),
            "completed" | "complete" | "done" | "finished" | "first" | "is done" | "are done"
        );
    let numeric = found
        .iter()
        .all(|n| n.starts_with(|c: char| c.is_ascii_digit()));
    if closed && numeric {
        found.into_iter().map(|n| (String::new(), n)).collect()
    } else {
        Vec::new()
    }
}

/// The pieces of a text that may be titles, each as plain words.
fn titles(text: &str) -> Vec<String> {
    const BEFORE: &[&str] = &[
        "requires",
        "require",
        "needs",
        "after",
        "completion",
        "of",
        "the",
        "on",
        "depends",
        "recommended",
        "ideally",
        "both",
        "finishing",
    ];
    const AFTER: &[&str] = &[
        "completed",
        "complete",
        "done",
        "finished",
        "first",
        "is",
        "are",
        "to",
        "be",
        "merged",
        "ready",
        "item",
        "task",
    ];
    let mut found = Vec::new();
    let mut add = |piece: &str| {
        let said = plain(piece);
        let mut rest: Vec<&str> = said.split(' ').collect();
        found.push(said.clone());
        while rest.len() > 1 && rest.first().is_some_and(|w| BEFORE.contains(w)) {
            rest.remove(0);
        }
        found.push(rest.join(" "));
        while rest.len() > 1 && rest.last().is_some_and(|w| AFTER.contains(w)) {
            rest.pop();
        }
        found.push(rest.join(" "));
    };
    add(text);
    for piece in text.split([',', ';', '&', '+', '(']) {
        add(piece);
        piece.split(" and ").for_each(&mut add);
    }
    found.retain(|piece| !piece.is_empty());
    found.truncate(NAMES_AT_MOST);
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Vec<String> {
        wanted(text)
            .names
            .into_iter()
            .map(|(w, n)| format!("{w} {n}").trim().to_owned())
            .collect()
    }

    #[test]
    fn finds_names_in_prose() {
        let table: [(&str, &[&str]); 12] = [
            (
                "Requires PRIORITY 1 (Analytics & Observability) completed",
                &["priority 1"],
            ),
            (
                "Recommended after Streamlit apps (Priorities 3 & 4)",
                &["priority 3", "priority 4"],
            ),
            ("1, 2", &["1", "2"]),
            ("1 and 4.2", &["1", "4.2"]),
            ("Phase 2", &["phase 2"]),
            ("Phases 1-3", &["phase 1-3"]),
            ("US-7, US-8", &["us 7", "us 8"]),
            ("Option A or B", &["option a", "option b"]),
            ("#3", &["3"]),
            (
                "Milestone 2 and Phase 1.1 done",
                &["milestone 2", "phase 1.1"],
            ),
            ("requires Python 3", &[]),
            ("1–3", &["1-3"]),
        ];
        for (text, expected) in table {
            assert_eq!(named(text), expected, "{text}");
        }
    }

    #[test]
    fn understands_all_and_none() {
        for text in [
            "None",
            "None (foundational)",
            "All met ✅ (by others)",
            "N/A",
            "-",
            "—",
            "nothing",
            "no dependencies",
        ] {
            assert!(wanted(text).reach == Reach::Nothing, "{text}");
        }
        for text in [
            "AFTER all other priorities",
            "To be done AFTER all other priorities",
            "everything else",
            "all phases",
        ] {
            assert!(wanted(text).reach == Reach::AllOthers, "{text}");
        }
        assert_eq!(wanted("all of the above").reach, Reach::AllPrevious);
        assert_eq!(wanted("Previous phase").reach, Reach::Previous);
        assert_eq!(wanted("small other things").reach, Reach::Named);
    }

    #[test]
    fn offers_pieces_as_titles() {
        let found = titles("the parser, Cache layer and Login completed");
        for title in ["parser", "cache layer", "login"] {
            assert!(found.iter().any(|t| t == title), "{title} in {found:?}");
        }
    }
}
