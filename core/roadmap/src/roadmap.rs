//! For: a parsed roadmap, and what follows from it: what is to be worked, what waits for what, what a person must choose.
//! Not for: doing any of it, or changing the document (`edit`).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;

use crate::model::{Item, ItemKey, Need, NotUnderstood, Status, StatusMark};

/// A roadmap as it was read.
#[derive(Debug, Clone, Serialize)]
pub struct Roadmap {
    /// The first heading of level 1.
    pub title: Option<String>,
    /// The status of the document as a whole, where it states one before its items.
    pub status: Option<StatusMark>,
    /// The items in document order; an item's parts follow it.
    pub items: Vec<Item>,
    /// Lines that look like a part of the plan and were left out, in document order.
    pub not_understood: Vec<NotUnderstood>,
    #[serde(skip)]
    pub(crate) text: Arc<str>,
    #[serde(skip)]
    pub(crate) places: HashMap<ItemKey, usize>,
}

/// Several items between which a person chooses.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice<'r> {
    /// The group's name, equal to [`Item::choice`] of its members.
    pub group: ItemKey,
    /// The item that they are parts of.
    pub parent: Option<&'r Item>,
    /// The members, in document order.
    pub options: Vec<&'r Item>,
}

impl Roadmap {
    /// The item of that name.
    #[must_use]
    pub fn item(&self, key: &ItemKey) -> Option<&Item> {
        self.places.get(key).map(|at| &self.items[*at])
    }

    /// The item's Markdown from its heading to its end, its parts included: to brief whoever works on it.
    #[must_use]
    pub fn text_of(&self, key: &ItemKey) -> Option<&str> {
        self.text.get(self.item(key)?.body.clone())
    }

    /// Where an item stands: by its own mark; else by its parts; else by its check-boxes where any is ticked; else by
    /// an item around it that is settled; else by its section; else planned.
    #[must_use]
    pub fn status_of(&self, key: &ItemKey) -> Option<Status> {
        self.item(key).map(|item| self.standing(item))
    }

    fn standing(&self, item: &Item) -> Status {
        if let Some(mark) = &item.status {
            return mark.status;
        }
        if !item.children.is_empty() {
            return self.standing_of_parts(item);
        }
        let ticked = item.deliverables.iter().filter(|d| d.done).count();
        let boxes = item
            .deliverables
            .iter()
            .filter(|d| d.span.is_some())
            .count();
        if boxes > 0 && ticked == boxes {
            return Status::Done;
        }
        let around = self
            .around(item)
            .find_map(|outer| outer.status.as_ref())
            .map(|mark| mark.status);
        let inherited = around
            .filter(|s| !matches!(s, Status::Planned | Status::InProgress))
            .or(item.section_status);
        inherited.unwrap_or(if ticked > 0 {
            Status::InProgress
        } else {
            Status::Planned
        })
    }

    fn standing_of_parts(&self, item: &Item) -> Status {
        let parts: Vec<Status> = item
            .children
            .iter()
            .filter_map(|key| self.item(key))
            .map(|part| self.standing(part))
            .collect();
        let options = self.parts_of(item).any(|part| part.choice.is_some());
        let done = parts.iter().filter(|s| **s == Status::Done).count();
        let settled = parts.iter().filter(|s| s.is_settled()).count();
        if done > 0 && (settled == parts.len() || options) {
            Status::Done
        } else if settled == parts.len() {
            Status::Cancelled
        } else if done > 0 || parts.contains(&Status::InProgress) {
            Status::InProgress
        } else {
            Status::Planned
        }
    }

    fn parts_of<'r>(&'r self, item: &'r Item) -> impl Iterator<Item = &'r Item> {
        item.children.iter().filter_map(|key| self.item(key))
    }

    /// The items around an item, innermost first.
    fn around<'r>(&'r self, item: &'r Item) -> impl Iterator<Item = &'r Item> {
        let up = |i: &&'r Item| i.parent.as_ref().and_then(|key| self.item(key));
        std::iter::successors(up(&item), move |i| up(i))
    }

    /// The items to be worked, in document order: planned or in progress, without parts of their own, and not options of
    /// a choice that is not made. Optional ones are among them, and say so.
    #[must_use]
    pub fn open_work(&self) -> Vec<&Item> {
        let undecided = self.undecided();
        let open = |item: &&Item| {
            item.children.is_empty()
                && matches!(self.standing(item), Status::Planned | Status::InProgress)
        };
        self.items
            .iter()
            .filter(open)
            .filter(|item| !self.is_left(item, &undecided))
            .collect()
    }

