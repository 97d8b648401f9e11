//! Values that must not be seen: holding them, and taking them out of what this process writes.
//!
//! For: [`Secret`], and a register of the values in use, which logs, answers, errors, panics and the output of
//! children are scrubbed with. Not for: storing values (the vault does) or deciding who may use one.
//!
//! It imports nothing of ours, so that whatever writes can use it.

mod escaped;
mod forms;
mod inherited;
mod panics;
mod register;
mod scrubber;
mod secret;
mod stream;

pub use inherited::{SECRETS_VARIABLE, inherit};
pub use panics::guard_panics;
pub use register::{
    AtMost, Entry, MOST, SHORTEST, forget, is_empty, register, registered, scrub, scrub_bytes,
    scrub_in_place, scrubber, sighted,
};
pub use scrubber::Scrubber;
pub use secret::Secret;
pub use stream::Stream;
