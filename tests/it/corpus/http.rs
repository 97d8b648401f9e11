//! Over Streamable HTTP: the messages, and what is wrong below them.

use super::site::{Site, answer};
use super::web::{Line, Reply, Request};
use super::{Faults, clip};
use callboard_tests::corpus::{Case, Expect, cases, combinations, joined, read};
use serde_json::{Map, Value, json};

const MODERN: &str = "2026-07-28";
const MCP: &str = "/assigner/mcp";

/// Judges an answer over HTTP: never a fault of ours, and what had to come.
fn judge(faults: &mut Faults, case: &Case, expect: &Expect, reply: Result<Option<Reply>, String>) {
    let name = &case.name;
    let reply = match reply {
        Ok(Some(reply)) => reply,
        other => return faults.expect(false, || format!("{name}: {other:?}")),
    };
    let said = || clip(&String::from_utf8_lossy(&reply.body));
    faults.expect(reply.status < 500, || {
        format!("{name}: {} {}", reply.status, said())
    });
    if let Expect::Status(status) = expect {
        faults.expect(reply.status == *status, || {
            format!("{name}: {} {}", reply.status, said())
        });
        return;
    }
    let found = answer(&reply, case.id.as_ref());
    faults.expect(found.is_some() || reply.status == 202, || {
        format!("{name}: {} without an answer: {}", reply.status, said())
    });
    faults.judge(name, expect, found.as_ref());
}

fn assert_ended_well(site: Site, faults: &mut Faults) {
    let (code, said) = site.end();
    faults.expect(code == Some(0), || {
        format!("it ended with {code:?}: {}", clip(&said))
    });
    faults.expect(!said.contains("panic"), || format!("it said {said}"));
}

fn messages() -> Vec<(Case, Expect)> {
    let over = |case: Case| case.over("http").map(|expect| (case, expect));
    cases("messages.json")
        .into_iter()
        .filter_map(over)
        .collect()
}

fn play_messages(site: &Site, session: &str, cases: &[(Case, Expect)], faults: &mut Faults) {
    for (case, expect) in cases {
        let request = site.post(MCP, &case.bytes).with("mcp-session-id", session);
        judge(faults, case, expect, request.send(site.address));
        let lives = site.lives(session);
        assert!(lives.is_ok(), "after {}: {lives:?}", case.name);
    }
}

#[test]
fn every_message_in_a_session() {
    let (site, cases, mut faults) = (Site::open(), messages(), Faults::default());
    assert!(cases.len() >= 200, "{}", cases.len());
    let session = site.session("assigner");
    play_messages(&site, &session, &cases, &mut faults);
    faults.again(site.pid(), || {
        play_messages(&site, &session, &cases, &mut Faults::default());
    });
    assert_ended_well(site, &mut faults);
    faults.none();
}

