//! Who gets in, what is there, how many tokens a question has, and what a request states of itself.

use crate::rig::ask::{PATHS, question};
use crate::rig::{CANARY, Rig};
use callboard_mcp::{Grant, Role};
use callboard_routing::engine::{Settings, Target};
use callboard_routing::route::{Offer, Privacy, TaskClass};
use callboard_tests::upstream::Upstream as Scripted;
use serde_json::json;
use std::collections::BTreeMap;

#[test]
fn only_keys_of_the_gateway_and_administrators_get_in() {
    let rig = Rig::new();
    let question = json!({"model": "openai", "messages": []}).to_string();
    let developer = rig.add("dev", Role::Developer, None);
    let admin = rig.add("boss", Role::Admin, None);
    let other = rig.add("other", Role::Viewer, Some(Grant::default()));
    let bearer = |token: &str| format!("Bearer {token}");
    let (good, wrong) = (bearer(&rig.token), bearer("cb_no"));
    let ask = |headers: &[(&str, &str)]| rig.send("GET", "/v1/models", headers, "").status;
    assert_eq!(ask(&[("authorization", &good)]), 200);
    assert_eq!(ask(&[("x-api-key", &rig.token)]), 200);
    assert_eq!(ask(&[("authorization", &bearer(&admin))]), 200);
    assert_eq!(ask(&[("authorization", &bearer(&developer))]), 403);
    assert_eq!(ask(&[("authorization", &wrong)]), 401);
    assert_eq!(ask(&[]), 401);
    assert_eq!(ask(&[("x-api-key", &other)]), 200);
    rig.revoke("other");
    assert_eq!(ask(&[("x-api-key", &other)]), 401);

    let named = [("x-request-id", "r-9"), ("authorization", wrong.as_str())];
    let mut theirs = rig.send("POST", "/v1/messages", &named, &question);
    let said = theirs.json();
    assert_eq!(said["type"], "error");
    assert_eq!(said["error"]["type"], "authentication_error");
    assert_eq!(said["request_id"], "r-9");
    assert_eq!(theirs.header("request-id"), Some("r-9"));
    let mut other = rig.send("POST", "/v1/chat/completions", &named, &question);
    let said = other.json();
    assert_eq!(said["error"]["code"], "invalid_api_key");
    assert_eq!(said["error"]["request_id"], "r-9");
    assert!(rig.scripted.asked().is_empty(), "nobody was asked");
}

#[test]
fn what_is_too_large_or_elsewhere_is_refused_in_the_clients_protocol() {
    let rig = Rig::new();
    let mut none = rig.post("/v1/completions", &json!({}));
    assert_eq!(none.status, 404);
    assert_eq!(none.json()["error"]["type"], "invalid_request_error");
    let mut wrong = rig.get("/v1/messages", &[]);
    assert_eq!(wrong.status, 405);
    assert_eq!(wrong.header("allow"), Some("POST"));
    assert_eq!(wrong.json()["error"]["type"], "invalid_request_error");
    let bearer = format!("Bearer {}", rig.token);
    let announced = [
        ("authorization", bearer.as_str()),
        ("expect", "100-continue"),
        ("content-length", "40000000"),
    ];
    let mut large = callboard_tests::http::Exchange::connect(rig.address);
    let mut text = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\n".to_owned();
    for (name, value) in announced {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    large.raw(format!("{text}\r\n").as_bytes());
    large.head();
    assert_eq!(large.status, 413);
    assert_eq!(large.json()["error"]["type"], "request_too_large");
}

#[test]
fn routes_and_models_are_listed_in_both_protocols() {
    let rig = Rig::new();
    let list = rig.get("/v1/models", &[]).json();
    let names: Vec<&str> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["id"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "anthropic",
            "gemini",
            "ollama",
            "openai",
            "anthropic/ok",
            "gemini/ok",
            "ollama/ok",
            "openai/ok"
        ]
    );
    assert_eq!(list["object"], "list");
    let theirs = rig
        .get("/v1/models", &[("anthropic-version", "2023-06-01")])
        .json();
    assert_eq!(theirs["data"][0]["type"], "model");
    assert_eq!(theirs["last_id"], "openai/ok");
    let one = rig.get("/v1/models/openai%2Fok", &[]).json();
    assert_eq!(one["owned_by"], "openai");
    let mut none = rig.get("/v1/models/gpt-9", &[]);
    assert_eq!(none.status, 404);
    assert_eq!(none.json()["error"]["code"], "model_not_found");
}

