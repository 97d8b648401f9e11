use super::*;
use crate::read::parse;
use serde_json::json;
use std::path::Path;

/// The `expect:` of the only step of a scenario, as written in a file.
fn expect(yaml: &str) -> Expect {
    let text =
        format!("servers: {{s: {{command: none}}}}\nsteps:\n  - call: t\n    expect: {{{yaml}}}\n");
    let scenario = parse(Path::new("test.yaml"), &text).unwrap();
    *scenario.steps[0].expect.clone().unwrap()
}

fn differences(yaml: &str, evidence: &Evidence) -> Vec<Mismatch> {
    judge(&Scope::default(), Some(&expect(yaml)), evidence).unwrap()
}

fn places(yaml: &str, value: &Value) -> Vec<String> {
    differences(yaml, &Evidence::of(value.clone()))
        .into_iter()
        .map(|wrong| wrong.at)
        .collect()
}

/// The check passes on the first value and fails on the second.
#[track_caller]
fn parts(yaml: &str, good: &Value, bad: &Value) {
    let none: Vec<String> = Vec::new();
    assert_eq!(places(yaml, good), none, "{yaml} must pass on {good}");
    assert_ne!(places(yaml, bad), none, "{yaml} must fail on {bad}");
}

#[test]
fn each_check_tells_right_from_wrong() {
    parts(
        "equals: {a: 1}",
        &json!({"a": 1.0}),
        &json!({"a": 1, "b": 2}),
    );
    parts("equals:", &json!(null), &json!(0));
    parts(
        "includes: {a: [2, 1]}",
        &json!({"a": [1, 2, 3], "b": 0}),
        &json!({"a": [1, 1]}),
    );
    parts("includes: broom", &json!("with a broom"), &json!("by hand"));
    parts("matches: '^t_[0-9]+$'", &json!("t_7"), &json!("t_x"));
    parts(
        "path: {'$.a[0].b': 3}",
        &json!({"a": [{"b": 3}]}),
        &json!({"a": []}),
    );
    parts(
        "path: {'$.a[*]': [1, 2]}",
        &json!({"a": [1, 2]}),
        &json!({"a": [2, 1]}),
    );
    parts(
        "path: {'$.x': {exists: false}}",
        &json!({}),
        &json!({"x": null}),
    );
    parts(
        "schema: {type: object, required: [id]}",
        &json!({"id": 1}),
        &json!({}),
    );
    parts("count: 2", &json!([1, 2]), &json!([1]));
    parts(
        "count: {at_least: 1, at_most: 2}",
        &json!({"a": 1}),
        &json!("abc"),
    );
    parts("one_of: [done, dead]", &json!("done"), &json!("ready"));
    parts("type: integer", &json!(3), &json!(3.5));
    parts("at_least: 3", &json!(3), &json!(2));
    parts("at_most: 3", &json!(3), &json!("2"));
    parts("unique: true", &json!([1, 2]), &json!([1, 1.0]));
    parts("each: {type: string}", &json!(["a"]), &json!(["a", 1]));
    parts("each: {type: string}", &json!(["a"]), &json!([]));
    parts(
        "each: {type: string}, count: {at_least: 0}",
        &json!([]),
        &json!([1]),
    );
    parts(
        "schema: {type: string, format: date-time}",
        &json!("2026-11-21T22:30:00Z"),
        &json!("nope"),
    );
    parts("some: {equals: 2}", &json!([1, 2]), &json!([1]));
    parts("not: {equals: 1}", &json!(2), &json!(1));
    parts("any_of: [{equals: 1}, {equals: 2}]", &json!(2), &json!(3));
}

#[test]
fn a_difference_names_its_place_and_both_sides() {
    let found = differences(
        "includes: {task: {state: done, tags: [x]}}",
        &Evidence::of(json!({"task": {"state": "ready", "tags": []}})),
    );
    assert_eq!(found[0].at, "value.task.state");
    assert_eq!(found[0].expected, Some(json!("done")));
    assert_eq!(found[0].actual, Some(json!("ready")));
    assert_eq!(found[1].at, "value.task.tags");
    assert_eq!(
        places(
            "each: {path: {$.id: {matches: '^t_'}}}",
            &json!([{"id": "t_1"}, {"id": 2}])
        ),
        ["value[1].id"]
    );
}

fn failed(fault: Fault) -> Evidence {
    Evidence {
        fault: Some(fault),
        ..Evidence::default()
    }
}

#[test]
fn errors_are_told_apart_by_where_they_come_from_kind_and_code() {
    let tool = failed(Fault::tool("stale_fence: the lease is somebody else's"));
    assert_eq!(differences("error: stale_fence", &tool), []);
    assert_eq!(differences("error: true", &tool), []);
    assert_eq!(
        differences("error: {from: tool, message: 'else.s$'}", &tool),
        []
    );
    assert_eq!(differences("error: not_found", &tool)[0].at, "error.kind");
    assert_eq!(
        differences("error: {from: protocol}", &tool)[0].at,
        "error.from"
    );
    let refused = failed(Fault::protocol(
        &json!({"code": -32602, "message": "no such tool", "data": {"kind": "unknown"}}),
        Some(400),
    ));
    assert_eq!(
        differences(
            "error: {code: -32602, status: 400, kind: unknown}",
            &refused
        ),
        []
    );
    assert_eq!(
        differences("error: {code: -32601}", &refused)[0].at,
        "error.code"
    );
    assert_eq!(
        differences("error: {data: {path: {$.kind: x}}}", &refused)[0].at,
        "error.data.kind"
    );
}

#[test]
fn success_and_failure_are_never_taken_for_each_other() {
    let failed = failed(Fault::tool("broken: it broke"));
    let fine = Evidence::of(json!({}));
    assert_eq!(
        judge(&Scope::default(), None, &failed).unwrap()[0].at,
        "error"
    );
    assert_eq!(differences("took: slow", &failed)[0].at, "error");
    assert_eq!(differences("error: true", &fine)[0].at, "error");
    assert_eq!(differences("error: {optional: true}", &fine), []);
}

#[test]
fn text_json_duration_and_progress_are_looked_at() {
    let evidence = Evidence {
        text: Some("{\"n\": 1}".to_owned()),
        took: Duration::from_millis(1_500),
        progress: 2,
        ..Evidence::default()
    };
    assert_eq!(
        differences(
            "text: '\"n\"', json: {path: {$.n: 1}}, took: normal, progress: 2",
            &evidence
        ),
        []
    );
    assert_eq!(differences("text: m", &evidence)[0].at, "text");
    assert_eq!(
        differences("json: {path: {$.n: 2}}", &evidence)[0].at,
        "json.n"
    );
    assert_eq!(differences("took: fast", &evidence)[0].at, "took");
    assert_eq!(
        differences("progress: {at_least: 3}", &evidence)[0].at,
        "progress"
    );
    assert_eq!(differences("exists: true", &evidence)[0].at, "value");
}
