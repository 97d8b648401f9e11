//! A chat completion's body as a chat.
//!
//! Left out without a word, for it changes price, speed or bookkeeping and not what is asked: `service_tier` auto and
//! default, `prompt_cache_key`, `prompt_cache_retention`, `prediction`, `metadata`, and the `detail` of pictures.

use crate::chat::{
    Chat, Form, Image, Kept, Message, Output, Part, Reasoning, Role, ToolChoice, ToolSpec,
};
use crate::gateway::read::{Object, Unfit, parse, untranslatable, wrong};
use crate::gateway::{Asked, Style, late_system};
use crate::wire::{Mode, Wire};
use serde_json::{Value, json};

const KNOWN: &[&str] = &[
    "model",
    "messages",
    "stream",
    "stream_options",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "stop",
    "reasoning_effort",
    "user",
    "safety_identifier",
    "n",
    "logprobs",
    "logit_bias",
    "modalities",
    "store",
    "verbosity",
    "service_tier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prediction",
    "metadata",
];

pub(in crate::gateway) fn decode(body: &[u8]) -> Result<Asked, Unfit> {
    let value = parse(body)?;
    let body = Object::new(String::new(), &value)?;
    body.only(KNOWN)?;
    for (key, usual) in [
        ("n", vec![json!(1)]),
        ("logprobs", vec![json!(false)]),
        ("logit_bias", vec![json!({})]),
        ("modalities", vec![json!(["text"])]),
        ("store", vec![json!(false)]),
        ("verbosity", vec![json!("medium")]),
        ("service_tier", vec![json!("auto"), json!("default")]),
    ] {
        body.usual(key, &usual)?;
    }
    let mut chat = Chat {
        model: body.must_text("model")?.to_owned(),
        ..Chat::default()
    };
    body.must_list("messages")?;
    for message in body.objects("messages")? {
        self::message(&message, &mut chat)?;
    }
    for tool in body.objects("tools")? {
        chat.tools.push(self::tool(&tool)?);
    }
    chat.tool_choice = choice(&body)?;
    chat.parallel_tools = body.flag("parallel_tool_calls")?;
    if let Some(format) = body.object("response_format")? {
        chat.output = output(&format)?;
    }
    let most = body.count("max_completion_tokens")?;
    chat.max_output = most.or(body.count("max_tokens")?);
    chat.reasoning = effort(&body, "reasoning_effort")?;
    let user = body.text("safety_identifier")?;
    chat.user = user.or(body.text("user")?).map(str::to_owned);
    sampling(&body, &mut chat)?;
    let streams = body.flag("stream")?.unwrap_or(false);
    let mut usage = false;
    if let Some(options) = body.object("stream_options")? {
        options.only(&["include_usage", "include_obfuscation"])?;
        usage = options.flag("include_usage")?.unwrap_or(false);
    }
    Ok(Asked {
        chat,
        mode: if streams { Mode::Stream } else { Mode::Plain },
        style: Style::Completions { usage },
    })
}

fn sampling(body: &Object<'_>, chat: &mut Chat) -> Result<(), Unfit> {
    let sampling = &mut chat.sampling;
    sampling.temperature = body.number("temperature")?;
    sampling.top_p = body.number("top_p")?;
    sampling.top_k = body.count("top_k")?;
    sampling.seed = body.integer("seed")?;
    // Zero is no penalty, and some wires have no word for one.
    let penalty = |key| {
        let given = body.number(key)?;
        Ok::<_, Unfit>(given.filter(|penalty| *penalty != 0.0))
    };
    sampling.frequency_penalty = penalty("frequency_penalty")?;
    sampling.presence_penalty = penalty("presence_penalty")?;
    match body.get("stop") {
        None => {}
        Some(Value::String(stop)) => sampling.stop.push(stop.clone()),
        Some(_) => {
            for stop in body.list("stop")?.into_iter().flatten() {
                let stop = stop.as_str();
                let stop = stop.ok_or_else(|| wrong("stop", "must be a string or strings"))?;
                sampling.stop.push(stop.to_owned());
            }
        }
    }
    Ok(())
}

