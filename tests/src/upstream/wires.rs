//! How each wire says what. What stands here was read in the vendors' documentation and in users' reports.

use super::Asked;
use super::act::Act;
use serde_json::{Value, json};

/// A wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    OpenAi,
    Anthropic,
    Gemini,
    Ollama,
}

/// What a path asks for.
pub(super) enum Request {
    Chat { model: String, stream: bool },
    Models,
    Count,
    Embeddings,
    Other,
}

impl Wire {
    const ALL: [(Wire, &'static str, &'static str); 4] = [
        (Wire::OpenAi, "openai", "/openai/v1"),
        (Wire::Anthropic, "anthropic", "/anthropic"),
        (Wire::Gemini, "gemini", "/gemini/v1beta"),
        (Wire::Ollama, "ollama", "/ollama"),
    ];

    pub(super) fn named(name: &str) -> Option<Wire> {
        let mut all = Wire::ALL.into_iter();
        all.find(|(_, known, _)| *known == name)
            .map(|(wire, ..)| wire)
    }

    pub(super) fn base(self) -> &'static str {
        let mut all = Wire::ALL.into_iter();
        all.find(|(wire, ..)| *wire == self)
            .map_or("", |(_, _, base)| base)
    }

    /// The wire of a path, and what follows its base.
    pub(super) fn of_path(path: &str) -> Option<(Wire, &str)> {
        let mut all = Wire::ALL.into_iter();
        all.find_map(|(wire, _, base)| Some((wire, path.strip_prefix(base)?)))
    }

    /// The key that was shown.
    pub(super) fn key(self, asked: &Asked) -> Option<&str> {
        match self {
            Wire::OpenAi | Wire::Ollama => asked.header("authorization")?.strip_prefix("Bearer "),
            Wire::Anthropic => asked.header("x-api-key"),
            Wire::Gemini => asked.header("x-goog-api-key"),
        }
    }

    pub(super) fn request(self, method: &str, path: &str, body: &Value) -> Request {
        let model = || body["model"].as_str().unwrap_or_default().to_owned();
        match (self, method, path) {
            (Wire::OpenAi, "POST", "/chat/completions")
            | (Wire::Anthropic, "POST", "/v1/messages") => Request::Chat {
                model: model(),
                stream: body["stream"] == true,
            },
            (Wire::Ollama, "POST", "/api/chat") => Request::Chat {
                model: model(),
                stream: body["stream"] != false,
            },
            (Wire::OpenAi | Wire::Gemini, "GET", "/models")
            | (Wire::Anthropic, "GET", "/v1/models")
            | (Wire::Ollama, "GET", "/api/tags") => Request::Models,
            (Wire::Anthropic, "POST", "/v1/messages/count_tokens") => Request::Count,
            (Wire::OpenAi, "POST", "/embeddings") => Request::Embeddings,
            (Wire::Gemini, "POST", path) => match path
                .strip_prefix("/models/")
                .and_then(|rest| rest.split_once(':'))
            {
                Some((model, verb @ ("generateContent" | "streamGenerateContent"))) => {
                    Request::Chat {
                        model: model.to_owned(),
                        stream: verb.starts_with("stream"),
                    }
                }
                Some((_, "countTokens")) => Request::Count,
                _ => Request::Other,
            },
            _ => Request::Other,
        }
    }
}

pub(super) fn models(wire: Wire) -> Value {
    match wire {
        Wire::OpenAi => {
            json!({"object": "list", "data": [{"id": "ok", "object": "model"}, {"id": "tools", "object": "model"}]})
        }
        Wire::Anthropic => {
            json!({"data": [{"type": "model", "id": "ok-20260101", "display_name": "Ok"}], "has_more": false})
        }
        Wire::Gemini => {
            json!({"models": [{"name": "models/ok", "inputTokenLimit": 1000, "supportedGenerationMethods": ["generateContent"]}]})
        }
        Wire::Ollama => json!({"models": [{"name": "ok:latest", "model": "ok:latest"}]}),
    }
}

/// Texts as numbers, of which only OpenAI's wire knows.
pub(super) fn embeddings() -> Value {
    json!({
        "object": "list", "model": "ok", "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25]}],
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    })
}

pub(super) fn count(wire: Wire) -> Value {
    match wire {
        Wire::Gemini => json!({"totalTokens": 1200}),
        _ => json!({"input_tokens": 1200}),
    }
}

