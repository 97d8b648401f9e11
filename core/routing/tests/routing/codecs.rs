//! The four codecs from outside: what goes out, and what is made of what comes back, however it is cut.

use crate::fixtures::{PLAIN, STREAMS};
use callboard_routing::chat::{Assembly, Event, Finish, Form, Kept, Part, Reply};
use callboard_routing::failure::{Failure, FailureKind};
use callboard_routing::wire::{Decoder, Head, Wire};
use callboard_telemetry::{Counted, Tokens, Usage};
use http::HeaderMap;
use proptest::prelude::*;

fn head(status: u16) -> Head {
    Head {
        status,
        headers: HeaderMap::new(),
        now_ms: 0,
    }
}

/// Every event, and how it ended.
fn read<'b>(
    mut decoder: Decoder,
    pieces: impl IntoIterator<Item = &'b [u8]>,
) -> (Vec<Event>, Result<(), Failure>) {
    let mut events = Vec::new();
    for piece in pieces {
        if let Err(failure) = decoder.feed(piece, &mut events) {
            return (events, Err(failure));
        }
    }
    let ended = decoder.end(&mut events);
    (events, ended)
}

fn reply(events: Vec<Event>) -> Reply {
    let mut assembly = Assembly::default();
    events.into_iter().for_each(|event| assembly.take(event));
    assembly.reply(None, Default::default()).unwrap()
}

/// What each fixture holds.
fn expected(wire: Wire) -> (Vec<Part>, Tokens) {
    let kept = |form, payload: &str| {
        Some(Kept {
            wire,
            form,
            payload: payload.to_owned(),
        })
    };
    let thought = |text: &str, kept| Part::Thinking {
        text: text.to_owned(),
        kept,
    };
    let call = |id: &str, name: &str, arguments: &str, kept| Part::ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        kept,
    };
    let paris = r#"{"city":"Paris"}"#;
    let base = Tokens {
        input: 1_200,
        cached: 1_024,
        output: 27,
        reasoning: 20,
        ..Tokens::default()
    };
    match wire {
        Wire::OpenAi => (
            vec![
                thought("Let me see.", kept(Form::Field, "reasoning_content")),
                Part::text("Hello, Zoë"),
                call("call_a", "weather", paris, None),
                call("call_b", "time", "{}", None),
            ],
            base,
        ),
        Wire::Anthropic => (
            vec![
                thought("Let me see.", kept(Form::Signature, "c2ln")),
                thought("", kept(Form::Redacted, "cmVk")),
                Part::text("Hello, Zoë"),
                call("toolu_a", "weather", paris, None),
                call("toolu_b", "time", "{}", None),
            ],
            Tokens {
                cache_write: 76,
                cache_write_1h: 26,
                reasoning: 0,
                ..base
            },
        ),
        Wire::Gemini => (
            vec![
                thought("Let me see.", None),
                Part::text("Hello, Zoë"),
                call(
                    "cb_resp1_0",
                    "weather",
                    paris,
                    kept(Form::Signature, "c2ln"),
                ),
                call("fc-9", "time", "{}", None),
            ],
            base,
        ),
        Wire::Ollama => (
            vec![
                thought("Let me see.", None),
                Part::text("Hello, Zoë"),
                call("cb_20261121_0", "weather", paris, None),
                call("cb_20261121_1", "time", "{}", None),
            ],
            Tokens {
                cached: 0,
                reasoning: 0,
                ..base
            },
        ),
    }
}

