//! Refusals reach those they are for: clients that are still sending, and pages in browsers.

use crate::fixture::web::{Exchange, Web};
use callboard_mcp::http::Limits;

static PIECE: [u8; 64 << 10] = [b' '; 64 << 10];

/// Sends a request whose body has this many pieces, all of them before it reads anything.
async fn heavy(exchange: &mut Exchange, token: &str, pieces: usize) {
    let head = format!(
        "POST /fixture/mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\ncontent-length: {}\r\n\r\n",
        pieces * PIECE.len()
    );
    exchange.bytes(head.as_bytes()).await;
    for piece in 0..pieces {
        assert!(exchange.try_bytes(&PIECE).await, "closed at piece {piece}");
    }
    exchange.head().await;
}

#[tokio::test]
async fn who_is_still_sending_gets_the_answer_and_may_go_on() {
    let web = Web::open(Limits {
        body_bytes: 1 << 20,
        ..Limits::default()
    })
    .await;
    for (token, pieces, status) in [("ann", 160, 413), ("nobody", 10, 401)] {
        let mut exchange = Exchange::connect(web.address).await;
        heavy(&mut exchange, token, pieces).await;
        assert_eq!(exchange.status, status);
        assert_eq!(exchange.header("connection"), None);
        assert_eq!(
            exchange.json().await["error"]["data"]["requestId"],
            exchange.header("x-request-id").unwrap()
        );
        exchange.again();
        exchange.request("GET", "/health", &[], "").await;
        exchange.head().await;
        assert_eq!(exchange.status, 200);
    }
    web.end().await.unwrap();
}

#[tokio::test]
async fn who_asks_before_sending_is_told_not_to() {
    let web = Web::plain().await;
    let mut exchange = Exchange::connect(web.address).await;
    let head = "POST /fixture/mcp HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 1000\r\n\r\n";
    exchange.bytes(head.as_bytes()).await;
    exchange.head().await;
    assert_eq!(exchange.status, 401);
    web.end().await.unwrap();
}

#[tokio::test]
async fn a_page_that_may_call_can_do_so_from_a_browser() {
    let web = Web::plain().await;
    let page = "http://localhost:3000";
    let asks = [
        ("origin", page),
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "authorization,content-type,mcp-session-id",
        ),
    ];
    let preflight = web.send("OPTIONS", "/fixture/mcp", &asks, "").await;
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some(page));
    let methods = preflight.header("access-control-allow-methods").unwrap();
    assert!(methods.contains("POST") && methods.contains("DELETE"));
    let headers = preflight.header("access-control-allow-headers").unwrap();
    for sent in [
        "authorization",
        "content-type",
        "mcp-session-id",
        "mcp-protocol-version",
        "last-event-id",
    ] {
        assert!(headers.contains(sent), "{sent}: {headers}");
    }
    assert_eq!(preflight.header("access-control-allow-credentials"), None);

    let refused = web
        .send("POST", "/fixture/mcp", &[("origin", page)], "{}")
        .await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("access-control-allow-origin"), Some(page));
    assert_eq!(refused.header("vary"), Some("origin"));
    let readable = refused.header("access-control-expose-headers").unwrap();
    assert!(readable.contains("mcp-session-id"));

    let elsewhere = [("origin", "https://evil.example"), asks[1], asks[2]];
    let refused = web.send("OPTIONS", "/fixture/mcp", &elsewhere, "").await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.header("access-control-allow-origin"), None);
    web.end().await.unwrap();
}