/// What each says of a path that it does not have.
pub(super) fn nowhere(wire: Wire) -> Act {
    match wire {
        Wire::OpenAi => Act::json(
            404,
            &json!({"error": {"message": "Invalid URL (POST /v1/x)", "type": "invalid_request_error", "param": null, "code": null}}),
        ),
        Wire::Anthropic => Act::json(
            404,
            &json!({"type": "error", "error": {"type": "not_found_error", "message": "Not Found"}}),
        ),
        Wire::Gemini => Act::plain(
            404,
            "text/html",
            "<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>",
        ),
        Wire::Ollama => Act::plain(404, "text/plain", "404 page not found"),
    }
}

/// What a good answer says in its headers.
pub(super) fn headers(wire: Wire) -> Vec<(&'static str, String)> {
    let pairs: &[(&'static str, &str)] = match wire {
        Wire::OpenAi => &[
            ("x-request-id", "req_1"),
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "59"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-remaining-tokens", "149984"),
        ],
        Wire::Anthropic => &[
            ("request-id", "req_1"),
            ("anthropic-ratelimit-requests-limit", "60"),
            ("anthropic-ratelimit-requests-remaining", "59"),
            ("anthropic-ratelimit-requests-reset", "2026-11-21T20:00:01Z"),
        ],
        // These send none.
        Wire::Gemini | Wire::Ollama => &[],
    };
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect()
}

/// A piece of a stream.
pub(super) fn framed(wire: Wire, value: &Value) -> String {
    match wire {
        Wire::Ollama => format!("{value}\n"),
        Wire::Anthropic => {
            let kind = value["type"].as_str().unwrap_or("message");
            format!("event: {kind}\ndata: {value}\n\n")
        }
        _ => format!("data: {value}\n\n"),
    }
}

/// How many pieces it takes to the first word.
pub(super) fn begun(wire: Wire) -> usize {
    match wire {
        Wire::Anthropic => 4,
        Wire::OpenAi => 2,
        Wire::Gemini | Wire::Ollama => 1,
    }
}

fn openai_usage() -> Value {
    json!({
        "prompt_tokens": 1200, "completion_tokens": 27, "total_tokens": 1227,
        "prompt_tokens_details": {"cached_tokens": 1024}, "completion_tokens_details": {"reasoning_tokens": 20},
    })
}

fn anthropic_usage(output: u64) -> Value {
    json!({
        "input_tokens": 100, "cache_creation_input_tokens": 76, "cache_read_input_tokens": 1024,
        "cache_creation": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 26}, "output_tokens": output,
    })
}

fn gemini_usage() -> Value {
    json!({
        "promptTokenCount": 1200, "cachedContentTokenCount": 1024, "candidatesTokenCount": 7,
        "thoughtsTokenCount": 20, "totalTokenCount": 1227,
    })
}

fn ollama_end(reason: &str) -> Value {
    json!({
        "model": "m", "created_at": "2026-11-21T20:00:00Z", "message": {"role": "assistant", "content": ""},
        "done": true, "done_reason": reason, "prompt_eval_count": 1200, "eval_count": 27,
    })
}

