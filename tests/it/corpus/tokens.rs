//! Missing, forged, expired and revoked tokens, and roles that do not suffice: refused, and in the audit.

use super::site::Site;
use super::web::Line;
use super::{Faults, clip};
use callboard_tests::Home;
use callboard_tests::corpus::{combinations, joined, read};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Where a request may arrive, and how.
const DOORS: [(&str, &str); 6] = [
    ("POST", "/assigner/mcp"),
    ("GET", "/assigner/mcp"),
    ("DELETE", "/roadmap/mcp"),
    ("GET", "/assigner/sse"),
    ("POST", "/assigner/message?sessionId=x"),
    ("GET", "/nothing"),
];

fn token(home: &Home, args: &[&str]) -> String {
    let made = home.callboard(&[&["token", "add"], args].concat());
    assert_eq!(made.code, 0, "{}", made.err);
    made.out.trim().to_owned()
}

#[expect(clippy::too_many_lines, reason = "one table, played at every door")]
#[test]
fn who_shows_no_good_token_is_refused_at_every_door_and_written_down() {
    let site = Site::asking_for_tokens();
    let home = &site.home;
    let good = token(home, &["good"]);
    let expired = token(home, &["short"]);
    // A minute is the least that one can be made for.
    let done = board(home).execute("UPDATE tokens SET expires_at = 1 WHERE name = 'short'", []);
    assert_eq!(done.unwrap(), 1);
    let revoked = token(home, &["gone"]);
    let done = home.callboard(&["token", "revoke", "gone"]);
    assert_eq!(done.code, 0, "{}", done.err);
    let foreign = token(&Home::new(), &["foreign"]);
    let mut flipped = good.clone();
    let last = if flipped.pop() == Some('a') { 'b' } else { 'a' };
    flipped.push(last);
    let words: Map<String, Value> = [
        ("$good", &*good),
        ("$expired", &expired),
        ("$revoked", &revoked),
        ("$foreign", &foreign),
        ("$flipped", &flipped),
        ("$short", &good[..good.len() - 1]),
        ("$upper", &good.to_uppercase()),
    ]
    .map(|(word, text)| (word.to_owned(), json!(text)))
    .into_iter()
    .collect();
    let bearer = |token: &str| {
        let request = site.post(
            "/assigner/mcp",
            br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
        );
        let request = request.with("authorization", &format!("Bearer {token}"));
        request.send(site.address).unwrap().unwrap().status
    };
    let session = site.session_with("assigner", &good);

    let mut faults = Faults::default();
    let mut reasons = BTreeSet::new();
    let mut count = 0;
    for rule in read("access.json").as_array().unwrap() {
        for mut values in combinations(&rule["with"]) {
            let mut name = rule["name"].as_str().unwrap().to_owned();
            for (word, value) in &values {
                name = name.replace(word, &clip(&value.to_string()));
            }
            values.extend(words.clone());
            reasons.insert(rule["reason"].as_str().unwrap().to_owned());
            for (method, path) in DOORS {
                count += 1;
                let query = match &rule["query"] {
                    Value::Null => String::new(),
                    query if path.contains('?') => format!("&{}", joined(query, &values)),
                    query => format!("?{}", joined(query, &values)),
                };
                let mut request = site
                    .post(
                        &format!("{path}{query}"),
                        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
                    )
                    .with("mcp-session-id", &session);
                request.method = method.to_owned();
                for (header, value) in rule["set"].as_object().into_iter().flatten() {
                    let header = joined(&json!(header), &values);
                    request.set(&header, Some(joined(value, &values)));
                }
                if rule["authorization"] != Value::Null {
                    request =
                        request.with("authorization", &joined(&rule["authorization"], &values));
                }
                if rule["add"] != Value::Null {
                    request = request.with("authorization", &joined(&rule["add"], &values));
                }
                let mut line = Line::to(site.address);
                line.write(&request.bytes());
                let reply = line.reply(false);
                let Ok(Some(reply)) = reply else {
                    faults.expect(false, || format!("{name}: {method} {path}: {reply:?}"));
                    continue;
                };
                let said = String::from_utf8_lossy(&reply.body).into_owned();
                // Bytes that no header may have are refused before anybody looks for a token.
                let refused =
                    reply.status == 401 || reply.status == 400 && name.contains("\\u0001");
                faults.expect(refused, || {
                    format!("{name}: {method} {path}: {} {}", reply.status, clip(&said))
                });
                let challenge = reply
                    .header("www-authenticate")
                    .is_some_and(|asked| asked.starts_with("Bearer"));
                faults.expect(challenge || reply.status == 400, || {
                    format!("{name}: it does not say what it wants")
                });
                for secret in [&good, &expired, &revoked, &foreign] {
                    faults.expect(!said.contains(secret.as_str()), || {
                        format!("{name}: the token came back: {}", clip(&said))
                    });
                }
            }
        }
    }
    assert!(count >= 200, "{count}");
    faults.expect(bearer(&good) != 401, || {
        "the good token is refused".to_owned()
    });

    let reply = site
        .post("/assigner/mcp", b"{}")
        .with("origin", "https://evil.example")
        .send(site.address);
    assert_eq!(reply.unwrap().unwrap().status, 403);
    let mut reply = site.post("/assigner/mcp", b"{}");
    reply.set("host", Some("evil.example".to_owned()));
    assert_eq!(reply.send(site.address).unwrap().unwrap().status, 403);
    reasons.extend(["origin", "host"].map(str::to_owned));
    let (code, said, home) = site.end_at_home();
    faults.expect(code == Some(0), || {
        format!("it ended with {code:?}: {said}")
    });
    let quiet = !said.contains("panic") && !said.contains(&good);
    faults.expect(quiet, || format!("it said {}", clip(&said)));
    let written = refusals(&home);
    for reason in reasons {
        faults.expect(written.contains_key(&reason), || {
            format!("no row says {reason}: {written:?}")
        });
    }
    faults.none();
}

