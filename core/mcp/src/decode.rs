//! From a client's arguments to a tool's typed parameters.
//!
//! For: errors that name the field, what it got and what it should be, and list the fields. Not for:
//! anything that needs the state (a handler looks ids up).

use rmcp::model::JsonObject;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use crate::param::{breaks_a_line, is_unfit};
use crate::schema::{PathStep, at_path, fields_in_words, in_words};
use crate::view::clip_middle;
use crate::{ErrorKind, ToolError};

/// Arguments larger than this are refused.
pub(crate) const ARGUMENT_BYTES: usize = 1 << 20;
/// How much of a wrong value is quoted back.
const QUOTED_CHARS: usize = 240;

/// What a tool takes, for decoding and for the words of its errors.
pub(crate) struct Shape<'s> {
    pub(crate) tool: &'s str,
    pub(crate) schema: &'s JsonObject,
}

/// The typed parameters, or why not. `bytes` is the arguments' size.
pub(crate) fn params<P: DeserializeOwned>(
    arguments: Option<JsonObject>,
    bytes: usize,
    shape: &Shape<'_>,
) -> Result<P, ToolError> {
    let arguments = Value::Object(arguments.unwrap_or_default());
    check_size(bytes)?;
    check_characters(&arguments)?;
    serde_path_to_error::deserialize(arguments).map_err(|error| {
        let message = shape.message(error.path(), &error.inner().to_string());
        ToolError::invalid(message).hint(shape.hint())
    })
}

/// The error for arguments that are not an object at all.
pub(crate) fn not_an_object(arguments: &Value, shape: &Shape<'_>) -> ToolError {
    let got = match arguments {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    ToolError::invalid(format!("arguments: got {got}, expected an object")).hint(shape.hint())
}

pub(crate) fn check_size(bytes: usize) -> Result<(), ToolError> {
    if bytes <= ARGUMENT_BYTES {
        return Ok(());
    }
    Err(ToolError::new(
        ErrorKind::Limit,
        format!("the arguments have {bytes} bytes; at most {ARGUMENT_BYTES} are taken"),
    )
    .hint("put long content into a file in the repository and say where it is"))
}

impl Shape<'_> {
    fn hint(&self) -> String {
        let fields = fields_in_words(self.schema);
        if fields.is_empty() {
            return format!("{} takes no parameters", self.tool);
        }
        format!("{} takes {fields}", self.tool)
    }

    /// Turns serde's sentence into ours: the field first, and what is expected in the schema's words where
    /// serde would name a Rust type.
    fn message(&self, path: &Path, said: &str) -> String {
        let steps = steps(path);
        let field = path.to_string();
        if let Some(name) = said
            .strip_prefix("missing field `")
            .and_then(|rest| rest.strip_suffix('`'))
        {
            return format!("{}: is required and missing", join(&steps, &field, name));
        }
        if said.starts_with("unknown field `") {
            return clip_middle(said, QUOTED_CHARS).into_owned();
        }
        let said = match said.rsplit_once(", expected ") {
            Some((got, expected)) if names_a_rust_type(expected) => {
                match at_path(self.schema, &steps) {
                    Some(schema) => format!(
                        "{}, expected {}",
                        clip_middle(got, QUOTED_CHARS),
                        in_words(schema)
                    ),
                    None => clip_middle(said, QUOTED_CHARS).into_owned(),
                }
            }
            _ => clip_middle(said, QUOTED_CHARS).into_owned(),
        };
        if steps.is_empty() {
            return said;
        }
        format!("{}: {said}", clip_middle(&field, QUOTED_CHARS))
    }
}

fn join(steps: &[PathStep], inside: &str, name: &str) -> String {
    if steps.is_empty() {
        return name.to_owned();
    }
    format!("{}.{name}", clip_middle(inside, QUOTED_CHARS))
}

