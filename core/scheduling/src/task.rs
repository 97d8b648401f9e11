//! What a task is: the row as data, the form in which one is posted, and the checks on it.

use crate::error::SchedulingError;
use crate::model::State;
use crate::rank::MAX_PRIORITY;
use callboard_store::{Row, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The queue of a task that names none; `task_claim` without a queue reads it.
pub const DEFAULT_QUEUE: &str = "default";
/// Begins the name of a queue that holds a roadmap's items, which only the crew claims from.
pub const CREWS_QUEUE: &str = "roadmap:";

/// Whether only the crew claims from a queue.
#[must_use]
pub fn is_crews_queue(queue: &str) -> bool {
    queue.starts_with(CREWS_QUEUE)
}

/// The priority of a task that names none.
pub const DEFAULT_PRIORITY: u8 = 5;
/// How often a failed task is tried again unless it says otherwise.
pub const DEFAULT_RETRIES: u32 = 3;
/// The first back-off after a failure; it doubles each time, up to [`MAX_BACKOFF_MS`].
pub const DEFAULT_BACKOFF_MS: i64 = 5_000;
/// The longest back-off.
pub const MAX_BACKOFF_MS: i64 = 5 * 60 * 1000;
/// This many interruptions in a row cost one retry.
pub const MAX_INTERRUPTIONS: u32 = 10;
/// The most dependencies that one task may have.
pub const MAX_DEPENDENCIES: usize = 1_000;

const MAX_TITLE: usize = 300;
const MAX_PROMPT: usize = 200_000;
const MAX_JSON: usize = 64 * 1024;
const MAX_NAME: usize = 120;
const MAX_TAGS: usize = 50;

/// A task as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// `t_` and 26 characters, sortable by creation.
    pub id: String,
    /// The queue it is claimed from.
    pub queue: String,
    /// Where it is in its life.
    pub state: State,
    /// 0 (least) to 10 (most urgent).
    pub priority: u8,
    /// Short, one line.
    pub title: String,
    /// What is to be done, as the worker gets it.
    pub prompt: String,
    /// A word for the kind of work.
    pub kind: String,
    /// The project it belongs to.
    pub project: Option<String>,
    /// The branch to work on.
    pub branch: Option<String>,
    /// Where to work.
    pub working_dir: Option<String>,
    /// Labels.
    pub tags: Vec<String>,
    /// Environment for the worker.
    pub env: BTreeMap<String, String>,
    /// Whatever the author wants to keep with it.
    pub metadata: Json,
    /// What the last successful attempt returned.
    pub result: Option<Json>,
    /// Why it is where it is: the last failure, or what a person has to decide.
    pub reason: Option<String>,
    /// What its worker last said.
    pub progress: Option<String>,
    /// How many dependencies are not done.
    pub waiting_on: u32,
    /// The number that guards writes of the current attempt; it grows with every claim.
    pub fence: i64,
    /// The current or last attempt.
    pub attempt: Option<String>,
    /// Who holds or last held it.
    pub worker: Option<String>,
    /// Until when the lease holds, ms since 1970 UTC.
    pub lease_until: Option<i64>,
    /// Attempts so far, interrupted ones included.
    pub attempts: u32,
    /// Attempts that failed.
    pub failures: u32,
    /// Interruptions in a row.
    pub interruptions: u32,
    /// How many failures are tried again.
    pub max_retries: u32,
    /// First back-off, ms.
    pub backoff_ms: i64,
    /// Time limit of an attempt, ms.
    pub timeout_ms: Option<i64>,
    /// When it becomes ready, for scheduled ones, ms since 1970 UTC.
    pub due_at: Option<i64>,
    /// ms since 1970 UTC.
    pub created_at: i64,
    /// ms since 1970 UTC.
    pub updated_at: i64,
    /// Start of the current or last attempt, ms since 1970 UTC.
    pub started_at: Option<i64>,
    /// When it settled, ms since 1970 UTC.
    pub finished_at: Option<i64>,
    /// When it was archived, ms since 1970 UTC.
    pub archived_at: Option<i64>,
}

/// The columns that [`task_from`] reads, as a literal for constant statements.
macro_rules! task_columns {
    () => {
        "id, queue, state, priority, title, prompt, kind, project, branch, working_dir, tags, env, metadata, result, reason, progress, waiting_on, fence, attempt, worker, lease_until, attempts, failures, interruptions, max_retries, backoff_ms, timeout_ms, due_at, created_at, updated_at, started_at, finished_at, archived_at"
    };
}
pub(crate) use task_columns;

pub(crate) const TASK_COLUMNS: &str = task_columns!();
/// How many they are: the index of a column that a statement adds behind them.
pub(crate) const TASK_COLUMN_COUNT: usize = 33;

