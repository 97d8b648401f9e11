//! What happened: log lines on standard error, one row for each call, and the audit of every change.
//!
//! For: [`init_tracing`]; [`CallLog`], which takes a row without making the call wait for the disk; and
//! [`audit`], whose rows are exact, because they stand in the board's own file. Never for what was asked or
//! answered: parameters and results stay out of the log and out of the rows.

pub mod audit;
mod call_log;
mod tracing_setup;

pub use call_log::{CallLog, CallLogError, CallRow, Outcome};
pub use tracing_setup::{LogFormat, TracingError, init_tracing};
