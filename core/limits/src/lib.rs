//! What may be spent: prices, limits with reservations, breakers, and what follows from them.
//!
//! For: deciding, in functions over a transaction or over plain data, with the time passed in. Not for: reading
//! a clock or a file, calling a provider, or choosing a model (routing does). Functions are named resource
//! first, then verb; each is one step that a caller runs in one transaction.

pub mod calendar;
pub mod price;

pub use price::{Mode, Price, PriceFileError, PriceTable, Priced};
