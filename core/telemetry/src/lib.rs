//! What happened: log lines on standard error, one row for each call, and the audit of every change.
//!
//! For: [`init_tracing`]; [`CallLog`], which takes a row without making the call wait for the disk;
//! [`audit`], whose rows are exact, because they stand in the board's own file; and [`usage`], the words for what
//! a call to a model used. Never for what was asked or answered: parameters and results stay out of the log and
//! out of the rows.

pub mod audit;
mod call_log;
mod tracing_setup;
pub mod usage;

pub use call_log::{CallLog, CallLogError, CallRow, Outcome};
pub use tracing_setup::{LogFormat, TracingError, init_tracing};
pub use usage::{Counted, MicroDollars, Tokens, Usage};
