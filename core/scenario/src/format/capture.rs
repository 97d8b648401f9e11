//! What a step keeps.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;

/// What to keep: a JSON path into the step's value, or more.
#[derive(Debug, Clone)]
pub struct Capture {
    /// Where to look.
    pub from: CaptureFrom,
    /// A JSON path there.
    pub path: Option<String>,
    /// A pattern in the text there; its first group is kept.
    pub matches: Option<String>,
}

/// Where a capture looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CaptureFrom {
    /// The step's value.
    #[default]
    Value,
    /// Its text.
    Text,
    /// Its text read as JSON.
    Json,
    /// The whole result.
    Result,
    /// The whole message.
    Message,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CaptureFields {
    /// Where to look: `value` unless given.
    #[serde(default)]
    from: CaptureFrom,
    /// A JSON path there.
    path: Option<String>,
    /// A pattern in the text there; its first group is kept.
    matches: Option<String>,
}

impl<'de> Deserialize<'de> for Capture {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Capture;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON path, or a map with from, path, matches")
            }

            fn visit_str<E: Error>(self, path: &str) -> Result<Capture, E> {
                Ok(Capture {
                    from: CaptureFrom::Value,
                    path: Some(path.to_owned()),
                    matches: None,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Capture, A::Error> {
                let fields = CaptureFields::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Capture {
                    from: fields.from,
                    path: fields.path,
                    matches: fields.matches,
                })
            }
        }
        from.deserialize_any(Either)
    }
}

impl JsonSchema for Capture {
    fn schema_name() -> Cow<'static, str> {
        "Capture".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let fields = generator.subschema_for::<CaptureFields>();
        json_schema!({"anyOf": [{"type": "string"}, fields]})
    }
}
