//! Clients that others wrote, against the real binaries: nothing here is ours but what is served.
//!
//! Needs what `tests/clients/install core` brings; `tests/run` does. Each client is a small program beside this file
//! that goes through the same pass and prints what it saw; the checks are made here.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests start processes and fail loudly"
)]

mod everything;
mod inspector;
mod pass;
#[allow(dead_code, reason = "clients need less of a place than agents do")]
mod place;
mod python;
mod typescript;
