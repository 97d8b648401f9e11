//! Runs of a roadmap that were begun over HTTP: they work in the name of a token, and end with it.

use crate::access::{audit, token};
use crate::tokens::{End, LONG, expire, revoke};
use callboard_tests::http::Served;
use callboard_tests::{Home, wait_until};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const ROADMAP: &str = "\
# Plan

### PRIORITY 1: First file
**Status**: 📝 Planned

### PRIORITY 2: Second file
**Status**: 📝 Planned
**Dependency**: PRIORITY 1
";

/// Whoever takes the first item never ends by itself.
const PREPARED: &str = r#"
format = 1
[[items.priority-1.tries]]
hang = true
edits = []
[items.priority-1.report]
summary = "Never."
deliverables = []
commit = { type = "feat", subject = "never" }
[[items.priority-2.tries]]
edits = []
[items.priority-2.report]
summary = "Never."
deliverables = []
commit = { type = "feat", subject = "never" }
"#;

fn project(home: &Home) -> PathBuf {
    let files = [
        ("ROADMAP.md", ROADMAP),
        ("test.sh", "true\n"),
        (".callboard/prepared.toml", PREPARED),
    ];
    home.repository("work/plan", &files)
}

fn call(served: &Served, tool: &str, path: &Path) -> Value {
    let call = json!({"name": tool, "arguments": {"path": path}});
    let answer = served.modern("roadmap", 1, "tools/call", call).reply();
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    answer["result"]["structuredContent"].clone()
}

fn agents(home: &Home) -> usize {
    let marked = callboard_tests::marked_processes("CALLBOARD_ATTEMPT=");
    let ours = home.processes();
    marked.iter().filter(|pid| ours.contains(pid)).count()
}

fn a_run_ends_with_its_token(end: End, why: &str) {
    let home = Home::new();
    let path = project(&home);
    let mut served = Served::start(&home, "");
    let mine = home.callboard(&["token", "header", "--plain"]);
    served.show(&token(&home, &["ci", "--role", "developer"]));
    let run = call(&served, "roadmap_start", &path)["run"].clone();
    assert!(wait_until(LONG, || agents(&home) > 0), "no agent works");

    end(&home, "ci");
    served.show(mine.out.trim());
    let mut table = Value::Null;
    let stopped = wait_until(LONG, || {
        table = call(&served, "roadmap_status", &path);
        table["state"] == "stopped"
    });
    assert!(stopped, "{table}");
    assert_eq!(table["run"], run, "{table}");
    let first = &table["items"][0]["attempts"];
    assert_eq!(first.as_array().unwrap().len(), 1, "{table}");
    assert_eq!(first[0]["outcome"], "interrupted", "{table}");
    assert_eq!(agents(&home), 0);
    let told = call(&served, "roadmap_wait", &path);
    for said in [&table["notes"][0], &told["summary"]] {
        assert!(said.as_str().unwrap().contains(why), "{said}");
    }
    let written = wait_until(LONG, || {
        let rows = audit(&home);
        let mut stops = rows.iter().filter(|row| row["verb"] == "run_stop");
        stops.any(|row| row["subject"] == run && row["detail"]["why"].to_string().contains(why))
    });
    assert!(written, "{:?}", audit(&home));
    // What it put back is there for others.
    let again = call(&served, "roadmap_start", &path);
    assert_eq!(again["already_running"], false, "{again}");
    let claimed = wait_until(LONG, || agents(&home) > 0);
    assert!(claimed, "{}", call(&served, "roadmap_status", &path));
    assert_eq!(call(&served, "roadmap_stop", &path)["state"], "stopped");
}

#[test]
fn a_run_ends_when_the_token_that_began_it_is_revoked() {
    a_run_ends_with_its_token(revoke, "the token ci was revoked");
}

#[test]
fn a_run_ends_when_the_token_that_began_it_expires() {
    a_run_ends_with_its_token(expire, "the token ci has expired");
}
