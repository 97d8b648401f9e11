//! Who did what, why and from where: rows that are only ever added.
//!
//! For: one row for each change on the board, written in the transaction that makes the change, so that
//! there is never one without the other; and reading them back. Not for: what was written (titles, prompts,
//! results and secrets stay out), or calls that changed nothing (the call log has those).
//!
//! The rows' numbers have no gaps: what is rolled back takes its row along. Every field is plain text or a
//! whole number and a row's JSON has its keys in the order they were given, so that a later hash over the
//! rows needs nothing else.

mod refusals;
mod vault;

use std::fmt::Write as _;

use callboard_store::{Conn, Migration, Row, StoreError, Value, params};

pub use refusals::{Refusal, Refusals};
pub use vault::vault_witness;

/// The audit's tables, oldest first. A published one is never edited.
pub const MIGRATIONS: &[Migration] = &[Migration {
    component: "audit",
    version: 1,
    sql: "
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    verb TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    name TEXT NOT NULL,
    token TEXT,
    client TEXT,
    agent TEXT,
    via TEXT NOT NULL,
    address TEXT,
    action TEXT NOT NULL,
    request TEXT
) STRICT;
CREATE INDEX audit_subject ON audit (subject, seq);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only: rows are never changed'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only: rows are never removed'); END;
-- REPLACE removes a row without asking the trigger above.
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit
WHEN NEW.seq > 0 AND NEW.seq <= (SELECT max(seq) FROM audit)
BEGIN SELECT RAISE(ABORT, 'the audit is append-only: rows are never replaced'); END;
",
}];

/// Writes a row: at `now`, whoever asked for this operation did `verb` to `subject`. `detail` is small, and
/// holds neither content nor secrets.
///
/// # Errors
/// Only when the store fails; then the operation must fail too.
pub fn audit_add(
    c: &mut dyn Conn,
    now: i64,
    verb: &str,
    subject: &str,
    detail: &[(&str, Value<'_>)],
) -> Result<(), StoreError> {
    audit_add_for(c, now, None, verb, subject, detail)
}

/// As [`audit_add`], where what is changed says for which agent it is done, should whoever asks not have said so.
///
/// # Errors
/// As [`audit_add`].
pub fn audit_add_for(
    c: &mut dyn Conn,
    now: i64,
    agent: Option<&str>,
    verb: &str,
    subject: &str,
    detail: &[(&str, Value<'_>)],
) -> Result<(), StoreError> {
    let actor = c.actor();
    let agent = actor.agent.as_deref().or(agent);
    let detail = object(detail);
    c.execute(
        "INSERT INTO audit (at, verb, subject, detail, name, token, client, agent, via, address, action, request)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            now,
            verb,
            subject,
            &detail,
            &actor.name,
            actor.token.as_deref(),
            actor.client.as_deref(),
            agent,
            actor.via,
            actor.from.as_deref(),
            &actor.action,
            actor.request.as_deref(),
        ],
    )?;
    Ok(())
}

/// A JSON object of plain values; what is NULL is left out.
fn object(pairs: &[(&str, Value<'_>)]) -> String {
    let mut out = String::from("{");
    for (key, value) in pairs {
        if *value == Value::Null {
            continue;
        }
        if out.len() > 1 {
            out.push(',');
        }
        quoted(&mut out, key);
        out.push(':');
        let _ = match value {
            Value::Int(number) => write!(out, "{number}"),
            Value::Text(text) => {
                quoted(&mut out, text);
                Ok(())
            }
            // Neither has one canonical spelling; nothing audited needs them.
            Value::Real(_) | Value::Blob(_) | Value::Null => write!(out, "null"),
        };
    }
    out.push('}');
    out
}

fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number, without gaps.
    pub seq: i64,
    /// When, ms since 1970 UTC.
    pub at: i64,
    /// What was done.
    pub verb: String,
    /// To what: an id, a name, or empty.
    pub subject: String,
    /// More, as a JSON object.
    pub detail: String,
    /// Who: the token's or the user's name, or that of the part of the program.
    pub name: String,
    /// The token's public id.
    pub token: Option<String>,
    /// The client, as it introduced itself.
    pub client: Option<String>,
    /// The agent on whose behalf it was done.
    pub agent: Option<String>,
    /// How it came in.
    pub via: String,
    /// The address it came from.
    pub address: Option<String>,
    /// Why: the tool, command or duty.
    pub action: String,
    /// The request's id.
    pub request: Option<String>,
}

/// Which rows to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Not before this time, ms since 1970 UTC.
    pub since: Option<i64>,
    /// Only about this subject.
    pub subject: Option<String>,
    /// Only by this name or token id, or for this agent.
    pub who: Option<String>,
}

/// The latest `limit` rows that fit, oldest of them first.
///
/// # Errors
/// Only when the store fails.
pub fn audit_list(
    c: &mut dyn Conn,
    filter: &AuditFilter,
    limit: u32,
) -> Result<Vec<AuditRow>, StoreError> {
    // The time is not indexed: rows are added in its order, so the walk from the end stops at the limit.
    let mut rows = c.query(
        "SELECT seq, at, verb, subject, detail, name, token, client, agent, via, address, action, request
         FROM audit
         WHERE (?1 IS NULL OR at >= ?1) AND (?2 IS NULL OR subject = ?2) AND (?3 IS NULL OR name = ?3 OR token = ?3 OR agent = ?3)
         ORDER BY seq DESC LIMIT ?4",
        params![filter.since, filter.subject.as_deref(), filter.who.as_deref(), limit],
        audit_row,
    )?;
    rows.reverse();
    Ok(rows)
}

fn audit_row(row: &dyn Row) -> Result<AuditRow, StoreError> {
    Ok(AuditRow {
        seq: row.int(0)?,
        at: row.int(1)?,
        verb: row.text(2)?,
        subject: row.text(3)?,
        detail: row.text(4)?,
        name: row.text(5)?,
        token: row.opt_text(6)?,
        client: row.opt_text(7)?,
        agent: row.opt_text(8)?,
        via: row.text(9)?,
        address: row.opt_text(10)?,
        action: row.text(11)?,
        request: row.opt_text(12)?,
    })
}

#[cfg(test)]
mod tests;
