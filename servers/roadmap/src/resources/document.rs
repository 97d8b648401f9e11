//! `callboard://roadmap`: the document as it is understood.

use crate::document::{markdown, read};
use crate::state::Roadmaps;
use callboard_config::PROJECT_FILE;
use callboard_mcp::{
    CallContext, Resource, ResourcePage, ResourceRequest, Sight, ToolError, Watch, Watched,
};
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

impl Watched<Roadmaps> for Document {
    async fn look(server: Arc<Roadmaps>, _: ResourceRequest) -> Result<Sight, ToolError> {
        let place = server.place(None).await?;
        // The project's settings say which file it is.
        let watch = Watch::new()
            .file(place.root.join(PROJECT_FILE))
            .file(place.root.join(place.document(None)));
        // Editors may take the file away for a moment; its absence is a change like any other.
        Ok(match read(&place, None, None).await {
            Ok(document) => watch.saw(markdown(&document)),
            Err(error) => watch.saw(error.to_string()),
        })
    }
}
