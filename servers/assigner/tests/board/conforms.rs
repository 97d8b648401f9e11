//! Whether a value is what a schema says, for the part of JSON Schema that our schemas use.

use serde_json::{Map, Value};

/// What is wrong with `value`, the path first; nothing when it conforms.
pub fn problems(schema: &Map<String, Value>, value: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(kind) = schema.get("type")
        && !kinds(kind).iter().any(|kind| is(kind, value))
    {
        found.push(format!("{path}: {value} is not {kind}"));
    }
    if let Some(Value::Array(words)) = schema.get("enum")
        && !words.contains(value)
    {
        found.push(format!("{path}: {value} is none of {words:?}"));
    }
    if let Value::Object(fields) = value {
        found.extend(object_problems(schema, fields, path));
    }
    if let (Value::Array(items), Some(Value::Object(each))) = (value, schema.get("items")) {
        for (n, item) in items.iter().enumerate() {
            found.extend(problems(each, item, &format!("{path}[{n}]")));
        }
    }
    found
}

fn object_problems(
    schema: &Map<String, Value>,
    fields: &Map<String, Value>,
    path: &str,
) -> Vec<String> {
    let none = Map::new();
    let known = schema
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    let required = schema.get("required").and_then(Value::as_array);
    let mut found: Vec<String> = required
        .into_iter()
        .flatten()
        .filter(|name| !fields.contains_key(name.as_str().unwrap()))
        .map(|name| format!("{path}: {name} is missing"))
        .collect();
    for (name, field) in fields {
        let path = format!("{path}.{name}");
        match (known.get(name), schema.get("additionalProperties")) {
            (Some(Value::Object(schema)), _) | (None, Some(Value::Object(schema))) => {
                found.extend(problems(schema, field, &path));
            }
            (None, Some(Value::Bool(false))) => found.push(format!("{path}: is not known")),
            _ => {}
        }
    }
    found
}

fn kinds(kind: &Value) -> Vec<&str> {
    match kind {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect(),
    }
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("a type that no schema of ours uses: {other}"),
    }
}

#[test]
fn what_does_not_conform_is_found() {
    let schema = serde_json::json!({
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "array", "items": {"enum": ["x"]}}},
        "required": ["a"],
        "additionalProperties": false,
    });
    let schema = schema.as_object().unwrap();
    let count = |value| problems(schema, &value, "").len();
    assert_eq!(count(serde_json::json!({"a": 1, "b": ["x"]})), 0);
    assert_eq!(
        count(serde_json::json!({"a": "1", "b": ["x", "y"], "c": 0})),
        3
    );
    assert_eq!(count(serde_json::json!({})), 1);
    assert_eq!(count(serde_json::json!([])), 1);
}
