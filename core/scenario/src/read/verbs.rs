//! Which keys belong to which verb, and what names must exist.
//!
//! For: refusing a step that can't mean anything. Not for: running it.

use super::Checked;
use crate::format::{Amount, Await, Process, Raw, Scenario, Server, Step, Transport, turns};
use crate::nearest::hint;
use serde_json::Value;

/// Keys that every step may have.
const COMMON: [&str; 5] = ["name", "timeout", "expect", "capture", "delay"];

/// The verbs and what may stand beside them.
const VERBS: [(&str, &[&str]); 29] = [
    (
        "call",
        &[
            "on",
            "arguments",
            "meta",
            "headers",
            "progress",
            "answer",
            "background",
            "eventually",
        ],
    ),
    (
        "read",
        &[
            "on",
            "meta",
            "headers",
            "answer",
            "background",
            "eventually",
        ],
    ),
    (
        "prompt",
        &[
            "on",
            "arguments",
            "meta",
            "headers",
            "answer",
            "background",
            "eventually",
        ],
    ),
    ("list", &["on", "meta", "headers", "cursor", "eventually"]),
    ("complete", &["on", "meta", "headers", "eventually"]),
    ("subscribe", &["on", "meta", "headers"]),
    ("unsubscribe", &["on"]),
    ("notification", &["on", "params", "within", "absent"]),
    (
        "request",
        &[
            "on",
            "params",
            "meta",
            "headers",
            "progress",
            "answer",
            "background",
            "eventually",
        ],
    ),
    ("notify", &["on", "params"]),
    ("raw", &["on"]),
    ("malformed", &["on"]),
    ("cancel", &["on"]),
    ("await", &["on"]),
    ("sleep", &[]),
    ("run", &["env", "cwd", "stdin", "exit", "eventually"]),
    (
        "file",
        &["text", "json", "append", "remove", "mode", "eventually"],
    ),
    ("set", &[]),
    ("check", &["eventually"]),
    ("repeat", &["steps", "as"]),
    ("for_each", &["steps", "as"]),
    ("parallel", &["on", "of", "steps", "as", "collect"]),
    ("branches", &["collect"]),
    ("kill", &["signal"]),
    ("close", &[]),
    ("start", &[]),
    ("restart", &[]),
    ("ended", &[]),
    ("output", &["eventually"]),
];

/// The verb of a step that was checked.
pub(crate) fn verb(step: &Step) -> &'static str {
    let given = step.given();
    VERBS
        .iter()
        .map(|(verb, _)| *verb)
        .find(|verb| given.contains(verb))
        .unwrap_or("step")
}

pub(super) fn step(scenario: &Scenario, step: &Step) -> Checked {
    let given = step.given();
    let verbs: Vec<&(&str, &[&str])> = VERBS
        .iter()
        .filter(|(verb, _)| given.contains(verb))
        .collect();
    let (verb, beside) = match verbs.as_slice() {
        [one] => **one,
        [] => {
            return Err(format!(
                "the step has no verb; it needs one of {}",
                VERBS.map(|(verb, _)| verb).join(", ")
            ));
        }
        several => {
            let names: Vec<&str> = several.iter().map(|(verb, _)| *verb).collect();
            return Err(format!(
                "the step has more than one verb ({}); make it several steps",
                names.join(", ")
            ));
        }
    };
    for key in given {
        if key != verb && !COMMON.contains(&key) && !beside.contains(&key) {
            return Err(format!(
                "`{key}` does not belong to `{verb}`{}",
                if beside.is_empty() {
                    String::new()
                } else {
                    format!("; beside it may stand {}", beside.join(", "))
                }
            ));
        }
    }
    names(scenario, step, verb, beside)?;
    if ["repeat", "for_each", "parallel"].contains(&verb)
        && step.steps.as_ref().is_none_or(Vec::is_empty)
    {
        return Err(format!("`{verb}` needs `steps`"));
    }
    says_something(step, verb)?;
    if let Some(signal) = &step.signal {
        crate::rig::signal(signal).map(|_| ())?;
    }
    if let Some(word) = &step.r#as {
        variable(word)?;
    }
    for name in step.set.iter().flat_map(|map| map.keys()) {
        variable(name)?;
    }
    Ok(())
}

/// A step that would do nothing holds whatever the server does.
fn says_something(step: &Step, verb: &str) -> Checked {
    let never = |amount: &Option<Amount>| *amount == Some(Amount::Fixed(0));
    match verb {
        "repeat" if never(&step.repeat) => Err("`repeat: 0` runs nothing".to_owned()),
        "repeat" => match step.repeat {
            Some(Amount::Fixed(times)) => turns(times),
            _ => Ok(()),
        },
        "parallel" if never(&step.parallel) => Err("`parallel: 0` runs nothing".to_owned()),
        "for_each" => match &step.for_each {
            Some(Value::Array(list)) if list.is_empty() => {
                Err("`for_each` over an empty list runs nothing".to_owned())
            }
            Some(Value::Array(_)) => Ok(()),
            Some(Value::String(text)) if text.contains("${") => Ok(()),
            _ => Err("`for_each` needs a list, or `${a variable}` that holds one".to_owned()),
        },
        "branches"
            if step
                .branches
                .iter()
                .all(|lists| lists.is_empty() || lists.iter().any(Vec::is_empty)) =>
        {
            Err("`branches` needs lists of steps, none of them empty".to_owned())
        }
        "check" if step.expect.is_none() && step.capture.is_none() => Err(
            "`check` needs `expect`: without it the step holds whatever the value is".to_owned(),
        ),
        _ => Ok(()),
    }
}