#[test]
fn answers_in_one_piece_and_in_many_are_the_same() {
    for (wire, plain, stream) in Wire::ALL.map(|wire| {
        let of = |table: &[(Wire, &'static str)]| {
            table.iter().find(|(known, _)| *known == wire).unwrap().1
        };
        (wire, of(&PLAIN), of(&STREAMS))
    }) {
        let (parts, tokens) = expected(wire);
        let whole = wire.decode(&head(200), plain.as_bytes()).unwrap();
        let (events, ended) = read(wire.decoder(head(200)), [stream.as_bytes()]);
        ended.unwrap();
        let streamed = reply(events);
        assert_eq!(whole.parts, parts, "{wire}");
        assert_eq!(streamed.parts, parts, "{wire}");
        let usage = Usage {
            tokens,
            counted: Counted::Reported,
        };
        assert_eq!(whole.usage, Some(usage), "{wire}");
        assert_eq!(streamed.usage, Some(usage), "{wire}");
        for reply in [&whole, &streamed] {
            assert_eq!(reply.finish, Finish::ToolCalls, "{wire}");
            assert_eq!(reply.text(), "Hello, Zoë");
            assert_eq!(reply.model.as_deref(), Some("m-1"), "{wire}");
        }
    }
}

#[test]
fn an_answer_in_one_piece_is_taken_where_a_stream_was_asked_for() {
    for (wire, plain) in PLAIN {
        let (events, ended) = read(wire.decoder(head(200)), [plain.as_bytes()]);
        ended.unwrap();
        assert_eq!(reply(events).parts, expected(wire).0, "{wire}");
    }
}

#[test]
fn a_stream_cut_anywhere_is_never_taken_for_whole() {
    for (wire, stream) in STREAMS {
        let whole = read(wire.decoder(head(200)), [stream.as_bytes()]).0;
        for cut in 0..stream.len() {
            let (events, ended) = read(wire.decoder(head(200)), [&stream.as_bytes()[..cut]]);
            let content = |events: &[Event]| events.iter().filter(|e| e.is_content()).count();
            match ended {
                // Only what does not change the answer may be missing: a last count, an end mark.
                Ok(()) => assert_eq!(content(&events), content(&whole), "{wire} at {cut}"),
                Err(failure) => {
                    assert_eq!(
                        failure.kind,
                        FailureKind::Truncated,
                        "{wire} at {cut}: {failure:?}"
                    );
                    assert_eq!(failure.after_bytes, content(&events) > 0, "{wire} at {cut}");
                }
            }
        }
    }
}

#[test]
fn streams_that_are_none_are_told_apart() {
    for (wire, status, body, kind) in [
        (Wire::OpenAi, 200, "", FailureKind::Truncated),
        (Wire::Anthropic, 200, "", FailureKind::Truncated),
        (Wire::Gemini, 200, " \n", FailureKind::Truncated),
        (Wire::Ollama, 200, "", FailureKind::Truncated),
        (
            Wire::OpenAi,
            200,
            "<!doctype html><p>sign in",
            FailureKind::NotJson,
        ),
        (Wire::Ollama, 200, "\n <html>", FailureKind::NotJson),
        (
            Wire::Gemini,
            200,
            "upstream connect error\n",
            FailureKind::NotJson,
        ),
        (
            Wire::Ollama,
            200,
            "upstream connect error\n",
            FailureKind::NotJson,
        ),
        (Wire::OpenAi, 200, "data: {\"id\n\n", FailureKind::Truncated),
        (Wire::OpenAi, 200, "data: {no}\n\n", FailureKind::Malformed),
        (Wire::OpenAi, 200, "data: 7\n\n", FailureKind::Malformed),
        (
            Wire::OpenAi,
            200,
            "data: [DONE]\n\n",
            FailureKind::Truncated,
        ),
        (
            Wire::Anthropic,
            200,
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            FailureKind::Truncated,
        ),
        (Wire::Anthropic, 200, "data: {}\n\n", FailureKind::Malformed),
        (Wire::Ollama, 200, "{\"x\":1}\n", FailureKind::Malformed),
        (Wire::Gemini, 200, "{\"x\":1}", FailureKind::Malformed),
        (
            Wire::OpenAi,
            200,
            "{\"choices\":[]}",
            FailureKind::Malformed,
        ),
        (
            Wire::OpenAi,
            200,
            "{\"error\":{\"message\":\"x\",\"type\":\"server_error\"}}",
            FailureKind::Server,
        ),
        (
            Wire::Gemini,
            200,
            "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n",
            FailureKind::Refused,
        ),
        (
            Wire::Anthropic,
            529,
            "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
            FailureKind::Overloaded,
        ),
        (Wire::OpenAi, 302, "", FailureKind::WrongUrl),
    ] {
        let (events, ended) = read(wire.decoder(head(status)), [body.as_bytes()]);
        let failure = ended.unwrap_err();
        assert_eq!(failure.kind, kind, "{wire} {body:?}: {failure:?}");
        assert!(!events.iter().any(Event::is_content));
        assert!(!failure.after_bytes);
    }
}

#[test]
fn servers_that_differ_from_the_definition_are_understood() {
    // Usage where Groq has it, calls that share an index (Gemini's own OpenAI wire), no end mark, no last blank line.
    let stream = concat!(
        "data: {\"id\":\"x\",\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"x_groq\":{\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7}}}",
    );
    let (events, ended) = read(Wire::OpenAi.decoder(head(200)), [stream.as_bytes()]);
    ended.unwrap();
    let reply = reply(events);
    assert_eq!(reply.parts.len(), 2);
    assert_eq!(reply.finish, Finish::ToolCalls);
    let tokens = reply.usage.unwrap().tokens;
    assert_eq!((tokens.input, tokens.output), (5, 7));
    // xAI counts reasoning beside.
    let plain = r#"{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":15,"completion_tokens_details":{"reasoning_tokens":3}}}"#;
    let tokens = Wire::OpenAi
        .decode(&head(200), plain.as_bytes())
        .unwrap()
        .usage
        .unwrap()
        .tokens;
    assert_eq!((tokens.output, tokens.reasoning), (10, 3));
    // Gemini's stream without `alt=sse`, and a refusal in a field of its own.
    let array = r#"[{"candidates":[{"content":{"parts":[{"text":"a"}]}}]},{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}]}]"#;
    assert_eq!(
        Wire::Gemini
            .decode(&head(200), array.as_bytes())
            .unwrap()
            .text(),
        "ab"
    );
    let refusal =
        r#"{"choices":[{"message":{"content":null,"refusal":"no"},"finish_reason":"stop"}]}"#;
    let reply = Wire::OpenAi.decode(&head(200), refusal.as_bytes()).unwrap();
    assert_eq!(reply.finish, Finish::Refused);
    assert_eq!(
        reply.parts,
        [Part::Refusal {
            text: "no".to_owned()
        }]
    );
}

/// Bytes cut into pieces at these places.
fn pieces<'b>(bytes: &'b [u8], cuts: &[prop::sample::Index]) -> Vec<&'b [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .map(|pair| &bytes[pair[0]..pair[1]])
        .collect()
}

