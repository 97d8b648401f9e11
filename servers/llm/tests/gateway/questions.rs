//! Questions to models in every protocol of a client, over every wire of a provider.

use crate::rig::ask::{PATHS, WIRES, question, said, words};
use crate::rig::{CANARY, Rig, events};
use callboard_limits::{Limit, Resource, Scope, Span, limit_set};
use callboard_mcp::{Grant, Role};
use callboard_telemetry::llm::LlmOutcome;
use serde_json::json;

#[test]
fn every_protocol_is_answered_over_every_wire() {
    let rig = Rig::new();
    for (path, wire) in PATHS
        .iter()
        .flat_map(|path| WIRES.map(|wire| (*path, wire)))
    {
        for stream in [false, true] {
            let model = format!("{wire}/tools");
            let mut exchange = rig.post(path, &question(path, &model, stream));
            let said = said(&mut exchange, stream);
            let what = format!("{path} {wire} {stream}: {said}");
            assert_eq!(exchange.status, 200, "{what}");
            let text = if stream { words(&said) } else { said.clone() };
            assert!(text.contains("Hello from tools"), "{what}");
            assert!(said.contains("weather") && said.contains("Paris"), "{what}");
            let end = match (path, stream) {
                ("/v1/messages", true) => "message_stop",
                ("/v1/responses", true) => "response.completed",
                (_, true) => "[DONE]",
                _ => "usage",
            };
            assert!(said.contains(end), "{what}");
            assert!(!said.contains(CANARY), "{what}");
        }
    }
    let asked = rig.scripted.asked();
    assert_eq!(asked.len(), 24);
    for asked in &asked {
        assert!(!format!("{asked:?}").contains(&rig.token), "{asked:?}");
    }
    let rows = rig.rows(24);
    for row in &rows {
        assert_eq!(row.outcome, LlmOutcome::Ok, "{row:?}");
        assert_eq!(row.agent.as_deref(), Some("robin"));
        assert_eq!(row.project.as_deref(), Some("site"));
        assert_eq!(row.server.as_deref(), Some("gateway"));
        assert_eq!(row.usage.unwrap().tokens.output, 27, "{row:?}");
    }
}

#[test]
fn what_speaks_the_same_protocol_passes_byte_for_byte() {
    let rig = Rig::new();
    let bearer = format!("Bearer {}", rig.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("anthropic-version", "2023-06-01"),
        ("anthropic-beta", "fast-2026"),
        ("x-secret", "mine"),
        ("cookie", "a=b"),
    ];
    // Nothing of this is known to a translation.
    let body = r#"{ "unheard_of": [1,  2.50], "model":"anthropic", "max_tokens": 9,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "é", "cache_control": {"type": "ephemeral"}}]}] }"#;
    let mut plain = rig.send("POST", "/v1/messages", &headers, body);
    assert_eq!(plain.status, 200);
    assert_eq!(plain.header("request-id"), Some("req_1"));
    assert_eq!(
        plain.header("anthropic-ratelimit-requests-remaining"),
        Some("59")
    );
    let answer = plain.json();
    assert_eq!(answer["content"][0]["text"], "Hello from ok");
    let asked = &rig.scripted.asked()[0];
    assert_eq!(asked.header("anthropic-beta"), Some("fast-2026"));
    assert_eq!(asked.header("x-api-key"), Some(CANARY));
    for kept in ["authorization", "x-secret", "cookie"] {
        assert_eq!(asked.header(kept), None, "{kept}");
    }
    assert_eq!(asked.body["unheard_of"], json!([1, 2.50]));
    assert_eq!(asked.body["model"], "ok");
    let cached = &asked.body["messages"][0]["content"][0]["cache_control"];
    assert_eq!(cached["type"], "ephemeral");

    let streamed = body.replace("\"max_tokens\"", "\"stream\": true, \"max_tokens\"");
    let mut stream = rig.send("POST", "/v1/messages", &headers, &streamed);
    let told = events(&mut stream).concat();
    // A ping is the provider's own.
    assert!(
        told.contains("ping") && told.contains("message_stop"),
        "{told}"
    );
    let rows = rig.rows(2);
    for row in &rows {
        let tokens = row.usage.unwrap().tokens;
        assert_eq!(
            (tokens.input, tokens.cached, tokens.cache_write),
            (1_200, 1_024, 76)
        );
        assert_eq!(tokens.cache_write_1h, 26);
    }
}

