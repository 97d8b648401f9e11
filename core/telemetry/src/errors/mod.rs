//! What kind of failure a call to a model ended in, how bad that is, and what to do.
//! For: one word for the many ways in which providers say the same. Not for: deciding whether to retry
//! (routing does, from its own typed failures).

mod class;

pub use class::{Category, ErrorClass, Severity};