fn names(scenario: &Scenario, step: &Step, verb: &str, beside: &[&str]) -> Checked {
    if beside.contains(&"on") && !["parallel"].contains(&verb) {
        match &step.on {
            Some(name) => known_server(scenario, name)?,
            None if scenario.servers.len() == 1 => {}
            // The call in the background knows its server.
            None if ["await", "cancel"].contains(&verb) => {}
            None if scenario.servers.is_empty() => {
                return Err(format!("`{verb}` needs a server; name one under `servers`"));
            }
            None => {
                return Err(format!(
                    "there are several servers ({}); say which with `on`",
                    keys(&scenario.servers)
                ));
            }
        }
    }
    for name in step.of.iter().flat_map(|of| &of.0) {
        known_server(scenario, name)?;
    }
    if verb == "parallel" && step.of.is_none() && step.on.is_none() && scenario.servers.len() != 1 {
        return Err(
            "`parallel` needs `of`: the servers that each client is connected to".to_owned(),
        );
    }
    for name in [
        &step.kill,
        &step.close,
        &step.start,
        &step.restart,
        &step.ended,
        &step.output,
    ]
    .into_iter()
    .flatten()
    {
        if !scenario.processes.contains_key(name) {
            known_server(scenario, name)?;
        }
    }
    Ok(())
}

fn known_server(scenario: &Scenario, name: &str) -> Checked {
    if scenario.servers.contains_key(name) {
        return Ok(());
    }
    Err(format!(
        "there is no server {name:?}; there is {}{}",
        if scenario.servers.is_empty() {
            "none".to_owned()
        } else {
            keys(&scenario.servers)
        },
        hint(name, scenario.servers.keys().map(String::as_str))
    ))
}

fn keys<T>(map: &std::collections::BTreeMap<String, T>) -> String {
    map.keys().cloned().collect::<Vec<_>>().join(", ")
}

pub(super) fn server(scenario: &Scenario, name: &str, server: &Server) -> Checked {
    let about = |what: &str| Err(format!("server {name:?}: {what}"));
    let started = usize::from(server.callboard.is_some()) + usize::from(server.command.is_some());
    match (started, &server.url) {
        (0, None) => return about("needs `callboard`, `command` or `url`"),
        (2, _) => return about("has both `callboard` and `command`; keep one"),
        (1, Some(_)) => {
            return about(
                "has both a command and a `url`; put the command under `processes` and name it with `process`",
            );
        }
        _ => {}
    }
    match (server.transport, &server.url) {
        (Some(Transport::Stdio), Some(_)) => return about("a `url` is not spoken to over stdio"),
        (Some(Transport::Http | Transport::Sse), None) => {
            return about("this transport needs a `url`");
        }
        _ => {}
    }
    if let Some(process) = &server.process
        && !scenario.processes.contains_key(process)
    {
        return about(&format!(
            "there is no process {process:?}{}",
            hint(process, scenario.processes.keys().map(String::as_str))
        ));
    }
    for rule in server.client.answers.elicitation.iter().flatten() {
        rule.when.as_deref().map_or(Ok(()), super::regex)?;
        if let Some(action) = &rule.action
            && !["accept", "decline", "cancel"].contains(&action.as_str())
        {
            return about(&format!(
                "`action: {action}` is not accept, decline or cancel"
            ));
        }
    }
    for rule in server.client.answers.sampling.iter().flatten() {
        rule.when.as_deref().map_or(Ok(()), super::regex)?;
    }
    Ok(())
}

pub(super) fn process(scenario: &Scenario, name: &str, process: &Process) -> Checked {
    let about = |what: &str| Err(format!("process {name:?}: {what}"));
    if scenario.servers.contains_key(name) {
        return about("has the name of a server; give it another");
    }
    if process.callboard.is_some() == process.command.is_some() {
        return about("needs `callboard` or `command`, and not both");
    }
    for pattern in [&process.ready.stdout, &process.ready.stderr]
        .into_iter()
        .flatten()
    {
        super::regex(pattern)?;
    }
    Ok(())
}

pub(super) fn raw(raw: &Raw) -> Checked {
    let given = [
        raw.json.is_some(),
        raw.text.is_some(),
        raw.hex.is_some(),
        raw.http.is_some(),
        raw.tcp.is_some(),
    ];
    if given.iter().filter(|given| **given).count() != 1 {
        return Err("`raw` needs exactly one of json, text, hex, http, tcp".to_owned());
    }
    if raw.answer == Some(Await::Id) && raw.id.is_none() {
        return Err("`answer: id` needs `id`".to_owned());
    }
    if let Some(hex) = &raw.hex {
        crate::wire::unhex(hex).ok_or_else(|| format!("{hex:?} is not hexadecimal"))?;
    }
    Ok(())
}

/// A name that `${name}` can find again.
pub(super) fn variable(name: &str) -> Checked {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(plain) {
        return Ok(());
    }
    Err(format!(
        "{name:?} can't be a variable's name: letters, digits, `_` and `-` can"
    ))
}
