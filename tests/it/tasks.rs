//! A long call is a task on the board: it outlives the process that began it, and another process may ask about it.

use callboard_tests::{Client, Home};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long a task may take to become what it must become.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request of a client without a handshake that can follow tasks.
fn ask(client: &mut Client, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}},
        "io.modelcontextprotocol/clientInfo": {"name": "rig", "version": "1"},
    });
    let answer = client.request(method, &params);
    assert!(answer.get("error").is_none(), "{method}: {answer}");
    answer["result"].clone()
}

fn call(client: &mut Client, tool: &str, arguments: Value) -> Value {
    ask(
        client,
        "tools/call",
        json!({"name": tool, "arguments": arguments}),
    )
}

fn assigner(home: &Home) -> Client {
    home.server("assigner")
}

fn add(client: &mut Client) -> String {
    let added = call(client, "task_add", json!({"title": "dig"}));
    added["structuredContent"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{added}"))
        .to_owned()
}

/// Begins to wait for a task of the board; answers the id of the wait.
fn wait_for(client: &mut Client, dig: &str) -> String {
    let task = call(client, "task_wait", json!({"ids": [dig]}));
    assert_eq!(task["resultType"], "task", "{task}");
    task["taskId"].as_str().unwrap().to_owned()
}

fn get(client: &mut Client, id: &str) -> Value {
    ask(client, "tasks/get", json!({"taskId": id}))
}

fn until(client: &mut Client, id: &str, status: &str) -> Value {
    let began = Instant::now();
    loop {
        let task = get(client, id);
        if task["status"] == status {
            return task;
        }
        assert_eq!(task["status"], "working", "{task}");
        assert!(began.elapsed() < PATIENCE, "never {status}: {task}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_task_outlives_the_server_that_was_killed() {
    let home = Home::new();
    let mut first = assigner(&home);
    let dig = add(&mut first);
    let wait = wait_for(&mut first, &dig);
    assert_eq!(get(&mut first, &wait)["status"], "working");
    first.kill();

    let mut second = assigner(&home);
    assert_eq!(get(&mut second, &wait)["status"], "working");
    call(
        &mut second,
        "task_control",
        json!({"ids": [dig], "action": "cancel"}),
    );
    let done = until(&mut second, &wait, "completed");
    let result = &done["result"];
    assert_eq!(result["isError"], false, "{done}");
    assert_eq!(result["structuredContent"]["settled"], true, "{done}");
    second.kill();

    // Its end is kept.
    let mut third = assigner(&home);
    assert_eq!(get(&mut third, &wait)["result"], *result);
}

#[test]
fn another_process_sees_a_task_and_ends_it() {
    let home = Home::new();
    let (mut one, mut other) = (assigner(&home), assigner(&home));
    let dig = add(&mut one);
    let wait = wait_for(&mut one, &dig);
    assert_eq!(get(&mut other, &wait)["status"], "working");
    ask(&mut other, "tasks/cancel", json!({"taskId": wait}));
    assert_eq!(get(&mut other, &wait)["status"], "cancelled");
    assert_eq!(get(&mut one, &wait)["status"], "cancelled");
}
