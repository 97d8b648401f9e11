//! The SQLite engine.
//!
//! For: everything that knows rusqlite: connections, the writer thread with group commit, the read
//! pools, migrations, backup. Not for: the interface; `Store` is, and none of these types leave it.

mod backup;
mod checkpoint;
mod conn;
mod connect;
mod engine;
mod migrate;
mod readers;
mod watch;
mod writer;

pub(crate) use engine::Engine;
