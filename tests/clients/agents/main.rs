//! Claude Code and Codex against a scripted model.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests start processes and fail loudly"
)]

use callboard_tests::deps::{claude_code, codex};
use std::process::Command;

#[test]
fn what_is_installed_is_what_was_pinned() {
    for (program, version) in [(claude_code(), "2.1.329"), (codex(), "0.169.0")] {
        let done = Command::new(&program).arg("--version").output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(
            done.status.success() && said.contains(version),
            "{}: {done:?}",
            program.display()
        );
    }
}
