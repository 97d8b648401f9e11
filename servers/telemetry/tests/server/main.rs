//! The server over a log with known calls, spoken to over the protocol.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests fail loudly"
)]

mod exporting;
mod offer;
mod pictures;
mod reading;
mod rig;
