//! From the roadmap to the board: which items become tasks, what they wait for, and which are left for
//! a person.

use crate::error::CrewError;
use crate::project::Project;
use callboard_roadmap::{Item, ItemKey, Need, Roadmap, Status};
use callboard_scheduling::{
    self as scheduling, BulkTask, Change, Filter, NewTask, Posted, SchedulingError, State, Task,
};
use serde_json::json;
use std::collections::{HashMap, HashSet};

use crate::project::Again;

/// The kind of the tasks that stand for roadmap items.
pub const ROADMAP_KIND: &str = "roadmap";
/// The pause before a failed item is tried again; it doubles.
const BACKOFF_MS: i64 = 1_000;
/// Begins the reason of a task that was called off because of what the roadmap says.
const CALLED_OFF: &str = "roadmap: ";
/// The most of an item's text that is kept with its task; the brief takes it from the roadmap itself.
const MAX_PROMPT: usize = 8_000;

/// An open item of the roadmap and what is to happen to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its key.
    pub item: ItemKey,
    /// Its label and title.
    pub title: String,
    /// Its line in the roadmap.
    pub line: u32,
    /// Open items that must be done first.
    pub after: Vec<ItemKey>,
    /// Why it is left for a person, where it is.
    pub hold: Option<String>,
}

/// Plans a roadmap: pure, so that a client can be shown what a start would do.
#[must_use]
pub fn plan(roadmap: &Roadmap) -> Vec<Planned> {
    let mut planned: Vec<Planned> = roadmap
        .open_work()
        .into_iter()
        .map(|item| planned(roadmap, item))
        .collect();
    planned.extend(choices(roadmap));
    planned.extend(
        roadmap
            .items
            .iter()
            .filter_map(|item| stopped(roadmap, item)),
    );
    spread_holds(roadmap, &mut planned);
    planned.sort_by_key(|plan| plan.line);
    planned
}

fn planned(roadmap: &Roadmap, item: &Item) -> Planned {
    Planned {
        item: item.key.clone(),
        title: title(item),
        line: item.line,
        after: roadmap.waits_for(&item.key),
        hold: unresolved(item),
    }
}

/// "PRIORITY 3.5: Error dashboard".
pub(crate) fn title(item: &Item) -> String {
    let full = match &item.label {
        Some(label) if !label.is_empty() => format!("{label}: {}", item.title),
        _ => item.title.clone(),
    };
    full.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect()
}

/// A condition that names nothing here can't be checked by us.
fn unresolved(item: &Item) -> Option<String> {
    let dependency = item
        .dependencies
        .iter()
        .find(|dependency| dependency.unresolved && dependency.need == Need::Required)?;
    Some(format!(
        "its dependency {:?} (line {}) names no item of the roadmap; name one, write None, or do it and remove the line",
        dependency.text, dependency.line
    ))
}

fn choices(roadmap: &Roadmap) -> Vec<Planned> {
    roadmap
        .choices()
        .into_iter()
        .map(|choice| {
            let names: Vec<String> = choice.options.iter().map(|item| title(item)).collect();
            Planned {
                item: choice.group.clone(),
                title: choice.parent.map_or_else(|| "a choice".to_owned(), title),
                line: choice.options.first().map_or(0, |item| item.line),
                after: Vec::new(),
                hold: Some(format!(
                    "choose one of: {}; mark it (chosen)",
                    names.join("; ")
                )),
            }
        })
        .collect()
}

/// Items that the roadmap itself leaves to a person.
fn stopped(roadmap: &Roadmap, item: &Item) -> Option<Planned> {
    let status = roadmap.status_of(&item.key)?;
    let leaf = item.children.is_empty() && item.choice.is_none();
    (leaf && matches!(status, Status::Blocked | Status::Failed)).then(|| Planned {
        item: item.key.clone(),
        title: title(item),
        line: item.line,
        after: Vec::new(),
        hold: Some(format!(
            "the roadmap says {}",
            status.words().to_lowercase()
        )),
    })
}

