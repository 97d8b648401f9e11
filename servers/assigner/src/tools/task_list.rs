//! `task_list`.

use crate::Assigner;
use crate::views::{Open, Row, StateWord};
use callboard_mcp::{CallContext, Effect, Limit, Line, Render, Role, Tool, ToolError, Whole};
use callboard_scheduling::{Filter, State, board_counts, task_list};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Finds tasks and counts them.
pub struct TaskList;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    #[serde(default)]
    states: Vec<StateWord>,
    /// In title or prompt.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    text: Option<Line<200>>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    queue: Option<Line<120>>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    project: Option<Line<1_000>>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    kind: Option<Line<120>>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    tag: Option<Line<120>>,
    /// Changed in the last so many seconds.
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    changed_s: Option<Whole<1, 31_536_000>>,
    #[serde(default)]
    archived: Option<bool>,
    /// `next` of the page before.
    #[serde(default)]
    cursor: Option<u32>,
    #[serde(default)]
    limit: Limit<20, 100>,
}

/// A page, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    #[schemars(with = "Vec<Open>")]
    tasks: Vec<Row>,
    /// Live tasks by state, in the queue if one is named.
    counts: BTreeMap<&'static str, u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
}

impl Render for Listed {
    fn text(&self) -> String {
        let counts: Vec<String> = State::ALL
            .iter()
            .filter_map(|state| Some(format!("{} {state}", self.counts.get(state.as_str())?)))
            .collect();
        let mut out = if counts.is_empty() {
            "the board is empty".to_owned()
        } else {
            counts.join(", ")
        };
        for row in &self.tasks {
            out.push('\n');
            out.push_str(&row.line());
        }
        if self.tasks.is_empty() {
            out.push_str("\nno task matches");
        }
        if let Some(next) = self.next {
            out.push_str(&format!("\nmore: cursor {next}"));
        }
        out
    }
}

impl Tool<Assigner> for TaskList {
    const NAME: &'static str = "task_list";
    const TITLE: &'static str = "List tasks";
    const DESCRIPTION: &'static str =
        "Finds tasks, newest first, and counts the live ones by state.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;
    type Params = Params;
    type Output = Listed;

    async fn call(
        board: Arc<Assigner>,
        params: Params,
        _: CallContext,
    ) -> Result<Listed, ToolError> {
        let filter = params.filter(board.now());
        board
            .read(move |c, _| {
                let page = task_list(c, &filter)?;
                let mut counts = BTreeMap::new();
                for count in board_counts(c)? {
                    if filter
                        .queue
                        .as_ref()
                        .is_none_or(|queue| *queue == count.queue)
                    {
                        *counts.entry(count.state.as_str()).or_insert(0) += count.tasks;
                    }
                }
                Ok(Listed {
                    tasks: page.tasks.iter().map(Row::of).collect(),
                    counts,
                    next: page.next,
                })
            })
            .await
    }
}

impl Params {
    fn filter(self, now: i64) -> Filter {
        Filter {
            states: self.states.into_iter().map(State::from).collect(),
            queue: self.queue.map(String::from),
            project: self.project.map(String::from),
            kind: self.kind.map(String::from),
            tag: self.tag.map(String::from),
            text: self.text.map(String::from),
            updated_since: self.changed_s.map(|s| now - i64::from(s.get()) * 1000),
            archived: self.archived == Some(true),
            after: self.cursor.map(i64::from),
            limit: self.limit.get(),
        }
    }
}
