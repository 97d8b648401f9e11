//! Questions that no client could put to its user: kept on the board until a person answers them.
//!
//! For: their rows, bounded in number and age, and each reply used once. Not for: who is asked how (see
//! `ask`), or printing them.

use callboard_store::{Conn, Row, StoreError, params};
use callboard_telemetry::audit::audit_add;
use rmcp::model::JsonObject;
use serde::Serialize;
use serde_json::{Value, json};

use crate::Reply;
use crate::question::{fit, in_words, typed};

/// How many may wait for a person at once, of all callers.
const MAX_OPEN: i64 = 200;
/// How many of one caller.
const MAX_OF_ONE: i64 = 40;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// How long a question waits for its answer.
const OPEN_MS: i64 = 7 * DAY_MS;
/// How long an answer waits to be used.
const ANSWERED_MS: i64 = DAY_MS;

const OPEN: &str = "open";
const ACCEPTED: &str = "accepted";
const DECLINED: &str = "declined";
/// Taken by a call that has not ended yet.
const TAKEN: &str = "taken";

/// A question on the board.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredQuestion {
    /// What `callboard answer` takes.
    pub id: String,
    /// The server that asks.
    pub server: String,
    /// The tool, prompt or resource that asks.
    pub tool: String,
    /// Who called it.
    pub caller: String,
    /// What it is about.
    pub message: String,
    /// The JSON schema of the answer.
    pub form: JsonObject,
    /// `open`, `accepted` or `declined`; `taken` while a call uses it.
    pub state: String,
    /// When it was asked, ms since 1970 UTC.
    pub asked_at: i64,
    /// When it is forgotten, ms since 1970 UTC.
    pub expires_at: i64,
}

impl StoredQuestion {
    /// Its fields, each with what fits it.
    #[must_use]
    pub fn fields(&self) -> Vec<(String, String)> {
        let properties = self.form.get("properties").and_then(Value::as_object);
        let fields = properties.into_iter().flatten();
        fields
            .filter_map(|(name, field)| Some((name.clone(), in_words(field.as_object()?))))
            .collect()
    }

    /// What to type to answer it.
    #[must_use]
    pub fn command(&self) -> String {
        match self.fields().as_slice() {
            [(_, words)] if words == "yes or no" => format!("callboard answer {} yes|no", self.id),
            [_] => format!("callboard answer {} VALUE", self.id),
            fields => {
                let flags = fields.iter().map(|(name, _)| format!(" --field {name}=…"));
                format!("callboard answer {}{}", self.id, flags.collect::<String>())
            }
        }
    }
}

/// What a person answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The value of the only field, as typed.
    Value(String),
    /// Names and values of fields, as typed.
    Fields(Vec<(String, String)>),
    /// No to the question as such.
    Decline,
}

/// Why a question was not answered or asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QuestionError {
    /// There is none of that id, or it is too old.
    #[error("there is no question {id}; `callboard questions` lists those that wait")]
    NotFound {
        /// The id that was given.
        id: String,
    },
    /// Somebody was first.
    #[error(
        "question {id} is answered already ({state}); the call that asked it goes on when it is made again"
    )]
    Answered {
        /// Its id.
        id: String,
        /// How.
        state: String,
    },
    /// The answer does not fit.
    #[error("{why}; nothing was recorded")]
    Unfit {
        /// What does not fit, and what would.
        why: String,
    },
    /// Too many wait already.
    #[error(
        "{count} questions wait for a person already; answer some: `callboard questions` lists them"
    )]
    TooMany {
        /// How many.
        count: i64,
    },
    /// The board failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a question belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) digest: String,
    pub(crate) key: String,
    pub(crate) server: String,
    pub(crate) tool: String,
    pub(crate) owner: String,
    pub(crate) caller: String,
    pub(crate) message: String,
    pub(crate) form: JsonObject,
}

impl Asked {
    fn form_text(&self) -> String {
        Value::Object(self.form.clone()).to_string()
    }
}

const COLUMNS: &str = "id, server, tool, caller, message, form, state, asked_at, expires_at";

fn question_from(row: &dyn Row) -> Result<StoredQuestion, StoreError> {
    let form = row.text(5)?;
    Ok(StoredQuestion {
        id: row.text(0)?,
        server: row.text(1)?,
        tool: row.text(2)?,
        caller: row.text(3)?,
        message: row.text(4)?,
        form: serde_json::from_str(&form).map_err(|error| StoreError::Row(error.to_string()))?,
        state: row.text(6)?,
        asked_at: row.int(7)?,
        expires_at: row.int(8)?,
    })
}

/// The questions that wait for an answer, the oldest first; with `all`, also those whose answer waits to be
/// used.
///
/// # Errors
/// Only when the store fails.
pub fn question_list(
    c: &mut dyn Conn,
    now: i64,
    all: bool,
) -> Result<Vec<StoredQuestion>, QuestionError> {
    Ok(c.query(
        &format!(
            "SELECT {COLUMNS} FROM mcp_questions
             WHERE expires_at > ?1 AND (?2 OR state = 'open') ORDER BY asked_at, id"
        ),
        params![now, all],
        question_from,
    )?)
}

