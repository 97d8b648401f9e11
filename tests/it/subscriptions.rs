//! Who is subscribed to a resource is told what other processes change, in both eras of the protocol.

use callboard_tests::http::{Exchange, Served};
use callboard_tests::{Client, Home};
use serde_json::{Value, json};

const UPDATED: &str = "notifications/resources/updated";
const BOARD: &str = "callboard://board";

fn meta() -> Value {
    json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}})
}

fn updated(client: &mut Client) -> String {
    let told = client.notification(UPDATED).expect("told of a change");
    told["params"]["uri"].as_str().expect("a URI").to_owned()
}

fn add(client: &mut Client, title: &str) -> String {
    let added = client.must("task_add", &json!({"title": title}));
    let id = added["tasks"][0]["id"]
        .as_str()
        .or_else(|| added["id"].as_str());
    id.unwrap_or_else(|| panic!("no id in {added}")).to_owned()
}

/// Posts a stream for what is named and waits until it is listening.
fn listen(client: &mut Client, uris: &[&str]) -> u64 {
    let stream = client.send(
        "subscriptions/listen",
        &json!({"_meta": meta(), "notifications": {"resourceSubscriptions": uris}}),
    );
    let ready = client.notification("notifications/subscriptions/acknowledged");
    let granted = &ready.expect("acknowledged")["params"]["notifications"];
    assert_eq!(granted["resourceSubscriptions"], json!(uris), "{granted}");
    // Each is told of once at the start, so that nothing is missed between the acknowledgment and the first look.
    for _ in uris {
        assert!(uris.contains(&updated(client).as_str()));
    }
    stream
}

#[test]
fn an_older_client_is_told_what_another_process_changed() {
    let home = Home::new();
    let mut watching = home.server("assigner").hello();
    let mut working = home.server("assigner").hello();
    let (one, two) = (add(&mut working, "one"), add(&mut working, "two"));
    let tasks = [&one, &two].map(|id| format!("callboard://task/{id}"));
    for uri in &tasks {
        let answer = watching.request("resources/subscribe", &json!({"uri": uri}));
        assert_eq!(answer["result"], json!({}), "{answer}");
    }

    let claim = working.must("task_claim", &json!({"worker": "w"}));
    let claimed = format!("callboard://task/{}", claim["task"].as_str().unwrap());
    // The other one's place in the queue may have changed with it.
    while updated(&mut watching) != claimed {}

    // What was ended is silent: the other one's change is the next that is told.
    let other = tasks.iter().find(|uri| **uri != claimed).unwrap();
    let ended = watching.request("resources/unsubscribe", &json!({"uri": claimed}));
    assert_eq!(ended["result"], json!({}), "{ended}");
    working.must(
        "task_finish",
        &json!({"task": claim["task"], "fence": claim["fence"], "result": {"done": true}}),
    );
    working.must("task_claim", &json!({"worker": "w"}));
    assert_eq!(&updated(&mut watching), other);
}

#[test]
fn a_modern_client_listens_to_what_another_process_changes() {
    let home = Home::new();
    let mut watching = home.server("assigner");
    let stream = listen(&mut watching, &[BOARD]);
    let mut working = home.server("assigner").hello();
    add(&mut working, "one");
    assert_eq!(updated(&mut watching), BOARD);

    // A stream that was ended is silent, and the server goes on answering.
    watching.notify(
        "notifications/cancelled",
        &json!({"requestId": stream, "_meta": meta()}),
    );
    let again = listen(&mut watching, &[BOARD]);
    assert_ne!(again, stream);
    add(&mut working, "two");
    let told = watching.notification(UPDATED).expect("told of a change");
    let of = &told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"];
    assert_eq!(of, &json!(again), "{told}");
}

#[test]
fn a_change_of_the_roadmap_in_an_editor_is_told() {
    let home = Home::new();
    let dir = home.path().join("plan");
    std::fs::create_dir(&dir).unwrap();
    home.git(&dir, &["init", "-q", "-b", "main"]);
    let file = dir.join("ROADMAP.md");
    std::fs::write(&file, "# Plan\n\n- [ ] one\n").unwrap();
    let mut command = home.command("callboard");
    command.arg("roadmap").current_dir(&dir);
    let mut watching = Client::start(command).hello();
    let uri = "callboard://roadmap";
    let answer = watching.request("resources/subscribe", &json!({"uri": uri}));
    assert_eq!(answer["result"], json!({}), "{answer}");

    // As editors save: another file takes the place.
    let new = dir.join("ROADMAP.md~");
    std::fs::write(&new, "# Plan\n\n- [ ] one\n- [ ] two\n").unwrap();
    std::fs::rename(&new, &file).unwrap();
    assert_eq!(updated(&mut watching), uri);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(updated(&mut watching), uri);
}

