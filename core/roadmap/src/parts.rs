//! For: taking a title line apart: check-box, label, title, and the remarks around it (status, duration, window,
//! dependency, optional). Not for: deciding whether the line is an item (see `outline`).

use std::ops::Range;

use crate::blocks::{CheckBox, check_box};
use crate::estimate::{is_window, read_only_duration};
use crate::labels::{self, Label};
use crate::legend::Legend;
use crate::marks::{self, Found};
use crate::model::Importance;
use crate::rendered::Rendered;
use crate::vocabulary::unmistakable;
use crate::words::{is_symbol, leading_symbols, plain, tidy, tokens, trim_range, words};

/// What a title says of a choice between items.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choosing {
    #[default]
    No,
    /// "(choose one)": its parts are alternatives.
    Offers,
    /// "(chosen)": of several, this one.
    Chosen,
}

/// A title line, taken apart. Ranges are in the rendered line.
#[derive(Debug, Default, Clone)]
pub(crate) struct Parts {
    pub check_box: Option<CheckBox>,
    pub label: Option<Label>,
    pub label_text: Option<String>,
    pub title: String,
    pub mark: Option<Found>,
    /// The status is written with a word or in brackets, so that it can't be decoration.
    pub mark_is_clear: bool,
    pub estimates: Vec<String>,
    pub window: Option<String>,
    pub depends: Vec<String>,
    pub choice: Choosing,
    pub optional: bool,
    pub importance: Option<Importance>,
    pub struck: bool,
}

/// Takes a heading or the first line of an entry apart. `text` is the document.
pub(crate) fn parts(line: &Rendered, text: &str, legend: &Legend) -> Parts {
    let mut parts = Parts {
        check_box: check_box(line, text),
        struck: line.is_struck(),
        ..Parts::default()
    };
    let from = parts.check_box.as_ref().map_or(0, |b| b.after);
    let start = from + leading_symbols(&line.text[from..]);
    parts.read_leading_symbols(&line.text, from..start);
    let start = parts.read_leading_bracket(&line.text, start, legend);
    let mut rest = start;
    if let Some(label) = labels::label(&line.text[start..]) {
        parts.label_text = Some(tidy(&line.text[start..start + label.end]));
        rest = start + label.rest;
        parts.label = Some(label);
    }
    rest = parts.read_leading_bracket(&line.text, rest, legend);
    parts.read_title(line, start, rest, legend);
    parts
}

/// Whether a line of a paragraph stands for a heading: bold from its start, with a word and a number.
pub(crate) fn is_bold_heading(line: &Rendered) -> bool {
    let start = leading_symbols(&line.text);
    let Some(label) = labels::label(&line.text[start..]).filter(|l| !l.faint) else {
        return false;
    };
    let covered = line
        .strong_run_end(start)
        .filter(|end| line.style_at(start).strong && *end >= start + label.end);
    covered.is_some_and(|end| line.text.len() < 200 && stands_apart(&line.text[end..]))
}

/// What follows a bold title: nothing, a remark, or decoration; not the rest of a sentence.
fn stands_apart(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty()
        || rest.starts_with(['(', '[', ':', '-', '–', '—', '.', '|', ','])
        || rest.split_whitespace().next().is_some_and(is_symbol)
}

impl Parts {
    fn read_leading_symbols(&mut self, text: &str, range: Range<usize>) {
        for token in tokens(&text[range.clone()]) {
            let token = range.start + token.start..range.start + token.end;
            self.read_symbol(text, token);
        }
    }

    fn read_symbol(&mut self, text: &str, token: Range<usize>) {
        let symbol = &text[token.clone()];
        self.importance = self.importance.or_else(|| importance_of_symbol(symbol));
        if self.mark.is_none()
            && let Some(status) = unmistakable(symbol)
        {
            self.mark = Some(Found {
                status,
                percent: None,
                symbol: Some(token),
                word: None,
                clear: false,
            });
        }
    }

