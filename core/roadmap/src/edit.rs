//! For: changing one status or check-box of a document, and no other byte. Every edit is computed on the bytes passed in,
//! so what a person wrote meanwhile stays, and is read back before it is handed out: an edit that would change
//! anything else is refused. Not for: reading or writing files.

use std::ops::Range;

use crate::analysis::{Analysis, analyse, decode, is_written};
use crate::draft::{Mark, Origin, Place};
use crate::lines::{line_end, usual_line_end};
use crate::model::{Deliverable, Item, ItemKey, Status};
use crate::nearest::nearest;
use crate::read::RoadmapError;
use crate::style::{replacements, status_line, word};
use crate::vocabulary::symbol_box_for;
use crate::words::plain;

/// A document after an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The whole document.
    pub bytes: Vec<u8>,
    /// Whether any byte changed; not where the document already said so.
    pub changed: bool,
    /// The line of the status or check-box, in the document before the edit.
    pub line: u32,
    /// What it said, empty where it said nothing.
    pub before: String,
    /// What it says.
    pub after: String,
    /// The bytes that were replaced, in document order, none overlapping. All others are as before.
    pub changes: Vec<Change>,
}

/// One replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The bytes of the old document; empty for an insertion.
    pub span: Range<usize>,
    /// What stands there now.
    pub after: String,
}

/// Why a document was not edited.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The bytes are no roadmap.
    #[error(transparent)]
    Document(#[from] RoadmapError),
    /// There is no such item (any more).
    #[error("the roadmap has no item {key}{}; it may have been removed or renamed: read the roadmap again", .nearest.as_ref().map(|n| format!(" (the nearest is {n})")).unwrap_or_default())]
    Vanished {
        /// The item asked for.
        key: ItemKey,
        /// The item whose name is most like it.
        nearest: Option<ItemKey>,
    },
    /// The item has no such deliverable.
    #[error("item {key} has no deliverable \"{which}\"; it has: {}", .known.join("; "))]
    NoDeliverable {
        /// The item.
        key: ItemKey,
        /// The text or number asked for.
        which: String,
        /// What it has.
        known: Vec<String>,
    },
    /// Several deliverables fit.
    #[error("item {key} has several deliverables like \"{which}\"; give the whole text or the number: {}", .matches.join("; "))]
    AmbiguousDeliverable {
        /// The item.
        key: ItemKey,
        /// The text asked for.
        which: String,
        /// Those that fit.
        matches: Vec<String>,
    },
    /// The deliverable is written without a check-box.
    #[error(
        "line {line} names a deliverable of {key} without a check-box; write it as \"- [ ] …\" to tick it"
    )]
    NoMark {
        /// The item.
        key: ItemKey,
        /// The line.
        line: u32,
    },
    /// The change can't be written there without changing how the rest reads. Nothing was changed.
    #[error(
        "the status of {key} can't be written near line {line} without changing how the rest reads; write it by hand"
    )]
    Unsafe {
        /// The item.
        key: ItemKey,
        /// The line of the item.
        line: u32,
    },
}

/// Sets an item's status where it stands, in the style of the document: symbols stay symbols, words keep their case and
/// markup, remarks stay. A check-box is ticked for done and cleared for planned. An item without any mark, or a check-box
/// that must say more than a tick can, gets one new line. Every place that says the item's status is brought in line.
///
/// # Errors
/// [`EditError::Vanished`], [`EditError::Unsafe`], [`EditError::Document`].
pub fn set_status(text: &[u8], key: &ItemKey, to: Status) -> Result<Edited, EditError> {
    let text = decode(text)?;
    let analysis = analyse(text);
    let at = place(&analysis, key)?;
    let item = &analysis.roadmap.items[at];
    let before = item
        .status
        .as_ref()
        .map(|mark| mark.text.clone())
        .unwrap_or_default();
    let says = item
        .status
        .as_ref()
        .map(|mark| mark.status)
        .or_else(|| analysis.roadmap.status_of(key));
    if says == Some(to) {
        return Ok(unchanged(
            text,
            item.status.as_ref().map_or(item.line, |m| m.line),
            before,
        ));
    }
    for changes in candidates(&analysis, at, to)
        .into_iter()
        .filter(|c| are_apart(c))
    {
        let bytes = apply(text, &changes);
        let again = analyse(&bytes);
        if only_status_changed(&analysis, &again, at, to) {
            let mark = again.roadmap.items[at].status.as_ref();
            let line = item.status.as_ref().map_or(item.line, |m| m.line);
            let after = mark.map(|m| m.text.clone()).unwrap_or_default();
            return Ok(Edited {
                bytes: bytes.into_bytes(),
                changed: true,
                line,
                before,
                after,
                changes,
            });
        }
    }
    Err(EditError::Unsafe {
        key: key.clone(),
        line: item.line,
    })
}

