//! What a process says when it panics while it uses secrets, seen from outside.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::panic)]

use callboard_redact::{Secret, guard_panics, inherit, register};
use std::process::{Command, Output};

const VALUE: &str = "canary \"panic\" 91c2\\e7";
const INHERITED: &str = "canary-inherited-5b3a";

/// Runs one of the ignored tests below as a process of its own.
fn child(name: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env("RUST_BACKTRACE", "full")
        .env("CALLBOARD_SECRETS", "API_KEY,NOT_SET")
        .env("API_KEY", INHERITED)
        .output()
        .unwrap()
}

fn begin() {
    guard_panics();
    register("VALUE", &Secret::new(VALUE.to_owned())).unwrap();
    inherit(|name| std::env::var(name).ok()).unwrap();
}

#[test]
#[ignore = "a child of the test below"]
fn panics_with_a_value() {
    begin();
    format!("{VALUE} and {INHERITED}")
        .parse::<u64>()
        .map_err(|why| format!("{why}: {VALUE} and {INHERITED}"))
        .unwrap();
}

#[test]
#[ignore = "a child of the test below"]
fn panics_in_a_thread() {
    begin();
    let thread = std::thread::Builder::new().name(format!("worker {INHERITED}"));
    let ended = thread
        .spawn(|| panic!("in the middle of {VALUE:?}"))
        .unwrap()
        .join();
    assert!(ended.is_err());
}

#[test]
#[ignore = "a child of the test below"]
fn leaves_no_core() {
    begin();
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let core = limits
        .lines()
        .find(|line| line.contains("core file"))
        .unwrap();
    eprintln!("LIMIT {}", core.split_whitespace().nth(4).unwrap());
    std::process::abort();
}

#[test]
fn a_panic_tells_what_happened_without_the_values() {
    for (name, marks) in [("panics_with_a_value", 2), ("panics_in_a_thread", 2)] {
        let ended = child(name);
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&ended.stdout),
            String::from_utf8_lossy(&ended.stderr)
        );
        assert!(
            said.contains("panicked at") && said.contains("stack backtrace"),
            "{said}"
        );
        assert!(said.matches("[vault:").count() >= marks, "{name}: {said}");
        assert!(!said.contains("canary"), "{name}: {said}");
    }
}

#[test]
fn a_crash_leaves_no_core() {
    let ended = child("leaves_no_core");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(
        said.contains("LIMIT 0\n") || said.contains("LIMIT 1\n"),
        "{said}"
    );
    use std::os::unix::process::ExitStatusExt as _;
    assert!(
        ended.status.signal().is_some() && !ended.status.core_dumped(),
        "{ended:?}"
    );
}
