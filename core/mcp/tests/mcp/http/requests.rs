//! Requests over HTTP: who and what comes in, what is bounded, what goes back.

use std::time::Duration;

use crate::fixture::web::{Exchange, Web, modern};
use callboard_mcp::http::{Limits, ListenError, Listener, Plaintext};
use serde_json::{Value, json};

const ADD: &str = "note_add";

#[tokio::test]
async fn both_eras_call_a_tool() {
    let web = Web::plain().await;
    let session = web.session("ann").await;
    let mut old = web
        .call("ann", &session, 7, ADD, json!({"title": "old"}))
        .await;
    let answer = old.message().await.unwrap();
    assert_eq!(answer["id"], 7);
    assert_eq!(
        answer["result"]["structuredContent"]["id"], "n_1",
        "{answer}"
    );
    assert_eq!(old.message().await, None);

    let mut new = web
        .call_modern("ann", 8, ADD, json!({"title": "new"}))
        .await;
    let answer = new.message().await.unwrap();
    assert_eq!(answer["id"], 8);
    assert_eq!(
        answer["result"]["structuredContent"]["id"], "n_2",
        "{answer}"
    );
    assert_eq!(new.message().await, None);
    web.end().await.unwrap();
}

#[tokio::test]
async fn every_older_revision_begins_a_session() {
    let web = Web::plain().await;
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        web.session_of("ann", revision).await;
    }
    web.end().await.unwrap();
}

#[tokio::test]
async fn progress_comes_on_the_stream_of_its_call_in_both_eras() {
    let web = Web::plain().await;
    let session = web.session("ann").await;
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "note_count", "arguments": {}, "_meta": {"progressToken": "p"}}});
    let old = web
        .post("ann", &[("mcp-session-id", &session)], &call)
        .await;
    let new = web.call_modern("ann", 2, "note_count", json!({})).await;
    for mut exchange in [old, new] {
        let mut steps = Vec::new();
        while let Some(message) = exchange.message().await {
            steps.push(message);
        }
        let answer = steps.pop().unwrap();
        assert_eq!(answer["result"]["structuredContent"]["steps"], 5);
        assert!(steps.len() >= 2, "{steps:?}");
        assert!(
            steps
                .iter()
                .all(|step| step["method"] == "notifications/progress")
        );
    }
    web.end().await.unwrap();
}

#[tokio::test]
async fn health_and_ready_need_no_token_and_everything_else_does() {
    let web = Web::plain().await;
    assert_eq!(
        web.get("/health").await.json().await,
        json!({"status": "alive"})
    );
    let mut ready = web.get("/ready").await;
    assert_eq!(ready.status, 200);
    assert_eq!(
        ready.json().await,
        json!({"status": "ready", "servers": ["fixture"]})
    );
    for path in ["/", "/fixture/mcp", "/fixture/sse", "/nothing"] {
        let mut refused = web.get(path).await;
        assert_eq!(refused.status, 401, "{path}");
        assert_eq!(
            refused.header("www-authenticate"),
            Some("Bearer realm=\"callboard\"")
        );
        let said = refused.json().await;
        assert_eq!(said["error"]["data"]["kind"], "unauthorized", "{said}");
    }
    let bearer = [("authorization", "Bearer ann")];
    let mut nowhere = web.send("GET", "/nothing/mcp", &bearer, "").await;
    assert_eq!(nowhere.status, 404);
    let said = nowhere.json().await;
    assert_eq!(said["error"]["kind"], "not_found");
    assert_eq!(
        said["servers"],
        json!([{"name": "fixture", "mcp": "/fixture/mcp", "sse": "/fixture/sse"}])
    );
    web.end().await.unwrap();
}

