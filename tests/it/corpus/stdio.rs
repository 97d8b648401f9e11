//! Over standard input and output.

use super::pipe::Pipe;
use super::{Faults, clip};
use callboard_tests::Home;
use callboard_tests::corpus::{Case, Expect, cases, read};
use serde_json::{Value, json};

const MODERN: &str = "2026-07-28";

fn hello(pipe: &mut Pipe) {
    pipe.send(&json!({"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "corpus", "version": "1"}}}));
    let answers = pipe.answers(|answer| answer["id"] == "hello").unwrap();
    assert!(answers[0]["result"].is_object(), "{answers:?}");
    pipe.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
}

fn meta() -> Value {
    json!({"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}})
}

/// Sends a case and judges what comes of it; an error where the server is lost.
fn play(
    pipe: &mut Pipe,
    case: &Case,
    expect: &Expect,
    meta: Option<&Value>,
    faults: &mut Faults,
) -> Result<(), String> {
    if !pipe.line(&case.bytes) {
        return Err("the server reads no more".to_owned());
    }
    let wanted = |answer: &Value| case.id.as_ref().is_none_or(|id| answer["id"] == *id);
    let mut answers = match expect {
        Expect::Nothing | Expect::NothingOrError => Vec::new(),
        _ => pipe.answers(wanted)?,
    };
    answers.extend(pipe.until_ping(meta)?);
    faults.expect(answers.len() <= 1, || {
        format!(
            "{}: {} answers: {}",
            case.name,
            answers.len(),
            clip(&json!(answers).to_string())
        )
    });
    faults.judge(&case.name, expect, answers.first());
    Ok(())
}

fn play_all(pipe: &mut Pipe, cases: &[(Case, Expect)], meta: Option<&Value>, faults: &mut Faults) {
    for (case, expect) in cases {
        let played = play(pipe, case, expect, meta, faults);
        assert!(played.is_ok(), "{}: {played:?}", case.name);
    }
}

fn assert_ended_well(pipe: Pipe, faults: &mut Faults) {
    let (code, said) = pipe.end();
    faults.expect(code == Some(0), || {
        format!("it ended with {code:?}: {}", clip(&said))
    });
    faults.expect(!said.contains("panic"), || format!("it said {said}"));
}

/// Plays `cases` with one process, which must not grow, and ends it.
fn again_and_again(mut pipe: Pipe, cases: &[(Case, Expect)], meta: Option<&Value>) {
    let mut faults = Faults::default();
    play_all(&mut pipe, cases, meta, &mut faults);
    faults.again(pipe.pid(), || {
        play_all(&mut pipe, cases, meta, &mut Faults::default());
    });
    assert_ended_well(pipe, &mut faults);
    faults.none();
}

fn messages() -> Vec<(Case, Expect)> {
    let over = |case: Case| case.over("stdio").map(|expect| (case, expect));
    cases("messages.json")
        .into_iter()
        .filter_map(over)
        .collect()
}

#[test]
fn every_message_in_a_session() {
    let cases = messages();
    assert!(cases.len() >= 200, "{}", cases.len());
    let home = Home::new();
    let mut pipe = Pipe::to(&home, "assigner");
    hello(&mut pipe);
    again_and_again(pipe, &cases, None);
    let mut after = home.server("assigner").hello();
    let list = after.must("task_list", &json!({}));
    assert_eq!(
        list["tasks"],
        json!([]),
        "nothing that was refused was added"
    );
}

/// The requests among them as a client of the era without sessions sends them. Its errors have other codes
/// here and there, so any answer will do that says no to what is no.
#[test]
fn every_request_without_a_session() {
    let modern = |(mut case, expect): (Case, Expect)| {
        let (method, params) = case.ask.clone()?;
        let mut params = params.as_object()?.clone();
        params.entry("_meta").or_insert_with(meta);
        let id = case.id.clone();
        case.bytes = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
            .to_string()
            .into_bytes();
        let expect = match expect {
            Expect::Error(_) => Expect::Error(None),
            Expect::Result => Expect::Answer,
            other => other,
        };
        Some((case, expect))
    };
    let mut cases: Vec<_> = messages().into_iter().filter_map(modern).collect();
    assert!(cases.len() >= 100, "{}", cases.len());
    let own = callboard_tests::corpus::cases("modern.json").into_iter();
    cases.extend(own.filter_map(|case| case.over("stdio").map(|expect| (case, expect))));
    let home = Home::new();
    let mut pipe = Pipe::to(&home, "assigner");
    pipe.until_ping(Some(&meta())).unwrap();
    again_and_again(pipe, &cases, Some(&meta()));
}

/// Beginnings, orders and endings, each in a process of its own.
#[test]
fn every_sequence() {
    let home = Home::new();
    let mut faults = Faults::default();
    let written = read("sequences.json");
    for sequence in written.as_array().unwrap() {
        let name = sequence["name"].as_str().unwrap();
        let mut pipe = Pipe::to(&home, sequence["server"].as_str().unwrap_or("assigner"));
        let played = play_sequence(&mut pipe, name, &sequence["steps"], &mut faults);
        faults.expect(played.is_ok(), || format!("{name}: {played:?}"));
        let (code, said) = pipe.end();
        faults.expect(code == Some(0), || {
            format!("{name}: it ended with {code:?}: {}", clip(&said))
        });
        faults.expect(!said.contains("panic"), || {
            format!("{name}: it said {said}")
        });
    }
    faults.none();
}

fn play_sequence(
    pipe: &mut Pipe,
    name: &str,
    steps: &Value,
    faults: &mut Faults,
) -> Result<(), String> {
    let none = serde_json::Map::new();
    for step in steps.as_array().unwrap() {
        if let Some(bytes) = step.get("write") {
            pipe.write(callboard_tests::corpus::joined(bytes, &none).as_bytes());
        }
        if let Some(message) = step.get("send") {
            pipe.send(&callboard_tests::corpus::filled(message, &none));
        }
        if let Some(id) = step.get("answer") {
            let expect = Expect::of(step["expect"].as_str().unwrap_or("answer"));
            let answers = pipe.answers(|answer| answer["id"] == *id)?;
            faults.expect(answers.len() == 1, || {
                format!("{name}: before {id}: {}", clip(&json!(answers).to_string()))
            });
            faults.judge(name, &expect, answers.last());
        }
        if step.get("silent").is_some() {
            let more = pipe.until_ping(None)?;
            faults.expect(more.is_empty(), || {
                format!("{name}: {}", clip(&json!(more).to_string()))
            });
        }
    }
    Ok(())
}
