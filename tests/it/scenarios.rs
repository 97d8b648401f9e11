//! The scenarios of our own servers, and that a scenario which does not hold is shown as one.

use callboard_tests::{Finished, Home, root};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn scenarios() -> PathBuf {
    root().join("tests").join("scenarios")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    found.sort();
    found
}

/// Runs the scenarios of a directory and expects each of them to have run and to hold.
#[track_caller]
fn all_hold(directory: &str) {
    let home = Home::new();
    let path = root().join(directory);
    let report = home.path().join("report.json");
    let done = home.callboard(&[
        "test",
        path.to_str().unwrap(),
        "--report",
        "text",
        "--report",
        &format!("json={}", report.display()),
    ]);
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(report["passed"], files(&path).len());
    let steps = report["scenarios"].as_array().unwrap();
    assert!(steps.iter().all(|one| one["steps"].as_u64().unwrap() > 0));
    assert_eq!(home.processes(), Vec::<u32>::new(), "something was left");
}

#[test]
fn scenarios_of_the_board_hold() {
    all_hold("tests/scenarios/assigner");
}

#[test]
fn scenarios_of_the_roadmap_hold() {
    all_hold("tests/scenarios/roadmap");
}

#[test]
fn scenarios_of_telemetry_hold() {
    all_hold("tests/scenarios/telemetry");
}

#[test]
fn scenarios_of_models_hold() {
    all_hold("tests/scenarios/llm");
}

#[test]
fn scenarios_over_http_hold() {
    all_hold("tests/scenarios/http");
}

#[test]
fn scenarios_to_copy_hold() {
    all_hold("examples/scenarios");
}

#[test]
fn there_are_enough_of_them() {
    let count = files(&scenarios()).len();
    assert!(count >= 40, "{count} scenarios");
}

#[test]
fn the_schema_beside_the_scenarios_is_the_one_of_the_code() {
    let done = Home::new().callboard(&["test", "--schema"]);
    let path = scenarios().join("schema.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &done.out).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == done.out,
        "{} is out of date; UPDATE_GOLDEN=1 writes it anew",
        path.display()
    );
}

