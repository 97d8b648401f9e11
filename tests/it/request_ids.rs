//! The request's id, in every error and every line of the log, over HTTP.

use callboard_tests::Home;
use callboard_tests::http::{Exchange, MODERN, OLDER, Served, request};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Requests that are refused, each for another reason.
fn refused() -> Vec<(&'static str, Value)> {
    vec![
        ("no/such", json!({})),
        ("tools/call", json!({"name": "nope", "arguments": {}})),
        ("tools/call", json!({"name": "task_list", "arguments": 7})),
        ("tools/list", json!({"cursor": "x"})),
        ("resources/read", json!({"uri": "callboard://nothing"})),
        ("resources/read", json!({})),
        ("resources/list", json!({"cursor": "x"})),
        ("prompts/get", json!({"name": "nope"})),
        ("tasks/get", json!({"taskId": "x"})),
        ("tasks/cancel", json!({"taskId": "x"})),
        ("resources/subscribe", json!({"uri": "callboard://nothing"})),
        ("logging/setLevel", json!({"level": "loud"})),
        ("completion/complete", json!({})),
    ]
}

/// Takes the code of an error that bears this id; a refused call has it in its `_meta`.
fn code(answer: &Value, id: &str) -> i64 {
    if answer["result"]["isError"] == true {
        assert_eq!(
            answer["result"]["_meta"]["callboard/request"], id,
            "{answer}"
        );
        return 0;
    }
    assert_eq!(answer["error"]["data"]["requestId"], id, "{answer}");
    answer["error"]["code"].as_i64().unwrap()
}

#[test]
fn every_error_of_the_protocol_bears_it_on_every_transport_and_revision() {
    let home = Home::new();
    let mut served = Served::start(&home, "[access]\nrate = 0");
    let mut codes = BTreeSet::new();
    let mut number = 0;
    let mut name = |served: &mut Served| {
        number += 1;
        let id = format!("id-{number}");
        served.name(&id);
        (number, id)
    };
    for (method, params) in refused() {
        let (number, id) = name(&mut served);
        let answer = served.modern("assigner", number, method, params).reply();
        codes.insert((MODERN, code(&answer, &id)));
    }
    for revision in OLDER {
        let session = served.session("assigner", revision);
        let (mut stream, endpoint) = served.sse("assigner", revision);
        for (method, params) in refused() {
            let (number, id) = name(&mut served);
            let mut answer = served.in_session("assigner", &session, number, method, &params);
            codes.insert((revision, code(&answer.reply(), &id)));
            let (number, id) = name(&mut served);
            served.tell(&endpoint, &request(number, method, &params));
            codes.insert((revision, code(&stream.answer().0, &id)));
        }
    }
    let (number, id) = name(&mut served);
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "1999-01-01",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "rig", "version": "1"},
    });
    let ask =
        json!({"jsonrpc": "2.0", "id": number, "method": "tools/list", "params": {"_meta": meta}});
    let headers = [
        ("mcp-protocol-version", "1999-01-01"),
        ("mcp-method", "tools/list"),
    ];
    let answer = served.post("assigner", &headers, &ask).reply();
    codes.insert((MODERN, code(&answer, &id)));
    let (number, id) = name(&mut served);
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "rig", "version": "1"},
    });
    let ask =
        json!({"jsonrpc": "2.0", "id": number, "method": "tools/list", "params": {"_meta": meta}});
    let headers = [("mcp-protocol-version", MODERN), ("mcp-method", "ping")];
    let answer = served.post("assigner", &headers, &ask).reply();
    codes.insert((MODERN, code(&answer, &id)));

    let expected = [
        (MODERN, -32020),
        (MODERN, -32021),
        (MODERN, -32022),
        (MODERN, -32601),
        (MODERN, -32602),
        ("2025-11-25", -32002),
        ("2025-11-25", -32021),
        ("2025-11-25", -32601),
        ("2025-11-25", -32602),
        ("2024-11-05", -32002),
    ];
    for wanted in expected {
        assert!(codes.contains(&wanted), "{wanted:?}: {codes:?}");
    }
}

