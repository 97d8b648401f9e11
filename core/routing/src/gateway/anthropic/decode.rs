//! A Messages body as a chat.
//!
//! Left out without a word, for it changes price or speed and never the answer: `cache_control`, `defer_loading` and
//! `eager_input_streaming` of tools, `service_tier`, how thoughts are displayed, the clearing of old thoughts and
//! results by `context_management`.

use crate::chat::{
    Chat, Form, Image, Kept, Message, Output, Part, Reasoning, Role, ToolChoice, ToolSpec,
};
use crate::gateway::read::{Object, Unfit, parse, untranslatable, wrong};
use crate::gateway::{Asked, Style, late_system, seal};
use crate::wire::{Mode, Wire};
use serde_json::{Value, json};

const KNOWN: &[&str] = &[
    "model",
    "messages",
    "system",
    "max_tokens",
    "stream",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "tools",
    "tool_choice",
    "thinking",
    "metadata",
    "output_config",
    "output_format",
    "context_management",
    "service_tier",
    "speed",
    "mcp_servers",
    "cache_control",
];

pub(in crate::gateway) fn decode(body: &[u8]) -> Result<Asked, Unfit> {
    let value = parse(body)?;
    let body = Object::new(String::new(), &value)?;
    let mut chat = common(&body)?;
    let Some(most) = body.count("max_tokens")? else {
        return Err(wrong("max_tokens", "is required"));
    };
    chat.max_output = Some(most);
    let streams = body.flag("stream")?.unwrap_or(false);
    Ok(Asked {
        style: Style::Messages {
            thinking: body.get("thinking").is_some()
                && !matches!(chat.reasoning, None | Some(Reasoning::Off)),
        },
        chat,
        mode: if streams { Mode::Stream } else { Mode::Plain },
    })
}

/// The same without what only an answer needs.
pub(in crate::gateway) fn decode_count(body: &[u8]) -> Result<Chat, Unfit> {
    let value = parse(body)?;
    let body = Object::new(String::new(), &value)?;
    let mut chat = common(&body)?;
    chat.max_output = body.count("max_tokens")?;
    Ok(chat)
}

fn common(body: &Object<'_>) -> Result<Chat, Unfit> {
    body.only(KNOWN)?;
    body.usual("mcp_servers", &[json!([])])?;
    body.usual("service_tier", &[json!("auto"), json!("standard_only")])?;
    body.usual("speed", &[json!("standard")])?;
    let mut chat = Chat {
        model: body.must_text("model")?.to_owned(),
        system: system(body)?,
        ..Chat::default()
    };
    body.must_list("messages")?;
    for message in body.objects("messages")? {
        self::message(&message, &mut chat)?;
    }
    let sampling = &mut chat.sampling;
    sampling.temperature = body.number("temperature")?;
    sampling.top_p = body.number("top_p")?;
    sampling.top_k = body.count("top_k")?;
    for (at, stop) in (0..).zip(body.list("stop_sequences")?.into_iter().flatten()) {
        let stop = stop.as_str().ok_or_else(|| {
            let at: usize = at;
            wrong(&format!("stop_sequences.{at}"), "must be a string")
        })?;
        sampling.stop.push(stop.to_owned());
    }
    for tool in body.objects("tools")? {
        chat.tools.push(self::tool(&tool)?);
    }
    if let Some(choice) = body.object("tool_choice")? {
        self::choice(&choice, &mut chat)?;
    }
    if let Some(metadata) = body.object("metadata")? {
        metadata.only(&["user_id"])?;
        chat.user = metadata.text("user_id")?.map(str::to_owned);
    }
    context(body)?;
    output(body, &mut chat)?;
    Ok(chat)
}

fn system(body: &Object<'_>) -> Result<Vec<String>, Unfit> {
    if let Some(Value::String(text)) = body.get("system") {
        return Ok(vec![text.clone()]);
    }
    let blocks = body.objects("system")?;
    blocks.iter().map(|block| words(block)).collect()
}

/// A block that can only be text.
fn words(block: &Object<'_>) -> Result<String, Unfit> {
    match block.must_text("type")? {
        "text" => {
            block.only(&["type", "text", "cache_control", "citations"])?;
            block.usual("citations", &[json!([])])?;
            Ok(block.must_text("text")?.to_owned())
        }
        other => Err(untranslatable(&block.at, other)),
    }
}

