//! The TypeScript SDKs: v1, `@modelcontextprotocol/sdk`, and v2, `@modelcontextprotocol/client`.

use crate::pass::{Era, check, check_choice, check_refusal};
use crate::place::Transport;
use callboard_tests::deps;
use callboard_tests::root;
use serde_json::{Value, json};
use std::process::Command;

fn program(sdk: &str) -> (Command, Value) {
    let package = match sdk {
        "v1" => "@modelcontextprotocol/sdk/package.json",
        _ => "@modelcontextprotocol/client/package.json",
    };
    let _ = deps::npm(package);
    let mut program = Command::new(deps::node());
    program
        .arg("--no-warnings")
        .arg(root().join("tests/clients/ts/client.mts"));
    (program, json!({"sdk": sdk, "deps": deps::Set::Core.dir()}))
}

fn pass(sdk: &str, transport: Transport, era: Era) {
    let (program, more) = program(sdk);
    check(program, transport, era, &more);
}

fn asked(sdk: &str, transport: Transport, era: Era) {
    let (program, more) = program(sdk);
    check_choice(program, transport, era, &more);
}

fn refused(sdk: &str, transport: Transport, era: Era, told: &str) {
    let (program, more) = program(sdk);
    check_refusal(program, transport, era, told, &more);
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

#[test]
fn v1_http() {
    pass("v1", Transport::Http, Era::Legacy);
}

#[test]
fn v2_http_modern() {
    pass("v2", Transport::Http, Era::Modern);
}

#[test]
fn v2_http_legacy() {
    pass("v2", Transport::Http, Era::Legacy);
}

#[test]
fn v1_sse() {
    pass("v1", Transport::Sse, Era::Legacy);
}

#[test]
fn v2_sse_modern() {
    pass("v2", Transport::Sse, Era::Modern);
}

#[test]
fn v2_sse_legacy() {
    pass("v2", Transport::Sse, Era::Legacy);
}

#[test]
fn v1_with_a_wrong_token_is_refused() {
    refused("v1", Transport::Http, Era::Legacy, "callboard token header");
    refused("v1", Transport::Sse, Era::Legacy, "401");
}

#[test]
fn v2_with_a_wrong_token_is_refused() {
    refused("v2", Transport::Http, Era::Modern, "401");
    refused("v2", Transport::Http, Era::Legacy, "callboard token header");
    refused("v2", Transport::Sse, Era::Legacy, "401");
}

#[test]
fn the_user_of_v1_is_asked() {
    asked("v1", Transport::Stdio, Era::Legacy);
    asked("v1", Transport::Sse, Era::Legacy);
}

#[test]
fn the_user_of_v2_is_asked() {
    asked("v2", Transport::Stdio, Era::Modern);
    asked("v2", Transport::Http, Era::Modern);
    asked("v2", Transport::Http, Era::Legacy);
}
