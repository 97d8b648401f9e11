//! A chat as a request.

use crate::chat::{
    Chat, Form, Image, Message, Output, Part, Reasoning, Role, ToolChoice, ToolSpec,
};
use crate::failure::Failure;
use crate::wire::{Encoded, Mode, Wire, errors, object, put};
use serde_json::{Value, json};

/// The wire wants a number; this is what the newer models all allow.
const MOST_OUTPUT: u64 = 8_192;
/// The wire has JSON of a schema, and no JSON without one.
const JSON_ONLY: &str =
    "Answer with one JSON value and nothing else: no words around it, no code fence.";

pub(in crate::wire) fn encode(chat: &Chat, mode: Mode) -> Result<Encoded, Failure> {
    let mut body = common(chat)?;
    let budget = match chat.reasoning {
        Some(Reasoning::Budget(tokens)) => tokens,
        _ => 0,
    };
    // A budget of thoughts is a part of the output and must be less.
    let most = chat.max_output.unwrap_or(MOST_OUTPUT + budget);
    body["max_tokens"] = json!(most);
    if mode == Mode::Stream {
        body["stream"] = json!(true);
    }
    let sampling = &chat.sampling;
    for (what, given) in [
        ("seed", sampling.seed.is_some()),
        ("frequency_penalty", sampling.frequency_penalty.is_some()),
        ("presence_penalty", sampling.presence_penalty.is_some()),
    ] {
        if given {
            return Err(errors::unsupported(Wire::Anthropic, what));
        }
    }
    put(&mut body, "temperature", sampling.temperature);
    put(&mut body, "top_p", sampling.top_p);
    put(&mut body, "top_k", sampling.top_k);
    if !sampling.stop.is_empty() {
        body["stop_sequences"] = json!(sampling.stop);
    }
    if let Some(user) = &chat.user {
        body["metadata"] = json!({"user_id": user});
    }
    Ok(request("/v1/messages", &body))
}

pub(in crate::wire) fn encode_count(chat: &Chat) -> Result<Encoded, Failure> {
    Ok(request("/v1/messages/count_tokens", &common(chat)?))
}

fn request(path: &str, body: &Value) -> Encoded {
    let mut request = Encoded::new(path.to_owned(), body);
    request.headers.push(("anthropic-version", "2023-06-01"));
    request
}

/// What counting wants too.
fn common(chat: &Chat) -> Result<Value, Failure> {
    let messages = chat.messages.iter().map(message);
    let messages = messages.collect::<Result<Vec<_>, _>>()?;
    let mut body = json!({"model": chat.model, "messages": messages});
    let mut system: Vec<&str> = chat.system.iter().map(String::as_str).collect();
    let mut output = json!({});
    match &chat.output {
        Output::Text => {}
        Output::Json => system.push(JSON_ONLY),
        Output::Schema { schema, .. } => {
            output["format"] = json!({"type": "json_schema", "schema": schema});
        }
    }
    match system.as_slice() {
        [] => {}
        [only] => body["system"] = json!(only),
        several => {
            let block = |text: &&str| json!({"type": "text", "text": text});
            body["system"] = several.iter().map(block).collect();
        }
    }
    if !chat.tools.is_empty() {
        body["tools"] = chat.tools.iter().map(tool).collect();
        body["tool_choice"] = match &chat.tool_choice {
            ToolChoice::Auto => json!({"type": "auto"}),
            ToolChoice::None => json!({"type": "none"}),
            ToolChoice::Any => json!({"type": "any"}),
            ToolChoice::Named(name) => json!({"type": "tool", "name": name}),
        };
        if chat.tool_choice != ToolChoice::None {
            let alone = chat.parallel_tools.map(|several| !several);
            put(&mut body["tool_choice"], "disable_parallel_tool_use", alone);
        }
    }
    let effort = match chat.reasoning {
        None => None,
        Some(Reasoning::Off) => {
            body["thinking"] = json!({"type": "disabled"});
            None
        }
        Some(Reasoning::Budget(tokens)) => {
            body["thinking"] = json!({"type": "enabled", "budget_tokens": tokens});
            None
        }
        Some(Reasoning::Minimal | Reasoning::Low) => Some("low"),
        Some(Reasoning::Medium) => Some("medium"),
        Some(Reasoning::High) => Some("high"),
    };
    if effort.is_some() {
        body["thinking"] = json!({"type": "adaptive"});
        put(&mut output, "effort", effort);
    }
    if output.as_object().is_some_and(|output| !output.is_empty()) {
        body["output_config"] = output;
    }
    Ok(body)
}

fn tool(tool: &ToolSpec) -> Value {
    let mut whole = json!({
        "name": tool.name,
        "description": tool.description,
        "input_schema": tool.parameters,
    });
    put(&mut whole, "strict", tool.strict);
    whole
}

fn message(message: &Message) -> Result<Value, Failure> {
    let mut content = Vec::new();
    // Results must come first in their message.
    let (results, others): (Vec<&Part>, Vec<&Part>) = message
        .parts
        .iter()
        .partition(|part| matches!(part, Part::ToolResult { .. }));
    for part in results.into_iter().chain(others) {
        content.extend(block(part)?);
    }
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    Ok(json!({"role": role, "content": content}))
}

fn block(part: &Part) -> Result<Option<Value>, Failure> {
    Ok(Some(match part {
        // Empty texts are refused.
        Part::Text { text, .. } if text.is_empty() => return Ok(None),
        Part::Text { text, .. } | Part::Refusal { text } => json!({"type": "text", "text": text}),
        Part::Image(image) => picture(image),
        Part::Thinking { text, kept } => {
            let kept = kept.as_ref().filter(|kept| kept.wire == Wire::Anthropic);
            match kept.map(|kept| (kept.form, &kept.payload)) {
                Some((Form::Signature, signature)) => {
                    json!({"type": "thinking", "thinking": text, "signature": signature})
                }
                Some((Form::Redacted, data)) => json!({"type": "redacted_thinking", "data": data}),
                // Another's thoughts: nobody here could check them.
                _ => return Ok(None),
            }
        }
        Part::ToolCall {
            id,
            name,
            arguments,
            ..
        } => {
            let input = object(name, arguments)?;
            json!({"type": "tool_use", "id": id, "name": name, "input": input})
        }
        Part::ToolResult {
            id,
            parts,
            is_error,
            ..
        } => {
            let mut content = Vec::new();
            for part in parts {
                match part {
                    Part::Text { .. } | Part::Image(_) => content.extend(block(part)?),
                    other => {
                        let what = format!("{} in a tool result", other.kind());
                        return Err(errors::unsupported(Wire::Anthropic, &what));
                    }
                }
            }
            let mut whole = json!({"type": "tool_result", "tool_use_id": id, "content": content});
            put(&mut whole, "is_error", is_error.then_some(true));
            whole
        }
    }))
}

fn picture(image: &Image) -> Value {
    let source = match image {
        Image::Inline { media_type, data } => {
            json!({"type": "base64", "media_type": media_type, "data": data})
        }
        Image::Url { url } => json!({"type": "url", "url": url}),
    };
    json!({"type": "image", "source": source})
}
