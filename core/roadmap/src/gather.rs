//! For: putting items together: which item each line, check-box and row belongs to, and what it says of it.
//! Not for: deciding what is an item (`outline`, `tables`, `lists`) or what a dependency names (`refs`).

use std::collections::{HashMap, HashSet};

use crate::blocks::{Entry, EntryId, HeadingId, Tick};
use crate::draft::{Draft, Mark, Need, Origin, Place, box_text, mark_text, of_tick, public_mark};
use crate::drafts::{add_rows, entry_draft, heading_drafts, inside};
use crate::estimate::read_duration;
use crate::facts::{Facts, is_status, left_out};
use crate::fields::{Field, FieldKind, kind_of, list_label};
use crate::lists;
use crate::model::{Deliverable, Estimate, Looks, NotUnderstood, Status, StatusMark};
use crate::outline::Outline;
use crate::parts::read_importance;
use crate::refs::Mentions;
use crate::vocabulary::symbol_box;
use crate::words::{is_symbol, leading_symbols, plain, tidy, tokens};

/// The items with all that is said of them, in document order.
pub(crate) struct Gathered {
    pub drafts: Vec<Draft>,
    pub status: Option<StatusMark>,
    pub left_out: Vec<NotUnderstood>,
}

pub(crate) fn gather(facts: &Facts<'_>, mut outline: Outline) -> Gathered {
    let mut gatherer = Gatherer::new(facts, &mut outline);
    gatherer.read_lines();
    gatherer.read_entries();
    gatherer
        .drafts
        .iter_mut()
        .for_each(|d| d.deliverables.sort_by_key(|r| r.line));
    Gathered {
        drafts: gatherer.drafts,
        status: gatherer.status,
        left_out: gatherer.left_out,
    }
}

/// What a line or entry belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Item(usize),
    /// It stands below a heading or entry that only names the item.
    Mention(usize),
    Nobody,
}

struct Gatherer<'f, 't> {
    facts: &'f Facts<'t>,
    drafts: Vec<Draft>,
    /// The innermost item around or at each heading, and at or around each entry.
    of_heading: Vec<Option<usize>>,
    of_entry: Vec<Option<usize>>,
    mention_of_heading: Vec<Option<usize>>,
    mention_of_entry: Vec<Option<usize>>,
    status: Option<StatusMark>,
    left_out: Vec<NotUnderstood>,
}

impl<'f, 't> Gatherer<'f, 't> {
    fn new(facts: &'f Facts<'t>, outline: &mut Outline) -> Self {
        let mut drafts = heading_drafts(facts, outline);
        let in_item = inside(facts, outline);
        let summaries = add_rows(facts, outline, &in_item, &mut drafts);
        let others = !drafts.is_empty();
        for (entry, parts) in lists::items(facts, outline, &in_item, others) {
            drafts.push(entry_draft(facts, outline, entry, parts));
        }
        drafts.sort_by_key(|d| d.body.start);
        let mut gatherer = Self {
            facts,
            of_heading: Vec::new(),
            of_entry: Vec::new(),
            mention_of_heading: Vec::new(),
            mention_of_entry: Vec::new(),
            status: None,
            left_out: std::mem::take(&mut outline.left_out),
            drafts,
        };
        gatherer.find_owners();
        gatherer.nest();
        gatherer.find_mentions();
        gatherer.add_title_facts();
        gatherer.add_summaries(summaries);
        gatherer
    }

    fn find_owners(&mut self) {
        let mut at_heading = HashMap::new();
        let mut at_entry = HashMap::new();
        for (index, draft) in self.drafts.iter().enumerate() {
            match draft.origin {
                Origin::Heading(id) => at_heading.insert(id, index),
                Origin::Entry(id) => at_entry.insert(id, index),
                Origin::Row { .. } => None,
            };
        }
        for (id, heading) in self.facts.doc.headings.iter().enumerate() {
            let around = heading.parent.and_then(|parent| self.of_heading[parent]);
            self.of_heading
                .push(at_heading.get(&id).copied().or(around));
        }
        for (id, entry) in self.facts.doc.entries.iter().enumerate() {
            let around = entry.parent.and_then(|parent| self.of_entry[parent]);
            self.of_entry.push(at_entry.get(&id).copied().or(around));
        }
    }

