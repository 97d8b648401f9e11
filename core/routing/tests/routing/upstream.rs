//! One provider over the network: its keep-alive, its end when the caller leaves, and the words of its failures.

use crate::asking::{clock, endpoint, upstream};
use callboard_redact::Secret;
use callboard_routing::chat::{Chat, Event};
use callboard_routing::failure::FailureKind;
use callboard_routing::upstream::{Deadlines, Upstream};
use callboard_routing::wire::{Encoded, Wire};
use callboard_tests::upstream::Upstream as Scripted;
use std::time::Duration;

/// Waits without standing in the way of the connections, which need the same thread.
async fn until(done: impl Fn() -> bool) {
    let patience = tokio::time::timeout(Duration::from_secs(60), async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    patience.await.expect("it never came");
}

#[tokio::test]
async fn who_leaves_closes_the_connection() {
    for wire in Wire::ALL {
        let scripted = Scripted::start();
        let provider = upstream(&scripted, wire, Deadlines::default());
        // A call that waits for its answer.
        let chat = Chat::ask("hang", "hi");
        tokio::select! {
            _ = provider.complete(&chat) => panic!("it answered"),
            () = until(|| !scripted.asked().is_empty()) => {}
        }
        until(|| scripted.hung_up() == 1).await;
        // A stream in its middle.
        let mut stream = provider.stream(&Chat::ask("stall", "hi")).await.unwrap();
        loop {
            match stream.next().await.unwrap().unwrap() {
                Event::Text { text } => break assert_eq!(text, "Hello "),
                _ => continue,
            }
        }
        drop(stream);
        until(|| scripted.hung_up() == 2).await;
    }
}

#[tokio::test]
async fn a_connection_is_used_again() {
    for wire in Wire::ALL {
        let scripted = Scripted::start();
        let provider = upstream(&scripted, wire, Deadlines::default());
        for _ in 0..3 {
            provider.complete(&Chat::ask("ok", "hi")).await.unwrap();
            let mut stream = provider.stream(&Chat::ask("ok", "hi")).await.unwrap();
            while let Some(event) = stream.next().await {
                event.unwrap();
            }
        }
        assert_eq!(scripted.asked().len(), 6);
        assert_eq!(scripted.connections(), 1, "{wire}");
        assert_eq!(scripted.hung_up(), 0);
    }
}

#[tokio::test]
async fn a_bad_key_a_wrong_url_and_a_missing_model_are_told_apart() {
    let scripted = Scripted::start();
    for wire in Wire::ALL {
        let make = |change: fn(&mut callboard_routing::upstream::Endpoint)| {
            let mut endpoint = endpoint(&scripted, wire, Deadlines::default());
            change(&mut endpoint);
            Upstream::new(endpoint, clock()).unwrap()
        };
        let chat = Chat::ask("ok", "hi");
        if wire != Wire::Ollama {
            let bad = make(|endpoint| endpoint.key = Some(Secret::new("bad-key".to_owned())));
            for failure in [
                bad.complete(&chat).await.unwrap_err(),
                bad.stream(&chat).await.unwrap_err(),
                bad.models().await.unwrap_err(),
            ] {
                assert_eq!(failure.kind, FailureKind::BadKey, "{wire}: {failure}");
                assert!(
                    failure.message.starts_with("main does not take its key"),
                    "{failure}"
                );
                assert!(!failure.message.contains("bad-key"), "{failure}");
            }
            let none = make(|endpoint| endpoint.key = None);
            let failure = none.complete(&chat).await.unwrap_err();
            assert!(failure.message.contains("none is set"), "{failure}");
        }
        let wrong = make(|endpoint| endpoint.base_url.push_str("/elsewhere"));
        for failure in [
            wrong.complete(&chat).await.unwrap_err(),
            wrong.stream(&chat).await.unwrap_err(),
            wrong.models().await.unwrap_err(),
        ] {
            assert_eq!(failure.kind, FailureKind::WrongUrl, "{wire}: {failure}");
            assert!(failure.message.contains("check base_url"), "{failure}");
            assert!(failure.message.contains(wire.usual_base()), "{failure}");
        }
        let right = make(|_| {});
        let failure = right.complete(&Chat::ask("404", "hi")).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::NoSuchModel);
        assert!(
            failure.message.starts_with("main has no model \"404\""),
            "{failure}"
        );
        let failure = right.model("okay").await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::NoSuchModel);
        assert!(failure.message.contains("it has ok"), "{failure}");
        let found = right.model("ok").await.unwrap();
        assert!(found.id.starts_with("ok"), "{wire}");
    }
}