#[test]
fn pictures_go_over_another_wire() {
    let rig = Rig::new();
    let picture = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}});
    let body = json!({
        "model": "openai", "max_tokens": 10,
        "messages": [{"role": "user", "content": [picture, {"type": "text", "text": "What is it?"}]}],
    });
    let answer = rig.post("/v1/messages", &body).json();
    assert_eq!(answer["content"][0]["text"], "Hello from ok", "{answer}");
    let sent = rig.scripted.asked()[0].body.to_string();
    assert!(
        sent.contains("data:image/png;base64,iVBORw0KGgo="),
        "{sent}"
    );
}

#[test]
fn what_has_no_translation_is_refused_by_name() {
    let rig = Rig::new();
    let mut body = question("/v1/messages", "openai", false);
    body["mcp_servers"] = json!([{"type": "url", "url": "https://x", "name": "x"}]);
    let mut refused = rig.post("/v1/messages", &body);
    assert_eq!(refused.status, 400);
    let said = refused.json();
    let message = said["error"]["message"].as_str().unwrap();
    assert!(message.contains("mcp_servers"), "{message}");
    assert!(rig.scripted.asked().is_empty());
    // To its own wire it passes.
    body["model"] = json!("anthropic");
    assert_eq!(rig.post("/v1/messages", &body).status, 200);
}

#[test]
fn failures_have_the_clients_words() {
    let rig = Rig::with(|_, settings| settings.patience.retries = 0);
    // Of the fault: the status in Anthropic's protocol and in OpenAI's, and a word of it.
    for (fault, theirs, other, word) in [
        ("429", 429, 429, "rate_limit"),
        ("500", 502, 502, "error"),
        ("overloaded", 529, 503, "overloaded"),
        ("401", 403, 403, "permission_error"),
        ("404", 404, 404, "not_found"),
        ("400", 400, 400, "invalid_request_error"),
        ("long", 400, 400, "invalid_request_error"),
        ("html", 502, 502, "error"),
        ("reset", 502, 502, "error"),
    ] {
        for (path, status) in [(PATHS[0], theirs), (PATHS[1], other), (PATHS[2], other)] {
            for wire in ["openai", "anthropic"] {
                for stream in [false, true] {
                    let model = format!("{wire}/{path}--{fault}");
                    let mut refused = rig.post(path, &question(path, &model, stream));
                    let said = refused.json();
                    let what = format!("{path} {wire} {fault} {stream}: {said}");
                    assert_eq!(refused.status, status, "{what}");
                    assert!(said.to_string().contains(word), "{what}");
                    let id = match path {
                        "/v1/messages" => &said["request_id"],
                        _ => &said["error"]["request_id"],
                    };
                    assert_eq!(id, "r-1", "{what}");
                    assert!(!said.to_string().contains(CANARY), "{what}");
                    let waits = refused.header("retry-after").is_some();
                    assert_eq!(waits, fault == "429", "{what}");
                    rig.forget_breakers();
                }
            }
        }
    }
}

#[test]
fn an_answer_that_breaks_off_says_so_in_its_place() {
    let rig = Rig::with(|_, settings| settings.patience.retries = 0);
    for path in PATHS {
        for wire in ["openai", "anthropic"] {
            for fault in ["midcut", "inband"] {
                let model = format!("{wire}/{fault}");
                let mut stream = rig.post(path, &question(path, &model, true));
                let told = events(&mut stream).concat();
                let what = format!("{path} {wire} {fault}: {told}");
                assert_eq!(stream.status, 200, "{what}");
                assert!(told.contains("Hello"), "{what}");
                assert!(
                    told.contains("error") || told.contains("response.failed"),
                    "{what}"
                );
                for end in ["message_stop", "[DONE]", "response.completed"] {
                    assert!(!told.contains(end), "{what}");
                }
                rig.forget_breakers();
            }
        }
    }
}

#[test]
fn who_hangs_up_ends_the_providers_work_and_the_call_is_cancelled() {
    let rig = Rig::new();
    let mut gone = 0;
    // Of the same protocol and of another, a stream that stands still and an answer that never comes.
    for (path, wire) in [
        (PATHS[0], "anthropic"),
        (PATHS[0], "openai"),
        (PATHS[1], "openai"),
    ] {
        let model = format!("{wire}/stall");
        let mut stream = rig.post(path, &question(path, &model, true));
        let first = stream.event().unwrap();
        assert!(first.contains("data:"), "{first}");
        drop(stream);
        gone += 1;
        rig.until("the stream is closed", || rig.scripted.hung_up() == gone);
        let model = format!("{wire}/hang");
        let asked = rig.scripted.asked().len();
        let bearer = format!("Bearer {}", rig.token);
        let headers = [("authorization", bearer.as_str())];
        let body = question(path, &model, false).to_string();
        let waiting = rig.begin("POST", path, &headers, &body);
        rig.until("it is asked", || rig.scripted.asked().len() > asked);
        drop(waiting);
        gone += 1;
        rig.until("the question is closed", || rig.scripted.hung_up() == gone);
    }
    let rows = rig.rows(gone);
    for row in &rows {
        assert_eq!(row.outcome, LlmOutcome::Cancelled, "{row:?}");
    }
}

