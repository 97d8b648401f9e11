//! `telemetry://costs/{period}`: what was spent, as a table.

use std::sync::Arc;

use callboard_mcp::{
    CallContext, Completing, Render as _, ResourcePage, ResourceRequest, ToolError,
};

use crate::Telemetry;
use crate::key::Key;
use crate::only::Only;
use crate::tools::costs::costed;

/// Periods that people ask for.
pub(super) const USUAL: [&str; 5] = ["today", "yesterday", "7d", "month", "all"];

/// Costs of a period.
pub struct Costs;

impl callboard_mcp::Resource<Telemetry> for Costs {
    const URI: &'static str = "telemetry://costs/{period}";
    const NAME: &'static str = "costs";
    const TITLE: &'static str = "Costs";
    const DESCRIPTION: &'static str =
        "What calls to models cost in a period (today, 7d, 2026-11, …), by model.";
    const MIME: &'static str = "text/plain";
    const COMPLETES: &'static [&'static str] = &["period"];

    async fn read(
        state: Arc<Telemetry>,
        request: ResourceRequest,
        _: CallContext,
    ) -> Result<ResourcePage, ToolError> {
        let period = state.period(Some(request.variable("period")))?;
        let words = period.words(state.now());
        let filter = Only::default().filter(&period)?;
        let answer = costed(&state, filter, vec![Key::Model], words, 100).await?;
        Ok(ResourcePage::whole(answer.text()))
    }

    async fn complete(
        _: Arc<Telemetry>,
        completing: Completing,
        _: CallContext,
    ) -> Result<Vec<String>, ToolError> {
        Ok(begun(&completing))
    }
}

/// The usual periods that begin with what was written.
pub(super) fn begun(completing: &Completing) -> Vec<String> {
    completing.matching(USUAL)
}
