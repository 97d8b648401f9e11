//! Reading the board.

use crate::deps::task_waits_for;
use crate::error::SchedulingError;
use crate::model::State;
use crate::task::{
    TASK_COLUMN_COUNT, TASK_COLUMNS, Task, check_line, is_crews_queue, state_from, task_columns,
    task_from,
};
use callboard_store::{Conn, Value, params};
use serde::{Deserialize, Serialize};

/// The most tasks that one page holds.
pub const MAX_PAGE: u32 = 200;

/// How far the tasks ahead of one are counted, so that the answer costs the same on any board.
const MAX_COUNTED: i64 = 1_000;

/// The little of a row that decisions need.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) seq: i64,
    pub(crate) state: State,
    pub(crate) fence: i64,
    pub(crate) attempt: Option<String>,
    pub(crate) lease_until: Option<i64>,
    pub(crate) failures: i64,
    pub(crate) interruptions: i64,
    pub(crate) max_retries: i64,
    pub(crate) backoff_ms: i64,
    pub(crate) priority: u8,
    pub(crate) started_at: Option<i64>,
    pub(crate) timeout_ms: Option<i64>,
    pub(crate) archived: bool,
    pub(crate) waiting_on: i64,
    pub(crate) worker: Option<String>,
}

impl Loaded {
    /// Who works on it, while somebody does.
    pub(crate) fn agent(&self) -> Option<&str> {
        self.worker
            .as_deref()
            .filter(|_| self.state == State::Running)
    }
}

pub(crate) fn load(c: &mut dyn Conn, id: &str) -> Result<Loaded, SchedulingError> {
    c.query_one(
        "SELECT seq, state, fence, attempt, lease_until, failures, interruptions, max_retries, backoff_ms, priority, started_at, timeout_ms, archived_at, waiting_on, worker FROM tasks WHERE id = ?1",
        params![id],
        |row| {
            Ok(Loaded {
                seq: row.int(0)?,
                state: state_from(&row.text(1)?)?,
                fence: row.int(2)?,
                attempt: row.opt_text(3)?,
                lease_until: row.opt_int(4)?,
                failures: row.int(5)?,
                interruptions: row.int(6)?,
                max_retries: row.int(7)?,
                backoff_ms: row.int(8)?,
                priority: u8::try_from(row.int(9)?).unwrap_or(0),
                started_at: row.opt_int(10)?,
                timeout_ms: row.opt_int(11)?,
                archived: row.opt_int(12)?.is_some(),
                waiting_on: row.int(13)?,
                worker: row.opt_text(14)?,
            })
        },
    )?
    .ok_or_else(|| SchedulingError::no_task(id))
}

pub(crate) fn id_of(c: &mut dyn Conn, seq: i64) -> Result<String, SchedulingError> {
    c.query_one("SELECT id FROM tasks WHERE seq = ?1", params![seq], |row| {
        row.text(0)
    })?
    .ok_or_else(|| SchedulingError::no_task(&seq.to_string()))
}

/// One task.
///
/// # Errors
/// [`SchedulingError::NotFound`].
pub fn task_get(c: &mut dyn Conn, id: &str) -> Result<Task, SchedulingError> {
    c.query_one(
        concat!("SELECT ", task_columns!(), " FROM tasks WHERE id = ?1"),
        params![id],
        task_from,
    )?
    .ok_or_else(|| SchedulingError::no_task(id))
}

/// The task that was posted with this key.
///
/// # Errors
/// Only when the store fails.
pub fn task_by_key(c: &mut dyn Conn, key: &str) -> Result<Option<Task>, SchedulingError> {
    Ok(c.query_one(
        concat!(
            "SELECT ",
            task_columns!(),
            " FROM tasks WHERE dedup_key = ?1"
        ),
        params![key],
        task_from,
    )?)
}

