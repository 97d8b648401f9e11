//! What the documents claim is so: commands, flags, settings, tools, places.

use crate::wrong_input::SERVERS;
use callboard_tests::{Home, root};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const DOCUMENTS: [&str; 3] = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"];

/// Commands that have commands.
const GROUPS: [&str; 1] = ["token"];

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn help(home: &Home, command: &str) -> String {
    let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
    let done = home.callboard(&words);
    assert_eq!(
        done.code, 0,
        "`callboard {command}` is no command: {}",
        done.err
    );
    done.out
}

/// The fenced blocks of a language, without their fences.
fn fenced(text: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (&mut open, line.trim().strip_prefix("```")) {
            (None, Some(language)) => open = Some((language.to_owned(), String::new())),
            (Some((_, block)), None) => *block += &format!("{line}\n"),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    blocks
        .into_iter()
        .filter(|(found, _)| found == language)
        .map(|(_, block)| block)
        .collect()
}

/// Code spans within lines.
fn spans(text: &str) -> Vec<String> {
    let outside: String = text.split("```").step_by(2).collect();
    outside
        .split('`')
        .skip(1)
        .step_by(2)
        .map(|span| span.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// Commands that can be typed: the lines of shell blocks, joined where they go on, and code spans.
fn commands(text: &str) -> Vec<String> {
    let blocks = fenced(text, "sh").join("\n").replace("\\\n", " ");
    let mut lines: Vec<String> = blocks
        .lines()
        .map(|line| line.split(" #").next().unwrap().trim().to_owned())
        .collect();
    lines.extend(spans(text));
    lines
}

/// What is ours of a command line: the words after `callboard`, without what is quoted for others.
fn words(command: &str) -> Option<Vec<String>> {
    let rest = command
        .strip_prefix("callboard ")
        .or_else(|| command.strip_prefix("cargo run --release -- "))?;
    let unquoted: String = rest.split('\'').step_by(2).collect();
    Some(unquoted.split_whitespace().map(str::to_owned).collect())
}

#[test]
fn every_command_in_the_documents_exists() {
    let home = Home::new();
    let mut seen = 0;
    for document in DOCUMENTS {
        for command in commands(&read(document)) {
            let Some(words) = words(&command) else {
                continue;
            };
            let Some(name) = words.first().filter(|name| !name.starts_with('-')) else {
                continue;
            };
            let group = words.get(1).filter(|_| GROUPS.contains(&name.as_str()));
            let help = match group {
                Some(command) => help(&home, &format!("{name} {command}")),
                None => help(&home, name),
            };
            for flag in words.iter().filter(|word| word.starts_with("--")) {
                let flag = flag.split('=').next().unwrap();
                assert!(
                    help.contains(&format!("{flag} ")) || help.contains(&format!("{flag}\n")),
                    "{document}: {command}: no {flag}"
                );
            }
            seen += 1;
        }
    }
    assert!(seen >= 5, "only {seen} commands were found");
}

#[test]
fn every_flag_in_the_documents_exists() {
    let home = Home::new();
    let all: String = [
        "run",
        "serve",
        "audit",
        "token add",
        "token header",
        "init",
        "test",
        "evaluate",
        "doctor",
        "trust",
        "assigner",
        "roadmap",
        "llm",
        "telemetry",
        "backup",
        "restore",
        "vault",
    ]
    .iter()
    .map(|name| help(&home, name))
    .collect();
    for document in DOCUMENTS {
        for span in spans(&read(document))
            .iter()
            .filter(|span| span.starts_with("--") && span.len() > 2)
        {
            let flag = span.split([' ', '=']).next().unwrap();
            // Flags of cargo and git are named where those are meant.
            let others = ["--workspace", "--no-track", "--release", "--locked"];
            assert!(
                all.contains(flag) || others.contains(&flag),
                "{document}: {flag} is a flag of nothing"
            );
        }
    }
}

#[test]
fn the_readme_has_the_two_commands_and_no_gap() {
    let readme = read("README.md");
    for command in ["cargo run --release -- run examples/tally", "tests/run"] {
        assert!(
            fenced(&readme, "sh")
                .iter()
                .any(|block| block.contains(command)),
            "{command}"
        );
    }
    assert!(
        readme.contains("claude -p"),
        "a working line for a real agent"
    );
    for document in DOCUMENTS {
        let text = read(document);
        for gap in ["@@", "TODO", "TBD", "lorem"] {
            assert!(!text.contains(gap), "{document} has {gap}");
        }
    }
}

#[test]
fn links_lead_somewhere() {
    for document in DOCUMENTS {
        for link in read(document)
            .split("](")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap().to_owned())
        {
            let here = link.split('#').next().unwrap();
            if !here.is_empty() && !here.contains("://") {
                assert!(root().join(here).exists(), "{document}: {link}");
            }
        }
    }
}

#[test]
fn every_setting_is_documented() {
    let readme = read("README.md");
    for key in callboard_config::KEYS {
        assert!(
            readme.contains(&format!("`{}`", key.name)),
            "{} is not in README.md",
            key.name
        );
    }
    assert!(
        !callboard_config::KEYS.is_empty() && callboard_config::reference().contains("run.agents")
    );
}

#[test]
fn the_settings_shown_are_accepted() {
    let home = Home::new();
    let shown = fenced(&read("README.md"), "toml");
    assert!(!shown.is_empty());
    home.write(
        &home.path().join("config/callboard/config.toml"),
        &shown.join("\n"),
    );
    let told = home.callboard(&["doctor", "--json"]);
    let answer: Value =
        serde_json::from_str(&told.out).unwrap_or_else(|error| panic!("{error}: {told:?}"));
    assert_eq!(answer["healthy"], true, "{answer}");
    let from_file = |row: &Value| row["source"].as_str().unwrap().contains("config.toml:");
    assert!(
        answer["settings"].as_array().unwrap().iter().any(from_file),
        "{answer}"
    );
}

#[test]
fn the_tools_named_are_the_tools_there_are() {
    let home = Home::new();
    let readme = read("README.md");
    for server in SERVERS {
        let listed = home
            .server(server)
            .hello()
            .request("tools/list", &json!({}))["result"]["tools"]
            .clone();
        let there: BTreeSet<String> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| tool["name"].as_str().unwrap().to_owned())
            .collect();
        let row = readme
            .lines()
            .find(|line| line.starts_with(&format!("| `{server}` |")));
        let row = row.unwrap_or_else(|| panic!("README.md has no row for {server}"));
        let named: BTreeSet<String> = row
            .split('`')
            .skip(1)
            .step_by(2)
            .skip(1)
            .map(str::to_owned)
            .collect();
        assert_eq!(named, there, "{server}");
    }
}

#[test]
fn what_init_writes_is_what_the_documents_show() {
    let home = Home::new();
    let done = home.callboard(&["init", "--path", home.path().to_str().unwrap()]);
    assert_eq!(done.code, 0, "{done:?}");
    let text = std::fs::read_to_string(home.path().join(".mcp.json")).unwrap();
    let mut written: Value = serde_json::from_str(&text).unwrap();
    for server in written["mcpServers"].as_object_mut().unwrap().values_mut() {
        // In full where `callboard` is not the one of the search path.
        server["command"] = json!("callboard");
    }
    let shown = fenced(&read("README.md"), "json");
    let shown = shown.iter().find(|block| block.contains("mcpServers"));
    for text in [shown.unwrap(), &read("mcp.json")] {
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), written);
    }
}

