//! Routes whose candidates speak several wires: what passes, what is translated, and who is passed over by name.

use super::rig::{ONCE, PATIENT, Rig, hi, named, provider, rig, settings};
use callboard_routing::chat::Chat;
use callboard_routing::engine::{
    Ask, CallError, Escalate, Handed, Passing, Settings, Target, Wanted, row_of,
};
use callboard_routing::gateway::{Dialect, Unfit};
use callboard_routing::route::Privacy;
use callboard_routing::wire::Wire;
use callboard_telemetry::llm::LlmCall;
use callboard_tests::upstream::Upstream as Scripted;
use serde_json::{Value, json};

/// Providers `an` and `oa` of their wires, and the route `r` over models of theirs.
fn mixed(scripted: &Scripted, route: &[(&str, &str)]) -> Settings {
    let of = |name, wire| (name, provider(named(scripted, name, wire, PATIENT)));
    let providers = vec![
        of("an", Wire::Anthropic),
        of("oa", Wire::OpenAi),
        of("ol", Wire::Ollama),
    ];
    settings(providers, route)
}

/// A body of OpenAI's wire, with more in it.
fn body(more: &Value) -> (Passing, Result<Chat, Unfit>) {
    let mut body = json!({"model": "r", "messages": [{"role": "user", "content": "hi"}]});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    let body = body.to_string().into_bytes();
    let chat = Dialect::Completions.decode(&body).map(|read| read.chat);
    let mut passing = Passing::new(Wire::OpenAi, "/chat/completions", body).unwrap();
    passing.target = Wanted::Route("r".to_owned());
    passing.patience = Some(ONCE);
    (passing, chat)
}

/// How it was answered, and by whom.
async fn answer(rig: &Rig, more: &Value) -> Result<(&'static str, Target), CallError> {
    let (passing, chat) = body(more);
    Ok(match rig.router.hand(passing, chat).await? {
        Handed::Passed(mut passed) => {
            while passed.chunk().await.transpose().unwrap().is_some() {}
            ("passed", passed.target().clone())
        }
        Handed::Answered(answered) => ("answered", answered.target),
        Handed::Answering(mut answering) => {
            while answering.next().await.transpose().unwrap().is_some() {}
            ("answering", answering.target().clone())
        }
    })
}

/// Its rows, each with its decision.
async fn rows(rig: &Rig, count: usize) -> Vec<(LlmCall, Value)> {
    let rows = rig.settled(count).await;
    let rows = rows.iter().map(row_of).map(|row| {
        let decision = row.decision.as_deref().unwrap_or("null");
        let decision = serde_json::from_str(decision).unwrap();
        (row, decision)
    });
    rows.collect()
}

#[tokio::test]
async fn one_decision_goes_over_all_wires() {
    let scripted = Scripted::start();
    for (stream, how) in [(false, "answered"), (true, "answering")] {
        let route = [("oa", "500"), ("an", "overloaded"), ("ol", "ok")];
        let rig = rig(mixed(&scripted, &route));
        let (way, by) = answer(&rig, &json!({"stream": stream})).await.unwrap();
        assert_eq!((way, by.to_string().as_str()), (how, "ol/ok"));
        let rows = rows(&rig, 3).await;
        let order: Vec<&str> = rows[0].1["order"]
            .as_array()
            .unwrap()
            .iter()
            .map(|choice| choice["model"].as_str().unwrap())
            .collect();
        assert_eq!(order, ["oa/500", "an/overloaded", "ol/ok"]);
        for (at, (row, decision)) in rows.iter().enumerate() {
            assert_eq!(row.route.as_deref(), Some("r"), "{row:?}");
            assert_eq!((row.hop as usize, row.attempt), (at, 1), "{row:?}");
            assert_eq!(row.streamed, stream);
            if let Some(before) = at.checked_sub(1) {
                assert_eq!(decision["after"], rows[before].0.id, "{decision}");
            }
        }
        assert_eq!(rows[1].1["failed"], "server");
        assert_eq!(rows[2].1["failed"], "overloaded");
    }
}

#[tokio::test]
async fn who_speaks_the_bodys_wire_gets_its_bytes_also_after_others() {
    let scripted = Scripted::start();
    let rig = rig(mixed(&scripted, &[("an", "500"), ("oa", "ok")]));
    let more = json!({"service_tier": "auto", "seed": null});
    for stream in [false, true] {
        let mut more = more.clone();
        more["stream"] = json!(stream);
        let (way, by) = answer(&rig, &more).await.unwrap();
        assert_eq!((way, by.to_string().as_str()), ("passed", "oa/ok"));
        let asked = scripted.asked();
        let [before, last] = &asked[asked.len() - 2..] else {
            panic!("two were asked");
        };
        assert!(before.path.ends_with("/v1/messages"), "{before:?}");
        assert_eq!(last.body["service_tier"], "auto", "as it came");
    }
}