    /// "[DONE] Title": where the title starts.
    fn read_leading_bracket(&mut self, text: &str, start: usize, legend: &Legend) -> usize {
        let Some(inner) = text[start..]
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
        else {
            return start;
        };
        let range = start + 1..start + 1 + inner.0.len();
        if inner.0.len() > 60 || !self.read_remark(text, range.clone(), legend) {
            return start;
        }
        let after = &text[range.end + 1..];
        range.end + 1 + (after.len() - after.trim_start().len())
    }

    fn read_title(&mut self, line: &Rendered, start: usize, rest: usize, legend: &Legend) {
        let text = &line.text;
        let end = bold_title_end(line, start, rest).unwrap_or(text.len());
        let groups = self.read_groups(text, rest, legend);
        let bracket = text[end..]
            .find(['(', '['])
            .map_or(text.len(), |at| end + at);
        if !self.read_marked_end(text, end..bracket, legend) {
            self.read_tail(text, end..text.len());
        }
        let mut kept = without(text, rest..end, &groups);
        kept = self.read_last_piece(text, kept, legend);
        kept = self.read_marked_ends(text, kept, legend);
        let kept = self.read_decoration(text, kept);
        let title: Vec<&str> = kept.into_iter().map(|r| &text[r]).collect();
        self.title = clean_title(&title.concat());
        if self.title.is_empty() {
            self.title = self.label_text.clone().unwrap_or_else(|| tidy(text));
        }
        self.optional |= words(&self.title)
            .first()
            .is_some_and(|w| w.lower == "optional");
    }

    /// Remarks in brackets; those that were understood are returned, to be left out of the title.
    fn read_groups(&mut self, text: &str, from: usize, legend: &Legend) -> Vec<Range<usize>> {
        let found = groups(text, from);
        found
            .into_iter()
            .filter(|g| self.read_remark(text, g.start + 1..g.end - 1, legend))
            .collect()
    }

    /// "Title - DONE", "Title — 2 days".
    fn read_last_piece(
        &mut self,
        text: &str,
        kept: Vec<Range<usize>>,
        legend: &Legend,
    ) -> Vec<Range<usize>> {
        let Some(last) = kept
            .iter()
            .rev()
            .find(|r| !text[(*r).clone()].trim().is_empty())
            .cloned()
        else {
            return kept;
        };
        let piece = &text[last.clone()];
        let Some((at, length)) = last_dash(piece) else {
            return kept;
        };
        let remark = trim_range(text, last.start + at + length..last.end);
        if remark.is_empty() || remark.len() > 80 || !self.read_remark(text, remark, legend) {
            return kept;
        }
        kept.into_iter()
            .filter(|r| r.start <= last.start)
            .map(|r| if r == last { r.start..r.start + at } else { r })
            .collect()
    }

    /// "Title ✅ COMPLETED": cuts the status off.
    fn read_marked_ends(
        &mut self,
        text: &str,
        kept: Vec<Range<usize>>,
        legend: &Legend,
    ) -> Vec<Range<usize>> {
        let mut left = Vec::new();
        for range in kept {
            let found = tokens(&text[range.clone()])
                .into_iter()
                .map(|t| range.start + t.start..range.start + t.end)
                .filter(|t| marks_something(&text[t.clone()]))
                .take(4)
                .find(|t| self.read_marked_end(text, t.start..range.end, legend));
            left.push(range.start..found.map_or(range.end, |t| t.start));
        }
        left
    }

    /// "✅ COMPLETED": a symbol and a word that are a status as a whole.
    fn read_marked_end(&mut self, text: &str, range: Range<usize>, legend: &Legend) -> bool {
        let range = trim_range(text, range);
        let found = marks::read_whole(&text[range.clone()], legend)
            .filter(|found| found.symbol.is_some() && found.word.is_some());
        let Some(found) = found else { return false };
        self.set_clear_mark(found, range.start);
        true
    }

