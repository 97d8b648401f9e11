//! For: deciding which list entries are items, in documents that plan with lists instead of headings.
//! Not for: entries below a headed item, which are its deliverables or its text.
//!
//! Only entries of outermost lists count, outside of quotations, headed items and sections that read as guidance.
//! 1. Beside headed items or tables: check-boxes in a section for tasks ("Backlog", "Next", "Done").
//! 2. Else, where any entry is a check-box: the check-boxes.
//! 3. Else, where any entry's title has a status mark: the lists that have one; else the numbered lists, and where there
//!    are none, all of them; in both cases also the lists in which an entry has a status line.

use std::collections::HashSet;

use crate::blocks::{Entry, EntryId};
use crate::facts::{Facts, is_status};
use crate::outline::{Outline, is_about, is_task_section};
use crate::parts::{Parts, parts};
use crate::words::plain;

/// The entries that are items, in document order, with their titles taken apart.
pub(crate) fn items(
    facts: &Facts<'_>,
    outline: &Outline,
    in_item: &[bool],
    others: bool,
) -> Vec<(EntryId, Parts)> {
    let eligible = |id: &EntryId| is_eligible(facts, outline, in_item, &facts.doc.entries[*id]);
    let ids: Vec<EntryId> = (0..facts.doc.entries.len()).filter(eligible).collect();
    let boxed: Vec<EntryId> = ids
        .iter()
        .copied()
        .filter(|id| facts.doc.entries[*id].check_box.is_some())
        .collect();
    let chosen = if others {
        let for_tasks = |id: &EntryId| {
            section_titles(facts, outline, &facts.doc.entries[*id]).any(is_task_section)
        };
        boxed.into_iter().filter(for_tasks).collect()
    } else if boxed.is_empty() {
        unboxed(facts, outline, &ids)
    } else {
        boxed
    };
    let taken_apart = |id: EntryId| head_parts(facts, id).map(|p| (id, p));
    chosen
        .into_iter()
        .filter_map(taken_apart)
        .filter(|(_, p)| !plain(&p.title).is_empty())
        .collect()
}

/// The sections around an entry, innermost first, without the document as a whole.
fn section_titles<'f>(
    facts: &'f Facts<'_>,
    outline: &Outline,
    entry: &Entry,
) -> impl Iterator<Item = &'f str> {
    let (mut next, title) = (entry.section, outline.title);
    std::iter::from_fn(move || {
        let heading = &facts.doc.headings[next.filter(|id| Some(*id) != title)?];
        next = heading.parent;
        Some(heading.text.text.as_str())
    })
}

fn is_eligible(facts: &Facts<'_>, outline: &Outline, in_item: &[bool], entry: &Entry) -> bool {
    let head = entry
        .head
        .filter(|_| entry.parent.is_none() && !entry.quoted);
    let free = entry
        .section
        .is_none_or(|s| !in_item[s] && !outline.guidance[s]);
    // Below the title of the whole document stand its own fields.
    free && head
        .is_some_and(|line| facts.fields[line].is_empty() && !facts.doc.lines[line].text.is_blank())
}

fn unboxed(facts: &Facts<'_>, outline: &Outline, ids: &[EntryId]) -> Vec<EntryId> {
    let entry = |id: &EntryId| &facts.doc.entries[*id];
    let lists = |marked: &dyn Fn(&EntryId) -> bool| -> HashSet<usize> {
        let marked = ids.iter().filter(|id| marked(id));
        marked.map(|id| entry(id).list).collect()
    };
    let with_line = entries_with_status(facts);
    let by_line = lists(&|id| with_line.contains(id));
    let by_title = lists(&|id| head_parts(facts, *id).is_some_and(|p| p.mark.is_some()));
    let plans = |id: &EntryId| !section_titles(facts, outline, entry(id)).any(is_about);
    let numbered = ids
        .iter()
        .any(|id| entry(id).ordinal.is_some() && plans(id));
    let unmarked = |id: &EntryId| plans(id) && (!numbered || entry(id).ordinal.is_some());
    let chosen = |id: &EntryId| {
        let usual = if by_title.is_empty() {
            unmarked(id)
        } else {
            by_title.contains(&entry(id).list)
        };
        // A status line adds its list and takes none away.
        usual || by_line.contains(&entry(id).list)
    };
    ids.iter().copied().filter(chosen).collect()
}

/// Entries with a nested "Status: …".
fn entries_with_status(facts: &Facts<'_>) -> HashSet<EntryId> {
    let mut found = HashSet::new();
    for (line, fields) in facts.doc.lines.iter().zip(&facts.fields) {
        let Some(entry) = line
            .entry
            .filter(|_| fields.iter().any(|f| is_status(f.kind)))
        else {
            continue;
        };
        found.insert(if line.heads_entry {
            facts.doc.entries[entry].parent.unwrap_or(entry)
        } else {
            entry
        });
    }
    found
}

fn head_parts(facts: &Facts<'_>, id: EntryId) -> Option<Parts> {
    let line = facts.doc.entries[id].head?;
    Some(parts(
        &facts.doc.lines[line].text,
        facts.text,
        &facts.legend,
    ))
}