fn message(message: &Object<'_>, chat: &mut Chat) -> Result<(), Unfit> {
    message.only(&["role", "content"])?;
    let role = match message.must_text("role")? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => {
            for text in self::texts(message)? {
                late_system(chat, text);
            }
            return Ok(());
        }
        other => {
            let problem = format!("no role is called {other:?}");
            return Err(wrong(&message.place("role"), &problem));
        }
    };
    let mut parts = Vec::new();
    if let Some(Value::String(text)) = message.get("content") {
        parts.push(Part::text(text));
    } else {
        message.must_list("content")?;
        let mut kept = None;
        for block in message.objects("content")? {
            self::block(&block, &mut kept, &mut parts)?;
        }
    }
    chat.messages.push(Message { role, parts });
    Ok(())
}

fn texts(message: &Object<'_>) -> Result<Vec<String>, Unfit> {
    if let Some(Value::String(text)) = message.get("content") {
        return Ok(vec![text.clone()]);
    }
    message.must_list("content")?;
    let blocks = message.objects("content")?;
    blocks.iter().map(|block| words(block)).collect()
}

/// `held` is what another wire wants back with the next call.
fn block(block: &Object<'_>, held: &mut Option<Kept>, parts: &mut Vec<Part>) -> Result<(), Unfit> {
    match block.must_text("type")? {
        "text" => parts.push(Part::text(&words(block)?)),
        "image" => parts.push(Part::Image(picture(block)?)),
        "thinking" => {
            block.only(&["type", "thinking", "signature", "cache_control"])?;
            let signature = block.text("signature")?.unwrap_or_default();
            let kept =
                seal::unseal(signature).unwrap_or_else(|| theirs(Form::Signature, signature));
            parts.push(Part::Thinking {
                text: block.text("thinking")?.unwrap_or_default().to_owned(),
                kept,
            });
        }
        "redacted_thinking" => {
            block.only(&["type", "data", "cache_control"])?;
            let data = block.must_text("data")?;
            match seal::unseal(data) {
                Some(kept) => *held = kept,
                None => parts.push(Part::Thinking {
                    text: String::new(),
                    kept: theirs(Form::Redacted, data),
                }),
            }
        }
        "tool_use" => {
            block.only(&["type", "id", "name", "input", "cache_control", "caller"])?;
            block.usual("caller", &[json!({"type": "direct"})])?;
            let input = block.object("input")?;
            if input.is_none() {
                return Err(wrong(&block.place("input"), "is required"));
            }
            let input = block.get("input").map(Value::to_string);
            parts.push(Part::ToolCall {
                id: block.must_text("id")?.to_owned(),
                name: block.must_text("name")?.to_owned(),
                arguments: input.unwrap_or_default(),
                kept: held.take(),
            });
        }
        "tool_result" => {
            block.only(&[
                "type",
                "tool_use_id",
                "content",
                "is_error",
                "cache_control",
            ])?;
            parts.push(Part::ToolResult {
                id: block.must_text("tool_use_id")?.to_owned(),
                name: String::new(),
                parts: result(block)?,
                is_error: block.flag("is_error")?.unwrap_or(false),
            });
        }
        other => return Err(untranslatable(&block.at, other)),
    }
    Ok(())
}

fn theirs(form: Form, payload: &str) -> Option<Kept> {
    (!payload.is_empty()).then(|| Kept {
        wire: Wire::Anthropic,
        form,
        payload: payload.to_owned(),
    })
}

fn result(block: &Object<'_>) -> Result<Vec<Part>, Unfit> {
    if let Some(Value::String(text)) = block.get("content") {
        return Ok(vec![Part::text(text)]);
    }
    let mut parts = Vec::new();
    for piece in block.objects("content")? {
        parts.push(match piece.must_text("type")? {
            "image" => Part::Image(picture(&piece)?),
            // The tool is among the tools already; only Anthropic shows it later.
            "tool_reference" => {
                let name = piece.must_text("tool_name")?;
                Part::text(&format!("The tool {name} is ready to be called."))
            }
            _ => Part::text(&words(&piece)?),
        });
    }
    Ok(parts)
}

