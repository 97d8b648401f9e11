//! The table of a project as it is now: what the board has, what this process is doing, and what the roadmap
//! leaves to a person.
//!
//! For: one gathering for the tool, the resource and the prompt. Not for: how it is shown (see `view`).

use crate::desk::Run;
use crate::errors;
use crate::place::{Place, blocking};
use crate::progress::{Ended, Progress};
use crate::state::Roadmaps;
use callboard_crew::{ItemOutcome, ItemReport, Planned, Report, plan};
use callboard_mcp::ToolError;
use callboard_roadmap::Roadmap;
use callboard_worktree::Oid;
use std::collections::HashMap;

/// A project as it is now.
pub(crate) struct Table {
    /// not_loaded, idle, starting, running, stopping, ended, stopped, failed, elsewhere.
    pub(crate) state: &'static str,
    /// The last run of this process.
    pub(crate) run: Option<String>,
    /// The other process that is at work.
    pub(crate) pid: Option<u32>,
    pub(crate) report: Report,
    /// What a person should know.
    pub(crate) notes: Vec<String>,
    progress: Progress,
}

impl Table {
    /// What is going on at an item.
    pub(crate) fn now(&self, item: &str) -> Option<String> {
        self.progress.now(item)
    }
}

impl Roadmaps {
    /// Gathers the table.
    pub(crate) async fn table(&self, place: &Place) -> Result<Table, ToolError> {
        let run = self.desk(place).last();
        let progress = run
            .as_ref()
            .map_or_else(Progress::default, |run| run.progress());
        let pid = self.elsewhere(place).await?;
        let report = self.report(place).await?;
        Ok(Table {
            state: state(run.as_deref(), pid, Self::has_board(place), &report),
            run: run.map(|run| run.id.clone()),
            pid,
            notes: notes(place, &progress),
            report,
            progress,
        })
    }

    async fn report(&self, place: &Place) -> Result<Report, ToolError> {
        if !Self::has_board(place) {
            return Ok(nothing_yet(place));
        }
        let crew = match self.desk(place).at_work() {
            Some(run) => run.crew(),
            None => self.onlooker(place).await?,
        };
        let mut report = crew.report().await.map_err(errors::crew)?;
        let Some(head) = report.head.clone() else {
            return Ok(report);
        };
        let place = place.clone();
        blocking(move || {
            let roadmap = roadmap_at(&place, &head)?;
            add_held(&mut report, &roadmap);
            Ok(report)
        })
        .await
    }
}

fn nothing_yet(place: &Place) -> Report {
    Report {
        project: place.root.to_string_lossy().into_owned(),
        integration: place.config.run.integration_branch.value.clone(),
        ..Report::default()
    }
}

fn state(run: Option<&Run>, pid: Option<u32>, board: bool, report: &Report) -> &'static str {
    match (run, pid) {
        (Some(run), _) if !run.has_ended() => run.state(),
        (_, Some(_)) => "elsewhere",
        (Some(run), None) => run.state(),
        (None, None) if !board || report.items.is_empty() => "not_loaded",
        (None, None) => "idle",
    }
}

fn notes(place: &Place, progress: &Progress) -> Vec<String> {
    let mut notes = progress.notes.clone();
    if let Some(Ended::Failed(error)) = &progress.ended {
        notes.push(format!("the last run of this process ended with {error}"));
    }
    if let Some(untrusted) = &place.untrusted {
        notes.push(format!(
            "{} is not trusted: what it sets is not in effect, which may mean another board",
            untrusted.file.display()
        ));
    }
    notes
}

fn roadmap_at(place: &Place, commit: &str) -> Result<Roadmap, ToolError> {
    let commit = Oid::parse(commit).map_err(|error| errors::git(&error))?;
    let path = &place.config.run.roadmap.value;
    let bytes = place
        .repo
        .file_at(&commit, path)
        .map_err(|error| errors::git(&error))?;
    callboard_roadmap::parse(&bytes.unwrap_or_default()).map_err(|error| errors::roadmap(&error))
}

/// Items without a task because the roadmap leaves them to a person, each at its place.
fn add_held(report: &mut Report, roadmap: &Roadmap) {
    for planned in plan(roadmap)
        .into_iter()
        .filter(|planned| planned.hold.is_some())
    {
        let known = report
            .items
            .iter_mut()
            .find(|item| item.item == planned.item.as_str());
        match known {
            // Its task is of the time before the roadmap left it to a person.
            Some(item) => {
                item.outcome = ItemOutcome::NeedsPerson;
                item.why = planned.hold;
            }
            None => report.items.push(held(planned)),
        }
    }
    let lines: HashMap<&str, u32> = roadmap
        .items
        .iter()
        .map(|item| (item.key.as_str(), item.line))
        .collect();
    report
        .items
        .sort_by_key(|item| lines.get(item.item.as_str()).copied().unwrap_or(u32::MAX));
}

fn held(planned: Planned) -> ItemReport {
    ItemReport {
        item: planned.item.to_string(),
        title: planned.title,
        task: None,
        outcome: ItemOutcome::NeedsPerson,
        why: planned.hold,
        attempts: Vec::new(),
        time_ms: 0,
        commits: 0,
        diff: None,
        tests: None,
        branch: None,
        merge: None,
        pr: None,
    }
}
