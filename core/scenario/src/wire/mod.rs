//! The wire: messages out and in, as they are, over each transport.
//!
//! For: raw control of what is sent, and keeping all that comes. Not for: leniency; a library would hide faults.

mod answers;
mod bounds;
mod client;
mod conn;
mod header;
mod http;
mod inbox;
mod link;
mod older;
mod raw;
mod sse;
mod stdio;
mod subscribe;
mod traffic;

pub(crate) use answers::Answers;
pub(crate) use client::wait_http;
pub(crate) use conn::{Address, Conn, Dress, Pending, Target};
pub(crate) use inbox::{Gone, Item};
pub(crate) use raw::{Seen, unhex};
pub(crate) use traffic::{Secrets, Traffic};
