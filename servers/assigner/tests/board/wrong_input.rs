//! Wrong input for every parameter of every tool: an error that says what to do, and the server goes on.

use crate::fixture::Rig;
use serde_json::{Map, Value, json};

/// Arguments that a tool takes as they are, and in which one thing is then made wrong.
fn sound(tool: &str, ready: &str, running: &str) -> Value {
    match tool {
        "task_add" => json!({"title": "t"}),
        "task_add_many" => json!({"tasks": [{"title": "t"}]}),
        "task_list" => json!({}),
        "task_get" => json!({"id": ready}),
        "task_wait" => json!({"ids": [ready], "timeout_s": 0}),
        "task_update" => json!({"id": ready, "title": "t"}),
        "task_control" => json!({"ids": [ready], "action": "cancel"}),
        "task_claim" => json!({"worker": "w", "queue": "nobody's"}),
        "task_heartbeat" | "task_finish" | "task_release" => json!({"task": running, "fence": 1}),
        "task_fail" => json!({"task": running, "fence": 1, "error": "e"}),
        other => panic!("{other} has no sound arguments here"),
    }
}

/// What can be wrong with a value of this schema, each in a word and as it is.
fn wrong_values(schema: &Map<String, Value>) -> Vec<(&'static str, Value)> {
    let inside = |wrap: &dyn Fn(Value) -> Value| -> Vec<(&'static str, Value)> {
        texts()
            .into_iter()
            .map(|(what, text)| (what, wrap(text)))
            .collect()
    };
    let mut wrong = match schema.get("type").and_then(Value::as_str) {
        Some("string") => inside(&|text| text),
        Some("integer") => vec![
            ("negative", json!(-2)),
            ("a fraction", json!(1.5)),
            ("text", json!("one")),
            ("a list", json!([1])),
        ],
        Some("boolean") => vec![("text", json!("yes")), ("a number", json!(1))],
        Some("array") if schema["items"]["type"] == "object" => {
            inside(&|text| json!([{"title": text}]))
        }
        Some("array") => inside(&|text| json!([text])),
        Some("object") => inside(&|text| json!({"K": text})),
        _ => inside(&|text| text),
    };
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => wrong.extend([
            ("a number", json!(5)),
            ("a list", json!(["x"])),
            ("an object", json!({})),
        ]),
        Some("array") => wrong.extend([
            ("text", json!("x")),
            ("a list of numbers", json!([5])),
            ("an object", json!({})),
        ]),
        Some("object") => wrong.extend([("text", json!("x")), ("a list", json!([]))]),
        _ => {}
    }
    wrong
}

fn texts() -> Vec<(&'static str, Value)> {
    vec![
        ("huge", json!("x".repeat(500_000))),
        ("an escape sequence", json!("a\u{1b}[31mb")),
        ("a NUL", json!("a\u{0}b")),
    ]
}

/// A ready task and a running one.
async fn two_tasks(rig: &Rig) -> (String, String) {
    rig.add("running").await;
    let (running, _) = rig.claim().await;
    (rig.add("ready").await, running)
}

fn assert_helpful(said: &str, about: &str) {
    let kind = said.split(':').next().unwrap();
    let kinds = [
        "invalid_input",
        "not_found",
        "conflict",
        "stale_lease",
        "limit",
    ];
    assert!(kinds.contains(&kind), "{about}: {said}");
    assert!(said.contains("\nHint: "), "{about} says what to do: {said}");
    assert!(said.len() < 4_000, "{about}: {} bytes", said.len());
    assert!(
        !said.contains('\u{1b}') && !said.contains('\u{0}'),
        "{about}: {said:?}"
    );
}

