//! The connection that operations are written against.
//!
//! An operation is a synchronous closure over `&mut dyn Conn`. It never learns which engine runs it,
//! never sees a clock, and never awaits: the same closure can be run again after a serialisation
//! failure, or on another engine.

use std::sync::Arc;

use crate::StoreError;
use crate::actor::Actor;

/// A value bound to a statement or read from a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// SQL NULL.
    Null,
    /// A 64-bit integer. Booleans are 0 and 1, times are milliseconds since 1970 UTC.
    Int(i64),
    /// A double.
    Real(f64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

macro_rules! value_from {
    ($($source:ty => |$name:ident| $make:expr),* $(,)?) => {$(
        impl<'a> From<$source> for Value<'a> {
            fn from($name: $source) -> Self { $make }
        }
    )*};
}

value_from! {
    i64 => |v| Value::Int(v),
    i32 => |v| Value::Int(v.into()),
    u32 => |v| Value::Int(v.into()),
    bool => |v| Value::Int(v.into()),
    f64 => |v| Value::Real(v),
    &'a str => |v| Value::Text(v),
    &'a String => |v| Value::Text(v),
    &'a [u8] => |v| Value::Blob(v),
}

impl<'a, T> From<Option<T>> for Value<'a>
where
    Value<'a>: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Value::from)
    }
}

/// Binds values in order: `params![id, now, name.as_deref()]`.
#[macro_export]
macro_rules! params {
    () => { &[] as &[$crate::Value<'_>] };
    ($($value:expr),+ $(,)?) => { &[$($crate::Value::from($value)),+] as &[$crate::Value<'_>] };
}

/// One row of a result, valid inside the callback that receives it.
pub trait Row {
    /// The value in column `index`, counted from 0.
    fn value(&self, index: usize) -> Result<Value<'_>, StoreError>;
}

impl dyn Row + '_ {
    /// An integer column; NULL is an error.
    pub fn int(&self, index: usize) -> Result<i64, StoreError> {
        match self.value(index)? {
            Value::Int(value) => Ok(value),
            other => Err(wrong_type(index, "an integer", other)),
        }
    }

    /// A text column; NULL is an error.
    pub fn text(&self, index: usize) -> Result<String, StoreError> {
        match self.value(index)? {
            Value::Text(value) => Ok(value.to_owned()),
            other => Err(wrong_type(index, "text", other)),
        }
    }

    /// A column of bytes; NULL is an error.
    pub fn blob(&self, index: usize) -> Result<Vec<u8>, StoreError> {
        match self.value(index)? {
            Value::Blob(bytes) => Ok(bytes.to_vec()),
            other => Err(wrong_type(index, "bytes", other)),
        }
    }

    /// An integer column, or `None` for NULL.
    pub fn opt_int(&self, index: usize) -> Result<Option<i64>, StoreError> {
        match self.value(index)? {
            Value::Null => Ok(None),
            Value::Int(value) => Ok(Some(value)),
            other => Err(wrong_type(index, "an integer or NULL", other)),
        }
    }

    /// A text column, or `None` for NULL.
    pub fn opt_text(&self, index: usize) -> Result<Option<String>, StoreError> {
        match self.value(index)? {
            Value::Null => Ok(None),
            Value::Text(value) => Ok(Some(value.to_owned())),
            other => Err(wrong_type(index, "text or NULL", other)),
        }
    }
}

fn wrong_type(index: usize, wanted: &str, got: Value<'_>) -> StoreError {
    let got = match got {
        Value::Blob(bytes) => format!("{} bytes", bytes.len()),
        other => format!("{other:?}"),
    };
    StoreError::Row(format!("column {index}: wanted {wanted}, got {got}"))
}

/// A connection inside a transaction.
///
/// Statements are written once, in SQLite's style with `?1` parameters; an engine that needs another
/// spelling renders and caches it.
pub trait Conn {
    /// Runs a statement and returns how many rows it changed.
    fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<usize, StoreError>;

    /// Runs a query (or a statement with RETURNING) and hands each row to `each`.
    fn for_each(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// Who asked for this operation.
    fn actor(&self) -> Arc<Actor>;
}

impl dyn Conn + '_ {
    /// All rows, each mapped by `map`.
    pub fn query<T>(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        mut map: impl FnMut(&dyn Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut rows = Vec::new();
        self.for_each(sql, params, &mut |row| {
            rows.push(map(row)?);
            Ok(())
        })?;
        Ok(rows)
    }

    /// The first row, if there is one. Write the statement so that it yields at most one.
    pub fn query_one<T>(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        mut map: impl FnMut(&dyn Row) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut first = None;
        self.for_each(sql, params, &mut |row| {
            if first.is_none() {
                first = Some(map(row)?);
            }
            Ok(())
        })?;
        Ok(first)
    }
}
