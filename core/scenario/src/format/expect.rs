//! What a step expects.

use super::words::exact;
use super::{Amount, OneOrMany};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Declares the checks of a value, alone or beside others: a struct can't both include another and refuse unknown keys.
macro_rules! checks {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            /// The value is exactly this.
            #[serde(deserialize_with = "present")]
            pub equals: Option<Value>,
            /// The value holds at least this: in objects the named keys, in lists the named elements in any order, in
            /// a text the words. Inside objects and lists, texts and numbers are exact.
            #[serde(deserialize_with = "present")]
            pub includes: Option<Value>,
            /// The text (or the value as JSON) fits this pattern. Variables in it are taken literally.
            pub matches: Option<String>,
            /// JSON paths (RFC 9535) and what is found there. A path that may find several yields a list.
            pub path: BTreeMap<String, PathCheck>,
            /// The value is valid against this JSON Schema (2020-12 unless it says otherwise); a `format` is asserted.
            pub schema: Option<Value>,
            /// So many elements, keys or characters.
            pub count: Option<Count>,
            /// The value is one of these.
            pub one_of: Option<Vec<Value>>,
            /// `string`, `number`, `integer`, `boolean`, `array`, `object` or `null`.
            #[serde(rename = "type")]
            pub kind: Option<String>,
            /// Whether there is anything; `false` says that nothing must be there.
            #[serde(deserialize_with = "exact")]
            pub exists: Option<bool>,
            /// The number is at least this.
            pub at_least: Option<Value>,
            /// The number is at most this.
            pub at_most: Option<Value>,
            /// No two elements of the list are equal.
            #[serde(deserialize_with = "exact")]
            pub unique: Option<bool>,
            /// Each element passes this. An empty list does not, unless `count` stands beside it.
            pub each: Option<Box<Check>>,
            /// At least one element passes this.
            pub some: Option<Box<Check>>,
            /// This must not pass.
            pub not: Option<Box<Check>>,
            /// At least one of these passes.
            pub any_of: Vec<Check>,
            $($(#[$doc])* pub $field: $kind,)*
        }
    };
}

checks! {
    /// Checks of a value; all that are given must pass.
    Check {}
}

checks! {
    /// What a step expects. Without `error`, the step must succeed. The checks beside it look at the step's value: a
    /// tool's structured content (its text where it has none), the items of a list, the parameters of a notification,
    /// and so on.
    Expect {
        /// The step must fail: `true`, the error's kind, or more about it.
        error: Option<ErrorExpect>,
        /// Checks of the text: of all text blocks, joined by line ends. A plain text must be contained.
        text: Option<PathCheck>,
        /// Checks of the text read as JSON.
        json: Option<PathCheck>,
        /// Checks of the whole result as it came.
        result: Option<PathCheck>,
        /// Checks of the whole JSON-RPC message as it came.
        message: Option<PathCheck>,
        /// How long it may take, as a class: `fast` (under 1 s), `normal` (under 10 s), `slow` (under 60 s).
        took: Option<Took>,
        /// How many progress notifications came before the answer; asks the server for progress.
        progress: Option<Count>,
    }
}

/// `key:` with nothing behind it is null, which is a value to expect.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

/// A class of durations; the bounds are generous so that a busy machine does not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Took {
    /// Under a second.
    Fast,
    /// Under ten seconds.
    Normal,
    /// Under a minute.
    Slow,
}

/// Checks, or a value that must be there exactly.
#[derive(Debug, Clone)]
pub enum PathCheck {
    /// A plain value.
    Is(Value),
    /// Checks.
    Passes(Box<Check>),
}