    /// Left to a person, or not chosen: the item or one around it.
    fn is_left(&self, item: &Item, undecided: &HashSet<&ItemKey>) -> bool {
        let unchosen = |i: &Item| {
            i.choice
                .as_ref()
                .is_some_and(|group| undecided.contains(group) || !i.chosen)
        };
        unchosen(item) || self.around(item).any(unchosen)
    }

    fn groups(&self) -> Vec<(&ItemKey, Vec<&Item>)> {
        let mut order: Vec<(&ItemKey, Vec<&Item>)> = Vec::new();
        let mut at: HashMap<&ItemKey, usize> = HashMap::new();
        for item in &self.items {
            let Some(group) = &item.choice else { continue };
            let place = *at.entry(group).or_insert_with(|| {
                order.push((group, Vec::new()));
                order.len() - 1
            });
            order[place].1.push(item);
        }
        order
    }

    fn undecided(&self) -> HashSet<&ItemKey> {
        let open = |members: &Vec<&Item>| {
            !members.iter().any(|i| i.chosen)
                && members.iter().any(|i| !self.standing(i).is_settled())
        };
        self.groups()
            .into_iter()
            .filter(|(_, members)| open(members))
            .map(|(group, _)| group)
            .collect()
    }

    /// The choices that nobody has made yet. To make one, set an option's status, or write "(chosen)" behind its title.
    #[must_use]
    pub fn choices(&self) -> Vec<Choice<'_>> {
        let undecided = self.undecided();
        let open = self
            .groups()
            .into_iter()
            .filter(|(group, _)| undecided.contains(group));
        open.map(|(group, options)| {
            let parent = options
                .first()
                .and_then(|o| o.parent.as_ref())
                .and_then(|key| self.item(key));
            Choice {
                group: group.clone(),
                parent,
                options,
            }
        })
        .collect()
    }

    /// The open items without parts that must be settled before this one: what it and the items around it depend on, with
    /// the parts of what is named. An undecided choice is waited for under the name of the item that offers it. Two items
    /// that each come after all others do not wait for each other; other circles are left for the caller to refuse.
    #[must_use]
    pub fn waits_for(&self, key: &ItemKey) -> Vec<ItemKey> {
        let Some(item) = self.item(key) else {
            return Vec::new();
        };
        let undecided = self.undecided();
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        for owner in std::iter::once(item).chain(self.around(item)) {
            for target in self.targets(owner) {
                self.add_open(target, item, &undecided, &mut seen, &mut found);
            }
        }
        found
    }

    fn targets<'r>(&'r self, item: &'r Item) -> Vec<&'r Item> {
        let mut found: Vec<&Item> = item
            .dependencies
            .iter()
            .flat_map(|d| &d.on)
            .filter_map(|key| self.item(key))
            .collect();
        if after_all(item) {
            let other = |i: &&Item| {
                i.parent == item.parent && i.kind == item.kind && i.key != item.key && !after_all(i)
            };
            found.extend(self.items.iter().filter(other));
        }
        found
    }

    fn add_open<'r>(
        &'r self,
        target: &'r Item,
        waiting: &Item,
        undecided: &HashSet<&ItemKey>,
        seen: &mut HashSet<&'r ItemKey>,
        found: &mut Vec<ItemKey>,
    ) {
        let mut stack = vec![target];
        while let Some(next) = stack.pop() {
            let own = next.key == waiting.key || self.around(waiting).any(|i| i.key == next.key);
            if own || !seen.insert(&next.key) || self.standing(next).is_settled() {
                continue;
            }
            let offers = self.parts_of(next).any(|part| {
                part.choice
                    .as_ref()
                    .is_some_and(|group| undecided.contains(group))
            });
            if next.children.is_empty() || offers {
                found.push(next.key.clone());
            } else {
                let chosen = self
                    .parts_of(next)
                    .filter(|part| part.choice.is_none() || part.chosen);
                let before = stack.len();
                stack.extend(chosen);
                stack[before..].reverse();
            }
        }
    }

    /// Items with parts whose own mark is still open although every part is settled: their status can be set to done.
    #[must_use]
    pub fn finished_parents(&self) -> Vec<&Item> {
        let stale = |item: &&Item| {
            item.status
                .as_ref()
                .is_some_and(|mark| !mark.status.is_settled())
        };
        let parents = self.items.iter().filter(|item| !item.children.is_empty());
        parents
            .filter(stale)
            .filter(|item| self.standing_of_parts(item).is_settled())
            .collect()
    }
}

fn after_all(item: &Item) -> bool {
    item.dependencies
        .iter()
        .any(|d| d.all_others && d.need != Need::Blocker)
}
