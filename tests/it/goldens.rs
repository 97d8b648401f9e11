//! What each server offers, kept beside the tests: a change shows in review, with its size.
//!
//! `UPDATE_GOLDEN=1` writes the files anew.

use crate::wrong_input::SERVERS;
use callboard_tests::{Home, root};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The most that a server's tools may cost a model.
const MAX_TOKENS: usize = 2_500;
const MAX_TOOLS: usize = 12;

fn golden(name: &str) -> PathBuf {
    root().join("tests").join("golden").join(name)
}

fn tools(server: &str) -> Value {
    let home = Home::new();
    let mut client = home.server(server).hello();
    client.request("tools/list", &json!({}))["result"]["tools"].clone()
}

/// A token is about four bytes.
fn tokens(tools: &Value) -> usize {
    tools.to_string().len().div_ceil(4)
}

fn line(server: &str, tools: &Value) -> String {
    format!(
        "{server}: {} tools, {} tokens\n",
        tools.as_array().unwrap().len(),
        tokens(tools)
    )
}

/// One test: the files are written together.
#[test]
fn tools_are_as_their_goldens_say() {
    let mut counts = String::new();
    for server in SERVERS {
        let tools = tools(server);
        counts += &line(server, &tools);
        assert_fits(&format!("{server}.json"), &format!("{tools:#}\n"));
    }
    assert_fits("tokens.txt", &counts);
}

/// Compares, or writes the golden where that was asked for.
pub fn assert_fits(name: &str, now: &str) {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let path = golden(name);
    if update {
        std::fs::write(&path, now).unwrap();
    }
    let kept = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let differs = kept
        .lines()
        .zip(now.lines())
        .find(|(kept, now)| kept != now);
    assert!(
        kept == now,
        "{} is out of date (UPDATE_GOLDEN=1 writes it anew); first difference, kept and now: {differs:?}",
        path.display()
    );
}

#[test]
fn tools_are_few_small_and_annotated() {
    for server in SERVERS {
        let tools = tools(server);
        let list = tools.as_array().unwrap();
        assert!(list.len() <= MAX_TOOLS, "{server} has {} tools", list.len());
        assert!(
            tokens(&tools) <= MAX_TOKENS,
            "{server} takes {} tokens",
            tokens(&tools)
        );
        for tool in list {
            let name = tool["name"].as_str().unwrap();
            for hint in [
                "readOnlyHint",
                "destructiveHint",
                "idempotentHint",
                "openWorldHint",
            ] {
                assert!(
                    tool["annotations"][hint].is_boolean(),
                    "{server} {name} has no {hint}"
                );
            }
            // An answer with a picture has no structured part, because clients show only that; so no schema either.
            let pictures = (server, name) == ("telemetry", "costs");
            assert!(
                tool["outputSchema"].is_object() != pictures,
                "{server} {name}: output schema"
            );
            assert!(
                tool["description"]
                    .as_str()
                    .is_some_and(|text| text.len() > 20),
                "{server} {name}"
            );
            assert_eq!(
                tool["inputSchema"]["additionalProperties"], false,
                "{server} {name}"
            );
        }
    }
}

#[test]
fn resources_and_prompts_are_named_and_described() {
    let home = Home::new();
    for server in SERVERS {
        let mut client = home.server(server).hello();
        let mut found = 0;
        for (method, list) in [
            ("resources/list", "resources"),
            ("resources/templates/list", "resourceTemplates"),
            ("prompts/list", "prompts"),
        ] {
            let answer = client.request(method, &json!({}));
            for entry in answer["result"][list]
                .as_array()
                .unwrap_or_else(|| panic!("{server} {method}: {answer}"))
            {
                assert!(
                    entry["name"].is_string() && entry["description"].is_string(),
                    "{server}: {entry}"
                );
                found += 1;
            }
        }
        assert!(found >= 3, "{server} offers {found}");
    }
}
