//! A Responses body as a chat.
//!
//! Left out without a word: reasoning items and their summaries (only who made them can read them), `include`,
//! `client_metadata`, `metadata`, `prompt_cache_key`, `prompt_cache_retention`, `service_tier` auto and default,
//! `truncation` disabled, ids and states of items, the `detail` of pictures.

use super::{INPUT, Names, Tool};
use crate::chat::{Chat, Message, Output, Part, Role, ToolChoice, ToolSpec};
use crate::gateway::openai_chat::{choice_word, effort, image};
use crate::gateway::read::{Object, Unfit, parse, untranslatable, wrong};
use crate::gateway::{Asked, Style, late_system};
use crate::wire::Mode;
use serde_json::{Value, json};

const KNOWN: &[&str] = &[
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "text",
    "store",
    "stream",
    "stream_options",
    "max_output_tokens",
    "temperature",
    "top_p",
    "user",
    "safety_identifier",
    "include",
    "client_metadata",
    "metadata",
    "prompt_cache_key",
    "prompt_cache_retention",
    "service_tier",
    "truncation",
    "background",
];

const NO_SEARCH: &str = "leave it out (Codex: `web_search = \"disabled\"` in its config.toml), or ask for a model whose provider has it";
const NO_MEMORY: &str = "send the whole conversation as input, with store false";

pub(in crate::gateway) fn decode(body: &[u8]) -> Result<Asked, Unfit> {
    let value = parse(body)?;
    let body = Object::new(String::new(), &value)?;
    if let Some(key) = ["previous_response_id", "conversation"]
        .into_iter()
        .find(|key| body.get(key).is_some())
    {
        return Err(advised(key, key, NO_MEMORY));
    }
    body.only(KNOWN)?;
    body.usual("background", &[json!(false)])?;
    body.usual("truncation", &[json!("disabled")])?;
    body.usual("service_tier", &[json!("auto"), json!("default")])?;
    if body.flag("store")? == Some(true) {
        return Err(advised("store", "store true", NO_MEMORY));
    }
    let mut chat = Chat {
        model: body.must_text("model")?.to_owned(),
        system: body
            .text("instructions")?
            .into_iter()
            .map(str::to_owned)
            .collect(),
        ..Chat::default()
    };
    let mut names = Names::default();
    for tool in body.objects("tools")? {
        self::tool(&tool, &mut chat, &mut names)?;
    }
    match body.get("input") {
        Some(Value::String(text)) => chat.messages.push(Message::user(text)),
        _ => {
            body.must_list("input")?;
            for item in body.objects("input")? {
                self::item(&item, &mut chat)?;
            }
        }
    }
    chat.tool_choice = choice(&body)?;
    chat.parallel_tools = body
        .flag("parallel_tool_calls")?
        .filter(|_| !chat.tools.is_empty());
    chat.max_output = body.count("max_output_tokens")?;
    chat.sampling.temperature = body.number("temperature")?;
    chat.sampling.top_p = body.number("top_p")?;
    let user = body.text("safety_identifier")?;
    chat.user = user.or(body.text("user")?).map(str::to_owned);
    if let Some(reasoning) = body.object("reasoning")? {
        reasoning.only(&["effort", "summary", "generate_summary", "context"])?;
        chat.reasoning = effort(&reasoning, "effort")?;
    }
    if let Some(text) = body.object("text")? {
        text.only(&["format", "verbosity"])?;
        text.usual("verbosity", &[json!("medium")])?;
        if let Some(format) = text.object("format")? {
            chat.output = output(&format)?;
        }
    }
    let streams = body.flag("stream")?.unwrap_or(false);
    Ok(Asked {
        chat,
        mode: if streams { Mode::Stream } else { Mode::Plain },
        style: Style::Responses { names },
    })
}

fn advised(at: &str, what: &str, advice: &'static str) -> Unfit {
    Unfit::Untranslatable {
        at: at.to_owned(),
        what: what.to_owned(),
        advice,
    }
}

