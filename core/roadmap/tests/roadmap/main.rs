//! The document from outside: what is found in it, what an update writes, and what can't be taken.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod documents;
mod edits;
mod properties;
mod reading;
mod shapes;
