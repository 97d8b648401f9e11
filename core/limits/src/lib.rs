//! What may be spent: prices, limits with reservations, breakers, and what follows from them.
//!
//! For: deciding, in functions over a transaction or over plain data, with the time passed in. Not for: reading
//! a clock or a file, calling a provider, or choosing a model (routing does). Functions are named resource
//! first, then verb; each is one step that a caller runs in one transaction.

mod breaker;
mod budget;
pub mod calendar;
mod counter;
mod error;
mod factor;
mod forecast;
mod outcome;
pub mod price;
mod reservation;
mod rule;
mod savings;
mod schema;

pub use breaker::{
    Admission, Breaker, BreakerState, Patience, Target, Verdict, breaker_admit, breaker_get,
    breaker_record, breakers, breakers_reset,
};
pub use budget::{
    LOOK_BACK_DAYS, budget_forecast, budget_stops, budgets_any, spend_daily, standings,
};
pub use error::LimitError;
pub use factor::{Factor, factor_get, factor_learn};
pub use forecast::{Course, Forecast, LEAST_DAYS, forecast};
pub use outcome::{
    LearnCursor, RouteOutcome, RouteTallies, RouteTally, outcomes_cursor, outcomes_prune,
    outcomes_record, outcomes_tally,
};
pub use price::{Mode, Price, PriceFileError, PriceTable, Priced, Tier, Unpriced as UnpricedMode};
pub use reservation::{
    Ask, Call, CallState, Denied, Estimate, Frees, KEEP_MS, Level, Owner, Reservation, Settlement,
    Standing, Subject, call_get, call_logged, call_price, calls_prune, calls_unlogged,
    calls_unpriced, expire, owners, release, reservation_extend, reservation_try, reserve, settle,
    subject_standings,
};
pub use rule::{
    DEFAULT_WARN, EACH, Limit, Resource, Scope, Span, Unpriced, limit_drop, limit_set, limits_list,
    limits_sync,
};
pub use savings::{Savings, Spent, savings};
pub use schema::MIGRATIONS;
