//! JSON schemas, made small.
//!
//! For: what a model reads of a tool. Every byte is paid for in every conversation, so the schemas say what
//! a caller needs and nothing that it can do without. Not for: checking values (serde does that).

use rmcp::model::JsonObject;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// The schema of what a tool takes.
pub(crate) fn of_params<T: JsonSchema>() -> JsonObject {
    let settings = SchemaSettings::draft2020_12();
    let mut schema = slimmed::<T>(settings, Side::Input);
    schema.entry("properties").or_insert_with(|| json!({}));
    schema
}

/// The schema of what a tool answers. Descriptions and limits are left out: the answer shows itself.
pub(crate) fn of_output<T: JsonSchema>() -> JsonObject {
    slimmed::<T>(SchemaSettings::draft2020_12().for_serialize(), Side::Output)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Input,
    Output,
}

fn slimmed<T: JsonSchema>(settings: SchemaSettings, side: Side) -> JsonObject {
    let settings = settings.with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    slim(&mut schema, side);
    match schema {
        Value::Object(mut schema) => {
            schema.remove("description");
            schema
        }
        _ => JsonObject::new(),
    }
}

fn slim(schema: &mut Value, side: Side) {
    if *schema == Value::Bool(true) {
        // Some clients do not take a bare `true` for "anything".
        *schema = json!({});
    }
    let Value::Object(map) = schema else { return };
    drop_number_noise(map);
    map.remove("title");
    map.remove("format");
    if map.get("default").is_some_and(is_empty) {
        map.remove("default");
    }
    if side == Side::Output {
        for key in [
            "description",
            "default",
            "minimum",
            "maximum",
            "maxLength",
            "minLength",
        ] {
            map.remove(key);
        }
        if map.get("additionalProperties") == Some(&Value::Bool(false)) {
            map.remove("additionalProperties");
        }
    }
    if let Some(Value::String(description)) = map.get_mut("description") {
        *description = description.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    slim_parts(map, side);
    merge_choices(map);
    drop_null_of_optionals(map);
}

fn slim_parts(map: &mut JsonObject, side: Side) {
    for key in ["properties", "patternProperties", "$defs"] {
        if let Some(Value::Object(schemas)) = map.get_mut(key) {
            schemas.values_mut().for_each(|schema| slim(schema, side));
        }
    }
    for key in ["anyOf", "oneOf", "allOf", "prefixItems"] {
        if let Some(Value::Array(schemas)) = map.get_mut(key) {
            schemas.iter_mut().for_each(|schema| slim(schema, side));
        }
    }
    if let Some(items) = map.get_mut("items") {
        slim(items, side);
    }
    if let Some(rest @ Value::Object(_)) = map.get_mut("additionalProperties") {
        slim(rest, side);
    }
}

/// The limits of Rust's integer types are not limits that anybody chose.
fn drop_number_noise(map: &mut JsonObject) {
    let Some(Value::String(format)) = map.get("format") else {
        return;
    };
    let unsigned = format.starts_with("uint");
    let type_max = match format.as_str() {
        "uint8" => Some(u64::from(u8::MAX)),
        "uint16" => Some(u64::from(u16::MAX)),
        "uint32" => Some(u64::from(u32::MAX)),
        _ => None,
    };
    if type_max.is_some() && map.get("maximum").and_then(Value::as_u64) == type_max {
        map.remove("maximum");
    }
    if unsigned && !map.contains_key("maximum") && map.get("minimum") == Some(&json!(0)) {
        map.remove("minimum");
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// `oneOf: [{const: a}, {const: b}]` is an enum, and a choice of one is no choice.
fn merge_choices(map: &mut JsonObject) {
    if map.get("type") == Some(&json!("string"))
        && let Some(only) = map.remove("const")
    {
        map.insert("enum".to_owned(), json!([only]));
    }
    for key in ["oneOf", "anyOf"] {
        let Some(Value::Array(choices)) = map.get(key) else {
            continue;
        };
        let words: Option<Vec<Value>> = choices
            .iter()
            .map(words_of)
            .collect::<Option<Vec<_>>>()
            .map(|sets| sets.concat());
        if let Some(words) = words {
            map.remove(key);
            map.insert("type".to_owned(), json!("string"));
            map.insert("enum".to_owned(), Value::Array(words));
        }
    }
}

fn words_of(choice: &Value) -> Option<Vec<Value>> {
    let words = choice.get("enum")?.as_array()?;
    let only_words = choice.get("type")? == "string" && words.iter().all(Value::is_string);
    only_words.then(|| words.clone())
}

/// An optional property is absent, not null, so its schema need not mention null.
fn drop_null_of_optionals(map: &mut JsonObject) {
    let required = map.get("required").cloned().unwrap_or_else(|| json!([]));
    let is_required = |name: &str| {
        required
            .as_array()
            .is_some_and(|names| names.iter().any(|required| required == name))
    };
    let Some(Value::Object(properties)) = map.get_mut("properties") else {
        return;
    };
    for (name, schema) in properties {
        if !is_required(name)
            && let Value::Object(schema) = schema
        {
            drop_null(schema);
        }
    }
}

fn drop_null(schema: &mut JsonObject) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    let Some(Value::Array(choices)) = schema.get_mut("anyOf") else {
        return;
    };
    choices.retain(|choice| choice.get("type") != Some(&json!("null")));
    if let [Value::Object(only)] = choices.as_slice() {
        let only = only.clone();
        schema.remove("anyOf");
        for (key, value) in only {
            schema.entry(key).or_insert(value);
        }
    }
}

/// The schema at `path` inside `schema`; a path is of property names and list positions.
pub(crate) fn at_path<'s>(schema: &'s JsonObject, path: &[PathStep]) -> Option<&'s JsonObject> {
    path.iter().try_fold(schema, |schema, step| {
        let part = match step {
            PathStep::Name(name) => schema
                .get("properties")
                .and_then(|properties| properties.get(name))
                .or_else(|| schema.get("additionalProperties")),
            PathStep::Position => schema.get("items"),
        };
        part?.as_object()
    })
}

