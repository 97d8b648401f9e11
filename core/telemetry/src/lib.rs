//! What happened: log lines on standard error, and one row for each call.
//!
//! For: [`init_tracing`], and [`CallLog`], which takes a row without making the call wait for the disk.
//! Not for: anything that must be exact (the board's own file holds that), and never for what was asked
//! or answered: parameters and results stay out of the log and out of the rows.

mod call_log;
mod tracing_setup;

pub use call_log::{CallLog, CallLogError, CallRow, Outcome};
pub use tracing_setup::{LogFormat, TracingError, init_tracing};