/// Answers a question.
///
/// # Errors
/// [`QuestionError::NotFound`], [`QuestionError::Answered`], [`QuestionError::Unfit`], or the store's.
pub fn question_answer(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    verdict: &Verdict,
) -> Result<StoredQuestion, QuestionError> {
    let found = c.query_one(
        &format!("SELECT {COLUMNS} FROM mcp_questions WHERE id = ?1 AND expires_at > ?2"),
        params![id, now],
        question_from,
    )?;
    let mut question = found.ok_or_else(|| QuestionError::NotFound { id: id.to_owned() })?;
    if question.state != OPEN {
        return Err(QuestionError::Answered {
            id: question.id,
            state: question.state,
        });
    }
    let content = content(&question, verdict).map_err(|why| QuestionError::Unfit { why })?;
    let state = content.as_ref().map_or(DECLINED, |_| ACCEPTED);
    let content = content.map(|content| Value::Object(content).to_string());
    c.execute(
        "UPDATE mcp_questions SET state = ?2, content = ?3, answered_at = ?4, expires_at = ?5
         WHERE id = ?1 AND state = 'open'",
        params![id, state, content.as_ref(), now, now + ANSWERED_MS],
    )?;
    let detail = [
        ("server", question.server.as_str().into()),
        ("tool", question.tool.as_str().into()),
        ("reply", state.into()),
    ];
    audit_add(c, now, "question_answer", id, &detail)?;
    state.clone_into(&mut question.state);
    question.expires_at = now + ANSWERED_MS;
    Ok(question)
}

/// The values of an answer, checked; nothing for a no.
fn content(question: &StoredQuestion, verdict: &Verdict) -> Result<Option<JsonObject>, String> {
    let named = match verdict {
        Verdict::Decline => return Ok(None),
        Verdict::Fields(fields) => fields.clone(),
        Verdict::Value(value) => match question.fields().as_slice() {
            [(only, _)] => vec![(only.clone(), value.clone())],
            fields => {
                let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
                return Err(format!(
                    "it has {} fields ({}); give each with --field NAME=VALUE",
                    names.len(),
                    names.join(", ")
                ));
            }
        },
    };
    let properties = question.form.get("properties").and_then(Value::as_object);
    let mut values = JsonObject::new();
    for (name, text) in named {
        let field = properties.and_then(|properties| properties.get(&name)?.as_object());
        let Some(field) = field else {
            let known: Vec<String> = question.fields().into_iter().map(|field| field.0).collect();
            return Err(format!(
                "it has no field {name:?}; its fields: {}",
                known.join(", ")
            ));
        };
        let value = typed(field, &text).map_err(|why| format!("{name}: {why}"))?;
        if values.insert(name.clone(), value).is_some() {
            return Err(format!("{name}: is given twice"));
        }
    }
    fit(&question.form, &Value::Object(values)).map(Some)
}

/// The waiting reply to what is asked, taken so that no other call gets it. One to another question (the
/// form has changed since) is forgotten.
pub(crate) fn reply_take(
    c: &mut dyn Conn,
    now: i64,
    asked: &Asked,
) -> Result<Option<(String, Reply)>, StoreError> {
    let found = c.query_one(
        "SELECT id, state, content, message, form FROM mcp_questions
         WHERE digest = ?1 AND key = ?2 AND state IN ('accepted', 'declined') AND expires_at > ?3",
        params![&asked.digest, &asked.key, now],
        |row| {
            Ok((
                row.text(0)?,
                row.text(1)?,
                row.opt_text(2)?,
                row.text(3)?,
                row.text(4)?,
            ))
        },
    )?;
    let Some((id, state, content, message, form)) = found else {
        return Ok(None);
    };
    if message != asked.message || form != asked.form_text() {
        c.execute("DELETE FROM mcp_questions WHERE id = ?1", params![&id])?;
        return Ok(None);
    }
    c.execute(
        "UPDATE mcp_questions SET state = ?2 WHERE id = ?1",
        params![&id, TAKEN],
    )?;
    let detail = [
        ("server", asked.server.as_str().into()),
        ("tool", asked.tool.as_str().into()),
        ("reply", state.as_str().into()),
    ];
    audit_add(c, now, "question_use", &id, &detail)?;
    let reply = match content {
        Some(content) if state == ACCEPTED => Reply::Accepted(
            serde_json::from_str(&content).map_err(|error| StoreError::Row(error.to_string()))?,
        ),
        _ => Reply::Declined,
    };
    Ok(Some((id, reply)))
}

