//! Wrong input for every tool there is: an error that says what to do, and a server that goes on.

use crate::workshop::{TESTS, Workshop, roadmap};
use callboard_tests::{Answer, Client};
use serde_json::{Map, Value, json};

pub const SERVERS: [&str; 4] = ["assigner", "roadmap", "llm", "telemetry"];

/// The kinds of errors, as the first word of a text.
const KINDS: [&str; 9] = [
    "invalid_input",
    "not_found",
    "conflict",
    "stale_lease",
    "limit",
    "needs_person",
    "unavailable",
    "internal",
    "cancelled",
];

const CONTROL: &str = "a\u{0}b\u{1b}[2J\u{7}\u{8}";

/// A tool and what it takes.
struct Tool {
    name: String,
    schema: Value,
}

/// A server at work in a repository.
struct Bench {
    shop: Workshop,
    client: Client,
    tools: Vec<Tool>,
    /// All of them are told at the end, not only the first.
    faults: Vec<String>,
}

impl Bench {
    fn new(server: &str) -> Bench {
        let shop = Workshop::of(&[
            ("ROADMAP.md", &roadmap(&[("Alpha part", "\n- [ ] a box\n")])),
            ("test.sh", TESTS),
        ]);
        let mut command = shop.home.command("callboard");
        command.arg(server).current_dir(&shop.root);
        let mut client = Client::start(command).hello();
        let listed = client.request("tools/list", &json!({}))["result"]["tools"].clone();
        let tools = listed.as_array().unwrap().iter().map(|tool| Tool {
            name: tool["name"].as_str().unwrap().to_owned(),
            schema: tool["inputSchema"].clone(),
        });
        let tools = tools.collect();
        Bench {
            shop,
            client,
            tools,
            faults: Vec::new(),
        }
    }

    /// Runs `test` for each tool; the server must be there after each.
    fn each(server: &str, test: impl Fn(&mut Bench, &Tool)) {
        let mut bench = Bench::new(server);
        let tools = std::mem::take(&mut bench.tools);
        assert!(!tools.is_empty());
        for tool in &tools {
            test(&mut bench, tool);
            let pong = bench.client.request("ping", &json!({}));
            assert_eq!(pong["result"], json!({}), "after {}: {pong}", tool.name);
        }
        bench.client.close();
        assert_eq!(bench.client.ended().0, 0, "{server}");
        bench.no_faults();
    }

    fn no_faults(&self) {
        assert!(
            self.faults.is_empty(),
            "{} faults:\n{}",
            self.faults.len(),
            self.faults.join("\n")
        );
    }

    fn expect(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(fault());
        }
    }

    fn call(&mut self, tool: &Tool, arguments: &Value) -> Answer {
        let answer = self.client.call(&tool.name, arguments);
        let text = answer.text.clone();
        let about = || {
            format!(
                "{} {}: {}",
                tool.name,
                clip(&arguments.to_string()),
                clip(&text)
            )
        };
        let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        self.expect(!text.contains(odd), || {
            format!("control characters in the answer: {:?}", about())
        });
        self.expect(text.len() < 20_000, || {
            format!("{} bytes in the answer: {}", text.len(), about())
        });
        if answer.is_error {
            let (kind, rest) = text.split_once(": ").unwrap_or((&text, ""));
            self.expect(KINDS.contains(&kind) && kind != "internal", || {
                format!("kind: {}", about())
            });
            let hint = rest.split_once("\nHint: ").map_or("", |(_, hint)| hint);
            self.expect(hint.len() > 8, || format!("no hint: {}", about()));
            self.expect(answer.value == Value::Null, || {
                format!("structured content beside an error: {}", about())
            });
        }
        answer
    }

    /// The tool must not accept this.
    fn refused(&mut self, tool: &Tool, arguments: &Value) -> Answer {
        let answer = self.call(tool, arguments);
        let (what, text) = (clip(&arguments.to_string()), clip(&answer.text));
        self.expect(answer.is_error, || {
            format!("{} took {what}: {text}", tool.name)
        });
        answer
    }
}