#[test]
fn what_cannot_be_subscribed_to_is_refused_with_what_can() {
    let home = Home::new();
    let mut old = home.server("assigner").hello();
    for uri in [
        "callboard://nothing",
        "file:///etc/passwd",
        "",
        "callboard://board?cursor=abc",
    ] {
        let answer = old.request("resources/subscribe", &json!({"uri": uri}));
        let error = answer["error"].to_string();
        assert!(error.contains(BOARD), "{uri}: {answer}");
    }
    let missing = "callboard://task/t-00000000";
    let answer = old.request("resources/subscribe", &json!({"uri": missing}));
    assert_eq!(answer["error"]["code"], -32002, "{answer}");
    let answer = old.request("resources/subscribe", &json!({}));
    assert_eq!(answer["error"]["code"], -32602, "{answer}");

    let mut modern = home.server("assigner");
    let answer = modern.request(
        "subscriptions/listen",
        &json!({"_meta": meta(), "notifications": {"resourceSubscriptions": [missing]}}),
    );
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    let answer = modern.request(
        "resources/subscribe",
        &json!({"_meta": meta(), "uri": BOARD}),
    );
    assert_eq!(answer["error"]["code"], -32601, "{answer}");
}

#[test]
fn a_connection_may_not_subscribe_without_end() {
    let home = Home::new();
    let mut client = home.server("assigner").hello();
    let mut working = home.server("assigner").hello();
    let ids: Vec<String> = (0..=256)
        .map(|round| add(&mut working, &format!("task {round}")))
        .collect();
    let mut refused = None;
    for (round, id) in ids.iter().enumerate() {
        let uri = format!("callboard://task/{id}");
        let answer = client.request("resources/subscribe", &json!({"uri": uri}));
        if answer.get("error").is_some() {
            refused = Some((round, answer));
            break;
        }
    }
    let (round, answer) = refused.expect("there is a bound");
    assert_eq!(round, 256, "{answer}");
    assert!(answer.to_string().contains("256"), "{answer}");
}

/// Calls a tool of the assigner in a session.
fn call(served: &Served, session: &str, tool: &str, arguments: Value) -> Value {
    let params = json!({"name": tool, "arguments": arguments});
    let answer = served
        .in_session("assigner", session, 1, "tools/call", &params)
        .reply();
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    answer["result"]["structuredContent"].clone()
}

/// The next update on a stream: whose it is, and the event's id.
fn next_update(stream: &mut Exchange) -> (String, String) {
    loop {
        let event = stream.event().expect("the stream goes on");
        let id = event.lines().find_map(|line| line.strip_prefix("id: "));
        let data = event.lines().find_map(|line| line.strip_prefix("data: "));
        let message = data.and_then(|data| serde_json::from_str::<Value>(data).ok());
        if let Some(message) = message.filter(|message| message["method"] == UPDATED) {
            let uri = message["params"]["uri"].as_str().unwrap().to_owned();
            return (uri, id.unwrap().to_owned());
        }
    }
}

#[test]
fn a_stream_that_is_taken_up_again_tells_every_change() {
    let home = Home::new();
    let served = Served::start(&home, "");
    let (watching, working) = (
        served.session("assigner", "2025-06-18"),
        served.session("assigner", "2025-06-18"),
    );
    let listen = |more: &[(&str, &str)]| {
        let mut headers = vec![
            ("accept", "text/event-stream"),
            ("mcp-session-id", watching.as_str()),
        ];
        headers.extend_from_slice(more);
        served.send("GET", "/assigner/mcp", &headers, "")
    };
    let titles: Vec<_> = (0..40).map(|n| json!({"title": format!("{n}")})).collect();
    let mut missing = std::collections::BTreeSet::new();
    for title in titles {
        let added = call(&served, &working, "task_add", title);
        let id = added["id"].as_str().unwrap().to_owned();
        let uri = json!({"uri": format!("callboard://task/{id}")});
        let told = served
            .in_session("assigner", &watching, 2, "resources/subscribe", &uri)
            .reply();
        assert_eq!(told["result"], json!({}), "{told}");
        missing.insert(id);
    }
    let change = |id: &str, priority: u64| {
        let change = json!({"id": id, "priority": priority});
        call(&served, &working, "task_update", change);
    };
    let mut stream = listen(&[]);
    let first = missing.first().unwrap().clone();
    change(&first, 3);
    let (_, mut last) = next_update(&mut stream);
    drop(stream);

    // More than once each, while nobody listens: the last of each is what counts.
    for priority in [5, 7] {
        for id in &missing {
            change(id, priority);
        }
    }
    let mut stream = listen(&[("last-event-id", &last)]);
    assert_eq!(stream.status, 200);
    while !missing.is_empty() {
        let (uri, id) = next_update(&mut stream);
        last = id;
        missing.remove(uri.trim_start_matches("callboard://task/"));
    }
    assert!(!last.is_empty());
}
