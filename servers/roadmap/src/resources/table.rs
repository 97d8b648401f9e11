//! `callboard://roadmap/report`: the table so far.

use crate::state::Roadmaps;
use crate::view::ItemView;
use callboard_config::PROJECT_FILE;
use callboard_crew::ItemOutcome;
use callboard_mcp::{
    CallContext, Resource, ResourcePage, ResourceRequest, Sight, ToolError, Watch, Watched,
};
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

impl Watched<Roadmaps> for Table {
    async fn look(server: Arc<Roadmaps>, _: ResourceRequest) -> Result<Sight, ToolError> {
        let place = server.place(None).await?;
        let git = place.repo.git_dir();
        let branch = &place.config.run.integration_branch.value;
        let mut watch = Watch::new()
            .file(place.root.join(PROJECT_FILE))
            .file(git.join("refs/callboard/onto").join(branch))
            .file(git.join("packed-refs"));
        watch = if Roadmaps::has_board(&place) {
            watch.board(server.board(&place).await?.changes_closely())
        } else {
            watch.file(place.config.board.value.join("board.db"))
        };
        if let Some(run) = server.desk(&place).last() {
            let mut progress = run.watch();
            watch = watch.signal(async move {
                // An error means that another run has taken its place.
                let _ = progress.changed().await;
            });
        }
        let mut table = server.table(&place).await?;
        // Why something is not done yet is told as of now, "next try in 4 s"; what brought it there stands in
        // its attempts.
        for item in &mut table.report.items {
            item.why
                .take_if(|_| item.outcome == ItemOutcome::Unfinished);
        }
        Ok(watch.saw(markdown(&table)))
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
