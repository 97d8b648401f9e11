//! For: the first form of every item: from its heading, its list entry or its table row.
//! Not for: what the lines below it say (`gather`).

use crate::blocks::{EntryId, HeadingId};
use crate::draft::{Draft, Mark, Origin, Place};
use crate::facts::Facts;
use crate::model::ItemKind;
use crate::outline::{Outline, kind_of};
use crate::parts::Parts;
use crate::refs::Mentions;
use crate::tables;

/// The headed items.
pub(crate) fn heading_drafts(facts: &Facts<'_>, outline: &Outline) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for (id, heading) in facts
        .doc
        .headings
        .iter()
        .enumerate()
        .filter(|(id, _)| outline.is_item[*id])
    {
        let parts = outline.parts[id].clone();
        let mut draft = Draft::new(
            Origin::Heading(id),
            kind_of(&parts),
            parts,
            heading.line,
            heading.body.clone(),
        );
        draft.section = heading.parent;
        draft.section_status = outline.section_status[id];
        draft.group = heading.parent.map_or(0, |p| p + 1);
        drafts.push(draft);
    }
    drafts
}

/// An entry as an item.
pub(crate) fn entry_draft(
    facts: &Facts<'_>,
    outline: &Outline,
    id: EntryId,
    mut parts: Parts,
) -> Draft {
    let entry = &facts.doc.entries[id];
    let body = entry.body.clone();
    let kind = parts
        .label
        .as_ref()
        .filter(|l| !l.faint)
        .map_or(ItemKind::Entry, |l| l.kind);
    parts.check_box.clone_from(&entry.check_box);
    let mut draft = Draft::new(Origin::Entry(id), kind, parts, entry.line, body);
    draft.number = draft
        .number
        .or_else(|| entry.ordinal.map(|n| n.to_string()));
    draft.section = entry.section;
    draft.section_status = entry.section.and_then(|s| outline.section_status[s]);
    draft.group = facts.doc.headings.len() + 1 + entry.list;
    draft
}

/// For each heading, whether it is an item or stands in one.
pub(crate) fn inside(facts: &Facts<'_>, outline: &Outline) -> Vec<bool> {
    let mut found: Vec<bool> = Vec::with_capacity(outline.is_item.len());
    for (id, heading) in facts.doc.headings.iter().enumerate() {
        found.push(outline.is_item[id] || heading.parent.is_some_and(|p| found[p]));
    }
    found
}

/// Rows become items, except those that name a headed item: these are returned as marks of that item.
pub(crate) fn add_rows(
    facts: &Facts<'_>,
    outline: &Outline,
    in_item: &[bool],
    drafts: &mut Vec<Draft>,
) -> Vec<(HeadingId, Mark)> {
    let mentions = Mentions::new(drafts);
    let headings: Vec<Option<HeadingId>> = drafts
        .iter()
        .map(|d| {
            if let Origin::Heading(id) = d.origin {
                Some(id)
            } else {
                None
            }
        })
        .collect();
    let mut summaries = Vec::new();
    let mut rows = Vec::new();
    for (at, table) in facts
        .doc
        .tables
        .iter()
        .enumerate()
        .filter(|(_, t)| !t.quoted)
    {
        let Some(columns) =
            tables::columns(table).filter(|c| tables::tells(table, c, &facts.legend))
        else {
            continue;
        };
        let guidance = table
            .section
            .is_some_and(|s| outline.guidance[s] && !in_item[s]);
        for (number, row) in table.rows.iter().enumerate() {
            let Some(parts) = tables::title(row, &columns, facts) else {
                continue;
            };
            let named = row
                .cells
                .get(columns.title)
                .and_then(|c| mentions.row(&c.text.text, &parts));
            if let Some(heading) = named.and_then(|n| headings[n]) {
                summaries.extend(
                    tables::mark(row, &columns, Place::Summary, facts).map(|mark| (heading, mark)),
                );
            } else if !guidance {
                let mut draft = tables::draft((at, number), &columns, parts, facts);
                draft.group = facts.doc.headings.len() + 1 + facts.doc.entries.len() + at;
                rows.push(draft);
            }
        }
    }
    drafts.extend(rows);
    summaries
}
