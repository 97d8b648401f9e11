//! `llm://budgets` and `llm://providers`: how all of them stand, as JSON.

use std::sync::Arc;

use callboard_mcp::{CallContext, Resource, ResourcePage, ResourceRequest, ToolError};
use serde::Serialize;

use crate::Llm;
use crate::tools::budgets::where_they_stand;
use crate::tools::providers::stand;

/// As many budgets as a reader is shown.
const MOST: u32 = 1_000;

/// Where budgets and limits stand.
pub struct Budgets;

impl Resource<Llm> for Budgets {
    const URI: &'static str = "llm://budgets{?cursor}";
    const NAME: &'static str = "budgets";
    const TITLE: &'static str = "Budgets";
    const DESCRIPTION: &'static str =
        "Where every budget and limit stands, with a forecast of money, as JSON.";
    const MIME: &'static str = "application/json";

    async fn read(
        llm: Arc<Llm>,
        request: ResourceRequest,
        _: CallContext,
    ) -> Result<ResourcePage, ToolError> {
        page(&where_they_stand(&llm, false, MOST)?, &request)
    }
}

/// How providers stand.
pub struct Providers;

impl Resource<Llm> for Providers {
    const URI: &'static str = "llm://providers{?cursor}";
    const NAME: &'static str = "providers";
    const TITLE: &'static str = "Providers";
    const DESCRIPTION: &'static str =
        "How each provider and model stands: breaker, pauses, limits, its latest calls, as JSON.";
    const MIME: &'static str = "application/json";

    async fn read(
        llm: Arc<Llm>,
        request: ResourceRequest,
        _: CallContext,
    ) -> Result<ResourcePage, ToolError> {
        page(&stand(&llm, None).await?, &request)
    }
}

fn page(shown: &impl Serialize, request: &ResourceRequest) -> Result<ResourcePage, ToolError> {
    let text = serde_json::to_string_pretty(shown)
        .map_err(|error| ToolError::internal(format!("as JSON: {error}")))?;
    ResourcePage::of(&text, request.cursor())
}
