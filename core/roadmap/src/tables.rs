//! For: tables with a status column: which column is what, and their rows as items.
//! Not for: rows that only sum up items which stand elsewhere (`gather` tells them apart).

use crate::blocks::{Cell, Document, Row, Table};
use crate::draft::{Draft, Mark, Need, Origin, Place};
use crate::estimate::read_duration;
use crate::facts::Facts;
use crate::labels;
use crate::legend::Legend;
use crate::marks::{Found, read_value};
use crate::model::{Estimate, ItemKind, Status};
use crate::parts::{Parts, parts, read_importance};
use crate::words::{plain, tidy};

/// Which column holds what.
#[derive(Debug, Default, Clone)]
pub(crate) struct Columns {
    pub title: usize,
    pub status: usize,
    number: Option<usize>,
    estimate: Option<usize>,
    depends: Option<usize>,
    importance: Option<usize>,
}

const TITLES: &[&str] = &[
    "item",
    "task",
    "feature",
    "milestone",
    "phase",
    "name",
    "title",
    "work",
    "work item",
    "deliverable",
    "epic",
    "story",
    "goal",
    "description",
    "project",
    "what",
    "issue",
    "ticket",
    "step",
    "component",
    "priority",
];
const STATUSES: &[&str] = &[
    "status",
    "state",
    "progress",
    "done",
    "complete",
    "completed",
];
const NUMBERS: &[&str] = &["", "no", "nr", "id", "number", "num"];
const ESTIMATES: &[&str] = &[
    "estimate",
    "effort",
    "duration",
    "time",
    "estimated duration",
    "estimated effort",
    "est",
    "estimated time",
    "timeline",
];
const DEPENDS: &[&str] = &[
    "depends on",
    "dependencies",
    "dependency",
    "depends",
    "deps",
    "requires",
    "blocked by",
    "after",
    "prerequisites",
    "needs",
];

/// The columns of a table that has a status column and one that names the work.
pub(crate) fn columns(table: &Table) -> Option<Columns> {
    let header: Vec<String> = table.header.iter().map(|c| plain(&c.text.text)).collect();
    let find = |names: &[&str]| header.iter().position(|h| names.contains(&h.as_str()));
    let status = find(STATUSES)?;
    let title = TITLES
        .iter()
        .find_map(|name| header.iter().position(|h| h == name))
        .filter(|t| *t != status)?;
    let importance = header
        .iter()
        .position(|h| h == "priority" || h == "importance")
        .filter(|at| *at != title);
    let number = find(NUMBERS).filter(|at| *at != title);
    Some(Columns {
        title,
        status,
        number,
        estimate: find(ESTIMATES),
        depends: find(DEPENDS),
        importance,
    })
}

/// Takes note of what the status cells say.
pub(crate) fn learn(doc: &Document, legend: &mut Legend) {
    for table in doc.tables.iter().filter(|t| !t.quoted) {
        let Some(columns) = columns(table) else {
            continue;
        };
        for cell in table
            .rows
            .iter()
            .filter_map(|row| row.cells.get(columns.status))
        {
            legend.learn(&cell.text.text);
        }
    }
}

/// A table whose status cells are read as such: at least one says something, or all are empty.
pub(crate) fn tells(table: &Table, columns: &Columns, legend: &Legend) -> bool {
    let cells: Vec<&Cell> = table
        .rows
        .iter()
        .filter_map(|row| row.cells.get(columns.status))
        .collect();
    cells.iter().any(|c| status_of(c, legend).is_some()) || cells.iter().all(|c| c.text.is_blank())
}

fn status_of(cell: &Cell, legend: &Legend) -> Option<Found> {
    let found = read_value(&cell.text.text, legend);
    found.or_else(|| match plain(&cell.text.text).as_str() {
        "yes" | "x" => Some(said(&cell.text.text, Status::Done)),
        "no" => Some(said(&cell.text.text, Status::Planned)),
        _ => None,
    })
}

fn said(text: &str, status: Status) -> Found {
    let start = text.len() - text.trim_start().len();
    Found {
        status,
        percent: None,
        symbol: None,
        word: Some(start..text.trim_end().len()),
        clear: true,
    }
}

/// What a row's status cell says; an empty one says nothing and is a place to write to.
pub(crate) fn mark(row: &Row, columns: &Columns, place: Place, facts: &Facts<'_>) -> Option<Mark> {
    let cell = row.cells.get(columns.status)?;
    if let Some(found) = status_of(cell, &facts.legend) {
        return Some(Mark::found(
            place,
            &found,
            &cell.text,
            row.line,
            &cell.text.text,
        ));
    }
    None
}

/// The parts of a row's title.
pub(crate) fn title(row: &Row, columns: &Columns, facts: &Facts<'_>) -> Option<Parts> {
    let cell = row
        .cells
        .get(columns.title)
        .filter(|c| !c.text.is_blank())?;
    let mut found = parts(&cell.text, facts.text, &facts.legend);
    if let (None, Some(number)) = (
        &found.label,
        columns.number.and_then(|at| row.cells.get(at)),
    ) {
        let text = format!("{}.", number.text.text.trim().trim_end_matches('.'));
        found.label = labels::label(&text);
    }
    Some(found)
}

/// A row as an item.
pub(crate) fn draft(
    at: (usize, usize),
    columns: &Columns,
    parts: Parts,
    facts: &Facts<'_>,
) -> Draft {
    let table = &facts.doc.tables[at.0];
    let row = &table.rows[at.1];
    let mut draft = Draft::new(
        Origin::Row {
            table: at.0,
            row: at.1,
        },
        ItemKind::Row,
        parts,
        row.line,
        row.body.clone(),
    );
    draft.section = table.section;
    draft.marks.extend(mark(row, columns, Place::Cell, facts));
    let cell = |column: Option<usize>| {
        column
            .and_then(|at| row.cells.get(at))
            .map(|c| tidy(&c.text.text))
            .filter(|t| !t.is_empty())
    };
    if let Some(text) = cell(columns.estimate) {
        let days = read_duration(&text);
        let label = tidy(&table.header[columns.estimate.unwrap_or(0)].text.text);
        draft.estimates.push(Estimate {
            text,
            label,
            min_days: days.map(|d| d.0),
            max_days: days.map(|d| d.1),
            step: false,
            line: row.line,
        });
    }
    if let Some(text) = cell(columns.depends) {
        draft.needs.push(Need {
            text,
            line: row.line,
            blocker: false,
            remark: false,
        });
    }
    draft.parts.importance = cell(columns.importance)
        .and_then(|t| read_importance(&t))
        .or(draft.parts.importance);
    draft
}
