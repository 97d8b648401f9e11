//! Tokens with two servers at work on one board: what one learns of a token holds in the other.

use crate::access::{audit, token};
use callboard_tests::http::{Exchange, MODERN, Served, request};
use callboard_tests::{Home, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

/// Longer than any of this may take.
pub const LONG: Duration = Duration::from_secs(30);

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

/// How a token stops being good.
pub type End = fn(&Home, &str);

pub fn revoke(home: &Home, name: &str) {
    let done = home.callboard(&["token", "revoke", name]);
    assert_eq!(done.code, 0, "{}", done.err);
}

pub fn expire(home: &Home, name: &str) {
    let board = rusqlite::Connection::open(home.board().join("board.db")).unwrap();
    board.busy_timeout(LONG).unwrap();
    let change = "UPDATE tokens SET expires_at = 1 WHERE name = ?1";
    assert_eq!(board.execute(change, [name]).unwrap(), 1);
}

/// A request without a handshake, sent; nothing of its answer is read.
fn sent(served: &Served, id: u64, method: &str, mut params: Value, more: &Value) -> Exchange {
    let name = params["name"].as_str().or(params["taskId"].as_str());
    let name = name.unwrap().to_owned();
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}},
        "io.modelcontextprotocol/clientInfo": {"name": "rig", "version": "1"},
    });
    if let Some(token) = more.get("progressToken") {
        params["_meta"]["progressToken"] = token.clone();
    }
    let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    let headers = [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", MODERN),
        ("mcp-method", method),
        ("mcp-name", &name),
    ];
    let request = served.request("POST", "/assigner/mcp", &headers, &message.to_string());
    let mut exchange = Exchange::connect(served.address);
    assert!(exchange.raw(request.as_bytes()));
    exchange
}

/// Waits in the empty queue of that name, for longer than its token is good.
fn claim(queue: &str) -> Value {
    json!({"name": "task_claim", "arguments": {"worker": "w", "queue": queue, "wait_s": 45}})
}

/// How the call `what` is refused, in the audit.
fn shut_out(home: &Home, name: &str, what: &str, why: &str) -> bool {
    wait_until(LONG, || {
        audit(home).iter().any(|row| {
            row["verb"] == "refused"
                && row["subject"] == why
                && row["name"] == name
                && row["action"] == what
        })
    })
}

/// Each way to call has a queue and a token of its name, and waits when `end` ends the token.
fn what_waits_ends_with_its_token(end: End, why: &str) {
    let home = Home::new();
    let mut served = Served::start(&home, "");
    let mine = home.callboard(&["token", "header", "--plain"]);
    let mine = mine.out.trim().to_owned();
    let ways = ["bare", "progress", "session", "broken", "sse"];
    let mut open = Vec::new();
    for way in ways {
        served.show(&token(&home, &[way]));
        match way {
            "bare" | "progress" => {
                let more = match way {
                    "progress" => json!({"progressToken": 1}),
                    _ => json!({}),
                };
                open.push((way, sent(&served, 1, "tools/call", claim(way), &more)));
            }
            "sse" => {
                let (stream, endpoint) = served.sse("assigner", "2024-11-05");
                served.tell(&endpoint, &request(1, "tools/call", &claim(way)));
                open.push((way, stream));
            }
            _ => {
                let session = served.session("assigner", "2025-06-18");
                let call = served.in_session("assigner", &session, 1, "tools/call", &claim(way));
                assert_eq!(call.status, 200);
                // The other's stream breaks off here; its call goes on until it is given up.
                if way == "session" {
                    open.push((way, call));
                }
            }
        }
        let used = wait_until(LONG, || listed(&home, way)["used_at"].is_i64());
        assert!(used, "{way} was not let in");
    }
    for way in ways {
        end(&home, way);
    }
    for way in ways {
        let refused = shut_out(&home, way, "assigner.task_claim", why);
        assert!(refused, "{way} goes on: {:?}", audit(&home));
    }
    for (way, mut exchange) in open {
        if way == "bare" {
            exchange.head();
            assert_eq!(exchange.status, 401);
            assert!(exchange.header("www-authenticate").is_some());
            let said = exchange.json();
            assert_eq!(said["error"]["data"]["kind"], "unauthorized", "{said}");
            assert!(said["error"]["data"]["requestId"].is_string(), "{said}");
            let text = said["error"]["message"].as_str().unwrap();
            assert!(text.contains(why), "{text}");
        } else {
            // What it listens to ends, and nothing was claimed there.
            if exchange.status == 0 {
                exchange.head();
            }
            let rest = exchange.body();
            assert!(!rest.contains("\"claimed\""), "{way}: {rest}");
        }
    }
    // What comes into the queues now is there for others.
    served.show(&mine);
    for way in ways {
        let add = json!({"name": "task_add", "arguments": {"title": "dig", "queue": way}});
        let added = served.modern("assigner", 2, "tools/call", add).reply();
        assert_eq!(added["result"]["isError"], false, "{added}");
    }
    for way in ways {
        let mut mine = claim(way);
        mine["arguments"]["wait_s"] = json!(0);
        let claimed = served.modern("assigner", 3, "tools/call", mine).reply();
        let claimed = &claimed["result"]["structuredContent"];
        assert_eq!(claimed["claimed"], true, "{way}: {claimed}");
    }
}

