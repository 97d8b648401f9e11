//! A chat as a request.

use crate::chat::{Chat, Image, Message, Output, Part, Reasoning, Role, ToolChoice};
use crate::failure::Failure;
use crate::wire::{Encoded, Mode, Wire, errors, object, outcome, put, told};
use serde_json::{Value, json};

pub(in crate::wire) fn encode(chat: &Chat, mode: Mode) -> Result<Encoded, Failure> {
    let system = chat.system.iter();
    let mut messages: Vec<Value> = system
        .map(|text| json!({"role": "system", "content": text}))
        .collect();
    for message in &chat.messages {
        self::message(message, chat, &mut messages)?;
    }
    // Without the word it streams.
    let mut body = json!({
        "model": chat.model,
        "messages": messages,
        "stream": mode == Mode::Stream,
    });
    match &chat.tool_choice {
        ToolChoice::Auto if !chat.tools.is_empty() => {
            if chat.parallel_tools == Some(false) {
                return Err(errors::unsupported(Wire::Ollama, "one tool at a time"));
            }
            let tools = chat.tools.iter().map(|tool| {
                let function = json!({
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                });
                json!({"type": "function", "function": function})
            });
            body["tools"] = tools.collect();
        }
        // None is meant to be called, so none is offered.
        ToolChoice::Auto | ToolChoice::None => {}
        ToolChoice::Any | ToolChoice::Named(_) => {
            return Err(errors::unsupported(
                Wire::Ollama,
                "way to force a tool call",
            ));
        }
    }
    match &chat.output {
        Output::Text => {}
        Output::Json => body["format"] = json!("json"),
        Output::Schema { schema, .. } => body["format"] = schema.clone(),
    }
    if let Some(reasoning) = chat.reasoning {
        body["think"] = think(&chat.model, reasoning)?;
    }
    let options = options(chat);
    if options
        .as_object()
        .is_some_and(|options| !options.is_empty())
    {
        body["options"] = options;
    }
    Ok(Encoded::new("/api/chat".to_owned(), &body))
}

/// Levels are known to gpt-oss only; the others think or don't.
fn think(model: &str, reasoning: Reasoning) -> Result<Value, Failure> {
    let levels = model.contains("gpt-oss");
    Ok(match reasoning {
        Reasoning::Off => json!(false),
        Reasoning::Budget(_) => {
            return Err(errors::unsupported(
                Wire::Ollama,
                "budget of reasoning tokens",
            ));
        }
        _ if !levels => json!(true),
        Reasoning::Minimal | Reasoning::Low => json!("low"),
        Reasoning::Medium => json!("medium"),
        Reasoning::High => json!("high"),
    })
}

fn options(chat: &Chat) -> Value {
    let (mut options, sampling) = (json!({}), &chat.sampling);
    put(&mut options, "num_predict", chat.max_output);
    put(&mut options, "temperature", sampling.temperature);
    put(&mut options, "top_p", sampling.top_p);
    put(&mut options, "top_k", sampling.top_k);
    put(&mut options, "seed", sampling.seed);
    put(
        &mut options,
        "frequency_penalty",
        sampling.frequency_penalty,
    );
    put(&mut options, "presence_penalty", sampling.presence_penalty);
    if !sampling.stop.is_empty() {
        options["stop"] = json!(sampling.stop);
    }
    options
}

fn message(message: &Message, chat: &Chat, out: &mut Vec<Value>) -> Result<(), Failure> {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let (mut said, mut pictures, mut calls) = (String::new(), Vec::new(), Vec::new());
    for part in &message.parts {
        match part {
            Part::Text { text, .. } | Part::Refusal { text } => said.push_str(text),
            Part::Image(image) => pictures.push(picture(image)?),
            // The model does without its former thoughts, and others' would be no help.
            Part::Thinking { .. } => {}
            Part::ToolCall {
                name, arguments, ..
            } => {
                let arguments = object(name, arguments)?;
                calls.push(json!({"function": {"name": name, "arguments": arguments}}));
            }
            Part::ToolResult {
                id,
                name,
                parts,
                is_error,
            } => {
                let told = told(Wire::Ollama, parts, picture)?;
                let said = (outcome(told.0, *is_error), told.1);
                out.push(result(id, name, said, chat));
            }
        }
    }
    if said.is_empty() && pictures.is_empty() && calls.is_empty() {
        return Ok(());
    }
    let mut whole = json!({"role": role, "content": said});
    put(
        &mut whole,
        "images",
        (!pictures.is_empty()).then_some(pictures),
    );
    put(
        &mut whole,
        "tool_calls",
        (!calls.is_empty()).then_some(calls),
    );
    out.push(whole);
    Ok(())
}

fn result(id: &str, name: &str, (said, pictures): (String, Vec<String>), chat: &Chat) -> Value {
    let mut whole = json!({"role": "tool", "content": said});
    let called = chat.messages.iter().flat_map(|message| &message.parts);
    let mut called = called.filter_map(|part| match part {
        Part::ToolCall {
            id: known, name, ..
        } if known == id => Some(name.as_str()),
        _ => None,
    });
    let name = Some(name)
        .filter(|name| !name.is_empty())
        .or_else(|| called.next_back());
    put(&mut whole, "tool_name", name);
    put(
        &mut whole,
        "images",
        (!pictures.is_empty()).then_some(pictures),
    );
    whole
}

fn picture(image: &Image) -> Result<String, Failure> {
    match image {
        Image::Inline { data, .. } => Ok(data.clone()),
        Image::Url { .. } => Err(errors::unsupported(
            Wire::Ollama,
            "picture by its address (send the picture itself)",
        )),
    }
}
