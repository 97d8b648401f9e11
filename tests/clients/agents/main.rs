//! Claude Code and Codex, as they are installed from npm, against a model that plays a script: the agents are real, so
//! are the calls of our tools.
//!
//! Needs what `tests/clients/install agents` brings; `tests/run clients` does. Each agent runs in an empty environment
//! with a home of its own and a made-up key, and nothing of it is left when it ends.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests start processes and fail loudly"
)]

mod claude;
mod codex;
mod gateway;
#[path = "../place.rs"]
#[allow(dead_code, reason = "agents need less of a place than clients do")]
mod place;

use callboard_tests::deps::{claude_code, codex};
use callboard_tests::{Home, Running, binaries, binary, wait_until};
use place::Place;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

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

/// What the model does when it is asked to post a task.
fn posting() -> Value {
    json!([{"on": "post the task", "do": [
        {"call": "mcp__assigner__task_add", "with": {"title": "from an agent", "priority": 6}},
        {"call": "mcp__assigner__task_get", "with": {"id": "{id}"}},
        {"call": "mcp__assigner__task_list", "with": {"states": ["ready"]}},
        {"say": "the board says: {result}"},
    ]}])
}

/// Whether the model was given, for what [`posting`] calls, what the tools answered as structured content.
fn assert_posted(results: &[String], home: &Home) -> String {
    let [added, got, listed] = results else {
        panic!("not three results: {results:#?}");
    };
    let (added, got, listed) = (object(added), object(got), object(listed));
    assert_eq!(added["created"], true, "{added:#}");
    assert_eq!(got["title"], "from an agent", "{got:#}");
    assert_eq!(got["priority"], 6, "{got:#}");
    assert_eq!(listed["tasks"][0]["id"], added["id"], "{listed:#}");
    let seen = home
        .server("assigner")
        .hello()
        .must("task_get", &json!({"id": added["id"]}));
    assert_eq!(seen["title"], "from an agent", "{seen:#}");
    added["id"].as_str().unwrap().to_owned()
}

/// The JSON object of a result, after the line or two that Codex puts before it.
fn object(result: &str) -> Value {
    let at = result
        .find('{')
        .unwrap_or_else(|| panic!("no JSON: {result}"));
    serde_json::from_str(&result[at..]).unwrap_or_else(|error| panic!("{error}: {result}"))
}

/// Lines of JSON.
fn lines(out: &str) -> Vec<Value> {
    out.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// Nothing that ran in this home goes on, neither the agent nor our servers.
fn assert_over(place: &Place) {
    let home = place.home();
    let left = || {
        let ours = match place.served() {
            Some(pid) => vec![pid],
            None => Vec::new(),
        };
        let mut left = home.processes();
        left.retain(|pid| !ours.contains(pid));
        left
    };
    assert!(
        wait_until(Duration::from_secs(10), || left().is_empty()),
        "{:?} still run",
        left()
    );
}

/// Where a home's user works, and starts agents.
fn work(home: &Path) -> PathBuf {
    let work = home.join("work");
    std::fs::create_dir_all(&work).unwrap();
    work
}

/// PATH of a user who has `callboard` installed.
fn path() -> String {
    format!("{}:/usr/bin:/bin", binaries().display())
}

/// What says where the user's own configuration and data are: not where they are without a word.
fn places(place: &Place) -> Vec<(String, String)> {
    let all = place.environment().into_iter();
    all.filter(|(name, _)| name.starts_with("XDG_"))
        .map(|(name, value)| (name, value.as_str().unwrap().to_owned()))
        .collect()
}

/// Has `callboard init` write the file of this client, in the environment in which the agent starts.
fn initialised(place: &Place, client: &str) {
    let home = place.home().path();
    let mut command = Command::new(binary("callboard"));
    command
        .env_clear()
        .current_dir(work(home))
        .env("PATH", path())
        .env("HOME", home)
        .envs(places(place));
    command.args(["init", "--client", client]);
    if place.served().is_some() {
        command.args(["--transport", "http", "--url", place.url()]);
    }
    let done = Running::of(command).finish();
    assert_eq!(done.code, 0, "{done:#?}");
}

/// One of our servers, with what the client sends it copied to a file.
fn tapped(place: &Place, server: &str) -> Value {
    let line = r#"tee "$0" | "$1" "$2""#;
    json!({
        "type": "stdio",
        "command": "/bin/sh",
        "args": ["-c", line, tap(place, server), binary("callboard"), server],
        "env": place.environment(),
    })
}

fn tap(place: &Place, server: &str) -> PathBuf {
    place.home().path().join(format!("{server}.sent"))
}

/// What the client sent to a tapped server.
fn sent(place: &Place, server: &str) -> Vec<Value> {
    lines(&std::fs::read_to_string(tap(place, server)).unwrap())
}

fn methods(sent: &[Value]) -> Vec<&str> {
    sent.iter()
        .filter_map(|message| message["method"].as_str())
        .collect()
}
