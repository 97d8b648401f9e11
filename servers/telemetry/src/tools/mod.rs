//! The tools: one file a verb, with its parameters, words, effect, handler and view.

mod calls;
pub(crate) mod costs;
mod errors;
pub(crate) mod export;
mod performance;
mod savings;

pub use calls::Calls;
pub(crate) use calls::whole as whole_call;
pub use costs::Costs;
pub use errors::Errors;
pub use export::Export;
pub use performance::Performance;
pub use savings::Savings;
