//! `item_check`: a check-box of an item in the user's file.

use super::edit::{Deed, EditOutput, edit};
use crate::place::PathText;
use crate::state::Roadmaps;
use callboard_mcp::{CallContext, Effect, Line, Role, Tool, ToolError};
use callboard_roadmap::{ItemKey, set_deliverable};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ItemCheckParams {
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
    /// The deliverable's text or number.
    #[schemars(with = "String")]
    deliverable: Line<1000>,
    /// Ticked or not.
    done: bool,
}

pub(crate) struct ItemCheck;

impl Tool<Roadmaps> for ItemCheck {
    const NAME: &'static str = "item_check";
    const TITLE: &'static str = "Tick a deliverable";
    const DESCRIPTION: &'static str = "Ticks or unticks a deliverable of an item in the user's roadmap file. Only the \
mark changes. Not committed.";
    const EFFECT: Effect = Effect::Write {
        destructive: true,
        idempotent: true,
    };
    const ROLE: Role = Role::Developer;
    type Params = ItemCheckParams;
    type Output = EditOutput;

    async fn call(
        server: Arc<Roadmaps>,
        params: ItemCheckParams,
        _: CallContext,
    ) -> Result<EditOutput, ToolError> {
        let (key, which, done) = (
            ItemKey::from(&*params.item),
            String::from(params.deliverable),
            params.done,
        );
        let item = params.item.to_string();
        let deed = Deed {
            verb: "item_check",
            item: &item,
        };
        let change = move |bytes: &[u8]| set_deliverable(bytes, &key, &which, done);
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
