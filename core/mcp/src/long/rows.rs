//! The rows of long calls.
//!
//! For: what must outlive the process that runs a call: whose it is, how it stands, what it asks, how it
//! ended; bounds on their number and age. Not for: running one (see `long`), or the protocol's shapes.

use std::collections::BTreeMap;

use callboard_console::ProcessId;
use callboard_store::{Conn, Row, StoreError, params};
use callboard_telemetry::audit::audit_add;
use rmcp::model::JsonObject;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// How long a call may go on, and how long its end can be asked for.
pub(crate) const KEPT_MS: i64 = 24 * 60 * 60 * 1_000;
/// How many of one caller may be at work at once.
const MAX_OPEN_OF_ONE: i64 = 32;
/// How many of one caller are kept, ended ones included.
const MAX_OF_ONE: i64 = 1_000;

/// How a long call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Working,
    /// It waits for the client's answers.
    Asking,
    Completed,
    Failed,
    Cancelled,
}

impl Standing {
    fn as_str(self) -> &'static str {
        match self {
            Standing::Working => "working",
            Standing::Asking => "input_required",
            Standing::Completed => "completed",
            Standing::Failed => "failed",
            Standing::Cancelled => "cancelled",
        }
    }

    fn parse(word: &str) -> Result<Self, StoreError> {
        Ok(match word {
            "working" => Standing::Working,
            "input_required" => Standing::Asking,
            "completed" => Standing::Completed,
            "failed" => Standing::Failed,
            "cancelled" => Standing::Cancelled,
            other => return Err(StoreError::Row(format!("no state of a call: {other:?}"))),
        })
    }

    pub(crate) fn is_open(self) -> bool {
        matches!(self, Standing::Working | Standing::Asking)
    }
}

/// One long call.
#[derive(Debug, Clone)]
pub(crate) struct LongRow {
    pub(crate) id: String,
    pub(crate) tool: String,
    pub(crate) arguments: Option<JsonObject>,
    pub(crate) standing: Standing,
    pub(crate) message: Option<String>,
    /// The requests that the client has not answered, by key.
    pub(crate) wanted: BTreeMap<String, Value>,
    /// What it has answered.
    pub(crate) replies: BTreeMap<String, Value>,
    /// The result of a completed call, the error of a failed one.
    pub(crate) ending: Option<JsonObject>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) expires_at: i64,
    /// Who runs it.
    pub(crate) process: ProcessId,
}

/// What a call that becomes a long one is written with.
#[derive(Debug, Clone)]
pub(crate) struct NewCall {
    pub(crate) id: String,
    pub(crate) server: &'static str,
    pub(crate) tool: String,
    pub(crate) arguments: Option<JsonObject>,
    pub(crate) owner: String,
    pub(crate) caller: String,
    /// What the client has answered before.
    pub(crate) replies: BTreeMap<String, Value>,
    pub(crate) process: ProcessId,
}

/// Why a call did not become a long one.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum LongError {
    #[error("{0} long calls of this caller are at work already")]
    TooManyAtWork(i64),
    #[error("{0} long calls of this caller are kept already")]
    TooManyKept(i64),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Row(error.to_string()))
}

fn text<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Row(error.to_string()))
}

fn row_of(row: &dyn Row) -> Result<LongRow, StoreError> {
    let ending = row.opt_text(7)?;
    Ok(LongRow {
        id: row.text(0)?,
        tool: row.text(1)?,
        arguments: json(&row.text(2)?)?,
        standing: Standing::parse(&row.text(3)?)?,
        message: row.opt_text(4)?,
        wanted: json(&row.text(5)?)?,
        replies: json(&row.text(6)?)?,
        ending: ending.as_deref().map(json).transpose()?,
        created_at: row.int(8)?,
        updated_at: row.int(9)?,
        expires_at: row.int(10)?,
        process: ProcessId {
            pid: u32::try_from(row.int(11)?).unwrap_or(0),
            start_ticks: u64::try_from(row.int(12)?).unwrap_or(0),
        },
    })
}

fn start_of(process: ProcessId) -> i64 {
    i64::try_from(process.start_ticks).unwrap_or(i64::MAX)
}

/// Writes a call that goes on, and forgets those whose time is over.
pub(crate) fn begin(c: &mut dyn Conn, now: i64, new: &NewCall) -> Result<LongRow, LongError> {
    c.execute("DELETE FROM mcp_calls WHERE expires_at <= ?1", params![now])?;
    let (open, all) = c
        .query_one(
            "SELECT count(*) FILTER (WHERE state IN ('working', 'input_required')), count(*) FROM mcp_calls WHERE owner = ?1",
            params![&new.owner],
            |row| Ok((row.int(0)?, row.int(1)?)),
        )?
        .unwrap_or_default();
    if open >= MAX_OPEN_OF_ONE {
        return Err(LongError::TooManyAtWork(open));
    }
    if all >= MAX_OF_ONE {
        return Err(LongError::TooManyKept(all));
    }
    c.execute(
        "INSERT INTO mcp_calls (id, server, tool, arguments, owner, caller, client, state, wanted, replies, created_at, updated_at, expires_at, pid, pid_start)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, '', 'working', '{}', ?7, ?8, ?8, ?9, ?10, ?11)",
        params![
            &new.id, new.server, &new.tool, &text(&new.arguments)?, &new.owner, &new.caller,
            &text(&new.replies)?, now, now + KEPT_MS, new.process.pid, start_of(new.process)
        ],
    )?;
    let detail = [
        ("server", new.server.into()),
        ("tool", new.tool.as_str().into()),
    ];
    audit_add(c, now, "call_begin", &new.id, &detail)?;
    Ok(LongRow {
        id: new.id.clone(),
        tool: new.tool.clone(),
        arguments: new.arguments.clone(),
        standing: Standing::Working,
        message: None,
        wanted: BTreeMap::new(),
        replies: new.replies.clone(),
        ending: None,
        created_at: now,
        updated_at: now,
        expires_at: now + KEPT_MS,
        process: new.process,
    })
}

