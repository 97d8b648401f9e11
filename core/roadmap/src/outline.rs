//! For: deciding which headings are items. People number other things too (steps, pages, guidelines), so a heading is
//! an item by what it says of its progress and by the company it keeps. Not for: lists and tables.
//!
//! 1. The first heading is the document's title when it is of level 1 and has no label.
//! 2. *Evidence* is a heading's own status line or mark (strong), or its own estimate, dependency, priority or
//!    check-box (weak): in its text, with the sub-headings that have no label ("### Tasks").
//! 3. A *labelled* heading ("PRIORITY 2", "Phase 3", "Option A") is an item. In a section that sums up ("summary",
//!    "timeline", "at a glance") one without evidence, whose label stands elsewhere too, only mentions an item.
//! 4. A *numbered* heading ("1.", "4.2", "Step 3", "US-1") is an item when its number continues the number of the item
//!    around it (4 -> 4.2), when one of its series (same parent) has strong evidence, or at least half of them have weak
//!    evidence; and where a document has neither labelled nor plain items, everywhere but in instructions ("setup").
//! 5. A *plain* heading is an item by its own "Status:" line, a status in brackets or behind a dash, or a check-box; outside
//!    of items also by an estimate or dependency.
//! 6. In a section that reads as guidance ("guidelines", "checklist", "workflow", "metrics", ... and no "milestones",
//!    "roadmap", "plan" in its title) only a status of its own makes a labelled or numbered heading an item.
//! 7. A label elsewhere than at the start ("Week 1: Documentation PRIORITY 5") only mentions an item.
//!
//! Giving an item a status must not make an item of another heading, or none of it: no rule asks whether the document
//! has statuses elsewhere.

use std::collections::{HashMap, HashSet};

use crate::blocks::HeadingId;
use crate::facts::{Facts, left_out};
use crate::fields::FieldKind;
use crate::labels::Label;
use crate::model::{ItemKind, Looks, NotUnderstood, Status};
use crate::parts::{Parts, parts};
use crate::vocabulary::of_section;
use crate::words::{plain, words};

/// The headings, judged. Every list has one entry for each heading of the document.
pub(crate) struct Outline {
    pub parts: Vec<Parts>,
    pub is_item: Vec<bool>,
    pub title: Option<HeadingId>,
    /// What stands directly below the heading reads as guidance.
    pub guidance: Vec<bool>,
    /// The status that the sections around it say.
    pub section_status: Vec<Option<Status>>,
    pub left_out: Vec<NotUnderstood>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Evidence {
    status: bool,
    /// An estimate or dependency line.
    planned: bool,
    weak: bool,
}

#[derive(Debug, Default, Clone, Copy)]
struct Series {
    members: usize,
    strong: usize,
    weak: usize,
}

const GUIDANCE: &[&str] = &[
    "guideline",
    "guidelines",
    "convention",
    "conventions",
    "practice",
    "practices",
    "checklist",
    "checklists",
    "workflow",
    "workflows",
    "template",
    "templates",
    "metric",
    "metrics",
    "criteria",
    "criterion",
    "kpis",
    "risk",
    "risks",
    "glossary",
    "appendix",
    "reference",
    "references",
    "resources",
    "faq",
    "changelog",
    "versioning",
    "contributing",
    "legend",
    "principles",
    "avoid",
    "anti",
    "example",
    "examples",
    "background",
    "howto",
    "process",
    "rules",
    "usage",
    "instructions",
    "assumptions",
    "constraints",
];
const PLAN: &[&str] = &[
    "milestone",
    "milestones",
    "roadmap",
    "plan",
    "plans",
    "phases",
    "priorities",
    "backlog",
    "tasks",
    "todo",
    "items",
];
/// Sections that name items which stand elsewhere.
const SUMS_UP: &[&str] = &[
    "summary",
    "overview",
    "timeline",
    "schedule",
    "calendar",
    "glance",
    "contents",
    "recap",
    "index",
    "recommended",
];
/// Sections with numbered steps to follow.
const INSTRUCTS: &[&str] = &[
    "setup",
    "install",
    "installation",
    "installing",
    "started",
    "quickstart",
    "steps",
    "howto",
];
/// Sections whose "Status:" is the document's, or that of the item they are a part of.
const ABOUT: &[&str] = &[
    "status",
    "current status",
    "project status",
    "overview",
    "summary",
    "introduction",
    "conclusion",
    "vision",
    "about",
    "progress",
    "current state",
    "executive summary",
    "roadmap",
    "goals",
    "non goals",
    "motivation",
    "deliverables",
    "dependencies",
    "tasks",
    "notes",
    "scope",
    "objectives",
    "success criteria",
    "acceptance criteria",
    "timeline",
    "benefits",
    "next steps",
];

pub(crate) fn outline(facts: &Facts<'_>) -> Outline {
    let judge = Judge::new(facts);
    let is_item = judge.decide();
    let left_out = judge.left_out(&is_item);
    let Judge {
        parts,
        title,
        guides,
        section_status,
        ..
    } = judge;
    Outline {
        parts,
        is_item,
        title,
        guidance: guides,
        section_status,
        left_out,
    }
}

struct Judge<'f, 't> {
    facts: &'f Facts<'t>,
    parts: Vec<Parts>,
    evidence: Vec<Evidence>,
    series: HashMap<(Option<HeadingId>, String), Series>,
    /// The labels that stand outside of sections that sum up.
    planned_labels: HashSet<(String, String)>,
    title: Option<HeadingId>,
    /// A section around the heading reads as guidance.
    guidance: Vec<bool>,
    guides: Vec<bool>,
    section_status: Vec<Option<Status>>,
}

impl<'f, 't> Judge<'f, 't> {
    fn new(facts: &'f Facts<'t>) -> Self {
        let headings = &facts.doc.headings;
        let parts: Vec<Parts> = headings
            .iter()
            .map(|h| parts(&h.text, facts.text, &facts.legend))
            .collect();
        let title = (!headings.is_empty() && headings[0].level == 1 && parts[0].label.is_none())
            .then_some(0);
        let evidence = evidence(facts, &parts);
        let (guidance, guides) = guidance(facts, &parts, title);
        let mut judge = Self {
            facts,
            evidence,
            series: HashMap::new(),
            planned_labels: HashSet::new(),
            title,
            guidance,
            guides,
            section_status: section_status(facts, &parts),
            parts,
        };
        judge.look_below();
        judge.count_series();
        judge.planned_labels = judge.labels_outside_of_summaries();
        judge
    }

