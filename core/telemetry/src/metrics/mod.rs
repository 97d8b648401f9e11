//! Figures for Prometheus.
//!
//! For: a page in the OpenMetrics text format, with the names of [`names`](crate::names). The counters are those
//! of the whole board, whichever process wrote the rows: at each look, rows recorded since the last one are
//! added. They begin at zero when [`Metrics`] is made, as Prometheus expects of a process. A row counts as it
//! was when it was first seen: a cost that is filled in later is in the tables (and no longer in
//! `callboard_llm_unpriced_calls`), not in the counters. Not for: questions about the past; see
//! [`query`](crate::query).
//!
//! Labels are bounded in number and in length: the first 50 pairs of provider and model and the first 200 pairs
//! of server and tool get labels of their own, all others together are `other`.

mod labels;
mod rows;

use std::sync::{Mutex, PoisonError};

use callboard_store::{Conn, StoreError, params};
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

use crate::{CallLog, CallLogError};
use rows::{Families, Seen};

/// What a page of figures is, for the header `Content-Type`.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Rows taken in at one look, of each kind; more are taken in at the next.
const ROWS_A_LOOK: u32 = 50_000;

/// The figures of a board.
pub struct Metrics {
    state: Mutex<State>,
}

struct State {
    registry: Registry,
    families: Families,
    seen: Seen,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Counts what is recorded from now on.
    ///
    /// # Errors
    /// Only when the store fails.
    pub fn from_now(c: &mut dyn Conn) -> Result<Self, StoreError> {
        let last = |c: &mut dyn Conn, sql| {
            Ok::<i64, StoreError>(c.query_one(sql, params![], |row| row.int(0))?.unwrap_or(0))
        };
        let seen = Seen {
            llm: last(c, "SELECT COALESCE(max(rowid), 0) FROM llm_call")?,
            calls: last(c, "SELECT COALESCE(max(id), 0) FROM call")?,
        };
        let mut registry = Registry::default();
        let families = Families::registered(&mut registry);
        let state = State {
            registry,
            families,
            seen,
        };
        Ok(Self {
            state: Mutex::new(state),
        })
    }

    /// Takes in what was recorded since the last look, and writes the page.
    ///
    /// # Errors
    /// Only when the store fails; then nothing counts twice.
    pub fn page(&self, c: &mut dyn Conn) -> Result<String, StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State {
            registry,
            families,
            seen,
        } = &mut *state;
        rows::take_in_llm(c, families, &mut seen.llm, ROWS_A_LOOK)?;
        rows::take_in_calls(c, families, &mut seen.calls, ROWS_A_LOOK)?;
        rows::look(c, families)?;
        let mut page = String::new();
        text::encode(&mut page, registry).map_err(|error| {
            StoreError::Row(format!("the figures could not be written: {error}"))
        })?;
        Ok(page)
    }
}

impl CallLog {
    /// The figures of this board from now on; see [`Metrics`].
    ///
    /// # Errors
    /// The file could not be opened or read.
    pub async fn metrics(&self) -> Result<Metrics, CallLogError> {
        self.query(Metrics::from_now).await
    }
}

#[cfg(test)]
mod tests;
