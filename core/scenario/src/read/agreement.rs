//! The reader and the JSON Schema say yes and no to the same files: held together by changing files in every place.

use super::*;
use serde_json::{Value, json};

/// One of each kind of key, so that each has a place to be changed in.
const ALL: &str = r#"
name: it
description: all there is
tags: [a]
requires: [sh]
timeout: 5s
limit: 5m
env: {A: b}
inherit: [PATH]
vars: {a: 1}
processes:
  p: {command: x, args: [a], env: {A: b}, cwd: d, ready: {stdout: a, stderr: b, http: c, tcp: d, file: e}, start_timeout: 5s}
  q: {callboard: serve}
servers:
  a:
    command: x
    args: [a]
    env: {A: b}
    cwd: d
    protocol: 2025-11-25
    client:
      name: n
      version: v
      capabilities: {x: {}}
      answers:
        elicitation: [{when: a, action: accept, content: {x: 1}, after: 5ms}]
        sampling: [{when: a, text: b, result: {x: 1}, after: 5ms}]
        roots: [a]
    start_timeout: 5s
    stdout: lenient
  b: {url: "http://127.0.0.1:1", process: p, transport: sse, headers: {A: b}}
  c: {callboard: assigner}
setup: [{sleep: 5ms}]
steps:
  - name: n
    on: a
    timeout: 5s
    delay: 5ms
    eventually: 5s
    call: t
    arguments: {a: 1}
    meta: {a: 1}
    headers: {A: b}
    progress: true
    answer: false
    background: w
    capture: {v: $.a, w: {from: text, path: $.a, matches: b}}
    expect:
      equals: 1
      includes: {a: 1}
      matches: a
      path: {$.a: 1, $.b: {exists: true}}
      schema: {type: object}
      count: 1
      one_of: [1]
      type: string
      exists: true
      at_least: 1
      at_most: 2
      unique: true
      each: {count: {at_least: 1, at_most: "${n}"}}
      some: {equals: 1}
      not: {equals: 1}
      any_of: [{equals: 1}]
      error: {from: [tool], kind: k, code: 1, message: m, status: 400, data: {exists: true}, optional: true}
      text: a
      json: {exists: true}
      result: [1]
      message: null
      took: fast
      progress: {at_least: 1}
  - {on: a, read: u, expect: {error: true}}
  - {on: a, prompt: p, arguments: {a: b}, expect: {error: kind}}
  - {on: a, list: tools, cursor: c}
  - {on: a, complete: {ref: {}, argument: {}}}
  - {on: a, subscribe: u}
  - {on: a, unsubscribe: [u]}
  - {on: a, notification: m, params: {a: 1}, within: 5s, absent: true}
  - {on: a, request: m, params: {a: 1}}
  - {on: a, notify: m, params: {a: 1}}
  - {on: a, raw: {text: t, times: 2, newline: false, pieces: 2, answer: id, id: 1}}
  - {on: a, raw: {hex: "00"}}
  - {on: a, raw: {json: {a: 1}}}
  - {on: a, raw: {tcp: t}}
  - {on: b, raw: {http: {method: GET, path: /, headers: {A: b}, body: x}}}
  - {on: b, raw: {http: {json: {a: 1}}}}
  - {on: a, malformed: x}
  - {sleep: 5ms}
  - {cancel: w}
  - {await: w}
  - {run: [sleep, 5], env: {A: b}, cwd: d, stdin: i, exit: any}
  - {run: true x}
  - {file: f, text: t}
  - {file: f, json: {a: 1}, mode: "755"}
  - {file: f, append: t}
  - {file: f, remove: true}
  - {set: {a: 1}}
  - {check: 1, expect: {equals: 1}}
  - {repeat: 2, as: i, steps: [{sleep: 5ms}]}
  - {for_each: [1], as: i, steps: [{sleep: 5ms}]}
  - {parallel: "${n}", of: [a], collect: [v], as: i, steps: [{sleep: 5ms}]}
  - {branches: [[{sleep: 5ms}]], collect: v}
  - {kill: a, signal: TERM}
  - {close: a}
  - {start: a}
  - {restart: a}
  - {ended: a}
  - {output: a}
cleanup: [{sleep: 5ms}]
"#;

fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut inner = |key: &str, value: &Value| {
        let key = key.replace('~', "~0").replace('/', "~1");
        let at = format!("{at}/{key}");
        places(value, &at, found);
        found.push(at);
    };
    match value {
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                inner(&index.to_string(), value);
            }
        }
        Value::Object(map) => map.iter().for_each(|(key, value)| inner(key, value)),
        _ => {}
    }
}

fn others() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(-1),
        json!(1.5),
        json!(99_999_999_999_u64),
        json!(""),
        json!("x"),
        json!("5"),
        json!("true"),
        json!("null"),
        json!("5s"),
        json!("1h"),
        json!("all"),
        json!("$.id"),
        json!("${n}"),
        json!("${n"),
        json!("${}"),
        json!([]),
        json!({}),
        json!(["a"]),
        json!([1]),
        json!([true]),
        json!([null]),
        json!([1.5]),
        json!([[]]),
        json!([{}]),
        json!({"a": 1}),
        json!({"a": "b"}),
        json!({"unknown key": 1}),
    ]
}

#[test]
fn the_schema_and_the_reader_take_the_same_files() {
    let file = Path::new("all.yaml");
    parse(file, ALL).unwrap();
    let whole: Value = serde_saphyr::from_str_with_options(ALL, options()).unwrap();
    let schema = crate::schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let keys = schema["$defs"]["Step"]["properties"].as_object().unwrap();
    let steps: Vec<&Value> = whole["steps"].as_array().unwrap().iter().collect();
    for key in keys.keys() {
        let used = steps.iter().any(|step| step.get(key).is_some());
        assert!(used, "no step has {key:?}: add one");
    }
    // Apart, so that each is read quickly.
    let mut parts: Vec<Value> = steps.iter().map(|step| json!({"steps": [step]})).collect();
    let mut head = whole.clone();
    head["steps"] = json!([]);
    parts.push(head);
    let mut wrong = Vec::new();
    for part in &parts {
        assert!(validator.is_valid(part), "{part}");
        let mut all = Vec::new();
        places(part, "", &mut all);
        for (place, other) in all
            .iter()
            .flat_map(|at| others().into_iter().map(move |it| (at, it)))
        {
            let mut changed = part.clone();
            *changed.pointer_mut(place).unwrap() = other.clone();
            let read = shape(&changed.to_string());
            let valid = validator.is_valid(&changed);
            if read.is_ok() != valid {
                let said = read.err().map(|error| explain(file, &error).message);
                wrong.push(format!(
                    "{place} = {other}: schema {valid}, reader {said:?}"
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of them:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
