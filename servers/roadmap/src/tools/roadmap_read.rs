//! `roadmap_read`: the plan as it is understood.

use crate::document::{self, Document, ItemLine, not_understood, title};
use crate::errors;
use crate::place::PathText;
use crate::state::Roadmaps;
use crate::view::{LIST_CHARS, page};
use callboard_mcp::{CallContext, Effect, Line, Render, Role, Tool, ToolError, Whole, clip};
use callboard_roadmap::{Deliverable, EditError, Item, ItemKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::sync::Arc;

/// How much of a page the lines that were not understood may take.
const UNREAD_CHARS: usize = 1_500;
/// How much of an item's text one answer holds; its deliverables take the rest.
const TEXT_CHARS: usize = 4_000;
/// How much of an item's deliverables one answer holds.
const DELIVERABLE_CHARS: usize = 3_000;
/// How much of one deliverable or title is shown.
const LINE_CHARS: usize = 400;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoadmapReadParams {
    /// The repository's absolute path; default: the client's project.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    path: Option<PathText>,
    /// Its file, if not the configured one (ROADMAP.md).
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    roadmap: Option<Line<1024>>,
    /// A branch or commit to read instead of the files.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    revision: Option<Line<200>>,
    /// Key of one item to read in full.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    item: Option<Line<200>>,
    /// Where to go on: next of the last answer.
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    from: Option<Whole<0, 10_000_000>>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct RoadmapReadOutput {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    total: usize,
    open: usize,
    items: Vec<ItemLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deliverables: Vec<DeliverableView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_understood: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
struct DeliverableView {
    text: String,
    done: bool,
    line: u32,
}

impl Render for RoadmapReadOutput {
    fn text(&self) -> String {
        let mut out = format!(
            "{}: {} items, {} to be worked\n",
            self.file, self.total, self.open
        );
        self.items.iter().for_each(|item| item.write(&mut out));
        for (number, deliverable) in (1..).zip(&self.deliverables) {
            let mark = if deliverable.done { 'x' } else { ' ' };
            let _ = writeln!(
                out,
                "{number}. [{mark}] {} (line {})",
                deliverable.text, deliverable.line
            );
        }
        if let Some(text) = &self.text {
            let _ = writeln!(out, "\n{text}");
        }
        if !self.not_understood.is_empty() {
            out.push_str("\nNot understood:\n");
            for line in &self.not_understood {
                let _ = writeln!(out, "- {line}");
            }
        }
        if let Some(more) = &self.more {
            let _ = writeln!(out, "{more}");
        }
        if let Some(next) = self.next {
            let _ = writeln!(out, "Goes on: from = {next}");
        }
        out
    }
}

pub(crate) struct RoadmapRead;

impl Tool<Roadmaps> for RoadmapRead {
    const NAME: &'static str = "roadmap_read";
    const TITLE: &'static str = "Read a roadmap";
    const DESCRIPTION: &'static str = "Shows a repository's ROADMAP.md as it is understood: items (deliverables: \
done/all) and lines that were not understood; or one item in full. Reads the user's file; what agents finished is \
marked on the integration branch (revision callboard/integration).";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;
    type Params = RoadmapReadParams;
    type Output = RoadmapReadOutput;

    async fn call(
        server: Arc<Roadmaps>,
        params: RoadmapReadParams,
        _: CallContext,
    ) -> Result<RoadmapReadOutput, ToolError> {
        let place = server.place(params.path.as_ref()).await?;
        let document = document::read(
            &place,
            params.roadmap.as_deref(),
            params.revision.as_deref(),
        )
        .await?;
        let from = params.from.map_or(0, |from| from.get() as usize);
        match &params.item {
            Some(key) => one(document, key, from),
            None => Ok(list(document, from)),
        }
    }
}

fn list(document: Document, from: usize) -> RoadmapReadOutput {
    let roadmap = &document.roadmap;
    let lines = roadmap
        .items
        .iter()
        .map(|item| ItemLine::of(roadmap, item))
        .collect();
    // What was not understood stands on the first page, where it is seen.
    let unread = if from == 0 {
        not_understood(roadmap)
    } else {
        Vec::new()
    };
    let (not_understood, rest) = page(unread, 0, UNREAD_CHARS);
    let (items, next) = page(lines, from, LIST_CHARS - UNREAD_CHARS);
    let more = rest.map(|shown| {
        let left = roadmap.not_understood.len() - shown as usize;
        format!("{left} more lines were not understood; the resource callboard://roadmap has all")
    });
    RoadmapReadOutput {
        items,
        not_understood,
        more,
        next,
        ..about(document)
    }
}

fn one(document: Document, key: &str, from: usize) -> Result<RoadmapReadOutput, ToolError> {
    let roadmap = &document.roadmap;
    let item = roadmap
        .item(&ItemKey::from(key))
        .ok_or_else(|| vanished(&document, key))?;
    let whole = roadmap.text_of(&item.key).unwrap_or_default();
    let start = whole
        .char_indices()
        .nth(from)
        .map_or(whole.len(), |(at, _)| at);
    let text: String = whole[start..].chars().take(TEXT_CHARS).collect();
    let read = from + text.chars().count();
    let next = (start + text.len() < whole.len()).then(|| u32::try_from(read).unwrap_or(u32::MAX));
    let (deliverables, rest) = page(deliverables(item), 0, DELIVERABLE_CHARS);
    let more = rest.map(|shown| {
        format!(
            "{} more deliverables; they are in the text",
            item.deliverables.len() - shown as usize
        )
    });
    Ok(RoadmapReadOutput {
        title: Some(short(title(item))),
        items: vec![ItemLine::of(roadmap, item)],
        text: Some(text),
        deliverables: if from == 0 { deliverables } else { Vec::new() },
        more,
        next,
        ..about(document)
    })
}

fn about(document: Document) -> RoadmapReadOutput {
    RoadmapReadOutput {
        total: document.roadmap.items.len(),
        open: document.roadmap.open_work().len(),
        title: document.roadmap.title.map(short),
        file: document.file,
        commit: document.commit,
        items: Vec::new(),
        text: None,
        deliverables: Vec::new(),
        not_understood: Vec::new(),
        more: None,
        next: None,
    }
}

fn short(title: impl AsRef<str>) -> String {
    clip(title.as_ref(), LINE_CHARS).into_owned()
}

fn deliverables(item: &Item) -> Vec<DeliverableView> {
    let view = |deliverable: &Deliverable| DeliverableView {
        text: short(&deliverable.text),
        done: deliverable.done,
        line: deliverable.line,
    };
    item.deliverables.iter().map(view).collect()
}

/// The same words as for an edit of an item that is not there.
fn vanished(document: &Document, key: &str) -> ToolError {
    let known = document
        .roadmap
        .items
        .iter()
        .find(|item| item.key.as_str().eq_ignore_ascii_case(key));
    let nearest = known.map(|item| item.key.clone());
    errors::edit(&EditError::Vanished {
        key: ItemKey::from(key),
        nearest,
    })
}
