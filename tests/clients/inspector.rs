//! The Inspector's command line: one process, one connection, one request.

use crate::pass::Era;
use crate::place::{Place, Transport};
use callboard_tests::{Finished, Running, deps, wait_until};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

struct Inspector {
    place: Place,
    plan: Value,
    era: Era,
}

impl Inspector {
    fn new(transport: Transport, era: Era) -> Inspector {
        let place = Place::new(transport);
        let plan = place.plan("assigner");
        Inspector { place, plan, era }
    }

    fn command(&self, method: &str, more: &[&str]) -> Command {
        let launcher = "@modelcontextprotocol/inspector/clients/launcher/build/index.js";
        let mut command = Command::new(deps::node());
        command.arg(deps::npm(launcher)).arg("--cli");
        // It writes a catalogue of servers below HOME, and reads the environment it hands to a server.
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.place.home().path());
        let plan = &self.plan;
        match plan["transport"].as_str().unwrap() {
            "stdio" => {
                let words = plan["args"].as_array().unwrap().iter();
                command.arg(plan["command"].as_str().unwrap());
                command.args(words.map(|word| word.as_str().unwrap()));
                for (name, value) in plan["env"].as_object().unwrap() {
                    command
                        .arg("-e")
                        .arg(format!("{name}={}", value.as_str().unwrap()));
                }
            }
            transport => {
                command.args(["--transport", transport, "--server-url"]);
                command.arg(plan["url"].as_str().unwrap());
                for (name, value) in plan["headers"].as_object().unwrap() {
                    command
                        .arg("--header")
                        .arg(format!("{name}: {}", value.as_str().unwrap()));
                }
            }
        }
        command.args([
            "--protocol-era",
            self.era.word(),
            "--format",
            "json",
            "--method",
            method,
        ]);
        command.args(more);
        command
    }

    fn run(&self, method: &str, more: &[&str]) -> Finished {
        Running::of(self.command(method, more)).finish()
    }

    fn ask(&self, method: &str, more: &[&str]) -> Value {
        let done = self.run(method, more);
        assert_eq!(done.code, 0, "{method} {more:?}: {done:#?}");
        let answer: Value =
            serde_json::from_str(&done.out).unwrap_or_else(|error| panic!("{error}: {done:#?}"));
        answer.get("result").cloned().unwrap_or(answer)
    }
}

fn pass(transport: Transport, era: Era) {
    let mut inspector = Inspector::new(transport, era);
    lists(&inspector);

    let arguments = json!({"title": "from the Inspector", "priority": 7}).to_string();
    let call = |more: &[&str]| inspector.ask("tools/call", more);
    let added = call(&["--tool-name", "task_add", "--tool-args-json", &arguments]);
    let task = added["structuredContent"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{added:#}"))
        .to_owned();
    let by_id = format!("id={task}");
    let got = call(&["--tool-name", "task_get", "--tool-arg", &by_id]);
    assert_eq!(got["structuredContent"]["priority"], 7, "{got:#}");

    let refused = inspector.run(
        "tools/call",
        &["--tool-name", "task_get", "--tool-arg", "id=t_nobody"],
    );
    assert!(refused.out.contains("\"isError\":true"), "{refused:#?}");

    let board = inspector.ask("resources/read", &["--uri", "callboard://board"]);
    let text = board["contents"][0]["text"].as_str().unwrap();
    assert!(text.contains(&task), "{board:#}");
    let prompt = inspector.ask(
        "prompts/get",
        &[
            "--prompt-name",
            "report_status",
            "--prompt-args",
            "audience=the night shift",
        ],
    );
    let text = prompt["messages"][0]["content"]["text"].as_str().unwrap();
    assert!(text.contains("to the night shift"), "{prompt:#}");

    gives_up(&inspector);

    if transport != Transport::Stdio {
        inspector.place.restart();
    }
    let again = inspector.ask(
        "tools/call",
        &["--tool-name", "task_get", "--tool-arg", &by_id],
    );
    assert_eq!(again["structuredContent"]["id"], task.as_str(), "{again:#}");
    let place = &inspector.place;
    let over = || place.servers() == Vec::from_iter(place.served());
    assert!(
        wait_until(Duration::from_secs(10), over),
        "the Inspector ended and its server did not"
    );
}

fn lists(inspector: &Inspector) {
    let names = |method: &str, list: &str, key: &str| -> Vec<String> {
        let answer = inspector.ask(method, &[]);
        let list = answer[list]
            .as_array()
            .unwrap_or_else(|| panic!("{method}: {answer:#}"));
        list.iter()
            .map(|one| one[key].as_str().unwrap().to_owned())
            .collect()
    };
    let tools = names("tools/list", "tools", "name");
    assert!(
        tools.len() == 12 && tools.iter().any(|tool| tool == "task_claim"),
        "{tools:?}"
    );
    assert_eq!(
        names("prompts/list", "prompts", "name"),
        ["report_status", "triage_failures"]
    );
    assert_eq!(
        names("resources/list", "resources", "uri"),
        ["callboard://board"]
    );
    assert_eq!(
        names(
            "resources/templates/list",
            "resourceTemplates",
            "uriTemplate"
        )
        .len(),
        2
    );
    // Its own judgement of our schemas: exit code 6 for what clients are known to stumble over.
    let strict = inspector.run("tools/list", &["--strict"]);
    assert_eq!(strict.code, 0, "{strict:#?}");
}

/// It has no command that cancels and does not tell of progress: whoever ends it with a call under way gives the call
/// up. Nothing shows from outside that the call has begun, so it gets longer each time until there was one to give up.
fn gives_up(inspector: &Inspector) {
    let arguments = json!({"worker": "gave-up", "queue": "cancel", "wait_s": 45}).to_string();
    let arguments = ["--tool-name", "task_claim", "--tool-args-json", &arguments];
    for seconds in [2, 4, 8, 16] {
        let mut waiting = Running::of(inspector.command("tools/call", &arguments));
        assert!(
            !wait_until(Duration::from_secs(seconds), || waiting.ended()),
            "{:#?}",
            waiting.finish()
        );
        waiting.signal(rustix::process::Signal::TERM);
        let _ = waiting.finish();
        let given_up = || inspector.place.outcomes("task_claim", "cancelled") > 0;
        if wait_until(Duration::from_secs(5), given_up) {
            return;
        }
    }
    panic!("no call was given up");
}

#[test]
fn stdio_modern() {
    pass(Transport::Stdio, Era::Modern);
}

#[test]
fn stdio_legacy() {
    pass(Transport::Stdio, Era::Legacy);
}

#[test]
fn http_modern() {
    pass(Transport::Http, Era::Modern);
}

#[test]
fn http_legacy() {
    pass(Transport::Http, Era::Legacy);
}

#[test]
fn sse() {
    pass(Transport::Sse, Era::Legacy);
}

#[test]
fn a_wrong_token_is_refused() {
    for (transport, era) in [
        (Transport::Http, Era::Modern),
        (Transport::Http, Era::Legacy),
        (Transport::Sse, Era::Legacy),
    ] {
        let mut inspector = Inspector::new(transport, era);
        let wrong = inspector.place.wrong_token();
        inspector.plan["headers"]["Authorization"] = json!(format!("Bearer {wrong}"));
        let done = inspector.run("tools/list", &[]);
        // Its exit code and its word for a 401.
        assert_eq!(done.code, 3, "{done:#?}");
        assert!(done.err.contains("auth_required"), "{done:#?}");
    }
}
