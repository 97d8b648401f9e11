//! What a server says of a roadmap that an agent with secrets works.

use super::rig::*;
use crate::workshop::WORK;
use callboard_tests::Client;
use serde_json::{Value, json};

#[test]
fn answers_over_stdio_are_free_of_secrets() {
    let shop = filled(&[("Alpha part", "")]);
    configure(&shop, &format!("{CHATTY}{WORK}"), "");
    let watch = Watch::begin();
    let mut client = Client::start(logged(&shop.home, &["roadmap"], "")).hello();
    let mut said = String::new();
    let ask = &mut |method: &str, params: Value| {
        let answer = client.request(method, &params);
        said.push_str(&answer.to_string());
        answer
    };
    over(&json!(shop.root), ask);
    assert_clean("answers over stdio", &said);
    assert!(
        said.contains("[vault:PLAIN]") && said.contains("[vault:ODD]"),
        "{said}"
    );
    client.close();
    client.ended();
    watch.end();
    assert_nothing_holds_a_value(&shop, &[]);
}

#[test]
fn answers_over_http_are_free_of_secrets() {
    let shop = filled(&[("Alpha part", "")]);
    configure(&shop, &format!("{CHATTY}{WORK}"), "");
    let watch = Watch::begin();
    let (serve, address, token) = serving(&shop.home);

    let mut said = String::new();
    let ask = &mut |method: &str, params: Value| {
        let body = posted(&address, token.as_deref(), "roadmap", method, params);
        said.push_str(&body);
        let line = body
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .find(|line| line.contains("\"result\""));
        serde_json::from_str(line.unwrap_or(&body)).unwrap_or_default()
    };
    over(&json!(shop.root), ask);
    assert_clean("answers over HTTP", &said);
    assert!(
        said.contains("[vault:PLAIN]") && said.contains("[vault:ODD]"),
        "{said}"
    );
    serve.signal(rustix::process::Signal::TERM);
    assert_eq!(serve.finish().code, 0);
    watch.end();
    assert_nothing_holds_a_value(&shop, &[]);
}

/// Works the roadmap, then sends secrets as arguments and names: by now the process knows them.
fn over(path: &Value, ask: &mut dyn FnMut(&str, Value) -> Value) {
    let mut call = |tool: &str, arguments: Value| {
        ask("tools/call", json!({"name": tool, "arguments": arguments}))
    };
    call("roadmap_start", json!({"path": path}));
    for _ in 0..20 {
        let waited = call("roadmap_wait", json!({"path": path, "timeout_s": 20}));
        let state = &waited["result"]["structuredContent"]["state"];
        if !["starting", "running", "stopping"].contains(&state.as_str().unwrap_or_default()) {
            break;
        }
    }
    call("roadmap_status", json!({"path": path}));
    call(
        "roadmap_status",
        json!({"path": format!("/nowhere/{PLAIN}")}),
    );
    call("roadmap_status", json!({"path": format!("/nowhere/{ODD}")}));
    call("roadmap_status", json!({"path": path, PLAIN: ODD}));
    call("roadmap_status", json!({"path": [PLAIN]}));
    call(
        "item_check",
        json!({"path": path, "item": PLAIN, "text": ODD}),
    );
    ask(
        "resources/read",
        json!({"uri": format!("callboard://nothing/{PLAIN}")}),
    );
    ask(
        "prompts/get",
        json!({"name": "plan_roadmap", "arguments": {"path": path, "goal": PLAIN}}),
    );
    ask("prompts/get", json!({"name": ODD}));
}
