//! `item_set_status`: an item's status in the user's file.

use super::edit::{Deed, EditOutput, edit};
use crate::place::PathText;
use crate::state::Roadmaps;
use callboard_mcp::{CallContext, Effect, Line, Role, Tool, ToolError};
use callboard_roadmap::{ItemKey, Status, set_status};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ItemSetStatusParams {
    /// The repository's absolute path; default: the client's project.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    path: Option<PathText>,
    /// Its file, if not the configured one.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    roadmap: Option<Line<1024>>,
    /// The item's key.
    #[schemars(with = "String")]
    item: Line<200>,
    status: NewStatus,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum NewStatus {
    Planned,
    InProgress,
    Done,
    Blocked,
    Failed,
    Cancelled,
}

impl From<NewStatus> for Status {
    fn from(status: NewStatus) -> Status {
        match status {
            NewStatus::Planned => Status::Planned,
            NewStatus::InProgress => Status::InProgress,
            NewStatus::Done => Status::Done,
            NewStatus::Blocked => Status::Blocked,
            NewStatus::Failed => Status::Failed,
            NewStatus::Cancelled => Status::Cancelled,
        }
    }
}

pub(crate) struct ItemSetStatus;

impl Tool<Roadmaps> for ItemSetStatus {
    const NAME: &'static str = "item_set_status";
    const TITLE: &'static str = "Set an item's status";
    const DESCRIPTION: &'static str = "Sets an item's status in the user's roadmap file. Only the bytes of the status \
change; answers what stood there before and after. Not committed: agents see it once it is.";
    // What stood there is replaced.
    const EFFECT: Effect = Effect::Write {
        destructive: true,
        idempotent: true,
    };
    const ROLE: Role = Role::Developer;
    type Params = ItemSetStatusParams;
    type Output = EditOutput;

    async fn call(
        server: Arc<Roadmaps>,
        params: ItemSetStatusParams,
        _: CallContext,
    ) -> Result<EditOutput, ToolError> {
        let (key, status) = (ItemKey::from(&*params.item), params.status.into());
        let item = params.item.to_string();
        let deed = Deed {
            verb: "item_status",
            item: &item,
        };
        let change = move |bytes: &[u8]| set_status(bytes, &key, status);
        edit(
            &server,
            params.path.as_ref(),
            params.roadmap.as_deref(),
            deed,
            change,
        )
        .await
    }
}
