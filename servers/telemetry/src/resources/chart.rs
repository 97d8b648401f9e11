//! `telemetry://chart/{period}`: what was spent each day, as a picture.

use std::sync::Arc;

use callboard_mcp::{CallContext, Completing, ResourcePage, ResourceRequest, ToolError};

use super::costs::begun;
use crate::Telemetry;
use crate::key::Key;
use crate::only::Only;
use crate::tools::costs::drawn;

/// The chart of a period.
pub struct Chart;

impl callboard_mcp::Resource<Telemetry> for Chart {
    const URI: &'static str = "telemetry://chart/{period}";
    const NAME: &'static str = "cost_chart";
    const TITLE: &'static str = "Chart of costs";
    const DESCRIPTION: &'static str =
        "What calls to models cost each day of a period, by model, as a picture.";
    const MIME: &'static str = "image/png";
    const COMPLETES: &'static [&'static str] = &["period"];

    async fn read(
        state: Arc<Telemetry>,
        request: ResourceRequest,
        _: CallContext,
    ) -> Result<ResourcePage, ToolError> {
        let period = state.period(Some(request.variable("period")))?;
        let words = period.words(state.now());
        let filter = Only::default().filter(&period)?;
        let chart = drawn(&state, filter, vec![Key::Day, Key::Model], words).await?;
        let png = chart.png().ok_or_else(|| {
            ToolError::internal("the chart could not be drawn")
                .hint("telemetry://costs/{period} says the same in words")
        })?;
        Ok(ResourcePage::bytes(png))
    }

    async fn complete(
        _: Arc<Telemetry>,
        completing: Completing,
        _: CallContext,
    ) -> Result<Vec<String>, ToolError> {
        Ok(begun(&completing))
    }
}