    fn labels_outside_of_summaries(&self) -> HashSet<(String, String)> {
        let plans = |id: &HeadingId| !self.sections(*id).any(|s| has_word(s, SUMS_UP));
        (0..self.parts.len())
            .filter(plans)
            .filter_map(|id| self.parts[id].label.as_ref())
            .map(|l| (l.word.clone(), l.number.clone()))
            .collect()
    }

    /// "### Tasks" below a phase is a part of its text.
    fn look_below(&mut self) {
        for id in (0..self.parts.len()).rev() {
            let lends = self.parts[id].label.is_none() && self.evidence[id].weak;
            if let Some(parent) = self.facts.doc.headings[id].parent.filter(|_| lends) {
                self.evidence[parent].weak = true;
            }
        }
    }

    fn count_series(&mut self) {
        for id in 0..self.parts.len() {
            let Some(key) = self.series_key(id) else {
                continue;
            };
            let evidence = self.evidence[id];
            let series = self.series.entry(key).or_default();
            series.members += 1;
            series.strong += usize::from(evidence.status);
            series.weak += usize::from(evidence.weak || evidence.status);
        }
    }

    /// Headings of one parent with the same word and equally many parts to their numbers.
    fn series_key(&self, id: HeadingId) -> Option<(Option<HeadingId>, String)> {
        let label = self.parts[id].label.as_ref()?;
        let dots = label.number.matches('.').count();
        let parent = self.facts.doc.headings[id].parent;
        Some((parent, format!("{} {dots}", label.word)))
    }

    fn decide(&self) -> Vec<bool> {
        let mut is_item: Vec<bool> = Vec::with_capacity(self.parts.len());
        // For each heading, the innermost item around or at it.
        let mut owner: Vec<Option<HeadingId>> = Vec::with_capacity(self.parts.len());
        let numbers_count = self.numbers_count();
        for id in 0..self.parts.len() {
            let around = self.facts.doc.headings[id]
                .parent
                .and_then(|parent| owner[parent]);
            let verdict = Some(id) != self.title && self.verdict(id, around, numbers_count);
            is_item.push(verdict);
            owner.push(if verdict { Some(id) } else { around });
        }
        is_item
    }