    fn nest(&mut self) {
        for index in 0..self.drafts.len() {
            let section = self.drafts[index].section;
            let parent = match self.drafts[index].origin {
                Origin::Heading(id) => self.facts.doc.headings[id]
                    .parent
                    .and_then(|p| self.of_heading[p]),
                Origin::Entry(_) | Origin::Row { .. } => section.and_then(|s| self.of_heading[s]),
            };
            self.drafts[index].parent = parent;
        }
    }

    fn find_mentions(&mut self) {
        let mentions = Mentions::new(&self.drafts);
        for (id, heading) in self.facts.doc.headings.iter().enumerate() {
            let inherited = heading
                .parent
                .and_then(|parent| self.mention_of_heading[parent]);
            let free = self.of_heading[id].is_none();
            let own = if free {
                mentions.only(&heading.text.text)
            } else {
                None
            };
            self.mention_of_heading
                .push(own.or(inherited.filter(|_| free)));
        }
        for (id, entry) in self.facts.doc.entries.iter().enumerate() {
            let inherited = match entry.parent {
                Some(parent) => self.mention_of_entry[parent],
                None => entry.section.and_then(|s| self.mention_of_heading[s]),
            };
            let free = self.of_entry[id].is_none()
                && entry.section.is_none_or(|s| self.of_heading[s].is_none());
            let head = entry
                .head
                .map(|line| self.facts.doc.lines[line].text.text.as_str());
            let own = if free {
                head.and_then(|text| mentions.only(text))
            } else {
                None
            };
            self.mention_of_entry
                .push(own.or(inherited.filter(|_| free)));
        }
    }

    /// What the titles themselves say.
    fn add_title_facts(&mut self) {
        for draft in &mut self.drafts {
            let text = match draft.origin {
                Origin::Heading(id) => &self.facts.doc.headings[id].text,
                Origin::Entry(id) => match self.facts.doc.entries[id].head {
                    Some(line) => &self.facts.doc.lines[line].text,
                    None => continue,
                },
                Origin::Row { .. } => continue,
            };
            if let Some(found) = &draft.parts.mark {
                let value = mark_text(&text.text, found);
                draft
                    .marks
                    .push(Mark::found(Place::Title, found, text, draft.line, &value));
            }
            if draft.parts.struck {
                draft.marks.push(Mark::tick(
                    Place::Struck,
                    Status::Cancelled,
                    &draft.parts.title,
                    draft.line,
                    0..0,
                ));
            }
            if let Some(tick) = &draft.parts.check_box {
                draft.marks.push(Mark::tick(
                    Place::Box,
                    of_tick(tick.tick),
                    box_text(tick.tick),
                    draft.line,
                    tick.span.clone(),
                ));
            }
        }
        for draft in &mut self.drafts {
            let line = draft.line;
            for text in std::mem::take(&mut draft.parts.estimates) {
                draft.estimates.push(estimate(&text, "", false, line));
            }
            for text in std::mem::take(&mut draft.parts.depends) {
                draft.needs.push(Need {
                    text,
                    line,
                    blocker: false,
                    remark: true,
                });
            }
        }
    }

    fn add_summaries(&mut self, summaries: Vec<(HeadingId, Mark)>) {
        for (heading, mark) in summaries {
            let item = self.of_heading[heading];
            if let Some(index) = item {
                self.drafts[index].marks.push(mark);
            }
        }
    }

    // --- lines

    fn read_lines(&mut self) {
        for number in 0..self.facts.doc.lines.len() {
            for field in &self.facts.fields[number] {
                self.read_field(number, field);
            }
            self.note_stray_box(number);
        }
    }

