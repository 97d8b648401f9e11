//! For: an item while it is put together, and the places in the document that say its status.
//! Not for: what others see (see `model`).

use std::ops::Range;

use crate::blocks::{EntryId, HeadingId, Tick};
use crate::marks::Found;
use crate::model::{Deliverable, Estimate, ItemKind, Status, StatusMark};
use crate::parts::Parts;
use crate::rendered::Rendered;
use crate::words::tidy;

/// Where an item comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Heading(HeadingId),
    Entry(EntryId),
    Row { table: usize, row: usize },
}

/// How a status is written. What is first here counts where several say different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Field,
    Box,
    Cell,
    Title,
    /// A struck-through title: read, never written.
    Struck,
    /// A row of a summary elsewhere.
    Summary,
}

/// One place that says an item's status.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub place: Place,
    pub status: Status,
    pub percent: Option<u8>,
    pub text: String,
    pub line: u32,
    /// The document's bytes that an update replaces.
    pub symbol: Option<Range<usize>>,
    pub word: Option<Range<usize>>,
    /// For a box: the character; for an empty cell: the cell.
    pub tick: Option<Range<usize>>,
}

impl Mark {
    /// From what was found in a rendered line.
    pub fn found(place: Place, found: &Found, line: &Rendered, number: u32, value: &str) -> Self {
        let source = |r: &Option<Range<usize>>| r.as_ref().and_then(|r| line.source(r));
        Self {
            place,
            status: found.status,
            percent: found.percent,
            text: value.trim().to_owned(),
            line: number,
            symbol: source(&found.symbol),
            word: source(&found.word),
            tick: None,
        }
    }

    pub fn tick(place: Place, status: Status, text: &str, line: u32, span: Range<usize>) -> Self {
        Self {
            place,
            status,
            percent: None,
            text: text.to_owned(),
            line,
            symbol: None,
            word: None,
            tick: Some(span),
        }
    }

    /// From the first to the last byte that an update replaces.
    pub fn span(&self) -> Range<usize> {
        let parts = [&self.symbol, &self.word, &self.tick];
        let start = parts
            .iter()
            .filter_map(|p| p.as_ref())
            .map(|r| r.start)
            .min()
            .unwrap_or(0);
        let end = parts
            .iter()
            .filter_map(|p| p.as_ref())
            .map(|r| r.end)
            .max()
            .unwrap_or(start);
        start..end
    }
}

/// A dependency before its names are looked up.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    pub text: String,
    pub line: u32,
    pub blocker: bool,
    /// From a remark in a title: it is dropped when it names nothing.
    pub remark: bool,
}

/// An item in the making.
#[derive(Debug)]
pub(crate) struct Draft {
    pub origin: Origin,
    pub kind: ItemKind,
    pub word: String,
    pub number: Option<String>,
    pub parts: Parts,
    pub line: u32,
    pub body: Range<usize>,
    pub parent: Option<usize>,
    pub section: Option<HeadingId>,
    pub section_status: Option<Status>,
    /// Members of one list or table share it; numbers are looked up here first.
    pub group: usize,
    pub marks: Vec<Mark>,
    pub estimates: Vec<Estimate>,
    pub restated: Vec<Estimate>,
    pub needs: Vec<Need>,
    pub deliverables: Vec<Deliverable>,
    pub impact: Option<String>,
    pub window: Option<String>,
}

impl Draft {
    pub fn new(
        origin: Origin,
        kind: ItemKind,
        parts: Parts,
        line: u32,
        body: Range<usize>,
    ) -> Self {
        let label = parts.label.as_ref();
        Self {
            origin,
            kind,
            word: label.map(|l| l.word.clone()).unwrap_or_default(),
            number: label.map(|l| l.number.clone()),
            window: parts.window.clone(),
            parts,
            line,
            body,
            parent: None,
            section: None,
            section_status: None,
            group: 0,
            marks: Vec::new(),
            estimates: Vec::new(),
            restated: Vec::new(),
            needs: Vec::new(),
            deliverables: Vec::new(),
            impact: None,
        }
    }

    /// The place that says its status before all others.
    pub fn first_mark(&self) -> Option<&Mark> {
        self.marks.iter().min_by_key(|m| m.place)
    }
}

/// What a tick says.
pub(crate) fn of_tick(tick: Tick) -> Status {
    match tick {
        Tick::Empty => Status::Planned,
        Tick::Ticked => Status::Done,
        Tick::Half => Status::InProgress,
        Tick::Dropped => Status::Cancelled,
        Tick::Stuck => Status::Blocked,
    }
}

/// A tick as it is usually written.
pub(crate) fn box_text(tick: Tick) -> &'static str {
    match tick {
        Tick::Empty => "[ ]",
        Tick::Ticked => "[x]",
        Tick::Half => "[~]",
        Tick::Dropped => "[-]",
        Tick::Stuck => "[!]",
    }
}

/// The part of a title that says its status.
pub(crate) fn mark_text(line: &str, found: &Found) -> String {
    let pieces: Vec<Range<usize>> = [&found.symbol, &found.word]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let start = pieces.iter().map(|r| r.start).min().unwrap_or(0);
    let end = pieces.iter().map(|r| r.end).max().unwrap_or(0);
    tidy(&line[start..end])
}

/// A mark as others see it.
pub(crate) fn public_mark(mark: &Mark) -> StatusMark {
    StatusMark {
        status: mark.status,
        text: tidy(&mark.text),
        percent: mark.percent,
        line: mark.line,
        span: mark.span(),
    }
}