/// Ticks or clears a deliverable, named by its text (whole, or a beginning that only one has) or its number from 1.
///
/// # Errors
/// [`EditError::Vanished`], [`EditError::NoDeliverable`], [`EditError::AmbiguousDeliverable`], [`EditError::NoMark`],
/// [`EditError::Unsafe`], [`EditError::Document`].
pub fn set_deliverable(
    text: &[u8],
    key: &ItemKey,
    which: &str,
    done: bool,
) -> Result<Edited, EditError> {
    let text = decode(text)?;
    let analysis = analyse(text);
    let at = place(&analysis, key)?;
    let item = &analysis.roadmap.items[at];
    let index = find_deliverable(item, which)?;
    let deliverable = &item.deliverables[index];
    let Some(span) = deliverable.span.clone() else {
        return Err(EditError::NoMark {
            key: key.clone(),
            line: deliverable.line,
        });
    };
    let old = &text[span.clone()];
    if deliverable.done == done {
        return Ok(unchanged(text, deliverable.line, old.to_owned()));
    }
    let new = ticked(old, done);
    let changes = vec![Change {
        span,
        after: new.to_owned(),
    }];
    let bytes = apply(text, &changes);
    if !only_deliverable_changed(&analysis, &analyse(&bytes), at, index, done) {
        return Err(EditError::Unsafe {
            key: key.clone(),
            line: deliverable.line,
        });
    }
    let (before, after) = (old.to_owned(), new.to_owned());
    Ok(Edited {
        bytes: bytes.into_bytes(),
        changed: true,
        line: deliverable.line,
        before,
        after,
        changes,
    })
}

fn place(analysis: &Analysis<'_>, key: &ItemKey) -> Result<usize, EditError> {
    let vanished = || EditError::Vanished {
        key: key.clone(),
        nearest: nearest(key, &analysis.roadmap.items),
    };
    analysis
        .roadmap
        .places
        .get(key)
        .copied()
        .ok_or_else(vanished)
}

fn unchanged(text: &str, line: u32, says: String) -> Edited {
    Edited {
        bytes: text.as_bytes().to_vec(),
        changed: false,
        line,
        before: says.clone(),
        after: says,
        changes: Vec::new(),
    }
}

fn apply(text: &str, changes: &[Change]) -> String {
    let mut made = String::with_capacity(text.len() + 64);
    let mut from = 0;
    for change in changes {
        made.push_str(&text[from..change.span.start]);
        made.push_str(&change.after);
        from = change.span.end;
    }
    made.push_str(&text[from..]);
    made
}

/// Sorted changes that don't overlap: a character reference can't be replaced in part.
fn are_apart(changes: &[Change]) -> bool {
    changes
        .windows(2)
        .all(|pair| pair[0].span.end <= pair[1].span.start)
}

// --- status

/// Ways to write the status, best first.
fn candidates(analysis: &Analysis<'_>, at: usize, to: Status) -> Vec<Vec<Change>> {
    let marks: Vec<&Mark> = analysis.marks[at]
        .iter()
        .filter(|m| is_written(m))
        .collect();
    let only_box = marks.iter().all(|m| m.place == Place::Box);
    let simple = matches!(to, Status::Done | Status::Planned);
    let mut ways = Vec::new();
    if let Some(empty) = empty_cell(analysis, at, &marks, to) {
        ways.push(vec![empty]);
    } else if marks.is_empty() || (only_box && !simple) {
        let cleared: Vec<Change> = marks
            .iter()
            .flat_map(|m| changes_of(m, Status::Planned, analysis))
            .collect();
        ways.extend(
            new_lines(analysis, at, to)
                .into_iter()
                .map(|line| in_order([cleared.clone(), vec![line]].concat())),
        );
    } else {
        ways.push(in_order(
            marks
                .iter()
                .flat_map(|m| changes_of(m, to, analysis))
                .collect(),
        ));
    }
    ways
}

fn in_order(mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort_by_key(|c| (c.span.start, c.span.end));
    changes.dedup();
    changes
}

