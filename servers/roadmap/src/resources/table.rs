//! `callboard://roadmap/report`: the table so far.

use crate::state::Roadmaps;
use crate::view::ItemView;
use callboard_mcp::{CallContext, Resource, ResourcePage, ResourceRequest, ToolError};
use std::fmt::Write as _;
use std::sync::Arc;

/// How much of each reason is shown.
const WHY_CHARS: usize = 1_200;

pub(crate) struct Table;

impl Resource<Roadmaps> for Table {
    const URI: &'static str = "callboard://roadmap/report{?cursor}";
    const NAME: &'static str = "roadmap_report";
    const TITLE: &'static str = "What became of the roadmap";
    const DESCRIPTION: &'static str = "The client's project's items with outcome, attempts and why each ended, commits, \
diff, tests, branch and merge.";
    const MIME: &'static str = "text/markdown";

    async fn read(
        server: Arc<Roadmaps>,
        request: ResourceRequest,
        _: CallContext,
    ) -> Result<ResourcePage, ToolError> {
        let place = server.place(None).await?;
        let table = server.table(&place).await?;
        ResourcePage::of(&markdown(&table), request.cursor())
    }
}

/// The table in Markdown.
pub(crate) fn markdown(table: &crate::table::Table) -> String {
    let report = &table.report;
    let mut out = format!(
        "# {}\n\n{}: {}\n\n",
        report.project,
        table.state,
        report.summary()
    );
    if let Some(head) = &report.head {
        let _ = writeln!(out, "{} is at {head}\n", report.integration);
    }
    for item in &report.items {
        ItemView::of(item, table.now(&item.item), WHY_CHARS).write(&mut out);
    }
    for note in &table.notes {
        let _ = writeln!(out, "\nnote: {note}");
    }
    out
}
