//! `roadmap_load`: a task for each open item, without working on any.

use crate::errors;
use crate::place::PathText;
use crate::state::{Roadmaps, busy_elsewhere};
use crate::view::{LIST_CHARS, page};
use callboard_crew::{Crew, Loaded, PostedItem};
use callboard_mcp::{CallContext, Effect, Render, Role, Tool, ToolError, clip};
use callboard_store::actor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::sync::Arc;

const WHY_CHARS: usize = 300;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoadmapLoadParams {
    /// The repository's absolute path; default: the client's project.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    path: Option<PathText>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct RoadmapLoadOutput {
    board: String,
    posted: usize,
    held: usize,
    items: Vec<LoadedItem>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct LoadedItem {
    item: String,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    after: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<String>,
}

impl Render for RoadmapLoadOutput {
    fn text(&self) -> String {
        let mut out = format!(
            "{} tasks on {}, {} items held for a person\n",
            self.posted, self.board, self.held
        );
        for item in &self.items {
            let _ = write!(
                out,
                "- {} {}: {}",
                item.item,
                item.title,
                item.task.as_deref().unwrap_or("held")
            );
            if !item.after.is_empty() {
                let _ = write!(out, ", after {}", item.after.join(", "));
            }
            if let Some(held) = &item.held {
                let _ = write!(out, ": {held}");
            }
            out.push('\n');
        }
        for note in &self.notes {
            let _ = writeln!(out, "note: {note}");
        }
        out
    }
}

pub(crate) struct RoadmapLoad;

impl Tool<Roadmaps> for RoadmapLoad {
    const NAME: &'static str = "roadmap_load";
    const TITLE: &'static str = "Post a roadmap's tasks";
    const DESCRIPTION: &'static str = "Posts a task on the board for each open item of the committed roadmap; says \
what each waits for and what is held for a person and why. Works on none: roadmap_start does both. Again, it posts \
only what is new. Brings the integration branch up to date and pushes it.";
    const EFFECT: Effect = Effect::Write {
        destructive: false,
        idempotent: true,
    };
    const ROLE: Role = Role::Developer;
    const OPEN_WORLD: bool = true;
    type Params = RoadmapLoadParams;
    type Output = RoadmapLoadOutput;

    async fn call(
        server: Arc<Roadmaps>,
        params: RoadmapLoadParams,
        _: CallContext,
    ) -> Result<RoadmapLoadOutput, ToolError> {
        let place = server.place(params.path.as_ref()).await?.trusted()?;
        let desk = server.desk(&place);
        let gate = Arc::clone(&desk.gate).lock_owned().await;
        if let Some(run) = desk.at_work() {
            return Err(ToolError::conflict(format!(
                "run {} is at work on it and has loaded it",
                run.id
            ))
            .hint("roadmap_status shows its tasks; roadmap_stop ends the run"));
        }
        if let Some(pid) = server.elsewhere(&place).await? {
            return Err(busy_elsewhere(&place, pid));
        }
        let crew = server.onlooker(&place).await?;
        let board = place.config.board.value.to_string_lossy().into_owned();
        // A call that is given up must not leave the load half done and its duty held.
        let loading = actor::spawn(async move {
            let _gate = gate;
            load(&crew).await
        });
        let loaded = loading.await.map_err(|error| errors::lost(&error))??;
        Ok(view(board, loaded))
    }
}

async fn load(crew: &Crew) -> Result<Loaded, ToolError> {
    crew.load().await.map_err(errors::crew)
}

fn view(board: String, loaded: Loaded) -> RoadmapLoadOutput {
    let (posted, all) = (
        loaded
            .items
            .iter()
            .filter(|item| item.task.is_some())
            .count(),
        loaded.items.len(),
    );
    let mut notes: Vec<String> = loaded
        .notes
        .iter()
        .take(10)
        .map(|note| clip(note, WHY_CHARS).into_owned())
        .collect();
    let rows = loaded.items.into_iter().map(LoadedItem::of).collect();
    let (items, rest) = page(rows, 0, LIST_CHARS);
    if let Some(shown) = rest {
        notes.push(format!(
            "{} more items; roadmap_status lists all",
            all - shown as usize
        ));
    }
    RoadmapLoadOutput {
        board,
        posted,
        held: all - posted,
        items,
        notes,
    }
}

impl LoadedItem {
    fn of(posted: PostedItem) -> LoadedItem {
        LoadedItem {
            item: posted.planned.item.to_string(),
            title: clip(&posted.planned.title, 160).into_owned(),
            after: posted
                .planned
                .after
                .iter()
                .map(ToString::to_string)
                .collect(),
            held: posted
                .planned
                .hold
                .map(|why| clip(&why, WHY_CHARS).into_owned()),
            task: posted.task,
        }
    }
}
