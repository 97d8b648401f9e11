//! A call from its decision to its end.
//!
//! For: [`next`], what comes after a candidate failed: the same again, another one, or the end. Not for: choosing
//! the candidates (`route`), or talking to them (`upstream`).

mod next;

pub use next::{Patience, Plight, Step, next};