fn steps(path: &Path) -> Vec<PathStep> {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Map { key } => Some(PathStep::Name(key.clone())),
            Segment::Seq { .. } => Some(PathStep::Position),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

fn names_a_rust_type(expected: &str) -> bool {
    let first = expected.split_whitespace().next().unwrap_or_default();
    matches!(
        first,
        "u8" | "u16"
            | "u32"
            | "u64"
            | "usize"
            | "i8"
            | "i16"
            | "i32"
            | "i64"
            | "isize"
            | "f32"
            | "f64"
            | "struct"
            | "enum"
            | "tuple"
            | "string"
            | "option"
    ) || matches!(expected, "a string" | "a boolean" | "a sequence" | "a map")
}

/// No text and no key may have control characters other than tabs and line ends, however deep: they would
/// reach terminals, logs and files.
fn check_characters(value: &Value) -> Result<(), ToolError> {
    let Some((mut path, found)) = find_unfit(value) else {
        return Ok(());
    };
    path.reverse();
    Err(ToolError::invalid(format!(
        "{}: has the control character U+{:04X}",
        clip_middle(&path.join("."), QUOTED_CHARS),
        u32::from(found)
    ))
    .hint("send plain text; line ends and tabs are fine where several lines are"))
}

/// The first unfit character and where it is, innermost step first.
fn find_unfit(value: &Value) -> Option<(Vec<String>, char)> {
    match value {
        Value::String(text) => first_unfit(text).map(|found| (Vec::new(), found)),
        Value::Array(items) => items.iter().enumerate().find_map(|(position, item)| {
            find_unfit(item).map(|found| deeper(found, position.to_string()))
        }),
        Value::Object(map) => map.iter().find_map(|(key, item)| {
            // Names are quoted in errors, on one line.
            if let Some(found) = key.chars().find(|c| breaks_a_line(*c)) {
                return Some((vec![key.escape_debug().to_string()], found));
            }
            find_unfit(item).map(|found| deeper(found, key.clone()))
        }),
        _ => None,
    }
}

fn deeper((mut path, found): (Vec<String>, char), step: String) -> (Vec<String>, char) {
    path.push(step);
    (path, found)
}

fn first_unfit(text: &str) -> Option<char> {
    text.chars().find(|c| is_unfit(*c))
}

/// How many bytes `value` has as compact JSON, but for escapes.
pub(crate) fn json_bytes(value: &Value) -> usize {
    match value {
        Value::Null => 4,
        Value::Bool(true) => 4,
        Value::Bool(false) => 5,
        Value::Number(number) => number_bytes(number),
        Value::String(text) => text.len() + 2,
        Value::Array(items) => enclosed(items.iter().map(json_bytes)),
        Value::Object(map) => object_bytes(map),
    }
}

pub(crate) fn object_bytes(map: &JsonObject) -> usize {
    enclosed(
        map.iter()
            .map(|(key, item)| key.len() + 3 + json_bytes(item)),
    )
}

/// Brackets around parts, and commas between them.
fn enclosed(parts: impl ExactSizeIterator<Item = usize>) -> usize {
    let commas = parts.len().saturating_sub(1);
    2 + commas + parts.sum::<usize>()
}

fn number_bytes(number: &serde_json::Number) -> usize {
    match number.as_u64() {
        Some(number) => number
            .checked_ilog10()
            .map_or(1, |digits| digits as usize + 1),
        None => number.to_string().len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::of_params;
    use crate::{Line, Whole};
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Inner {
        seconds: u32,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        Ready,
        Done,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Takes {
        title: Line<20>,
        priority: Option<Whole<0, 10>>,
        #[schemars(range(min = 0, max = 3))]
        retries: Option<u8>,
        urgent: Option<bool>,
        state: Option<Word>,
        after: Option<Vec<Inner>>,
        metadata: Option<JsonObject>,
    }

    fn refused(arguments: Value) -> ToolError {
        let schema = of_params::<Takes>();
        let shape = Shape {
            tool: "task_add",
            schema: &schema,
        };
        let bytes = json_bytes(&arguments);
        let Value::Object(arguments) = arguments else {
            return not_an_object(&arguments, &shape);
        };
        params::<Takes>(Some(arguments), bytes, &shape).unwrap_err()
    }

    #[test]
    fn each_mistake_is_named_with_its_field_and_what_is_expected() {
        let cases = [
            (json!({}), "title: is required and missing"),
            (
                json!({"title": 5}),
                "title: invalid type: integer `5`, expected one line of text",
            ),
            (
                json!({"title": "a\nb"}),
                "title: has the character U+000A; write one line of plain text",
            ),
            (
                json!({"title": "x".repeat(21)}),
                "title: has 21 characters; at most 20 are taken",
            ),
            (
                json!({"title": "t", "priority": "high"}),
                "priority: invalid type: string \"high\", expected a whole number from 0 to 10",
            ),
            (
                json!({"title": "t", "priority": 11}),
                "priority: invalid value: integer `11`, expected a whole number from 0 to 10",
            ),
            (
                json!({"title": "t", "retries": 9000}),
                "retries: invalid value: integer `9000`, expected a whole number from 0 to 3",
            ),
            (
                json!({"title": "t", "urgent": "yes"}),
                "urgent: invalid type: string \"yes\", expected true or false",
            ),
            (
                json!({"title": "t", "state": "gone"}),
                "state: unknown variant `gone`, expected `ready` or `done`",
            ),
            (
                json!({"title": "t", "after": {}}),
                "after: invalid type: map, expected a list, each item an object",
            ),
            (
                json!({"title": "t", "after": [{"seconds": -1}]}),
                "after[0].seconds: invalid value: integer `-1`, expected a whole number",
            ),
            (
                json!({"title": "t", "after": [{}]}),
                "after[0].seconds: is required and missing",
            ),
            (
                json!({"title": "t", "prio": 1}),
                "unknown field `prio`, expected one of `title`, `priority`, `retries`, `urgent`, `state`, `after`, `metadata`",
            ),
            (
                json!({"title": "t", "metadata": []}),
                "metadata: invalid type: sequence, expected an object",
            ),
            (
                json!({"title": "t", "metadata": {"a": ["x", "\u{1b}["]}}),
                "metadata.a.1: has the control character U+001B",
            ),
            (
                json!({"title": "t", "metadata": {"a\u{0}": 1}}),
                "metadata.a\\0: has the control character U+0000",
            ),
            (json!(["t"]), "arguments: got a list, expected an object"),
        ];
        for (arguments, expected) in cases {
            let error = refused(arguments);
            assert_eq!(error.message, expected);
            assert_eq!(error.kind, ErrorKind::InvalidInput);
            assert!(error.hint.is_some());
        }
    }

    #[test]
    fn the_hint_lists_the_fields() {
        let hint = refused(json!({})).hint.unwrap();
        assert!(hint.starts_with("task_add takes title (text of at most 20 characters, required), priority (a whole number from 0 to 10)"), "{hint}");
    }

    #[test]
    fn a_huge_wrong_value_is_not_quoted_in_full() {
        let error = refused(json!({"title": "t", "urgent": "y".repeat(100_000)}));
        assert!(
            error.message.chars().count() < 600,
            "{}",
            error.message.len()
        );
        assert!(error.message.ends_with("expected true or false"));
        let error = refused(json!({"title": "t", "y".repeat(100_000): 1}));
        assert!(error.message.chars().count() < 600);
    }

    #[test]
    fn too_much_is_a_limit() {
        let error = refused(json!({"title": "t", "metadata": {"a": "y".repeat(ARGUMENT_BYTES)}}));
        assert_eq!(error.kind, ErrorKind::Limit);
    }

    #[test]
    fn the_size_is_that_of_compact_json() {
        for value in [
            json!(null),
            json!([]),
            json!({}),
            json!("abc"),
            json!(0),
            json!(10),
            json!(-5),
            json!(1.5),
        ] {
            assert_eq!(json_bytes(&value), value.to_string().len(), "{value}");
        }
        let value = json!({"a": [1, 22, true, false], "b": {"c": "ñ"}});
        assert_eq!(json_bytes(&value), value.to_string().len());
    }
}