    /// Symbols behind a title mark it unless they decorate a word of their own: "✅ NEW".
    fn read_tail(&mut self, text: &str, range: Range<usize>) {
        let found: Vec<Range<usize>> = tokens(&text[range.clone()])
            .into_iter()
            .take(20)
            .map(|t| range.start + t.start..range.start + t.end)
            .collect();
        let shouts = found.iter().any(|t| is_shout(&text[t.clone()]));
        for token in found.into_iter().filter(|t| is_symbol(&text[t.clone()])) {
            if !shouts || unmistakable(&text[token.clone()]).is_none() {
                self.read_symbol(text, token);
            }
        }
    }

    /// Cuts "⚡ NEW 🤖" off: from the first symbol after which only symbols and capitals stand.
    fn read_decoration(&mut self, text: &str, kept: Vec<Range<usize>>) -> Vec<Range<usize>> {
        let pieces: Vec<Range<usize>> = kept
            .iter()
            .flat_map(|r| {
                tokens(&text[r.clone()])
                    .into_iter()
                    .map(|t| r.start + t.start..r.start + t.end)
            })
            .collect();
        let idle = |t: &Range<usize>| is_symbol(&text[t.clone()]) || is_shout(&text[t.clone()]);
        let tail = pieces.iter().rev().take_while(|t| idle(t)).count();
        let emoji = |t: &Range<usize>| {
            is_symbol(&text[t.clone()])
                && !text[t.clone()].is_ascii()
                && !matches!(&text[t.clone()], "–" | "—" | "→" | "·")
        };
        let Some(cut) = pieces[pieces.len() - tail..]
            .iter()
            .find(|t| emoji(t))
            .cloned()
        else {
            return kept;
        };
        let end = pieces.last().map_or(cut.end, |t| t.end);
        self.read_tail(text, cut.start..end);
        kept.into_iter()
            .filter(|r| r.start < cut.start)
            .map(|r| r.start..r.end.min(cut.start))
            .collect()
    }

    /// One remark, or several with commas. True if any was understood.
    fn read_remark(&mut self, text: &str, range: Range<usize>, legend: &Legend) -> bool {
        let range = trim_range(text, range);
        if range.len() > 160 {
            return false;
        }
        if self.read_dependency(&text[range.clone()]) || self.read_status(text, &range, legend) {
            return true;
        }
        let mut understood = false;
        for piece in pieces(text, range) {
            understood |= self.read_simple(&text[piece.clone()])
                || self.read_dependency(&text[piece.clone()])
                || self.read_status(text, &piece, legend);
        }
        understood
    }

    fn read_status(&mut self, text: &str, range: &Range<usize>, legend: &Legend) -> bool {
        let Some(found) = marks::read_whole(&text[range.clone()], legend) else {
            return false;
        };
        // Durations, windows and the rest may stand behind it: "(in progress, 2 weeks)".
        let end = [&found.symbol, &found.word]
            .into_iter()
            .flatten()
            .map(|r| r.end)
            .max()
            .unwrap_or(0);
        for piece in pieces(text, range.start + end..range.end) {
            self.read_simple(&text[piece]);
        }
        self.set_clear_mark(found, range.start);
        true
    }

    /// The first clear mark counts; `found` is relative to `offset`.
    fn set_clear_mark(&mut self, found: Found, offset: usize) {
        if self.mark.is_some() && self.mark_is_clear {
            return;
        }
        let moved = |r: Range<usize>| r.start + offset..r.end + offset;
        self.mark = Some(Found {
            symbol: found.symbol.map(moved),
            word: found.word.map(moved),
            ..found
        });
        self.mark_is_clear = true;
    }

