//! What every tool of this server shares: the call log, the clock, prices, and where exports go.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use callboard_limits::PriceTable;
use callboard_mcp::ToolError;
use callboard_store::{Clock, Conn, Store, StoreError};
use callboard_telemetry::CallLog;
use callboard_telemetry::audit::audit_add;

use crate::errors::unread;
use crate::period::Period;

/// The prices as they are at the moment.
type Prices = Box<dyn Fn() -> Arc<PriceTable> + Send + Sync>;

/// What was recorded on a board, for reading.
pub struct Telemetry {
    store: Store,
    log: CallLog,
    clock: Arc<dyn Clock>,
    prices: Prices,
    baseline: Option<String>,
    exports: PathBuf,
}

impl Telemetry {
    /// What `log` recorded for the board `store` in the directory `board`; files go into `exports` there.
    #[must_use]
    pub fn new(
        store: Store,
        board: &Path,
        log: CallLog,
        clock: Arc<dyn Clock>,
        prices: Arc<PriceTable>,
    ) -> Self {
        Telemetry {
            store,
            log,
            clock,
            prices: Box::new(move || Arc::clone(&prices)),
            baseline: None,
            exports: board.join("exports"),
        }
    }

    /// The same with a model, `provider/model`, that savings are reckoned against unless a caller names one.
    #[must_use]
    pub fn baseline(mut self, baseline: Option<String>) -> Self {
        self.baseline = baseline;
        self
    }

    /// The same with prices that may change.
    #[must_use]
    pub fn priced_by(
        mut self,
        prices: impl Fn() -> Arc<PriceTable> + Send + Sync + 'static,
    ) -> Self {
        self.prices = Box::new(prices);
        self
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now_ms()
    }

    pub(crate) fn period(&self, word: Option<&str>) -> Result<Period, ToolError> {
        Period::of(word, self.now())
    }

    pub(crate) fn prices(&self) -> Arc<PriceTable> {
        (self.prices)()
    }

    pub(crate) fn usual_baseline(&self) -> Option<&str> {
        self.baseline.as_deref()
    }

    pub(crate) fn exports(&self) -> &Path {
        &self.exports
    }

    /// One look at a snapshot of what was recorded.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut dyn Conn) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ToolError> {
        self.log.query(query).await.map_err(|error| unread(&error))
    }

    /// A row in the audit for a file that was written. A file and the board have no transaction in common: a crash
    /// between the two leaves a file without a row.
    pub(crate) async fn write_down(
        &self,
        verb: &'static str,
        file: &str,
        rows: u64,
        bytes: u64,
    ) -> Result<(), ToolError> {
        let (now, subject) = (self.now(), file.to_owned());
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let (rows, bytes) = (count(rows), count(bytes));
        let written: Result<(), StoreError> = self
            .store
            .write(move |c| {
                let detail = [("rows", rows.into()), ("bytes", bytes.into())];
                audit_add(c, now, verb, &subject, &detail)
            })
            .await;
        written.map_err(|error| {
            ToolError::unavailable(format!(
                "{file} was written, but the audit has no row of it: {error}"
            ))
            .hint("the file is there; `callboard doctor` looks at the board's directory")
        })
    }

    /// Whether the log can be read.
    pub(crate) async fn ready(&self) -> Result<(), String> {
        let looked = self
            .log
            .query(|c| c.query_one("SELECT 1", &[], |_| Ok(())))
            .await;
        looked.map(|_| ()).map_err(|error| error.to_string())
    }
}
