//! Tokens with two servers at work on one board: what one learns of a token holds in the other.

use crate::access::{audit, token};
use callboard_tests::http::{Exchange, Served};
use callboard_tests::{Home, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

/// Longer than any of this may take.
const LONG: Duration = Duration::from_secs(30);

fn two(home: &Home) -> [Served; 2] {
    let first = Served::start(home, "");
    [first, Served::at(home, "127.0.0.1:0")]
}

fn ask(served: &Served, token: &str) -> Exchange {
    let bearer = format!("Bearer {token}");
    served.send("GET", "/nothing", &[("authorization", &bearer)], "")
}

/// There is nothing at the path, which only those learn who are let in.
fn lets_in(served: &Served, token: &str) -> bool {
    ask(served, token).status == 404
}

/// Why it is not let in, if so.
fn refusal(served: &Served, token: &str) -> Option<String> {
    let mut answer = ask(served, token);
    let said = answer.json();
    let message = said["error"]["message"].as_str().unwrap().to_owned();
    (answer.status == 401).then_some(message)
}

/// The row of `callboard token list`.
fn listed(home: &Home, name: &str) -> Value {
    let list = home.callboard(&["token", "list", "--json"]);
    assert_eq!(list.code, 0, "{}", list.err);
    let list: Value = serde_json::from_str(&list.out).unwrap();
    let mut rows = list["tokens"].as_array().unwrap().iter();
    rows.find(|row| row["name"] == name).unwrap().clone()
}

fn is_refused_everywhere(home: &Home, servers: &[Served], token: &str, why: &str) {
    for served in servers {
        let mut last = None;
        let refused = wait_until(LONG, || {
            last = refusal(served, token);
            last.is_some()
        });
        assert!(refused, "{} goes on letting it in", served.address);
        assert!(last.as_ref().unwrap().contains(why), "{last:?}");
    }
    let word = why.split(' ').next_back().unwrap();
    let written = wait_until(LONG, || {
        let rows = audit(home);
        let told = |row: &&Value| row["verb"] == "refused" && row["subject"] == word;
        rows.iter().filter(told).count() >= servers.len()
    });
    assert!(written, "{:?}", audit(home));
}

/// A minute is the least that a token can be made for.
fn set(home: &Home, change: &str) {
    let board = rusqlite::Connection::open(home.board().join("board.db")).unwrap();
    board.busy_timeout(LONG).unwrap();
    let changed = board.execute(&format!("UPDATE tokens SET {change} WHERE name = 'ci'"), []);
    assert_eq!(changed.unwrap(), 1);
}

#[test]
fn a_revoked_token_is_refused_by_every_server() {
    let home = Home::new();
    let servers = two(&home);
    let token = token(&home, &["ci"]);
    assert!(servers.iter().all(|served| lets_in(served, &token)));
    let done = home.callboard(&["token", "revoke", "ci"]);
    assert_eq!(done.code, 0, "{}", done.err);
    is_refused_everywhere(&home, &servers, &token, "was revoked");
    assert_eq!(listed(&home, "ci")["state"], "revoked");
}

#[test]
fn a_token_ends_in_every_server_when_its_time_is_over() {
    let home = Home::new();
    let servers = two(&home);
    let token = token(&home, &["ci"]);
    assert!(servers.iter().all(|served| lets_in(served, &token)));
    // Each server has it at hand and must see by itself that its time comes.
    set(&home, "expires_at = unixepoch() * 1000 + 2000");
    is_refused_everywhere(&home, &servers, &token, "has expired");
    assert_eq!(listed(&home, "ci")["state"], "expired");
}

#[test]
fn the_last_use_is_that_of_any_server() {
    let home = Home::new();
    let servers = two(&home);
    let token = token(&home, &["ci"]);
    assert_eq!(listed(&home, "ci")["used_at"], Value::Null);
    for served in &servers {
        assert!(lets_in(served, &token));
        let used = wait_until(LONG, || listed(&home, "ci")["used_at"].is_i64());
        assert!(used, "{} does not write it down", served.address);
        // It is written once a minute; as if that were over.
        set(&home, "used_at = NULL");
    }
}

/// A stream of each kind, opened with the token.
fn streams(served: &mut Served, token: &str) -> Vec<Exchange> {
    served.show(token);
    let session = served.session("assigner", "2025-11-25");
    let headers = [
        ("mcp-session-id", session.as_str()),
        ("accept", "text/event-stream"),
    ];
    let common = served.send("GET", "/assigner/mcp", &headers, "");
    let listen = json!({"notifications": {"resourceSubscriptions": ["callboard://board"]}});
    let modern = served.modern("assigner", 1, "subscriptions/listen", listen);
    let (older, _) = served.sse("assigner", "2024-11-05");
    let open = vec![common, modern, older];
    assert!(open.iter().all(|stream| stream.status == 200));
    open
}

fn ends_all(open: Vec<Exchange>) {
    for mut stream in open {
        while stream.event().is_some() {}
    }
}

#[test]
fn streams_end_with_their_token() {
    let home = Home::new();
    let mut served = Served::start(&home, "");
    let mine = served.send("GET", "/nothing", &[], "");
    assert_eq!(mine.status, 404);
    let one = token(&home, &["ci"]);
    let open = streams(&mut served, &one);
    let done = home.callboard(&["token", "revoke", "ci"]);
    assert_eq!(done.code, 0, "{}", done.err);
    ends_all(open);

    let two = token(&home, &["later"]);
    let open = streams(&mut served, &two);
    let board = rusqlite::Connection::open(home.board().join("board.db")).unwrap();
    board.busy_timeout(LONG).unwrap();
    let ends = "UPDATE tokens SET expires_at = 1 WHERE name = 'later'";
    assert_eq!(board.execute(ends, []).unwrap(), 1);
    ends_all(open);
}