    fn read_simple(&mut self, remark: &str) -> bool {
        let said = plain(remark);
        let said = said.as_str();
        if matches!(
            said,
            "optional"
                | "if needed"
                | "if time permits"
                | "if time"
                | "nice to have"
                | "stretch"
                | "stretch goal"
        ) {
            self.optional = true;
        } else if is_choice(said) {
            self.choice = Choosing::Offers;
        } else if matches!(said, "chosen" | "selected" | "picked" | "our choice") {
            self.choice = Choosing::Chosen;
        } else if read_only_duration(remark).is_some() {
            self.estimates.push(tidy(remark));
        } else if is_window(remark) {
            self.window.get_or_insert_with(|| tidy(remark));
        } else if let Some(importance) = importance_alone(said) {
            self.importance = Some(importance);
        } else {
            return false;
        }
        true
    }

    fn read_dependency(&mut self, remark: &str) -> bool {
        let lower = remark.to_lowercase();
        let certain = [
            "depends on",
            "depends:",
            "depends on:",
            "blocked by",
            "dependency:",
            "dependencies:",
        ]
        .iter()
        .find_map(|w| lower.strip_prefix(w));
        let likely = [
            "after ",
            "after:",
            "requires ",
            "requires:",
            "needs ",
            "needs:",
        ]
        .iter()
        .find_map(|w| lower.strip_prefix(w));
        let names = |rest: &&str| {
            rest.contains(|c: char| c.is_ascii_digit())
                || words(rest)
                    .iter()
                    .any(|w| w.lower == "all" || w.lower == "previous")
        };
        let Some(rest) = certain.or_else(|| likely.filter(names)) else {
            return false;
        };
        // Lower-casing can change lengths; the words are the same ones, counted from the end.
        let chars = rest.chars().count();
        let skip = remark.chars().count().saturating_sub(chars);
        let value: String = remark.chars().skip(skip).collect();
        self.depends
            .push(value.trim_start_matches([':', ' ']).trim().to_owned());
        true
    }
}

/// A symbol that means a status wherever it stands.
fn marks_something(token: &str) -> bool {
    is_symbol(token) && unmistakable(token).is_some()
}

/// "high", "LOW PRIORITY": nothing else.
fn importance_alone(said: &str) -> Option<Importance> {
    let word = said.strip_suffix(" priority").unwrap_or(said);
    (!word.contains(' '))
        .then(|| read_importance(word))
        .flatten()
}

/// The pieces of a remark between commas, semicolons and dashes.
fn pieces(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    const BETWEEN: [&str; 5] = [",", ";", " - ", " – ", " — "];
    let mut found = Vec::new();
    let mut from = range.start;
    while from <= range.end {
        let rest = &text[from..range.end];
        let next = BETWEEN
            .iter()
            .filter_map(|b| rest.find(b).map(|at| (at, b.len())))
            .min();
        let (length, gap) = next.unwrap_or((rest.len(), 1));
        found.push(trim_range(text, from..from + length));
        from += length + gap;
    }
    found
}

/// The last dash or bar with spaces around it that stands outside of brackets, and its length.
fn last_dash(text: &str) -> Option<(usize, usize)> {
    let mut depth = 0_u32;
    let mut found = None;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            ' ' if depth == 0 => {
                let dash = [" - ", " – ", " — ", " | "]
                    .iter()
                    .find(|d| text[at..].starts_with(**d));
                found = dash.map(|d| (at, d.len())).or(found);
            }
            _ => {}
        }
    }
    found
}

fn is_choice(said: &str) -> bool {
    let found: Vec<&str> = said.split(' ').collect();
    let verb = found
        .iter()
        .position(|w| matches!(*w, "choose" | "pick" | "select"));
    let among = |w: &&str| {
        matches!(
            *w,
            "one" | "1" | "from" | "between" | "among" | "based" | "any" | "either"
        )
    };
    verb.is_some_and(|at| found[at..].iter().any(among))
        || said.starts_with("one of")
        || said.starts_with("either")
}

