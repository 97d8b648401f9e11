//! Calls through the router, on a board of their own and against the scripted upstream.
//!
//! For: what becomes of every fault: who is asked next, which rows are written, what is paid, what the breakers know.
//! Not for: what the faults look like on the wire (`faults.rs`).

mod rig;
mod speed;

mod ends;
mod learning;
mod limits;
mod passing;
mod pauses;
mod refused;
mod table;
mod tiers;
mod wires;
