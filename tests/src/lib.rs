//! The rig: the real binaries, a home of their own, and a client that speaks the protocol line by line.
//!
//! For: tests that see what a user or an MCP client would see. Not for: reaching into the product; what
//! can be tested in memory is tested in its own crate. Everything a test starts ends with it.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "the rig is a test: it starts processes and fails loudly"
)]

mod client;
pub mod corpus;
pub mod deps;
pub mod gatewayed;
mod home;
pub mod http;
pub mod model;
mod proc;
pub mod response;
mod serving;
pub mod upstream;

pub use client::{Answer, Client};
pub use home::{Finished, Home, Running};
pub use proc::{Footprint, alive, marked_processes, wait_until};
pub use serving::Serving;

use std::path::PathBuf;

/// The directory with the built binaries.
///
/// # Panics
/// When this is not run from a cargo target directory.
#[must_use]
pub fn binaries() -> PathBuf {
    let exe = std::env::current_exe().expect("the test's own path");
    let deps = exe.parent().expect("deps");
    deps.parent()
        .expect("the profile's directory")
        .to_path_buf()
}

/// A built binary by name.
///
/// # Panics
/// When it was not built, saying how.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let path = binaries().join(name);
    assert!(
        path.is_file(),
        "{} is missing: run tests/run, or cargo build --workspace --bins",
        path.display()
    );
    path
}

/// The root of the project.
#[must_use]
pub fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the workspace").to_path_buf()
}