    /// The owner of a line, and whether the line speaks for it rather than for an entry inside it.
    fn owner_of_line(&self, number: usize) -> (Owner, bool) {
        let line = &self.facts.doc.lines[number];
        let entries = &self.facts.doc.entries;
        if let Some((entry, item)) = line.entry.and_then(|e| self.of_entry[e].map(|i| (e, i))) {
            let own = self.drafts[item].origin;
            let direct = if line.heads_entry {
                entries[entry].parent
            } else {
                Some(entry)
            };
            return (
                Owner::Item(item),
                direct.is_some_and(|e| own == Origin::Entry(e)),
            );
        }
        let speaks = self.facts.speaks_for_section(line);
        if let Some(item) = line.section.and_then(|s| self.of_heading[s]) {
            return (Owner::Item(item), speaks);
        }
        let mention = line.entry.map_or_else(
            || line.section.and_then(|s| self.mention_of_heading[s]),
            |e| self.mention_of_entry[e],
        );
        (
            mention.map_or(Owner::Nobody, Owner::Mention),
            speaks || mention.is_some(),
        )
    }

    fn read_field(&mut self, number: usize, field: &Field) {
        let line = &self.facts.doc.lines[number];
        let (owner, speaks) = self.owner_of_line(number);
        let heads_item = line.heads_entry
            && line.entry.is_some_and(|e| {
                self.of_entry[e].is_some_and(|i| self.drafts[i].origin == Origin::Entry(e))
            });
        if heads_item || field.value.is_empty() {
            return;
        }
        match owner {
            _ if line.quoted => self.leave(number, field, "it stands in a quotation"),
            Owner::Item(item) if speaks => self.add_field(item, number, field),
            Owner::Item(_) => {
                self.leave(number, field, "it belongs to a list entry that is no item")
            }
            Owner::Mention(item) => self.add_mentioned(item, number, field),
            Owner::Nobody => self.add_to_document(number, field),
        }
    }

    fn add_field(&mut self, item: usize, number: usize, field: &Field) {
        let value = tidy(self.facts.value(number, field));
        let line = self.facts.doc.lines[number].line;
        let facts = self.facts;
        let draft = &mut self.drafts[item];
        match field.kind {
            FieldKind::Status | FieldKind::LooseStatus => self.add_status(item, number, field),
            FieldKind::Duration | FieldKind::Timeline => {
                draft
                    .estimates
                    .push(estimate(&value, &field.label, false, line))
            }
            FieldKind::Depends => draft.needs.push(Need {
                text: value,
                line,
                blocker: false,
                remark: false,
            }),
            FieldKind::Blockers => draft.needs.push(Need {
                text: value,
                line,
                blocker: true,
                remark: false,
            }),
            FieldKind::Importance => match read_importance(&value) {
                Some(importance) => draft.parts.importance = Some(importance),
                None => self.left_out.push(left_out(
                    line,
                    &facts.doc.lines[number].text.text,
                    Looks::Item,
                    "no priority that is known",
                )),
            },
            FieldKind::Impact => drop(draft.impact.get_or_insert(value)),
            FieldKind::Window => drop(draft.window.get_or_insert(value)),
            FieldKind::Deliverables => {
                draft
                    .deliverables
                    .push(named_deliverable(value, &field.label, line))
            }
        }
    }

    fn add_status(&mut self, item: usize, number: usize, field: &Field) {
        let line = &self.facts.doc.lines[number];
        let Some(found) = self.facts.status(number, field) else {
            return self.leave(
                number,
                field,
                "no status that is known: planned, in progress, done, blocked, failed or cancelled",
            );
        };
        let draft = &mut self.drafts[item];
        let optional = plain(self.facts.value(number, field))
            .split(' ')
            .any(|w| w == "optional");
        if draft.marks.iter().any(|m| m.place == Place::Field) {
            return self.leave(number, field, "a second status; the first one counts");
        }
        draft.parts.optional |= optional;
        let value = self.facts.value(number, field);
        draft.marks.push(Mark::found(
            Place::Field,
            &found,
            &line.text,
            line.line,
            value,
        ));
    }