#[test]
fn tokens_are_counted_by_their_provider_or_estimated() {
    let rig = Rig::new();
    let count = |model: &str| {
        let body = json!({
            "model": model,
            "messages": [{"role": "user", "content": "How many tokens are these?"}],
        });
        let mut exchange = rig.post("/v1/messages/count_tokens", &body);
        let estimated = exchange.header("x-callboard-estimated").is_some();
        let said = exchange.json();
        assert_eq!(exchange.status, 200, "{said}");
        (said["input_tokens"].as_u64().unwrap(), estimated)
    };
    assert_eq!(count("anthropic"), (1_200, false));
    assert_eq!(count("gemini"), (1_200, false));
    let (tokens, estimated) = count("openai");
    assert!(estimated && (3..60).contains(&tokens), "{tokens}");
    let asked = rig.scripted.asked();
    assert!(asked[0].path.ends_with("/v1/messages/count_tokens"));
    assert_eq!(asked[0].body["model"], "ok");
    assert_eq!(asked[0].header("x-api-key"), Some(CANARY));
    let mut odd = rig.post("/v1/messages/count_tokens", &json!({"model": "openai"}));
    assert_eq!(odd.status, 400);
    assert_eq!(odd.json()["error"]["type"], "invalid_request_error");
}

/// A number with a point in it hides nothing else; what can be read in two ways is refused before anybody is asked.
#[test]
fn an_odd_body_streams_and_an_ambiguous_one_is_refused() {
    let rig = Rig::new();
    let bearer = format!("Bearer {}", rig.token);
    let headers = [("authorization", bearer.as_str())];
    let path = "/v1/chat/completions";
    let said = r#""messages":[{"role":"user","content":"hi"}]"#;
    for twice in [r#""stream":true,"stream":false"#, r#""n":1,"n":9"#] {
        let body = format!(r#"{{"model":"openai",{said},{twice}}}"#);
        let mut refused = rig.send("POST", path, &headers, &body);
        let error = refused.json();
        assert_eq!(refused.status, 400, "{error}");
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.contains("is there twice"), "{message}");
    }
    assert!(rig.scripted.asked().is_empty());
    let body = format!(r#"{{"model":"openai",{said},"max_tokens":100.0,"stream":true}}"#);
    let mut streamed = rig.send("POST", path, &headers, &body);
    assert_eq!(streamed.status, 200);
    let events = crate::rig::events(&mut streamed).concat();
    assert!(events.contains("[DONE]"), "{events}");
    assert_eq!(rig.scripted.asked().len(), 1);
}

/// A body that only Anthropic's own wire understands.
fn untranslatable(model: &str) -> serde_json::Value {
    json!({
        "model": model,
        "messages": [{"role": "user", "content": "How many tokens are these?"}],
        "tools": [{"type": "web_search_20250305", "name": "web_search"}],
    })
}

#[test]
fn counting_shows_a_question_to_nobody_who_may_not_see_it() {
    let rig = Rig::with(|_, settings| {
        let mut route = settings.routes["anthropic"].clone();
        route.candidates.push(Target::new("ollama", "ok"));
        route.privacy = Privacy::LocalOnly;
        settings.routes.insert("here".to_owned(), route);
        let local = |settings: &mut Settings, name: &str| {
            let provider = settings.providers.get_mut(name).unwrap();
            provider.models.get_mut("ok").unwrap().local = true;
        };
        local(settings, "ollama");
    });
    let path = "/v1/messages/count_tokens";
    // Whoever runs here can't be told a part of it, and nobody else may be.
    let mut body = untranslatable("here");
    let mut refused = rig.post(path, &body);
    let said = refused.json().to_string();
    assert_eq!(refused.status, 400, "{said}");
    for why in ["is not on this machine", "web_search_20250305"] {
        assert!(said.contains(why), "{said}");
    }
    body["max_tokens"] = json!(5);
    assert_eq!(rig.post("/v1/messages", &body).status, 400, "nor asked");
    body["tools"] = json!([]);
    let counted = rig.post(path, &body);
    assert_eq!(counted.status, 200);
    assert!(counted.header("x-callboard-estimated").is_some());
    assert!(
        rig.scripted.asked().is_empty(),
        "{:?}",
        rig.scripted.asked()
    );
    // Where it may go it goes as it is.
    let mut counted = rig.post(path, &untranslatable("anthropic"));
    assert_eq!(counted.json()["input_tokens"], 1_200);
    let asked = rig.scripted.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].body["tools"][0]["name"], "web_search");
    rig.rows(0);
}