#[test]
fn a_key_that_is_revoked_ends_its_streams() {
    let rig = Rig::new();
    let mut stream = rig.post(PATHS[0], &question(PATHS[0], "anthropic/stall", true));
    assert!(stream.event().is_some());
    rig.revoke("agent");
    let _ = events(&mut stream);
    rig.until("the provider's work is ended", || {
        rig.scripted.hung_up() == 1
    });
}

#[test]
fn what_is_under_way_is_told_the_end() {
    let rig = Rig::new();
    let mut stream = rig.post(PATHS[0], &question(PATHS[0], "openai/stall", true));
    assert!(stream.event().is_some());
    rig.stop.gently();
    let told = events(&mut stream).concat();
    assert!(
        told.contains("event: error") && told.contains("ending"),
        "{told}"
    );
}

#[test]
fn a_limit_in_the_way_is_named() {
    let rig = Rig::new();
    let mut limit = Limit::new(
        Scope::Project,
        "site".to_owned(),
        Resource::Requests,
        Span::Day,
        1,
    );
    limit.origin = "test".to_owned();
    let set = rig.store.write_blocking(move |c| limit_set(c, 0, &limit));
    set.unwrap();
    assert_eq!(
        rig.post(PATHS[0], &question(PATHS[0], "openai", false))
            .status,
        200
    );
    for path in PATHS {
        for model in ["openai", "anthropic"] {
            let mut refused = rig.post(path, &question(path, model, true));
            let said = refused.json().to_string();
            assert_eq!(refused.status, 429, "{said}");
            assert!(
                said.contains("the limit of 1 calls a day for project site"),
                "{said}"
            );
            assert!(refused.header("retry-after").is_some(), "{said}");
            // That is hours from now.
            assert_eq!(refused.header("x-should-retry"), Some("false"), "{said}");
        }
    }
    assert_eq!(rig.scripted.asked().len(), 1);
    // Another project's key is not in its way.
    let grant = Grant {
        project: Some("other".to_owned()),
        ..Grant::default()
    };
    let other = rig.add("other", Role::Viewer, Some(grant));
    let body = question(PATHS[0], "openai", false).to_string();
    let answer = rig.send("POST", PATHS[0], &[("x-api-key", &other)], &body);
    assert_eq!(answer.status, 200);
    let rows = rig.rows(2);
    assert_eq!(rows[1].agent.as_deref(), Some("other"), "the key's name");
}

#[test]
fn who_wants_what_nobody_has_is_told_why() {
    let rig = Rig::with(|_, settings| {
        for provider in settings.providers.values_mut() {
            provider.offer.window = Some(10);
            for offer in provider.models.values_mut() {
                offer.window = Some(10);
            }
        }
        settings.default_route = None;
    });
    for path in PATHS {
        let mut refused = rig.post(path, &question(path, "openai", false));
        let said = refused.json().to_string();
        assert_eq!(refused.status, 400, "{said}");
        assert!(said.contains("window"), "{said}");
        let mut none = rig.post(path, &question(path, "gpt-9", false));
        let said = none.json().to_string();
        assert_eq!(none.status, 404, "{said}");
        assert!(said.contains("default route"), "{said}");
    }
}

#[test]
fn embeddings_are_for_who_speaks_openais_protocol() {
    let rig = Rig::new();
    let mut refused = rig.post("/v1/embeddings", &json!({"model": "gemini", "input": "x"}));
    assert_eq!(refused.status, 400);
    let said = refused.json();
    assert!(
        said["error"]["message"]
            .as_str()
            .unwrap()
            .contains("embeddings"),
        "{said}"
    );
    let mut answer = rig.post(
        "/v1/embeddings",
        &json!({"model": "openai", "input": "some text"}),
    );
    let said = answer.json();
    assert_eq!(answer.status, 200, "{said}");
    assert_eq!(said["data"][0]["embedding"], json!([0.5, -0.25]));
    let rows = rig.rows(1);
    assert_eq!(rows[0].usage.unwrap().tokens.input, 7);
}