    /// A restated duration or a deliverable; anything else should stand with the item.
    fn add_mentioned(&mut self, item: usize, number: usize, field: &Field) {
        let value = tidy(self.facts.value(number, field));
        let line = self.facts.doc.lines[number].line;
        match field.kind {
            FieldKind::Duration | FieldKind::Timeline => {
                self.drafts[item]
                    .restated
                    .push(estimate(&value, &field.label, false, line))
            }
            FieldKind::Deliverables => {
                self.drafts[item]
                    .deliverables
                    .push(named_deliverable(value, &field.label, line))
            }
            _ => self.leave(number, field, "it stands where an item is only mentioned"),
        }
    }

    fn add_to_document(&mut self, number: usize, field: &Field) {
        let line = &self.facts.doc.lines[number];
        let before_items = self.drafts.first().is_none_or(|d| line.line < d.line);
        let free = is_status(field.kind)
            && before_items
            && self.status.is_none()
            && line
                .entry
                .is_none_or(|e| self.facts.doc.entries[e].depth == 0);
        let Some(found) = self.facts.status(number, field).filter(|_| free) else {
            return self.leave(number, field, "it stands outside of every item");
        };
        let mark = Mark::found(
            Place::Field,
            &found,
            &line.text,
            line.line,
            self.facts.value(number, field),
        );
        self.status = Some(public_mark(&mark));
    }

    fn leave(&mut self, number: usize, field: &Field, reason: &str) {
        let what = match field.kind {
            FieldKind::Status | FieldKind::LooseStatus => Looks::Status,
            FieldKind::Duration | FieldKind::Timeline => Looks::Estimate,
            FieldKind::Depends => Looks::Dependency,
            FieldKind::Deliverables => Looks::Deliverable,
            FieldKind::Blockers | FieldKind::Importance | FieldKind::Impact | FieldKind::Window => {
                return;
            }
        };
        let line = &self.facts.doc.lines[number];
        self.left_out
            .push(left_out(line.line, &line.text.text, what, reason));
    }

    fn note_stray_box(&mut self, number: usize) {
        let line = &self.facts.doc.lines[number];
        if !line.heads_entry && crate::blocks::check_box(&line.text, self.facts.text).is_some() {
            self.left_out.push(left_out(
                line.line,
                &line.text.text,
                Looks::Deliverable,
                "a check-box outside of a list",
            ));
        }
    }

    // --- entries

    fn read_entries(&mut self) {
        let labels = self.list_labels();
        for id in 0..self.facts.doc.entries.len() {
            let entry = &self.facts.doc.entries[id];
            let is_item =
                self.of_entry[id].is_some_and(|i| self.drafts[i].origin == Origin::Entry(id));
            if let (Some(head), false) = (entry.head, is_item) {
                self.read_entry(id, head, &labels);
            }
        }
    }

    fn read_entry(&mut self, id: EntryId, head: usize, labels: &Labels) {
        let entry = &self.facts.doc.entries[id];
        let label = labels.get(entry.list);
        let owner = self.owner_of_entry(id);
        match owner {
            _ if entry.quoted => self.leave_box(id, "it stands in a quotation"),
            Owner::Item(item) | Owner::Mention(item) if entry.check_box.is_some() => {
                let deliverable = self.boxed(entry, head, label);
                self.drafts[item].deliverables.extend(deliverable);
            }
            Owner::Item(item) => {
                self.add_step(item, id, head, label);
                self.add_unboxed(item, id, head, label);
                self.add_listed_need(item, id, head, labels);
            }
            Owner::Mention(_) => {}
            Owner::Nobody => self.leave_box(id, "a check-box outside of every item"),
        }
    }