fn clip(text: &str) -> String {
    text.chars().take(300).collect()
}

impl Tool {
    fn properties(&self) -> Vec<(String, Value)> {
        let none = Map::new();
        let properties = self.schema["properties"].as_object().unwrap_or(&none);
        properties
            .iter()
            .map(|(name, schema)| (name.clone(), schema.clone()))
            .collect()
    }

    fn requires(&self, name: &str) -> bool {
        self.schema["required"]
            .as_array()
            .is_some_and(|required| required.iter().any(|entry| entry == name))
    }

    /// What is required, in its right type, and no waiting.
    fn plain(&self) -> Value {
        let mut arguments = Map::new();
        for (name, schema) in self.properties() {
            if self.requires(&name) {
                arguments.insert(name, sample(&schema));
            } else if matches!(name.as_str(), "wait_s" | "timeout_s") && self.name != "task_add" {
                arguments.insert(name, json!(0));
            }
        }
        if self.name == "task_update" {
            arguments.insert("title".to_owned(), json!("x"));
        }
        Value::Object(arguments)
    }

    fn with(&self, name: &str, value: Value) -> Value {
        let mut arguments = self.plain();
        arguments[name] = value;
        arguments
    }
}

fn sample(schema: &Value) -> Value {
    if let Some(words) = schema["enum"].as_array() {
        return words[0].clone();
    }
    match schema["type"].as_str() {
        Some("string") => json!("x"),
        Some("integer") => json!(1),
        Some("boolean") => json!(true),
        Some("array") => json!([sample(&schema["items"])]),
        Some("object") => match schema["required"].as_array() {
            Some(_) => json!({"title": "x"}),
            None => json!({}),
        },
        _ => json!("x"),
    }
}

/// Values that are of none of the types that this schema allows, however kindly they are read.
fn wrong_types(schema: &Value) -> Vec<Value> {
    match schema["type"].as_str() {
        Some("string") => vec![json!({"a": 1}), json!([[1]]), json!(["a", "b"])],
        Some("integer") => vec![json!("x"), json!({"a": 1}), json!(1.5), json!([1, 2])],
        Some("boolean") => vec![json!("maybe"), json!({"a": 1}), json!([true, false])],
        Some("array") => vec![json!({"a": 1}), json!(1.5), json!([[[1]]])],
        Some("object") => vec![json!("x"), json!(5), json!([1])],
        _ => Vec::new(),
    }
}

fn texts(schema: &Value, text: &str) -> Option<Value> {
    match schema["type"].as_str() {
        Some("string") | None => Some(json!(text)),
        Some("array") if schema["items"]["type"] == "string" => Some(json!([text])),
        Some("array") if schema["items"]["type"] == "object" => Some(json!([{"title": text}])),
        _ => None,
    }
}

#[test]
fn missing_and_unknown_arguments() {
    for server in SERVERS {
        Bench::each(server, |bench, tool| {
            let required = tool
                .properties()
                .into_iter()
                .filter(|(name, _)| tool.requires(name));
            for (name, _) in required {
                for arguments in [json!({}), tool.with(&name, Value::Null)] {
                    let told = bench.refused(tool, &arguments);
                    bench.expect(told.text.contains(&name), || {
                        format!("does not name {name}: {}", clip(&told.text))
                    });
                }
            }
            if tool.schema.get("required").is_none() && !tool.name.contains("wait") {
                bench.call(tool, &json!({}));
                bench.call(tool, &Value::Null);
            }
            let told = bench.refused(tool, &tool.with("no_such_field", json!(1)));
            bench.expect(told.text.contains("no_such_field"), || {
                format!("{}: {}", tool.name, told.text)
            });
        });
    }
}

