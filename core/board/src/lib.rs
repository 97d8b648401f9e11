//! The board's file with everybody's tables in it.
//!
//! For: the one list of the components that keep tables on the board, so that whoever opens one opens all of
//! it. Not for: anything that is done with the tables; their owners do that.

use std::path::Path;

use callboard_store::{Migration, OpenError, Options, Store};

/// Every component's migrations.
pub const TABLES: &[&[Migration]] = &[
    callboard_telemetry::audit::MIGRATIONS,
    callboard_scheduling::MIGRATIONS,
    callboard_limits::MIGRATIONS,
    callboard_mcp::access::MIGRATIONS,
    callboard_store::vault::MIGRATIONS,
    callboard_mcp::MIGRATIONS,
];

/// Opens the board in `directory`, and makes it if it is missing.
///
/// # Errors
/// [`OpenError`], for example when a newer program wrote it.
pub fn open(directory: &Path) -> Result<Store, OpenError> {
    open_with(Options::board(directory))
}

/// As [`open`], with options of the caller's choice.
///
/// # Errors
/// As [`open`].
pub fn open_with(options: Options) -> Result<Store, OpenError> {
    Store::open(options, TABLES)
}
