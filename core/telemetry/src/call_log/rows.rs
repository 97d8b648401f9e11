//! Rows of calls of tools.
//! For: writing and reading one. Not for: batches.

use std::borrow::Cow;

use callboard_store::{Conn, Row, StoreError, params};

use super::{CallRow, Outcome};

pub(super) fn insert_call(conn: &mut dyn Conn, row: &CallRow) -> Result<(), StoreError> {
    conn.execute(
        "INSERT INTO call (at_ms, server, tool, outcome, error_kind, duration_us, request_bytes,
                           response_bytes, trace, agent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            row.at_ms,
            &*row.server,
            &*row.tool,
            row.outcome.as_str(),
            row.error_kind.as_deref(),
            to_column(row.duration_us),
            to_column(row.request_bytes),
            to_column(row.response_bytes),
            row.trace.as_deref(),
            row.agent.as_deref(),
        ],
    )?;
    Ok(())
}

pub(super) fn insert_drop(conn: &mut dyn Conn, at_ms: i64, dropped: u64) -> Result<(), StoreError> {
    conn.execute(
        "INSERT INTO call_drop (at_ms, dropped) VALUES (?1, ?2)",
        params![at_ms, to_column(dropped)],
    )?;
    Ok(())
}

/// The columns in the order in which [`call_row`] reads them.
pub(crate) const CALL_COLUMNS: &str = "at_ms, server, tool, outcome, error_kind, duration_us, request_bytes, response_bytes, trace, agent";

pub(crate) fn call_row(row: &dyn Row) -> Result<CallRow, StoreError> {
    Ok(CallRow {
        at_ms: row.int(0)?,
        server: row.text(1)?.into(),
        tool: row.text(2)?.into(),
        outcome: Outcome::parse(&row.text(3)?)?,
        error_kind: row.opt_text(4)?.map(Cow::from),
        duration_us: row.int(5)?.unsigned_abs(),
        request_bytes: row.int(6)?.unsigned_abs(),
        response_bytes: row.int(7)?.unsigned_abs(),
        trace: row.opt_text(8)?,
        agent: row.opt_text(9)?,
    })
}

fn to_column(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
