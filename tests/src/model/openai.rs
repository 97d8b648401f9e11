//! OpenAI's Responses, as Codex speaks them.

use super::wire::event;
use super::{Stand, Step, Turn, text_of};
use serde_json::{Value, json};

/// Reads the conversation.
pub(super) fn stand(body: &Value) -> Stand {
    let mut prompts = String::new();
    let mut results = Vec::new();
    for item in body["input"].as_array().into_iter().flatten() {
        match item["type"].as_str() {
            Some("function_call_output") => results.push(text_of(&item["output"])),
            Some("message") if item["role"] == "user" => {
                prompts.push_str(&text_of(&item["content"]));
                prompts.push('\n');
                results.clear();
            }
            _ => {}
        }
    }
    let tools = body["tools"]
        .as_array()
        .is_some_and(|tools| !tools.is_empty());
    Stand {
        prompts,
        results,
        tools,
    }
}

/// The stream that answers a request. A tool `mcp__server__name` is called in the namespace that has it.
pub(super) fn events(turn: &Turn, number: usize, body: &Value) -> String {
    let id = format!("resp_{number:04}");
    let item = match &turn.step {
        Step::Call { tool, arguments } => {
            let mut item = json!({
                "type": "function_call", "id": format!("fc_{number:04}"), "call_id": format!("call_{number:04}"),
                "name": tool, "arguments": arguments.to_string(), "status": "completed",
            });
            if let Some((space, name)) = namespace(body, tool) {
                item["namespace"] = json!(space);
                item["name"] = json!(name);
            }
            item
        }
        Step::Say(text) => json!({
            "type": "message", "id": format!("msg_{number:04}"), "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": text, "annotations": []}],
        }),
    };
    let usage = json!({
        "input_tokens": 10, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 15,
    });
    [
        json!({"type": "response.created", "response": {"id": id, "status": "in_progress", "output": []}}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": item}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
        json!({"type": "response.completed", "response": {"id": id, "status": "completed", "output": [item], "usage": usage}}),
    ]
    .iter()
    .map(event)
    .collect()
}

fn namespace<'a>(body: &'a Value, tool: &str) -> Option<(&'a str, &'a str)> {
    let spaces = body["tools"].as_array()?.iter();
    spaces
        .filter(|space| space["type"] == "namespace")
        .find_map(|space| {
            let name = space["name"].as_str()?;
            let tools = space["tools"].as_array()?.iter();
            tools
                .filter_map(|one| one["name"].as_str())
                .find(|one| tool == *one || tool == format!("{name}__{one}"))
                .map(|one| (name, one))
        })
}