/// How much to think, in OpenAI's words.
pub(in crate::gateway) fn effort(body: &Object<'_>, key: &str) -> Result<Option<Reasoning>, Unfit> {
    Ok(match body.text(key)? {
        None => None,
        Some("none") => Some(Reasoning::Off),
        Some("minimal") => Some(Reasoning::Minimal),
        Some("low") => Some(Reasoning::Low),
        Some("medium") => Some(Reasoning::Medium),
        Some("high" | "xhigh") => Some(Reasoning::High),
        Some(other) => {
            let problem = format!("no effort is called {other:?}");
            return Err(wrong(&body.place(key), &problem));
        }
    })
}

fn message(message: &Object<'_>, chat: &mut Chat) -> Result<(), Unfit> {
    match message.must_text("role")? {
        "system" | "developer" => {
            message.only(&["role", "content"])?;
            for part in content(message)? {
                match part {
                    Part::Text { text, .. } => late_system(chat, text),
                    other => return Err(untranslatable(&message.at, other.kind())),
                }
            }
        }
        "user" => {
            message.only(&["role", "content"])?;
            chat.messages.push(Message {
                role: Role::User,
                parts: content(message)?,
            });
        }
        "assistant" => {
            let parts = assistant(message)?;
            chat.messages.push(Message::assistant(parts));
        }
        "tool" => {
            message.only(&["role", "content", "tool_call_id"])?;
            let result = Part::ToolResult {
                id: message.must_text("tool_call_id")?.to_owned(),
                name: String::new(),
                parts: content(message)?,
                is_error: false,
            };
            // The results of one turn are one message: some wires want them so.
            match chat.messages.last_mut() {
                Some(Message {
                    role: Role::User,
                    parts,
                }) if matches!(parts.last(), Some(Part::ToolResult { .. })) => parts.push(result),
                _ => chat.messages.push(Message {
                    role: Role::User,
                    parts: vec![result],
                }),
            }
        }
        "function" => return Err(untranslatable(&message.at, "the role function")),
        other => {
            let problem = format!("no role is called {other:?}");
            return Err(wrong(&message.place("role"), &problem));
        }
    }
    Ok(())
}

fn content(message: &Object<'_>) -> Result<Vec<Part>, Unfit> {
    if let Some(Value::String(text)) = message.get("content") {
        return Ok(vec![Part::text(text)]);
    }
    let mut parts = Vec::new();
    for piece in message.objects("content")? {
        parts.push(match piece.must_text("type")? {
            "text" => Part::text(piece.must_text("text")?),
            "refusal" => Part::Refusal {
                text: piece.must_text("refusal")?.to_owned(),
            },
            "image_url" => {
                let Some(picture) = piece.object("image_url")? else {
                    return Err(wrong(&piece.place("image_url"), "is required"));
                };
                Part::Image(image(&picture, "url")?)
            }
            other => return Err(untranslatable(&piece.at, other)),
        });
    }
    Ok(parts)
}

/// A picture by its address, which may hold the picture itself.
pub(in crate::gateway) fn image(object: &Object<'_>, key: &str) -> Result<Image, Unfit> {
    let url = object.must_text(key)?;
    let Some(rest) = url.strip_prefix("data:") else {
        return Ok(Image::Url {
            url: url.to_owned(),
        });
    };
    match rest.split_once(";base64,") {
        Some((media_type, data)) if !media_type.is_empty() => Ok(Image::Inline {
            media_type: media_type.to_owned(),
            data: data.to_owned(),
        }),
        _ => Err(wrong(
            &object.place(key),
            "must be an address or data:TYPE;base64,DATA",
        )),
    }
}

fn assistant(message: &Object<'_>) -> Result<Vec<Part>, Unfit> {
    message.only(&[
        "role",
        "content",
        "refusal",
        "tool_calls",
        "reasoning_content",
        "reasoning",
        "annotations",
    ])?;
    message.usual("annotations", &[json!([])])?;
    let mut parts = Vec::new();
    for field in ["reasoning_content", "reasoning"] {
        if let Some(text) = message.text(field)?.filter(|text| !text.is_empty()) {
            parts.push(Part::Thinking {
                text: text.to_owned(),
                kept: Some(Kept {
                    wire: Wire::OpenAi,
                    form: Form::Field,
                    payload: field.to_owned(),
                }),
            });
            break;
        }
    }
    let words = content(message)?;
    parts.extend(
        words
            .into_iter()
            .filter(|part| !matches!(part, Part::Text { text, .. } if text.is_empty())),
    );
    if let Some(text) = message.text("refusal")? {
        parts.push(Part::Refusal {
            text: text.to_owned(),
        });
    }
    for call in message.objects("tool_calls")? {
        parts.push(self::call(&call)?);
    }
    Ok(parts)
}

