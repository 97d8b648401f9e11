//! A chat as a request.

use super::decode::OURS;
use crate::chat::{Chat, Image, Kept, Message, Output, Part, Reasoning, Role, ToolChoice};
use crate::failure::{Failure, FailureKind};
use crate::wire::{Encoded, Mode, Wire, errors, object, put, told};
use serde_json::{Value, json};

pub(in crate::wire) fn encode(chat: &Chat, mode: Mode) -> Result<Encoded, Failure> {
    let verb = match mode {
        Mode::Plain => "generateContent",
        Mode::Stream => "streamGenerateContent?alt=sse",
    };
    Ok(Encoded::new(path(&chat.model, verb)?, &body(chat)?))
}

pub(in crate::wire) fn encode_count(chat: &Chat) -> Result<Encoded, Failure> {
    let mut request = body(chat)?;
    request["model"] = json!(resource(&chat.model));
    let body = json!({"generateContentRequest": request});
    Ok(Encoded::new(path(&chat.model, "countTokens")?, &body))
}

fn resource(model: &str) -> String {
    if model.contains('/') {
        model.to_owned()
    } else {
        format!("models/{model}")
    }
}

/// The model stands in the path here, so nothing may be in its name that means something there.
fn path(model: &str, verb: &str) -> Result<String, Failure> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_./@".contains(c);
    if model.is_empty() || !model.chars().all(fine) || model.contains("..") {
        let message = format!("{model:?} can't be the name of a Gemini model");
        return Err(Failure::new(FailureKind::NoSuchModel, message));
    }
    Ok(format!("/{}:{verb}", resource(model)))
}

fn body(chat: &Chat) -> Result<Value, Failure> {
    let contents = chat.messages.iter().map(|message| content(message, chat));
    let mut body = json!({"contents": contents.collect::<Result<Vec<_>, _>>()?});
    if !chat.system.is_empty() {
        let parts: Vec<Value> = chat
            .system
            .iter()
            .map(|text| json!({"text": text}))
            .collect();
        body["systemInstruction"] = json!({"parts": parts});
    }
    if !chat.tools.is_empty() {
        if chat.parallel_tools == Some(false) {
            return Err(errors::unsupported(Wire::Gemini, "one tool at a time"));
        }
        let tools = chat.tools.iter().map(|tool| {
            json!({
                "name": tool.name,
                "description": tool.description,
                "parametersJsonSchema": tool.parameters,
            })
        });
        body["tools"] = json!([{"functionDeclarations": tools.collect::<Vec<_>>()}]);
        let calling = match &chat.tool_choice {
            ToolChoice::Auto => json!({"mode": "AUTO"}),
            ToolChoice::None => json!({"mode": "NONE"}),
            ToolChoice::Any => json!({"mode": "ANY"}),
            ToolChoice::Named(name) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
        };
        body["toolConfig"] = json!({"functionCallingConfig": calling});
    }
    let config = config(chat);
    if config.as_object().is_some_and(|config| !config.is_empty()) {
        body["generationConfig"] = config;
    }
    Ok(body)
}

fn config(chat: &Chat) -> Value {
    let (mut config, sampling) = (json!({}), &chat.sampling);
    put(&mut config, "maxOutputTokens", chat.max_output);
    put(&mut config, "temperature", sampling.temperature);
    put(&mut config, "topP", sampling.top_p);
    put(&mut config, "topK", sampling.top_k);
    put(&mut config, "seed", sampling.seed);
    put(&mut config, "frequencyPenalty", sampling.frequency_penalty);
    put(&mut config, "presencePenalty", sampling.presence_penalty);
    if !sampling.stop.is_empty() {
        config["stopSequences"] = json!(sampling.stop);
    }
    match &chat.output {
        Output::Text => {}
        Output::Json => config["responseMimeType"] = json!("application/json"),
        Output::Schema { schema, .. } => {
            config["responseMimeType"] = json!("application/json");
            config["responseJsonSchema"] = schema.clone();
        }
    }
    if let Some(reasoning) = chat.reasoning {
        config["thinkingConfig"] = thinking(&chat.model, reasoning);
    }
    config
}

