//! The gateway of `callboard serve`, as it is configured, with the key of its provider in the vault.

use crate::access::token;
use callboard_tests::gatewayed::{CANARY, configure, key};
use callboard_tests::http::Served;
use callboard_tests::upstream::Upstream;
use callboard_tests::{Home, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

const MORE: &str = "[routes.main]\ncandidates = [\"claude/ok\"]\n[llm]\ndefault_route = \"main\"\nretries = 0\n[log]\nlevel = \"trace\"\n";

fn question(model: &str) -> String {
    let said = json!([{"role": "user", "content": "Hello?"}]);
    json!({"model": model, "max_tokens": 50, "messages": said}).to_string()
}

/// The reservations of a home's board, each with its detail.
pub fn calls(home: &Home) -> Vec<Value> {
    let file = home.board().join("board.db");
    let options = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let board = rusqlite::Connection::open_with_flags(file, options).unwrap();
    let mut rows = board
        .prepare("SELECT state, project, money, detail, task FROM reservations ORDER BY seq")
        .unwrap();
    let rows = rows.query_map([], |row| {
        let detail: String = row.get(3)?;
        Ok(json!({
            "state": row.get::<_, String>(0)?,
            "project": row.get::<_, Option<String>>(1)?,
            "money": row.get::<_, Option<i64>>(2)?,
            "task": row.get::<_, Option<String>>(4)?,
            "detail": serde_json::from_str::<Value>(&detail).unwrap(),
        }))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_key_is_all_that_an_agent_needs_and_all_that_it_sees() {
    let home = Home::new();
    let upstream = Upstream::start();
    let (claude, other) = (upstream.base("anthropic"), upstream.base("openai"));
    let providers = [
        ("claude", "anthropic", claude.as_str()),
        ("other", "openai", other.as_str()),
    ];
    configure(&home, &providers, MORE);
    let key = key(&home, "robin", &["--agent", "robin-1", "--project", "site"]);
    let admin = token(&home, &["boss", "--role", "admin"]);
    let developer = token(&home, &["dev"]);
    let mut served = Served::at(&home, "127.0.0.1:0");
    let mut answers = String::new();
    for (shown, status) in [(&key, 200), (&admin, 200), (&developer, 403)] {
        served.show(shown);
        for (path, model) in [
            ("/v1/messages", "main"),
            ("/v1/messages", "claude-of-any-name"),
            ("/v1/chat/completions", "main"),
            ("/v1/chat/completions", "other/400"),
        ] {
            let mut answer = served.send("POST", path, &[], &question(model));
            let said = answer.body();
            let expected = if model == "other/400" && status == 200 {
                400
            } else {
                status
            };
            assert_eq!(answer.status, expected, "{said}");
            answers.push_str(&said);
        }
        answers.push_str(&served.get("/v1/models").body());
    }
    served.show(&key);
    let listed = served.get("/v1/models").json();
    assert_eq!(listed["data"][0]["id"], "main", "{listed}");
    for asked in upstream.asked() {
        let shown = format!("{asked:?}");
        assert!(shown.contains(CANARY), "{shown}");
        for token in [&key, &admin, &developer] {
            assert!(!shown.contains(token.as_str()), "{shown}");
        }
    }
    let calls = calls(&home);
    let robins: Vec<&Value> = calls
        .iter()
        .filter(|call| call["detail"]["for"]["agent"] == "robin-1")
        .collect();
    assert!(robins.len() >= 4, "{calls:#?}");
    assert!(robins.iter().all(|call| call["project"] == "site"));
    assert!(
        calls.iter().all(|call| call["state"] != "held"),
        "{calls:#?}"
    );
    served.terminate();
    let (code, log) = served.ended();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("/v1/messages"), "it is told: {log}");
    for seen in [&log, &answers] {
        for secret in [CANARY, key.as_str(), admin.as_str()] {
            assert!(!seen.contains(secret), "{seen}");
        }
    }
}

/// A key says whose work its holder does; the routes say how hard that is.
#[test]
fn a_key_of_a_role_is_answered_by_who_that_work_needs() {
    let home = Home::new();
    let upstream = Upstream::start();
    let claude = upstream.base("anthropic");
    let classes = "[providers.claude.models.small]\nclasses = [\"simple\"]\n\
                   [providers.claude.models.large]\nclasses = [\"complex\"]\n\
                   [routes.work]\ncandidates = [\"claude/small\", \"claude/large\"]\nclass = \"simple\"\n\
                   [routes.work.roles]\narchitect = \"complex\"\nscribe = \"simple\"\n";
    configure(&home, &[("claude", "anthropic", claude.as_str())], classes);
    let plain = key(&home, "plain", &[]);
    let architect = key(&home, "robin", &["--work-role", "architect"]);
    let args = [
        "token",
        "add",
        "odd",
        "--gateway",
        "--work-role",
        "architekt",
    ];
    let odd = home.callboard(&args);
    assert_eq!(odd.code, 0, "{}", odd.err);
    assert!(
        odd.err.contains("there are architect, scribe"),
        "{}",
        odd.err
    );
    let listed = home.callboard(&["token", "list"]).out;
    assert!(listed.contains("work role architect"), "{listed}");
    let mut served = Served::at(&home, "127.0.0.1:0");
    for (key, headers, model) in [
        (&plain, &[][..], Some("small")),
        (&architect, &[], Some("large")),
        (&architect, &[("x-callboard-role", "scribe")], Some("small")),
        (&odd.out.trim().to_owned(), &[], None),
    ] {
        served.show(key);
        let mut answer = served.send("POST", "/v1/messages", headers, &question("work"));
        let said = answer.body();
        match model {
            Some(model) => {
                assert_eq!(answer.status, 200, "{said}");
                let asked = upstream.asked();
                assert_eq!(asked.last().unwrap().body["model"], model);
            }
            None => {
                assert_eq!(answer.status, 400, "{said}");
                assert!(said.contains("there are: architect, scribe"), "{said}");
            }
        }
    }
    assert_eq!(upstream.asked().len(), 3);
}

#[test]
fn it_can_be_switched_off() {
    let home = Home::new();
    let file = home.path().join("config/callboard/config.toml");
    home.write(&file, "[gateway]\nenabled = false\n");
    let served = Served::at(&home, "127.0.0.1:0");
    assert_eq!(served.get("/v1/models").status, 404);
}

/// A stream whose reader goes: the provider's connection is closed and the call is one that was called off.
#[test]
fn a_reader_that_goes_takes_the_call_with_it() {
    let home = Home::new();
    let upstream = Upstream::start();
    let claude = upstream.base("anthropic");
    configure(&home, &[("claude", "anthropic", claude.as_str())], MORE);
    let mut served = Served::at(&home, "127.0.0.1:0");
    served.show(&key(&home, "robin", &[]));
    let mut body: Value = serde_json::from_str(&question("claude/stall")).unwrap();
    body["stream"] = json!(true);
    let mut stream = served.send("POST", "/v1/messages", &[], &body.to_string());
    assert!(stream.event().is_some());
    drop(stream);
    let closed = wait_until(Duration::from_secs(30), || upstream.hung_up() == 1);
    assert!(closed, "the provider goes on");
    let cancelled = wait_until(Duration::from_secs(30), || {
        let calls = calls(&home);
        calls.len() == 1 && calls[0]["detail"]["end"]["outcome"] == "cancelled"
    });
    assert!(cancelled, "{:#?}", calls(&home));
    let agent = &calls(&home)[0]["detail"]["for"]["agent"];
    assert_eq!(agent, "robin", "a key without an agent is that of its name");
}

/// What has no price is asked for where no budget is, and costs nobody knows what; under a budget it goes nowhere, and the
/// client is told what to do.
#[test]
fn what_has_no_price_passes_no_budget() {
    let search = |max: Option<u64>| {
        let mut tool = json!({"type": "web_search_20250305", "name": "web_search"});
        if let Some(max) = max {
            tool["max_uses"] = json!(max);
        }
        json!({"tools": [tool]})
    };
    let asked = [
        (json!({"service_tier": "auto"}), 200, ""),
        (
            json!({"speed": "fast"}),
            400,
            "the price of service tier speed:fast isn't known, and a money limit applies: ask for the standard tier",
        ),
        (
            json!({"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]}),
            400,
            "the provider's tool code_execution isn't known",
        ),
        (search(None), 400, "say how often at most, in its max_uses"),
        (search(Some(8)), 200, ""),
        // A dollar pays for ninety-nine searches and a question.
        (search(Some(200)), 429, "the limit of $1.00 a day"),
    ];
    for budget in [false, true] {
        let home = Home::new();
        let upstream = Upstream::start();
        let claude = upstream.base("anthropic");
        let prices = home.path().join("own.toml");
        home.write(&prices, "version = \"own\"\n[[price]]\nprovider = \"anthropic\"\nmodel = \"ok\"\ninput = 1\noutput = 4\nsource = \"here\"\n");
        let mut more = format!("{MORE}[prices]\nfile = {prices:?}\n");
        if budget {
            more.push_str("[budgets.all]\nday = \"1.00\"\n");
        }
        configure(&home, &[("claude", "anthropic", claude.as_str())], &more);
        let mut served = Served::at(&home, "127.0.0.1:0");
        served.show(&key(&home, "robin", &[]));
        for (with, status, says) in &asked {
            let mut body: Value = serde_json::from_str(&question("main")).unwrap();
            body.as_object_mut()
                .unwrap()
                .extend(with.as_object().unwrap().clone());
            let mut answer = served.send("POST", "/v1/messages", &[], &body.to_string());
            let said = answer.body();
            let status = if budget { *status } else { 200 };
            assert_eq!(answer.status, status, "{with}: {said}");
            assert!(!budget || said.contains(says), "{with}: {said}");
        }
        let calls = calls(&home);
        let (all, known) = (
            calls.len(),
            calls.iter().filter(|call| !call["money"].is_null()).count(),
        );
        // Without a budget those in fast mode and with code cost nobody knows what. The scripted one never searches.
        assert_eq!(
            (all, known),
            if budget { (2, 2) } else { (6, 4) },
            "{calls:#?}"
        );
        let modes: Vec<&str> = calls
            .iter()
            .filter_map(|call| call["detail"]["mode"].as_str())
            .collect();
        assert_eq!(
            modes,
            if budget {
                vec![]
            } else {
                vec!["speed:fast", "code_execution=?"]
            }
        );
        served.terminate();
        let (_, log) = served.ended();
        let warned =
            log.contains("service tier speed:fast isn't known, so what such calls cost is unknown");
        assert_eq!(warned, !budget, "{log}");
    }
}
