//! Error bodies that providers really send (collected beside the rules that name them), through the codecs.

use callboard_routing::failure::FailureKind;
use callboard_routing::wire::{Head, Wire};
use http::HeaderMap;
use serde_json::Value;

#[test]
fn collected_bodies_get_the_kind_that_people_gave_them() {
    let text = include_str!("../../../telemetry/tests/telemetry/llm_errors.json");
    let cases: Vec<Value> = serde_json::from_str(text).unwrap();
    let (mut count, mut wrong) = (0, Vec::new());
    for case in &cases {
        let label = case["label"].as_str().unwrap();
        let status = case["status"]
            .as_u64()
            .and_then(|status| u16::try_from(status).ok());
        // Kinds that a codec can give; the others are what broke, not what was said.
        let Some(kind) = FailureKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == label)
        else {
            continue;
        };
        let Some(status) = status.filter(|status| *status >= 400) else {
            continue;
        };
        let wire = Wire::named(case["provider"].as_str().unwrap()).unwrap_or(Wire::OpenAi);
        let head = Head {
            status,
            headers: HeaderMap::new(),
            now_ms: 0,
        };
        let body = case["text"].as_str().unwrap();
        let failure = wire.decode(&head, body.as_bytes()).unwrap_err();
        count += 1;
        if failure.kind != kind {
            wrong.push((label, failure.kind.as_str()));
        }
        // In a stream that was refused it is the same.
        let mut decoder = wire.decoder(head);
        let mut events = Vec::new();
        decoder.feed(body.as_bytes(), &mut events).unwrap();
        assert_eq!(decoder.end(&mut events).unwrap_err(), failure);
    }
    assert!(count >= 130, "{count}");
    assert!(
        wrong.len() * 10 <= count,
        "{} of {count} wrong: {wrong:?}",
        wrong.len()
    );
}