fn changes_of(mark: &Mark, to: Status, analysis: &Analysis<'_>) -> Vec<Change> {
    let text = analysis.facts.text;
    if let Some(span) = &mark.tick {
        let new = if to == Status::Done { "x" } else { " " };
        let old = &text[span.clone()];
        let same = old == new
            || (new == "x" && !matches!(old, " " | "\t" | "\u{a0}" | "~" | "/" | "-" | "!"));
        return if same {
            Vec::new()
        } else {
            vec![Change {
                span: span.clone(),
                after: new.to_owned(),
            }]
        };
    }
    let replaced = replacements(mark, to, text, &analysis.facts.legend);
    replaced
        .into_iter()
        .filter(|(span, after)| &text[span.clone()] != after)
        .map(|(span, after)| Change { span, after })
        .collect()
}

/// The status cell of a row, where it is empty.
fn empty_cell(analysis: &Analysis<'_>, at: usize, marks: &[&Mark], to: Status) -> Option<Change> {
    let Origin::Row { table, row } = analysis.origins[at] else {
        return None;
    };
    let table = &analysis.facts.doc.tables[table];
    let cell = table.rows[row]
        .cells
        .get(crate::tables::columns(table)?.status)?;
    if !marks.is_empty() || !cell.text.is_blank() {
        return None;
    }
    let words = word(to, "Planned", &analysis.facts.legend);
    let blank = &analysis.facts.text[cell.span.clone()];
    let (start, spaces) = (cell.span.start, blank.len());
    let at = if spaces > 0 { start + 1 } else { start };
    let after = if spaces > 1 {
        words
    } else if spaces == 1 {
        format!("{words} ")
    } else {
        format!(" {words} ")
    };
    Some(Change {
        span: at..at,
        after,
    })
}

/// New lines that say the status, for an item that has no place for it.
fn new_lines(analysis: &Analysis<'_>, at: usize, to: Status) -> Vec<Change> {
    let facts = &analysis.facts;
    let line = status_line(analysis);
    match analysis.origins[at] {
        Origin::Heading(id) => {
            let end = facts.doc.headings[id].own.end;
            let plain = line.write_with("", to, &facts.legend);
            let entry = line.write_with("- ", to, &facts.legend);
            // A blank line keeps what follows apart where it would run into the new line.
            let apart = format!("{plain}{}", usual_line_end(facts.text));
            [line.write(to, &facts.legend), plain, entry, apart]
                .into_iter()
                .map(|new| below(facts.text, end, &new))
                .collect()
        }
        Origin::Entry(id) => {
            let entry = &facts.doc.entries[id];
            let indent = indent_of(analysis, entry.head, entry.body.start);
            let nested = line.write_with(&format!("{indent}- "), to, &facts.legend);
            let plain = line.write_with(&indent, to, &facts.legend);
            [nested, plain]
                .into_iter()
                .map(|new| below(facts.text, entry.head_end, &new))
                .collect()
        }
        Origin::Row { .. } => Vec::new(),
    }
}

/// White space as wide as what stands before the entry's text.
fn indent_of(analysis: &Analysis<'_>, head: Option<usize>, entry: usize) -> String {
    let facts = &analysis.facts;
    let text = head
        .and_then(|line| facts.doc.lines[line].text.source_start())
        .unwrap_or(entry);
    let start = facts.doc.index.start_of(text);
    let before = facts.text[start..text].trim_start_matches('\u{feff}');
    let marker = before
        .find(|c: char| !c.is_whitespace())
        .map_or(before.len(), |at| {
            let length = before[at..]
                .find(char::is_whitespace)
                .unwrap_or(before.len() - at);
            at + length
        });
    let spaces = before[marker..]
        .chars()
        .take_while(|c| *c == ' ')
        .count()
        .clamp(1, 4);
    let lead: String = before[..marker]
        .chars()
        .map(|c| if c.is_whitespace() { c } else { ' ' })
        .collect();
    format!("{lead}{}", " ".repeat(spaces))
}

/// A line inserted below the line that holds the byte before `end`.
fn below(text: &str, end: usize, new: &str) -> Change {
    let index = crate::lines::LineIndex::new(text);
    let next = index.next_start(end.saturating_sub(1), text);
    let newline = line_end(&text[..next]);
    let own_end = if newline.is_empty() {
        usual_line_end(text)
    } else {
        newline
    };
    let after = if newline.is_empty() {
        format!("{own_end}{new}")
    } else {
        format!("{new}{own_end}")
    };
    Change {
        span: next..next,
        after,
    }
}

