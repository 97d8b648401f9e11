//! The tools: one file a verb, with its parameters, words, effect, handler and view.

mod answer_rest;
mod budget_set;
pub(crate) mod budgets;
mod compare;
mod complete;
mod models;
mod provider_reset;
pub(crate) mod providers;
mod route_explain;

pub use answer_rest::AnswerRest;
pub use budget_set::BudgetSet;
pub use budgets::Budgets;
pub use compare::Compare;
pub use complete::Complete;
pub use models::ListModels;
pub use provider_reset::ProviderReset;
pub use providers::Providers;
pub use route_explain::RouteExplain;
