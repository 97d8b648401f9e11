//! `callboard serve` as a process: every transport and revision, what is bounded, and how it ends.

use callboard_tests::http::{Exchange, MODERN, OLDER, Served, initialize, request};
use callboard_tests::{Home, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

const SERVERS: [&str; 4] = ["assigner", "roadmap", "llm", "telemetry"];
/// Longer than a server may need for anything that is waited for.
const LONG: Duration = Duration::from_secs(60);

fn claim(wait_s: u64) -> Value {
    json!({"name": "task_claim", "arguments": {"worker": "w", "wait_s": wait_s}})
}

fn add(title: &str) -> Value {
    json!({"name": "task_add", "arguments": {"title": title}})
}

fn tools(answer: &Value) -> Vec<&str> {
    let listed = answer["result"]["tools"].as_array();
    let names = listed
        .into_iter()
        .flatten()
        .map(|tool| tool["name"].as_str().unwrap());
    names.collect()
}

/// How many calls of this tool ended like that, as the call log has it.
fn ended(home: &Home, tool: &str, outcome: &str) -> i64 {
    let file = home.board().join("telemetry.db");
    let db = rusqlite::Connection::open(file).unwrap();
    db.query_row(
        "SELECT count(*) FROM call WHERE tool = ?1 AND outcome = ?2",
        [tool, outcome],
        |row| row.get(0),
    )
    .unwrap_or(0)
}

#[test]
fn every_revision_lists_and_calls_on_every_transport() {
    let home = Home::new();
    let served = Served::start(&home, "");
    let mut titles = Vec::new();
    for server in SERVERS {
        let mut discovered = served.modern(server, 1, "server/discover", json!({}));
        let (discovered, _) = discovered.answer();
        assert!(discovered.to_string().contains(MODERN), "{discovered}");
        let (listed, _) = served.modern(server, 2, "tools/list", json!({})).answer();
        let expected = tools(&listed);
        assert!(!expected.is_empty());
        for revision in OLDER {
            let session = served.session(server, revision);
            let (answer, _) = served
                .in_session(server, &session, 1, "tools/list", &json!({}))
                .answer();
            assert_eq!(tools(&answer), expected, "{server} {revision}");
            let (mut stream, endpoint) = served.sse(server, revision);
            served.tell(&endpoint, &request(1, "tools/list", &json!({})));
            assert_eq!(
                tools(&stream.answer().0),
                expected,
                "{server} {revision} over SSE"
            );
            if server == "assigner" {
                let title = format!("{revision} over HTTP");
                let (answer, _) = served
                    .in_session(server, &session, 2, "tools/call", &add(&title))
                    .answer();
                assert_eq!(answer["result"]["isError"], false, "{answer}");
                titles.push(title);
                let title = format!("{revision} over SSE");
                served.tell(&endpoint, &request(2, "tools/call", &add(&title)));
                let (answer, _) = stream.answer();
                assert_eq!(answer["result"]["isError"], false, "{answer}");
                titles.push(title);
            }
        }
    }
    let (answer, _) = served
        .modern("assigner", 3, "tools/call", add("modern"))
        .answer();
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    titles.push("modern".to_owned());
    let list = json!({"name": "task_list", "arguments": {"limit": 50}});
    let (answer, _) = served.modern("assigner", 4, "tools/call", list).answer();
    let tasks = answer["result"]["structuredContent"]["tasks"]
        .as_array()
        .unwrap();
    let mut found: Vec<&str> = tasks
        .iter()
        .map(|task| task["title"].as_str().unwrap())
        .collect();
    found.sort_unstable();
    titles.sort_unstable();
    assert_eq!(found, titles);
}

#[test]
fn health_ready_and_what_is_nowhere() {
    let home = Home::new();
    let served = Served::start(&home, "");
    assert_eq!(served.get("/health").json(), json!({"status": "alive"}));
    let mut ready = served.get("/ready");
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json(), json!({"status": "ready", "servers": SERVERS}));
    let mut nowhere = served.get("/assigner");
    assert_eq!(nowhere.status, 404);
    let named = nowhere.json()["servers"].clone();
    assert_eq!(named[1]["sse"], "/roadmap/sse");
    let foreign = served.send("GET", "/health", &[("host", "evil.example")], "");
    assert_eq!(foreign.status, 403);
}

