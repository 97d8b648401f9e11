//! What passes through: bodies but for the model's name, and answers that are listened to.

use super::head;
use crate::fixtures::{PLAIN, STREAMS};
use callboard_routing::chat::Finish;
use callboard_routing::failure::FailureKind;
use callboard_routing::gateway::{Named, Tap, passes};
use callboard_routing::wire::Wire;
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn only_the_name_changes() {
    for (body, model, expected) in [
        (r#"{"model":"a"}"#, "a", r#"{"model":"N \"1\""}"#),
        (
            "\n{ \"x\" : {\"model\":\"no\"} ,\t\"model\" :\r\n \"a\\u0062\\\"}\" , \"y\":[1.50, -0, 1e9] }\n",
            "ab\"}",
            "\n{ \"x\" : {\"model\":\"no\"} ,\t\"model\" :\r\n \"N \\\"1\\\"\" , \"y\":[1.50, -0, 1e9] }\n",
        ),
        (
            r#"{"a":"\"model\":\"x\\","b":true,"c":12,"\u006dodel":"é","d":null}"#,
            "é",
            r#"{"a":"\"model\":\"x\\","b":true,"c":12,"\u006dodel":"N \"1\"","d":null}"#,
        ),
    ] {
        let named = Named::find(body.as_bytes()).unwrap();
        assert_eq!(named.model, model);
        let renamed = named.renamed(body.as_bytes(), "N \"1\"");
        assert_eq!(String::from_utf8(renamed).unwrap(), expected);
    }
}

#[test]
fn a_body_that_names_no_one_model_does_not_pass() {
    for (body, expected) in [
        ("{}", "model: is required"),
        (r#"{"x":{"model":"a"}}"#, "model: is required"),
        (r#"{"model":1}"#, "model: must be a string"),
        (r#"{"model":"a","\u006dodel":"b"}"#, "model: is there twice"),
        (r#"[{"model":"a"}]"#, "it is another kind of value"),
        (r#"{"model":"a""#, "the body is no JSON object: EOF"),
        ("", "the body is no JSON object: EOF"),
    ] {
        let refused = Named::find(body.as_bytes()).unwrap_err().to_string();
        assert!(refused.contains(expected), "{body}: {refused}");
    }
}

#[test]
fn what_only_we_can_read_does_not_pass() {
    let body = |signature: &str| {
        json!({"messages": [{"content": [{"type": "thinking", "signature": signature}]}]})
            .to_string()
    };
    assert!(passes(body("c2ln").as_bytes()) && passes(b""));
    assert!(!passes(
        body("callboard:kept:openai:field:reasoning").as_bytes()
    ));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~é\"\\\\]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let key = prop_oneof![Just("model".to_owned()), "[a-z\"\\\\{}:,]{0,4}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn everything_else_stays_byte_for_byte(
        before in prop::collection::vec(("[a-l\"\\\\]{0,4}", value()), 0..4),
        after in prop::collection::vec(("[a-l\"\\\\]{0,4}", value()), 0..4),
        old in "[ -~é\"\\\\]{0,9}",
        new in "[ -~é\"\\\\]{0,9}",
        blank in "[ \t\r\n]{0,3}",
    ) {
        let written = |model: &str| {
            let member = |(key, value): &(String, Value)| {
                format!("{}{blank}:{blank}{value:#}", Value::from(key.as_str()))
            };
            let model = member(&("model".to_owned(), Value::from(model)));
            let members = before.iter().map(member).chain([model]).chain(after.iter().map(member));
            format!("{blank}{{{blank}{}{blank}}}{blank}", members.collect::<Vec<_>>().join(&format!("{blank},{blank}")))
        };
        let body = written(&old);
        let named = Named::find(body.as_bytes()).unwrap();
        prop_assert_eq!(&named.model, &old);
        prop_assert_eq!(String::from_utf8(named.renamed(body.as_bytes(), &new)).unwrap(), written(&new));
    }
}

#[test]
fn a_tap_hears_what_a_reader_reads() {
    for ((wire, plain), (_, stream)) in PLAIN.into_iter().zip(STREAMS) {
        let reply = wire.decode(&head(200), plain.as_bytes()).unwrap();
        for bytes in [plain, stream] {
            for size in [1, 7, bytes.len()] {
                let mut tap = Tap::new(wire, head(200));
                bytes
                    .as_bytes()
                    .chunks(size)
                    .for_each(|piece| tap.feed(piece));
                let seen = tap.end();
                assert_eq!(seen.usage, reply.usage, "{wire}");
                assert_eq!(
                    seen.finish,
                    Some((reply.finish, reply.finish_word.clone())),
                    "{wire}"
                );
                assert_eq!(
                    (&seen.model, &seen.failure, seen.spoke),
                    (&reply.model, &None, true)
                );
            }
        }
    }
}

#[test]
fn a_tap_hears_what_went_wrong() {
    let mut tap = Tap::new(Wire::Anthropic, head(529));
    tap.feed(br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#);
    let seen = tap.end();
    assert_eq!(
        seen.failure.map(|failure| (failure.kind, failure.status)),
        Some((FailureKind::Overloaded, Some(529)))
    );
    let whole = STREAMS[1].1;
    let mut tap = Tap::new(Wire::Anthropic, head(200));
    tap.feed(&whole.as_bytes()[..whole.find("oë").unwrap()]);
    assert_eq!(
        tap.so_far().usage.map(|usage| usage.tokens.input),
        Some(1_200)
    );
    let seen = tap.end();
    let failure = seen.failure.unwrap();
    assert_eq!(
        (failure.kind, failure.after_bytes, seen.finish),
        (FailureKind::Truncated, true, None::<(Finish, _)>)
    );
}