/// A good answer in one piece.
pub(super) fn plain(wire: Wire, model: &str, tools: bool) -> Value {
    let text = format!("Hello from {model}");
    match wire {
        Wire::OpenAi => {
            let mut message = json!({"role": "assistant", "content": text, "refusal": null});
            if tools {
                message["tool_calls"] = json!([{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Paris\"}"}}]);
            }
            let reason = if tools { "tool_calls" } else { "stop" };
            json!({
                "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model,
                "choices": [{"index": 0, "message": message, "finish_reason": reason}], "usage": openai_usage(),
            })
        }
        Wire::Anthropic => {
            let mut content = vec![json!({"type": "text", "text": text})];
            if tools {
                content.push(json!({"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}}));
            }
            let reason = if tools { "tool_use" } else { "end_turn" };
            json!({
                "id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": content,
                "stop_reason": reason, "stop_sequence": null, "usage": anthropic_usage(27),
            })
        }
        Wire::Gemini => {
            let mut parts = vec![json!({"text": text})];
            if tools {
                parts.push(json!({"functionCall": {"id": "call_1", "name": "weather", "args": {"city": "Paris"}}}));
            }
            let mut whole = gemini_piece(model, &json!(parts));
            whole["candidates"][0]["finishReason"] = json!("STOP");
            whole["usageMetadata"] = gemini_usage();
            whole
        }
        Wire::Ollama => {
            let mut whole = ollama_end("stop");
            whole["model"] = json!(model);
            whole["message"]["content"] = json!(text);
            if tools {
                whole["message"]["tool_calls"] = json!([{"id": "call_1", "function": {"name": "weather", "arguments": {"city": "Paris"}}}]);
            }
            whole
        }
    }
}

fn gemini_piece(model: &str, parts: &Value) -> Value {
    json!({
        "candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0}],
        "modelVersion": model, "responseId": "resp_1",
    })
}

/// The same answer in pieces.
pub(super) fn pieces(wire: Wire, model: &str, tools: bool) -> Vec<String> {
    let values = match wire {
        Wire::OpenAi => openai_pieces(model, tools),
        Wire::Anthropic => anthropic_pieces(model, tools),
        Wire::Gemini => {
            let mut pieces = vec![
                gemini_piece(model, &json!([{"text": "Hello "}])),
                gemini_piece(model, &json!([{"text": format!("from {model}")}])),
            ];
            if tools {
                let call = json!([{"functionCall": {"id": "call_1", "name": "weather", "args": {"city": "Paris"}}}]);
                pieces.push(gemini_piece(model, &call));
            }
            let mut end = gemini_piece(model, &json!([{"text": ""}]));
            end["candidates"][0]["finishReason"] = json!("STOP");
            end["usageMetadata"] = gemini_usage();
            pieces.push(end);
            pieces
        }
        Wire::Ollama => {
            let piece = |message: Value| json!({"model": model, "created_at": "2026-11-21T20:00:00Z", "message": message, "done": false});
            let mut pieces = vec![
                piece(json!({"role": "assistant", "content": "Hello "})),
                piece(json!({"role": "assistant", "content": format!("from {model}")})),
            ];
            if tools {
                let call = json!([{"id": "call_1", "function": {"name": "weather", "arguments": {"city": "Paris"}}}]);
                pieces.push(piece(
                    json!({"role": "assistant", "content": "", "tool_calls": call}),
                ));
            }
            pieces.push(ollama_end("stop"));
            pieces
        }
    };
    let mut pieces: Vec<String> = values.iter().map(|value| framed(wire, value)).collect();
    if wire == Wire::OpenAi {
        pieces.push("data: [DONE]\n\n".to_owned());
    }
    pieces
}

fn openai_pieces(model: &str, tools: bool) -> Vec<Value> {
    let piece = |delta: Value, reason: Value| {
        json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], "usage": null,
        })
    };
    let mut pieces = vec![
        piece(json!({"role": "assistant", "content": ""}), Value::Null),
        piece(json!({"content": "Hello "}), Value::Null),
        piece(json!({"content": format!("from {model}")}), Value::Null),
    ];
    if tools {
        let first = json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}});
        pieces.push(piece(json!({"tool_calls": [first]}), Value::Null));
        for more in ["{\"city\":", "\"Paris\"}"] {
            let more = json!({"index": 0, "function": {"arguments": more}});
            pieces.push(piece(json!({"tool_calls": [more]}), Value::Null));
        }
    }
    let reason = if tools { "tool_calls" } else { "stop" };
    pieces.push(piece(json!({}), json!(reason)));
    let mut usage = piece(json!({}), Value::Null);
    usage["choices"] = json!([]);
    usage["usage"] = openai_usage();
    pieces.push(usage);
    pieces
}

fn anthropic_pieces(model: &str, tools: bool) -> Vec<Value> {
    let delta = |index: usize, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let text = |text: String| delta(0, json!({"type": "text_delta", "text": text}));
    let mut pieces = vec![
        json!({"type": "message_start", "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": anthropic_usage(1),
        }}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "ping"}),
        text("Hello ".to_owned()),
        text(format!("from {model}")),
        json!({"type": "content_block_stop", "index": 0}),
    ];
    if tools {
        pieces.push(json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "call_1", "name": "weather", "input": {}}}));
        for more in ["{\"city\":", "\"Paris\"}"] {
            pieces.push(delta(
                1,
                json!({"type": "input_json_delta", "partial_json": more}),
            ));
        }
        pieces.push(json!({"type": "content_block_stop", "index": 1}));
    }
    let reason = if tools { "tool_use" } else { "end_turn" };
    pieces.push(json!({
        "type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null}, "usage": {"output_tokens": 27},
    }));
    pieces.push(json!({"type": "message_stop"}));
    pieces
}