#[tokio::test]
async fn foreign_hosts_and_pages_are_turned_away_before_the_gate() {
    let web = Web::plain().await;
    for headers in [
        [("host", "evil.example"), ("authorization", "Bearer ann")],
        [
            ("origin", "https://evil.example"),
            ("authorization", "Bearer ann"),
        ],
        [("origin", "null"), ("authorization", "Bearer ann")],
    ] {
        for path in ["/fixture/mcp", "/fixture/sse", "/health"] {
            let mut refused = web.send("GET", path, &headers, "").await;
            assert_eq!(refused.status, 403, "{headers:?} {path}");
            assert_eq!(refused.json().await["error"]["data"]["kind"], "forbidden");
        }
    }
    assert_eq!(web.gate.turned_away.lock().unwrap().as_slice(), [403; 9]);
    let own = [("origin", "http://localhost:6274")];
    assert_eq!(web.send("GET", "/health", &own, "").await.status, 200);
    web.end().await.unwrap();
}

#[tokio::test]
async fn a_page_is_for_whoever_is_let_in_and_says_why_it_is_missing() {
    let web = Web::plain().await;
    assert_eq!(web.get("/figures").await.status, 401);
    let foreign = [("authorization", "Bearer viewer"), ("host", "evil.example")];
    assert_eq!(web.send("GET", "/figures", &foreign, "").await.status, 403);
    let viewer = [("authorization", "Bearer viewer")];
    let mut page = web.send("GET", "/figures", &viewer, "").await;
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert!(page.header("x-request-id").is_some());
    assert_eq!(page.body().await, "figures 1\n");
    let posted = web.send("POST", "/figures", &viewer, "").await;
    assert_eq!(
        (posted.status, posted.header("allow")),
        (405, Some("GET, HEAD"))
    );
    let mut broken = web.send("GET", "/broken", &viewer, "").await;
    assert_eq!(broken.status, 503);
    let error = broken.json().await["error"].clone();
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("the disk is gone"),
        "{error}"
    );
    assert_eq!(
        web.send("GET", "/figures/more", &viewer, "").await.status,
        404
    );
    web.end().await.unwrap();
}

#[tokio::test]
async fn the_request_id_is_in_every_answer_and_every_error() {
    let web = Web::plain().await;
    let named = [("x-request-id", "abc-1")];
    assert_eq!(
        web.send("GET", "/health", &named, "")
            .await
            .header("x-request-id"),
        Some("abc-1")
    );
    let odd = [("x-request-id", "a b")];
    let made = web.send("GET", "/health", &odd, "").await;
    assert!(made.header("x-request-id").unwrap().starts_with("q_"));

    let mut refused = web.send("GET", "/fixture/mcp", &named, "").await;
    assert_eq!(refused.json().await["error"]["data"]["requestId"], "abc-1");
    let (headers, call) = modern(1, ADD, json!({"title": "taken"}));
    let mut headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    headers.extend(named);
    let answer = web
        .post("ann", &headers, &call)
        .await
        .message()
        .await
        .unwrap();
    assert_eq!(answer["result"]["isError"], true);
    assert_eq!(
        answer["result"]["_meta"]["callboard/request"], "abc-1",
        "{answer}"
    );
    let unknown =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "nope"}});
    let session = web.session("ann").await;
    let more = [
        ("mcp-session-id", session.as_str()),
        ("x-request-id", "abc-2"),
    ];
    let answer = web
        .post("ann", &more, &unknown)
        .await
        .message()
        .await
        .unwrap();
    assert_eq!(answer["error"]["data"]["requestId"], "abc-2", "{answer}");
    // What the protocol library refuses by itself.
    let mut refused = web
        .send(
            "POST",
            "/fixture/mcp",
            &[("authorization", "Bearer ann"), ("x-request-id", "abc-3")],
            &unknown.to_string(),
        )
        .await;
    assert_eq!(refused.status, 406);
    let said = refused.json().await;
    assert_eq!(said["error"]["data"]["requestId"], "abc-3");
    assert_eq!(said["id"], 1);
    web.end().await.unwrap();
}