proptest! {
    #[test]
    fn cutting_changes_nothing(
        which in 0..STREAMS.len(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let (wire, stream) = STREAMS[which];
        let whole = read(wire.decoder(head(200)), [stream.as_bytes()]);
        let cut = read(wire.decoder(head(200)), pieces(stream.as_bytes(), &cuts));
        prop_assert_eq!(whole, cut);
    }

    #[test]
    fn cutting_changes_nothing_in_broken_streams_either(
        which in 0..STREAMS.len(),
        broken in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        end in any::<prop::sample::Index>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let (wire, stream) = STREAMS[which];
        let mut bytes = stream.as_bytes().to_vec();
        for (place, byte) in broken {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(end.index(bytes.len()) + 1);
        let whole = read(wire.decoder(head(200)), [bytes.as_slice()]);
        let cut = read(wire.decoder(head(200)), pieces(&bytes, &cuts));
        prop_assert_eq!(whole, cut);
    }

    #[test]
    fn nothing_breaks_a_decoder(
        which in 0..Wire::ALL.len(),
        status in prop::sample::select(vec![200_u16, 204, 302, 400, 404, 429, 500]),
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let wire = Wire::ALL[which];
        let (events, ended) = read(wire.decoder(head(status)), pieces(&bytes, &cuts));
        let finished = matches!(events.last(), Some(Event::Finished { .. }));
        prop_assert_eq!(finished, ended.is_ok());
        let _ = wire.decode(&head(status), &bytes);
    }
}
