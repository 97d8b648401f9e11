//! `task_add_many`.

use super::post::Post;
use crate::Assigner;
use crate::views::Open;
use callboard_mcp::{CallContext, Effect, Id, Render, Role, Tool, ToolError};
use callboard_scheduling::{BulkTask, MAX_BULK, Posted, task_add_many};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::sync::Arc;

/// How many rows the answer shows.
const SHOWN: usize = 150;

/// Puts many tasks on the board at once.
pub struct TaskAddMany;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Up to 1000, each with any fields of task_add; `key` is a name for others' depends_on.
    tasks: Vec<Keyed>,
}

/// A task with a name inside the call.
#[derive(Debug)]
pub struct Keyed {
    key: Option<Id>,
    post: Post,
}

impl<'de> Deserialize<'de> for Keyed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut fields = Map::<String, Value>::deserialize(from)?;
        let key = fields
            .remove("key")
            .map(|key| {
                Id::deserialize(key).map_err(|error| D::Error::custom(format!("key: {error}")))
            })
            .transpose()?;
        let post = serde_path_to_error::deserialize(Value::Object(fields))
            .map_err(|error| D::Error::custom(error.to_string()))?;
        Ok(Keyed { key, post })
    }
}

/// The fields' meaning is `task_add`'s, so their words are not paid for twice.
impl JsonSchema for Keyed {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Keyed".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": {
                "key": {"type": "string"},
                "title": {"type": "string"},
            },
            "required": ["title"],
        })
    }
}

/// What became of the tasks, in the order of the call.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AddedMany {
    created: usize,
    #[schemars(skip)]
    existing: usize,
    #[schemars(with = "Vec<Open>")]
    tasks: Vec<AddedRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    more: Option<usize>,
}

#[derive(Debug, Serialize)]
struct AddedRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    id: String,
    state: &'static str,
}

impl Render for AddedMany {
    fn text(&self) -> String {
        let mut out = format!("{} added", self.created);
        if self.existing > 0 {
            out.push_str(&format!(", {} were there already", self.existing));
        }
        for row in &self.tasks {
            let key = row
                .key
                .as_deref()
                .map_or(String::new(), |key| format!("{key} = "));
            out.push_str(&format!("\n{key}{} {}", row.id, row.state));
        }
        if let Some(more) = self.more {
            out.push_str(&format!("\nand {more} more; task_list shows them"));
        }
        out
    }
}

impl Tool<Assigner> for TaskAddMany {
    const NAME: &'static str = "task_add_many";
    const TITLE: &'static str = "Add many tasks";
    const DESCRIPTION: &'static str =
        "Puts many tasks on the board at once, all or none, in any order of their dependencies.";
    const EFFECT: Effect = Effect::Write {
        destructive: false,
        idempotent: false,
    };
    const ROLE: Role = Role::Developer;
    type Params = Params;
    type Output = AddedMany;

    async fn call(
        board: Arc<Assigner>,
        params: Params,
        _: CallContext,
    ) -> Result<AddedMany, ToolError> {
        let tasks = checked(params.tasks, board.now())?;
        let ids: Vec<String> = tasks.iter().map(|_| board.id("t_")).collect();
        let keys: Vec<Option<String>> = tasks.iter().map(|task| task.key.clone()).collect();
        let posted = board
            .write(move |c, now| task_add_many(c, now, &ids, &tasks))
            .await
            .map_err(about_keys)?;
        let created = posted
            .iter()
            .filter(|(_, posted)| *posted == Posted::Created)
            .count();
        let existing = posted.len() - created;
        let rows = posted.into_iter().zip(keys).take(SHOWN);
        let tasks: Vec<AddedRow> = rows
            .map(|((task, _), key)| AddedRow {
                key,
                id: task.id,
                state: task.state.as_str(),
            })
            .collect();
        let more = created + existing - tasks.len();
        Ok(AddedMany {
            created,
            existing,
            tasks,
            more: (more > 0).then_some(more),
        })
    }
}

fn checked(tasks: Vec<Keyed>, now: i64) -> Result<Vec<BulkTask>, ToolError> {
    if tasks.len() > MAX_BULK {
        return Err(ToolError::invalid(format!(
            "tasks: has {} entries, allowed are 1 to {MAX_BULK}",
            tasks.len()
        ))
        .hint("add them in several calls, what is depended on first"));
    }
    let tasks = tasks.into_iter().enumerate();
    tasks
        .map(|(index, keyed)| {
            let task = keyed.post.checked(now).map_err(|mut error| {
                error.message = format!("tasks[{index}].{}", error.message);
                error
            })?;
            Ok(BulkTask {
                key: keyed.key.map(String::from),
                task,
            })
        })
        .collect()
}

/// Here a dependency may also be a key of the same call.
fn about_keys(mut error: ToolError) -> ToolError {
    if error.kind == callboard_mcp::ErrorKind::NotFound {
        error.hint = Some(
            "depends_on names ids of tasks on the board, or keys of this call; nothing was added"
                .to_owned(),
        );
    }
    error
}
