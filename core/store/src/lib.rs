//! The board's memory: one SQLite file behind one handle.
//!
//! For: operations written once as closures over [`Conn`], run in transactions that several processes
//! share; migrations; a signal when anything changed. Not for: deciding anything (scheduling does),
//! knowing what a task is, or reading the clock inside an operation (time is passed in).

pub mod actor;
mod clock;
mod conn;
mod error;
mod ids;
mod job;
mod options;
mod random;
mod signal;
mod sqlite;
mod store;
pub mod vault;

pub use clock::{Clock, FixedClock, SystemClock};
pub use conn::{Conn, Row, Value};
pub use error::{OpenError, StoreError};
pub use ids::Ids;
pub use options::{Durability, Migration, Options};
pub use signal::CloseChanges;
pub use store::Store;
