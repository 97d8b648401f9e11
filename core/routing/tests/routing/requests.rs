//! What goes out on each wire for one rich chat, and what each wire has no words for.

use callboard_routing::chat::{
    Chat, Form, Image, Kept, Message, Output, Part, Reasoning, Role, Sampling, ToolChoice, ToolSpec,
};
use callboard_routing::failure::FailureKind;
use callboard_routing::wire::{Mode, Wire};
use serde_json::{Value, json};

fn schema() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}}})
}

/// A conversation with everything in it; its thoughts came from `wire`.
fn rich(wire: Wire) -> Chat {
    let (form, payload) = match wire {
        Wire::OpenAi => (Form::Field, "reasoning_content"),
        _ => (Form::Signature, "c2ln"),
    };
    let kept = Some(Kept {
        wire,
        form,
        payload: payload.to_owned(),
    });
    let picture = Part::Image(Image::Inline {
        media_type: "image/png".to_owned(),
        data: "AAAA".to_owned(),
    });
    Chat {
        model: "m-1".to_owned(),
        system: vec!["Be brief.".to_owned()],
        messages: vec![
            Message {
                role: Role::User,
                parts: vec![Part::text("What is this?"), picture.clone()],
            },
            Message::assistant(vec![
                Part::Thinking {
                    text: "Look it up.".to_owned(),
                    kept,
                },
                Part::text("One moment."),
                Part::ToolCall {
                    id: "call_1".to_owned(),
                    name: "weather".to_owned(),
                    arguments: "{\"city\": \"Paris\"}".to_owned(),
                    kept: None,
                },
            ]),
            Message {
                role: Role::User,
                parts: vec![
                    Part::text("Go on."),
                    Part::ToolResult {
                        id: "call_1".to_owned(),
                        name: String::new(),
                        parts: vec![Part::text("18 degrees")],
                        is_error: true,
                    },
                ],
            },
        ],
        tools: vec![ToolSpec {
            name: "weather".to_owned(),
            description: "The weather.".to_owned(),
            parameters: schema(),
            strict: None,
        }],
        max_output: Some(100),
        sampling: Sampling {
            temperature: Some(0.5),
            stop: vec!["END".to_owned()],
            ..Sampling::default()
        },
        ..Chat::default()
    }
}

fn body(wire: Wire, chat: &Chat, mode: Mode) -> (String, Value) {
    let encoded = wire.encode(chat, mode).unwrap();
    (encoded.path, serde_json::from_slice(&encoded.body).unwrap())
}

#[test]
fn openai() {
    let (path, body) = body(Wire::OpenAi, &rich(Wire::OpenAi), Mode::Stream);
    assert_eq!(path, "/chat/completions");
    let expected = json!({
        "model": "m-1",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ]},
            {"role": "assistant", "content": "One moment.", "reasoning_content": "Look it up.", "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Paris\"}"}},
            ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "Error: 18 degrees"},
            {"role": "user", "content": "Go on."},
        ],
        "stream": true,
        "stream_options": {"include_usage": true},
        "tools": [{"type": "function", "function": {"name": "weather", "description": "The weather.", "parameters": schema()}}],
        "tool_choice": "auto",
        "max_tokens": 100,
        "temperature": 0.5,
        "stop": ["END"],
    });
    assert_eq!(body, expected);
}

#[test]
fn openai_in_small() {
    let mut chat = Chat::ask("gpt-5-mini", "hi");
    chat.max_output = Some(7);
    chat.reasoning = Some(Reasoning::Low);
    chat.output = Output::Schema {
        name: "answer".to_owned(),
        schema: schema(),
    };
    let expected = json!({
        "model": "gpt-5-mini",
        "messages": [{"role": "user", "content": "hi"}],
        "max_completion_tokens": 7,
        "reasoning_effort": "low",
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema(), "strict": true}},
    });
    assert_eq!(body(Wire::OpenAi, &chat, Mode::Plain).1, expected);
    for (model, field) in [
        ("gpt-4o", "max_tokens"),
        ("openai/o3", "max_completion_tokens"),
        ("llama3", "max_tokens"),
        ("olmo", "max_tokens"),
    ] {
        chat.model = model.to_owned();
        assert_eq!(
            body(Wire::OpenAi, &chat, Mode::Plain).1[field],
            7,
            "{model}"
        );
    }
}

