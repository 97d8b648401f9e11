//! OpenAI's chat completions, as a gateway asks them.

use super::{Stand, Step, Turn, text_of};
use serde_json::{Value, json};

/// Whether a request is one of these: as far as it offers tools, which is all that matters.
pub(super) fn is_it(body: &Value) -> bool {
    let mut tools = body["tools"].as_array().into_iter().flatten();
    tools.any(|tool| tool["function"].is_object())
}

/// Reads the conversation.
pub(super) fn stand(body: &Value) -> Stand {
    let mut prompts = String::new();
    let mut results = Vec::new();
    for message in body["messages"].as_array().into_iter().flatten() {
        match message["role"].as_str() {
            Some("tool") => results.push(text_of(&message["content"])),
            Some("user") => {
                prompts.push_str(&text_of(&message["content"]));
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

/// The stream that answers a request.
pub(super) fn events(turn: &Turn, number: usize, body: &Value) -> String {
    let piece = |choices: Value, usage: Value| {
        let piece = json!({
            "id": format!("chatcmpl-{number:04}"), "object": "chat.completion.chunk", "created": 1,
            "model": body["model"], "choices": choices, "usage": usage,
        });
        format!("data: {piece}\n\n")
    };
    let choice =
        |delta: Value, why: Value| json!([{"index": 0, "delta": delta, "finish_reason": why}]);
    let (delta, why) = match &turn.step {
        Step::Call { tool, arguments } => {
            let call = json!({
                "index": 0, "id": format!("call_{number:04}"), "type": "function",
                "function": {"name": tool, "arguments": arguments.to_string()},
            });
            (
                json!({"role": "assistant", "content": null, "tool_calls": [call]}),
                "tool_calls",
            )
        }
        Step::Say(text) => (json!({"role": "assistant", "content": text}), "stop"),
    };
    let usage = json!({
        "prompt_tokens": 1_000, "completion_tokens": 20, "total_tokens": 1_020,
        "prompt_tokens_details": {"cached_tokens": 600},
        "completion_tokens_details": {"reasoning_tokens": 5},
    });
    [
        piece(choice(delta, Value::Null), Value::Null),
        piece(choice(json!({}), json!(why)), Value::Null),
        piece(json!([]), usage),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat()
}