#[tokio::test]
async fn what_one_has_no_words_for_goes_to_the_next() {
    let scripted = Scripted::start();
    let rig = rig(mixed(&scripted, &[("an", "ok"), ("ol", "ok")]));
    let mut ask = hi();
    ask.chat.sampling.seed = Some(1);
    let answered = rig.router.complete(ask.clone()).await.unwrap();
    assert_eq!(answered.target.to_string(), "ol/ok");
    let mut answering = rig.router.stream(ask.clone()).await.unwrap();
    while answering.next().await.transpose().unwrap().is_some() {}
    assert_eq!(answering.target().to_string(), "ol/ok");
    let rows = rows(&rig, 2).await;
    for (row, decision) in &rows {
        assert_eq!((row.hop, row.provider.as_str()), (0, "ol"));
        let rejected = json!([{"model": "an/ok", "why": ["has no seed"]}]);
        assert_eq!(decision["rejected"], rejected);
    }
    assert_eq!(scripted.asked().len(), 2);
    // Where nobody is left it is told, and nobody is asked.
    let nobody = ask.to(Wanted::Model {
        provider: "an".to_owned(),
        model: "ok".to_owned(),
    });
    let error = rig.router.complete(nobody).await.unwrap_err().to_string();
    assert!(error.contains("an/ok has no seed"), "{error}");
    assert_eq!(scripted.asked().len(), 2);
}

#[tokio::test]
async fn who_could_only_be_asked_a_translation_that_there_is_not_is_passed_over_by_name() {
    let scripted = Scripted::start();
    let rig = rig(mixed(&scripted, &[("an", "ok"), ("oa", "ok")]));
    let odd = json!({"logit_bias": {"50256": -100}});
    let (way, by) = answer(&rig, &odd).await.unwrap();
    assert_eq!((way, by.to_string().as_str()), ("passed", "oa/ok"));
    let rejected = rows(&rig, 1).await[0].1["rejected"].to_string();
    assert!(
        rejected.contains("an/ok") && rejected.contains("has no translation of logit_bias"),
        "{rejected}"
    );
    assert_eq!(scripted.asked().len(), 1);
}

#[tokio::test]
async fn a_translated_answer_that_will_not_do_is_not_the_last() {
    let scripted = Scripted::start();
    let mut with = mixed(&scripted, &[("an", "ok"), ("oa", "500")]);
    let escalate = Escalate { least_score: None };
    with.routes.get_mut("r").unwrap().escalate = Some(escalate);
    let rig = rig(with);
    // The scripted one says words where JSON is wanted.
    let json = json!({"response_format": {"type": "json_object"}});
    let (way, by) = answer(&rig, &json).await.unwrap();
    assert_eq!(
        (way, by.to_string().as_str()),
        ("answered", "an/ok"),
        "the best there is"
    );
    let rows = rows(&rig, 2).await;
    assert_eq!(rows[1].0.provider, "oa");
    assert_eq!(rows[1].0.hop, 1);
}

#[tokio::test]
async fn tokens_are_counted_by_nobody_who_may_not_be_asked() {
    let scripted = Scripted::start();
    let mut with = mixed(&scripted, &[("an", "ok")]);
    with.providers.get_mut("an").unwrap().confirm = true;
    let rig_of = rig(with.clone());
    let count = rig_of.router.count_tokens(&hi()).await.unwrap();
    assert_eq!(count.by, None, "nobody agreed");
    assert!(scripted.asked().is_empty());
    let agreed = Ask {
        confirmed: true,
        ..hi()
    };
    let count = rig_of.router.count_tokens(&agreed).await.unwrap();
    assert_eq!(count.by, Some(Target::new("an", "ok")));
    with.routes.get_mut("r").unwrap().privacy = Privacy::LocalOnly;
    let rig_of = rig(with);
    let count = rig_of.router.count_tokens(&agreed).await.unwrap();
    assert_eq!(count.by, None, "it stays here");
    assert_eq!(scripted.asked().len(), 1);
    assert_eq!(rig_of.number("SELECT count(*) FROM reservations"), 0);
}