/// "HIGH", "P1", "medium (next quarter)".
pub(crate) fn read_importance(value: &str) -> Option<Importance> {
    let first = words(value.get(..60).unwrap_or(value))
        .into_iter()
        .next()
        .map(|w| w.lower);
    match first.as_deref() {
        Some("critical" | "urgent" | "p0" | "highest" | "blocker") => Some(Importance::Critical),
        Some("high" | "p1" | "important" | "must") => Some(Importance::High),
        Some("medium" | "med" | "normal" | "moderate" | "p2" | "should") => {
            Some(Importance::Medium)
        }
        Some("low" | "lowest" | "minor" | "p3" | "p4" | "could" | "trivial") => {
            Some(Importance::Low)
        }
        _ => importance_of_symbol(value.trim()),
    }
}

fn importance_of_symbol(symbol: &str) -> Option<Importance> {
    match symbol.chars().next()? {
        '🔴' | '🟠' | '🔥' => Some(Importance::High),
        '🟡' => Some(Importance::Medium),
        '🟢' => Some(Importance::Low),
        _ => None,
    }
}

/// The end of a title that is set in bold, alone or with its label.
fn bold_title_end(line: &Rendered, start: usize, rest: usize) -> Option<usize> {
    let begins = |at: usize| at < line.text.len() && line.style_at(at).strong;
    let from = if begins(start) && line.strong_run_end(start).is_some_and(|end| end > rest) {
        start
    } else {
        rest
    };
    let end = line.strong_run_end(from).filter(|_| begins(from))?;
    stands_apart(&line.text[end..]).then_some(end)
}

/// Outermost groups in round or square brackets.
fn groups(text: &str, from: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut open = Vec::new();
    for (at, c) in text[from..].char_indices().take(2000) {
        match c {
            '(' | '[' => open.push(from + at),
            ')' | ']' => {
                if let Some(start) = open.pop()
                    && open.is_empty()
                {
                    found.push(start..from + at + 1);
                }
            }
            _ => {}
        }
    }
    found.truncate(20);
    found
}

fn without(text: &str, range: Range<usize>, groups: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut kept = Vec::new();
    let mut from = range.start;
    for group in groups
        .iter()
        .filter(|g| g.start >= range.start && g.end <= range.end)
    {
        kept.push(from..group.start);
        from = group.end;
    }
    kept.push(from..range.end);
    kept.retain(|r| !text[r.clone()].is_empty());
    kept
}

fn is_shout(token: &str) -> bool {
    token.chars().any(char::is_alphabetic) && !token.chars().any(char::is_lowercase)
}

fn clean_title(text: &str) -> String {
    let pieces: Vec<&str> = text.split_whitespace().collect();
    let first = pieces.iter().position(|t| !is_symbol(t)).unwrap_or(0);
    let last = pieces.iter().rposition(|t| !is_symbol(t)).unwrap_or(0);
    let kept = pieces
        .get(first..=last)
        .map(|p| p.join(" "))
        .unwrap_or_default();
    let start = glued(&kept);
    kept[start..]
        .trim_end_matches([':', '：', ',', ';'])
        .trim_end_matches(['✅', '✔', '☑', '\u{fe0f}'])
        .trim()
        .to_owned()
}

