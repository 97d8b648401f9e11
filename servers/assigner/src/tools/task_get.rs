//! `task_get`.

use crate::Assigner;
use crate::logs::{self, From};
use crate::views::{Facts, lines, page, time};
use callboard_console::LogChunk;
use callboard_mcp::{CallContext, Effect, Id, Link, Render, Role, Tool, ToolError, clip};
use callboard_scheduling::{self as scheduling, Attempt, State, Task, span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The longest piece of a prompt in one answer, in characters.
const PROMPT_CHARS: usize = 4_000;
/// JSON of the author's or the worker's that is longer is left to the resource, in bytes.
const JSON_BYTES: usize = 2_000;
/// The longest error of an attempt.
const ERROR_CHARS: usize = 400;
/// How many attempts are shown, the latest.
const ATTEMPTS: usize = 6;
/// A page of the log, in bytes.
const LOG_BYTES: usize = 5_000;

/// Tells everything about one task.
pub struct TaskGet;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    id: Id,
    /// Also read the last log from this byte; -1 reads its end.
    #[serde(default)]
    log_cursor: Option<i64>,
    /// Start the prompt at this character.
    #[serde(default)]
    prompt_cursor: Option<u32>,
}

/// The task.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Told {
    id: String,
    state: &'static str,
    #[schemars(skip)]
    title: String,
    /// Why it is where it is.
    reason: String,
    /// Whatever else there is to tell.
    #[serde(flatten)]
    #[schemars(skip)]
    more: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    log: Option<LogPage>,
}

#[derive(Debug, Serialize)]
struct LogPage {
    text: String,
    next_cursor: u64,
    end: bool,
}

impl Render for Told {
    fn text(&self) -> String {
        let mut out = format!(
            "{} {}: {}\n{}",
            self.id, self.state, self.title, self.reason
        );
        out.push_str(&lines(&self.more));
        if let Some(log) = &self.log {
            out.push_str(&format!("\n--- log ---\n{}", log.text));
            if !log.end {
                out.push_str(&format!(
                    "\n--- goes on at log_cursor {} ---",
                    log.next_cursor
                ));
            }
        }
        out
    }

    fn links(&self) -> Vec<Link> {
        if !self.more.contains_key("left_out") {
            return Vec::new();
        }
        vec![Link {
            uri: format!("callboard://task/{}", self.id),
            name: "task".to_owned(),
            description: "All of it".to_owned(),
            mime: "application/json",
        }]
    }
}

impl Tool<Assigner> for TaskGet {
    const NAME: &'static str = "task_get";
    const TITLE: &'static str = "Look at a task";
    const DESCRIPTION: &'static str =
        "Tells everything about one task: why it waits, dependencies, attempts, result, log.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;
    type Params = Params;
    type Output = Told;

    async fn call(board: Arc<Assigner>, params: Params, _: CallContext) -> Result<Told, ToolError> {
        let id = String::from(params.id);
        let from = params.log_cursor.map(log_from).transpose()?;
        let seen = board.look(|c, now| Seen::read(c, now, &id))?;
        let log = match from {
            Some(from) => Some(read_log(&seen, from).await?),
            None => None,
        };
        Ok(Told {
            more: seen.more(params.prompt_cursor.unwrap_or(0)),
            id: seen.task.id,
            state: seen.task.state.as_str(),
            title: seen.task.title,
            reason: seen.reason,
            log,
        })
    }
}

fn log_from(cursor: i64) -> Result<From, ToolError> {
    match u64::try_from(cursor) {
        Ok(byte) => Ok(From::Byte(byte)),
        Err(_) if cursor == -1 => Ok(From::End),
        Err(_) => Err(ToolError::invalid(format!(
            "log_cursor: is {cursor}, which is no byte position"
        ))
        .hint("0 is the start, -1 the end, and next_cursor of a page goes on")),
    }
}

async fn read_log(seen: &Seen, from: From) -> Result<LogPage, ToolError> {
    let (_, path) = logs::logged(&seen.attempts).ok_or_else(|| logs::none(&seen.task.id))?;
    let LogChunk {
        text,
        next_cursor,
        end,
        ..
    } = logs::page(path, from, LOG_BYTES).await?;
    Ok(LogPage {
        text,
        next_cursor,
        end,
    })
}

/// A task and what stands around it, in one snapshot.
struct Seen {
    task: Task,
    reason: String,
    needs: Vec<String>,
    needed_by: Vec<String>,
    attempts: Vec<Attempt>,
}

impl Seen {
    fn read(
        c: &mut dyn callboard_store::Conn,
        now: i64,
        id: &str,
    ) -> Result<Self, scheduling::SchedulingError> {
        let task = scheduling::task_get(c, id)?;
        let (needs, needed_by) = scheduling::task_links(c, id)?;
        let reason = match callboard_models::task_stop(c, now, &task)? {
            Some(stop) => format!("ready, but not handed out: {}", stop.why),
            None => scheduling::reason_of(c, now, &task)?,
        };
        Ok(Seen {
            reason,
            attempts: scheduling::attempts_of(c, id)?,
            task,
            needs,
            needed_by,
        })
    }