fn item(item: &Object<'_>, chat: &mut Chat) -> Result<(), Unfit> {
    match item.text("type")?.unwrap_or("message") {
        "message" => message(item, chat)?,
        "reasoning" => {}
        "function_call" => {
            let name = joined(item.text("namespace")?, item.must_text("name")?);
            let arguments = item.text("arguments")?.unwrap_or_default().to_owned();
            called(item, name, arguments, chat)?;
        }
        "custom_tool_call" => {
            let name = joined(item.text("namespace")?, item.must_text("name")?);
            let arguments = json!({INPUT: item.text("input")?.unwrap_or_default()});
            called(item, name, arguments.to_string(), chat)?;
        }
        "function_call_output" | "custom_tool_call_output" => {
            let result = Part::ToolResult {
                id: item.must_text("call_id")?.to_owned(),
                name: String::new(),
                parts: pieces(item, "output")?,
                is_error: false,
            };
            turn(chat, Role::User, result);
        }
        other => {
            return Err(untranslatable(
                &item.at,
                &format!("an item of the type {other}"),
            ));
        }
    }
    Ok(())
}

fn called(
    item: &Object<'_>,
    name: String,
    arguments: String,
    chat: &mut Chat,
) -> Result<(), Unfit> {
    let call = Part::ToolCall {
        id: item.must_text("call_id")?.to_owned(),
        name,
        arguments,
        kept: None,
    };
    turn(chat, Role::Assistant, call);
    Ok(())
}

/// What the model said and the calls it made are one turn, and so are the results.
fn turn(chat: &mut Chat, role: Role, part: Part) {
    let result = |part: &Part| matches!(part, Part::ToolResult { .. });
    match chat.messages.last_mut() {
        Some(last)
            if last.role == role && (role == Role::Assistant || last.parts.iter().all(result)) =>
        {
            last.parts.push(part);
        }
        _ => chat.messages.push(Message {
            role,
            parts: vec![part],
        }),
    }
}

fn message(item: &Object<'_>, chat: &mut Chat) -> Result<(), Unfit> {
    let parts = pieces(item, "content")?;
    match item.must_text("role")? {
        "user" => chat.messages.push(Message {
            role: Role::User,
            parts,
        }),
        "assistant" => parts
            .into_iter()
            .for_each(|part| turn(chat, Role::Assistant, part)),
        "system" | "developer" => {
            for part in parts {
                match part {
                    Part::Text { text, .. } => late_system(chat, text),
                    other => return Err(untranslatable(&item.at, other.kind())),
                }
            }
        }
        other => {
            let problem = format!("no role is called {other:?}");
            return Err(wrong(&item.place("role"), &problem));
        }
    }
    Ok(())
}

fn pieces(item: &Object<'_>, key: &str) -> Result<Vec<Part>, Unfit> {
    if let Some(Value::String(text)) = item.get(key) {
        return Ok(vec![Part::text(text)]);
    }
    item.must_list(key)?;
    let mut parts = Vec::new();
    for piece in item.objects(key)? {
        parts.push(match piece.must_text("type")? {
            "input_text" | "output_text" | "text" => Part::text(piece.must_text("text")?),
            "refusal" => Part::Refusal {
                text: piece.must_text("refusal")?.to_owned(),
            },
            "input_image" if piece.get("file_id").is_none() => {
                Part::Image(image(&piece, "image_url")?)
            }
            "input_image" => return Err(untranslatable(&piece.at, "an image by its file")),
            other => return Err(untranslatable(&piece.at, other)),
        });
    }
    Ok(parts)
}

/// The name that models know a tool of a namespace by.
fn joined(namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{namespace}__{name}"),
        None => name.to_owned(),
    }
}

