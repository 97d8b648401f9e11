//! Which rows were sent, and who sends.
//! For: a lease and two positions in the file that the rows stand in. Not for: HTTP.

use callboard_store::{Conn, Migration, StoreError, params};

use super::span::{Span, request};
use crate::call_log::{CALL_COLUMNS, CallRow, call_row};
use crate::llm::{COLUMNS, LlmCall, from_row};

/// Rows of each table in one request.
const ROWS: u32 = 256;

pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    component: "otlp",
    version: 1,
    sql: "CREATE TABLE otlp (
              one INTEGER PRIMARY KEY CHECK (one = 1),
              owner TEXT,
              until INTEGER NOT NULL,
              call_sent INTEGER NOT NULL,
              llm_sent INTEGER NOT NULL,
              rejected INTEGER NOT NULL
          ) STRICT;",
}];

/// Rows that are to be sent together.
pub(super) struct Batch {
    calls: Vec<(i64, CallRow)>,
    models: Vec<(i64, LlmCall)>,
}

/// The last rows of a batch.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    call: Option<i64>,
    llm: Option<i64>,
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.calls.len() + self.models.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn ends(&self) -> Ends {
        Ends {
            call: self.calls.last().map(|(row, _)| *row),
            llm: self.models.last().map(|(row, _)| *row),
        }
    }

    pub(super) fn request(&self) -> Vec<u8> {
        let calls = self
            .calls
            .iter()
            .map(|(row, call)| Span::of_tool(*row, call));
        let models = self.models.iter().map(|(_, call)| Span::of_model(call));
        request(&calls.chain(models).collect::<Vec<_>>())
    }
}

/// The next rows, if `owner` is the one who sends; it is until `now` and `lease`. The first time there are none:
/// what was recorded before anybody asked for spans is not sent.
pub(super) fn take(
    c: &mut dyn Conn,
    owner: &str,
    now: i64,
    lease: i64,
) -> Result<Option<Batch>, StoreError> {
    c.execute(
        "INSERT INTO otlp (one, owner, until, call_sent, llm_sent, rejected)
         SELECT 1, NULL, 0, (SELECT COALESCE(max(id), 0) FROM call), (SELECT COALESCE(max(rowid), 0) FROM llm_call), 0
         WHERE NOT EXISTS (SELECT 1 FROM otlp)",
        params![],
    )?;
    let ours = c.execute(
        "UPDATE otlp SET owner = ?1, until = ?2 WHERE owner = ?1 OR owner IS NULL OR until <= ?3",
        params![owner, now.saturating_add(lease), now],
    )?;
    if ours == 0 {
        return Ok(None);
    }
    let sent = c.query_one("SELECT call_sent, llm_sent FROM otlp", params![], |row| {
        Ok((row.int(0)?, row.int(1)?))
    })?;
    let (call_sent, llm_sent) = sent.unwrap_or((0, 0));
    let calls = c.query(
        &format!("SELECT {CALL_COLUMNS}, id FROM call WHERE id > ?1 ORDER BY id LIMIT ?2"),
        params![call_sent, ROWS],
        |row| Ok((row.int(10)?, call_row(row)?)),
    )?;
    let models = c.query(
        &format!(
            "SELECT {}, rowid FROM llm_call WHERE rowid > ?1 ORDER BY rowid LIMIT ?2",
            *COLUMNS
        ),
        params![llm_sent, ROWS],
        |row| Ok((row.int(39)?, from_row(row)?)),
    )?;
    Ok(Some(Batch { calls, models }))
}

/// Writes down what was sent, unless somebody else has taken over.
pub(super) fn advance(
    c: &mut dyn Conn,
    owner: &str,
    ends: Ends,
    rejected: usize,
) -> Result<(), StoreError> {
    c.execute(
        "UPDATE otlp SET call_sent = COALESCE(?2, call_sent), llm_sent = COALESCE(?3, llm_sent), rejected = rejected + ?4
         WHERE owner = ?1",
        params![owner, ends.call, ends.llm, i64::try_from(rejected).unwrap_or(i64::MAX)],
    )?;
    Ok(())
}

/// Lets the next one send at once.
pub(super) fn give_up(c: &mut dyn Conn, owner: &str) -> Result<(), StoreError> {
    c.execute(
        "UPDATE otlp SET owner = NULL, until = 0 WHERE owner = ?1",
        params![owner],
    )?;
    Ok(())
}
