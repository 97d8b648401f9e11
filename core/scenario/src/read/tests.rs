use super::*;

/// The error of a file with these lines, as a person sees it.
fn refused(text: &str) -> String {
    parse(Path::new("a.yaml"), text).unwrap_err().to_string()
}

#[track_caller]
fn tells(text: &str, parts: &[&str]) {
    let told = refused(text);
    for part in parts {
        assert!(told.contains(part), "{part:?} is not in: {told}");
    }
}

const HEAD: &str = "servers:\n  board: {callboard: assigner}\nsteps:\n";

#[track_caller]
fn step_tells(step: &str, parts: &[&str]) {
    tells(&format!("{HEAD}  - {step}\n"), parts);
}

#[test]
fn a_slip_is_named_with_its_line_and_what_was_meant() {
    step_tells(
        "cal: task_add",
        &["a.yaml:4:", "unknown key `cal`", "did you mean call?"],
    );
    step_tells(
        "call: t\n    expect: {equls: 1}",
        &["a.yaml:5:", "did you mean equals?"],
    );
    tells("servers: [", &["a.yaml:1:"]);
    tells(": [", &["a.yaml:1:", "a text is missing here"]);
    tells("servers: {}\n", &["`steps` is missing or empty"]);
}

#[test]
fn a_step_has_one_verb_and_only_what_belongs_to_it() {
    step_tells("name: nothing", &["a.yaml:4:", "no verb", "call, read"]);
    step_tells("call: t\n    read: u", &["more than one verb (call, read)"]);
    step_tells(
        "call: t\n    signal: KILL",
        &["`signal` does not belong to `call`", "arguments"],
    );
    step_tells("repeat: 3", &["`repeat` needs `steps`"]);
    step_tells(
        "repeat: 18446744073709551615\n    steps: [{check: 1, expect: {equals: 1}}]",
        &["a.yaml:4:", "is too often; 1000000 turns are allowed"],
    );
}

#[test]
fn names_must_exist() {
    step_tells(
        "call: t\n    on: bord",
        &["there is no server \"bord\"", "did you mean board?"],
    );
    step_tells("kill: worker", &["there is no server \"worker\""]);
    tells(
        "servers: {a: {command: x}, b: {command: y}}\nsteps: [{call: t}]\n",
        &["several servers (a, b)", "`on`"],
    );
    tells("steps: [{call: t}]\n", &["needs a server", "`servers`"]);
}

#[test]
fn a_server_is_one_thing() {
    for (server, told) in [
        ("{}", "needs `callboard`, `command` or `url`"),
        (
            "{command: x, url: 'http://h'}",
            "put the command under `processes`",
        ),
        ("{command: x, transport: sse}", "needs a `url`"),
        ("{command: x, process: p}", "no process \"p\""),
    ] {
        tells(
            &format!("servers:\n  s: {server}\nsteps: [{{call: t}}]\n"),
            &[told, "\"s\""],
        );
    }
}

#[test]
fn patterns_paths_schemas_and_times_are_read_before_anything_runs() {
    step_tells(
        "call: t\n    expect: {matches: '('}",
        &["pattern", "a.yaml:4:"],
    );
    step_tells(
        "call: t\n    expect: {path: {id: 1}}",
        &["is no JSON path", "$.items[0].name"],
    );
    step_tells("call: t\n    expect: {schema: {type: 7}}", &["JSON Schema"]);
    step_tells("call: t\n    timeout: 5", &["500ms, 30s or 2m"]);
    step_tells(
        "call: t\n    expect: {error: false}",
        &["leave `error` out"],
    );
    step_tells(
        "call: t\n    capture: {'a b': $.id}",
        &["can't be a variable's name"],
    );
    step_tells("sleep: 1h", &["500ms, 30s or 2m"]);
}

#[test]
fn a_check_that_says_nothing_is_refused() {
    step_tells("call: t\n    expect: {}", &["says nothing"]);
    step_tells(
        "call: t\n    expect: {path: {$.a: {}}}",
        &["says nothing", "equals: {}"],
    );
    step_tells("call: t\n    expect: {each: {}}", &["says nothing"]);
}

#[test]
fn only_true_and_false_are_truths() {
    let text =
        format!("{HEAD}  - call: t\n    arguments: {{a: no, b: n, c: yes, d: on, e: true}}\n");
    let scenario = parse(Path::new("a.yaml"), &text).unwrap();
    assert_eq!(
        scenario.steps[0].arguments,
        Some(serde_json::json!({"a": "no", "b": "n", "c": "yes", "d": "on", "e": true}))
    );
}

#[test]
fn lines_of_steps_inside_blocks_are_their_own() {
    let text = format!("{HEAD}  - repeat: 2\n    steps:\n      - call: t\n      - cal: t\n");
    tells(&text, &["a.yaml:7:"]);
    let text = format!("{HEAD}  - branches:\n      - - call: t\n      - - kill: nobody\n");
    tells(&text, &["a.yaml:6:"]);
}