    /// Nothing but numbers tells the items from the text.
    fn numbers_count(&self) -> bool {
        let known = |id: HeadingId| match &self.parts[id].label {
            Some(label) => !label.faint && !self.guidance[id],
            None => Some(id) != self.title && self.plain_verdict(id, false),
        };
        !(0..self.parts.len()).any(known)
    }

    fn verdict(&self, id: HeadingId, around: Option<HeadingId>, numbers_count: bool) -> bool {
        let Some(label) = &self.parts[id].label else {
            return self.plain_verdict(id, around.is_some());
        };
        if self.guidance[id] && around.is_none() {
            return self.evidence[id].status;
        }
        if !label.faint {
            return !self.only_repeats(id);
        }
        let series = self
            .series_key(id)
            .and_then(|key| self.series.get(&key))
            .copied()
            .unwrap_or_default();
        let half = series.weak > 0 && series.weak * 2 >= series.members;
        let continues = around.is_some_and(|item| self.continues(label, item));
        let bare = numbers_count && around.is_none() && !self.instructs(id);
        continues || series.strong > 0 || half || bare
    }

    fn only_repeats(&self, id: HeadingId) -> bool {
        let evidence = self.evidence[id];
        let sums_up = self.sections(id).any(|s| has_word(s, SUMS_UP));
        sums_up && !evidence.status && !evidence.weak && self.stands_elsewhere(id)
    }

    /// The same label stands outside of the sections that sum up.
    fn stands_elsewhere(&self, id: HeadingId) -> bool {
        self.parts[id].label.as_ref().is_some_and(|l| {
            self.planned_labels
                .contains(&(l.word.clone(), l.number.clone()))
        })
    }

    fn instructs(&self, id: HeadingId) -> bool {
        self.sections(id).any(|s| has_word(s, INSTRUCTS))
    }

    /// The titles of the sections around a heading, innermost first, without the document's.
    fn sections(&self, id: HeadingId) -> impl Iterator<Item = &str> {
        let headings = &self.facts.doc.headings;
        let around = std::iter::successors(headings[id].parent, |s| headings[*s].parent);
        around
            .filter(|s| Some(*s) != self.title)
            .map(|s| headings[s].text.text.as_str())
    }