fn board(home: &Home) -> rusqlite::Connection {
    rusqlite::Connection::open(home.board().join("board.db")).unwrap()
}

/// What the audit says was refused, and how often.
fn refusals(home: &Home) -> BTreeMap<String, i64> {
    let board = board(home);
    let mut rows = board
        .prepare("SELECT subject, sum(json_extract(detail, '$.count')) FROM audit WHERE verb = 'refused' GROUP BY subject")
        .unwrap();
    let read = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    read.unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_role_that_does_not_suffice_is_refused_on_both_transports() {
    let site = Site::asking_for_tokens();
    let viewer = token(&site.home, &["viewer", "--role", "viewer"]);
    let session = site.session_with("assigner", &viewer);
    let calls = [
        ("task_add", json!({"title": "x"})),
        ("task_add_many", json!({"tasks": [{"title": "x"}]})),
        ("task_claim", json!({"worker": "w"})),
        ("task_control", json!({"ids": ["t_1"], "action": "cancel"})),
        ("task_update", json!({"id": "t_1", "title": "y"})),
        ("task_finish", json!({"task": "t_1", "fence": 1})),
    ];
    let refused = |answer: &Value| {
        let text = answer["result"]["content"][0]["text"].as_str();
        text.is_some_and(|text| text.starts_with("forbidden: "))
    };
    let mut stream = super::sse::Stream::open(&site, Some(&viewer));
    for (tool, arguments) in calls {
        let call = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": arguments}});
        let post = site.post("/assigner/mcp", call.to_string().as_bytes());
        let post = post.with("authorization", &format!("Bearer {viewer}"));
        let reply = post.with("mcp-session-id", &session).send(site.address);
        let answers = reply.unwrap().unwrap().messages();
        assert!(answers.iter().any(refused), "{tool}: {answers:?}");
        assert_eq!(stream.post(call.to_string().as_bytes()).unwrap(), None);
        let answer = stream.next().unwrap();
        assert!(refused(&answer), "{tool}: {answer}");
    }
    let mut owner = site.home.server("assigner").hello();
    assert_eq!(owner.must("task_list", &json!({}))["tasks"], json!([]));
}