/// What waits for something that is held is held too.
fn spread_holds(roadmap: &Roadmap, planned: &mut [Planned]) {
    let known: HashSet<ItemKey> = planned.iter().map(|plan| plan.item.clone()).collect();
    loop {
        let held: HashSet<ItemKey> = planned
            .iter()
            .filter(|plan| plan.hold.is_some())
            .map(|plan| plan.item.clone())
            .collect();
        let mut changed = false;
        for plan in planned.iter_mut().filter(|plan| plan.hold.is_none()) {
            let blocker = plan
                .after
                .iter()
                .find(|key| held.contains(key) || !known.contains(key));
            if let Some(blocker) = blocker {
                let name = roadmap
                    .item(blocker)
                    .map_or_else(|| blocker.to_string(), title);
                plan.hold = Some(format!("waits for {name:?}, which needs a person"));
                changed = true;
            }
        }
        if !changed {
            return;
        }
    }
}

/// An open item with its task, where one was posted.
#[derive(Debug, Clone, PartialEq)]
pub struct PostedItem {
    /// The plan.
    pub planned: Planned,
    /// Its task's id.
    pub task: Option<String>,
}

impl Project {
    /// Posts a task for each open item and brings earlier tasks in line with the roadmap. Doing it again
    /// changes nothing.
    pub(crate) async fn post(&self, roadmap: &Roadmap) -> Result<Vec<PostedItem>, CrewError> {
        let plans = plan(roadmap);
        let work: Vec<Planned> = plans
            .iter()
            .filter(|plan| plan.hold.is_none())
            .cloned()
            .collect();
        let tasks = self.post_all(roadmap, &work).await?;
        self.call_off(roadmap, &plans, &tasks).await?;
        Ok(plans
            .into_iter()
            .map(|planned| PostedItem {
                task: tasks.get(&planned.item).cloned(),
                planned,
            })
            .collect())
    }

    async fn post_all(
        &self,
        roadmap: &Roadmap,
        work: &[Planned],
    ) -> Result<HashMap<ItemKey, String>, CrewError> {
        if work.is_empty() {
            return Ok(HashMap::new());
        }
        let now = self.now();
        let ids: Vec<String> = work.iter().map(|_| self.ids.next("t_", now)).collect();
        let bulk: Vec<BulkTask> = work
            .iter()
            .map(|plan| self.task_for(roadmap, plan))
            .collect();
        let again = self.again;
        // One transaction: a crash leaves all of them posted or none.
        let posted = self
            .store
            .write(move |c| {
                let posted = scheduling::task_add_many(c, now, &ids, &bulk)?;
                for ((task, posted), wanted) in posted.iter().zip(&bulk) {
                    if *posted == Posted::Existing {
                        align(c, now, task, wanted, again)?;
                    }
                }
                Ok::<_, SchedulingError>(posted)
            })
            .await?;
        Ok(work
            .iter()
            .zip(posted)
            .map(|(plan, (task, _))| (plan.item.clone(), task.id))
            .collect())
    }

    fn task_for(&self, roadmap: &Roadmap, plan: &Planned) -> BulkTask {
        let mut task = NewTask::titled(plan.title.clone());
        task.prompt = prompt(roadmap.text_of(&plan.item).unwrap_or_default());
        task.queue = self.queue();
        ROADMAP_KIND.clone_into(&mut task.kind);
        task.project = Some(self.root.to_string_lossy().into_owned());
        task.metadata = json!({
            "roadmap": self.roadmap.to_string_lossy(),
            "item": plan.item.as_str(),
            "line": plan.line,
        });
        task.depends_on = plan
            .after
            .iter()
            .map(|key| key.as_str().to_owned())
            .collect();
        task.max_retries = self.config.run.attempts.value.saturating_sub(1);
        task.backoff_ms = BACKOFF_MS;
        task.dedup_key = Some(dedup_key(&self.queue(), plan.item.as_str()));
        BulkTask {
            key: Some(plan.item.as_str().to_owned()),
            task,
        }
    }

