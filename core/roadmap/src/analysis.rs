//! For: the whole way from bytes to a roadmap, keeping what an edit needs: where each status stands, and the document's
//! own words for each. Not for: any single step of it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::blocks;
use crate::draft::{Draft, Mark, Origin, Place, public_mark};
use crate::facts::Facts;
use crate::gather::gather;
use crate::model::{Item, ItemKey, ItemKind, Status};
use crate::outline::{Outline, outline};
use crate::parts::{Choosing, Parts};
use crate::read::{RoadmapError, within_limit};
use crate::resolve::{keys, resolve, slug};
use crate::roadmap::Roadmap;
use crate::words::tidy;

/// A roadmap with the places that its items were read from, in the order of `roadmap.items`.
pub(crate) struct Analysis<'t> {
    pub facts: Facts<'t>,
    pub roadmap: Roadmap,
    pub marks: Vec<Vec<Mark>>,
    pub origins: Vec<Origin>,
}

pub(crate) fn decode(bytes: &[u8]) -> Result<&str, RoadmapError> {
    within_limit(bytes.len() as u64)?;
    std::str::from_utf8(bytes).map_err(|error| {
        let offset = error.valid_up_to();
        let before = String::from_utf8_lossy(&bytes[..offset]);
        let line = crate::lines::LineIndex::new(&before).line(offset);
        RoadmapError::NotUtf8 { line, offset }
    })
}

pub(crate) fn analyse(text: &str) -> Analysis<'_> {
    let facts = Facts::new(text, blocks::read(text));
    let outline = outline(&facts);
    let title = outline.title.map(|id| tidy(&outline.parts[id].title));
    let sections = section_titles(&outline);
    let gathered = gather(&facts, outline);
    let keys = keys(&gathered.drafts);
    let (dependencies, unresolved) = resolve(&gathered.drafts, &keys);
    let mut items: Vec<Item> = Vec::with_capacity(gathered.drafts.len());
    let (mut marks, mut origins) = (Vec::new(), Vec::new());
    let choosing: Vec<bool> = gathered
        .drafts
        .iter()
        .map(|d| d.parts.choice == Choosing::Offers)
        .collect();
    for ((draft, key), dependencies) in gathered.drafts.into_iter().zip(&keys).zip(dependencies) {
        let parent = draft
            .parent
            .map(|at| (keys[at].clone(), items[at].depth + 1, choosing[at]));
        if let Some(at) = draft.parent {
            items[at].children.push(key.clone());
        }
        origins.push(draft.origin);
        let (mut item, own_marks) = finish(draft, key.clone(), parent, &sections);
        item.dependencies = dependencies;
        items.push(item);
        marks.push(own_marks);
    }
    let places: HashMap<ItemKey, usize> = keys
        .into_iter()
        .enumerate()
        .map(|(at, key)| (key, at))
        .collect();
    let mut not_understood = gathered.left_out;
    not_understood.extend(unresolved);
    not_understood.sort_by_key(|n| n.line);
    let roadmap = Roadmap {
        title,
        status: gathered.status,
        items,
        not_understood,
        text: Arc::from(text),
        places,
    };
    Analysis {
        facts,
        roadmap,
        marks,
        origins,
    }
}

fn finish(
    draft: Draft,
    key: ItemKey,
    parent: Option<(ItemKey, u32, bool)>,
    sections: &[Option<String>],
) -> (Item, Vec<Mark>) {
    let status = draft.first_mark().map(public_mark);
    let (parent, depth, chooses) = parent.map_or((None, 0, false), |(key, depth, chooses)| {
        (Some(key), depth, chooses)
    });
    let is_option = draft.kind == ItemKind::Option || chooses;
    let choice = is_option.then(|| {
        parent
            .clone()
            .unwrap_or_else(|| top_group(&draft, sections))
    });
    let begun = status
        .as_ref()
        .is_some_and(|mark| matches!(mark.status, Status::InProgress | Status::Done));
    let mut estimates = draft.estimates;
    estimates.extend(draft.restated);
    let mut marks = draft.marks;
    marks.sort_by_key(|m| m.place);
    let item = Item {
        chosen: is_option && (draft.parts.choice == Choosing::Chosen || begun),
        key,
        kind: draft.kind,
        label: draft.parts.label_text.filter(|_| !draft.word.is_empty()),
        number: draft.number,
        title: draft.parts.title,
        line: draft.line,
        depth,
        parent,
        children: Vec::new(),
        section: draft.section.and_then(|s| sections[s].clone()),
        status,
        section_status: draft.section_status,
        estimates,
        window: draft.window,
        dependencies: Vec::new(),
        deliverables: draft.deliverables,
        optional: draft.parts.optional,
        choice,
        importance: draft.parts.importance,
        impact: draft.impact,
        body: draft.body,
    };
    (item, marks)
}

/// The titles of the headings that are no items.
fn section_titles(outline: &Outline) -> Vec<Option<String>> {
    let title = |(parts, is_item): (&Parts, &bool)| {
        (!is_item && !parts.title.is_empty()).then(|| parts.title.clone())
    };
    outline
        .parts
        .iter()
        .zip(&outline.is_item)
        .map(title)
        .collect()
}

/// The name of a choice that no item offers.
fn top_group(draft: &Draft, sections: &[Option<String>]) -> ItemKey {
    let section = draft.section.and_then(|s| sections[s].as_deref());
    ItemKey(slug(section.unwrap_or_default(), "options"))
}

/// Whether an update writes to this place.
pub(crate) fn is_written(mark: &Mark) -> bool {
    mark.place != Place::Struck
}
