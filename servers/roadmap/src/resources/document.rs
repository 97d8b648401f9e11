//! `callboard://roadmap`: the document as it is understood.

use crate::document::{markdown, read};
use crate::state::Roadmaps;
use callboard_mcp::{CallContext, Resource, ResourcePage, ResourceRequest, ToolError};
use std::sync::Arc;

pub(crate) struct Document;

impl Resource<Roadmaps> for Document {
    const URI: &'static str = "callboard://roadmap{?cursor}";
    const NAME: &'static str = "roadmap";
    const TITLE: &'static str = "The project's roadmap";
    const DESCRIPTION: &'static str = "Every item of the client's project's roadmap file with status, duration, \
dependencies and deliverables, and every line that was not understood.";
    const MIME: &'static str = "text/markdown";

    async fn read(
        server: Arc<Roadmaps>,
        request: ResourceRequest,
        _: CallContext,
    ) -> Result<ResourcePage, ToolError> {
        let place = server.place(None).await?;
        let document = read(&place, None, None).await?;
        ResourcePage::of(&markdown(&document), request.cursor())
    }
}