#[test]
fn arguments_that_are_no_object() {
    for server in SERVERS {
        Bench::each(server, |bench, tool| {
            for arguments in [json!([1]), json!("x"), json!(5), json!(true)] {
                bench.refused(tool, &arguments);
            }
        });
    }
}

#[test]
fn wrong_types_in_every_field() {
    for server in SERVERS {
        Bench::each(server, |bench, tool| {
            for (name, schema) in tool.properties() {
                for value in wrong_types(&schema) {
                    let told = bench.refused(tool, &tool.with(&name, value));
                    let text = clip(&told.text);
                    bench.expect(text.contains(&name), || {
                        format!("{} does not name {name}: {text}", tool.name)
                    });
                }
                for least in ["minimum", "maximum"] {
                    let Some(bound) = schema[least].as_i64() else {
                        continue;
                    };
                    let beyond = if least == "minimum" {
                        bound - 1
                    } else {
                        bound + 1
                    };
                    bench.refused(tool, &tool.with(&name, json!(beyond)));
                }
                if schema["type"] == "integer" {
                    bench.call(tool, &tool.with(&name, json!(i64::MIN)));
                    if !name.ends_with("timeout_s") && name != "wait_s" {
                        bench.call(tool, &tool.with(&name, json!(i64::MAX)));
                    }
                    bench.refused(tool, &tool.with(&name, json!(1e300)));
                }
            }
        });
    }
}

#[test]
fn huge_texts_in_every_field() {
    let huge = "x".repeat(1 << 20);
    for server in SERVERS {
        Bench::each(server, |bench, tool| {
            for (name, schema) in tool.properties() {
                if let Some(value) = texts(&schema, &huge) {
                    bench.refused(tool, &tool.with(&name, value));
                }
                if schema["type"] == "array" {
                    let many: Vec<Value> = vec![sample(&schema["items"]); 100_000];
                    let arguments = tool.with(&name, json!(many));
                    // A hundred thousand times the same word of a few is long, not wrong.
                    if schema["items"]["enum"].is_array() {
                        bench.call(tool, &arguments);
                    } else {
                        bench.refused(tool, &arguments);
                    }
                }
                if schema["type"] == "object" {
                    bench.refused(tool, &tool.with(&name, json!({"key": huge})));
                }
            }
        });
    }
}

#[test]
fn control_characters_in_every_field() {
    for server in SERVERS {
        Bench::each(server, |bench, tool| {
            for (name, schema) in tool.properties() {
                // What has no type is kept as it is, as JSON: nothing in it is special.
                if let (Some(value), Some(_)) = (texts(&schema, CONTROL), schema.get("type")) {
                    bench.refused(tool, &tool.with(&name, value));
                }
            }
        });
    }
}

#[test]
fn tasks_that_do_not_exist() {
    let unknown = "t_00000000000000000000000000";
    Bench::each("assigner", |bench, tool| {
        for (name, schema) in tool.properties() {
            if !matches!(name.as_str(), "id" | "ids" | "task" | "depends_on") {
                continue;
            }
            for id in [unknown, "t_1", "", "../../etc/passwd", "' OR 1=1 --"] {
                let told = bench.refused(tool, &tool.with(&name, texts(&schema, id).unwrap()));
                // Of task_update the task itself is unknown first.
                let first = name != "depends_on" || tool.name == "task_add";
                let named = !first || !id.starts_with("t_") || told.text.contains(id);
                bench.expect(named, || {
                    format!("{} does not name {id}: {}", tool.name, told.text)
                });
            }
        }
    });
    let mut bench = Bench::new("assigner");
    let list = bench.client.must("task_list", &json!({}));
    assert_eq!(
        list["tasks"],
        json!([]),
        "nothing was added by what was refused"
    );
}

