//! Endpoints that are no MCP: the same gate and bounds, their own words, and nothing that outlives its client.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::fixture::web::{Exchange, Web};
use callboard_mcp::http::Limits;

/// The status that a request must get: method, path, headers, body.
type Case<'r> = (u16, &'r str, &'r str, &'r [(&'r str, &'r str)], &'r str);

const AGENT: (&str, &str) = ("authorization", "Bearer agent");

#[tokio::test]
async fn a_request_comes_whole_and_without_what_opened_the_gate() {
    let web = Web::plain().await;
    let headers = [
        AGENT,
        ("x-api-key", "sk-secret"),
        ("cookie", "a=b"),
        ("x-request-id", "r-7"),
        ("anthropic-version", "1"),
    ];
    let mut exchange = web.send("POST", "/raw/echo", &headers, "hello").await;
    assert_eq!(exchange.status, 200);
    assert_eq!(exchange.header("x-request-id"), Some("r-7"));
    let said = exchange.json().await;
    assert_eq!(said["body"], "hello");
    assert_eq!(
        (&said["caller"], &said["id"]),
        (&"agent".into(), &"r-7".into())
    );
    assert_eq!(said["actor"], "POST /raw/echo");
    let seen = said["headers"].to_string();
    assert!(seen.contains("anthropic-version"), "{seen}");
    for kept in ["authorization", "x-api-key", "cookie"] {
        assert!(!seen.contains(kept), "{seen}");
    }
    web.end().await.unwrap();
}

#[tokio::test]
async fn refusals_are_in_the_endpoints_own_words_with_the_requests_id() {
    let web = Web::plain().await;
    let long = "x".repeat(101);
    let many: Vec<(String, &str)> = (0..120).map(|n| (format!("x-{n}"), "1")).collect();
    let mut many: Vec<_> = many
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    many.extend([AGENT, ("x-request-id", "r-1")]);
    let as_agent = [AGENT, ("x-request-id", "r-1")];
    let nobody = [("x-request-id", "r-1")];
    let viewer = [("authorization", "Bearer viewer"), ("x-request-id", "r-1")];
    let elsewhere = [AGENT, ("host", "evil.example"), ("x-request-id", "r-1")];
    let cases: [Case<'_>; 7] = [
        (401, "POST", "/raw/echo", &nobody, ""),
        (403, "POST", "/raw/echo", &viewer, ""),
        (404, "GET", "/raw/none", &as_agent, ""),
        (405, "GET", "/raw/echo", &as_agent, ""),
        (413, "POST", "/raw/echo", &as_agent, &long),
        (403, "POST", "/raw/echo", &elsewhere, ""),
        (431, "POST", "/raw/echo", &many, ""),
    ];
    for (status, method, path, headers, body) in cases {
        let mut exchange = web.send(method, path, headers, body).await;
        let said = exchange.json().await;
        assert_eq!(exchange.status, status, "{said}");
        assert_eq!(said["for"], "r-1");
        assert!(said["no"].is_string(), "{said}");
        let challenged = exchange.header("www-authenticate").is_some();
        assert_eq!(challenged, status == 401);
        assert_eq!(exchange.header("allow").is_some(), status == 405);
    }
    // Those that concern access are told to the gate.
    assert_eq!(*web.gate.turned_away.lock().unwrap(), [403, 403]);
    web.end().await.unwrap();
}

#[tokio::test]
async fn a_token_for_them_opens_nothing_else() {
    let web = Web::plain().await;
    for (method, path) in [
        ("GET", "/figures"),
        ("POST", "/fixture/mcp"),
        ("GET", "/fixture/sse"),
        ("GET", "/"),
    ] {
        let exchange = web.send(method, path, &[AGENT], "{}").await;
        assert_eq!(exchange.status, 403, "{path}");
    }
    assert_eq!(web.gate.turned_away.lock().unwrap().len(), 4);
    let admin = [("authorization", "Bearer ann")];
    let exchange = web.send("POST", "/raw/echo", &admin, "").await;
    assert_eq!(exchange.status, 200, "an administrator may do everything");
    web.end().await.unwrap();
}

#[tokio::test]
async fn a_client_that_is_gone_takes_its_answer_with_it() {
    let web = Web::plain().await;
    let mut waiting = Exchange::connect(web.address).await;
    waiting.request("POST", "/raw/wait", &[AGENT], "{}").await;
    web.until("it waits", |web| web.raw.made.load(Ordering::SeqCst) == 1)
        .await;
    let mut ticking = web.send("GET", "/raw/ticks", &[AGENT], "").await;
    assert!(ticking.event().await.unwrap().contains("tick"));
    assert_eq!(web.raw.dropped.load(Ordering::SeqCst), 0);
    drop((waiting, ticking));
    web.until("both are dropped", |web| {
        web.raw.dropped.load(Ordering::SeqCst) == 2
    })
    .await;
    web.end().await.unwrap();
}

#[tokio::test]
async fn no_more_is_made_than_is_read() {
    let limits = Limits {
        write_stalled: Duration::from_millis(300),
        ..Limits::default()
    };
    let web = Web::open(limits).await;
    let _unread = web.send("GET", "/raw/endless", &[AGENT], "").await;
    // It stands still, and ends when nobody reads for long.
    web.until("it is dropped", |web| {
        web.raw.dropped.load(Ordering::SeqCst) == 1
    })
    .await;
    let made = web.raw.made.load(Ordering::SeqCst);
    assert!(made < 1_000, "{made} pieces of 64 KiB");
    web.end().await.unwrap();
}

#[tokio::test]
async fn what_is_under_way_may_say_its_end() {
    let limits = Limits {
        ending: Duration::from_millis(50),
        ..Limits::default()
    };
    let web = Web::open(limits).await;
    let mut waiting = Exchange::connect(web.address).await;
    waiting.request("POST", "/raw/wait", &[AGENT], "{}").await;
    let mut ticking = web.send("GET", "/raw/ticks", &[AGENT], "").await;
    assert!(ticking.event().await.unwrap().contains("tick"));
    web.until("it waits", |web| web.raw.made.load(Ordering::SeqCst) == 1)
        .await;
    web.end().await.unwrap();
    waiting.head().await;
    assert_eq!(
        (waiting.status, waiting.body().await.as_str()),
        (200, "ended")
    );
    assert!(ticking.event().await.unwrap().contains("ending"));
    assert_eq!(ticking.event().await, None);
}
