//! A chat as a request.

use crate::chat::{Chat, Form, Image, Message, Output, Part, Reasoning, Role, ToolChoice};
use crate::failure::Failure;
use crate::wire::{Encoded, Mode, Wire, errors, outcome, put};
use serde_json::{Value, json};

pub(in crate::wire) fn encode(chat: &Chat, mode: Mode) -> Result<Encoded, Failure> {
    let mut body = json!({"model": chat.model, "messages": messages(chat)?});
    if mode == Mode::Stream {
        body["stream"] = json!(true);
        body["stream_options"] = json!({"include_usage": true});
    }
    if !chat.tools.is_empty() {
        body["tools"] = chat.tools.iter().map(tool).collect();
        body["tool_choice"] = match &chat.tool_choice {
            ToolChoice::Auto => json!("auto"),
            ToolChoice::None => json!("none"),
            ToolChoice::Any => json!("required"),
            ToolChoice::Named(name) => json!({"type": "function", "function": {"name": name}}),
        };
        put(&mut body, "parallel_tool_calls", chat.parallel_tools);
    }
    match &chat.output {
        Output::Text => {}
        Output::Json => body["response_format"] = json!({"type": "json_object"}),
        Output::Schema { name, schema } => {
            body["response_format"] = json!({
                "type": "json_schema",
                "json_schema": {"name": name, "schema": schema, "strict": true},
            });
        }
    }
    let sampling = &chat.sampling;
    if sampling.top_k.is_some() {
        return Err(errors::unsupported(Wire::OpenAi, "top_k"));
    }
    put(&mut body, most_name(&chat.model), chat.max_output);
    put(&mut body, "temperature", sampling.temperature);
    put(&mut body, "top_p", sampling.top_p);
    put(&mut body, "seed", sampling.seed);
    put(&mut body, "frequency_penalty", sampling.frequency_penalty);
    put(&mut body, "presence_penalty", sampling.presence_penalty);
    if !sampling.stop.is_empty() {
        body["stop"] = json!(sampling.stop);
    }
    if let Some(reasoning) = chat.reasoning {
        body["reasoning_effort"] = json!(match reasoning {
            Reasoning::Off => "none",
            Reasoning::Minimal => "minimal",
            Reasoning::Low => "low",
            Reasoning::Medium => "medium",
            Reasoning::High => "high",
            Reasoning::Budget(_) =>
                return Err(errors::unsupported(
                    Wire::OpenAi,
                    "budget of reasoning tokens"
                )),
        });
    }
    put(&mut body, "user", chat.user.clone());
    Ok(Encoded::new("/chat/completions".to_owned(), &body))
}

/// OpenAI's reasoning models refuse `max_tokens`; many who took the wire over know nothing else.
fn most_name(model: &str) -> &'static str {
    let name = model.rsplit('/').next().unwrap_or(model);
    let digit = |rest: Option<&str>, least: char| {
        rest.and_then(|rest| rest.chars().next())
            .is_some_and(|first| first.is_ascii_digit() && first >= least)
    };
    if digit(name.strip_prefix('o'), '1') || digit(name.strip_prefix("gpt-"), '5') {
        "max_completion_tokens"
    } else {
        "max_tokens"
    }
}

fn tool(tool: &crate::chat::ToolSpec) -> Value {
    let mut function = json!({
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    });
    put(&mut function, "strict", tool.strict);
    json!({"type": "function", "function": function})
}

fn messages(chat: &Chat) -> Result<Vec<Value>, Failure> {
    let system = chat.system.iter();
    let mut messages: Vec<Value> = system
        .map(|text| json!({"role": "system", "content": text}))
        .collect();
    for message in &chat.messages {
        match message.role {
            Role::User => user(message, &mut messages)?,
            Role::Assistant => messages.push(assistant(message)?),
        }
    }
    Ok(messages)
}

/// Results go first, each as a message of its own; they hold no pictures, so those follow with the caller's words.
fn user(message: &Message, messages: &mut Vec<Value>) -> Result<(), Failure> {
    let mut content = Vec::new();
    for part in &message.parts {
        match part {
            Part::Text { text, .. } => content.push(json!({"type": "text", "text": text})),
            Part::Image(image) => content.push(picture(image)),
            Part::ToolResult {
                id,
                parts,
                is_error,
                ..
            } => {
                let mut said = String::new();
                for part in parts {
                    match part {
                        Part::Text { text, .. } => said.push_str(text),
                        Part::Image(image) => content.push(picture(image)),
                        other => {
                            let what = format!("{} in a tool result", other.kind());
                            return Err(errors::unsupported(Wire::OpenAi, &what));
                        }
                    }
                }
                let said = outcome(said, *is_error);
                messages.push(json!({"role": "tool", "tool_call_id": id, "content": said}));
            }
            other => {
                let what = format!("{} of the caller's", other.kind());
                return Err(errors::unsupported(Wire::OpenAi, &what));
            }
        }
    }
    match content.as_slice() {
        [] => {}
        [only] if only["type"] == "text" => {
            messages.push(json!({"role": "user", "content": only["text"]}));
        }
        _ => messages.push(json!({"role": "user", "content": content})),
    }
    Ok(())
}

fn picture(image: &Image) -> Value {
    let url = match image {
        Image::Inline { media_type, data } => format!("data:{media_type};base64,{data}"),
        Image::Url { url } => url.clone(),
    };
    json!({"type": "image_url", "image_url": {"url": url}})
}

fn assistant(message: &Message) -> Result<Value, Failure> {
    let (mut said, mut calls) = (String::new(), Vec::new());
    let mut whole = json!({"role": "assistant", "content": null});
    for part in &message.parts {
        match part {
            Part::Text { text, .. } => said.push_str(text),
            Part::Refusal { text } => whole["refusal"] = json!(text),
            Part::Thinking { text, kept } => {
                let field = kept.as_ref().filter(|kept| {
                    kept.form == Form::Field && kept.payload.starts_with("reasoning")
                });
                if let Some(field) = field {
                    whole[&field.payload] = json!(text);
                }
            }
            Part::ToolCall {
                id,
                name,
                arguments,
                ..
            } => {
                let arguments = if arguments.is_empty() {
                    "{}"
                } else {
                    arguments
                };
                let function = json!({"name": name, "arguments": arguments});
                calls.push(json!({"id": id, "type": "function", "function": function}));
            }
            Part::Image(_) | Part::ToolResult { .. } => {
                let what = format!("{} of the model's", part.kind());
                return Err(errors::unsupported(Wire::OpenAi, &what));
            }
        }
    }
    if !said.is_empty() || (calls.is_empty() && whole.get("refusal").is_none()) {
        whole["content"] = json!(said);
    }
    if !calls.is_empty() {
        whole["tool_calls"] = json!(calls);
    }
    Ok(whole)
}
