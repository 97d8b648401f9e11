//! For: from the names in dependencies to the items they name, closest first: the same list, then the same parent, then
//! the whole document. Not for: reading names from text (`refs`).

use std::collections::{HashMap, HashSet};

use crate::draft::Draft;
use crate::facts::left_out;
use crate::model::{Dependency, ItemKey, ItemKind, Looks, Need as Binding, NotUnderstood};
use crate::refs::{self, Reach, Wanted};
use crate::words::plain;

/// Edges that are followed in one document; "all previous" of many items would otherwise be a square of them.
const EDGES_AT_MOST: usize = 200_000;

/// The dependencies of every item, and the ones that name nothing.
pub(crate) fn resolve(
    drafts: &[Draft],
    keys: &[ItemKey],
) -> (Vec<Vec<Dependency>>, Vec<NotUnderstood>) {
    let mut resolver = Resolver::new(drafts, keys);
    let found = (0..drafts.len())
        .map(|item| resolver.of_item(item))
        .collect();
    (found, resolver.left_out)
}

struct Resolver<'d> {
    drafts: &'d [Draft],
    keys: &'d [ItemKey],
    by_label: HashMap<(&'d str, &'d str), Vec<usize>>,
    by_number: HashMap<&'d str, Vec<usize>>,
    by_title: HashMap<String, Vec<usize>>,
    by_key: HashMap<String, usize>,
    siblings: HashMap<(Option<usize>, usize), Vec<usize>>,
    edges: usize,
    left_out: Vec<NotUnderstood>,
}

impl<'d> Resolver<'d> {
    fn new(drafts: &'d [Draft], keys: &'d [ItemKey]) -> Self {
        let mut made = Self {
            drafts,
            keys,
            by_label: HashMap::new(),
            by_number: HashMap::new(),
            by_title: HashMap::new(),
            by_key: HashMap::new(),
            siblings: HashMap::new(),
            edges: 0,
            left_out: Vec::new(),
        };
        for (index, draft) in drafts.iter().enumerate() {
            if let Some(number) = &draft.number {
                made.by_label
                    .entry((&draft.word, number))
                    .or_default()
                    .push(index);
                made.by_number.entry(number).or_default().push(index);
            }
            made.by_title
                .entry(plain(&draft.parts.title))
                .or_default()
                .push(index);
            made.by_key.insert(plain(keys[index].as_str()), index);
            made.siblings
                .entry((draft.parent, draft.group))
                .or_default()
                .push(index);
        }
        made
    }

    fn of_item(&mut self, item: usize) -> Vec<Dependency> {
        let needs = &self.drafts[item].needs;
        needs
            .iter()
            .filter_map(|need| {
                let wanted = refs::wanted(&need.text);
                let mut dependency = Dependency {
                    text: need.text.clone(),
                    line: need.line,
                    need: refs::binding(need),
                    on: Vec::new(),
                    all_others: wanted.reach == Reach::AllOthers,
                    none: wanted.reach == Reach::Nothing,
                    unresolved: false,
                };
                let problem = self.look_up(item, &wanted, &mut dependency);
                let dropped = need.remark && dependency.on.is_empty() && !dependency.all_others;
                if let Some(problem) = problem.filter(|_| !dropped) {
                    let (line, text) = (dependency.line, &dependency.text);
                    self.left_out
                        .push(left_out(line, text, Looks::Dependency, problem));
                }
                (!dropped).then_some(dependency)
            })
            .collect()
    }