/// Which tasks a list shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Only these states; empty means all.
    pub states: Vec<State>,
    /// Only this queue.
    pub queue: Option<String>,
    /// Only this project.
    pub project: Option<String>,
    /// Only this kind.
    pub kind: Option<String>,
    /// Only tasks with this tag.
    pub tag: Option<String>,
    /// Only tasks whose title or prompt contains this text, whatever the case (ASCII).
    pub text: Option<String>,
    /// Changed at or after this time, ms since 1970 UTC.
    pub updated_since: Option<i64>,
    /// Archived tasks instead of the live ones.
    pub archived: bool,
    /// Where the page begins: the `next` of the page before.
    pub after: Option<i64>,
    /// At most this many, 1 to [`MAX_PAGE`].
    pub limit: u32,
}

/// A page of a list, newest task first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// Where the next page begins, when there is one.
    pub next: Option<i64>,
}

/// The tasks that match, newest first.
///
/// # Errors
/// [`SchedulingError::Invalid`] for a filter that can't be.
pub fn task_list(c: &mut dyn Conn, filter: &Filter) -> Result<Page, SchedulingError> {
    let limit = filter.limit.clamp(1, MAX_PAGE);
    if let Some(text) = &filter.text {
        check_line("text", text, 200)?;
    }
    let mut clauses = Clauses::default();
    clauses.filter(filter);
    let sql = format!(
        "SELECT {TASK_COLUMNS}, seq FROM tasks WHERE {} ORDER BY seq DESC LIMIT {}",
        clauses.sql.join(" AND "),
        limit + 1
    );
    let values: Vec<Value<'_>> = clauses.values.iter().map(Bound::value).collect();
    let mut rows = c.query(&sql, &values, |row| {
        Ok((task_from(row)?, row.int(TASK_COLUMN_COUNT)?))
    })?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = more.then(|| rows.last().map(|(_, seq)| *seq)).flatten();
    Ok(Page {
        tasks: rows.into_iter().map(|(task, _)| task).collect(),
        next,
    })
}

enum Bound {
    Text(String),
    Int(i64),
}

impl Bound {
    fn value(&self) -> Value<'_> {
        match self {
            Bound::Text(text) => Value::Text(text),
            Bound::Int(number) => Value::Int(*number),
        }
    }
}

#[derive(Default)]
struct Clauses {
    sql: Vec<String>,
    values: Vec<Bound>,
}

impl Clauses {
    fn filter(&mut self, filter: &Filter) {
        self.sql.push(format!(
            "archived_at IS {}NULL",
            if filter.archived { "NOT " } else { "" }
        ));
        if !filter.states.is_empty() {
            let names: Vec<String> = filter.states.iter().map(|s| format!("'{s}'")).collect();
            self.sql.push(format!("state IN ({})", names.join(", ")));
        }
        self.equal("queue", filter.queue.as_deref());
        self.equal("project", filter.project.as_deref());
        self.equal("kind", filter.kind.as_deref());
        if let Some(tag) = &filter.tag {
            let quoted = serde_json::Value::from(tag.as_str()).to_string();
            self.like("tags LIKE ? ESCAPE '\\'", &quoted);
        }
        if let Some(text) = &filter.text {
            self.like(
                "lower(title || ' ' || prompt) LIKE lower(?) ESCAPE '\\'",
                text,
            );
        }
        self.number("updated_at >= ?", filter.updated_since);
        self.number("seq < ?", filter.after);
    }

    fn equal(&mut self, column: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.push(&format!("{column} = ?"), Bound::Text(value.to_owned()));
        }
    }

    fn number(&mut self, clause: &str, value: Option<i64>) {
        if let Some(value) = value {
            self.push(clause, Bound::Int(value));
        }
    }

    fn like(&mut self, clause: &str, text: &str) {
        let escaped = text
            .replace('\\', "\\\\")
            .replace('%', "\\%")
            .replace('_', "\\_");
        self.push(clause, Bound::Text(format!("%{escaped}%")));
    }

    fn push(&mut self, clause: &str, value: Bound) {
        self.values.push(value);
        self.sql
            .push(clause.replacen('?', &format!("?{}", self.values.len()), 1));
    }
}