/// One step into a value.
pub(crate) enum PathStep {
    Name(String),
    Position,
}

/// What a schema asks for, in words: `a whole number from 0 to 10`.
pub(crate) fn in_words(schema: &JsonObject) -> String {
    if let Some(Value::Array(words)) = schema.get("enum") {
        let words: Vec<String> = words.iter().map(Value::to_string).collect();
        return format!("one of {}", words.join(", "));
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("integer") => format!("a whole number{}", range_in_words(schema)),
        Some("number") => format!("a number{}", range_in_words(schema)),
        Some("string") => match schema.get("maxLength") {
            Some(max) => format!("text of at most {max} characters"),
            None => "text".to_owned(),
        },
        Some("boolean") => "true or false".to_owned(),
        Some("array") => match schema.get("items").and_then(Value::as_object) {
            Some(items) if !items.is_empty() => format!("a list, each item {}", in_words(items)),
            _ => "a list".to_owned(),
        },
        Some("object") => "an object".to_owned(),
        _ => "a JSON value".to_owned(),
    }
}

fn range_in_words(schema: &JsonObject) -> String {
    match (schema.get("minimum"), schema.get("maximum")) {
        (Some(min), Some(max)) => format!(" from {min} to {max}"),
        (Some(min), None) => format!(" from {min}"),
        (None, Some(max)) => format!(" up to {max}"),
        (None, None) => String::new(),
    }
}

/// The fields of an object in words, for a hint: `title (text, required), priority (…)`.
pub(crate) fn fields_in_words(schema: &JsonObject) -> String {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return String::new();
    };
    let required = schema.get("required").and_then(Value::as_array);
    let fields: Vec<String> = properties
        .iter()
        .map(|(name, field)| {
            let is_required = required.is_some_and(|names| names.iter().any(|n| n == name));
            let words = field
                .as_object()
                .map_or_else(|| "a JSON value".to_owned(), in_words);
            let must = if is_required { ", required" } else { "" };
            format!("{name} ({words}{must})")
        })
        .collect();
    fields.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limit, Line};
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        /// One thing.
        First,
        /// Another.
        Second,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Part {
        /// Named like a keyword, and kept.
        title: String,
    }

    /// Not for the model.
    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Takes {
        /// What it is,
        /// in two lines.
        name: Line<80>,
        word: Option<Word>,
        part: Option<Part>,
        parts: Vec<Part>,
        count: Option<u32>,
        #[schemars(range(min = 0, max = 10))]
        priority: u8,
        #[serde(default)]
        limit: Limit<20, 100>,
        #[serde(default)]
        note: Option<String>,
        anything: Option<Value>,
    }

    #[test]
    fn an_input_schema_keeps_what_a_caller_needs() {
        let schema = Value::Object(of_params::<Takes>());
        assert_eq!(
            schema,
            json!({
                "type": "object",
                "properties": {
                    "name": {"description": "What it is, in two lines.", "type": "string", "maxLength": 80},
                    "word": {"type": "string", "enum": ["first", "second"]},
                    "part": {"type": "object", "properties": {"title": {"description": "Named like a keyword, and kept.", "type": "string"}}, "required": ["title"]},
                    "parts": {"type": "array", "items": {"type": "object", "properties": {"title": {"description": "Named like a keyword, and kept.", "type": "string"}}, "required": ["title"]}},
                    "count": {"type": "integer"},
                    "priority": {"type": "integer", "minimum": 0, "maximum": 10},
                    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
                    "note": {"type": "string"},
                    "anything": {}
                },
                "additionalProperties": false,
                "required": ["name", "parts", "priority"]
            })
        );
    }

    #[derive(Serialize, JsonSchema)]
    #[allow(dead_code)]
    struct Gives {
        /// Not paid for.
        id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        absent: Option<Part>,
        null: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        words: Vec<Word>,
    }

    #[test]
    fn an_output_schema_is_true_of_what_is_sent() {
        let schema = Value::Object(of_output::<Gives>());
        assert_eq!(
            schema,
            json!({
                "type": "object",
                "properties": {
                    "id": {"type": "string"},
                    "absent": {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]},
                    "null": {"type": ["string", "null"]},
                    "words": {"type": "array", "items": {"type": "string", "enum": ["first", "second"]}}
                },
                "required": ["id", "null"]
            })
        );
    }

    #[test]
    fn a_tool_without_parameters_still_takes_an_object() {
        let schema = Value::Object(of_params::<crate::NoParams>());
        assert_eq!(
            schema,
            json!({"type": "object", "additionalProperties": false, "properties": {}})
        );
    }

    #[test]
    fn fields_are_told_in_words() {
        let words = fields_in_words(&of_params::<Takes>());
        assert!(
            words.starts_with("name (text of at most 80 characters, required), "),
            "{words}"
        );
        assert!(
            words.contains("word (one of \"first\", \"second\")"),
            "{words}"
        );
        assert!(
            words.contains("priority (a whole number from 0 to 10, required)"),
            "{words}"
        );
        assert!(
            words.contains("parts (a list, each item an object, required)"),
            "{words}"
        );
    }
}
