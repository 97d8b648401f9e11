//! `task_update`.

use crate::Assigner;
use crate::views::{Open, Stated};
use callboard_mcp::{CallContext, Effect, Id, Line, Role, Text, Tool, ToolError, Whole};
use callboard_scheduling::{Change, task_delay, task_get, task_reason, task_update};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Changes a task.
pub struct TaskUpdate;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    id: Id,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    title: Option<Line<300>>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    prompt: Option<Text<200_000>>,
    #[serde(default)]
    priority: Option<Whole<0, 10>>,
    #[serde(default)]
    #[schemars(with = "Option<Vec<String>>")]
    tags: Option<Vec<Line<120>>>,
    #[serde(default)]
    #[schemars(with = "Option<Open>")]
    metadata: Option<Map<String, Value>>,
    #[serde(default)]
    depends_on: Option<Vec<Id>>,
    /// Not before so many seconds; 0 starts it.
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    delay_s: Option<Whole<0, 31_536_000>>,
}

impl Tool<Assigner> for TaskUpdate {
    const NAME: &'static str = "task_update";
    const TITLE: &'static str = "Change a task";
    const DESCRIPTION: &'static str =
        "Changes the given fields of a task; lists and objects are replaced.";
    const EFFECT: Effect = Effect::Write {
        destructive: true,
        idempotent: true,
    };
    const ROLE: Role = Role::Developer;
    type Params = Params;
    type Output = Stated;

    async fn call(
        board: Arc<Assigner>,
        params: Params,
        _: CallContext,
    ) -> Result<Stated, ToolError> {
        let id = String::from(params.id.clone());
        let delay = params.delay_s;
        let change = params.change();
        if delay.is_none() && change == Change::default() {
            return Err(ToolError::invalid("there is nothing to change").hint(
                "give at least one of title, prompt, priority, tags, metadata, depends_on, delay_s; task_control cancels or runs again",
            ));
        }
        board
            .write(move |c, now| {
                task_update(c, now, &id, &change)?;
                if let Some(delay) = delay {
                    task_delay(c, now, &id, now + i64::from(delay.get()) * 1000)?;
                }
                Ok(Stated::of(&task_get(c, &id)?, task_reason(c, now, &id)?))
            })
            .await
    }
}

impl Params {
    fn change(self) -> Change {
        let strings = |lines: Vec<Line<120>>| lines.into_iter().map(String::from).collect();
        Change {
            priority: self.priority.and_then(|p| u8::try_from(p.get()).ok()),
            title: self.title.map(String::from),
            prompt: self.prompt.map(String::from),
            tags: self.tags.map(strings),
            metadata: self.metadata.map(Value::Object),
            depends_on: self
                .depends_on
                .map(|ids| ids.into_iter().map(String::from).collect()),
        }
    }
}