#[test]
fn metrics_count_the_calls_of_the_board_for_whoever_has_a_token() {
    let home = Home::new();
    let served = Served::start(&home, "");
    let refused = served.send(
        "GET",
        "/metrics",
        &[("authorization", "Bearer cb_nobody")],
        "",
    );
    assert_eq!(refused.status, 401);
    let count = "callboard_calls_total{callboard_server=\"assigner\",gen_ai_tool_name=\"task_list\",callboard_outcome=\"ok\"} 2";
    for id in [1, 2] {
        let list = json!({"name": "task_list", "arguments": {}});
        let (answer, _) = served.modern("assigner", id, "tools/call", list).answer();
        assert_eq!(answer["result"]["isError"], false, "{answer}");
    }
    let counted = wait_until(LONG, || {
        let mut page = served.get("/metrics");
        assert_eq!(page.status, 200);
        let kind = page.header("content-type").unwrap().to_owned();
        assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
        let text = page.body();
        assert!(text.ends_with("# EOF\n"), "{text}");
        text.contains(count)
    });
    assert!(counted);
}

#[test]
fn names_of_the_configuration_come_in() {
    let home = Home::new();
    let served = Served::start(
        &home,
        "hosts = [\"board.example\"]\norigins = [\"https://page.example\"]",
    );
    for (name, value, status) in [
        ("host", "board.example:81", 200),
        ("host", "other.example", 403),
        ("origin", "https://page.example", 200),
        ("origin", "https://other.example", 403),
    ] {
        let answer = served.send("GET", "/health", &[(name, value)], "");
        assert_eq!(answer.status, status, "{name}: {value}");
    }
}

#[test]
fn progress_comes_before_its_answer_on_every_transport() {
    let home = Home::new();
    let served = Served::start(&home, "");
    let (mut stream, endpoint) = served.sse("assigner", "2024-11-05");
    served.tell(&endpoint, &request(1, "tools/call", &claim(1)));
    let session = served.session("assigner", "2025-11-25");
    let mut old = served.in_session("assigner", &session, 2, "tools/call", &claim(1));
    let mut new = served.modern("assigner", 3, "tools/call", claim(1));
    for (id, exchange) in [(1, &mut stream), (2, &mut old), (3, &mut new)] {
        let (answer, before) = exchange.answer();
        assert_eq!(answer["id"], id, "{answer}");
        assert!(before >= 1, "{answer}");
    }
}

#[test]
fn cancelling_and_hanging_up_end_the_call() {
    let home = Home::new();
    let served = Served::start(&home, "resume_within = \"0s\"");
    let is_at_work = |exchange: &mut Exchange| {
        let first = exchange.message().expect("progress");
        assert_eq!(first["method"], "notifications/progress", "{first}");
    };
    let session = served.session("assigner", "2025-11-25");
    let mut said = served.in_session("assigner", &session, 1, "tools/call", &claim(40));
    is_at_work(&mut said);
    let cancel =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    let told = served.post("assigner", &[("mcp-session-id", &session)], &cancel);
    assert_eq!(told.status, 202);
    assert_eq!(said.message(), None, "no answer, and the stream ends");

    let mut old = served.in_session("assigner", &session, 2, "tools/call", &claim(40));
    is_at_work(&mut old);
    drop(old);
    let mut new = served.modern("assigner", 3, "tools/call", claim(40));
    is_at_work(&mut new);
    drop(new);
    let (mut stream, endpoint) = served.sse("assigner", "2024-11-05");
    served.tell(&endpoint, &request(4, "tools/call", &claim(40)));
    is_at_work(&mut stream);
    drop(stream);
    let all = wait_until(LONG, || ended(&home, "task_claim", "cancelled") == 4);
    assert!(all, "{} of 4", ended(&home, "task_claim", "cancelled"));
    // And none of them takes the task that comes now.
    let (added, _) = served
        .modern("assigner", 5, "tools/call", add("free"))
        .answer();
    let task = &added["result"]["structuredContent"]["id"];
    let (taken, _) = served
        .modern("assigner", 6, "tools/call", claim(0))
        .answer();
    assert_eq!(
        &taken["result"]["structuredContent"]["task"], task,
        "{taken}"
    );
}

