//! [`Conn`] over a rusqlite connection inside a transaction.
//!
//! For: binding and reading values without copies of ours, on cached statements, and noticing when the
//! engine has dropped the transaction. Not for: beginning or ending transactions.

use rusqlite::ffi::ErrorCode;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ToSql};

use std::sync::Arc;

use super::connect::BUSY_LIMIT;
use crate::actor::{self, Actor};
use crate::{Conn, Row, StoreError, Value};

/// A connection as an operation sees it.
pub(super) struct SqliteConn<'c> {
    db: &'c Connection,
    /// Set when an error made SQLite roll back everything (a full disk, an I/O error). Statements after
    /// that would commit on their own, so they are refused.
    lost: Option<StoreError>,
    actor: Option<Arc<Actor>>,
}

impl<'c> SqliteConn<'c> {
    /// For an operation that only reads: who asks does not matter.
    pub(super) fn new(db: &'c Connection) -> Self {
        Self {
            db,
            lost: None,
            actor: None,
        }
    }

    /// For an operation that `actor` asked for.
    pub(super) fn of(db: &'c Connection, actor: Arc<Actor>) -> Self {
        Self {
            actor: Some(actor),
            ..Self::new(db)
        }
    }

    /// Why the transaction is gone, if it is.
    pub(super) fn lost(self) -> Option<StoreError> {
        self.lost
    }

    fn prepare(&self, sql: &str, params: &[Value<'_>]) -> Result<CachedStatement<'c>, StoreError> {
        if let Some(lost) = &self.lost {
            return Err(lost.clone());
        }
        refuse_control(sql)?;
        let mut statement = self.db.prepare_cached(sql).map_err(engine_error)?;
        let wanted = statement.parameter_count();
        if wanted != params.len() {
            let given = params.len();
            return Err(StoreError::Engine(format!(
                "{given} values for {wanted} parameters in: {sql}"
            )));
        }
        for (index, value) in params.iter().enumerate() {
            statement
                .raw_bind_parameter(index + 1, Bound(*value))
                .map_err(engine_error)?;
        }
        Ok(statement)
    }

    fn failed(&mut self, error: rusqlite::Error) -> StoreError {
        let error = engine_error(error);
        if self.db.is_autocommit() {
            self.lost = Some(error.clone());
        }
        error
    }
}

impl Conn for SqliteConn<'_> {
    fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<usize, StoreError> {
        let result = self.prepare(sql, params)?.raw_execute();
        result.map_err(|error| self.failed(error))
    }

    fn for_each(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self.prepare(sql, params)?;
        let mut rows = statement.raw_query();
        loop {
            match rows.next() {
                Ok(Some(row)) => each(&SqliteRow(row))?,
                Ok(None) => return Ok(()),
                Err(error) => {
                    drop(rows);
                    return Err(self.failed(error));
                }
            }
        }
    }

    fn actor(&self) -> Arc<Actor> {
        self.actor.clone().unwrap_or_else(actor::nobody)
    }
}

struct SqliteRow<'r, 's>(&'r rusqlite::Row<'s>);

impl Row for SqliteRow<'_, '_> {
    fn value(&self, index: usize) -> Result<Value<'_>, StoreError> {
        let column = self.0.get_ref(index).map_err(|_| {
            StoreError::Row(format!(
                "column {index} was read, the statement yields fewer"
            ))
        })?;
        Ok(match column {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(value) => Value::Int(value),
            ValueRef::Real(value) => Value::Real(value),
            ValueRef::Text(bytes) => {
                Value::Text(std::str::from_utf8(bytes).map_err(|_| {
                    StoreError::Row(format!("column {index}: the text is not UTF-8"))
                })?)
            }
            ValueRef::Blob(bytes) => Value::Blob(bytes),
        })
    }
}

struct Bound<'a>(Value<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(value) => ValueRef::Integer(value),
            Value::Real(value) => ValueRef::Real(value),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Statements that would end or change the transaction that an operation shares with others.
fn refuse_control(sql: &str) -> Result<(), StoreError> {
    const REFUSED: [&str; 10] = [
        "begin",
        "commit",
        "end",
        "rollback",
        "savepoint",
        "release",
        "pragma",
        "attach",
        "detach",
        "vacuum",
    ];
    let sql = sql.trim_start();
    let length = sql.bytes().take_while(u8::is_ascii_alphabetic).count();
    let word = &sql[..length];
    if REFUSED
        .iter()
        .any(|refused| refused.eq_ignore_ascii_case(word))
    {
        return Err(StoreError::Engine(format!(
            "{word} does not belong in an operation: the store begins and ends transactions"
        )));
    }
    Ok(())
}

/// The engine's error in the store's words.
pub(super) fn engine_error(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::FileLockingProtocolFailed) => StoreError::Busy { waited: BUSY_LIMIT },
        Some(ErrorCode::DiskFull) => StoreError::Full,
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly(
            "an operation passed to `read` tried to change data (pass it to `write`), or the board's file \
             may not be written (check its permissions)"
                .to_owned(),
        ),
        Some(ErrorCode::ConstraintViolation) => StoreError::Constraint(error.to_string()),
        _ => StoreError::Engine(error.to_string()),
    }
}