#[test]
fn anthropic() {
    let encoded = Wire::Anthropic
        .encode(&rich(Wire::Anthropic), Mode::Stream)
        .unwrap();
    assert_eq!(encoded.path, "/v1/messages");
    assert!(
        encoded
            .headers
            .contains(&("anthropic-version", "2023-06-01"))
    );
    let expected = json!({
        "model": "m-1",
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Look it up.", "signature": "c2ln"},
                {"type": "text", "text": "One moment."},
                {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "18 degrees"}], "is_error": true},
                {"type": "text", "text": "Go on."},
            ]},
        ],
        "system": "Be brief.",
        "tools": [{"name": "weather", "description": "The weather.", "input_schema": schema()}],
        "tool_choice": {"type": "auto"},
        "max_tokens": 100,
        "stream": true,
        "temperature": 0.5,
        "stop_sequences": ["END"],
    });
    assert_eq!(
        serde_json::from_slice::<Value>(&encoded.body).unwrap(),
        expected
    );
    let count = Wire::Anthropic
        .encode_count(&rich(Wire::Anthropic))
        .unwrap()
        .unwrap();
    assert_eq!(count.path, "/v1/messages/count_tokens");
    let counted: Value = serde_json::from_slice(&count.body).unwrap();
    assert_eq!(counted["messages"], expected["messages"]);
    assert_eq!(counted.get("max_tokens"), None);
}

#[test]
fn anthropic_thinks_and_keeps_to_schemas() {
    let mut chat = Chat::ask("claude", "hi");
    chat.reasoning = Some(Reasoning::High);
    chat.output = Output::Schema {
        name: "answer".to_owned(),
        schema: schema(),
    };
    let (_, sent) = body(Wire::Anthropic, &chat, Mode::Plain);
    assert_eq!(sent["thinking"], json!({"type": "adaptive"}));
    let output = json!({"effort": "high", "format": {"type": "json_schema", "schema": schema()}});
    assert_eq!(sent["output_config"], output);
    chat.reasoning = Some(Reasoning::Budget(10_000));
    let (_, sent) = body(Wire::Anthropic, &chat, Mode::Plain);
    assert_eq!(
        sent["thinking"],
        json!({"type": "enabled", "budget_tokens": 10_000})
    );
    assert_eq!(sent["max_tokens"], 18_192);
}

