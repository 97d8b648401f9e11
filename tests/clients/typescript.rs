//! The TypeScript SDKs: v1, `@modelcontextprotocol/sdk`, and v2, `@modelcontextprotocol/client`.

use crate::pass::{Era, check};
use crate::place::Transport;
use callboard_tests::deps;
use callboard_tests::root;
use serde_json::json;
use std::process::Command;

fn pass(sdk: &str, transport: Transport, era: Era) {
    let package = match sdk {
        "v1" => "@modelcontextprotocol/sdk/package.json",
        _ => "@modelcontextprotocol/client/package.json",
    };
    let _ = deps::npm(package);
    let mut program = Command::new(deps::node());
    program
        .arg("--no-warnings")
        .arg(root().join("tests/clients/ts/client.mts"));
    let more = json!({"sdk": sdk, "deps": deps::Set::Core.dir()});
    check(program, transport, era, &more);
}

#[test]
fn v1_stdio() {
    pass("v1", Transport::Stdio, Era::Legacy);
}

#[test]
fn v2_stdio_modern() {
    pass("v2", Transport::Stdio, Era::Modern);
}

#[test]
fn v2_stdio_legacy() {
    pass("v2", Transport::Stdio, Era::Legacy);
}
