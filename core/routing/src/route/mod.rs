//! Which model should answer.
//!
//! For: what a request needs, what each candidate offers, and the order in which the candidates are tried, with the
//! reason for each place and each refusal. Not for: asking anybody; what is known of health, prices and limits comes in
//! as values, so the same values always give the same decision.

mod candidate;
mod decide;
mod need;
#[cfg(test)]
mod tests;

pub use candidate::{Candidate, Health, Offer, Unpriced, Window};
pub use decide::{Choice, Decision, Rejected, Rejection, Route, Strategy, decide};
pub use need::{Format, Need, Privacy, TaskClass};
