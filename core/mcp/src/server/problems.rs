//! What clients would not take of an offer.
//!
//! For: a test of each server that wants no problems. Not for: run time.

use rmcp::model::JsonObject;
use serde_json::json;

use super::Served;

const MAX_TOOLS: usize = 12;
const MAX_LIST_TOKENS: usize = 2_500;
const MAX_INSTRUCTION_BYTES: usize = 2_048;

impl Served {
    /// What is wrong with what this server offers, for a test that wants none: too many tools, too long a
    /// list, names clients cannot use, schemas they do not take.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut demand = |holds: bool, problem: String| {
            if !holds {
                found.push(problem);
            }
        };
        let tokens = self.token_estimate();
        demand(
            self.tools.len() <= MAX_TOOLS,
            format!("{} tools; at most {MAX_TOOLS}", self.tools.len()),
        );
        demand(
            tokens <= MAX_LIST_TOKENS,
            format!("the tool list has {tokens} tokens; at most {MAX_LIST_TOKENS}"),
        );
        let instructions = self.spec.instructions.len();
        demand(
            instructions <= MAX_INSTRUCTION_BYTES,
            format!("the instructions have {instructions} bytes; at most {MAX_INSTRUCTION_BYTES}"),
        );
        let names: Vec<&str> = self.tool_names();
        for (position, facts) in self.tools().enumerate() {
            let name = facts.name;
            demand(
                is_plain_name(name),
                format!("{name}: the name is not of [a-z0-9_]"),
            );
            demand(
                !names[..position].contains(&name),
                format!("{name}: is offered twice"),
            );
            let output = facts.output_schema.iter().map(|schema| ("output", schema));
            for (side, schema) in output.chain([("input", &facts.input_schema)]) {
                demand(
                    is_plain_object(schema),
                    format!("{name}: the {side} schema's root is not a plain object"),
                );
            }
        }
        for name in self
            .resources
            .iter()
            .map(|entry| entry.name)
            .chain(self.prompts.iter().map(|entry| entry.name))
        {
            demand(
                is_plain_name(name),
                format!("{name}: the name is not of [a-z0-9_]"),
            );
        }
        found
    }
}

fn is_plain_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    !name.is_empty() && name.len() <= 48 && name.chars().all(fits)
}

fn is_plain_object(schema: &JsonObject) -> bool {
    let composed = ["anyOf", "oneOf", "allOf", "$ref"];
    schema.get("type") == Some(&json!("object"))
        && composed.iter().all(|key| !schema.contains_key(*key))
}