#[test]
fn gemini() {
    let (path, body) = body(Wire::Gemini, &rich(Wire::Gemini), Mode::Stream);
    assert_eq!(path, "/models/m-1:streamGenerateContent?alt=sse");
    let expected = json!({
        "contents": [
            {"role": "user", "parts": [{"text": "What is this?"}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]},
            {"role": "model", "parts": [
                {"text": "Look it up.", "thought": true, "thoughtSignature": "c2ln"},
                {"text": "One moment."},
                {"functionCall": {"name": "weather", "args": {"city": "Paris"}, "id": "call_1"}},
            ]},
            {"role": "user", "parts": [
                {"text": "Go on."},
                {"functionResponse": {"name": "weather", "response": {"error": "18 degrees"}, "id": "call_1"}},
            ]},
        ],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "tools": [{"functionDeclarations": [{"name": "weather", "description": "The weather.", "parametersJsonSchema": schema()}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
        "generationConfig": {"maxOutputTokens": 100, "temperature": 0.5, "stopSequences": ["END"]},
    });
    assert_eq!(body, expected);
}

#[test]
fn gemini_thinks_by_numbers_or_levels() {
    let mut chat = Chat::ask("gemini-2.5-flash", "hi");
    chat.reasoning = Some(Reasoning::Low);
    let (path, sent) = body(Wire::Gemini, &chat, Mode::Plain);
    assert_eq!(path, "/models/gemini-2.5-flash:generateContent");
    let numbers = json!({"includeThoughts": true, "thinkingBudget": 1_024});
    assert_eq!(sent["generationConfig"]["thinkingConfig"], numbers);
    chat.model = "gemini-3-pro".to_owned();
    let (_, sent) = body(Wire::Gemini, &chat, Mode::Plain);
    let levels = json!({"includeThoughts": true, "thinkingLevel": "LOW"});
    assert_eq!(sent["generationConfig"]["thinkingConfig"], levels);
    for model in ["", "../files", "a b", "x?key=1", "x:y"] {
        let failure = Wire::Gemini
            .encode(&Chat::ask(model, "hi"), Mode::Plain)
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::NoSuchModel, "{model}");
    }
}

#[test]
fn ollama() {
    let (path, body) = body(Wire::Ollama, &rich(Wire::Ollama), Mode::Plain);
    assert_eq!(path, "/api/chat");
    let expected = json!({
        "model": "m-1",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is this?", "images": ["AAAA"]},
            {"role": "assistant", "content": "One moment.", "tool_calls": [{"function": {"name": "weather", "arguments": {"city": "Paris"}}}]},
            {"role": "tool", "content": "Error: 18 degrees", "tool_name": "weather"},
            {"role": "user", "content": "Go on."},
        ],
        "stream": false,
        "tools": [{"type": "function", "function": {"name": "weather", "description": "The weather.", "parameters": schema()}}],
        "options": {"num_predict": 100, "temperature": 0.5, "stop": ["END"]},
    });
    assert_eq!(body, expected);
}

/// Another's thoughts can't be checked by anybody, so they stay here.
#[test]
fn thoughts_go_only_where_they_came_from() {
    for wire in Wire::ALL {
        for from in Wire::ALL.into_iter().filter(|from| *from != wire) {
            let sent = body(wire, &rich(from), Mode::Plain).1.to_string();
            assert!(!sent.contains("Look it up."), "{from} to {wire}");
            assert!(sent.contains("One moment."));
        }
    }
}

#[test]
fn what_a_wire_has_no_words_for_is_refused_by_name() {
    let with = |change: fn(&mut Chat)| {
        let mut chat = rich(Wire::OpenAi);
        change(&mut chat);
        chat
    };
    let url = |chat: &mut Chat| {
        chat.messages.push(Message {
            role: Role::User,
            parts: vec![Part::Image(Image::Url {
                url: "https://x/y.png".to_owned(),
            })],
        });
    };
    for (wire, chat, named) in [
        (
            Wire::OpenAi,
            with(|chat| chat.sampling.top_k = Some(5)),
            "top_k",
        ),
        (
            Wire::OpenAi,
            with(|chat| chat.reasoning = Some(Reasoning::Budget(5))),
            "budget",
        ),
        (
            Wire::Anthropic,
            with(|chat| chat.sampling.seed = Some(5)),
            "seed",
        ),
        (
            Wire::Gemini,
            with(|chat| chat.parallel_tools = Some(false)),
            "one tool at a time",
        ),
        (Wire::Gemini, with(url), "address"),
        (Wire::Ollama, with(url), "address"),
        (
            Wire::Ollama,
            with(|chat| chat.tool_choice = ToolChoice::Any),
            "force",
        ),
    ] {
        let failure = wire.encode(&chat, Mode::Plain).unwrap_err();
        assert_eq!(failure.kind, FailureKind::BadRequest, "{wire}");
        assert!(failure.message.contains(named), "{wire}: {failure}");
        seen_before(&chat);
    }
    let broken = with(|chat| {
        chat.messages[1].parts.push(Part::ToolCall {
            id: "x".to_owned(),
            name: "look".to_owned(),
            arguments: "{oops".to_owned(),
            kept: None,
        });
    });
    for wire in [Wire::Anthropic, Wire::Gemini, Wire::Ollama] {
        let failure = wire.encode(&broken, Mode::Plain).unwrap_err();
        assert!(failure.message.contains("look"), "{wire}: {failure}");
    }
    seen_before(&broken);
    seen_before(&rich(Wire::Gemini));
    let told = with(|chat| {
        let parts = vec![Part::Refusal {
            text: "no".to_owned(),
        }];
        chat.messages.push(Message {
            role: Role::User,
            parts: vec![Part::ToolResult {
                id: "y".to_owned(),
                name: String::new(),
                parts,
                is_error: false,
            }],
        });
    });
    seen_before(&told);
    let unasked = with(|chat| {
        let Some(Part::ToolResult { parts, .. }) = told_result(chat) else {
            panic!("a result");
        };
        parts.push(Part::Image(Image::Url {
            url: "https://x/y.png".to_owned(),
        }));
    });
    seen_before(&unasked);
}

fn told_result(chat: &mut Chat) -> Option<&mut Part> {
    let mut parts = chat
        .messages
        .iter_mut()
        .flat_map(|message| &mut message.parts);
    parts.find(|part| matches!(part, Part::ToolResult { .. }))
}

/// What a wire refuses to write it says before; a budget of thoughts is bent before and not said.
fn seen_before(chat: &Chat) {
    let mut chat = chat.clone();
    chat.reasoning = None;
    for wire in Wire::ALL {
        let (said, written) = (wire.lacks(&chat), wire.encode(&chat, Mode::Plain));
        assert_eq!(
            said.is_some(),
            written.is_err(),
            "{wire}: {said:?}, {written:?}"
        );
    }
}