#[test]
fn calls_that_wait_end_when_their_token_is_revoked() {
    what_waits_ends_with_its_token(revoke, "revoked");
}

#[test]
fn calls_that_wait_end_when_their_token_expires() {
    what_waits_ends_with_its_token(expire, "expired");
}

/// How a long call stands on the board.
fn standing(home: &Home, id: &str) -> String {
    let board = rusqlite::Connection::open(home.board().join("board.db")).unwrap();
    board.busy_timeout(LONG).unwrap();
    let asked = "SELECT state FROM mcp_calls WHERE id = ?1";
    board.query_row(asked, [id], |row| row.get(0)).unwrap()
}

fn tasks_end_with_their_token(end: End, why: &str) {
    let home = Home::new();
    let mut first = Served::start(&home, "");
    let add = json!({"name": "task_add", "arguments": {"title": "dig"}});
    let added = first.modern("assigner", 1, "tools/call", add).reply();
    let dig = added["result"]["structuredContent"]["id"].clone();
    let token = token(&home, &["ci"]);
    let begin = |served: &Served| {
        let wait = json!({"name": "task_wait", "arguments": {"ids": [dig]}});
        let mut begun = sent(served, 2, "tools/call", wait, &json!({}));
        begun.head();
        let task = begun.reply()["result"].clone();
        assert_eq!(task["resultType"], "task", "{task}");
        task["taskId"].as_str().unwrap().to_owned()
    };
    first.show(&token);
    let taken_up = begin(&first);
    drop(first);
    let mut second = Served::at(&home, "127.0.0.1:0");
    second.show(&token);
    let get = json!({"taskId": taken_up});
    let mut got = sent(&second, 3, "tasks/get", get, &json!({}));
    got.head();
    let got = got.reply();
    assert_eq!(got["result"]["status"], "working", "{got}");
    let begun = begin(&second);
    for id in [&taken_up, &begun] {
        assert_eq!(standing(&home, id), "working");
    }
    end(&home, "ci");
    for id in [&taken_up, &begun] {
        let ended = wait_until(LONG, || standing(&home, id) == "cancelled");
        assert!(ended, "{} is {}", id, standing(&home, id));
    }
    assert!(shut_out(&home, "ci", "assigner.task_wait", why));
}

#[test]
fn tasks_end_when_their_token_is_revoked() {
    tasks_end_with_their_token(revoke, "revoked");
}

#[test]
fn tasks_end_when_their_token_expires() {
    tasks_end_with_their_token(expire, "expired");
}