#[test]
fn counting_asks_nobody_who_needs_a_persons_word_or_is_broken() {
    let rig = Rig::with(|_, settings| {
        settings.providers.get_mut("anthropic").unwrap().confirm = true;
        settings.providers.get_mut("gemini").unwrap().confirm = true;
    });
    let path = "/v1/messages/count_tokens";
    let plain = |model: &str| {
        let mut body = untranslatable(model);
        body["tools"] = json!([]);
        body
    };
    let bodies = [
        untranslatable("anthropic"),
        plain("anthropic"),
        plain("gemini"),
    ];
    for body in &bodies {
        let mut counted = rig.post(path, body);
        let said = counted.json();
        assert_eq!(counted.status, 200, "{said}");
        assert!(counted.header("x-callboard-estimated").is_some(), "{said}");
        let tokens = said["input_tokens"].as_u64().unwrap();
        assert!((3..80).contains(&tokens), "{said}");
    }
    assert!(
        rig.scripted.asked().is_empty(),
        "{:?}",
        rig.scripted.asked()
    );

    let rig = Rig::with(|_, settings| {
        settings.patience.retries = 0;
        settings.breaker.failures = 1;
    });
    rig.scripted.turn("ok", Some("500"));
    let mut body = plain("anthropic");
    body["max_tokens"] = json!(5);
    assert_eq!(rig.post("/v1/messages", &body).status, 502, "it breaks");
    let asked = rig.scripted.asked().len();
    let counted = rig.post(path, &plain("anthropic"));
    assert!(counted.header("x-callboard-estimated").is_some());
    assert_ne!(rig.post(path, &untranslatable("anthropic")).status, 200);
    assert_eq!(rig.scripted.asked().len(), asked, "nobody was asked");
}

#[test]
fn a_request_has_the_deadline_that_it_states_or_that_of_its_route() {
    let rig = Rig::with(|_, settings| {
        let mut route = settings.routes["openai"].clone();
        route.candidates = vec![Target::new("openai", "m--hang")];
        settings.routes.insert("stuck".to_owned(), route.clone());
        route.within_ms = Some(300);
        settings.routes.insert("brief".to_owned(), route);
    });
    let bearer = format!("Bearer {}", rig.token);
    let ask = |path: &str, model: &str, deadline: Option<&str>| {
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(deadline.map(|deadline| ("x-callboard-deadline", deadline)));
        let body = question(path, model, false).to_string();
        let mut refused = rig.send("POST", path, &headers, &body);
        (refused.status, refused.json().to_string())
    };
    for path in PATHS {
        for (model, deadline) in [("stuck", Some("1")), ("brief", None)] {
            let (status, said) = ask(path, model, deadline);
            assert_eq!(status, 504, "{said}");
            assert!(
                said.contains("the time for the whole call was over"),
                "{said}"
            );
        }
        let asked = rig.scripted.asked().len();
        for wrong in ["soon", "0", "-5", "1.5", "3601", ""] {
            let (status, said) = ask(path, "stuck", Some(wrong));
            assert_eq!(status, 400, "{wrong}: {said}");
            assert!(said.contains("x-callboard-deadline is"), "{said}");
        }
        assert_eq!(rig.scripted.asked().len(), asked);
    }
}