    /// Tasks whose item is gone, settled or held leave the queue, with the reason.
    async fn call_off(
        &self,
        roadmap: &Roadmap,
        plans: &[Planned],
        posted: &HashMap<ItemKey, String>,
    ) -> Result<(), CrewError> {
        let now = self.now();
        for task in self.tasks().await? {
            let Some(item) = item_of(&task) else { continue };
            if posted.contains_key(&item) {
                continue;
            }
            let plan = plans.iter().find(|plan| plan.item == item);
            let held = plan.and_then(|plan| plan.hold.as_deref());
            if let Some(end) = end_of(task.state, held, roadmap.status_of(&item)) {
                self.store.write(move |c| end.write(c, now, &task)).await?;
            }
        }
        Ok(())
    }

    /// Every live task of this project's roadmap, oldest first.
    pub(crate) async fn tasks(&self) -> Result<Vec<Task>, CrewError> {
        let (queue, root) = (self.queue(), self.root.to_string_lossy().into_owned());
        Ok(self.store.read(move |c| tasks_of(c, &queue, &root)).await?)
    }
}

/// How a task ends that is not to be worked any more.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    /// A person did it.
    Done,
    /// It is called off.
    CalledOff(String),
}

/// What becomes of a task whose item is not open work, by what the roadmap says of the item. What ended
/// without success is settled too, so that nobody is asked for it any more.
fn end_of(state: State, held: Option<&str>, status: Option<Status>) -> Option<End> {
    let startable = matches!(state, State::Waiting | State::Scheduled | State::Ready);
    let unsettled = startable || matches!(state, State::Dead | State::Parked);
    let why = match (held, status) {
        (Some(_), _) if !startable => return None,
        _ if !unsettled => return None,
        (None, Some(Status::Done)) => return Some(End::Done),
        (Some(hold), _) => hold.to_owned(),
        (None, Some(status)) if status.is_settled() => {
            format!("the item is {} now", status.words().to_lowercase())
        }
        (None, Some(_)) => "the item is not worked by itself any more".to_owned(),
        (None, None) => "the item is no longer in the roadmap".to_owned(),
    };
    Some(End::CalledOff(format!("{CALLED_OFF}{why}")))
}

impl End {
    fn write(
        &self,
        c: &mut dyn callboard_store::Conn,
        now: i64,
        task: &Task,
    ) -> Result<Task, SchedulingError> {
        if task.state == State::Dead {
            scheduling::task_rerun(c, now, &task.id)?;
        }
        match self {
            End::Done => scheduling::task_resolve(c, now, &task.id, None),
            End::CalledOff(why) => scheduling::task_cancel(c, now, &task.id, why),
        }
    }
}

/// Every live task of a project's queue, oldest first.
pub(crate) fn tasks_of(
    c: &mut dyn callboard_store::Conn,
    queue: &str,
    project: &str,
) -> Result<Vec<Task>, SchedulingError> {
    let mut filter = Filter {
        queue: Some(queue.to_owned()),
        project: Some(project.to_owned()),
        limit: scheduling::MAX_PAGE,
        ..Filter::default()
    };
    let mut tasks = Vec::new();
    loop {
        let page = scheduling::task_list(c, &filter)?;
        tasks.extend(page.tasks);
        filter.after = page.next;
        if page.next.is_none() {
            break;
        }
    }
    tasks.reverse();
    Ok(tasks)
}

/// The roadmap item that a task stands for.
pub(crate) fn item_of(task: &Task) -> Option<ItemKey> {
    task.metadata["item"].as_str().map(ItemKey::from)
}

fn dedup_key(queue: &str, item: &str) -> String {
    format!("{queue}:{item}")
}

fn prompt(text: &str) -> String {
    let plain: String = text
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect();
    let mut end = plain.len().min(MAX_PROMPT);
    while !plain.is_char_boundary(end) {
        end -= 1;
    }
    plain[..end].to_owned()
}