#[test]
fn mcp_json_names_the_servers_that_exist() {
    let servers = serde_json::from_str::<Value>(&read("mcp.json")).unwrap()["mcpServers"].clone();
    let named: BTreeSet<&str> = servers
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let there: BTreeSet<String> = std::fs::read_dir(root().join("servers"))
        .unwrap()
        .map(Result::unwrap)
        // The command and what has no tools are none.
        .filter(|entry| entry.path().join("src/tools").is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert_eq!(named, there.iter().map(String::as_str).collect());
    assert_eq!(
        named,
        BTreeSet::from(SERVERS),
        "every server is in every test that enumerates them"
    );
    let home = Home::new();
    for (name, server) in servers.as_object().unwrap() {
        assert_eq!(server["command"], "callboard", "{name}");
        let args: Vec<&str> = server["args"]
            .as_array()
            .unwrap()
            .iter()
            .map(|arg| arg.as_str().unwrap())
            .collect();
        let mut command = home.command("callboard");
        command.args(&args);
        let mut client = callboard_tests::Client::start(command).hello();
        assert_eq!(
            client.request("ping", &json!({}))["result"],
            json!({}),
            "{name}"
        );
    }
}

#[test]
fn json_shown_is_json() {
    for block in fenced(&read("README.md"), "json") {
        if let Err(error) = serde_json::from_str::<Value>(&block) {
            panic!("{error}: {block}");
        }
    }
}

#[test]
fn the_architecture_has_a_place_for_every_member() {
    let manifest = read("Cargo.toml");
    let members = manifest
        .split_once("members = [")
        .unwrap()
        .1
        .split_once(']')
        .unwrap()
        .0;
    let architecture = read("ARCHITECTURE.md");
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    assert!(members.len() > 10, "{members:?}");
    for member in members {
        let crate_name = member.rsplit('/').next().unwrap();
        let named =
            architecture.contains(member) || architecture.contains(&format!("`{crate_name}`"));
        assert!(named, "{member} is not in ARCHITECTURE.md");
    }
}

#[test]
fn places_named_exist() {
    let top: Vec<&str> = vec!["core/", "servers/", "tests/", "examples/"];
    for document in ["README.md", "ARCHITECTURE.md"] {
        for span in spans(&read(document)) {
            let place = span.split(' ').next().unwrap();
            let plain =
                top.iter().any(|dir| place.starts_with(dir)) && !place.contains(['<', '*', '{']);
            if plain {
                assert!(root().join(place).exists(), "{document}: {place}");
            }
        }
    }
}

#[test]
fn the_changelog_has_what_is_not_released() {
    let changelog = read("CHANGELOG.md");
    let (_, unreleased) = changelog
        .split_once("## Unreleased")
        .expect("## Unreleased");
    assert!(
        unreleased.lines().any(|line| line.starts_with("- ")),
        "nothing is unreleased"
    );
}

#[test]
fn licences_are_there() {
    let manifest = read("Cargo.toml");
    assert!(manifest.contains("MIT OR Apache-2.0"));
    assert!(
        read("LICENSE-MIT").contains("MIT License")
            && read("LICENSE-APACHE").contains("Apache License")
    );
    assert!(read("LICENSE").contains("MIT") && read("LICENSE").contains("Apache"));
}