#[test]
fn what_can_not_be_used_is_said_before_anything_is_sent() {
    let scripted = Scripted::start();
    for (base, named) in [
        ("localhost:11434", "http://"),
        ("not a url", "no URL"),
        ("ftp://x", "http://"),
        ("http://user:pass@x", "password"),
        ("http://x/v1?key=1", "query"),
    ] {
        let mut endpoint = endpoint(&scripted, Wire::OpenAi, Deadlines::default());
        endpoint.base_url = base.to_owned();
        let failure = Upstream::new(endpoint, clock()).unwrap_err();
        assert_eq!(failure.kind, FailureKind::WrongUrl, "{base}");
        assert!(failure.message.contains(named), "{base}: {failure}");
        assert!(
            failure.message.contains("https://api.openai.com/v1"),
            "{failure}"
        );
    }
    let mut endpoint = endpoint(&scripted, Wire::OpenAi, Deadlines::default());
    endpoint.key = Some(Secret::new("sk-upstream-5d1e\n".to_owned()));
    let failure = Upstream::new(endpoint, clock()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::BadKey);
    assert!(!failure.message.contains("5d1e"));
}

#[tokio::test]
async fn a_base_with_the_first_step_of_the_path_is_understood() {
    let scripted = Scripted::start();
    let mut endpoint = endpoint(&scripted, Wire::Anthropic, Deadlines::default());
    endpoint.base_url.push_str("/v1/");
    let provider = Upstream::new(endpoint, clock()).unwrap();
    provider.complete(&Chat::ask("ok", "hi")).await.unwrap();
    assert_eq!(scripted.asked()[0].path, "/anthropic/v1/messages");
}

#[tokio::test]
async fn headers_of_the_settings_and_the_key_are_sent() {
    let scripted = Scripted::start();
    let mut endpoint = endpoint(&scripted, Wire::OpenAi, Deadlines::default());
    let value = Secret::new("acme-7781".to_owned());
    endpoint.headers.push(("x-team".to_owned(), value));
    let provider = Upstream::new(endpoint, clock()).unwrap();
    provider.complete(&Chat::ask("ok", "hi")).await.unwrap();
    let asked = &scripted.asked()[0];
    assert_eq!(asked.header("x-team"), Some("acme-7781"));
    assert_eq!(asked.header("authorization"), Some("Bearer sk-asking-0c55"));
    assert_eq!(asked.body["model"], "ok");
    let shown = format!("{provider:?}");
    assert!(
        !shown.contains("0c55") && !shown.contains("7781"),
        "{shown}"
    );
}

#[tokio::test]
async fn tokens_are_counted_where_the_wire_can() {
    let scripted = Scripted::start();
    for (wire, count) in [
        (Wire::OpenAi, None),
        (Wire::Anthropic, Some(1_200)),
        (Wire::Gemini, Some(1_200)),
        (Wire::Ollama, None),
    ] {
        let provider = upstream(&scripted, wire, Deadlines::default());
        let counted = provider.count_tokens(&Chat::ask("ok", "hi")).await.unwrap();
        assert_eq!(counted, count, "{wire}");
    }
}

#[tokio::test]
async fn answers_are_handed_on_byte_for_byte() {
    let scripted = Scripted::start();
    let provider = upstream(&scripted, Wire::OpenAi, Deadlines::default());
    for (model, status) in [("ok", 200), ("429", 429)] {
        let body = format!("{{\"model\": \"{model}\",  \"messages\": []}}");
        let request = Encoded {
            path: "/chat/completions".to_owned(),
            headers: vec![("content-type", "application/json")],
            body: body.into_bytes(),
        };
        let answer = provider
            .pass(request, &http::HeaderMap::new())
            .await
            .unwrap();
        assert_eq!(answer.head.status, status);
        assert_eq!(answer.head.request_id().as_deref(), Some("req_1"));
        let bytes = answer.body.whole(1024 * 1024).await.unwrap();
        assert_eq!(bytes.first(), Some(&b'{'));
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_kept() {
    let scripted = Scripted::start();
    for wire in [Wire::OpenAi, Wire::Ollama] {
        let provider = upstream(&scripted, wire, Deadlines::default());
        let chat = Chat::ask("huge", "hi");
        let failure = provider.complete(&chat).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Malformed, "{wire}: {failure}");
        let mut stream = provider.stream(&chat).await.unwrap();
        let failure = stream.next().await.unwrap().unwrap_err();
        assert_eq!(failure.kind, FailureKind::Malformed, "{wire}: {failure}");
        assert!(stream.next().await.is_none());
    }
}

#[tokio::test]
async fn a_call_can_be_given_less_time() {
    let scripted = Scripted::start();
    let provider = upstream(&scripted, Wire::Gemini, Deadlines::default());
    let hurried = provider.within(Duration::from_millis(50));
    let failure = hurried
        .complete(&Chat::ask("hang", "hi"))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Deadline);
    assert!(!failure.may_retry() && !failure.may_fail_over());
}