#[test]
fn files_are_found_and_missing_ones_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    std::fs::create_dir(path.join("b")).unwrap();
    std::fs::create_dir(path.join(".hidden")).unwrap();
    for name in ["z.yaml", "b/a.yml", "b/notes.md", ".hidden/x.yaml"] {
        std::fs::write(path.join(name), "steps: []").unwrap();
    }
    let found = find(&[path.to_owned(), path.join("z.yaml")]).unwrap();
    assert_eq!(found, [path.join("b/a.yml"), path.join("z.yaml")]);
    let missing = find(&[path.join("nope.yaml")]).unwrap_err().to_string();
    assert!(
        missing.contains("nope.yaml: there is no such file"),
        "{missing}"
    );
    let empty = find(&[path.join(".hidden/none")]);
    assert!(empty.is_err());
}

/// The places where a file names secrets, as `NAME:line:column`.
fn named(text: &str) -> Vec<String> {
    let scenario = parse(Path::new("a.yaml"), text).unwrap();
    let told = scenario.secrets.iter();
    told.map(|name| format!("{}:{}:{}", name.value, name.line, name.column))
        .collect()
}

#[test]
fn secrets_are_found_in_headers_and_environments_of_servers() {
    let text = "description: not ${vault:THIS}\nservers:\n  a:\n    url: http://x/\n    headers:\n      \
                x-key: 'a ${vault:ONE} ${vault:TWO} $${vault:NOT}'\n  b: {command: c, env: {KEY: '${vault:ONE}'}}\n\
                steps: [{call: t, on: a}]\n";
    assert_eq!(named(text), ["ONE:6:14", "TWO:6:14", "ONE:7:30"]);
    assert_eq!(
        named("steps: [{check: 1, expect: {equals: 1}}] # ${vault:X}\n"),
        Vec::<String>::new()
    );
}

#[test]
fn a_secret_elsewhere_is_refused_where_it_stands() {
    let only = &["`${vault:K}` can stand only in the `headers` and the `env` of a server"];
    let at = |text: &str, place: &str| {
        tells(text, only);
        tells(text, &[place]);
    };
    let step = |step: &str, place: &str| at(&format!("{HEAD}  - {step}\n"), place);
    step(
        "call: t\n    arguments: {a: [1, 'b ${vault:K}']}",
        "a.yaml:5:24: ",
    );
    step("call: t\n    arguments: {'${vault:K}': 1}", "a.yaml:5:");
    step("call: t\n    headers: {x: '${vault:K}'}", "a.yaml:5:18: ");
    step("run: 'echo ${vault:K}'", "a.yaml:4:10: ");
    step("repeat: 2\n    steps: [{call: '${vault:K}'}]", "a.yaml:5:");
    at(
        "env: {A: '${vault:K}'}\nsteps: [{check: 1}]\n",
        "a.yaml:1:10: ",
    );
    at(
        "vars: {a: {b: '${vault:K}'}}\nsteps: [{check: 1}]\n",
        "a.yaml:1:15: ",
    );
    at(
        "processes: {p: {command: c, env: {A: '${vault:K}'}}}\nsteps: [{check: 1}]\n",
        "a.yaml:1:38: ",
    );
    at(
        "servers: {a: {url: 'http://${vault:K}/'}}\nsteps: [{call: t}]\n",
        "a.yaml:1:20: ",
    );
    at(
        "servers: {a: {command: c, args: ['${vault:K}']}}\nsteps: [{call: t}]\n",
        "a.yaml:1:34: ",
    );
    tells(
        "servers: {a: {command: c, env: {A: '${vault:K'}}}\nsteps: [{call: t}]\n",
        &["a.yaml:1:36: ", "without its }"],
    );
}

#[test]
fn what_would_hold_whatever_happens_is_refused() {
    for (step, part) in [
        (
            "repeat: 0\n    steps: [{sleep: 1s}]",
            "`repeat: 0` runs nothing",
        ),
        (
            "parallel: 0\n    steps: [{sleep: 1s}]",
            "`parallel: 0` runs nothing",
        ),
        ("for_each: []\n    steps: [{sleep: 1s}]", "empty list"),
        ("for_each: 5\n    steps: [{sleep: 1s}]", "needs a list"),
        ("branches: []", "none of them empty"),
        ("branches: [[{sleep: 1s}], []]", "none of them empty"),
        ("check: 1", "`check` needs `expect`"),
        (
            "check: 1\n    expect: {schema: {format: no-such}}",
            "no-such",
        ),
        ("call: 5", "put it in quotes"),
        (
            "check: 1\n    expect: {count: all}",
            "neither a whole number",
        ),
    ] {
        step_tells(step, &["a.yaml:", part]);
    }
}
