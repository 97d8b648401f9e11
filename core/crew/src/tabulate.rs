//! Making the table from the board's rows.

use crate::error::CrewError;
use crate::posting::{PostedItem, item_of};
use crate::project::Project;
use crate::report::{AttemptReport, ItemOutcome, ItemReport, Report};
use callboard_roadmap::ItemKey;
use callboard_scheduling::{self as scheduling, Attempt, Outcome, State, Task};
use std::collections::HashMap;

/// The report of a project: every roadmap task on the board, and the items that were held.
pub(crate) async fn report(
    project: &Project,
    posted: &[PostedItem],
    notes: Vec<String>,
) -> Result<Report, CrewError> {
    let (queue, root) = (project.queue(), project.root.to_string_lossy().into_owned());
    let now = project.now();
    let rows = project
        .store
        .read(move |c| {
            let mut rows = Vec::new();
            for task in crate::posting::tasks_of(c, &queue, &root)? {
                let reason = scheduling::task_reason(c, now, &task.id)?;
                let attempts = scheduling::attempts_of(c, &task.id)?;
                rows.push((task, reason, attempts));
            }
            Ok::<_, scheduling::SchedulingError>(rows)
        })
        .await?;
    let (head, lines) = project
        .git(|project| {
            let head = project.integration_head()?;
            let lines = match &head {
                Some(head) => lines(project, head),
                None => HashMap::new(),
            };
            Ok((head, lines))
        })
        .await?;
    let mut items: Vec<(u32, ItemReport)> = rows
        .iter()
        .map(|(task, reason, attempts)| (line(task, &lines), item(task, reason, attempts)))
        .collect();
    for posted in posted.iter().filter(|posted| posted.task.is_none()) {
        hold(&mut items, posted);
    }
    items.sort_by_key(|(line, _)| *line);
    Ok(Report {
        project: project.root.to_string_lossy().into_owned(),
        integration: project.integration.branch.clone(),
        head: head.map(|head| head.to_string()),
        items: items.into_iter().map(|(_, item)| item).collect(),
        notes,
    })
}

fn lines(project: &Project, head: &callboard_worktree::Oid) -> HashMap<ItemKey, u32> {
    match project.roadmap_at(head) {
        Ok((roadmap, _)) => roadmap
            .items
            .iter()
            .map(|item| (item.key.clone(), item.line))
            .collect(),
        Err(_) => HashMap::new(),
    }
}

fn line(task: &Task, lines: &HashMap<ItemKey, u32>) -> u32 {
    item_of(task)
        .and_then(|item| lines.get(&item).copied())
        .unwrap_or(u32::MAX)
}

fn item(task: &Task, reason: &str, attempts: &[Attempt]) -> ItemReport {
    let done = attempts
        .iter()
        .rev()
        .find(|attempt| attempt.outcome == Outcome::Done);
    let shown = done.or(attempts.last());
    let outcome = outcome(task, shown);
    ItemReport {
        item: item_of(task).map_or_else(String::new, |key| key.to_string()),
        title: task.title.clone(),
        task: Some(task.id.clone()),
        outcome,
        why: (outcome != ItemOutcome::Done).then(|| reason.to_owned()),
        attempts: attempts.iter().map(attempt).collect(),
        time_ms: attempts.iter().map(duration).sum(),
        commits: done.and_then(|done| done.facts.commits).unwrap_or(0),
        diff: shown.and_then(|shown| shown.facts.diff),
        tests: shown.and_then(|shown| shown.facts.tests.clone()),
        branch: shown.and_then(|shown| shown.facts.branch.clone()),
        merge: done.and_then(|done| done.facts.merge.clone()),
        pr: shown.and_then(|shown| shown.facts.pr.clone()),
    }
}

fn outcome(task: &Task, last: Option<&Attempt>) -> ItemOutcome {
    match task.state {
        State::Done => ItemOutcome::Done,
        State::Parked if last.is_some_and(|last| last.facts.pr.is_some()) => {
            ItemOutcome::PullRequest
        }
        State::Parked => ItemOutcome::NeedsPerson,
        State::Dead => ItemOutcome::Failed,
        State::Cancelled => ItemOutcome::Cancelled,
        State::Waiting => ItemOutcome::Blocked,
        State::Ready | State::Running | State::Scheduled => ItemOutcome::Unfinished,
    }
}

fn attempt(attempt: &Attempt) -> AttemptReport {
    AttemptReport {
        id: attempt.id.clone(),
        number: attempt.number,
        outcome: attempt.outcome.as_str().to_owned(),
        error: attempt.error.clone(),
        time_ms: duration(attempt),
        kept: attempt.facts.kept.clone(),
        log: attempt.facts.log.clone(),
    }
}

fn duration(attempt: &Attempt) -> i64 {
    attempt
        .ended_at
        .map_or(0, |ended| ended - attempt.started_at)
}

/// An item that is held now may have a task of the time before.
fn hold(items: &mut Vec<(u32, ItemReport)>, posted: &PostedItem) {
    let held = held(posted);
    match items.iter_mut().find(|(_, known)| known.item == held.item) {
        Some((_, known)) => {
            known.outcome = held.outcome;
            known.why = held.why;
        }
        None => items.push((posted.planned.line, held)),
    }
}

fn held(posted: &PostedItem) -> ItemReport {
    ItemReport {
        item: posted.planned.item.to_string(),
        title: posted.planned.title.clone(),
        task: None,
        outcome: ItemOutcome::NeedsPerson,
        why: posted.planned.hold.clone(),
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
