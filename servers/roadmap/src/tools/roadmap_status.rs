//! `roadmap_status`: the table so far.

use crate::place::PathText;
use crate::state::Roadmaps;
use crate::table::Table;
use crate::view::{ItemView, LIST_CHARS, page};
use callboard_mcp::{CallContext, Effect, Line, Render, Role, Tool, ToolError, Whole};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::sync::Arc;

/// How much of each reason is shown of one item.
const WHY_CHARS: usize = 1_200;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoadmapStatusParams {
    /// The repository's absolute path; default: the client's project.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    path: Option<PathText>,
    /// Key of one item to see with its reasons at length.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    item: Option<Line<200>>,
    /// Where to go on: next of the last answer.
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    from: Option<Whole<0, 100_000>>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct RoadmapStatusOutput {
    project: String,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    summary: String,
    all_done: bool,
    integration: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<String>,
    items: Vec<ItemView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u32>,
}

impl Render for RoadmapStatusOutput {
    fn text(&self) -> String {
        let mut out = format!("{}: {}; {}\n", self.project, self.state, self.summary);
        if let Some(head) = &self.head {
            let _ = writeln!(out, "{} is at {head}", self.integration);
        }
        self.items.iter().for_each(|item| item.write(&mut out));
        for note in &self.notes {
            let _ = writeln!(out, "note: {note}");
        }
        if let Some(next) = self.next {
            let _ = writeln!(out, "Goes on: from = {next}");
        }
        out
    }
}

pub(crate) struct RoadmapStatus;

impl Tool<Roadmaps> for RoadmapStatus {
    const NAME: &'static str = "roadmap_status";
    const TITLE: &'static str = "Show a roadmap's table";
    const DESCRIPTION: &'static str = "Shows what became of each item so far, with or without a run: outcome, attempts \
with how each ended and why, time, commits, diff, tests, branch, merge.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;
    type Params = RoadmapStatusParams;
    type Output = RoadmapStatusOutput;

    async fn call(
        server: Arc<Roadmaps>,
        params: RoadmapStatusParams,
        _: CallContext,
    ) -> Result<RoadmapStatusOutput, ToolError> {
        let place = server.place(params.path.as_ref()).await?;
        let table = server.table(&place).await?;
        let rows = match &params.item {
            Some(key) => vec![one(&table, key)?],
            None => table
                .report
                .items
                .iter()
                .map(|item| ItemView::listed(item, table.now(&item.item)))
                .collect(),
        };
        let from = params.from.map_or(0, |from| from.get() as usize);
        let (items, next) = page(rows, from, LIST_CHARS);
        Ok(RoadmapStatusOutput {
            state: table.state.to_owned(),
            summary: summary(&table),
            all_done: !table.report.items.is_empty() && table.report.all_done(),
            project: table.report.project,
            run: table.run,
            pid: table.pid,
            integration: table.report.integration,
            head: table.report.head,
            items,
            notes: table.notes,
            next,
        })
    }
}

fn one(table: &Table, key: &str) -> Result<ItemView, ToolError> {
    let found = table.report.items.iter().find(|item| item.item == key);
    found.map(|item| ItemView::of(item, table.now(key), WHY_CHARS)).ok_or_else(|| {
        ToolError::not_found(format!("item: {key:?} is not in the table"))
            .hint("roadmap_status without item lists the table; items that were done before it was loaded have no row")
    })
}

/// An empty table has another meaning before the roadmap is loaded than after.
fn summary(table: &Table) -> String {
    match table.state {
        "not_loaded" => "nothing was loaded yet: roadmap_load or roadmap_start".to_owned(),
        _ => table.report.summary(),
    }
}