/// What is turned away before a server sees it: method, path, headers, body, status.
type TurnedAway = (
    &'static str,
    &'static str,
    Vec<(&'static str, String)>,
    String,
    u16,
);

fn turned_away() -> Vec<TurnedAway> {
    let json_body = || vec![("content-type", "application/json".to_owned())];
    let speaks = || {
        let mut headers = json_body();
        headers.push(("accept", "application/json, text/event-stream".to_owned()));
        headers
    };
    let with = |name, value: &str| {
        let mut headers = speaks();
        headers.push((name, value.to_owned()));
        headers
    };
    let ping = request(1, "ping", &json!({})).to_string();
    let long = "a".repeat(9_000);
    vec![
        (
            "POST",
            "/assigner/mcp",
            with("authorization", "Bearer x"),
            ping.clone(),
            401,
        ),
        (
            "GET",
            "/assigner/sse",
            with("authorization", "Bearer x"),
            String::new(),
            401,
        ),
        (
            "POST",
            "/assigner/mcp",
            with("host", "evil.example"),
            ping.clone(),
            403,
        ),
        (
            "POST",
            "/assigner/mcp",
            with("origin", "https://evil.example"),
            ping.clone(),
            403,
        ),
        ("GET", "/nothing", vec![], String::new(), 404),
        (
            "POST",
            "/assigner/mcp",
            with("mcp-session-id", "x"),
            ping.clone(),
            404,
        ),
        (
            "DELETE",
            "/assigner/mcp",
            with("mcp-session-id", "x"),
            String::new(),
            404,
        ),
        (
            "POST",
            "/assigner/message?sessionId=x",
            json_body(),
            ping.clone(),
            404,
        ),
        ("POST", "/health", vec![], String::new(), 405),
        ("DELETE", "/ready", vec![], String::new(), 405),
        ("POST", "/assigner/sse", vec![], String::new(), 405),
        ("GET", "/assigner/message", vec![], String::new(), 405),
        ("PUT", "/assigner/mcp", vec![], String::new(), 405),
        ("POST", "/assigner/mcp", json_body(), ping.clone(), 406),
        ("POST", "/assigner/mcp", speaks(), long.clone(), 413),
        (
            "POST",
            "/assigner/mcp",
            vec![("accept", "application/json, text/event-stream".to_owned())],
            ping,
            415,
        ),
        ("POST", "/assigner/mcp", speaks(), "{".to_owned(), 400),
        ("GET", "/health", vec![("x-long", long)], String::new(), 431),
    ]
}

fn sent(served: &mut Served, id: &str, turned_away: &TurnedAway) -> Exchange {
    let (method, path, headers, body, status) = turned_away;
    served.name(id);
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let answer = served.send(method, path, &headers, body);
    assert_eq!(answer.status, *status, "{method} {path}");
    answer
}

#[test]
fn whatever_is_turned_away_bears_it() {
    let home = Home::new();
    let mut served = Served::start(&home, "head_bytes = 8192\nbody_bytes = 8192");
    for (number, case) in turned_away().iter().enumerate() {
        let id = format!("id-{number}");
        let mut answer = sent(&mut served, &id, case);
        assert_eq!(answer.header("x-request-id"), Some(&*id), "{case:?}");
        let said = answer.json();
        let error = &said["error"];
        let found = [&error["data"]["requestId"], &error["requestId"]];
        assert!(found.contains(&&json!(id)), "{case:?}: {said}");
    }
}

#[test]
fn every_line_of_the_log_about_a_request_bears_it() {
    let home = Home::new();
    let settings =
        "head_bytes = 8192\nbody_bytes = 8192\n[log]\nlevel = \"info\"\nformat = \"json\"";
    let mut served = Served::start(&home, settings);
    let mut ids = BTreeSet::new();
    for (number, case) in turned_away().iter().enumerate() {
        let id = format!("id-{number}");
        let answer = sent(&mut served, &id, case);
        // The library's own are answered without a line.
        if [401, 403, 413, 431].contains(&answer.status) {
            ids.insert(id);
        }
    }
    let session = served.session("assigner", "2025-11-25");
    let (mut stream, endpoint) = served.sse("assigner", "2024-11-05");
    let call = json!({"name": "task_get", "arguments": {"id": "t_none"}});
    served.name("call-modern");
    let refused = served
        .modern("assigner", 1, "tools/call", call.clone())
        .reply();
    assert_eq!(refused["result"]["isError"], true, "{refused}");
    served.name("call-session");
    let _ = served
        .in_session("assigner", &session, 2, "tools/call", &call)
        .reply();
    served.name("call-sse");
    served.tell(&endpoint, &request(3, "tools/call", &call));
    let _ = stream.answer();
    ids.extend(["call-modern", "call-session", "call-sse"].map(str::to_owned));
    served.terminate();
    let (code, log) = served.ended();
    assert_eq!(code, 0, "{log}");

    let mut found = BTreeSet::new();
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        let message = entry["fields"]["message"].as_str().unwrap_or_default();
        let spans = entry["spans"].as_array().into_iter().flatten();
        let in_request = spans
            .clone()
            .any(|span| span["name"] == "http" || span["name"] == "call");
        let about_one = message.contains("turned away") || message.contains("call ended");
        assert!(in_request || !about_one, "{line}");
        let named = spans.flat_map(|span| [&span["request"], &span["http"]]);
        found.extend(named.filter_map(Value::as_str).map(str::to_owned));
    }
    let missing: Vec<_> = ids.difference(&found).collect();
    assert!(missing.is_empty(), "{missing:?}: {log}");
}