    fn more(&self, prompt_cursor: u32) -> Map<String, Value> {
        let task = &self.task;
        let mut facts = Facts::default();
        let prompt = page(&task.prompt, prompt_cursor, PROMPT_CHARS);
        facts
            .add("prompt", prompt.text)
            .add("prompt_next", prompt.next)
            .add("queue", task.queue.as_str())
            .add("priority", task.priority)
            .add("kind", task.kind.as_str())
            .add("project", task.project.as_deref())
            .add("branch", task.branch.as_deref())
            .add("working_dir", task.working_dir.as_deref())
            .add("tags", task.tags.clone())
            .add("depends_on", first(&self.needs))
            .add("needed_by", first(&self.needed_by));
        self.state_facts(&mut facts);
        facts
            .add("max_retries", task.max_retries)
            .add("failures", Some(task.failures).filter(|count| *count > 0))
            .add(
                "interruptions",
                Some(task.interruptions).filter(|count| *count > 0),
            )
            .add("timeout_s", task.timeout_ms.map(|ms| ms / 1000))
            .time("created", Some(task.created_at))
            .time("archived", task.archived_at);
        let latest = self.attempts.len().saturating_sub(ATTEMPTS);
        let attempts: Vec<Value> = self.attempts[latest..].iter().map(attempt).collect();
        facts.add("attempts", attempts);
        self.weighty(&mut facts, latest);
        facts.done()
    }

    /// What belongs to the state that it is in.
    fn state_facts(&self, facts: &mut Facts) {
        let task = &self.task;
        match task.state {
            State::Scheduled | State::Waiting => {
                facts.time("due", task.due_at);
            }
            State::Running => {
                facts
                    .add("worker", task.worker.as_deref())
                    .add("progress", task.progress.as_deref())
                    .add("fence", task.fence)
                    .time("lease_until", task.lease_until);
            }
            _ => {
                facts.time("finished", task.finished_at);
            }
        }
    }

    /// What may be long: shown when it is short, named when it is left out.
    fn weighty(&self, facts: &mut Facts, attempts_before: usize) {
        let mut left_out = Vec::new();
        let task = &self.task;
        let env = serde_json::to_value(&task.env).unwrap_or_default();
        for (name, value) in [
            ("result", task.result.clone().unwrap_or_default()),
            ("metadata", task.metadata.clone()),
            ("env", env),
        ] {
            if value.to_string().len() <= JSON_BYTES {
                facts.add(name, value);
            } else {
                left_out.push(name.to_owned());
            }
        }
        if attempts_before > 0 {
            left_out.push(format!("{attempts_before} earlier attempts"));
        }
        facts.add("left_out", left_out);
    }
}

/// Ids of neighbours; a task with more has its list in the resource.
fn first(ids: &[String]) -> Vec<String> {
    let mut shown: Vec<String> = ids.iter().take(30).cloned().collect();
    if ids.len() > shown.len() {
        shown.push(format!("and {} more", ids.len() - shown.len()));
    }
    shown
}

fn attempt(attempt: &Attempt) -> Value {
    let mut facts = Facts::default();
    let known = &attempt.facts;
    facts
        .add("number", attempt.number)
        .add("outcome", attempt.outcome.as_str())
        .add("worker", attempt.worker.as_str())
        .time("started", Some(attempt.started_at))
        .add(
            "took",
            attempt.ended_at.map(|end| span(end - attempt.started_at)),
        )
        .add(
            "error",
            attempt
                .error
                .as_deref()
                .map(|error| clip(error, ERROR_CHARS).into_owned()),
        )
        .add("step", known.step.as_deref())
        .add("branch", known.branch.as_deref())
        .add("commit", known.commit.as_deref())
        .add("merge", known.merge.as_deref())
        .add("pr", known.pr.as_deref())
        .add("kept", known.kept.as_deref())
        .add("tests", known.tests.as_deref())
        .add(
            "diff",
            known
                .diff
                .map(|(files, plus, minus)| format!("{files} files, +{plus} -{minus}")),
        )
        .add(
            "summary",
            known
                .summary
                .as_deref()
                .map(|said| clip(said, ERROR_CHARS).into_owned()),
        )
        .add("log", known.log.as_deref());
    Value::Object(facts.done())
}

/// The fields of a task that are times.
const TIMES: [&str; 7] = [
    "lease_until",
    "due_at",
    "created_at",
    "updated_at",
    "started_at",
    "finished_at",
    "archived_at",
];

/// Everything, uncut, for the resource.
pub(crate) fn whole(
    c: &mut dyn callboard_store::Conn,
    now: i64,
    id: &str,
) -> Result<Value, scheduling::SchedulingError> {
    let seen = Seen::read(c, now, id)?;
    let attempts = seen.attempts.iter().map(|one| {
        let mut told = attempt(one);
        told["id"] = json!(one.id);
        told["error"] = json!(one.error);
        told["summary"] = json!(one.facts.summary);
        told["ended"] = json!(one.ended_at.map(time));
        told
    });
    let mut task = serde_json::to_value(&seen.task).unwrap_or_default();
    for name in TIMES {
        if let Some(ms) = task[name].as_i64() {
            task[name] = json!(time(ms));
        }
    }
    Ok(json!({
        "task": task,
        "reason": seen.reason,
        "depends_on": seen.needs,
        "needed_by": seen.needed_by,
        "attempts": attempts.collect::<Vec<_>>(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_a_byte_or_the_end() {
        assert_eq!(log_from(0).unwrap(), From::Byte(0));
        assert_eq!(log_from(-1).unwrap(), From::End);
        assert!(log_from(-2).unwrap_err().message.contains("is -2"));
    }

    #[test]
    fn many_neighbours_are_counted() {
        let ids: Vec<String> = (0..40).map(|n| n.to_string()).collect();
        let shown = first(&ids);
        assert_eq!((shown.len(), shown[30].as_str()), (31, "and 10 more"));
        assert_eq!(first(&ids[..30]).len(), 30);
    }
}
