//! No component's tables are forgotten.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The call logs, and how far they were sent on, have a file of their own.
const ELSEWHERE: &[&str] = &["call_log", "llm_call", "otlp"];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs")
            && !path.ends_with("tests.rs")
        {
            found.push(path);
        }
    }
}

/// The components that the crates' sources name.
fn declared() -> BTreeSet<String> {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(core).unwrap() {
        let src = entry.unwrap().path().join("src");
        if src.is_dir() {
            sources(&src, &mut files);
        }
    }
    let mut components = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod").next().unwrap();
        for after in code.split("component: \"").skip(1) {
            components.insert(after.split('"').next().unwrap().to_owned());
        }
    }
    components
}

#[test]
fn every_component_is_on_the_list() {
    let listed: BTreeSet<String> = callboard_board::TABLES
        .iter()
        .flat_map(|list| list.iter())
        .map(|migration| migration.component.to_owned())
        .chain(ELSEWHERE.iter().map(|name| (*name).to_owned()))
        .collect();
    let declared = declared();
    assert!(declared.contains("scheduling"), "{declared:?}");
    assert_eq!(declared, listed);
}

#[test]
fn a_board_opens_twice() {
    let dir = tempfile::tempdir().unwrap();
    let one = callboard_board::open(dir.path()).unwrap();
    let two = callboard_board::open(dir.path()).unwrap();
    assert_eq!(one.path(), two.path());
}
