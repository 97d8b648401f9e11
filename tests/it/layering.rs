//! Imports go one way. Tests, benches and development dependencies are exempt.

use std::collections::BTreeMap;
use std::process::Command;

/// What each crate may import of ours. A server uses the core and never another server.
const ALLOWED: [(&str, &[&str]); 20] = [
    ("callboard-redact", &[]),
    ("callboard-store", &["callboard-redact"]),
    ("callboard-config", &[]),
    ("callboard-console", &["callboard-redact"]),
    ("callboard-worktree", &[]),
    ("callboard-roadmap", &[]),
    ("callboard-scenario", &["callboard-redact"]),
    (
        "callboard-telemetry",
        &["callboard-redact", "callboard-store"],
    ),
    (
        "callboard-limits",
        &["callboard-store", "callboard-telemetry"],
    ),
    (
        "callboard-scheduling",
        &["callboard-store", "callboard-telemetry"],
    ),
    (
        "callboard-routing",
        &[
            "callboard-limits",
            "callboard-redact",
            "callboard-store",
            "callboard-telemetry",
        ],
    ),
    (
        "callboard-mcp",
        &[
            "callboard-console",
            "callboard-redact",
            "callboard-store",
            "callboard-telemetry",
        ],
    ),
    (
        "callboard-crew",
        &[
            "callboard-config",
            "callboard-console",
            "callboard-models",
            "callboard-redact",
            "callboard-roadmap",
            "callboard-scheduling",
            "callboard-store",
            "callboard-telemetry",
            "callboard-worktree",
        ],
    ),
    (
        "callboard-board",
        &[
            "callboard-limits",
            "callboard-mcp",
            "callboard-scheduling",
            "callboard-store",
            "callboard-telemetry",
        ],
    ),
    (
        "callboard-models",
        &[
            "callboard-config",
            "callboard-console",
            "callboard-limits",
            "callboard-redact",
            "callboard-routing",
            "callboard-scheduling",
            "callboard-store",
            "callboard-telemetry",
        ],
    ),
    ("callboard-assigner-server", CORE),
    ("callboard-llm-server", CORE),
    ("callboard-roadmap-server", CORE),
    ("callboard-telemetry-server", CORE),
    ("callboard", ANY),
];

const CORE: &[&str] = &[
    "callboard-board",
    "callboard-config",
    "callboard-console",
    "callboard-crew",
    "callboard-limits",
    "callboard-mcp",
    "callboard-models",
    "callboard-redact",
    "callboard-roadmap",
    "callboard-routing",
    "callboard-scheduling",
    "callboard-store",
    "callboard-telemetry",
    "callboard-worktree",
];
const ANY: &[&str] = &["*"];

/// Third-party crates that only their owners may import.
const OWNERS: [(&str, &[&str]); 8] = [
    ("rusqlite", &["callboard-store"]),
    ("git2", &["callboard-worktree"]),
    ("rmcp", &["callboard-mcp"]),
    (
        "anyhow",
        &[
            "callboard",
            "callboard-assigner-server",
            "callboard-llm-server",
            "callboard-roadmap-server",
            "callboard-telemetry-server",
            "callboard-tests",
        ],
    ),
    ("indicatif", &["callboard"]),
    ("prometheus-client", &["callboard-telemetry"]),
    ("tiny-skia", &["callboard-telemetry-server"]),
    ("ttf-parser", &["callboard-telemetry-server"]),
];

fn imports() -> BTreeMap<String, Vec<String>> {
    let done = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(callboard_tests::root())
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap().iter();
            let normal = dependencies.filter(|dependency| dependency["kind"].is_null());
            let names = normal.map(|dependency| dependency["name"].as_str().unwrap().to_owned());
            (
                package["name"].as_str().unwrap().to_owned(),
                names.collect(),
            )
        })
        .collect()
}

#[test]
fn imports_go_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into_iter().collect();
    for (package, dependencies) in imports() {
        if package == "callboard-tests" {
            continue;
        }
        let may = allowed
            .get(package.as_str())
            .unwrap_or_else(|| panic!("{package} has no place in the layering"));
        for dependency in dependencies
            .iter()
            .filter(|name| name.starts_with("callboard"))
        {
            assert!(
                may.contains(&"*") || may.contains(&dependency.as_str()),
                "{package} must not import {dependency}"
            );
        }
    }
}

#[test]
fn third_party_crates_stay_with_their_owners() {
    let imports = imports();
    for (third, owners) in OWNERS {
        for (package, dependencies) in &imports {
            if dependencies.iter().any(|name| name == third) && package != "callboard-tests" {
                assert!(
                    owners.contains(&package.as_str()),
                    "{package} must not import {third}"
                );
            }
        }
    }
}

/// What a handler begins beside itself would lose who is at work, and its rows in the audit would name nobody.
#[test]
fn nothing_is_begun_beside_a_handler_without_its_actor() {
    let bare = ["tokio::spawn(", "task::spawn(", "task::spawn_blocking("];
    let root = callboard_tests::root();
    let mut seen = 0;
    for place in ["servers", "core/mcp/src", "core/crew/src", "core/board/src"] {
        for file in sources(&root.join(place)) {
            seen += 1;
            let text = std::fs::read_to_string(&file).unwrap();
            // Unit tests stand at the end of a file.
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            for (at, line) in code.lines().enumerate() {
                assert!(
                    !bare.iter().any(|call| line.contains(call)),
                    "{}:{}: use callboard_store::actor::spawn or spawn_blocking, which keep who is at work",
                    file.display(),
                    at + 1
                );
            }
        }
    }
    assert!(seen > 100, "{seen} files");
}

fn sources(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push(path);
        }
    }
    found
}
