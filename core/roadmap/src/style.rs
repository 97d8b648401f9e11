//! For: writing a status the way the document does: its symbols, its words, their case, its status lines.
//! Not for: where it is written (`edit`).

use std::collections::HashMap;

use crate::analysis::Analysis;
use crate::draft::{Mark, Place};
use crate::facts::is_status;
use crate::fields::Field;
use crate::legend::Legend;
use crate::model::Status;
use crate::vocabulary::{unmistakable, unmistakable_symbol};

/// How the document writes its status lines.
pub(crate) struct StatusLine {
    form: Form,
    /// Spaces that break the line.
    after: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Form {
    /// "- **Status**: "
    before: String,
    symbol: bool,
    /// Absent where a symbol alone is written.
    case: Option<Case>,
    bold: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Case {
    Upper,
    Lower,
    /// "In progress"
    Sentence,
    /// "In Progress"
    Title,
}

/// The symbol for a status at a place.
pub(crate) fn symbol(status: Status, place: Place, legend: &Legend) -> String {
    let own = legend.symbol_for(status);
    // In a title only what is hardly ever decoration is read back.
    if place == Place::Title && unmistakable(&own) != Some(status) {
        unmistakable_symbol(status).to_owned()
    } else {
        own
    }
}

/// The word for a status, in the case of the word that stood there.
pub(crate) fn word(status: Status, old: &str, legend: &Legend) -> String {
    in_case(case_of(old), &legend.phrase_for(status))
}

fn case_of(old: &str) -> Case {
    let letters: Vec<char> = old.chars().filter(|c| c.is_alphabetic()).collect();
    let initials: Vec<char> = old
        .split(|c: char| !c.is_alphabetic())
        .filter_map(|w| w.chars().next())
        .collect();
    if letters.len() > 1 && letters.iter().all(|c| c.is_uppercase()) {
        Case::Upper
    } else if initials.len() > 1 && initials.iter().all(|c| c.is_uppercase()) {
        Case::Title
    } else if initials.first().is_none_or(|c| c.is_uppercase()) {
        Case::Sentence
    } else {
        Case::Lower
    }
}

fn in_case(case: Case, phrase: &str) -> String {
    match case {
        Case::Upper => phrase.to_uppercase(),
        Case::Title => phrase
            .split(' ')
            .map(capitalised)
            .collect::<Vec<_>>()
            .join(" "),
        Case::Sentence => capitalised(phrase),
        Case::Lower => phrase.to_owned(),
    }
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

/// The most frequent form of the document's own status lines.
pub(crate) fn status_line(analysis: &Analysis<'_>) -> StatusLine {
    let facts = &analysis.facts;
    let mut seen: HashMap<Form, (usize, usize)> = HashMap::new();
    for (number, (line, fields)) in facts.doc.lines.iter().zip(&facts.fields).enumerate() {
        let Some(field) = fields
            .first()
            .filter(|f| fields.len() == 1 && is_status(f.kind))
        else {
            continue;
        };
        let usual = facts.speaks_for_section(line) && (line.entry.is_none() || line.heads_entry);
        if let Some(form) = form(analysis, number, field).filter(|_| usual) {
            seen.entry(form).or_insert((0, number)).0 += 1;
        }
    }
    let best = seen
        .into_iter()
        .max_by_key(|(_, (count, first))| (*count, std::cmp::Reverse(*first)));
    best.map_or_else(
        || default_line(analysis),
        |(form, (_, number))| StatusLine {
            form,
            after: break_after(analysis, number),
        },
    )
}

fn default_line(analysis: &Analysis<'_>) -> StatusLine {
    let symbol = analysis.marks.iter().flatten().any(|m| m.symbol.is_some());
    let form = Form {
        before: "**Status**: ".to_owned(),
        symbol,
        case: Some(Case::Sentence),
        bold: false,
    };
    StatusLine {
        form,
        after: String::new(),
    }
}

/// "- **Status**: " as it stands in the document.
fn written_before(analysis: &Analysis<'_>, number: usize, field: &Field) -> Option<String> {
    let facts = &analysis.facts;
    let line = &facts.doc.lines[number];
    let value = line.text.source(&field.value)?;
    let start = facts.doc.index.start_of(value.start);
    let before = facts
        .text
        .get(start..value.start)?
        .trim_start_matches(['\u{feff}', ' ', '\t']);
    // Bold around the value belongs to the value.
    let label_end = before
        .rfind([':', '：'])
        .map(|at| at + before[at..].chars().next().map_or(1, char::len_utf8))?;
    let closing = before[label_end..]
        .find(|c: char| c != '*' && c != '_')
        .map_or(before.len(), |at| label_end + at);
    let plain = before[..label_end].matches("**").count() % 2 == 0;
    let before = if plain {
        &before[..label_end]
    } else {
        &before[..closing]
    };
    Some(format!("{before} "))
}

/// The form of a status line whose value starts with its status.
fn form(analysis: &Analysis<'_>, number: usize, field: &Field) -> Option<Form> {
    let facts = &analysis.facts;
    let text = &facts.doc.lines[number].text;
    let found = facts.status(number, field)?;
    let start = [&found.symbol, &found.word]
        .into_iter()
        .flatten()
        .map(|r| r.start)
        .min()?;
    let case = found.word.as_ref().map(|w| case_of(&text.text[w.clone()]));
    let bold = found
        .word
        .as_ref()
        .is_some_and(|w| text.style_at(w.start).strong);
    let before = written_before(analysis, number, field)?;
    (start == field.value.start).then_some(Form {
        before,
        symbol: found.symbol.is_some(),
        case,
        bold,
    })
}

/// The spaces that break a line for those who end their lines so.
fn break_after(analysis: &Analysis<'_>, number: usize) -> String {
    let facts = &analysis.facts;
    let start = facts.doc.lines[number].text.source_start().unwrap_or(0);
    let raw = facts.text[start..facts.doc.index.next_start(start, facts.text)]
        .trim_end_matches(['\n', '\r']);
    let spaces = &raw[raw.trim_end_matches(' ').len()..];
    if spaces.len() >= 2 {
        "  ".to_owned()
    } else {
        String::new()
    }
}

impl StatusLine {
    /// A status line, without its line end.
    pub fn write(&self, status: Status, legend: &Legend) -> String {
        format!(
            "{}{}{}",
            self.form.before,
            self.value(status, legend),
            self.after
        )
    }

    /// The same with a marker of one's own in place of the document's.
    pub fn write_with(&self, marker: &str, status: Status, legend: &Legend) -> String {
        let bare = self
            .form
            .before
            .strip_prefix(['-', '*', '+'])
            .filter(|rest| rest.starts_with(' '))
            .map(str::trim_start);
        let label = bare.unwrap_or(&self.form.before);
        format!("{marker}{label}{}", self.value(status, legend))
    }

    fn value(&self, status: Status, legend: &Legend) -> String {
        let symbol = symbol(status, Place::Field, legend);
        let Some(case) = self.form.case else {
            return symbol;
        };
        let phrase = in_case(case, &legend.phrase_for(status));
        let phrase = if self.form.bold {
            format!("**{phrase}**")
        } else {
            phrase
        };
        if self.form.symbol {
            format!("{symbol} {phrase}")
        } else {
            phrase
        }
    }
}

/// What replaces each part of a mark: old bytes and new text.
pub(crate) fn replacements(
    mark: &Mark,
    status: Status,
    text: &str,
    legend: &Legend,
) -> Vec<(std::ops::Range<usize>, String)> {
    let mut found = Vec::new();
    if let Some(at) = &mark.symbol {
        // A broken emoji may have swallowed the space behind it.
        let glued = mark.word.as_ref().is_some_and(|w| w.start == at.end);
        let space = if glued { " " } else { "" };
        found.push((
            at.clone(),
            format!("{}{space}", symbol(status, mark.place, legend)),
        ));
    }
    if let Some(at) = &mark.word {
        found.push((at.clone(), word(status, &text[at.clone()], legend)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_case_of_what_stood_there() {
        let table = [
            ("COMPLETE", "IN PROGRESS"),
            ("75% COMPLETE", "IN PROGRESS"),
            ("Planned", "In progress"),
            ("In Progress", "In Progress"),
            ("planned", "in progress"),
            ("Not started", "In progress"),
        ];
        for (old, new) in table {
            assert_eq!(in_case(case_of(old), "in progress"), new, "{old}");
        }
    }
}