/// Whether a claim from this queue would find a task: cheap, for a reading connection.
///
/// # Errors
/// Only when the store fails.
pub fn queue_ready(c: &mut dyn Conn, queue: &str) -> Result<bool, SchedulingError> {
    Ok(c.query_one(
        "SELECT EXISTS (SELECT 1 FROM tasks WHERE state = 'ready' AND queue = ?1)",
        params![queue],
        |row| row.int(0),
    )? == Some(1))
}

/// A ready task, as far as it matters to who hands out work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The task.
    pub id: String,
    /// Its project.
    pub project: Option<String>,
}

/// The ready tasks of a queue, the most urgent first, at most so many.
///
/// # Errors
/// Only when the store fails.
pub fn queue_next(c: &mut dyn Conn, queue: &str, most: u32) -> Result<Vec<Ready>, SchedulingError> {
    Ok(c.query(
        "SELECT id, project FROM tasks WHERE state = 'ready' AND queue = ?1 ORDER BY rank, seq LIMIT ?2",
        params![queue, most],
        |row| {
            Ok(Ready {
                id: row.text(0)?,
                project: row.opt_text(1)?,
            })
        },
    )?)
}

/// How many tasks are in each state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateCount {
    /// The queue.
    pub queue: String,
    /// The state.
    pub state: State,
    /// Live tasks there.
    pub tasks: u32,
}

/// Live tasks by queue and state.
///
/// # Errors
/// Only when the store fails.
pub fn board_counts(c: &mut dyn Conn) -> Result<Vec<StateCount>, SchedulingError> {
    Ok(c.query(
        "SELECT queue, state, COUNT(*) FROM tasks WHERE archived_at IS NULL GROUP BY queue, state ORDER BY queue, state",
        params![],
        |row| {
            Ok(StateCount {
                queue: row.text(0)?,
                state: state_from(&row.text(1)?)?,
                tasks: u32::try_from(row.int(2)?).unwrap_or(u32::MAX),
            })
        },
    )?)
}

/// Whether a queue has anything that is ready, running or due later: what waits for others is moved on by
/// these or not at all.
///
/// # Errors
/// Only when the store fails.
pub fn queue_has_work(c: &mut dyn Conn, queue: &str) -> Result<bool, SchedulingError> {
    let found = c.query_one(
        "SELECT EXISTS (SELECT 1 FROM tasks WHERE state = 'ready' AND queue = ?1)
             OR EXISTS (SELECT 1 FROM tasks WHERE state = 'running' AND queue = ?1)
             OR EXISTS (SELECT 1 FROM tasks WHERE state = 'scheduled' AND queue = ?1)",
        params![queue],
        |row| row.int(0),
    )?;
    Ok(found == Some(1))
}

/// Why a task is not being worked on, or what is happening to it: the truth as the rows tell it.
///
/// # Errors
/// [`SchedulingError::NotFound`].
pub fn task_reason(c: &mut dyn Conn, now: i64, id: &str) -> Result<String, SchedulingError> {
    let task = task_get(c, id)?;
    reason_of(c, now, &task)
}

/// As [`task_reason`], for a task that was read in the same transaction.
///
/// # Errors
/// Only when the store fails.
pub fn reason_of(c: &mut dyn Conn, now: i64, task: &Task) -> Result<String, SchedulingError> {
    Ok(match task.state {
        State::Waiting => waiting_reason(c, task)?,
        State::Scheduled => scheduled_reason(task, now),
        State::Ready => ready_reason(c, task, now)?,
        State::Running => running_reason(task, now),
        State::Done => "done".to_owned(),
        State::Dead => dead_reason(task),
        State::Parked => format!("needs a person: {}", said(task)),
        State::Cancelled => format!("cancelled: {}", said(task)),
    })
}

fn said(task: &Task) -> &str {
    task.reason.as_deref().unwrap_or("no reason was given")
}

