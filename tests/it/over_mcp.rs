//! The main job entirely through the MCP servers: one client loads, starts and waits, another one on the
//! same board watches.

use crate::example::{assert_tidy_at, example, state};
use callboard_tests::{Client, Home, wait_until};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The example's files as somebody's repository, with a bare origin.
fn project(home: &Home) -> PathBuf {
    let dir = home.path().join("work").join("tally");
    copy(&example(), &dir);
    home.git(&dir, &["init", "-q", "-b", "main"]);
    home.git(&dir, &["add", "-A"]);
    home.git(&dir, &["commit", "-q", "-m", "chore: start"]);
    let origin = home.path().join("work").join("origin.git");
    home.git(
        &dir,
        &["clone", "-q", "--bare", ".", origin.to_str().unwrap()],
    );
    home.git(&dir, &["remote", "add", "origin", origin.to_str().unwrap()]);
    dir
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            if entry.file_name() != "target" {
                copy(&entry.path(), &target);
            }
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn wait_for_the_end(client: &mut Client, path: &Path) -> Value {
    for _ in 0..20 {
        let waited = client.must("roadmap_wait", &json!({"path": path, "timeout_s": 30}));
        let state = waited["state"].as_str().unwrap();
        if !["starting", "running", "stopping"].contains(&state) {
            return waited;
        }
    }
    panic!("the run does not end");
}

#[test]
fn a_client_works_a_roadmap_through_the_servers() {
    let home = Home::new();
    let path = project(&home);
    let mut roadmap = home.server("roadmap").hello();
    let mut assigner = home.server("assigner").hello();

    let read = roadmap.must("roadmap_read", &json!({"path": path}));
    assert!(read.to_string().contains("Totals by category"), "{read}");
    let loaded = roadmap.must("roadmap_load", &json!({"path": path}));
    assert_eq!(loaded["posted"], 7, "{loaded}");
    let posted = assigner.must(
        "task_list",
        &json!({"states": ["ready", "waiting"], "limit": 20}),
    );
    assert_eq!(posted["tasks"].as_array().unwrap().len(), 7, "{posted}");

    let started = roadmap.must("roadmap_start", &json!({"path": path}));
    assert_eq!(started["already_running"], false, "{started}");
    let ended = wait_for_the_end(&mut roadmap, &path);
    assert_eq!(ended["all_done"], true, "{ended}");

    let report = roadmap.must("roadmap_status", &json!({"path": path}));
    assert_done(&report);
    for task in loaded["items"].as_array().unwrap() {
        let seen = assigner.must("task_get", &json!({"id": task["task"]}));
        assert!(seen.to_string().contains("\"done\""), "{seen}");
    }
    let state = state(&home, &path, &report);
    assert!(
        state.merges.len() == 7 && state.merges.values().all(|count| *count == 1),
        "{state:?}"
    );
    drop((roadmap, assigner));
    assert!(
        wait_until(Duration::from_secs(5), || home.processes().is_empty()),
        "{:?}",
        home.processes()
    );
    assert_tidy_at(
        &home,
        &path,
        &home.board(),
        &home.path().join("work").join("origin.git"),
    );
}

fn assert_done(report: &Value) {
    let items = report["items"].as_array().unwrap();
    assert_eq!(items.len(), 7, "{report}");
    assert!(
        items.iter().all(|item| item["outcome"] == "done"),
        "{report}"
    );
    for first in ["failed", "timed_out", "conflict"] {
        assert!(
            items
                .iter()
                .any(|item| item["attempts"][0]["outcome"] == first
                    && item["attempts"][1]["outcome"] == "done"),
            "none {first} at first: {report}"
        );
    }
}

#[test]
fn work_ends_with_the_client_and_the_command_goes_on() {
    let home = Home::new();
    let path = project(&home);
    let mut roadmap = home.server("roadmap").hello();
    roadmap.must("roadmap_start", &json!({"path": path}));
    let agents = || {
        callboard_tests::marked_processes("CALLBOARD_ATTEMPT=")
            .into_iter()
            .filter(|pid| home.processes().contains(pid))
            .count()
    };
    assert!(
        wait_until(Duration::from_secs(20), || agents() > 0),
        "no agent was started"
    );
    roadmap.close();
    let (code, took) = roadmap.ended();
    assert!(
        code == 0 && took < Duration::from_secs(5),
        "{code} after {took:?}"
    );
    assert!(
        wait_until(Duration::from_secs(5), || home.processes().is_empty()),
        "{:?}",
        home.processes()
    );

    let done = home.callboard(&["run", path.to_str().unwrap(), "--json"]);
    assert_eq!(done.code, 0, "{done:?}");
    let report = crate::example::report(&done);
    assert!(report.to_string().contains("\"interrupted\""), "{report}");
    assert_tidy_at(
        &home,
        &path,
        &home.board(),
        &home.path().join("work").join("origin.git"),
    );
}
