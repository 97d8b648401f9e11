//! The Python client, `mcp` on PyPI.

use crate::pass::{Era, check};
use crate::place::Transport;
use callboard_tests::{deps, root};
use serde_json::json;
use std::process::Command;

fn pass(transport: Transport, era: Era) {
    let mut program = Command::new(deps::python());
    program.arg(root().join("tests/clients/python/client.py"));
    check(program, transport, era, &json!({}));
}

#[test]
fn stdio_modern() {
    pass(Transport::Stdio, Era::Modern);
}

#[test]
fn stdio_legacy() {
    pass(Transport::Stdio, Era::Legacy);
}