/// As a client of the era without sessions sends them, with the headers it has to send.
#[test]
fn every_request_without_a_session() {
    let meta = json!({"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}});
    let (site, mut faults) = (Site::open(), Faults::default());
    let session = site.session("assigner");
    let own = cases("modern.json").into_iter();
    let own = own.filter_map(|case| case.over("http").map(|expect| (case, expect)));
    for (case, expect) in messages().into_iter().chain(own) {
        let Some((method, Value::Object(mut params))) = case.ask.clone() else {
            continue;
        };
        params.entry("_meta").or_insert_with(|| meta.clone());
        let name = params
            .get("name")
            .or(params.get("uri"))
            .and_then(Value::as_str);
        let plain =
            |text: &&str| text.len() < 1_000 && text.bytes().all(|byte| (32..127).contains(&byte));
        let named = name.filter(plain).unwrap_or_default().to_owned();
        let message = json!({"jsonrpc": "2.0", "id": case.id, "method": method, "params": params});
        let request = site
            .post(MCP, message.to_string().as_bytes())
            .with("mcp-protocol-version", MODERN)
            .with(
                "mcp-method",
                method.as_str().filter(plain).unwrap_or_default(),
            )
            .with("mcp-name", &named);
        let expect = match expect {
            // The headers can't say everything that a message can, and are judged first.
            Expect::Error(_) | Expect::Tool(_) => Expect::Answer,
            Expect::Result => Expect::Answer,
            other => other,
        };
        judge(&mut faults, &case, &expect, request.send(site.address));
    }
    faults.expect(site.lives(&session).is_ok(), || {
        "it does not answer".to_owned()
    });
    assert_ended_well(site, &mut faults);
    faults.none();
}

#[test]
fn everything_below_the_messages() {
    let (site, mut faults) = (Site::open(), Faults::default());
    let session = site.session("assigner");
    let other = site.session("roadmap");
    let mut words = Map::new();
    words.insert("$session2".to_owned(), json!(other));
    words.insert("$session".to_owned(), json!(session));
    words.insert("$port".to_owned(), json!(site.address.port().to_string()));
    words.insert("$path".to_owned(), json!(MCP));
    let good = [
        format!("host: {}", site.address),
        "content-type: application/json".to_owned(),
        "accept: application/json, text/event-stream".to_owned(),
        format!("mcp-session-id: {session}"),
    ];
    words.insert("$good".to_owned(), json!(good.join("\r\n")));
    let rules = read("http.json");
    let mut count = 0;
    let mut pass = |faults: &mut Faults| {
        for rule in rules.as_array().unwrap() {
            for mut values in combinations(&rule["with"]) {
                count += 1;
                let mut name = rule["name"].as_str().unwrap().to_owned();
                for (word, value) in &values {
                    name = name.replace(word, &clip(&value.to_string()));
                }
                values.extend(words.clone());
                if rule.get("raw").is_some() {
                    play_raw(&site, &name, rule, &values, faults);
                } else {
                    play_request(&site, &session, &name, rule, &values, faults);
                }
                let lives = site.lives(&session);
                assert!(lives.is_ok(), "after {name}: {lives:?}");
            }
        }
    };
    pass(&mut faults);
    faults.again(site.pid(), || pass(&mut Faults::default()));
    assert!(count >= 3 * 200, "{count}");
    assert_ended_well(site, &mut faults);
    faults.none();
}

fn play_request(
    site: &Site,
    session: &str,
    name: &str,
    rule: &Value,
    values: &Map<String, Value>,
    faults: &mut Faults,
) {
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    let text = |key: &str, default: &str| match &rule[key] {
        Value::Null => default.to_owned(),
        pieces => joined(pieces, values),
    };
    let mut request = Request {
        method: text("method", "POST"),
        path: text("path", MCP),
        ..site.post(MCP, text("body", &ping).as_bytes())
    }
    .with("mcp-session-id", session);
    for (header, value) in rule["set"].as_object().into_iter().flatten() {
        let value = (*value != Value::Null
            && values.get(value.as_str().unwrap_or_default()) != Some(&Value::Null))
        .then(|| joined(value, values));
        request.set(header, value);
    }
    for pair in rule["add"].as_array().into_iter().flatten() {
        request = request.with(pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
    }
    let mut line = Line::to(site.address);
    line.write(&request.bytes());
    let reply = line.reply(request.method == "HEAD");
    match reply {
        Ok(Some(reply)) => {
            let fits = rule["expect"]
                .as_array()
                .unwrap()
                .contains(&json!(reply.status));
            faults.expect(fits, || {
                format!(
                    "{name}: {} {}",
                    reply.status,
                    clip(&String::from_utf8_lossy(&reply.body))
                )
            });
        }
        other => faults.expect(false, || format!("{name}: {other:?}")),
    }
}

fn play_raw(
    site: &Site,
    name: &str,
    rule: &Value,
    values: &Map<String, Value>,
    faults: &mut Faults,
) {
    let mut line = Line::to(site.address);
    line.write(joined(&rule["raw"], values).as_bytes());
    let Some(answers) = rule["answers"].as_array() else {
        // Nobody reads the answers.
        return;
    };
    for wanted in answers {
        match line.reply(false) {
            Ok(Some(reply)) => faults.expect(
                wanted.as_array().unwrap().contains(&json!(reply.status)),
                || {
                    format!(
                        "{name}: {} {}",
                        reply.status,
                        clip(&String::from_utf8_lossy(&reply.body))
                    )
                },
            ),
            other => return faults.expect(false, || format!("{name}: {other:?}")),
        }
    }
    line.end();
    // Where no answer had to come, there may be one that says no.
    let refusal = answers.is_empty();
    match line.reply(false) {
        Ok(None) => {}
        Ok(Some(reply)) if refusal && (400..500).contains(&reply.status) => {
            let more = line.reply(false);
            faults.expect(matches!(more, Ok(None)), || {
                format!("{name}: and then {more:?}")
            });
        }
        other => faults.expect(false, || format!("{name}: and then {other:?}")),
    }
}