/// The call of that id, if it is this caller's and its time is not over.
pub(crate) fn find(
    c: &mut dyn Conn,
    now: i64,
    server: &str,
    owner: &str,
    id: &str,
) -> Result<Option<LongRow>, StoreError> {
    c.query_one(
        "SELECT id, tool, arguments, state, message, wanted, replies, ending, created_at, updated_at, expires_at, pid, pid_start
         FROM mcp_calls WHERE id = ?1 AND server = ?2 AND owner = ?3 AND expires_at > ?4",
        params![id, server, owner, now],
        row_of,
    )
}

/// What a running call looks at.
pub(crate) struct Look {
    pub(crate) standing: Standing,
    wanted: BTreeMap<String, Value>,
    pub(crate) replies: BTreeMap<String, Value>,
}

/// How a call stands, what it waits for, what was answered.
pub(crate) fn look(c: &mut dyn Conn, id: &str) -> Result<Option<Look>, StoreError> {
    c.query_one(
        "SELECT state, wanted, replies FROM mcp_calls WHERE id = ?1",
        params![id],
        |row| {
            Ok(Look {
                standing: Standing::parse(&row.text(0)?)?,
                wanted: json(&row.text(1)?)?,
                replies: json(&row.text(2)?)?,
            })
        },
    )
}

fn put(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    wanted: &BTreeMap<String, Value>,
    replies: &BTreeMap<String, Value>,
) -> Result<(), StoreError> {
    let standing = if wanted.is_empty() {
        Standing::Working
    } else {
        Standing::Asking
    };
    c.execute(
        "UPDATE mcp_calls SET state = ?2, wanted = ?3, replies = ?4, updated_at = ?5
         WHERE id = ?1 AND state IN ('working', 'input_required')",
        params![id, standing.as_str(), &text(wanted)?, &text(replies)?, now],
    )?;
    Ok(())
}

/// Asks the client something, unless it has answered that.
pub(crate) fn want(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    key: &str,
    request: &Value,
) -> Result<(), StoreError> {
    let Some(mut seen) = look(c, id)? else {
        return Ok(());
    };
    if seen.replies.contains_key(key) {
        return Ok(());
    }
    seen.wanted.insert(key.to_owned(), request.clone());
    put(c, now, id, &seen.wanted, &seen.replies)
}

/// Takes in the client's answers to what is asked; others are ignored, as the protocol wants it.
pub(crate) fn answer(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    answers: &BTreeMap<String, Value>,
) -> Result<(), StoreError> {
    let Some(mut seen) = look(c, id)? else {
        return Ok(());
    };
    for (key, value) in answers {
        if seen.wanted.remove(key).is_some() {
            seen.replies.insert(key.clone(), value.clone());
            let action = value.get("action").and_then(Value::as_str);
            let detail = [("key", key.as_str().into()), ("reply", action.into())];
            audit_add(c, now, "question_answer", id, &detail)?;
        }
    }
    put(c, now, id, &seen.wanted, &seen.replies)
}

/// How far it is, in words.
pub(crate) fn say(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    message: &str,
) -> Result<usize, StoreError> {
    c.execute(
        "UPDATE mcp_calls SET message = ?2, updated_at = ?3
         WHERE id = ?1 AND state IN ('working', 'input_required')",
        params![id, message, now],
    )
}

/// Ends a call that is open and run by `process`; only the first end counts.
pub(crate) fn end(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    process: ProcessId,
    standing: Standing,
    ending: Option<&JsonObject>,
) -> Result<bool, StoreError> {
    let ending = ending.map(text).transpose()?;
    let changed = c.execute(
        "UPDATE mcp_calls SET state = ?2, ending = ?3, updated_at = ?4, expires_at = ?5, wanted = '{}', replies = '{}', pid = 0, pid_start = 0
         WHERE id = ?1 AND state IN ('working', 'input_required') AND pid = ?6 AND pid_start = ?7",
        params![
            id, standing.as_str(), ending.as_ref(), now, now + KEPT_MS, process.pid, start_of(process)
        ],
    )?;
    if changed > 0 {
        audit_add(c, now, "call_end", id, &[("to", standing.as_str().into())])?;
    }
    Ok(changed > 0)
}

/// Somebody wants a call to stop that may yet end otherwise.
pub(crate) fn stop(c: &mut dyn Conn, now: i64, id: &str) -> Result<(), StoreError> {
    audit_add(c, now, "call_cancel", id, &[])
}

/// Makes `to` the runner of a call whose runner is gone; false if somebody was first.
pub(crate) fn adopt(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    from: ProcessId,
    to: ProcessId,
) -> Result<bool, StoreError> {
    let changed = c.execute(
        "UPDATE mcp_calls SET pid = ?4, pid_start = ?5, state = 'working', wanted = '{}', updated_at = ?6
         WHERE id = ?1 AND state IN ('working', 'input_required') AND pid = ?2 AND pid_start = ?3",
        params![id, from.pid, start_of(from), to.pid, start_of(to), now],
    )?;
    if changed > 0 {
        audit_add(c, now, "call_adopt", id, &[])?;
    }
    Ok(changed > 0)
}
