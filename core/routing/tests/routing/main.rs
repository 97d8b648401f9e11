//! Calls to models from outside: what goes out and what is made of what comes back, and the router on a board of its
//! own, against the scripted upstream.
#![allow(clippy::unwrap_used, reason = "tests")]

mod asking;
mod codecs;
mod collected;
mod engine;
mod faults;
mod fixtures;
mod gateway;
mod requests;
mod upstream;