fn only_status_changed(old: &Analysis<'_>, new: &Analysis<'_>, at: usize, to: Status) -> bool {
    let (old, new) = (&old.roadmap, &new.roadmap);
    let same_items = old.items.len() == new.items.len()
        && old
            .items
            .iter()
            .zip(&new.items)
            .all(|(a, b)| same_but_status(a, b));
    let others = || {
        old.items
            .iter()
            .zip(&new.items)
            .enumerate()
            .filter(|(i, _)| *i != at)
    };
    let status = |item: &Item| item.status.as_ref().map(|m| m.status);
    let same_rest = old.not_understood.len() == new.not_understood.len() && old.title == new.title;
    same_rest
        && same_items
        && others().all(|(_, (a, b))| status(a) == status(b))
        && new.items.get(at).and_then(status) == Some(to)
}

/// Equal in all that is said of them but the status, wherever it stands now.
fn same_but_status(a: &Item, b: &Item) -> bool {
    let bare = |item: &Item| {
        let mut bare = item.clone();
        (bare.line, bare.body, bare.status, bare.chosen) = (0, 0..0, None, false);
        bare.estimates.iter_mut().for_each(|e| e.line = 0);
        bare.dependencies.iter_mut().for_each(|d| d.line = 0);
        bare.deliverables
            .iter_mut()
            .for_each(|d| (d.line, d.span) = (0, None));
        bare
    };
    bare(a) == bare(b)
}

// --- deliverables

fn find_deliverable(item: &Item, which: &str) -> Result<usize, EditError> {
    let wanted = plain(which);
    let texts: Vec<String> = item.deliverables.iter().map(|d| plain(&d.text)).collect();
    let fits = |test: &dyn Fn(&str) -> bool| -> Vec<usize> {
        (0..texts.len()).filter(|i| test(&texts[*i])).collect()
    };
    let whole = fits(&|t| t == wanted && !wanted.is_empty());
    let found = if whole.is_empty() {
        fits(&|t| t.starts_with(&wanted) && !wanted.is_empty())
    } else {
        whole
    };
    let numbered = which
        .trim()
        .parse::<usize>()
        .ok()
        .and_then(|n| n.checked_sub(1))
        .filter(|i| *i < texts.len());
    match (found.as_slice(), numbered) {
        ([one], None) => Ok(*one),
        // A number is an index, unless it is the whole text of one.
        ([one], Some(_)) if texts[*one] == wanted => Ok(*one),
        (_, Some(index)) => Ok(index),
        ([], None) => Err(EditError::NoDeliverable {
            key: item.key.clone(),
            which: which.to_owned(),
            known: named(&item.deliverables, 0..texts.len()),
        }),
        (several, None) => Err(EditError::AmbiguousDeliverable {
            key: item.key.clone(),
            which: which.to_owned(),
            matches: named(&item.deliverables, several.iter().copied()),
        }),
    }
}

fn named(all: &[Deliverable], which: impl Iterator<Item = usize>) -> Vec<String> {
    which
        .take(20)
        .map(|i| format!("{}. {}", i + 1, all[i].text))
        .collect()
}

fn ticked(old: &str, done: bool) -> &'static str {
    let bracket = old.chars().count() == 1 && (old.is_ascii() || matches!(old, "\u{a0}" | "✓"));
    match (bracket, done) {
        (true, true) => "x",
        (true, false) => " ",
        (false, _) => symbol_box_for(old, done),
    }
}

fn only_deliverable_changed(
    old: &Analysis<'_>,
    new: &Analysis<'_>,
    at: usize,
    index: usize,
    done: bool,
) -> bool {
    let (old, new) = (&old.roadmap.items, &new.roadmap.items);
    let own = |i: usize, item: &Item| {
        let results = item.deliverables.iter().enumerate();
        results
            .map(|(n, d)| {
                (
                    d.text.clone(),
                    if (i, n) == (at, index) { done } else { d.done },
                )
            })
            .collect::<Vec<_>>()
    };
    let status = |item: &Item| item.status.as_ref().map(|m| m.status);
    let same = |(i, (a, b)): (usize, (&Item, &Item))| {
        let now: Vec<(String, bool)> = b
            .deliverables
            .iter()
            .map(|d| (d.text.clone(), d.done))
            .collect();
        a.key == b.key && status(a) == status(b) && own(i, a) == now
    };
    old.len() == new.len() && old.iter().zip(new).enumerate().all(same)
}
