//! Codex, `codex exec`.

use crate::place::{Place, Transport};
use crate::{
    assert_over, assert_posted, initialised, lines, methods, object, path, places, posting, sent,
    tapped, work,
};
use callboard_tests::deps::{Set, codex};
use callboard_tests::model::Model;
use callboard_tests::{Finished, Running};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// Codex objects to a home in the temporary directory.
fn place(transport: Transport) -> Place {
    Place::below(&Set::Agents.dir(), transport)
}

/// Our assigner as a table of its configuration.
fn stdio(place: &Place) -> String {
    let tapped = tapped(place, "assigner");
    let environment = place.environment();
    let pairs: Vec<String> = environment
        .iter()
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    format!(
        "command = {}\nargs = {}\nenv = {{ {} }}\n",
        tapped["command"],
        tapped["args"],
        pairs.join(", ")
    )
}

struct Codex<'a> {
    place: &'a Place,
    model: &'a Model,
    server: String,
}

/// Its configuration with the model that plays a script.
fn settings(model: &Model) -> String {
    format!(
        "model = \"scripted\"\nmodel_provider = \"scripted\"\n\
         [analytics]\nenabled = false\n\
         [model_providers.scripted]\nname = \"scripted\"\nbase_url = \"{}/v1\"\nwire_api = \"responses\"\n\
         env_key = \"MADE_UP_KEY\"\nrequest_max_retries = 1\nstream_max_retries = 1\n",
        model.url(),
    )
}

/// Puts its configuration into the home.
fn configure(home: &Path, settings: &str) {
    let own = home.join(".codex");
    std::fs::create_dir_all(&own).unwrap();
    std::fs::write(own.join("config.toml"), settings).unwrap();
}

/// The program in an empty environment with a home of its own, in this home's project.
fn codex_exec(home: &Path, prompt: &str) -> Command {
    let mut command = Command::new(codex());
    command
        .env_clear()
        .current_dir(work(home))
        .env("PATH", path())
        .env("HOME", home)
        .env("MADE_UP_KEY", "made-up");
    command.args(["exec", "--json", "--skip-git-repo-check", prompt]);
    command
}

impl Codex<'_> {
    fn run(&self, prompt: &str) -> Finished {
        let home = self.place.home().path();
        let server = format!(
            "[mcp_servers.assigner]\nstartup_timeout_sec = 30\n{}",
            self.server
        );
        configure(home, &(settings(self.model) + &server));
        Running::of(codex_exec(home, prompt)).finish()
    }

    /// Runs to a good end; answers the events.
    fn must(&self, prompt: &str) -> Vec<Value> {
        let done = self.run(prompt);
        assert_eq!(done.code, 0, "{done:#?}");
        lines(&done.out)
    }
}

/// The last that the agent says.
fn shown(events: &[Value]) -> &str {
    let said = |event: &&Value| {
        event["type"] == "item.completed" && event["item"]["type"] == "agent_message"
    };
    events
        .iter()
        .rfind(said)
        .and_then(|event| event["item"]["text"].as_str())
        .unwrap_or_else(|| panic!("nothing was said: {events:#?}"))
}

/// Posts a task with the servers of the user's own file, as `callboard init` leaves it.
fn posts_with_the_user_s_file(transport: Transport) {
    let place = place(transport);
    let home = place.home().path();
    let model = Model::playing(posting());
    configure(home, &settings(&model));
    initialised(&place, "codex");
    let mut command = codex_exec(home, "Please post the task.");
    command.envs(places(&place));
    if transport == Transport::Http {
        command.env("CALLBOARD_TOKEN", place.token());
    }
    let done = Running::of(command).finish();
    assert_eq!(done.code, 0, "{done:#?}");
    assert_over(&place);
    let task = assert_posted(&model.results(), place.home());
    let events = lines(&done.out);
    assert!(shown(&events).contains(&task), "{events:#?}");
}

