//! `llm://answer/{call}`: a long answer, from its beginning.

use std::sync::Arc;

use callboard_mcp::{CallContext, Resource, ResourcePage, ResourceRequest, Role, ToolError};

use crate::Llm;

/// A long answer.
pub struct Answer;

impl Resource<Llm> for Answer {
    const URI: &'static str = "llm://answer/{call}{?cursor}";
    const NAME: &'static str = "answer";
    const TITLE: &'static str = "A long answer";
    const DESCRIPTION: &'static str = "An answer of a model that was too long to be given at once, for whoever asked for it; while this process keeps it.";
    const MIME: &'static str = "text/plain";
    const ROLE: Role = Role::Developer;

    async fn read(
        llm: Arc<Llm>,
        request: ResourceRequest,
        ctx: CallContext,
    ) -> Result<ResourcePage, ToolError> {
        let call = request.variable("call");
        let text = llm.answers().get(ctx.caller(), call).ok_or_else(|| {
            ToolError::not_found(format!(
                "no long answer of {:?} is kept here for you",
                callboard_mcp::clip(call, 60)
            ))
            .hint("older ones go when there is no room, and with the process: ask again")
        })?;
        ResourcePage::of(&text, request.cursor())
    }
}
