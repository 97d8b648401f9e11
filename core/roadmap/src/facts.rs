//! For: what each line of a document is, found once: its fields, the document's legend, the status of a value.
//! Not for: which item a line belongs to (see `gather`).

use crate::blocks::{Document, Line};
use crate::fields::{Field, FieldKind, fields};
use crate::legend::Legend;
use crate::marks::{Found, read_value};
use crate::model::{Looks, NotUnderstood};
use crate::tables;
use crate::words::{shorten, tidy};

/// A document with its lines recognised.
pub(crate) struct Facts<'t> {
    pub text: &'t str,
    pub doc: Document,
    /// For each line of the document.
    pub fields: Vec<Vec<Field>>,
    pub legend: Legend,
}

impl<'t> Facts<'t> {
    pub fn new(text: &'t str, doc: Document) -> Self {
        let fields: Vec<Vec<Field>> = doc.lines.iter().map(|line| fields(&line.text)).collect();
        let mut legend = Legend::default();
        for (line, found) in doc.lines.iter().zip(&fields) {
            for field in found.iter().filter(|f| is_status(f.kind)) {
                legend.learn(&line.text.text[field.value.clone()]);
            }
        }
        tables::learn(&doc, &mut legend);
        Self {
            text,
            doc,
            fields,
            legend,
        }
    }

    /// The value of a field of a line.
    pub fn value(&self, line: usize, field: &Field) -> &str {
        &self.doc.lines[line].text.text[field.value.clone()]
    }

    /// The status that a field says, its ranges in the rendered line.
    pub fn status(&self, line: usize, field: &Field) -> Option<Found> {
        let found = read_value(self.value(line, field), &self.legend)?;
        let moved =
            |r: std::ops::Range<usize>| r.start + field.value.start..r.end + field.value.start;
        Some(Found {
            symbol: found.symbol.map(moved),
            word: found.word.map(moved),
            ..found
        })
    }

    /// Whether the line's fields speak for the section it stands in: not those of nested entries or quotations.
    pub fn speaks_for_section(&self, line: &Line) -> bool {
        !line.quoted
            && line
                .entry
                .is_none_or(|entry| line.heads_entry && self.doc.entries[entry].depth == 0)
    }
}

pub(crate) fn is_status(kind: FieldKind) -> bool {
    matches!(kind, FieldKind::Status | FieldKind::LooseStatus)
}

/// A line that was left out.
pub(crate) fn left_out(
    line: u32,
    text: &str,
    what: Looks,
    reason: impl Into<String>,
) -> NotUnderstood {
    NotUnderstood {
        line,
        text: shorten(&tidy(text.get(..600).unwrap_or(text)), 120),
        what,
        reason: reason.into(),
    }
}
