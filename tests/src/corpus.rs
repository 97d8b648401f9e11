//! Wrong input as data: the files in `tests/corpus`, with their rules written out.
//!
//! For: naming a case, making its bytes, and saying what must come of it. Not for: sending it.
//!
//! A case has a `name` and one of `line` (text, or pieces of it that are joined), `hex`, `send` (a message),
//! or `ask` (a request: its method and parameters). `with` gives values for words that begin with `$`: the
//! case is written out for each of them, and for every combination where there are several. `{"repeat":
//! [text, n]}` is that text n times. `expect` says what must come: see [`Expect`]; `http` and `sse` say it
//! where it is another thing there, and `on` names the transports if it is not for all.

use serde_json::{Map, Value, json};

/// One message.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it is.
    pub name: String,
    /// What is sent, without the end of its line.
    pub bytes: Vec<u8>,
    /// What must come of it.
    pub expect: Expect,
    /// The id of the answer; null where nobody can know it, `None` where any will do.
    pub id: Option<Value>,
    /// The method and parameters, if the case says no more than those.
    pub ask: Option<(Value, Value)>,
    written: Value,
}

/// What must come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// A result.
    Result,
    /// The error with this code; any where none is named.
    Error(Option<i64>),
    /// A tool's own error, of this kind; any where none is named.
    Tool(Option<String>),
    /// A result or an error.
    Answer,
    /// Nothing; the next message is answered.
    Nothing,
    /// Nothing, or an error.
    NothingOrError,
    /// The HTTP status, whatever else is said.
    Status(u16),
}

impl Expect {
    /// Reads what a file says.
    ///
    /// # Panics
    /// When it says something else.
    #[must_use]
    pub fn of(text: &str) -> Expect {
        match text.split_once(' ') {
            None if text == "result" => Expect::Result,
            None if text == "error" => Expect::Error(None),
            None if text == "tool" => Expect::Tool(None),
            None if text == "answer" => Expect::Answer,
            None if text == "nothing" => Expect::Nothing,
            Some(("error", code)) => Expect::Error(Some(code.parse().unwrap())),
            Some(("tool", kind)) => Expect::Tool(Some(kind.to_owned())),
            Some(("status", status)) => Expect::Status(status.parse().unwrap()),
            Some(("silence", "or error")) => Expect::NothingOrError,
            _ => panic!("a case expects `{text}`"),
        }
    }
}

impl Case {
    /// What must come over this transport; nothing if the case is not for it.
    #[must_use]
    pub fn over(&self, transport: &str) -> Option<Expect> {
        if let Some(on) = self.written["on"].as_array()
            && !on.iter().any(|one| one == transport)
        {
            return None;
        }
        let other = self.written[transport].as_str().map(Expect::of);
        Some(other.unwrap_or_else(|| self.expect.clone()))
    }
}

/// The cases of a file, in their order.
///
/// # Panics
/// When the file is not as described above.
#[must_use]
pub fn cases(file: &str) -> Vec<Case> {
    let written = read(file);
    let rules = written.as_array().expect("a list of cases");
    let mut cases: Vec<Case> = Vec::new();
    for rule in rules {
        for values in combinations(&rule["with"]) {
            let number = cases.len();
            cases.push(case(rule, values, number));
        }
    }
    cases
}

/// A file of the corpus.
///
/// # Panics
/// When it is not JSON.
#[must_use]
pub fn read(file: &str) -> Value {
    let path = crate::root().join("tests/corpus").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every combination of the values of `with`.
#[must_use]
pub fn combinations(with: &Value) -> Vec<Map<String, Value>> {
    let mut found = vec![Map::new()];
    for (word, values) in with.as_object().into_iter().flatten() {
        let values = values.as_array().expect("a list of values");
        found = found
            .iter()
            .flat_map(|before| {
                values.iter().map(|value| {
                    let mut with = before.clone();
                    with.insert(word.clone(), value.clone());
                    with
                })
            })
            .collect();
    }
    found
}

fn case(rule: &Value, mut values: Map<String, Value>, number: usize) -> Case {
    let mut name = rule["name"].as_str().expect("a name").to_owned();
    for (word, value) in &values {
        let shown: String = value.to_string().chars().take(60).collect();
        name = name.replace(word, &shown);
    }
    values.insert("$id".to_owned(), json!(1_000_000 + number));
    let expect = Expect::of(rule["expect"].as_str().expect("what to expect"));
    let mut case = Case {
        name,
        bytes: Vec::new(),
        expect,
        id: Some(Value::Null),
        ask: None,
        written: rule.clone(),
    };
    if let Some(line) = rule.get("line") {
        case.bytes = joined(line, &values).into_bytes();
        case.id = match &rule["id"] {
            Value::Null => Some(Value::Null),
            Value::String(id) if id == "any" => None,
            Value::String(id) if !id.contains('$') => Some(json!(id)),
            id => Some(serde_json::from_str(&joined(id, &values)).expect("an id")),
        };
    } else if let Some(hex) = rule["hex"].as_str() {
        case.bytes = bytes(&joined(&json!(hex), &values));
        case.id = Some(rule["id"].clone());
    } else {
        let message = match rule.get("ask") {
            Some(ask) => {
                let ask = filled(ask, &values);
                case.ask = Some((ask[0].clone(), ask[1].clone()));
                json!({"jsonrpc": "2.0", "id": values["$id"], "method": ask[0], "params": ask[1]})
            }
            None => filled(&rule["send"], &values),
        };
        let id = &message["id"];
        if id.is_string() || id.is_i64() {
            case.id = Some(id.clone());
        }
        case.bytes = message.to_string().into_bytes();
    }
    case
}

/// Text in pieces, as one.
#[must_use]
pub fn joined(pieces: &Value, values: &Map<String, Value>) -> String {
    match pieces {
        Value::Array(pieces) => pieces.iter().map(|piece| joined(piece, values)).collect(),
        Value::Object(piece) => {
            let text = joined(&piece["repeat"][0], values);
            let times = filled(&piece["repeat"][1], values);
            text.repeat(usize::try_from(times.as_u64().expect("a count")).unwrap())
        }
        Value::String(text) => {
            let mut text = text.clone();
            for (word, value) in values {
                if text.contains(word.as_str()) {
                    let plain = value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned);
                    text = text.replace(word.as_str(), &plain);
                }
            }
            text
        }
        other => panic!("no text: {other}"),
    }
}

/// A value with its words and repetitions written out.
#[must_use]
pub fn filled(value: &Value, values: &Map<String, Value>) -> Value {
    let repeats = |value: &Value| value["repeat"].is_array();
    match value {
        Value::String(word) => values.get(word).unwrap_or(value).clone(),
        Value::Array(all) if all.iter().any(repeats) => json!(joined(value, values)),
        Value::Array(all) => all.iter().map(|value| filled(value, values)).collect(),
        Value::Object(_) if repeats(value) => json!(joined(value, values)),
        Value::Object(all) => {
            let fill = |(key, value)| {
                let key: &String = key;
                let named = values.get(key).and_then(Value::as_str);
                (named.unwrap_or(key).to_owned(), filled(value, values))
            };
            Value::Object(all.iter().map(fill).collect())
        }
        other => other.clone(),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    (0..hex.len()).step_by(2).map(digits).collect()
}