/// Whether a reply waits: cheap, for a reading connection.
pub(crate) fn reply_waits(c: &mut dyn Conn, now: i64, asked: &Asked) -> Result<bool, StoreError> {
    let found = c.query_one(
        "SELECT 1 FROM mcp_questions
         WHERE digest = ?1 AND key = ?2 AND state IN ('accepted', 'declined') AND expires_at > ?3",
        params![&asked.digest, &asked.key, now],
        |row| row.int(0),
    )?;
    Ok(found.is_some())
}

/// A call has ended. Its replies are used up, or wait again when it ended by asking more.
///
/// A crash before this leaves them taken: the person is asked again, and nothing is done twice.
pub(crate) fn replies_end(c: &mut dyn Conn, ids: &[String], used: bool) -> Result<(), StoreError> {
    for id in ids {
        let sql = if used {
            "DELETE FROM mcp_questions WHERE id = ?1"
        } else {
            "UPDATE mcp_questions SET state = CASE WHEN content IS NULL THEN 'declined' ELSE 'accepted' END
             WHERE id = ?1 AND state = 'taken'"
        };
        c.execute(sql, params![id])?;
    }
    Ok(())
}

/// Keeps a question for a person. The same question of the same call keeps its id.
pub(crate) fn question_keep(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    asked: &Asked,
) -> Result<StoredQuestion, QuestionError> {
    c.execute(
        "DELETE FROM mcp_questions WHERE expires_at <= ?1",
        params![now],
    )?;
    let form = asked.form_text();
    let known = c.query_one(
        &format!("SELECT {COLUMNS} FROM mcp_questions WHERE digest = ?1 AND key = ?2 AND message = ?3 AND form = ?4 AND state = 'open'"),
        params![&asked.digest, &asked.key, &asked.message, &form],
        question_from,
    )?;
    if let Some(known) = known {
        return Ok(known);
    }
    c.execute(
        "DELETE FROM mcp_questions WHERE digest = ?1 AND key = ?2",
        params![&asked.digest, &asked.key],
    )?;
    refuse_too_many(c, &asked.owner)?;
    c.execute(
        "INSERT INTO mcp_questions (id, digest, key, server, tool, owner, caller, message, form, state, asked_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            id, &asked.digest, &asked.key, &asked.server, &asked.tool, &asked.owner, &asked.caller,
            &asked.message, &form, OPEN, now, now + OPEN_MS
        ],
    )?;
    let detail = [
        ("server", asked.server.as_str().into()),
        ("tool", asked.tool.as_str().into()),
        ("key", asked.key.as_str().into()),
    ];
    audit_add(c, now, "question_ask", id, &detail)?;
    Ok(StoredQuestion {
        id: id.to_owned(),
        server: asked.server.clone(),
        tool: asked.tool.clone(),
        caller: asked.caller.clone(),
        message: asked.message.clone(),
        form: asked.form.clone(),
        state: OPEN.to_owned(),
        asked_at: now,
        expires_at: now + OPEN_MS,
    })
}

/// Writes down that the client's user answered while the call waited.
pub(crate) fn answered_live(
    c: &mut dyn Conn,
    now: i64,
    asked: &Asked,
    reply: &str,
) -> Result<(), StoreError> {
    let detail = [
        ("server", asked.server.as_str().into()),
        ("tool", asked.tool.as_str().into()),
        ("reply", reply.into()),
    ];
    audit_add(c, now, "question_answer", &asked.key, &detail)
}

fn refuse_too_many(c: &mut dyn Conn, owner: &str) -> Result<(), QuestionError> {
    let (of_one, open) = c
        .query_one(
            "SELECT count(*) FILTER (WHERE owner = ?1), count(*) FROM mcp_questions WHERE state = 'open'",
            params![owner],
            |row| Ok((row.int(0)?, row.int(1)?)),
        )?
        .unwrap_or_default();
    if open >= MAX_OPEN || of_one >= MAX_OF_ONE {
        return Err(QuestionError::TooMany { count: open });
    }
    Ok(())
}

/// Whether the question waits for a person: cheap, for a reading connection.
pub(crate) fn question_waits(c: &mut dyn Conn, asked: &Asked) -> Result<bool, StoreError> {
    let found = c.query_one(
        "SELECT 1 FROM mcp_questions WHERE digest = ?1 AND key = ?2 AND state = 'open'",
        params![&asked.digest, &asked.key],
        |row| row.int(0),
    )?;
    Ok(found.is_some())
}

/// The question was answered elsewhere: nobody needs to look at it any more.
pub(crate) fn question_withdraw(c: &mut dyn Conn, asked: &Asked) -> Result<(), StoreError> {
    c.execute(
        "DELETE FROM mcp_questions WHERE digest = ?1 AND key = ?2 AND state = 'open'",
        params![&asked.digest, &asked.key],
    )?;
    Ok(())
}

/// As JSON for programs: with what fits each field in words.
#[must_use]
pub fn question_json(question: &StoredQuestion) -> Value {
    let mut json = json!(question);
    json["answer"] = Value::from(question.command());
    json
}