    fn continues(&self, label: &Label, item: HeadingId) -> bool {
        let outer = self.parts[item].label.as_ref().map(|l| l.number.as_str());
        outer.is_some_and(|outer| {
            label
                .number
                .strip_prefix(outer)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    }

    fn plain_verdict(&self, id: HeadingId, inside: bool) -> bool {
        let parts = &self.parts[id];
        let title = plain(&parts.title);
        if self.guidance[id] || ABOUT.contains(&title.as_str()) || of_section(&title).is_some() {
            return false;
        }
        let evidence = self.evidence[id];
        evidence.status || parts.check_box.is_some() || (evidence.planned && !inside)
    }

    fn left_out(&self, is_item: &[bool]) -> Vec<NotUnderstood> {
        let known: HashSet<(&str, &str)> = self.labels(is_item, true).collect();
        let refused = |id: &HeadingId| !is_item[*id] && Some(*id) != self.title;
        let mut found = Vec::new();
        for id in (0..self.parts.len()).filter(refused) {
            let Some(label) = &self.parts[id].label else {
                continue;
            };
            if !label.word.is_empty()
                && known.contains(&(label.word.as_str(), label.number.as_str()))
            {
                continue;
            }
            let heading = &self.facts.doc.headings[id];
            let reason = if self.guidance[id] {
                "a numbered heading in a section that reads as guidance; a status line makes it an item"
            } else {
                "a numbered heading beside other items; a status, estimate, dependency or check-box in most of its series makes it one"
            };
            found.push(left_out(
                heading.line,
                &heading.text.text,
                Looks::Item,
                reason,
            ));
        }
        found
    }

    fn labels<'s>(
        &'s self,
        is_item: &'s [bool],
        items: bool,
    ) -> impl Iterator<Item = (&'s str, &'s str)> {
        let chosen = self
            .parts
            .iter()
            .zip(is_item)
            .filter(move |(_, is)| **is == items);
        chosen
            .filter_map(|(p, _)| p.label.as_ref())
            .map(|l| (l.word.as_str(), l.number.as_str()))
    }
}

fn evidence(facts: &Facts<'_>, parts: &[Parts]) -> Vec<Evidence> {
    let mut found: Vec<Evidence> = parts.iter().map(of_title).collect();
    for (number, line) in facts.doc.lines.iter().enumerate() {
        let Some(section) = line.section.filter(|_| facts.speaks_for_section(line)) else {
            continue;
        };
        for field in &facts.fields[number] {
            let given = !field.value.is_empty();
            let evidence = &mut found[section];
            let labelled = parts[section].label.is_some();
            match field.kind {
                FieldKind::Status => evidence.status |= facts.status(number, field).is_some(),
                FieldKind::LooseStatus => {
                    evidence.status |= labelled && facts.status(number, field).is_some()
                }
                FieldKind::Duration | FieldKind::Depends => {
                    evidence.planned |= given;
                    evidence.weak |= given;
                }
                FieldKind::Timeline | FieldKind::Importance | FieldKind::Window => {
                    evidence.weak |= given
                }
                _ => {}
            }
        }
    }
    for entry in facts
        .doc
        .entries
        .iter()
        .filter(|e| e.check_box.is_some() && !e.quoted)
    {
        if let Some(section) = entry.section {
            found[section].weak = true;
        }
    }
    found
}

fn of_title(parts: &Parts) -> Evidence {
    let mark = parts.mark.is_some() && (parts.mark_is_clear || parts.label.is_some());
    let weak = !parts.estimates.is_empty() || parts.window.is_some() || !parts.depends.is_empty();
    // A window alone is what a calendar has too; it counts beside a label only.
    Evidence {
        status: mark || parts.check_box.is_some(),
        planned: false,
        weak: weak && parts.label.as_ref().is_some_and(|l| !l.faint),
    }
}

/// For each heading, whether a section around it reads as guidance, and whether what stands directly in it does.
fn guidance(
    facts: &Facts<'_>,
    parts: &[Parts],
    title: Option<HeadingId>,
) -> (Vec<bool>, Vec<bool>) {
    let mut around: Vec<bool> = Vec::with_capacity(parts.len());
    let mut within: Vec<bool> = Vec::with_capacity(parts.len());
    for (id, heading) in facts.doc.headings.iter().enumerate() {
        let inherited = heading.parent.is_some_and(|parent| within[parent]);
        // A labelled heading names a piece of work: "Phase 2: Metrics".
        let own =
            Some(id) != title && parts[id].label.is_none() && reads_as_guidance(&heading.text.text);
        around.push(inherited);
        within.push(inherited || own);
    }
    (around, within)
}

fn reads_as_guidance(title: &str) -> bool {
    has_word(title, GUIDANCE) && !has_word(title, PLAN)
}

fn has_word(title: &str, list: &[&str]) -> bool {
    let title = title.get(..200).unwrap_or(title);
    words(title)
        .iter()
        .any(|w| list.contains(&w.lower.as_str()))
}

fn section_status(facts: &Facts<'_>, parts: &[Parts]) -> Vec<Option<Status>> {
    let mut own: Vec<Option<Status>> = Vec::with_capacity(parts.len());
    for (heading, parts) in facts.doc.headings.iter().zip(parts) {
        let said = if parts.label.is_some() {
            None
        } else {
            of_section(&heading.text.text)
        };
        own.push(said.or_else(|| heading.parent.and_then(|parent| own[parent])));
    }
    own
}

/// Whether a section without items of its own is a place for entries that are: "Backlog", "Next", "Tasks", "Done".
pub(crate) fn is_task_section(title: &str) -> bool {
    const TASKS: &[&str] = &[
        "backlog",
        "todo",
        "tasks",
        "upcoming",
        "roadmap",
        "features",
        "bugs",
        "improvements",
        "fixes",
        "maintenance",
        "chores",
        "ideas",
        "wishlist",
        "milestones",
        "plan",
    ];
    let title = title.get(..200).unwrap_or(title);
    of_section(title).is_some()
        || words(title)
            .last()
            .is_some_and(|w| TASKS.contains(&w.lower.as_str()))
        || plain(title) == "action items"
}

/// Whether a section is about the document as a whole: "Overview", "Goals".
pub(crate) fn is_about(title: &str) -> bool {
    let title = plain(title.get(..200).unwrap_or(title));
    ABOUT.contains(&title.as_str()) && title != "roadmap"
}

/// How a labelled or plain heading is written.
pub(crate) fn kind_of(parts: &Parts) -> ItemKind {
    parts
        .label
        .as_ref()
        .map_or(ItemKind::Titled, |label| label.kind)
}