#[test]
fn paths_that_are_no_project() {
    Bench::each("roadmap", |bench, tool| {
        let has = |name: &str| {
            tool.properties()
                .iter()
                .any(|(property, _)| property == name)
        };
        assert!(has("path"), "{}", tool.name);
        let outside = bench.shop.home.path().to_str().unwrap().to_owned();
        let file = bench
            .shop
            .root
            .join("ROADMAP.md")
            .to_str()
            .unwrap()
            .to_owned();
        let inside = bench.shop.root.join(".git").to_str().unwrap().to_owned();
        for path in [
            "",
            "relative",
            "..",
            "~",
            "/nonexistent/callboard",
            "/proc/self/mem",
            &outside,
            &file,
            &inside,
        ] {
            bench.refused(tool, &tool.with("path", json!(path)));
        }
        if has("roadmap") {
            for file in [
                "",
                "/etc/passwd",
                "../../etc/passwd",
                "docs/../../x.md",
                ".git/config",
                "nowhere.md",
                ".",
            ] {
                bench.refused(tool, &tool.with("roadmap", json!(file)));
            }
        }
        if has("item") {
            let told = bench.refused(tool, &tool.with("item", json!("priority-99")));
            bench.expect(told.text.contains("priority-99"), || {
                format!("{}: {}", tool.name, told.text)
            });
        }
    });
}

#[test]
fn nothing_refused_has_touched_the_project() {
    let mut bench = Bench::new("roadmap");
    let before = bench.shop.checkout();
    let tools = std::mem::take(&mut bench.tools);
    for tool in &tools {
        bench.refused(tool, &tool.with("path", json!("/nonexistent")));
        bench.refused(tool, &tool.with("no_such_field", json!(1)));
    }
    bench.no_faults();
    assert_eq!(bench.shop.checkout(), before);
    assert_eq!(bench.shop.git(&["branch", "--list", "callboard/*"]), "");
}

#[test]
fn lines_that_are_no_message() {
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    let nested = format!(r#"{{"jsonrpc":"2.0","id":901,"method":"ping","params":{{"a":{deep}}}}}"#);
    let lines = [
        "not json",
        "{",
        "[]",
        "\u{0}",
        "null",
        "{\"jsonrpc\":\"2.0\"}",
        "{\"id\": {}}",
        &nested,
        &deep,
        "\r",
        "é\u{ffff}",
    ];
    for server in SERVERS {
        let mut bench = Bench::new(server);
        for line in lines {
            bench.client.raw(line);
            let pong = bench.client.request("ping", &json!({}));
            assert_eq!(pong["result"], json!({}), "after {:?}: {pong}", clip(line));
        }
        bench.client.close();
        assert_eq!(bench.client.ended().0, 0);
    }
}

#[test]
fn a_line_of_17_megabytes_is_refused_by_its_id() {
    let huge = "x".repeat(17 << 20);
    for server in SERVERS {
        let mut bench = Bench::new(server);
        let name = bench.tools[0].name.clone();
        let id = bench.client.send(
            "tools/call",
            &json!({"name": name, "arguments": {"title": huge}}),
        );
        let refused = bench.client.answer(id);
        assert!(
            refused["error"]["message"].is_string(),
            "{server}: {refused}"
        );
        assert!(refused.to_string().len() < 2_000, "{server}");
        assert_eq!(
            bench.client.request("ping", &json!({}))["result"],
            json!({})
        );
    }
}

#[test]
fn a_tool_that_does_not_exist_is_answered_with_those_that_do() {
    for server in SERVERS {
        let mut bench = Bench::new(server);
        let name = bench.tools[0].name.clone();
        let answer = bench.client.request(
            "tools/call",
            &json!({"name": "no_such_tool", "arguments": {}}),
        );
        assert!(
            answer["error"]["message"].as_str().unwrap().contains(&name),
            "{answer}"
        );
        for params in [json!({}), json!([]), json!({"name": 5})] {
            let answer = bench.client.request("tools/call", &params);
            assert!(answer.get("error").is_some(), "{params}: {answer}");
        }
    }
}
