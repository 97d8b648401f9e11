//! What happened: log lines on standard error, one row for each call, and the audit of every change.
//!
//! For: [`init_tracing`]; [`CallLog`], which takes a row without making the call wait for the disk;
//! [`llm`], rows of calls to models with their tokens and cost; [`errors`], what kind of failure one was;
//! [`query`], what the rows add up to; [`metrics`] and [`otlp`], figures for Prometheus and spans for a
//! collector under the names of [`names`]; and
//! [`audit`], whose rows are exact, because they stand in the board's own file. Never for what was asked or
//! answered: parameters and results stay out of the log and out of the rows (the texts of calls to models are
//! kept, without secrets, only where the user says so).

pub mod audit;
mod call_log;
pub mod errors;
pub mod llm;
pub mod metrics;
pub mod names;
pub mod otlp;
pub mod query;
mod text;
mod tracing_setup;
pub mod usage;

pub use call_log::{CallLog, CallLogError, CallRow, Keeping, Outcome, open_events};
pub use tracing_setup::{LogFormat, TracingError, init_tracing};
pub use usage::{Counted, MicroDollars, Mode, Tokens, Usage};
