//! One row for each call to a model, in `telemetry.db` beside the rows of tool calls.
//!
//! For: what was asked of which model by whom, what it used, cost and took, and how it ended; finding,
//! adding up, pricing later and forgetting these rows. Not for: exact limits and budgets (the board's file
//! has those; a row here is derived from a settled reservation and may be written twice), or calling
//! anything.
//!
//! # What is stored at which level
//! `metadata`, the default: the columns of [`LlmCall`], which are names, ids, numbers, times and words of
//! ours. Never a prompt, an answer, a tool's arguments, a header, a key, or an error's text.
//! `full`: also the text of the request and of the answer, in a table of its own ([`LlmText`]), without the
//! secrets in use and without what has the shape of a key, at most 64 KiB of each, kept for 7 days.

mod keep;
mod reprice;
mod row;
mod secrets;
mod table;
mod text;

pub use keep::{Forgotten, Retention, forget};
pub use reprice::{PriceOf, Priced, Repriced, Unpriced, reprice};
pub use row::{LlmCall, LlmOutcome};
pub(crate) use table::{COLUMNS, MIGRATIONS, from_row};
pub use table::{llm_call, record_llm};
pub use text::{LlmText, Privacy, llm_text, record_text};

#[cfg(test)]
mod tests;
