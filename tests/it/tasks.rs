//! A long call is a task on the board: it outlives the process that began it, and another process may ask about it. So is
//! an answer of a model that takes its time.

use callboard_tests::gatewayed::configure;
use callboard_tests::upstream::Upstream;
use callboard_tests::{Client, Home, wait_until};
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

fn models() -> (Home, Upstream) {
    let (home, upstream) = (Home::new(), Upstream::start());
    let base = upstream.base("openai");
    let more = "[llm]\nretries = 0\n[routes.usual]\ncandidates = [\"openai/ok\"]\n";
    configure(&home, &[("openai", "openai", &base)], more);
    (home, upstream)
}

/// Asks a model that takes longer than a call may; answers the id of the task.
fn asked(client: &mut Client, mut question: Value) -> String {
    question["prompt"] = json!("Say hello");
    let task = call(client, "complete", question);
    assert_eq!(task["resultType"], "task", "{task}");
    task["taskId"].as_str().unwrap().to_owned()
}

#[test]
fn a_slow_answer_of_a_model_is_a_task_for_who_follows_them_and_a_wait_for_others() {
    let (home, upstream) = models();
    let (mut one, mut other) = (home.server("llm"), home.server("llm"));
    let mut follows_none = home.server("llm").hello();
    let slow = "x--delay-8000";
    let question = json!({"prompt": "Say hello", "model": format!("openai/{slow}")});
    let params = json!({"name": "complete", "arguments": question});
    let waits = follows_none.send("tools/call", &params);
    let id = asked(&mut one, question);
    assert_eq!(get(&mut other, &id)["status"], "working");
    let answers = [
        until(&mut other, &id, "completed")["result"].clone(),
        get(&mut one, &id)["result"].clone(),
        follows_none.answer(waits)["result"].clone(),
    ];
    for answer in answers {
        assert_eq!(answer["isError"], false, "{answer}");
        let said = &answer["structuredContent"];
        assert_eq!(said["text"], format!("Hello from {slow}"), "{answer}");
        assert_eq!(said["usage"]["output"], 27, "{answer}");
        assert!(said["ms"].as_u64().unwrap() >= 8_000, "{answer}");
    }
    assert_eq!(upstream.wanted(slow).asked, 2, "once by each");
}

#[test]
fn a_model_that_says_nothing_is_an_answer_of_its_task() {
    let (home, _upstream) = models();
    let mut client = home.server("llm");
    let id = asked(
        &mut client,
        json!({"model": "openai/x--hang", "deadline_s": 6}),
    );
    let done = until(&mut client, &id, "completed");
    let result = &done["result"];
    assert_eq!(result["isError"], true, "{done}");
    let said = result["content"][0]["text"].as_str().unwrap();
    assert!(said.contains("more time with deadline_s"), "{said}");
}

#[test]
fn to_cancel_the_task_of_a_call_leaves_the_model() {
    let (home, upstream) = models();
    let mut client = home.server("llm");
    let id = asked(&mut client, json!({"model": "openai/x--stall"}));
    assert_eq!(upstream.hung_up(), 0);
    ask(&mut client, "tasks/cancel", json!({"taskId": id}));
    until(&mut client, &id, "cancelled");
    assert!(wait_until(PATIENCE, || upstream.hung_up() == 1));
    let after = call(&mut client, "complete", json!({"prompt": "Say hello"}));
    assert_eq!(after["structuredContent"]["text"], "Hello from ok");
}
