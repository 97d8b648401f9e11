//! What an operation says to the engine, recorded so that it can be said again without the operation.

use callboard_store::{Conn, Row, StoreError, Value};
use rusqlite::types;

/// An operation's connection that writes down every statement, what was bound to it and the first row it
/// gave.
pub struct Recorder<'c> {
    conn: &'c mut dyn Conn,
    pub steps: Vec<Step>,
}

/// One recorded statement.
pub struct Step {
    sql: String,
    given: Vec<types::Value>,
    row: Vec<types::Value>,
}

impl<'c> Recorder<'c> {
    pub fn new(conn: &'c mut dyn Conn) -> Self {
        Recorder {
            conn,
            steps: Vec::new(),
        }
    }

    fn record(&mut self, sql: &str, given: &[Value<'_>], row: Vec<types::Value>) {
        let given = given.iter().copied().map(owned).collect();
        self.steps.push(Step {
            sql: sql.to_owned(),
            given,
            row,
        });
    }
}

impl Conn for Recorder<'_> {
    fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<usize, StoreError> {
        self.record(sql, params, Vec::new());
        self.conn.execute(sql, params)
    }

    fn for_each(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut first = None;
        self.conn.for_each(sql, params, &mut |row| {
            first
                .get_or_insert_with(|| (0..).map_while(|i| row.value(i).ok()).map(owned).collect());
            each(row)
        })?;
        self.record(sql, params, first.unwrap_or_default());
        Ok(())
    }

    fn actor(&self) -> std::sync::Arc<callboard_store::actor::Actor> {
        self.conn.actor()
    }
}

fn owned(value: Value<'_>) -> types::Value {
    match value {
        Value::Null => types::Value::Null,
        Value::Int(number) => types::Value::Integer(number),
        Value::Real(number) => types::Value::Real(number),
        Value::Text(text) => types::Value::Text(text.to_owned()),
        Value::Blob(bytes) => types::Value::Blob(bytes.to_owned()),
    }
}

/// Where a bound value comes from when the statements are said again.
enum Source {
    Fixed(types::Value),
    /// The time of the operation and an offset, ms.
    Time(i64),
    /// The id that the operation was given.
    Input,
    /// A column of the first row of an earlier statement of the same operation.
    Row {
        step: usize,
        column: usize,
    },
}

/// An operation as nothing but statements.
pub struct Script {
    lines: Vec<Line>,
    answer: Option<(usize, usize)>,
}

struct Line {
    sql: String,
    sources: Vec<Source>,
    /// Columns of its first row that later statements or the answer need.
    kept: Vec<usize>,
}

/// What the recorded values meant.
pub struct Meaning<'m> {
    /// The time that the operation was given.
    pub now: i64,
    /// The id that it was given.
    pub input: &'m str,
    /// The number of the task's row: one that nothing else has.
    pub seq: i64,
    /// The id that it answered with, if the caller needs it.
    pub answer: Option<&'m str>,
}

impl Script {
    /// Tells the values that differ from run to run from those that do not.
    pub fn of(steps: Vec<Step>, meaning: &Meaning<'_>) -> Script {
        let answer = meaning.answer.map(|id| {
            found(&steps, &types::Value::Text(id.to_owned()))
                .expect("the answer was read from a row")
        });
        let mut lines: Vec<Line> = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            let sources = step
                .given
                .iter()
                .map(|value| source(value, &steps[..at], meaning))
                .collect();
            lines.push(Line {
                sql: step.sql.clone(),
                sources,
                kept: Vec::new(),
            });
        }
        let wanted: Vec<(usize, usize)> =
            lines.iter().flat_map(Line::wants).chain(answer).collect();
        for (step, column) in wanted {
            lines[step].kept.push(column);
        }
        Script { lines, answer }
    }

    /// How many statements it has.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// The statements, prepared.
    pub fn prepare<'d>(
        &self,
        db: &'d rusqlite::Connection,
    ) -> rusqlite::Result<Vec<rusqlite::Statement<'d>>> {
        self.lines
            .iter()
            .map(|line| db.prepare(&line.sql))
            .collect()
    }

    /// Says it all again, on statements from [`prepare`](Self::prepare).
    pub fn run(
        &self,
        statements: &mut [rusqlite::Statement<'_>],
        input: &str,
        now: i64,
    ) -> rusqlite::Result<Option<types::Value>> {
        let mut kept: Vec<Vec<(usize, types::Value)>> = Vec::with_capacity(self.lines.len());
        for (line, statement) in self.lines.iter().zip(statements) {
            for (index, source) in line.sources.iter().enumerate() {
                match source {
                    Source::Fixed(value) => statement.raw_bind_parameter(index + 1, value)?,
                    Source::Time(offset) => {
                        statement.raw_bind_parameter(index + 1, now + offset)?
                    }
                    Source::Input => statement.raw_bind_parameter(index + 1, input)?,
                    Source::Row { step, column } => {
                        statement
                            .raw_bind_parameter(index + 1, column_of(&kept[*step], *column))?;
                    }
                }
            }
            kept.push(line.step(statement)?);
        }
        Ok(self
            .answer
            .and_then(|(step, column)| column_of(&kept[step], column).cloned()))
    }
}

impl Line {
    fn wants(&self) -> impl Iterator<Item = (usize, usize)> {
        self.sources.iter().filter_map(|source| match source {
            Source::Row { step, column } => Some((*step, *column)),
            _ => None,
        })
    }

    /// Runs to the last row and keeps what is needed of the first.
    fn step(
        &self,
        statement: &mut rusqlite::Statement<'_>,
    ) -> rusqlite::Result<Vec<(usize, types::Value)>> {
        let mut kept = Vec::new();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            if kept.is_empty() {
                for column in &self.kept {
                    kept.push((*column, row.get(*column)?));
                }
            }
        }
        Ok(kept)
    }
}

fn column_of(kept: &[(usize, types::Value)], column: usize) -> Option<&types::Value> {
    kept.iter()
        .find(|(at, _)| *at == column)
        .map(|(_, value)| value)
}

fn source(value: &types::Value, earlier: &[Step], meaning: &Meaning<'_>) -> Source {
    const DAY_MS: i64 = 24 * 3600 * 1000;
    let from_row = || found(earlier, value).map(|(step, column)| Source::Row { step, column });
    let varies = match value {
        types::Value::Text(text) if text == meaning.input => Some(Source::Input),
        types::Value::Text(text) if text.starts_with("t_") || text.starts_with("a_") => from_row(),
        types::Value::Integer(number) if *number == meaning.seq => from_row(),
        types::Value::Integer(number) if (number - meaning.now).abs() < DAY_MS => {
            Some(Source::Time(number - meaning.now))
        }
        _ => None,
    };
    varies.unwrap_or_else(|| Source::Fixed(value.clone()))
}

fn found(steps: &[Step], value: &types::Value) -> Option<(usize, usize)> {
    steps.iter().enumerate().find_map(|(step, recorded)| {
        let column = recorded.row.iter().position(|got| got == value)?;
        Some((step, column))
    })
}
