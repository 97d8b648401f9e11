//! The resources: what tools answer, for clients that read rather than call.

mod answer;
mod standing;

pub use answer::Answer;
pub use standing::{Budgets, Providers};