/// A route that has a role, and another one that has another.
fn roles(_: &Scripted, settings: &mut Settings) {
    let mut route = settings.routes["openai"].clone();
    route.candidates = vec![
        Target::new("openai", "small"),
        Target::new("openai", "large"),
    ];
    route.roles = BTreeMap::from([("architect".to_owned(), TaskClass::Complex)]);
    route.class = Some(TaskClass::Simple);
    settings.routes.insert("work".to_owned(), route.clone());
    route.roles = BTreeMap::from([("scribe".to_owned(), TaskClass::Complex)]);
    settings.routes.insert("letters".to_owned(), route);
    let models = &mut settings.providers.get_mut("openai").unwrap().models;
    for (model, class) in [("small", TaskClass::Simple), ("large", TaskClass::Complex)] {
        let offer = Offer {
            classes: vec![class],
            ..Offer::default()
        };
        models.insert(model.to_owned(), offer);
    }
}

#[test]
fn a_role_of_the_route_says_how_hard_the_work_is() {
    let rig = Rig::with(roles);
    let bearer = format!("Bearer {}", rig.token);
    let mut asked = 0;
    for path in PATHS {
        for (more, model) in [
            (&[][..], "small"),
            (&[("x-callboard-role", "architect")], "large"),
            // A role of another route goes by this one's class.
            (&[("x-callboard-role", "scribe")], "small"),
            // What is said of this one request is nearer to it than whose it is.
            (
                &[
                    ("x-callboard-role", "architect"),
                    ("x-callboard-class", "simple"),
                ],
                "small",
            ),
        ] {
            let mut headers = vec![("authorization", bearer.as_str())];
            headers.extend_from_slice(more);
            let body = question(path, "work", false).to_string();
            let answer = rig.send("POST", path, &headers, &body);
            assert_eq!(answer.status, 200, "{path} {more:?}");
            assert_eq!(
                rig.scripted.asked()[asked].body["model"],
                model,
                "{path} {more:?}"
            );
            asked += 1;
        }
        // A word that no route knows would go by the class of others: it is refused, and those that are known are named.
        for wrong in ["architekt", "Architect", "", "b\u{fc}cher"] {
            let headers = [
                ("authorization", bearer.as_str()),
                ("x-callboard-role", wrong),
            ];
            let body = question(path, "work", false).to_string();
            let mut refused = rig.send("POST", path, &headers, &body);
            let said = refused.json().to_string();
            assert_eq!(refused.status, 400, "{path} {wrong:?}: {said}");
            assert!(said.contains("there are: architect, scribe"), "{said}");
        }
        assert_eq!(rig.scripted.asked().len(), asked, "{path}");
    }
}

#[test]
fn a_key_says_whose_work_it_is_and_a_request_may_say_otherwise() {
    let rig = Rig::with(roles);
    let key = |name: &str, role: &str| {
        let grant = Grant {
            work_role: Some(role.to_owned()),
            ..Grant::default()
        };
        rig.add(name, Role::Viewer, Some(grant))
    };
    let (architect, misspelt) = (key("one", "architect"), key("two", "architekt"));
    let mut asked = 0;
    for path in PATHS {
        let body = question(path, "work", false).to_string();
        for (key, more, model) in [
            (&architect, None, Some("large")),
            (
                &architect,
                Some(("x-callboard-role", "scribe")),
                Some("small"),
            ),
            (
                &architect,
                Some(("x-callboard-class", "simple")),
                Some("small"),
            ),
            (&misspelt, None, None),
            (
                &misspelt,
                Some(("x-callboard-role", "architect")),
                Some("large"),
            ),
        ] {
            let bearer = format!("Bearer {key}");
            let mut headers = vec![("authorization", bearer.as_str())];
            headers.extend(more);
            let mut answer = rig.send("POST", path, &headers, &body);
            let Some(model) = model else {
                let said = answer.json().to_string();
                assert_eq!(answer.status, 400, "{path}: {said}");
                assert!(said.contains("there are: architect, scribe"), "{said}");
                continue;
            };
            assert_eq!(answer.status, 200, "{path} {more:?}");
            assert_eq!(
                rig.scripted.asked()[asked].body["model"],
                model,
                "{path} {more:?}"
            );
            asked += 1;
        }
    }
    assert_eq!(rig.scripted.asked().len(), asked);
}