fn tool(tool: &Object<'_>, chat: &mut Chat, names: &mut Names) -> Result<(), Unfit> {
    match tool.must_text("type")? {
        "namespace" => {
            tool.only(&["type", "name", "description", "tools"])?;
            let namespace = tool.must_text("name")?;
            for inner in tool.objects("tools")? {
                one(&inner, Some(namespace), chat, names)?;
            }
            // What it says of all its tools.
            if let Some(about) = tool.text("description")?.filter(|about| !about.is_empty()) {
                chat.system.push(format!(
                    "About the tools whose names begin with {namespace}__:\n{about}"
                ));
            }
            Ok(())
        }
        _ => one(tool, None, chat, names),
    }
}

fn one(
    tool: &Object<'_>,
    namespace: Option<&str>,
    chat: &mut Chat,
    names: &mut Names,
) -> Result<(), Unfit> {
    let kind = tool.must_text("type")?;
    let mut description = tool.text("description")?.unwrap_or_default().to_owned();
    let parameters = match kind {
        "function" => {
            tool.only(&[
                "type",
                "name",
                "description",
                "parameters",
                "strict",
                "defer_loading",
            ])?;
            match tool.get("parameters") {
                None => json!({"type": "object", "properties": {}}),
                Some(schema) if schema.is_object() => schema.clone(),
                Some(_) => return Err(wrong(&tool.place("parameters"), "must be an object")),
            }
        }
        "custom" => {
            tool.only(&["type", "name", "description", "format", "defer_loading"])?;
            if let Some(format) = tool.object("format")?
                && let Some(grammar) = format.text("definition")?
            {
                let syntax = format.text("syntax")?.unwrap_or("its");
                description.push_str(&format!(
                    "\n\nThe input must follow this grammar ({syntax}):\n{grammar}"
                ));
            }
            let input =
                json!({"type": "string", "description": "The whole input of the tool, as it is."});
            json!({"type": "object", "properties": {INPUT: input}, "required": [INPUT]})
        }
        "web_search" | "web_search_preview" => {
            return Err(advised(
                &tool.at,
                &format!("the built-in tool {kind}"),
                NO_SEARCH,
            ));
        }
        other => {
            let what = format!("the built-in tool {other}");
            return Err(untranslatable(&tool.at, &what));
        }
    };
    let inner = tool.must_text("name")?;
    let name = joined(namespace, inner);
    let told = match (namespace, kind) {
        (_, "custom") => Some(Tool::Custom),
        (Some(namespace), _) => Some(Tool::Inside {
            namespace: namespace.to_owned(),
            name: inner.to_owned(),
        }),
        (None, _) => None,
    };
    if chat.tools.iter().any(|known| known.name == name) {
        return Err(wrong(&tool.place("name"), &format!("a second tool {name}")));
    }
    if let Some(told) = told {
        names.known.insert(name.clone(), told);
    }
    chat.tools.push(ToolSpec {
        name,
        description,
        parameters,
        strict: tool.flag("strict")?.filter(|_| kind == "function"),
    });
    Ok(())
}

fn choice(body: &Object<'_>) -> Result<ToolChoice, Unfit> {
    Ok(match body.get("tool_choice") {
        None => ToolChoice::Auto,
        Some(Value::String(word)) => choice_word(word)?,
        Some(value) => {
            let choice = Object::new("tool_choice".to_owned(), value)?;
            match choice.must_text("type")? {
                "function" | "custom" => {
                    let namespace = choice.text("namespace")?;
                    ToolChoice::Named(joined(namespace, choice.must_text("name")?))
                }
                other => {
                    return Err(untranslatable(
                        "tool_choice",
                        &format!("tool_choice {other}"),
                    ));
                }
            }
        }
    })
}

fn output(format: &Object<'_>) -> Result<Output, Unfit> {
    Ok(match format.must_text("type")? {
        "text" => Output::Text,
        "json_object" => Output::Json,
        "json_schema" => match format.get("schema") {
            Some(schema) => Output::Schema {
                name: format.must_text("name")?.to_owned(),
                schema: schema.clone(),
            },
            None => return Err(wrong(&format.place("schema"), "is required")),
        },
        other => {
            let what = format!("the format {other}");
            return Err(untranslatable(&format.at, &what));
        }
    })
}