async fn raw(web: &Web, body: &str) -> (u16, Value) {
    let headers = [
        ("authorization", "Bearer ann"),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ];
    let mut answer = web.send("POST", "/fixture/mcp", &headers, body).await;
    (answer.status, answer.json().await)
}

#[tokio::test]
async fn what_is_no_message_gets_a_json_rpc_error() {
    let web = Web::plain().await;
    for (body, code) in [
        ("", -32700),
        ("{\"jsonrpc\"", -32700),
        ("[]", -32600),
        (
            "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
            -32600,
        ),
        ("7", -32600),
        (
            "{\"id\":1,\"id\":2,\"method\":\"ping\",\"jsonrpc\":\"2.0\"}",
            -32600,
        ),
    ] {
        let (status, said) = raw(&web, body).await;
        assert_eq!(
            (status, &said["error"]["code"]),
            (400, &json!(code)),
            "{body}: {said}"
        );
    }
    web.end().await.unwrap();
}

#[tokio::test]
async fn bodies_and_heads_are_bounded() {
    let limits = Limits {
        body_bytes: 1_000,
        headers: 20,
        head_bytes: 8_192,
        ..Limits::default()
    };
    let web = Web::open(limits).await;
    let (status, said) = raw(&web, &" ".repeat(1_001)).await;
    assert_eq!(status, 413);
    assert_eq!(said["error"]["data"]["kind"], "limit");
    // A body without a declared length is no way around it.
    let mut chunked = Exchange::connect(web.address).await;
    chunked
        .bytes(b"POST /fixture/mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ann\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    let piece = format!("400\r\n{}\r\n", " ".repeat(0x400));
    chunked.bytes(piece.as_bytes()).await;
    chunked.head().await;
    assert_eq!(chunked.status, 413);

    let names: Vec<String> = (0..30).map(|number| format!("x-{number}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(web.send("GET", "/health", &many, "").await.status, 431);
    let long = "a".repeat(20_000);
    assert_eq!(
        web.send("GET", "/health", &[("x-long", &long)], "")
            .await
            .status,
        431
    );
    web.end().await.unwrap();
}

/// A head of so many bytes.
fn head_of(bytes: usize) -> String {
    let begin = "GET /health HTTP/1.1\r\nhost: localhost\r\nx-request-id: abc-1\r\nx-long: ";
    let long = "a".repeat(bytes - begin.len() - 4);
    format!("{begin}{long}\r\n\r\n")
}

#[tokio::test]
async fn a_head_is_bounded_to_the_byte_and_refused_in_words() {
    for head_bytes in [8_192, 65_536] {
        let limits = Limits {
            head_bytes,
            ..Limits::default()
        };
        let web = Web::open(limits).await;
        for (bytes, status) in [(head_bytes, 200), (head_bytes + 1, 431)] {
            let head = head_of(bytes);
            assert_eq!(head.len(), bytes);
            let mut answer = Exchange::connect(web.address).await;
            answer.bytes(head.as_bytes()).await;
            answer.head().await;
            assert_eq!(answer.status, status, "{bytes} of {head_bytes}");
            assert_eq!(answer.header("x-request-id"), Some("abc-1"));
            if status == 431 {
                assert_eq!(answer.header("connection"), Some("close"));
                let said = answer.json().await;
                assert_eq!(said["error"]["data"]["kind"], "limit", "{said}");
                assert_eq!(said["error"]["data"]["requestId"], "abc-1", "{said}");
                assert!(answer.closed().await);
            }
        }
        web.end().await.unwrap();
    }
}

#[tokio::test]
async fn headers_are_counted_exactly() {
    let limits = Limits {
        headers: 20,
        ..Limits::default()
    };
    let web = Web::open(limits).await;
    // Beside these there are `host` and `content-length`.
    let names: Vec<String> = (0..19).map(|number| format!("x-{number}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(web.send("GET", "/health", &many[1..], "").await.status, 200);
    let mut refused = web.send("GET", "/health", &many, "").await;
    assert_eq!(refused.status, 431);
    let said = refused.json().await;
    assert!(said["error"]["data"]["requestId"].is_string(), "{said}");
    web.end().await.unwrap();
}

#[tokio::test]
async fn a_client_that_dawdles_loses_its_connection() {
    let limits = Limits {
        head_within: Duration::from_millis(100),
        body_within: Duration::from_millis(100),
        connection_idle: Duration::from_millis(100),
        ..Limits::default()
    };
    let web = Web::open(limits).await;
    let mut silent = Exchange::connect(web.address).await;
    assert!(silent.closed().await);
    let mut half = Exchange::connect(web.address).await;
    half.bytes(b"GET /health HTTP/1.1\r\nhost: loc").await;
    assert!(half.closed().await);
    let mut idle = web.get("/health").await;
    assert_eq!(idle.status, 200);
    assert!(idle.closed().await);
    let mut slow = Exchange::connect(web.address).await;
    slow.bytes(b"POST /fixture/mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ann\r\ncontent-length: 10\r\n\r\n{").await;
    slow.head().await;
    assert_eq!(slow.status, 408);
    web.until_empty().await;
    web.end().await.unwrap();
}

#[tokio::test]
async fn a_slow_drip_of_a_head_is_no_way_around_its_bound() {
    let limits = Limits {
        head_within: Duration::from_millis(200),
        ..Limits::default()
    };
    let web = Web::open(limits).await;
    let mut drip = Exchange::connect(web.address).await;
    drip.bytes(b"GET /health HTTP/1.1\r\nhost: localhost\r\nx: ")
        .await;
    let closed = tokio::time::timeout(Duration::from_secs(30), async {
        while drip.try_bytes(b"a").await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    closed.await.expect("it was never closed");
    web.until_empty().await;
    web.end().await.unwrap();
}

#[tokio::test]
async fn a_panic_is_an_answer_and_the_server_goes_on() {
    let web = Web::plain().await;
    let session = web.session("ann").await;
    for late in [false, true] {
        let arguments = json!({"late": late});
        let old = web
            .call("ann", &session, 1, "note_break", arguments.clone())
            .await
            .message()
            .await;
        let new = web
            .call_modern("ann", 1, "note_break", arguments)
            .await
            .message()
            .await;
        for answer in [old, new] {
            let answer = answer.unwrap();
            assert_eq!(answer["result"]["isError"], true, "{answer}");
            assert!(!answer.to_string().contains("the secret"));
        }
    }
    let answer = web
        .call("ann", &session, 2, ADD, json!({"title": "on"}))
        .await
        .message()
        .await;
    assert_eq!(answer.unwrap()["result"]["isError"], false);
    web.end().await.unwrap();
}

#[tokio::test]
async fn the_role_of_the_token_holds_for_the_call() {
    let web = Web::plain().await;
    let session = web.session("viewer").await;
    let old = web
        .call("viewer", &session, 1, ADD, json!({"title": "x"}))
        .await
        .message()
        .await;
    let new = web
        .call_modern("viewer", 1, ADD, json!({"title": "x"}))
        .await
        .message()
        .await;
    for answer in [old, new] {
        let text = answer.unwrap()["result"]["content"][0]["text"].to_string();
        assert!(
            text.contains("forbidden: note_add needs the role developer"),
            "{text}"
        );
    }
    web.end().await.unwrap();
}

#[tokio::test]
async fn an_address_that_others_can_reach_is_not_taken_in_the_clear() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let refused = Listener::plain(address.parse().unwrap(), Plaintext::Loopback).await;
        let Err(error @ ListenError::Exposed(_)) = refused.map(|_| ()) else {
            panic!("{address} was taken");
        };
        assert!(error.hint().contains("--tls-cert"));
    }
    let meant = Listener::plain("0.0.0.0:0".parse().unwrap(), Plaintext::Anywhere).await;
    assert!(meant.is_ok());
}
