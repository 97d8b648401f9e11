//! Anthropic's Messages, as Claude Code speaks them.

use super::wire::event;
use super::{Stand, Step, Turn, text_of};
use serde_json::{Value, json};

/// Reads the conversation.
pub(super) fn stand(body: &Value) -> Stand {
    let mut prompts = String::new();
    let mut results = Vec::new();
    for message in body["messages"].as_array().into_iter().flatten() {
        if message["role"] != "user" {
            continue;
        }
        let blocks = message["content"].as_array().into_iter().flatten();
        let given: Vec<String> = blocks
            .filter(|block| block["type"] == "tool_result")
            .map(|block| text_of(&block["content"]))
            .collect();
        if given.is_empty() {
            // Blocks of the client's own beside a result are no prompt.
            prompts.push_str(&text_of(&message["content"]));
            prompts.push('\n');
            results.clear();
        } else {
            results.extend(given);
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

/// The stream that answers a request.
pub(super) fn events(turn: &Turn, number: usize, body: &Value) -> String {
    let (block, delta, why) = match &turn.step {
        Step::Call { tool, arguments } => (
            json!({"type": "tool_use", "id": format!("toolu_{number:04}"), "name": tool, "input": {}}),
            json!({"type": "input_json_delta", "partial_json": arguments.to_string()}),
            "tool_use",
        ),
        Step::Say(text) => (
            json!({"type": "text", "text": ""}),
            json!({"type": "text_delta", "text": text}),
            "end_turn",
        ),
    };
    let mut usage = json!({"input_tokens": 10, "output_tokens": 5});
    if turn.usage.is_object() {
        usage = turn.usage.clone();
    }
    let output = usage["output_tokens"].take();
    usage["output_tokens"] = json!(1);
    let message = json!({
        "id": format!("msg_{number:04}"), "type": "message", "role": "assistant", "model": body["model"], "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage,
    });
    [
        json!({"type": "message_start", "message": message}),
        json!({"type": "content_block_start", "index": 0, "content_block": block}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": why, "stop_sequence": null}, "usage": {"output_tokens": output}}),
        json!({"type": "message_stop"}),
    ]
    .iter()
    .map(event)
    .collect()
}