/// A task that was there before: the roadmap says that its item is open.
fn align(
    c: &mut dyn callboard_store::Conn,
    now: i64,
    task: &Task,
    wanted: &BulkTask,
    again: Again,
) -> Result<(), SchedulingError> {
    let ours = task
        .reason
        .as_deref()
        .is_some_and(|why| why.starts_with(CALLED_OFF));
    let rerun = match task.state {
        // Somebody opened the item again, or threw the merge away.
        State::Done => true,
        State::Cancelled => ours || again == Again::Retry,
        State::Dead | State::Parked => again == Again::Retry,
        _ => false,
    };
    if rerun {
        scheduling::task_rerun(c, now, &task.id)?;
    }
    let open = rerun || matches!(task.state, State::Waiting | State::Scheduled | State::Ready);
    if !open {
        return Ok(());
    }
    let queue = &wanted.task.queue;
    let mut needs = Vec::new();
    for item in &wanted.task.depends_on {
        if let Some(need) = scheduling::task_by_key(c, &dedup_key(queue, item))? {
            needs.push(need.id);
        }
    }
    let change = Change {
        title: Some(wanted.task.title.clone()),
        prompt: Some(wanted.task.prompt.clone()),
        depends_on: Some(needs),
        ..Change::default()
    };
    scheduling::task_update(c, now, &task.id, &change).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans(text: &str) -> Vec<Planned> {
        plan(&callboard_roadmap::parse(text.as_bytes()).unwrap())
    }

    fn keys(plans: &[Planned], held: bool) -> Vec<&str> {
        plans
            .iter()
            .filter(|p| p.hold.is_some() == held)
            .map(|p| p.item.as_str())
            .collect()
    }

    #[test]
    fn open_items_are_planned_in_order_with_what_they_wait_for() {
        let plans = plans(
            "# R\n\n### PRIORITY 1: A\n**Status**: ✅ Done\n\n### PRIORITY 2: B\n**Status**: 📝 Planned\n\n\
             ### PRIORITY 3: C\n**Status**: Planned\n**Dependency**: PRIORITY 1, PRIORITY 2\n",
        );
        assert_eq!(keys(&plans, false), ["priority-2", "priority-3"]);
        assert_eq!(plans[1].after, [ItemKey::from("priority-2")]);
        assert_eq!(plans[0].title, "PRIORITY 2: B");
    }

    #[test]
    fn what_is_not_open_work_any_more_is_settled() {
        let called_off = |why: &str| Some(End::CalledOff(format!("{CALLED_OFF}{why}")));
        let gone = called_off("the item is no longer in the roadmap");
        for state in [State::Waiting, State::Ready, State::Dead, State::Parked] {
            assert_eq!(end_of(state, None, Some(Status::Done)), Some(End::Done));
            assert_eq!(end_of(state, None, None), gone);
        }
        assert_eq!(end_of(State::Ready, Some("x"), None), called_off("x"));
        assert_eq!(end_of(State::Parked, Some("x"), None), None);
        for state in [State::Running, State::Done, State::Cancelled] {
            assert_eq!(end_of(state, None, None), None);
        }
    }

    #[test]
    fn what_cannot_be_decided_is_held_and_so_is_what_waits_for_it() {
        let plans = plans(
            "# R\n\n### PRIORITY 1: A\n**Status**: Planned\n**Dependency**: Requires the new data centre\n\n\
             ### PRIORITY 2: B\n**Status**: Planned\n**Dependency**: PRIORITY 1\n\n\
             ### PRIORITY 3: C\n**Status**: ⏸ Blocked\n\n\
             ### PRIORITY 4: D\n**Status**: Planned\n",
        );
        assert_eq!(keys(&plans, false), ["priority-4"]);
        assert_eq!(
            keys(&plans, true),
            ["priority-1", "priority-2", "priority-3"]
        );
        assert!(plans[0].hold.as_deref().unwrap().contains("data centre"));
        assert!(plans[1].hold.as_deref().unwrap().contains("PRIORITY 1"));
    }
}