#[tokio::test]
async fn every_wrong_value_of_every_parameter_is_refused_by_name() {
    let rig = Rig::new().await;
    let (ready, running) = two_tasks(&rig).await;
    let before = (rig.count(), rig.row(&ready), rig.row(&running));
    let mut tried = 0;
    for (tool, schema) in &rig.input_schemas {
        for (name, field) in schema["properties"].as_object().unwrap() {
            for (what, value) in wrong_values(field.as_object().unwrap()) {
                let mut arguments = sound(tool, &ready, &running);
                arguments[name] = value;
                let said = rig.refused(tool, arguments).await;
                let about = format!("{tool} with {name} {what}");
                assert_helpful(&said, &about);
                if said.starts_with("invalid_input") {
                    assert!(said.contains(name.as_str()), "{about}: {said}");
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 150, "{tried}");
    assert_eq!(
        before,
        (rig.count(), rig.row(&ready), rig.row(&running)),
        "nothing was changed"
    );
    rig.add("the server goes on").await;
}

#[tokio::test]
async fn unknown_and_missing_fields_are_named() {
    let rig = Rig::new().await;
    let (ready, running) = two_tasks(&rig).await;
    for (tool, schema) in &rig.input_schemas {
        let mut arguments = sound(tool, &ready, &running);
        arguments["titel"] = json!("x");
        let said = rig.refused(tool, arguments).await;
        assert_helpful(&said, tool);
        assert!(
            said.contains("unknown field `titel`, expected "),
            "{tool}: {said}"
        );
        let required = schema.get("required").and_then(Value::as_array);
        for name in required
            .into_iter()
            .flatten()
            .map(|name| name.as_str().unwrap())
        {
            let mut arguments = sound(tool, &ready, &running);
            arguments.as_object_mut().unwrap().remove(name);
            let said = rig.refused(tool, arguments).await;
            assert_helpful(&said, tool);
            assert!(
                said.contains(&format!("{name}: is required and missing")),
                "{tool}: {said}"
            );
        }
    }
    assert_eq!(rig.count(), 2);
}

#[tokio::test]
async fn too_much_for_any_tool_is_refused() {
    let rig = Rig::new().await;
    let (ready, running) = two_tasks(&rig).await;
    for tool in rig.input_schemas.keys() {
        let mut arguments = sound(tool, &ready, &running);
        arguments["filler"] = json!("x".repeat(2 << 20));
        let said = rig.refused(tool, arguments).await;
        assert!(
            said.starts_with("limit: the arguments have "),
            "{tool}: {said}"
        );
    }
    rig.add("the server goes on").await;
}

#[tokio::test]
async fn unknown_ids_are_not_found() {
    let rig = Rig::new().await;
    for (tool, arguments) in [
        ("task_add", json!({"title": "t", "depends_on": ["t_none"]})),
        (
            "task_add_many",
            json!({"tasks": [{"title": "t", "depends_on": ["t_none"]}]}),
        ),
        ("task_get", json!({"id": "t_none"})),
        ("task_wait", json!({"ids": ["t_none"]})),
        ("task_update", json!({"id": "t_none", "title": "x"})),
        (
            "task_control",
            json!({"ids": ["t_none"], "action": "rerun"}),
        ),
        ("task_heartbeat", json!({"task": "t_none", "fence": 1})),
        ("task_finish", json!({"task": "t_none", "fence": 1})),
        (
            "task_fail",
            json!({"task": "t_none", "fence": 1, "error": "e"}),
        ),
        ("task_release", json!({"task": "t_none", "fence": 1})),
    ] {
        let said = rig.refused(tool, arguments).await;
        assert!(
            said.starts_with("not_found: no task t_none on this board"),
            "{tool}: {said}"
        );
        assert_helpful(&said, tool);
    }
    assert_eq!(rig.count(), 0);
}

#[tokio::test]
async fn places_and_variables_that_a_task_may_not_have() {
    let rig = Rig::new().await;
    let project = rig.dir.path().to_str().unwrap();
    for (field, said) in [
        (
            json!({"working_dir": "src"}),
            "working_dir: \"src\" is not an absolute path",
        ),
        (
            json!({"working_dir": "/no/such/place"}),
            "working_dir: /no/such/place: ",
        ),
        (
            json!({"working_dir": "/dev/null"}),
            "working_dir: /dev/null is not a directory",
        ),
        (
            json!({"working_dir": "/", "project": project}),
            "working_dir: / is outside the project",
        ),
        (
            json!({"working_dir": format!("{project}/.."), "project": project}),
            "is outside the project",
        ),
        (
            json!({"env": {"PATH": "/evil"}}),
            "env: a task may not set PATH",
        ),
        (
            json!({"env": {"GIT_DIR": "/x"}}),
            "env: a task may not set GIT_DIR",
        ),
        (json!({"env": {"A B": "x"}}), "env: \"A B\""),
    ] {
        let mut task = field.as_object().unwrap().clone();
        task.insert("title".to_owned(), json!("t"));
        let told = rig.refused("task_add", Value::Object(task.clone())).await;
        assert!(told.contains(said), "{told}");
        let told = rig
            .refused(
                "task_add_many",
                json!({"tasks": [{"title": "sound"}, task]}),
            )
            .await;
        assert!(told.contains(said) && told.contains("tasks[1]."), "{told}");
    }
    assert_eq!(rig.count(), 0);
}

#[tokio::test]
async fn a_mistake_inside_a_bulk_is_found_at_its_place() {
    let rig = Rig::new().await;
    for (task, said) in [
        (
            json!({"title": "t", "priority": 11}),
            "expected a whole number from 0 to 10",
        ),
        (json!({"title": "t", "prio": 1}), "unknown field `prio`"),
        (
            json!({"key": "a"}),
            "tasks[1].title: is required and missing",
        ),
        (json!({"title": "t", "key": "a b"}), "key: is not an id"),
        (json!({"title": "t", "tags": [1]}), "tags[0]"),
    ] {
        let told = rig
            .refused(
                "task_add_many",
                json!({"tasks": [{"title": "sound"}, task]}),
            )
            .await;
        assert!(told.contains("tasks[1]") && told.contains(said), "{told}");
    }
    assert_eq!(rig.count(), 0);
}

#[tokio::test]
async fn an_unknown_tool_is_told_which_there_are() {
    let rig = Rig::new().await;
    let params = rmcp::model::CallToolRequestParams::new("task_delete");
    let error = rig.client.call_tool(params).await.unwrap_err().to_string();
    assert!(
        error.contains("unknown tool `task_delete`") && error.contains("task_control"),
        "{error}"
    );
}
