//! The Python client, `mcp` on PyPI.

use crate::pass::{Era, check, check_choice, check_refusal};
use crate::place::Transport;
use callboard_tests::{deps, root};
use serde_json::json;
use std::process::Command;

fn program() -> Command {
    let mut program = Command::new(deps::python());
    program.arg(root().join("tests/clients/python/client.py"));
    program
}

fn pass(transport: Transport, era: Era) {
    check(program(), transport, era, &json!({}));
}

#[test]
fn stdio_modern() {
    pass(Transport::Stdio, Era::Modern);
}

#[test]
fn stdio_legacy() {
    pass(Transport::Stdio, Era::Legacy);
}

#[test]
fn http_modern() {
    pass(Transport::Http, Era::Modern);
}

#[test]
fn http_legacy() {
    pass(Transport::Http, Era::Legacy);
}

#[test]
fn sse_modern() {
    pass(Transport::Sse, Era::Modern);
}

#[test]
fn sse_legacy() {
    pass(Transport::Sse, Era::Legacy);
}

#[test]
fn a_wrong_token_is_refused() {
    let hint = "callboard token header";
    for (transport, era, told) in [
        (Transport::Http, Era::Modern, hint),
        (Transport::Http, Era::Legacy, hint),
        (Transport::Sse, Era::Legacy, "401 Unauthorized"),
    ] {
        check_refusal(program(), transport, era, told, &json!({}));
    }
}

#[test]
fn its_user_is_asked() {
    for (transport, era) in [
        (Transport::Stdio, Era::Modern),
        (Transport::Stdio, Era::Legacy),
        (Transport::Http, Era::Modern),
        (Transport::Http, Era::Legacy),
    ] {
        check_choice(program(), transport, era, &json!({}));
    }
}