/// Of "🤖Title": the bytes before the title.
fn glued(text: &str) -> usize {
    let end = leading_symbols(text);
    if end < text.len() { end } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks;
    use crate::model::Status;

    fn of(heading: &str) -> Parts {
        let text = format!("# T\n\n### {heading}\n");
        let doc = blocks::read(&text);
        parts(&doc.headings[1].text, &text, &Legend::default())
    }

    #[test]
    fn titles_are_clean() {
        let table = [
            ("🔴 **PRIORITY 3.5: Error page** ⚡ NEW", "Error page"),
            ("4.2 Run executor", "Run executor"),
            (
                "**PRIORITY 2: Basic daemon** ⚡ NEW 🤖 **TOP PRIORITY**",
                "Basic daemon",
            ),
            ("Parser ⚡ NEW 🤖", "Parser"),
            ("2. **Cleanup & removal** âš¡ CURRENT", "Cleanup & removal"),
            (
                "Option A: **Review agent** â TOP RECOMMENDATION",
                "Review agent",
            ),
            ("TIER 1: CORE (COMPLETE ✅)", "CORE"),
            ("Phase 1: Validate setup (Week 1)", "Validate setup"),
            (
                "TIER 5: WORKERS (EXTENSIVE, 138 MODULES)",
                "WORKERS (EXTENSIVE, 138 MODULES)",
            ),
            ("**Login** page: make it", "Login page: make it"),
            ("[Phase 2: Sync](x.md)", "Sync"),
            ("`parse()` rewrite", "parse() rewrite"),
            ("Parser - DONE", "Parser"),
            ("Parser [WIP]", "Parser"),
            ("[DONE] Parser", "Parser"),
            ("Parser ✅", "Parser"),
            ("✅ Parser", "Parser"),
            ("Export (CSV, PDF)", "Export (CSV, PDF)"),
            ("Cleanup (after 2, 3)", "Cleanup"),
            ("API v2 — 2 days", "API v2"),
            ("Milestone 3: Quarter 1 (90 days)", "Quarter 1"),
            ("USE HTTP API", "USE HTTP API"),
            ("Phase 1: Board ✅ COMPLETED (2025-11-06)", "Board"),
            ("Phase 3: Agents (Current - Weeks 5-7)", "Agents"),
            (
                "Batch 1: X 2.3 - Adapter (Historical - 2026-02-05)",
                "X 2.3 - Adapter",
            ),
            ("Phase 10: Last (Week 20) - LOW PRIORITY", "Last"),
            ("6. Errors ✅ NEW", "Errors"),
            ("Phase 7", "Phase 7"),
        ];
        for (heading, title) in table {
            assert_eq!(of(heading).title, title, "{heading}");
        }
    }

    #[test]
    fn remarks_are_read() {
        let found = of("🟡 **PRIORITY 6: Projects** (choose based on interest)");
        assert!(found.choice == Choosing::Offers && found.importance == Some(Importance::Medium));
        let found = of("Phase 1.1: More (optional)");
        assert!(found.optional && found.choice == Choosing::No);
        assert_eq!(
            of("Milestone 3: Quarter 1 (90 days)").estimates,
            ["90 days"]
        );
        assert_eq!(
            of("Phase 2: Watch (Week 1-2)").window.as_deref(),
            Some("Week 1-2")
        );
        assert_eq!(of("Cleanup (after 2, 3)").depends, ["2, 3"]);
        assert_eq!(of("Parser (in progress, 2 weeks)").estimates, ["2 weeks"]);
    }

    #[test]
    fn statuses_in_titles() {
        let table = [
            ("TIER 1: CORE (COMPLETE ✅)", Some(Status::Done)),
            ("TIER 4: X (75% COMPLETE âš ï¸)", Some(Status::InProgress)),
            ("Parser - DONE", Some(Status::Done)),
            ("✅ Parser", Some(Status::Done)),
            ("Parser 🚧", Some(Status::InProgress)),
            ("🔴 Parser", None),
            ("Parser ✅ COMPLETED (2025-11-06)", Some(Status::Done)),
            ("Parser 🚧 in progress", Some(Status::InProgress)),
            ("**Parser** ✅ done (May)", Some(Status::Done)),
            ("Parser ✅ NEW", None),
            ("Parser (HIGH, 2-3h)", None),
            ("Parser ⚡ NEW", None),
            ("TIER 6: Y (61 MODULES)", None),
            ("Complete the parser", None),
        ];
        for (heading, status) in table {
            assert_eq!(of(heading).mark.map(|m| m.status), status, "{heading}");
        }
    }
}
