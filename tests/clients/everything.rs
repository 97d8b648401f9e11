//! `callboard test` against a server that is not ours: `@modelcontextprotocol/server-everything`.

use callboard_tests::{Home, Running, deps, root};

fn holds(scenario: &str) {
    let _ = deps::npm("@modelcontextprotocol/server-everything/dist/index.js");
    let _ = deps::node();
    let home = Home::new();
    let mut command = home.command("callboard");
    command
        .arg("test")
        .arg(root().join("tests/clients/everything").join(scenario))
        .env(
            "CALLBOARD_TEST_DEPS",
            deps::Set::Core.dir().parent().unwrap(),
        );
    let done = Running::of(command).finish();
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    assert!(done.out.contains("1 passed, 0 failed"), "{}", done.out);
    assert_eq!(home.processes(), Vec::<u32>::new(), "something was left");
}

#[test]
fn over_stdio() {
    holds("stdio.yaml");
}

#[test]
fn over_streamable_http() {
    holds("http.yaml");
}

#[test]
fn over_http_with_sse() {
    holds("sse.yaml");
}
