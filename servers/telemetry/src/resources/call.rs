//! `telemetry://call/{id}`: everything about one call to a model, as JSON.

use std::sync::Arc;

use callboard_mcp::{CallContext, ResourcePage, ResourceRequest, ToolError};

use crate::Telemetry;
use crate::tools::whole_call;

/// One call.
pub struct Call;

impl callboard_mcp::Resource<Telemetry> for Call {
    const URI: &'static str = "telemetry://call/{id}{?cursor}";
    const NAME: &'static str = "call";
    const TITLE: &'static str = "A call to a model";
    const DESCRIPTION: &'static str = "Everything about one call to a model; with its texts where they are kept and the reader may work on the board.";
    const MIME: &'static str = "application/json";

    async fn read(
        state: Arc<Telemetry>,
        request: ResourceRequest,
        ctx: CallContext,
    ) -> Result<ResourcePage, ToolError> {
        let id = request.variable("id").to_owned();
        let call = whole_call(&state, id, ctx.caller().role).await?;
        let text = serde_json::to_string_pretty(&call)
            .map_err(|error| ToolError::internal(format!("the call as JSON: {error}")))?;
        ResourcePage::of(&text, request.cursor())
    }
}
