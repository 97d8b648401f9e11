//! The ROADMAP.md document as people write it: what is to be done in it, and updates of single bytes of it.
//!
//! For: [`parse`], what follows from it ([`Roadmap::open_work`], [`Roadmap::waits_for`], [`Roadmap::choices`]), and
//! [`set_status`] and [`set_deliverable`], which work on the bytes passed in and change nothing else. Not for: doing the
//! work, git, or files (except [`read_file`], which refuses what is no roadmap of the project).
//!
//! # How a document is read
//!
//! Code blocks, comments, front matter and quotations hold no part of the plan. Everything else is read by rules that ask
//! what a line says and what company it keeps, not for one layout:
//!
//! - **Items** are headings (the rules are in `outline`), rows of tables with a status column (`tables`), and, where a
//!   document plans with lists, entries (`lists`). An item inside the section of another is a part of it.
//! - **Lines** ("**Status**: ...", "Depends on: ...") speak for the innermost item around them when they start a line of
//!   text or an outermost list entry. Below a heading that only mentions an item ("Week 1: ... PRIORITY 5"), durations
//!   and deliverables are added to that item; other lines there are left out.
//! - **Statuses**: an unmistakable word first; then an amount ("75% complete" is in progress, also behind a tick); then a
//!   symbol, with the meaning that the document itself gives it, so that "broken" emoji count too; then fainter words. A
//!   word that goes on as something else ("complete documentation written") is no status.
//! - **Where a status is said twice**, a status line counts before a check-box, that before a title's mark, that before
//!   a row of a summary. An update brings all of them in line.
//! - **Deliverables** are the check-boxes of an item, at any depth, bullets that begin with a box-like emoji directly
//!   below its heading or below "Deliverables" or "Tasks", plain bullets below "Deliverables", and "Deliverable: ...".
//! - **Dependencies** name items by label ("Priorities 3 & 4"), number, title or key; the nearest item of that name is
//!   meant. "Blockers" block only when they name an item.
//! - What looks like a part of the plan and fits nowhere is listed in [`Roadmap::not_understood`] with its line.
//!
//! Every step is linear in the size of the document.

mod analysis;
mod blocks;
mod draft;
mod drafts;
mod edit;
mod estimate;
mod facts;
mod fields;
mod gather;
mod labels;
mod legend;
mod lines;
mod lists;
mod marks;
mod model;
mod nearest;
mod outline;
mod parts;
mod read;
mod refs;
mod rendered;
mod resolve;
mod roadmap;
mod style;
mod tables;
mod vocabulary;
mod words;

pub use edit::{Change, EditError, Edited, set_deliverable, set_status};
pub use model::{
    Deliverable, Dependency, Estimate, Importance, Item, ItemKey, ItemKind, Looks, Need,
    NotUnderstood, Status, StatusMark,
};
pub use read::{MAX_BYTES, RoadmapError, read_file};
pub use roadmap::{Choice, Roadmap};

/// Reads a roadmap. Any UTF-8 text is one; what can't be understood is listed in it.
///
/// # Errors
/// [`RoadmapError::NotUtf8`] and [`RoadmapError::TooLarge`].
pub fn parse(text: &[u8]) -> Result<Roadmap, RoadmapError> {
    Ok(analysis::analyse(analysis::decode(text)?).roadmap)
}