#[test]
fn init_makes_it_start_the_servers() {
    posts_with_the_user_s_file(Transport::Stdio);
}

#[test]
fn init_makes_it_call_over_http() {
    posts_with_the_user_s_file(Transport::Http);
}

#[test]
fn its_calls_reach_the_board() {
    let place = place(Transport::Stdio);
    let model = Model::playing(posting());
    let codex = Codex {
        place: &place,
        model: &model,
        server: stdio(&place) + "default_tools_approval_mode = \"approve\"\n",
    };
    let events = codex.must("Please post the task.");
    assert_over(&place);
    let task = assert_posted(&model.results(), place.home());
    let shown = shown(&events);
    assert!(
        shown.starts_with("the board says: ") && shown.contains(&task),
        "{shown}"
    );
}

/// Our tools say which of them destroy; Codex runs the others unasked, and nobody is there to ask about those.
#[test]
fn without_approval_it_calls_what_destroys_nothing() {
    let place = place(Transport::Stdio);
    let model = Model::playing(json!([{"on": "post and cancel", "do": [
        {"call": "mcp__assigner__task_add", "with": {"title": "to be kept"}},
        {"call": "mcp__assigner__task_control", "with": {"ids": ["{id}"], "action": "cancel"}},
        {"say": "{result}"},
    ]}]));
    let codex = Codex {
        place: &place,
        model: &model,
        server: stdio(&place),
    };
    let events = codex.must("Please post and cancel.");
    let results = model.results();
    assert!(
        results.len() == 2 && results[1].contains("approval"),
        "{results:#?}"
    );
    assert!(shown(&events).contains("approval"), "{events:#?}");
    let listed = place
        .home()
        .server("assigner")
        .hello()
        .must("task_list", &json!({"states": ["ready"]}));
    assert_eq!(listed["tasks"][0]["title"], "to be kept", "{listed:#}");
    assert_over(&place);
}

/// What is posted after the claim was given up would be taken by it, if it still waited.
#[test]
fn a_call_that_takes_too_long_is_given_up_on_both_sides() {
    let place = place(Transport::Stdio);
    let model = Model::playing(json!([{"on": "claim and post", "do": [
        {"call": "mcp__assigner__task_claim", "with": {"worker": "codex", "wait_s": 45}},
        {"call": "mcp__assigner__task_add", "with": {"title": "posted later"}},
        {"call": "mcp__assigner__task_wait", "with": {"ids": ["{id}"], "timeout_s": 1}},
        {"say": "{result}"},
    ]}]));
    let codex = Codex {
        place: &place,
        model: &model,
        server: stdio(&place) + "default_tools_approval_mode = \"approve\"\ntool_timeout_sec = 3\n",
    };
    let events = codex.must("Please claim and post.");
    let results = model.results();
    assert!(results[0].contains("timed out"), "{results:#?}");
    let waited = object(&results[2]);
    assert_eq!(waited["tasks"][0]["state"], "ready", "{waited:#}");
    assert!(shown(&events).contains("posted later"), "{events:#?}");
    place.await_outcome("task_claim", "cancelled");
    let sent = sent(&place, "assigner");
    assert!(
        methods(&sent).contains(&"notifications/cancelled"),
        "{sent:#?}"
    );
    assert_over(&place);
}

#[test]
fn a_wrong_token_keeps_it_out() {
    let place = place(Transport::Http);
    let home = place.home().path();
    let model = Model::playing(posting());
    configure(home, &settings(&model));
    initialised(&place, "codex");
    let mut command = codex_exec(home, "Please post the task.");
    command.envs(places(&place));
    command.env("CALLBOARD_TOKEN", place.wrong_token());
    let done = Running::of(command).finish();
    assert!(done.err.contains("invalid_token"), "{done:#?}");
    let results = model.results();
    assert!(results[0].contains("unsupported call"), "{results:#?}");
    assert_over(&place);
}
