//! Bodies that pass as they are: what is held for them, however they are written, and answers that are not believed.

use super::rig::{PATIENT, Rig, hi, provider, rig, settings, simple};
use crate::asking;
use callboard_limits::{Limit, Resource, Scope, Span};
use callboard_routing::engine::{CallError, Passed, Passing, Settings, Wanted, row_of};
use callboard_routing::upstream::Upstream;
use callboard_routing::wire::Wire;
use callboard_telemetry::llm::LlmOutcome;
use callboard_telemetry::{Counted, MicroDollars};
use callboard_tests::upstream::Upstream as Scripted;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;

fn passing(body: &str) -> Passing {
    let body = body.as_bytes().to_vec();
    let mut passing = Passing::new(Wire::OpenAi, "/chat/completions", body).unwrap();
    passing.target = Wanted::Route("r".to_owned());
    passing
}

async fn read(mut passed: Passed) -> String {
    let mut answer = Vec::new();
    while let Some(chunk) = passed.chunk().await {
        answer.extend_from_slice(&chunk.unwrap());
    }
    String::from_utf8(answer).unwrap()
}

async fn with_a_cent_a_day(settings: Settings) -> Rig {
    let rig = rig(settings);
    let cent = Limit::new(Scope::All, "", Resource::Money, Span::Day, 10_000);
    rig.limit(cent).await;
    rig
}

#[tokio::test]
async fn all_that_a_body_may_use_is_held() {
    let scripted = Scripted::start();
    let rig = with_a_cent_a_day(simple(&scripted, Wire::OpenAi, &["ok"])).await;
    for (body, wanted) in [
        (r#"{"model":"m","max_tokens":900,"n":128}"#, 900 * 128),
        (
            r#"{"model":"m","max_tokens":900,"best_of":20,"n":2}"#,
            900 * 20,
        ),
        (
            r#"{"model":"m","max_tokens":100000,"max_completion_tokens":1}"#,
            100_000,
        ),
        (r#"{"model":"m","max_tokens":9000.0}"#, 9_000),
        (r#"{"model":"m","n":3}"#, 3 * 8_192),
    ] {
        let error = rig.router.pass(passing(body)).await.unwrap_err();
        let CallError::Denied(denied) = &error else {
            panic!("{body}: {error:?}")
        };
        let over = denied.wanted - 4 * wanted;
        assert!((0..100).contains(&over), "{body}: {denied:?}");
    }
    assert!(scripted.asked().is_empty());
    let passed = rig
        .router
        .pass(passing(r#"{"model":"m","max_tokens":50,"n":3}"#));
    read(passed.await.unwrap()).await;
    let call = &rig.settled(1).await[0];
    assert_eq!(call.estimate.output, 150);
    assert_eq!(call.cost, Some(MicroDollars(386)));
}

#[tokio::test]
async fn what_is_beyond_all_numbers_is_too_dear_and_not_unknown() {
    let scripted = Scripted::start();
    let rig = with_a_cent_a_day(simple(&scripted, Wire::OpenAi, &["ok"])).await;
    for said in [
        r#""max_tokens":18446744073709551615"#,
        r#""max_tokens":99999999999999999999"#,
        r#""max_tokens":1e30"#,
        r#""max_tokens":10000000000000"#,
        r#""n":1000000000000000"#,
        r#""max_tokens":18446744073709551615,"n":18446744073709551615"#,
    ] {
        let body = format!(r#"{{"model":"m",{said}}}"#);
        let error = rig.router.pass(passing(&body)).await.unwrap_err();
        let CallError::Denied(denied) = &error else {
            panic!("{said}: {error:?}")
        };
        assert_eq!(denied.wanted, 1_000_000_000_000, "{said}");
    }
    assert!(scripted.asked().is_empty());
}

#[tokio::test]
async fn words_in_one_run_are_held_as_words() {
    let scripted = Scripted::start();
    let rig = rig(simple(&scripted, Wire::OpenAi, &["ok"]));
    let hex = "0123456789abcdef".repeat(2_500);
    let body = format!(
        r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"{hex}"}}]}}"#
    );
    read(rig.router.pass(passing(&body)).await.unwrap()).await;
    let call = &rig.settled(1).await[0];
    assert!(call.estimate.input > 10_000, "{:?}", call.estimate);
}

#[tokio::test]
async fn an_odd_member_takes_nothing_from_a_stream() {
    let scripted = Scripted::start();
    let rig = rig(simple(&scripted, Wire::OpenAi, &["ok"]));
    for odd in [
        r#""max_tokens":100.0"#,
        r#""tools":7"#,
        r#""response_format":1"#,
    ] {
        let body = format!(r#"{{"model":"m",{odd},"stream":true,"messages":[]}}"#);
        let passed = rig.router.pass(passing(&body)).await.unwrap();
        assert!(passed.streams() && passed.hops().is_empty(), "{odd}");
        assert!(read(passed).await.ends_with("data: [DONE]\n\n"), "{odd}");
    }
    assert!(rig.breakers().is_empty(), "{:?}", rig.breakers());
    for call in rig.settled(3).await {
        assert_eq!(row_of(&call).outcome, LlmOutcome::Ok);
        assert_eq!(call.usage.unwrap().counted, Counted::Reported);
    }
    // Who reads this could take either.
    let twice = br#"{"model":"m","stream":true,"stream":false}"#.to_vec();
    let refused = Passing::new(Wire::OpenAi, "/chat/completions", twice).unwrap_err();
    assert_eq!(refused.to_string(), "stream: is there twice");
}

/// A provider that answers each of so many questions with these bytes.
fn canned(times: usize, kind: &'static str, body: &'static str) -> Settings {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(times).map_while(Result::ok) {
            let (mut reader, mut length) = (BufReader::new(&stream), 0);
            for line in reader.by_ref().lines().map_while(Result::ok) {
                let line = line.to_lowercase();
                if let Some(said) = line.strip_prefix("content-length:") {
                    length = said.trim().parse().unwrap();
                }
                if line.is_empty() {
                    break;
                }
            }
            reader.read_exact(&mut vec![0; length]).unwrap();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            (&stream).write_all(head.as_bytes()).unwrap();
        }
    });
    let scripted = Scripted::start();
    let mut endpoint = asking::endpoint(&scripted, Wire::OpenAi, PATIENT);
    endpoint.base_url = format!("http://{address}");
    let main = provider(Upstream::new(endpoint, asking::clock()).unwrap());
    settings(vec![("main", main)], &[("main", "m")])
}