/// Models before the third take a number of tokens, those since a level.
fn thinking(model: &str, reasoning: Reasoning) -> Value {
    let numbers = model.contains("gemini-2") || model.contains("gemini-1");
    let (level, tokens) = match reasoning {
        // The newer can't be told to think not at all.
        Reasoning::Off => ("MINIMAL", 0),
        Reasoning::Minimal => ("MINIMAL", 512),
        Reasoning::Low => ("LOW", 1_024),
        Reasoning::Medium => ("MEDIUM", 8_192),
        Reasoning::High => ("HIGH", 24_576),
        Reasoning::Budget(tokens) => {
            return json!({"thinkingBudget": tokens, "includeThoughts": true});
        }
    };
    let mut config = json!({"includeThoughts": reasoning != Reasoning::Off});
    if numbers {
        config["thinkingBudget"] = json!(tokens);
    } else {
        config["thinkingLevel"] = json!(level);
    }
    config
}

fn content(message: &Message, chat: &Chat) -> Result<Value, Failure> {
    let mut parts = Vec::new();
    for part in &message.parts {
        self::part(part, chat, &mut parts)?;
    }
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "model",
    };
    Ok(json!({"role": role, "parts": parts}))
}

fn part(part: &Part, chat: &Chat, out: &mut Vec<Value>) -> Result<(), Failure> {
    match part {
        Part::Text { text, kept } => out.push(signed(json!({"text": text}), kept.as_ref())),
        Part::Refusal { text } => out.push(json!({"text": text})),
        Part::Image(image) => out.push(picture(image)?),
        Part::Thinking { text, kept } => {
            let kept = kept.as_ref().filter(|kept| kept.wire == Wire::Gemini);
            if kept.is_some() {
                let mut thought = json!({"text": text});
                put(&mut thought, "thought", (!text.is_empty()).then_some(true));
                out.push(signed(thought, kept));
            }
        }
        Part::ToolCall {
            id,
            name,
            arguments,
            kept,
        } => {
            let mut call = json!({"name": name, "args": object(name, arguments)?});
            put(&mut call, "id", theirs(id));
            out.push(signed(json!({"functionCall": call}), kept.as_ref()));
        }
        Part::ToolResult {
            id,
            name,
            parts,
            is_error,
        } => {
            let (said, mut pictures) = told(Wire::Gemini, parts, picture)?;
            let field = if *is_error { "error" } else { "output" };
            let mut response = json!({"name": called(id, name, chat)?});
            response["response"] = json!({field: said});
            put(&mut response, "id", theirs(id));
            out.push(json!({"functionResponse": response}));
            out.append(&mut pictures);
        }
    }
    Ok(())
}

fn signed(mut part: Value, kept: Option<&Kept>) -> Value {
    let kept = kept.filter(|kept| kept.wire == Wire::Gemini);
    put(
        &mut part,
        "thoughtSignature",
        kept.map(|kept| kept.payload.as_str()),
    );
    part
}

/// An id that the provider gave; one of ours would mean nothing to it.
fn theirs(id: &str) -> Option<&str> {
    (!id.starts_with(OURS)).then_some(id)
}

/// The wire wants a result to name its tool.
fn called<'c>(id: &str, name: &'c str, chat: &'c Chat) -> Result<&'c str, Failure> {
    if !name.is_empty() {
        return Ok(name);
    }
    let parts = chat.messages.iter().flat_map(|message| &message.parts);
    let mut calls = parts.filter_map(|part| match part {
        Part::ToolCall {
            id: known, name, ..
        } if known == id => Some(name.as_str()),
        _ => None,
    });
    calls.next_back().ok_or_else(|| {
        let message = format!("the tool result {id} belongs to no call in the conversation");
        Failure::new(FailureKind::BadRequest, message)
    })
}

fn picture(image: &Image) -> Result<Value, Failure> {
    match image {
        Image::Inline { media_type, data } => {
            Ok(json!({"inlineData": {"mimeType": media_type, "data": data}}))
        }
        Image::Url { .. } => Err(errors::unsupported(
            Wire::Gemini,
            "picture by its address (send the picture itself)",
        )),
    }
}