    fn owner_of_entry(&self, id: EntryId) -> Owner {
        let entry = &self.facts.doc.entries[id];
        let item = self.of_entry[id].or_else(|| entry.section.and_then(|s| self.of_heading[s]));
        item.map_or_else(
            || self.mention_of_entry[id].map_or(Owner::Nobody, Owner::Mention),
            Owner::Item,
        )
    }

    fn leave_box(&mut self, id: EntryId, reason: &str) {
        let entry = &self.facts.doc.entries[id];
        if let (Some(_), Some(head)) = (&entry.check_box, entry.head) {
            let text = &self.facts.doc.lines[head].text.text;
            self.left_out
                .push(left_out(entry.line, text, Looks::Deliverable, reason));
        }
    }

    fn boxed(&self, entry: &Entry, head: usize, label: Option<&str>) -> Option<Deliverable> {
        let tick = entry.check_box.as_ref()?;
        let text = tidy(&self.facts.doc.lines[head].text.text[tick.after..]);
        Some(Deliverable {
            text,
            done: tick.tick == Tick::Ticked,
            line: entry.line,
            span: Some(tick.span.clone()),
            group: label.map(str::to_owned),
        })
    }

    /// An entry of a timeline: "Week 1: Setup (8-12h)".
    fn add_step(&mut self, item: usize, id: EntryId, head: usize, label: Option<&str>) {
        let entry = &self.facts.doc.entries[id];
        if label.is_none_or(|l| !is_timeline(l)) || !self.facts.fields[head].is_empty() {
            return;
        }
        let text = tidy(&self.facts.doc.lines[head].text.text);
        let amount = text.rfind('(').map_or(text.as_str(), |at| &text[at..]);
        if read_duration(amount)
            .or_else(|| read_duration(&text))
            .is_some()
        {
            let days = read_duration(amount).or_else(|| read_duration(&text));
            let estimate = Estimate {
                text,
                label: label.unwrap_or_default().to_owned(),
                min_days: days.map(|d| d.0),
                max_days: days.map(|d| d.1),
                step: true,
                line: entry.line,
            };
            self.drafts[item].estimates.push(estimate);
        }
    }

    /// "- ✅ Shipped" directly below an item's heading or below "Deliverables", and plain bullets below "Deliverables".
    fn add_unboxed(&mut self, item: usize, id: EntryId, head: usize, label: Option<&str>) {
        let entry = &self.facts.doc.entries[id];
        let text = &self.facts.doc.lines[head].text;
        let direct = label.is_none()
            && entry
                .section
                .is_some_and(|s| self.drafts[item].origin == Origin::Heading(s));
        let listed = label.is_some_and(is_deliverables);
        let first = tokens(text.text.get(..40).unwrap_or(&text.text))
            .into_iter()
            .next()
            .filter(|t| is_symbol(&text.text[t.clone()]));
        let ticked = first
            .as_ref()
            .and_then(|t| symbol_box(&text.text[t.clone()]).map(|done| (done, t.clone())));
        if !self.facts.fields[head].is_empty() || entry.depth > 0 {
            return;
        }
        if let Some((done, symbol)) = ticked.filter(|_| direct || listed) {
            let body = tidy(&text.text[symbol.end..]);
            let deliverable = Deliverable {
                text: body,
                done,
                line: entry.line,
                span: text.source(&symbol),
                group: label.map(str::to_owned),
            };
            self.drafts[item].deliverables.push(deliverable);
        } else if listed && label.is_some_and(|l| plain(l).contains("deliverable")) {
            let body = tidy(&text.text[leading_symbols(&text.text)..]);
            self.drafts[item].deliverables.push(Deliverable {
                text: body,
                done: false,
                line: entry.line,
                span: None,
                group: label.map(str::to_owned),
            });
        }
    }