fn picture(block: &Object<'_>) -> Result<Image, Unfit> {
    block.only(&["type", "source", "cache_control"])?;
    let Some(source) = block.object("source")? else {
        return Err(wrong(&block.place("source"), "is required"));
    };
    match source.must_text("type")? {
        "base64" => Ok(Image::Inline {
            media_type: source.must_text("media_type")?.to_owned(),
            data: source.must_text("data")?.to_owned(),
        }),
        "url" => Ok(Image::Url {
            url: source.must_text("url")?.to_owned(),
        }),
        other => {
            let what = format!("an image by its {other}");
            Err(untranslatable(&source.at, &what))
        }
    }
}

fn tool(tool: &Object<'_>) -> Result<ToolSpec, Unfit> {
    match tool.text("type")? {
        None | Some("custom") => {}
        Some(other) => {
            let what = format!("the server tool {other}");
            return Err(untranslatable(&tool.at, &what));
        }
    }
    tool.only(&[
        "type",
        "name",
        "description",
        "input_schema",
        "strict",
        "cache_control",
        "defer_loading",
        "eager_input_streaming",
        "allowed_callers",
    ])?;
    tool.usual("allowed_callers", &[json!(["direct"])])?;
    let Some(schema) = tool.get("input_schema").filter(|schema| schema.is_object()) else {
        return Err(wrong(&tool.place("input_schema"), "must be an object"));
    };
    Ok(ToolSpec {
        name: tool.must_text("name")?.to_owned(),
        description: tool.text("description")?.unwrap_or_default().to_owned(),
        parameters: schema.clone(),
        strict: tool.flag("strict")?,
    })
}

fn choice(choice: &Object<'_>, chat: &mut Chat) -> Result<(), Unfit> {
    choice.only(&["type", "name", "disable_parallel_tool_use"])?;
    chat.tool_choice = match choice.must_text("type")? {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Any,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(choice.must_text("name")?.to_owned()),
        other => return Err(wrong(&choice.at, &format!("no choice is called {other:?}"))),
    };
    let alone = choice.flag("disable_parallel_tool_use")?;
    chat.parallel_tools = alone.map(|alone| !alone);
    Ok(())
}

/// Clearing shortens what the provider reads; without it, it reads all.
fn context(body: &Object<'_>) -> Result<(), Unfit> {
    let Some(context) = body.object("context_management")? else {
        return Ok(());
    };
    context.only(&["edits"])?;
    for edit in context.objects("edits")? {
        let kind = edit.must_text("type")?;
        if !kind.starts_with("clear_") {
            return Err(untranslatable(&edit.at, kind));
        }
    }
    Ok(())
}

fn output(body: &Object<'_>, chat: &mut Chat) -> Result<(), Unfit> {
    let mut format = body.object("output_format")?;
    let mut effort = None;
    if let Some(config) = body.object("output_config")? {
        config.only(&["effort", "format"])?;
        format = config.object("format")?.or(format);
        effort = match config.text("effort")? {
            None => None,
            Some("low") => Some(Reasoning::Low),
            Some("medium") => Some(Reasoning::Medium),
            Some("high" | "xhigh" | "max") => Some(Reasoning::High),
            Some(other) => {
                let problem = format!("no effort is called {other:?}");
                return Err(wrong(&config.place("effort"), &problem));
            }
        };
    }
    if let Some(format) = format {
        format.only(&["type", "schema"])?;
        let (kind, schema) = (format.must_text("type")?, format.get("schema"));
        let (true, Some(schema)) = (kind == "json_schema", schema) else {
            return Err(untranslatable(&format.at, kind));
        };
        chat.output = Output::Schema {
            name: "answer".to_owned(),
            schema: schema.clone(),
        };
    }
    chat.reasoning = match body.object("thinking")? {
        None => effort,
        Some(thinking) => match thinking.must_text("type")? {
            "disabled" => Some(Reasoning::Off),
            // The default effort of this protocol is high.
            "adaptive" => effort.or(Some(Reasoning::High)),
            "enabled" => match thinking.count("budget_tokens")? {
                Some(tokens) => Some(Reasoning::Budget(tokens)),
                None => return Err(wrong(&thinking.place("budget_tokens"), "is required")),
            },
            other => return Err(untranslatable(&thinking.at, &format!("thinking {other}"))),
        },
    };
    Ok(())
}