/// Where a prompt may go, by the request, its route, or both; what runs here leaves no region.
#[test]
fn a_request_goes_only_to_the_regions_that_it_states() {
    let rig = Rig::with(|_, settings| {
        let mut route = settings.routes["openai"].clone();
        route.candidates = ["us", "eu", "nowhere"]
            .map(|model| Target::new("openai", model))
            .to_vec();
        settings.routes.insert("any".to_owned(), route.clone());
        route.regions = vec!["us".to_owned(), "eu".to_owned()];
        settings.routes.insert("west".to_owned(), route.clone());
        route.candidates.push(Target::new("openai", "here"));
        settings.routes.insert("home".to_owned(), route);
        let models = &mut settings.providers.get_mut("openai").unwrap().models;
        for model in ["us", "eu", "nowhere", "here"] {
            let offer = Offer {
                region: ["us", "eu"].contains(&model).then(|| model.to_owned()),
                local: model == "here",
                ..Offer::default()
            };
            models.insert(model.to_owned(), offer);
        }
    });
    let bearer = format!("Bearer {}", rig.token);
    let mut asked = 0;
    for path in PATHS {
        for (route, regions, expected) in [
            ("any", &[][..], Ok("us")),
            ("any", &["eu"], Ok("eu")),
            ("any", &["ch, eu"], Ok("eu")),
            ("any", &["ch", "eu"], Ok("eu")),
            // Also where the route says less, and never where it says otherwise.
            ("west", &["eu"], Ok("eu")),
            ("west", &["ch"], Err("runs in us")),
            ("home", &["ch"], Ok("here")),
            ("any", &["ch"], Err("its region is not known")),
            ("openai/us", &["eu"], Err("runs in us")),
            ("any", &[""], Err("x-callboard-region is")),
        ] {
            let mut headers = vec![("authorization", bearer.as_str())];
            headers.extend(regions.iter().map(|said| ("x-callboard-region", *said)));
            let body = question(path, route, false).to_string();
            let mut answer = rig.send("POST", path, &headers, &body);
            let said = answer.json().to_string();
            match expected {
                Ok(model) => {
                    assert_eq!(answer.status, 200, "{path} {route} {regions:?}: {said}");
                    let to = &rig.scripted.asked()[asked].body["model"];
                    assert_eq!(to, model, "{path} {route} {regions:?}");
                    asked += 1;
                }
                Err(why) => {
                    assert_eq!(answer.status, 400, "{path} {route} {regions:?}: {said}");
                    assert!(said.contains(why), "{said}");
                }
            }
        }
    }
    assert_eq!(rig.scripted.asked().len(), asked, "nobody else was asked");
}

#[test]
fn who_is_told_to_wait_long_hears_it_at_once() {
    let rig = Rig::with(|_, settings| {
        let mut route = settings.routes["openai"].clone();
        route.candidates = vec![Target::new("openai", "m--429-in-25")];
        settings.routes.insert("busy".to_owned(), route);
    });
    for path in PATHS {
        let mut refused = rig.post(path, &question(path, "busy", true));
        let said = refused.json().to_string();
        assert_eq!(refused.status, 429, "{said}");
        assert_eq!(refused.header("retry-after"), Some("25"), "{said}");
        rig.forget_breakers();
    }
    assert_eq!(rig.scripted.asked().len(), PATHS.len());
}