    /// An entry below "**Dependencies**:".
    fn add_listed_need(&mut self, item: usize, id: EntryId, head: usize, labels: &Labels) {
        let entry = &self.facts.doc.entries[id];
        let kind = labels.own(entry.list).and_then(kind_of);
        let blocker = kind == Some(FieldKind::Blockers);
        if !(blocker || kind == Some(FieldKind::Depends)) || !self.facts.fields[head].is_empty() {
            return;
        }
        let text = &self.facts.doc.lines[head].text.text;
        let body = leading_symbols(text);
        // "✅ …" is met already; it counts only where it names an item.
        let met = symbol_box(text[..body].trim()) == Some(true);
        self.drafts[item].needs.push(Need {
            text: tidy(&text[body..]),
            line: entry.line,
            blocker,
            remark: met,
        });
    }

    /// What introduces each list: the line before it, the entry around it, or the heading above it.
    fn list_labels(&self) -> Labels {
        let mut labels = Labels::default();
        for (id, entry) in self.facts.doc.entries.iter().enumerate() {
            if labels.seen.insert(entry.list) {
                let outer = entry.parent.map(|p| self.facts.doc.entries[p].list);
                let outer = outer.and_then(|list| labels.of_list.get(&list)).cloned();
                if let Some(label) = self.own_label(id) {
                    labels.of_list.insert(entry.list, (label, true));
                } else if let Some((label, _)) = outer {
                    labels.of_list.insert(entry.list, (label, false));
                }
            }
        }
        labels
    }

    fn own_label(&self, id: EntryId) -> Option<String> {
        let entry = &self.facts.doc.entries[id];
        let around = entry.parent.and_then(|p| self.facts.doc.entries[p].head);
        let line = entry.label.or(around);
        let by_line = line.and_then(|line| list_label(&self.facts.doc.lines[line].text));
        by_line.or_else(|| {
            entry
                .section
                .filter(|_| entry.parent.is_none())
                .and_then(|s| self.sub_heading(s))
        })
    }

    /// The title of a heading that is a part of an item's text: "### Deliverables".
    fn sub_heading(&self, section: HeadingId) -> Option<String> {
        let item = self.of_heading[section]?;
        let text = &self.facts.doc.headings[section].text.text;
        let below = self.drafts[item].origin != Origin::Heading(section) && text.len() < 80;
        below.then(|| tidy(&text[leading_symbols(text)..]))
    }
}

/// What introduces each list, and whether that stands at the list itself or at one around it.
#[derive(Default)]
struct Labels {
    of_list: HashMap<usize, (String, bool)>,
    seen: HashSet<usize>,
}

impl Labels {
    fn get(&self, list: usize) -> Option<&str> {
        self.of_list.get(&list).map(|(label, _)| label.as_str())
    }

    fn own(&self, list: usize) -> Option<&str> {
        self.of_list
            .get(&list)
            .filter(|(_, own)| *own)
            .map(|(label, _)| label.as_str())
    }
}

fn is_timeline(label: &str) -> bool {
    matches!(
        plain(label).as_str(),
        "timeline"
            | "estimated timeline"
            | "schedule"
            | "estimated duration"
            | "estimate"
            | "effort"
    )
}

fn is_deliverables(label: &str) -> bool {
    let label = plain(label);
    [
        "deliverable",
        "deliverables",
        "tasks",
        "checklist",
        "todo",
        "to do",
        "acceptance criteria",
    ]
    .iter()
    .any(|l| label == *l || label.ends_with(&format!(" {l}")))
}

fn estimate(text: &str, label: &str, step: bool, line: u32) -> Estimate {
    let days = read_duration(text);
    Estimate {
        text: text.to_owned(),
        label: label.to_owned(),
        min_days: days.map(|d| d.0),
        max_days: days.map(|d| d.1),
        step,
        line,
    }
}

fn named_deliverable(text: String, label: &str, line: u32) -> Deliverable {
    Deliverable {
        text,
        done: false,
        line,
        span: None,
        group: Some(label.to_owned()),
    }
}