pub(crate) fn task_from(row: &dyn Row) -> Result<Task, StoreError> {
    Ok(Task {
        id: row.text(0)?,
        queue: row.text(1)?,
        state: state_from(&row.text(2)?)?,
        priority: small(row.int(3)?),
        title: row.text(4)?,
        prompt: row.text(5)?,
        kind: row.text(6)?,
        project: row.opt_text(7)?,
        branch: row.opt_text(8)?,
        working_dir: row.opt_text(9)?,
        tags: json_from(&row.text(10)?)?,
        env: json_from(&row.text(11)?)?,
        metadata: json_from(&row.text(12)?)?,
        result: row.opt_text(13)?.map(|text| json_from(&text)).transpose()?,
        reason: row.opt_text(14)?,
        progress: row.opt_text(15)?,
        waiting_on: count(row.int(16)?),
        fence: row.int(17)?,
        attempt: row.opt_text(18)?,
        worker: row.opt_text(19)?,
        lease_until: row.opt_int(20)?,
        attempts: count(row.int(21)?),
        failures: count(row.int(22)?),
        interruptions: count(row.int(23)?),
        max_retries: count(row.int(24)?),
        backoff_ms: row.int(25)?,
        timeout_ms: row.opt_int(26)?,
        due_at: row.opt_int(27)?,
        created_at: row.int(28)?,
        updated_at: row.int(29)?,
        started_at: row.opt_int(30)?,
        finished_at: row.opt_int(31)?,
        archived_at: row.opt_int(32)?,
    })
}

pub(crate) fn state_from(word: &str) -> Result<State, StoreError> {
    State::parse(word).ok_or_else(|| StoreError::Row(format!("unknown task state {word:?}")))
}

pub(crate) fn json_from<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Row(format!("stored JSON: {error}")))
}

pub(crate) fn json_text<T: Serialize>(value: &T) -> Result<String, SchedulingError> {
    serde_json::to_string(value)
        .map_err(|error| SchedulingError::invalid("JSON", error.to_string()))
}

pub(crate) fn count(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

fn small(value: i64) -> u8 {
    u8::try_from(value).unwrap_or(0)
}

/// A task to be posted. Only the title is needed.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// One line, at most 300 characters.
    pub title: String,
    /// What is to be done; empty means that the title says it all.
    pub prompt: String,
    /// [`DEFAULT_QUEUE`] unless given.
    pub queue: String,
    /// 0 to 10.
    pub priority: u8,
    /// A word such as `task`, `review`, `roadmap`.
    pub kind: String,
    /// The project it belongs to.
    pub project: Option<String>,
    /// The branch to work on.
    pub branch: Option<String>,
    /// An absolute path.
    pub working_dir: Option<String>,
    /// Labels, at most 50.
    pub tags: Vec<String>,
    /// Variables for the worker; never PATH, `LD_*`, `DYLD_*`, `GIT_*` or `CALLBOARD_*`.
    pub env: BTreeMap<String, String>,
    /// A JSON object, at most 64 KiB.
    pub metadata: Json,
    /// Ids of tasks that must be done first.
    pub depends_on: Vec<String>,
    /// Not before this time, ms since 1970 UTC.
    pub due_at: Option<i64>,
    /// Time limit of an attempt, ms.
    pub timeout_ms: Option<i64>,
    /// How many failures are tried again.
    pub max_retries: u32,
    /// First back-off, ms; 0 tries again at once.
    pub backoff_ms: i64,
    /// At most one task with this key exists: posting it again answers with the one that is there.
    pub dedup_key: Option<String>,
}