    /// Fills in what a dependency names; the answer is what a person should know of it.
    fn look_up(
        &mut self,
        item: usize,
        wanted: &Wanted,
        dependency: &mut Dependency,
    ) -> Option<&'static str> {
        if dependency.none || dependency.all_others && wanted.names.is_empty() {
            return None;
        }
        let (found, missing) = self.found(item, wanted);
        let related = |other: usize| self.is_around(other, item) || self.is_around(item, other);
        let allowed: Vec<usize> = found
            .iter()
            .copied()
            .filter(|other| !related(*other))
            .collect();
        let mut seen = HashSet::new();
        dependency.on = allowed
            .iter()
            .filter(|i| seen.insert(**i))
            .map(|i| self.keys[*i].clone())
            .collect();
        dependency.unresolved = missing || dependency.on.is_empty();
        let circular = allowed.len() < found.len() && !missing;
        let loose = dependency.need == Binding::Blocker || !dependency.unresolved;
        match (loose, circular) {
            (true, _) => None,
            (false, true) => Some("it names the item itself or a part of it"),
            (false, false) => Some("it names nothing that is an item here"),
        }
    }

    /// What is named, and whether something named is not there.
    fn found(&mut self, item: usize, wanted: &Wanted) -> (Vec<usize>, bool) {
        let mut found = Vec::new();
        let mut missing = false;
        for (word, number) in &wanted.names {
            let some = self.named(item, word, number);
            missing |= some.is_empty();
            found.extend(some);
        }
        for title in &wanted.titles {
            found.extend(self.titled(item, title));
        }
        if matches!(wanted.reach, Reach::Previous | Reach::AllPrevious) {
            found.extend(self.before(item, wanted.reach == Reach::AllPrevious));
        }
        (found, missing)
    }

    fn named(&self, item: usize, word: &str, number: &str) -> Vec<usize> {
        if let Some(one) = self.one_named(item, word, number) {
            return vec![one];
        }
        let bounds = number
            .split_once('-')
            .and_then(|(a, b)| Some((a.parse::<u32>().ok()?, b.parse::<u32>().ok()?)));
        let Some((first, last)) = bounds.filter(|(a, b)| a < b && b - a <= 200) else {
            return Vec::new();
        };
        (first..=last)
            .filter_map(|n| self.one_named(item, word, &n.to_string()))
            .collect()
    }

    fn one_named(&self, item: usize, word: &str, number: &str) -> Option<usize> {
        let labelled = self
            .by_label
            .get(&(word, number))
            .and_then(|all| self.closest(item, all));
        // "item 3", "task 3" and a number alone name whatever has that number.
        let loose = matches!(
            word,
            "" | "item" | "task" | "issue" | "step" | "work-item" | "feature"
        );
        labelled.or_else(|| {
            self.by_number
                .get(number)
                .filter(|_| loose)
                .and_then(|all| self.closest(item, all))
        })
    }

    fn titled(&self, item: usize, title: &str) -> Option<usize> {
        let by_title = self
            .by_title
            .get(title)
            .and_then(|all| self.closest(item, all));
        by_title.or_else(|| self.by_key.get(title).copied())
    }

    /// The only candidate of the same list, else of the same parent, else of all.
    fn closest(&self, item: usize, all: &[usize]) -> Option<usize> {
        let own = &self.drafts[item];
        let only = |near: &dyn Fn(&Draft) -> bool| {
            let mut some = all
                .iter()
                .copied()
                .filter(|i| near(&self.drafts[*i]))
                .take(2);
            some.next().filter(|_| some.next().is_none())
        };
        if all.len() > 64 {
            return None;
        }
        only(&|d| d.parent == own.parent && d.group == own.group)
            .or_else(|| only(&|d| d.parent == own.parent))
            .or_else(|| only(&|_| true))
    }

    fn before(&mut self, item: usize, all: bool) -> Vec<usize> {
        let own = &self.drafts[item];
        let Some(siblings) = self.siblings.get(&(own.parent, own.group)) else {
            return Vec::new();
        };
        let at = siblings.partition_point(|i| *i < item);
        let first = if all { 0 } else { at.saturating_sub(1) };
        if self.edges + (at - first) > EDGES_AT_MOST {
            return Vec::new();
        }
        self.edges += at - first;
        siblings[first..at].to_vec()
    }

    /// Whether an item is the other or stands around it.
    fn is_around(&self, outer: usize, inner: usize) -> bool {
        std::iter::successors(Some(inner), |i| self.drafts[*i].parent).any(|i| i == outer)
    }
}

/// A name for each item: from its label or number, else its title; where several would share one, with the title too.
pub(crate) fn keys(drafts: &[Draft]) -> Vec<ItemKey> {
    let short: Vec<String> = drafts.iter().map(short_key).collect();
    let mut uses: HashMap<&str, usize> = HashMap::new();
    for key in &short {
        *uses.entry(key).or_default() += 1;
    }
    let full: Vec<String> = drafts
        .iter()
        .zip(&short)
        .map(|(draft, key)| full_key(draft, key, uses[key.as_str()] > 1))
        .collect();
    let wanted: HashSet<&str> = full.iter().map(String::as_str).collect();
    let mut taken: HashSet<String> = HashSet::new();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut made = Vec::with_capacity(full.len());
    for key in &full {
        let mut name = key.clone();
        let count = counts.entry(key).or_insert(1);
        while taken.contains(&name) || (*count > 1 && wanted.contains(name.as_str())) {
            *count += 1;
            name = format!("{key}-{count}");
        }
        *count = (*count).max(1);
        taken.insert(name.clone());
        made.push(ItemKey(name));
    }
    made
}

fn short_key(draft: &Draft) -> String {
    match (&draft.number, draft.kind) {
        (Some(number), ItemKind::Entry) if draft.word.is_empty() => {
            slug(&draft.parts.title, number)
        }
        (Some(number), ItemKind::Row) if draft.word.is_empty() => slug(&draft.parts.title, number),
        (Some(number), _) if draft.word.is_empty() => number.clone(),
        (Some(number), _) => format!("{}-{number}", draft.word),
        (None, _) => slug(&draft.parts.title, "item"),
    }
}

fn full_key(draft: &Draft, short: &str, shared: bool) -> String {
    let title = slug(&draft.parts.title, "");
    if shared && !title.is_empty() && title != short {
        format!("{short}-{title}")
    } else {
        short.to_owned()
    }
}

/// Words as a part of a key.
pub(crate) fn slug(title: &str, otherwise: &str) -> String {
    let mut found = String::new();
    for word in plain(title).split(' ').filter(|w| !w.is_empty()) {
        let word: String = word.chars().filter(|c| c.is_alphanumeric()).collect();
        if !found.is_empty() && found.chars().count() + word.chars().count() > 60 {
            break;
        }
        if !found.is_empty() {
            found.push('-');
        }
        found.extend(word.chars().take(60));
    }
    if found.is_empty() {
        otherwise.to_owned()
    } else {
        found
    }
}