impl<'de> Deserialize<'de> for PathCheck {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = PathCheck;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, or checks such as `includes:`")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PathCheck, A::Error> {
                Check::deserialize(MapAccessDeserializer::new(map))
                    .map(|check| PathCheck::Passes(Box::new(check)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<PathCheck, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element::<Value>()? {
                    values.push(value);
                }
                Ok(PathCheck::Is(Value::Array(values)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<PathCheck, E> {
                Ok(PathCheck::Is(Value::from(text)))
            }

            fn visit_bool<E: Error>(self, truth: bool) -> Result<PathCheck, E> {
                Ok(PathCheck::Is(Value::from(truth)))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<PathCheck, E> {
                Ok(PathCheck::Is(Value::from(number)))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<PathCheck, E> {
                Ok(PathCheck::Is(Value::from(number)))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<PathCheck, E> {
                Ok(PathCheck::Is(Value::from(number)))
            }

            fn visit_unit<E: Error>(self) -> Result<PathCheck, E> {
                Ok(PathCheck::Is(Value::Null))
            }

            fn visit_none<E: Error>(self) -> Result<PathCheck, E> {
                Ok(PathCheck::Is(Value::Null))
            }
        }
        from.deserialize_any(Either)
    }
}

impl JsonSchema for PathCheck {
    fn schema_name() -> Cow<'static, str> {
        "ValueOrCheck".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let check = generator.subschema_for::<Check>();
        json_schema!({
            "description": "A value that must be there exactly, or checks of it. An object is always checks.",
            "anyOf": [{"type": ["string", "number", "boolean", "null", "array"]}, check]
        })
    }
}

/// A number, or bounds.
#[derive(Debug, Clone)]
pub enum Count {
    /// Exactly so many.
    Exactly(Amount),
    /// Between bounds; each may be missing.
    Between(Option<Amount>, Option<Amount>),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Bounds {
    at_least: Option<Amount>,
    at_most: Option<Amount>,
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or at_least and at_most")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Count, A::Error> {
                let bounds = Bounds::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Count::Between(bounds.at_least, bounds.at_most))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Count, E> {
                Ok(Count::Exactly(Amount::Fixed(number)))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Count, E> {
                u64::try_from(number)
                    .map(|number| Count::Exactly(Amount::Fixed(number)))
                    .map_err(|_| E::custom(format!("{number} is below zero")))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Count, E> {
                Amount::deserialize(StrDeserializer::new(text)).map(Count::Exactly)
            }
        }
        from.deserialize_any(Either)
    }
}

impl JsonSchema for Count {
    fn schema_name() -> Cow<'static, str> {
        "Count".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let amount = generator.subschema_for::<Amount>();
        let bounds = generator.subschema_for::<Bounds>();
        json_schema!({"anyOf": [amount, bounds]})
    }
}

/// What the error must be.
#[derive(Debug, Clone, Default)]
pub struct ErrorExpect {
    /// `tool`: an answer with `isError`; `protocol`: a JSON-RPC error; `transport`: the connection or the HTTP status.
    pub from: OneOrMany,
    /// A tool error's kind: its text up to the first colon, or `data.kind`.
    pub kind: Option<String>,
    /// The JSON-RPC error's code.
    pub code: Option<i64>,
    /// A pattern for its message or text.
    pub message: Option<String>,
    /// The HTTP status.
    pub status: Option<u64>,
    /// Checks of the JSON-RPC error's data.
    pub data: Option<PathCheck>,
    /// No error is fine too.
    pub optional: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ErrorFields {
    /// `tool`: an answer with `isError`; `protocol`: a JSON-RPC error; `transport`: the connection or the HTTP status.
    #[serde(default)]
    from: OneOrMany,
    /// A tool error's kind: its text up to the first colon, or `data.kind`.
    kind: Option<String>,
    /// The JSON-RPC error's code.
    #[serde(default, deserialize_with = "exact")]
    code: Option<i64>,
    /// A pattern for its message or text.
    message: Option<String>,
    /// The HTTP status.
    #[serde(default, deserialize_with = "exact")]
    status: Option<u64>,
    /// Checks of the JSON-RPC error's data.
    data: Option<PathCheck>,
    /// No error is fine too.
    #[serde(default, deserialize_with = "exact")]
    optional: bool,
}

impl<'de> Deserialize<'de> for ErrorExpect {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = ErrorExpect;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "true, an error's kind, or a map with from, kind, code, message, status, data",
                )
            }

            fn visit_bool<E: Error>(self, truth: bool) -> Result<ErrorExpect, E> {
                if truth {
                    Ok(ErrorExpect::default())
                } else {
                    Err(E::custom(
                        "a step must succeed unless it expects an error; leave `error` out",
                    ))
                }
            }

            fn visit_str<E: Error>(self, kind: &str) -> Result<ErrorExpect, E> {
                Ok(ErrorExpect {
                    kind: Some(kind.to_owned()),
                    ..ErrorExpect::default()
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ErrorExpect, A::Error> {
                let fields = ErrorFields::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ErrorExpect {
                    from: fields.from,
                    kind: fields.kind,
                    code: fields.code,
                    message: fields.message,
                    status: fields.status,
                    data: fields.data,
                    optional: fields.optional,
                })
            }
        }
        from.deserialize_any(Either)
    }
}

impl JsonSchema for ErrorExpect {
    fn schema_name() -> Cow<'static, str> {
        "ErrorExpect".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let fields = generator.subschema_for::<ErrorFields>();
        json_schema!({"anyOf": [{"const": true}, {"type": "string"}, fields]})
    }
}