impl NewTask {
    /// A task with this title and every default.
    #[must_use]
    pub fn titled(title: impl Into<String>) -> Self {
        NewTask {
            title: title.into(),
            prompt: String::new(),
            queue: DEFAULT_QUEUE.to_owned(),
            priority: DEFAULT_PRIORITY,
            kind: "task".to_owned(),
            project: None,
            branch: None,
            working_dir: None,
            tags: Vec::new(),
            env: BTreeMap::new(),
            metadata: Json::Object(serde_json::Map::new()),
            depends_on: Vec::new(),
            due_at: None,
            timeout_ms: None,
            max_retries: DEFAULT_RETRIES,
            backoff_ms: DEFAULT_BACKOFF_MS,
            dedup_key: None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), SchedulingError> {
        check_title(&self.title)?;
        check_text("prompt", &self.prompt, MAX_PROMPT)?;
        check_name("queue", &self.queue)?;
        check_name("kind", &self.kind)?;
        check_priority(self.priority)?;
        for (field, value) in [
            ("project", &self.project),
            ("branch", &self.branch),
            ("dedup_key", &self.dedup_key),
        ] {
            if let Some(value) = value {
                check_line(field, value, 1_000)?;
            }
        }
        if let Some(dir) = &self.working_dir {
            check_line("working_dir", dir, 4_000)?;
            if !dir.starts_with('/') {
                return Err(SchedulingError::invalid(
                    "working_dir",
                    format!("{dir:?} is not an absolute path"),
                ));
            }
        }
        self.check_lists()?;
        self.check_numbers()
    }

    fn check_lists(&self) -> Result<(), SchedulingError> {
        check_tags(&self.tags)?;
        check_env(&self.env)?;
        check_metadata(&self.metadata)?;
        if self.depends_on.len() > MAX_DEPENDENCIES {
            return Err(SchedulingError::invalid(
                "depends_on",
                format!("at most {MAX_DEPENDENCIES} dependencies"),
            ));
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), SchedulingError> {
        check_range("max_retries", i64::from(self.max_retries), 0, 100)?;
        check_range("backoff_ms", self.backoff_ms, 0, MAX_BACKOFF_MS)?;
        if let Some(timeout) = self.timeout_ms {
            check_range("timeout_ms", timeout, 1, 30 * 24 * 3_600_000)?;
        }
        Ok(())
    }
}

pub(crate) fn check_title(title: &str) -> Result<(), SchedulingError> {
    if title.trim().is_empty() {
        return Err(SchedulingError::invalid(
            "title",
            "is empty; say in one line what is to be done",
        ));
    }
    check_line("title", title, MAX_TITLE)
}

pub(crate) fn check_tags(tags: &[String]) -> Result<(), SchedulingError> {
    if tags.len() > MAX_TAGS {
        return Err(SchedulingError::invalid(
            "tags",
            format!("at most {MAX_TAGS} tags"),
        ));
    }
    tags.iter().try_for_each(|tag| check_name("tags", tag))
}

pub(crate) fn check_metadata(metadata: &Json) -> Result<(), SchedulingError> {
    if !metadata.is_object() {
        return Err(SchedulingError::invalid(
            "metadata",
            "must be a JSON object",
        ));
    }
    let bytes = json_text(metadata)?.len();
    if bytes > MAX_JSON {
        return Err(SchedulingError::invalid(
            "metadata",
            format!("is {bytes} bytes, at most {MAX_JSON}; store a path instead"),
        ));
    }
    Ok(())
}

pub(crate) fn check_priority(priority: u8) -> Result<(), SchedulingError> {
    check_range("priority", i64::from(priority), 0, i64::from(MAX_PRIORITY))
}

pub(crate) fn check_range(
    field: &str,
    value: i64,
    low: i64,
    high: i64,
) -> Result<(), SchedulingError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(SchedulingError::invalid(
        field,
        format!("is {value}, allowed are {low} to {high}"),
    ))
}

pub(crate) fn check_name(field: &str, value: &str) -> Result<(), SchedulingError> {
    if value.is_empty() {
        return Err(SchedulingError::invalid(field, "is empty"));
    }
    check_line(field, value, MAX_NAME)
}

pub(crate) fn check_line(field: &str, value: &str, limit: usize) -> Result<(), SchedulingError> {
    check_length(field, value, limit)?;
    match value.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, c)) => Err(control_character(field, at, c)),
        None => Ok(()),
    }
}

pub(crate) fn check_text(field: &str, value: &str, limit: usize) -> Result<(), SchedulingError> {
    check_length(field, value, limit)?;
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    match value.char_indices().find(|(_, c)| odd(*c)) {
        Some((at, c)) => Err(control_character(field, at, c)),
        None => Ok(()),
    }
}

fn check_length(field: &str, value: &str, limit: usize) -> Result<(), SchedulingError> {
    // Bytes bound characters, so the count is only taken for what could be too long.
    if value.len() > limit && value.chars().count() > limit {
        return Err(SchedulingError::invalid(
            field,
            format!(
                "has {} characters, at most {limit} are allowed",
                value.chars().count()
            ),
        ));
    }
    Ok(())
}

fn control_character(field: &str, at: usize, c: char) -> SchedulingError {
    SchedulingError::invalid(
        field,
        format!(
            "has the control character U+{:04X} at byte {at}; remove it",
            u32::from(c)
        ),
    )
}

fn check_env(env: &BTreeMap<String, String>) -> Result<(), SchedulingError> {
    if env.len() > 100 {
        return Err(SchedulingError::invalid("env", "at most 100 variables"));
    }
    for (name, value) in env {
        check_env_name(name)?;
        check_text("env", value, 32_000)?;
    }
    Ok(())
}

/// A task's author is not trusted with what decides which programs run and what git does.
fn check_env_name(name: &str) -> Result<(), SchedulingError> {
    let mut letters = name.chars();
    let starts_well = letters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !starts_well
        || !letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
        || name.len() > MAX_NAME
    {
        return Err(SchedulingError::invalid(
            "env",
            format!("{name:?} is not a variable name (letters, digits and _)"),
        ));
    }
    let reserved = ["LD_", "DYLD_", "GIT_", "CALLBOARD_"];
    if name == "PATH" || reserved.iter().any(|prefix| name.starts_with(prefix)) {
        return Err(SchedulingError::invalid(
            "env",
            format!(
                "{name} may not be set by a task; the user can set it where the worker is started"
            ),
        ));
    }
    Ok(())
}