/// Editors check a file against the schema, so what runs must be valid there, and what is refused must not.
#[test]
fn scenarios_are_valid_against_the_schema() {
    let schema = std::fs::read(scenarios().join("schema.json")).unwrap();
    let schema: Value = serde_json::from_slice(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let all = [
        "tests/scenarios",
        "tests/clients/everything",
        "examples/scenarios",
    ];
    for file in all
        .iter()
        .flat_map(|directory| files(&root().join(directory)))
    {
        let text = std::fs::read_to_string(&file).unwrap();
        let options = serde_saphyr::options! { strict_booleans: true };
        let value: Value = serde_saphyr::from_str_with_options(&text, options).unwrap();
        let wrong: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(wrong, Vec::<String>::new(), "{}", file.display());
        let schema = text
            .lines()
            .find_map(|line| line.strip_prefix("# yaml-language-server: $schema="))
            .unwrap_or_else(|| panic!("{} does not name the schema", file.display()));
        let schema = file.parent().unwrap().join(schema);
        assert!(schema.is_file(), "{} does not exist", schema.display());
    }
    let slip: Value = serde_saphyr::from_str("steps: [{cal: task_add}]").unwrap();
    assert!(!validator.is_valid(&slip));
}

/// Runs one of our scenarios with a change.
fn changed(file: &str, from: &str, to: &str) -> (Home, Finished) {
    let home = Home::new();
    let text = std::fs::read_to_string(scenarios().join(file)).unwrap();
    assert!(text.contains(from), "{file} does not say {from:?} any more");
    let copy = home.path().join("changed.yaml");
    home.write(&copy, &text.replacen(from, to, 1));
    let done = home.callboard(&["test", copy.to_str().unwrap()]);
    (home, done)
}

/// The scenario fails at this step, and the report shows the difference and the traffic.
#[track_caller]
fn fails(file: &str, from: &str, to: &str, shown: &[&str]) {
    let (_home, done) = changed(file, from, to);
    assert_eq!(done.code, 1, "{file} holds with {to:?}: {}", done.out);
    for part in shown {
        assert!(
            done.out.contains(part),
            "{file} with {to:?}: {part:?} is not shown:\n{}",
            done.out
        );
    }
}

#[test]
fn a_changed_expectation_fails_with_step_difference_and_traffic() {
    fails(
        "assigner/01-post-claim-finish.yaml",
        "$.state: done",
        "$.state: dead",
        &[
            "changed.yaml:21: it is done, with its result [call task_get]",
            "value.state: differs",
            "expected: \"dead\"",
            "actual:   \"done\"",
            "the last messages of board",
            "\"name\":\"task_get\"",
            "0 passed, 1 failed",
        ],
    );
    fails(
        "assigner/07-fences.yaml",
        "kind: stale_lease",
        "kind: not_found",
        &[
            "a fence that was never given out [call task_finish]",
            "error.kind: the tool says that it failed: stale_lease",
            "expected: \"not_found\"",
            "actual:   \"stale_lease\"",
            "\"fence\":4711",
        ],
    );
    fails(
        "assigner/10-order-of-claims.yaml",
        "[urgent, first, second, low]",
        "[urgent, second, first, low]",
        &[
            "call task_claim (wanted = \"second\")",
            "value.title: differs",
            "expected: \"second\"",
            "actual:   \"first\"",
        ],
    );
    fails(
        "assigner/18-parallel-clients.yaml",
        "repeat: 6",
        "repeat: 7",
        &[
            "client ",
            "n = ",
            "value.claimed: differs",
            "the last messages of board (client ",
        ],
    );
    fails(
        "assigner/23-modern-era.yaml",
        "code: -32602",
        "code: -32002",
        &[
            "a missing resource has the code of this revision",
            "error.code",
            "actual:   -32602",
        ],
    );
}

#[test]
fn a_server_that_is_lost_or_never_there_fails_with_what_it_said() {
    fails(
        "assigner/20-killed.yaml",
        "    expect: {error: {from: transport}}\n",
        "",
        &["call task_list", "transport error", "signal 9"],
    );
    fails(
        "assigner/01-post-claim-finish.yaml",
        "{callboard: assigner}",
        "{command: sh, args: [-c, 'echo no config >&2; exit 3']}",
        &["post it [call task_add]", "ended with code 3", "no config"],
    );
    fails(
        "assigner/01-post-claim-finish.yaml",
        "{callboard: assigner}",
        "{url: 'http://127.0.0.1:1/mcp'}",
        &[
            "post it [call task_add]",
            "http://127.0.0.1:1/mcp",
            "refused",
        ],
    );
    fails(
        "assigner/22-malformed-lines.yaml",
        "board: {callboard: assigner}",
        "board: {command: sh, args: [-c, 'echo hello; exec callboard assigner']}",
        &[
            "wrote a line that is no message",
            "hello",
            "stdout: lenient",
        ],
    );
}

/// What is wrong with a file is told before anything is started.
#[test]
fn a_file_that_is_wrong_is_told_with_its_line_and_what_to_write() {
    for (from, to, line, told) in [
        (
            "  - name: claim it\n    call:",
            "  - name: claim it\n    cal:",
            14,
            "unknown key `cal`; did you mean call?",
        ),
        ("{callboard: assigner}", "{callboard: assigner", 5, ""),
        (
            "arguments: {worker: ada}",
            "on: bord",
            13,
            "there is no server \"bord\"; there is board; did you mean board?",
        ),
        ("$.fence", "fence", 13, "\"fence\" is no JSON path"),
        (
            "took: normal",
            "took: quick",
            0,
            "`quick` is not known here; known are fast, normal, slow",
        ),
    ] {
        let (_home, done) = changed("assigner/01-post-claim-finish.yaml", from, to);
        assert_eq!(done.code, 1);
        assert!(done.out.contains("0 steps"), "something ran: {}", done.out);
        let place = match line {
            0 => "changed.yaml:".to_owned(),
            line => format!("changed.yaml:{line}:"),
        };
        assert!(
            done.out.contains(&place) && done.out.contains(told),
            "{place} {told:?} is not in {}",
            done.out
        );
    }
    let home = Home::new();
    let done = home.callboard(&["test", "nowhere.yaml"]);
    assert_eq!(done.code, 1);
    assert!(
        done.out
            .contains("nowhere.yaml: scenario\n  there is no such file or directory"),
        "{}",
        done.out
    );
}

#[test]
fn a_value_that_nobody_captured_is_named() {
    fails(
        "assigner/01-post-claim-finish.yaml",
        "id: \"${id}\"",
        "id: \"${idd}\"",
        &[
            "changed.yaml:21:",
            "${idd} is not set; no step before this one captured it; did you mean id?",
        ],
    );
    fails(
        "assigner/01-post-claim-finish.yaml",
        "{fence: $.fence}",
        "{fence: $.lease}",
        &[
            "changed.yaml:13:",
            "capture \"fence\": $.lease finds nothing in {\"claimed\":true",
        ],
    );
}

#[test]
fn a_loop_without_end_is_ended() {
    fails(
        "assigner/01-post-claim-finish.yaml",
        "steps:\n",
        "limit: 2s\nsteps:\n  - repeat: 1000000\n    steps: [{request: ping}]\n",
        &[
            "changed.yaml:8: request ping (n = ",
            "not done within 2 s",
            "`limit` gives more time",
        ],
    );
    fails(
        "assigner/01-post-claim-finish.yaml",
        "steps:\n",
        "steps:\n  - {name: never, check: 1, expect: {equals: 2}, eventually: 1s}\n",
        &["never [check]", "tried for 1 s", "expected: 2"],
    );
}

#[test]
fn reports_are_written_as_json_and_junit() {
    let home = Home::new();
    let text =
        std::fs::read_to_string(scenarios().join("assigner/01-post-claim-finish.yaml")).unwrap();
    home.write(&home.path().join("s/good.yaml"), &text);
    home.write(
        &home.path().join("s/bad.yaml"),
        &text.replace("$.state: done", "$.state: <gone>"),
    );
    let done = home.callboard(&[
        "test",
        "s",
        "--report",
        "text",
        "--report",
        "junit=report.xml",
        "--report",
        "json=report.json",
    ]);
    assert_eq!(done.code, 1, "{}", done.err);
    let json: Value =
        serde_json::from_slice(&std::fs::read(home.path().join("report.json")).unwrap()).unwrap();
    assert_eq!((&json["passed"], &json["failed"]), (&1.into(), &1.into()));
    let failure = &json["scenarios"][0]["failures"][0];
    assert_eq!(failure["line"], 21);
    assert_eq!(failure["step"], "it is done, with its result");
    assert_eq!(failure["differences"][0]["expected"], "<gone>");
    assert_eq!(failure["differences"][0]["actual"], "done");
    assert!(failure["servers"][0]["traffic"].as_array().unwrap().len() > 4);
    let junit = std::fs::read_to_string(home.path().join("report.xml")).unwrap();
    for part in [
        "tests=\"2\"",
        "failures=\"1\"",
        "<failure",
        "&lt;gone&gt;",
        "bad.yaml:21",
    ] {
        assert!(junit.contains(part), "{part} is not in {junit}");
    }
    let alone = home.callboard(&["test", "s/good.yaml", "--report", "json"]);
    assert_eq!(
        serde_json::from_str::<Value>(&alone.out).unwrap()["passed"],
        1
    );
}

/// Speaks 2025-06-18 and nothing newer.
const OLDER: &str = r#"
id() { printf '%s' "$1" | sed 's/.*"id":\([0-9]*\).*/\1/'; }
read -r line
printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"older","version":"1"}}}\n' "$(id "$line")"
read -r initialized
read -r line
printf '{"jsonrpc":"2.0","id":%s,"result":{"tools":[]}}\n' "$(id "$line")"
read -r end
"#;

#[test]
fn a_server_that_is_older_is_spoken_to_as_it_says() {
    let home = Home::new();
    let (server, file) = (home.path().join("older.sh"), home.path().join("a.yaml"));
    home.write(&server, OLDER);
    let play = |protocol: &str| {
        let server = server.display();
        let scenario = format!(
            "servers:\n  it: {{command: sh, args: [{server}]{protocol}}}\nsteps:\n  - list: tools\n"
        );
        home.write(&file, &scenario);
        home.callboard(&["test", &file.to_string_lossy()])
    };
    let done = play("");
    assert_eq!(done.code, 0, "{} {}", done.out, done.err);
    let done = play(", protocol: 2025-11-25");
    assert_eq!(done.code, 1, "{}", done.out);
    assert!(
        done.out.contains("the server speaks \"2025-06-18\""),
        "{}",
        done.out
    );
}