#[test]
fn large_and_slow_requests_are_turned_away() {
    let home = Home::new();
    let served = Served::start(
        &home,
        "head_bytes = 8192\nbody_bytes = 2048\nhead_timeout = \"1s\"\nbody_timeout = \"1s\"\nidle_timeout = \"1s\"",
    );
    let long = "a".repeat(3_000);
    let mut large = served.modern("assigner", 1, "tools/call", add(&long));
    assert_eq!(large.status, 413);
    assert_eq!(large.json()["error"]["data"]["kind"], "limit");
    let header = "a".repeat(20_000);
    assert_eq!(
        served
            .send("GET", "/health", &[("x-long", &header)], "")
            .status,
        431
    );
    let names: Vec<String> = (0..200).map(|number| format!("x-{number}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(served.send("GET", "/health", &many, "").status, 431);

    let mut idle = served.get("/health");
    assert_eq!(idle.status, 200);
    let mut silent = Exchange::connect(served.address);
    let mut body = Exchange::connect(served.address);
    let promised = served.request(
        "POST",
        "/assigner/mcp",
        &[("content-type", "application/json")],
        &" ".repeat(99),
    );
    assert!(body.raw(promised.trim_end().as_bytes()) && body.raw(b"\r\n\r\n{"));
    let mut drip = Exchange::connect(served.address);
    assert!(drip.raw(b"GET /health HTTP/1.1\r\nhost: localhost\r\nx: "));
    let dripped = wait_until(LONG, || !drip.raw(b"a"));
    assert!(dripped, "a head that never ends was never cut off");
    body.head();
    assert_eq!(body.status, 408);
    silent.closed();
    idle.closed();
    assert_eq!(served.get("/health").status, 200);
}

#[test]
fn sessions_are_counted_and_end_when_nobody_uses_them() {
    let home = Home::new();
    let served = Served::start(
        &home,
        "sessions = 3\nsessions_per_caller = 2\nsession_idle = \"1s\"",
    );
    let first = served.session("assigner", "2025-11-25");
    let _second = served.session("roadmap", "2025-11-25");
    let mut refused = served.post("assigner", &[], &initialize("2025-11-25"));
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.json()["error"]["data"]["kind"], "limit");
    assert_eq!(served.get("/assigner/sse").status, 429);
    let ends = wait_until(LONG, || {
        served
            .post("assigner", &[], &initialize("2025-11-25"))
            .status
            == 200
    });
    assert!(ends, "no idle session ends");
    let mut gone = served.in_session("assigner", &first, 1, "tools/list", &json!({}));
    assert_eq!((gone.status, &gone.json()["id"]), (404, &json!(1)));
}

#[test]
fn after_a_restart_a_session_is_unknown_and_another_begins() {
    let home = Home::new();
    let mut served = Served::start(&home, "");
    let address = served.address.to_string();
    let session = served.session("assigner", "2025-11-25");
    let (mut stream, endpoint) = served.sse("assigner", "2024-11-05");
    let (added, _) = served
        .in_session("assigner", &session, 1, "tools/call", &add("kept"))
        .answer();
    served.terminate();
    assert_eq!(stream.event(), None, "a proper end");
    assert_eq!(served.ended().0, 0);

    let served = Served::at(&home, &address);
    let list = json!({"name": "task_list", "arguments": {}});
    let mut unknown = served.in_session("assigner", &session, 2, "tools/call", &list);
    assert_eq!(unknown.status, 404);
    let hint = unknown.json()["error"]["data"]["hint"].to_string();
    assert!(hint.contains("initialize"), "{hint}");
    let body = request(2, "tools/call", &list).to_string();
    let json_body = [("content-type", "application/json")];
    assert_eq!(
        served.send("POST", &endpoint, &json_body, &body).status,
        404
    );
    let session = served.session("assigner", "2025-11-25");
    let (listed, _) = served
        .in_session("assigner", &session, 3, "tools/call", &list)
        .answer();
    assert_eq!(
        listed["result"]["structuredContent"]["tasks"][0]["id"],
        added["result"]["structuredContent"]["id"],
        "{listed}"
    );
}

/// Three calls that wait, one on each transport.
fn three_waits(served: &Served, wait_s: u64) -> [Exchange; 3] {
    let (stream, endpoint) = served.sse("assigner", "2024-11-05");
    served.tell(&endpoint, &request(1, "tools/call", &claim(wait_s)));
    let session = served.session("assigner", "2025-11-25");
    let old = served.in_session("assigner", &session, 2, "tools/call", &claim(wait_s));
    let new = served.modern("assigner", 3, "tools/call", claim(wait_s));
    let mut waits = [stream, old, new];
    for wait in &mut waits {
        let first = wait.message().expect("progress");
        assert_eq!(first["method"], "notifications/progress", "{first}");
    }
    waits
}

#[test]
fn running_calls_end_and_nothing_new_begins() {
    let home = Home::new();
    let mut served = Served::start(&home, "stop_within = \"5m\"");
    let mut waits = three_waits(&served, 3);
    served.terminate();
    assert!(wait_until(LONG, || served.get("/ready").status == 503));
    assert_eq!(served.get("/health").status, 200);
    let mut refused = served.modern("assigner", 4, "tools/call", add("late"));
    assert_eq!(refused.status, 503);
    assert_eq!(refused.json()["error"]["data"]["kind"], "unavailable");
    for wait in &mut waits {
        let (answer, _) = wait.answer();
        assert_eq!(answer["result"]["isError"], false, "{answer}");
        assert_eq!(wait.event(), None, "a proper end");
    }
    let (code, err) = served.ended();
    assert_eq!(code, 0, "{err}");
}

#[test]
fn calls_that_do_not_end_in_time_are_answered_as_cancelled() {
    let home = Home::new();
    let mut served = Served::start(&home, "stop_within = \"0s\"");
    let mut waits = three_waits(&served, 40);
    served.terminate();
    for wait in &mut waits {
        let (answer, _) = wait.answer();
        let text = answer["result"]["content"][0]["text"].as_str().unwrap();
        assert!(
            text.starts_with("cancelled: the server is ending"),
            "{text}"
        );
        assert_eq!(wait.event(), None, "a proper end");
    }
    let (code, err) = served.ended();
    assert_eq!(code, 0, "{err}");
    assert!(wait_until(LONG, || home.processes().is_empty()));
}

#[test]
fn a_second_word_ends_it_at_once() {
    let home = Home::new();
    let mut served = Served::start(&home, "stop_within = \"1h\"");
    let _waits = three_waits(&served, 45);
    served.terminate();
    assert!(wait_until(LONG, || served.get("/ready").status == 503));
    served.terminate();
    let (code, err) = served.ended();
    assert_ne!(code, 0);
    assert!(
        err.contains("ended at once, without waiting for 3 running calls"),
        "{err}"
    );
}

#[test]
fn an_address_that_others_reach_and_wrong_settings_are_refused() {
    let home = Home::new();
    let open = home.callboard(&["serve", "--listen", "0.0.0.0:0"]);
    assert_ne!(open.code, 0);
    assert!(
        open.err.contains("Hint:") && open.out.is_empty(),
        "{open:?}"
    );
    let half = home.callboard(&["serve", "--tls-cert", "chain.pem"]);
    assert!(half.code != 0 && half.err.contains("--tls-key"), "{half:?}");
    let file = home.path().join("config/callboard/config.toml");
    for (text, named) in [
        ("listen = \"nowhere\"", "serve.listen"),
        ("body_bytes = 1", "serve.body_bytes"),
        ("answer_timeout = \"1s\"", "serve.answer_timeout"),
        ("origins = [\"page.example\"]", "serve.origins"),
        ("hosts = [\"[::1\"]", "serve.hosts"),
    ] {
        home.write(&file, &format!("[serve]\n{text}\n"));
        let refused = home.callboard(&["serve", "--listen", "127.0.0.1:0"]);
        assert!(
            refused.code != 0 && refused.err.contains(named),
            "{refused:?}"
        );
    }
}
