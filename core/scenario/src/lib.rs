//! Scenarios: tests of MCP servers as data.
//!
//! For: reading scenario files, running them against any server, and reporting. Not for: serving anything.