fn waiting_reason(c: &mut dyn Conn, task: &Task) -> Result<String, SchedulingError> {
    let blockers = task_waits_for(c, &task.id, 5)?;
    let names: Vec<String> = blockers
        .iter()
        .map(|(id, title, state)| format!("{id} {title:?} ({state})"))
        .collect();
    let rest = (task.waiting_on as usize).saturating_sub(names.len());
    let more = if rest > 0 {
        format!(" and {rest} more")
    } else {
        String::new()
    };
    let any = |states: &[State]| blockers.iter().any(|(_, _, state)| states.contains(state));
    let advice = if any(&[State::Dead, State::Cancelled]) {
        "; what ended without success has to be run again, or the dependency removed"
    } else if any(&[State::Parked]) {
        "; what is parked waits for a person"
    } else {
        ""
    };
    Ok(format!("waits for {}{more}{advice}", names.join(", ")))
}

fn scheduled_reason(task: &Task, now: i64) -> String {
    let left = span(task.due_at.unwrap_or(now) - now);
    if task.failures > 0 {
        format!(
            "backs off after failure {} of {}, next try in {left}: {}",
            task.failures,
            task.max_retries + 1,
            said(task)
        )
    } else {
        format!("not due yet: starts in {left}")
    }
}

fn ready_reason(c: &mut dyn Conn, task: &Task, now: i64) -> Result<String, SchedulingError> {
    let (ahead, running) = c
        .query_one(
            "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM tasks a WHERE a.state = 'ready' AND a.queue = t.queue AND (a.rank, a.seq) < (t.rank, t.seq) LIMIT 1001)),
                    (SELECT COUNT(*) FROM tasks r WHERE r.state = 'running' AND r.queue = t.queue AND r.lease_until > ?2)
             FROM tasks t WHERE t.id = ?1",
            params![&task.id, now],
            |row| Ok((row.int(0)?, row.int(1)?)),
        )?
        .unwrap_or((0, 0));
    let ahead = match ahead {
        0..=MAX_COUNTED => ahead.to_string(),
        _ => format!("more than {MAX_COUNTED}"),
    };
    let queue = &task.queue;
    let back = match &task.reason {
        Some(reason) => format!("; last attempt: {reason}"),
        None => String::new(),
    };
    Ok(if running == 0 {
        format!(
            "ready, {ahead} ahead of it, but no worker holds a task of queue {queue:?}: {}{back}",
            if is_crews_queue(queue) {
                "start the crew with `callboard run` in the project, or with roadmap_start"
            } else {
                "claim it with task_claim, or start workers"
            }
        )
    } else {
        format!("ready: {ahead} ahead of it in queue {queue:?}, {running} running there{back}")
    })
}

fn dead_reason(task: &Task) -> String {
    let failed = times(task.failures);
    let end = if task.failures > task.max_retries {
        "has no retries left"
    } else {
        "was given up by its worker"
    };
    format!("failed {failed} and {end}: {}", said(task))
}

fn running_reason(task: &Task, now: i64) -> String {
    let worker = task.worker.as_deref().unwrap_or("a worker");
    let since = span(now - task.started_at.unwrap_or(now));
    let left = task.lease_until.unwrap_or(now) - now;
    if left < 0 {
        return format!(
            "held by {worker}, whose lease ran out {} ago; it will be put back",
            span(-left)
        );
    }
    format!(
        "worked on by {worker} for {since}, attempt {}",
        task.attempts
    )
}

fn times(count: u32) -> String {
    if count == 1 {
        "once".to_owned()
    } else {
        format!("{count} times")
    }
}

/// A span of milliseconds in the two largest units.
#[must_use]
pub fn span(ms: i64) -> String {
    let ms = ms.max(0);
    let s = ms / 1000;
    match s {
        0 => format!("{ms} ms"),
        1..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        _ => format!("{} d {} h", s / 86_400, s % 86_400 / 3600),
    }
}