#[tokio::test]
async fn what_streams_is_read_as_a_stream_whatever_was_asked() {
    let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";
    let rig = rig(canned(1, "Text/Event-Stream; charset=utf-8", stream));
    let body = passing(r#"{"model":"m","stream":{},"messages":[]}"#);
    assert!(!body.streams());
    let passed = rig.router.pass(body).await.unwrap();
    assert!(passed.streams());
    assert_eq!(read(passed).await, stream);
    let call = &rig.settled(1).await[0];
    assert_eq!(call.usage.unwrap().tokens.output, 2);
    assert!(rig.breakers().is_empty());
}

#[tokio::test]
async fn numbers_that_can_not_be_true_stop_no_budget() {
    let answer = r#"{"id":"1","choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":18446744073709551615,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":18446744073709551615}}}"#;
    let rig = with_a_cent_a_day(canned(3, "application/json", answer)).await;
    let mut ask = hi();
    ask.chat.max_output = Some(9);
    let answered = rig.router.complete(ask.clone()).await.unwrap();
    assert_eq!(answered.usage.unwrap().counted, Counted::Estimated);
    let body = r#"{"model":"m","max_tokens":9,"n":4,"messages":[]}"#;
    assert_eq!(
        read(rig.router.pass(passing(body)).await.unwrap()).await,
        answer
    );
    rig.router.complete(ask).await.unwrap();
    let calls = rig.settled(3).await;
    for call in &calls {
        let usage = call.usage.unwrap();
        assert_eq!(usage.counted, Counted::Estimated);
        assert_eq!(usage.tokens.input, call.estimate.input);
    }
    // Each of the four may have said as much as the one that was read.
    let outputs: Vec<u64> = calls
        .iter()
        .map(|call| call.usage.unwrap().tokens.output)
        .collect();
    assert_eq!(outputs, [1, 3, 1]);
}
