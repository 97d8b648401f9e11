//! JSON Schemas that come from callers.
//!
//! For: using them without trust. Not for: schemas of our own.

use super::Unmet;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// A JSON Schema, ready for use. Nothing outside it is looked up, and its patterns are bounded.
#[derive(Clone)]
pub struct Schema {
    validator: Arc<jsonschema::Validator>,
}

/// A JSON Schema that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the JSON Schema can't be used: {why}; references may only lead into the schema itself")]
pub struct BadSchema {
    why: String,
}

/// Steps back that a pattern may take at one text.
const BACKTRACKS: usize = 100_000;
/// How much of a message is repeated: it may hold all of the answer.
const SHOWN: usize = 300;

impl Schema {
    /// Reads it.
    ///
    /// # Errors
    /// No JSON Schema, or one that leads elsewhere.
    pub fn new(schema: &Value) -> Result<Schema, BadSchema> {
        let patterns = jsonschema::PatternOptions::fancy_regex().backtrack_limit(BACKTRACKS);
        let validator = jsonschema::options()
            .offline()
            .with_pattern_options(patterns)
            .build(schema)
            .map_err(|error| BadSchema {
                why: shortened(&error.to_string()),
            })?;
        Ok(Schema {
            validator: Arc::new(validator),
        })
    }

    pub(super) fn judge(&self, value: &Value) -> Result<(), Unmet> {
        self.validator.validate(value).map_err(|error| {
            let at = error.instance_path().as_str();
            Unmet::Schema {
                at: if at.is_empty() { "/" } else { at }.to_owned(),
                why: shortened(&error.to_string()),
            }
        })
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Schema")
    }
}

/// The beginning, for messages.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
