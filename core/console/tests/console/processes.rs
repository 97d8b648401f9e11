//! Naming processes, finding marked ones, ending foreign trees.

use std::{
    process::{Child, Stdio},
    time::Duration,
};

use callboard_console::{ProcessId, end_marked, end_processes, processes_with_env};

use crate::stage::{PATH, Stage, until};

const BOUND: Duration = Duration::from_secs(30);

#[expect(
    clippy::disallowed_methods,
    reason = "a tree that no supervisor of ours has"
)]
fn foreign(stage: &Stage, script: &str) -> Child {
    let mut command = std::process::Command::new("/bin/sh");
    command
        .args(["-c", script])
        .current_dir(stage.path(""))
        .env_clear();
    command
        .env("PATH", PATH)
        .env("CALLBOARD_ATTEMPT", &stage.mark)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command.spawn().unwrap()
}

#[test]
fn we_are_alive_and_a_recycled_number_is_not_us() {
    let us = ProcessId::current();
    assert_eq!(us.pid, std::process::id());
    assert!(us.is_alive() && ProcessId::of(us.pid) == Some(us));
    assert!(
        !ProcessId {
            start_ticks: us.start_ticks + 1,
            ..us
        }
        .is_alive()
    );
    assert!(ProcessId::of(u32::MAX).is_none());
}

#[test]
fn one_that_ended_but_was_not_collected_is_not_alive() {
    let stage = Stage::new();
    let mut child = foreign(&stage, "exit 0");
    let id = ProcessId::of(child.id()).unwrap();
    until("it ended", || !id.is_alive());
    assert_eq!(
        ProcessId::of(child.id()),
        Some(id),
        "its number is still taken"
    );
    child.wait().unwrap();
    assert_ne!(ProcessId::of(id.pid), Some(id));
}

#[test]
fn processes_are_found_by_what_they_were_started_with() {
    let stage = Stage::new();
    let mut child = foreign(&stage, "sleep 1000; true");
    until("both run", || stage.marked().len() == 2);
    assert!(stage.marked().iter().any(|id| id.pid == child.id()));
    let all = processes_with_env("CALLBOARD_ATTEMPT", None);
    assert_eq!(
        all.iter().filter(|(_, value)| *value == stage.mark).count(),
        2
    );
    assert!(processes_with_env("CALLBOARD_ATTEMPT", Some(&stage.mark[1..])).is_empty());
    assert!(processes_with_env("ALLBOARD_ATTEMPT", Some(&stage.mark)).is_empty());
    assert_eq!(end_marked("CALLBOARD_ATTEMPT", &stage.mark, BOUND), []);
    assert!(stage.marked().is_empty());
    child.wait().unwrap();
}

#[test]
fn a_foreign_tree_is_ended_with_all_below_it() {
    let stage = Stage::new();
    let script = "trap '' TERM HUP; (setsid sh -c 'trap \"\" TERM; echo $$ >deep; sleep 1000; true'; true) & sleep 1000";
    let mut child = foreign(&stage, script);
    let (root, deep) = (ProcessId::of(child.id()).unwrap(), stage.process_in("deep"));
    until("all run", || stage.marked().len() >= 5);
    assert_eq!(end_processes(&[root], BOUND), []);
    assert!(!root.is_alive() && !deep.is_alive() && stage.marked().is_empty());
    child.wait().unwrap();
}

#[test]
fn a_recycled_number_is_not_ended() {
    let stage = Stage::new();
    let mut child = foreign(&stage, "sleep 1000; true");
    let id = ProcessId::of(child.id()).unwrap();
    let stale = ProcessId {
        start_ticks: id.start_ticks - 1,
        ..id
    };
    assert_eq!(end_processes(&[stale], BOUND), []);
    assert!(id.is_alive());
    assert_eq!(end_processes(&[id], BOUND), []);
    child.wait().unwrap();
}

#[test]
fn neither_we_nor_our_ancestors_are_ended() {
    let us = ProcessId::current();
    let parent = ProcessId::of(std::os::unix::process::parent_id()).unwrap();
    let first = ProcessId::of(1).unwrap();
    let mut left = end_processes(&[us, parent, first], Duration::from_millis(100));
    left.retain(|id| *id != us && *id != parent && *id != first);
    assert_eq!(left, []);
    assert!(us.is_alive() && parent.is_alive() && first.is_alive());
}

#[test]
fn a_storm_that_nobody_adopts_is_caught_by_its_mark() {
    let stage = Stage::new();
    std::fs::File::create(stage.path("go")).unwrap();
    let mut child = foreign(
        &stage,
        "f() { [ -e go ] && { : >gust; f & }; exit; }; f & f & sleep 1000",
    );
    until("it storms", || stage.path("gust").exists());
    assert_eq!(end_marked("CALLBOARD_ATTEMPT", &stage.mark, BOUND), []);
    std::fs::remove_file(stage.path("gust")).unwrap();
    for _ in 0..50 {
        assert!(stage.marked().is_empty());
    }
    assert!(!stage.path("gust").exists(), "it storms on");
    child.wait().unwrap();
}
