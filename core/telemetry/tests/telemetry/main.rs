//! What others see of the records: the names that failures get, and spans as a collector reads them.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

mod errors;
mod otlp;