fn call(call: &Object<'_>) -> Result<Part, Unfit> {
    call.only(&["id", "type", "function", "index", "extra_content"])?;
    let (kind, function) = (call.text("type")?, call.object("function")?);
    let Some(function) = function.filter(|_| kind.is_none_or(|kind| kind == "function")) else {
        let what = format!("a call of the kind {}", kind.unwrap_or("function"));
        return Err(untranslatable(&call.at, &what));
    };
    // As Google's own offer of this protocol says it.
    let signature = call
        .get("extra_content")
        .and_then(|extra| extra["google"]["thought_signature"].as_str());
    Ok(Part::ToolCall {
        id: call.must_text("id")?.to_owned(),
        name: function.must_text("name")?.to_owned(),
        arguments: function.text("arguments")?.unwrap_or_default().to_owned(),
        kept: signature.map(|signature| Kept {
            wire: Wire::Gemini,
            form: Form::Signature,
            payload: signature.to_owned(),
        }),
    })
}

fn tool(tool: &Object<'_>) -> Result<ToolSpec, Unfit> {
    let kind = tool.must_text("type")?;
    let (true, Some(function)) = (kind == "function", tool.object("function")?) else {
        let what = format!("a tool of the type {kind}");
        return Err(untranslatable(&tool.at, &what));
    };
    function.only(&["name", "description", "parameters", "strict"])?;
    let nothing = || json!({"type": "object", "properties": {}});
    Ok(ToolSpec {
        name: function.must_text("name")?.to_owned(),
        description: function.text("description")?.unwrap_or_default().to_owned(),
        parameters: match function.get("parameters") {
            Some(schema) if !schema.is_object() => {
                return Err(wrong(&function.place("parameters"), "must be an object"));
            }
            schema => schema.cloned().unwrap_or_else(nothing),
        },
        strict: function.flag("strict")?,
    })
}

/// A choice in one word, as both of OpenAI's dialects have them.
pub(in crate::gateway) fn choice_word(word: &str) -> Result<ToolChoice, Unfit> {
    match word {
        "auto" => Ok(ToolChoice::Auto),
        "none" => Ok(ToolChoice::None),
        "required" => Ok(ToolChoice::Any),
        other => {
            let problem = format!("no choice is called {other:?}");
            Err(wrong("tool_choice", &problem))
        }
    }
}

fn choice(body: &Object<'_>) -> Result<ToolChoice, Unfit> {
    Ok(match body.get("tool_choice") {
        None => ToolChoice::Auto,
        Some(Value::String(word)) => choice_word(word)?,
        Some(value) => {
            let choice = Object::new("tool_choice".to_owned(), value)?;
            let kind = choice.must_text("type")?;
            let Some(function) = choice.object("function")?.filter(|_| kind == "function") else {
                let what = format!("tool_choice {kind}");
                return Err(untranslatable("tool_choice", &what));
            };
            ToolChoice::Named(function.must_text("name")?.to_owned())
        }
    })
}

fn output(format: &Object<'_>) -> Result<Output, Unfit> {
    Ok(match format.must_text("type")? {
        "text" => Output::Text,
        "json_object" => Output::Json,
        "json_schema" => {
            let given = format.object("json_schema")?;
            let schema = given.as_ref().and_then(|given| given.get("schema"));
            let (Some(given), Some(schema)) = (&given, schema) else {
                return Err(wrong(&format.place("json_schema.schema"), "is required"));
            };
            Output::Schema {
                name: given.must_text("name")?.to_owned(),
                schema: schema.clone(),
            }
        }
        other => {
            let what = format!("the format {other}");
            return Err(untranslatable(&format.at, &what));
        }
    })
}
