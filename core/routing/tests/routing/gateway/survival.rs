//! What a model says survives every way through the gateway.

use super::{asked, head, stamp};
use callboard_routing::chat::{Assembly, Chat, Event, Finish, Message, Part};
use callboard_routing::gateway::Dialect;
use callboard_routing::wire::{Mode, Wire};
use proptest::prelude::*;
use serde_json::json;

/// What stands on the way: words in pieces, or a call whose arguments come in two.
#[derive(Debug, Clone)]
enum Said {
    Words(Vec<String>),
    Call(String, usize),
}

fn said() -> impl Strategy<Value = Vec<Said>> {
    let words = prop::collection::vec("[ -~é\n\"\\\\]{1,6}", 1..4).prop_map(Said::Words);
    let call = ("[ -~é\"\\\\]{0,8}", any::<i64>(), 0..40_usize).prop_map(|(text, number, cut)| {
        let arguments = json!({"text": text, "deep": {"n": [number]}});
        Said::Call(arguments.to_string(), cut)
    });
    prop::collection::vec(prop_oneof![words, call], 1..8)
}

fn events(said: &[Said]) -> Vec<Event> {
    let mut events = vec![Event::Started {
        id: None,
        model: Some("m-1".to_owned()),
    }];
    let mut calls = 0;
    for one in said {
        match one {
            Said::Words(pieces) => {
                events.extend(pieces.iter().map(|text| Event::Text { text: text.clone() }))
            }
            Said::Call(arguments, cut) => {
                let index = calls;
                calls += 1;
                events.push(super::call(index, &format!("call_{index}")));
                let cut = arguments.char_indices().nth(*cut);
                let cut = cut.map_or(arguments.len(), |(at, _)| at);
                for piece in [&arguments[..cut], &arguments[cut..]] {
                    if !piece.is_empty() {
                        events.push(super::more(index, piece));
                    }
                }
            }
        }
    }
    let finish = if calls > 0 {
        Finish::ToolCalls
    } else {
        Finish::Stop
    };
    events.push(Event::Finished { finish, word: None });
    events
}

fn parts(events: Vec<Event>) -> (Vec<Part>, Finish) {
    let mut assembly = Assembly::default();
    events.into_iter().for_each(|event| assembly.take(event));
    let reply = assembly.reply(None, Default::default()).unwrap();
    (reply.parts, reply.finish)
}

/// Through a client's protocol and back.
fn through(dialect: Dialect, wire: Wire, events: &[Event]) -> Vec<Event> {
    let body = json!({"model": "m", "max_tokens": 9, "messages": []});
    let (mut stream, mut out) = (asked(dialect, &body).stream(stamp()), Vec::new());
    for event in events {
        stream.event(event, &mut out);
    }
    let (mut decoder, mut back) = (wire.decoder(head(200)), Vec::new());
    decoder.feed(&out, &mut back).unwrap();
    decoder.end(&mut back).unwrap();
    back
}

proptest! {
    #[test]
    fn a_stream_survives(said in said()) {
        let given = events(&said);
        let once = through(Dialect::Messages, Wire::Anthropic, &given);
        let twice = through(Dialect::Completions, Wire::OpenAi, &once);
        let again = through(Dialect::Messages, Wire::Anthropic, &twice);
        prop_assert_eq!(parts(once), parts(given.clone()));
        prop_assert_eq!(parts(twice), parts(given.clone()));
        prop_assert_eq!(parts(again), parts(given));
    }

    #[test]
    fn a_conversation_survives(said in said()) {
        let (spoken, _) = parts(events(&said));
        let results = spoken.iter().filter_map(|part| match part {
            Part::ToolCall { id, .. } => Some(Part::ToolResult {
                id: id.clone(), name: String::new(), parts: vec![Part::text("done")], is_error: false,
            }),
            _ => None,
        });
        let mut chat = Chat::ask("m", "hi");
        chat.max_output = Some(9);
        let mut answered = Message::user("go on");
        answered.parts = results.chain(answered.parts).collect();
        chat.messages.extend([Message::assistant(spoken), answered]);
        let sent = Wire::Anthropic.encode(&chat, Mode::Stream).unwrap();
        let read = Dialect::Messages.decode(&sent.body).unwrap();
        prop_assert_eq!((read.chat, read.mode), (chat.clone(), Mode::Stream));
        let sent = Wire::OpenAi.encode(&chat, Mode::Stream).unwrap();
        let read = Dialect::Completions.decode(&sent.body).unwrap();
        // This wire has no words between calls, and no order of words and calls: what it sends is what was read.
        let again = Wire::OpenAi.encode(&read.chat, Mode::Stream).unwrap();
        prop_assert_eq!(again, sent);
    }
}
