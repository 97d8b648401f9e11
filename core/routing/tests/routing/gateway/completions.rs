//! Clients that speak chat completions.

use super::{across, asked, call, data, head, more, refusal, relayed, said, stamp, written};
use crate::fixtures::{PLAIN, STREAMS};
use callboard_routing::chat::{Event, Finish, Form, Image, Kept, Part};
use callboard_routing::failure::{Failure, FailureKind};
use callboard_routing::gateway::Dialect;
use callboard_routing::wire::{Mode, Wire};
use serde_json::{Value, json};

const C: Dialect = Dialect::Completions;

fn rich() -> Value {
    json!({
        "model": "m-1",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "auto"}},
                {"type": "image_url", "image_url": {"url": "https://x.test/y.png"}}]},
            {"role": "assistant", "content": null, "refusal": null, "annotations": [], "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{\"a\": 1}"}},
                {"id": "call_2", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "one"},
            {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "two"}]},
            {"role": "user", "content": "Go on."},
            {"role": "system", "content": "Be quick."},
        ],
        "tools": [{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}, "strict": true}},
            {"type": "function", "function": {"name": "rest"}}],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "parallel_tool_calls": false,
        "max_completion_tokens": 100,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": "END",
        "reasoning_effort": "low",
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}, "strict": true}},
        "user": "u1",
        "n": 1,
        "presence_penalty": 0,
        "logprobs": false,
        "stream": true,
        "stream_options": {"include_usage": true},
    })
}

#[test]
fn a_request_reaches_another_wire() {
    assert_eq!(asked(C, &rich()).mode, Mode::Stream);
    let nothing = json!({"type": "object", "properties": {}});
    let expected = json!({
        "model": "m-1",
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "image", "source": {"type": "url", "url": "https://x.test/y.png"}}]},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "call_1", "name": "look", "input": {"a": 1}},
                {"type": "tool_use", "id": "call_2", "name": "look", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "one"}]},
                {"type": "tool_result", "tool_use_id": "call_2", "content": [{"type": "text", "text": "two"}]}]},
            {"role": "user", "content": [{"type": "text", "text": "Go on."}]},
            {"role": "user", "content": [{"type": "text", "text": "<system-message>\nBe quick.\n</system-message>"}]},
        ],
        "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
        "tools": [{"name": "look", "description": "Looks.", "input_schema": {"type": "object"}, "strict": true},
            {"name": "rest", "description": "", "input_schema": nothing}],
        "tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": true},
        "thinking": {"type": "adaptive"},
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}, "effort": "low"},
        "max_tokens": 100,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u1"},
    });
    assert_eq!(across(C, &rich(), Wire::Anthropic), expected);
}

#[test]
fn wishes_are_translated() {
    for (key, value, field, expected) in [
        (
            "tool_choice",
            json!("required"),
            "/tool_choice/type",
            json!("any"),
        ),
        (
            "tool_choice",
            json!("none"),
            "/tool_choice/type",
            json!("none"),
        ),
        (
            "response_format",
            json!({"type": "text"}),
            "/output_config",
            json!({"effort": "low"}),
        ),
        (
            "reasoning_effort",
            json!("none"),
            "/thinking/type",
            json!("disabled"),
        ),
        (
            "stop",
            json!(["a", "b"]),
            "/stop_sequences",
            json!(["a", "b"]),
        ),
        ("top_k", json!(4), "/top_k", json!(4)),
        (
            "safety_identifier",
            json!("s"),
            "/metadata/user_id",
            json!("s"),
        ),
    ] {
        let mut body = rich();
        body[key] = value;
        let sent = across(C, &body, Wire::Anthropic);
        assert_eq!(sent.pointer(field), Some(&expected), "{key}");
    }
    let mut body = rich();
    body["seed"] = json!(-3);
    body["response_format"] = json!({"type": "json_object"});
    let sent = across(C, &body, Wire::OpenAi);
    assert_eq!(
        (&sent["seed"], &sent["response_format"]["type"]),
        (&json!(-3), &json!("json_object"))
    );
}

#[test]
fn what_has_no_translation_is_refused_by_name() {
    let message = |message: Value| json!([message]);
    let user = |piece: Value| json!([{"role": "user", "content": [piece]}]);
    for (key, value, expected) in [
        ("n", json!(2), "n: n 2 can't be translated"),
        ("logprobs", json!(true), "logprobs: logprobs true can't"),
        ("top_logprobs", json!(3), "top_logprobs: top_logprobs can't"),
        ("audio", json!({"voice": "x"}), "audio: audio can't"),
        (
            "modalities",
            json!(["text", "audio"]),
            "modalities: modalities can't",
        ),
        (
            "web_search_options",
            json!({}),
            "web_search_options: web_search_options can't",
        ),
        ("functions", json!([]), "functions: functions can't"),
        (
            "function_call",
            json!("auto"),
            "function_call: function_call can't",
        ),
        (
            "logit_bias",
            json!({"1": 2}),
            "logit_bias: logit_bias can't",
        ),
        ("store", json!(true), "store: store true can't"),
        (
            "service_tier",
            json!("flex"),
            "service_tier: service_tier \"flex\" can't",
        ),
        (
            "tools",
            json!([{"type": "custom", "custom": {"name": "x"}}]),
            "tools.0: a tool of the type custom can't",
        ),
        (
            "tool_choice",
            json!({"type": "allowed_tools"}),
            "tool_choice: tool_choice allowed_tools can't",
        ),
        (
            "messages",
            user(json!({"type": "input_audio"})),
            "messages.0.content.0: input_audio can't",
        ),
        (
            "messages",
            user(json!({"type": "file"})),
            "messages.0.content.0: file can't",
        ),
        (
            "messages",
            message(json!({"role": "user", "content": "x", "name": "bob"})),
            "messages.0.name: name can't",
        ),
        (
            "messages",
            message(json!({"role": "function", "content": "x"})),
            "messages.0: the role function can't",
        ),
        (
            "messages",
            message(json!({"role": "assistant", "function_call": {}})),
            "messages.0.function_call: function_call can't",
        ),
        (
            "messages",
            user(json!({"type": "image_url", "image_url": {"url": "data:,x"}})),
            "image_url.url: must be an address or data:",
        ),
        ("messages", json!(null), "messages: is required"),
        (
            "reasoning_effort",
            json!("huge"),
            "reasoning_effort: no effort is called \"huge\"",
        ),
        (
            "response_format",
            json!({"type": "grammar"}),
            "response_format: the format grammar can't",
        ),
    ] {
        let mut body = rich();
        body[key] = value;
        let said = refusal(C, &body);
        assert!(said.contains(expected), "{said}");
    }
    let answer = C.refuse(&Failure::new(FailureKind::NoSuchModel, "no model x"));
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (answer.status, &body["error"]["code"]),
        (404, &json!("model_not_found"))
    );
}

/// An answer of another wire's as the chunks of this one, byte for byte.
#[test]
fn the_chunks_of_an_answer() {
    let chunk = |choice: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-c_1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m-1\",\"choices\":[{{\"index\":0,{choice}}}],\"usage\":null}}\n\n"
        )
    };
    let delta = |delta: &str| chunk(&format!("\"delta\":{delta},\"finish_reason\":null"));
    let expected = [
        delta(r#"{"role":"assistant","content":""}"#),
        delta(r#"{"reasoning_content":"Let me "}"#),
        delta(r#"{"reasoning_content":"see."}"#),
        delta(r#"{"content":"Hello, Z"}"#),
        delta(r#"{"content":"oë"}"#),
        delta(r#"{"tool_calls":[{"index":0,"id":"toolu_a","type":"function","function":{"name":"weather","arguments":""}}]}"#),
        delta(r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}}]}"#),
        delta(r#"{"tool_calls":[{"index":0,"function":{"arguments":"\"Paris\"}"}}]}"#),
        delta(r#"{"tool_calls":[{"index":1,"id":"toolu_b","type":"function","function":{"name":"time","arguments":""}}]}"#),
        delta(r#"{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]}"#),
        chunk(r#""delta":{},"finish_reason":"tool_calls""#),
        "data: {\"id\":\"chatcmpl-c_1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":1200,\"completion_tokens\":27,\"total_tokens\":1227,\"prompt_tokens_details\":{\"cached_tokens\":1024,\"cache_write_tokens\":76},\"completion_tokens_details\":{\"reasoning_tokens\":0}}}\n\n".to_owned(),
        "data: [DONE]\n\n".to_owned(),
    ];
    let (wire, bytes) = STREAMS[1];
    assert_eq!(
        relayed(&asked(C, &rich()), wire, bytes.as_bytes()),
        expected.concat()
    );
    let mut body = rich();
    body.as_object_mut().unwrap().remove("stream_options");
    assert!(!relayed(&asked(C, &body), wire, bytes.as_bytes()).contains("usage"));
}

#[test]
fn an_answer_in_one_piece() {
    let (wire, plain) = PLAIN[1];
    let reply = wire.decode(&head(200), plain.as_bytes()).unwrap();
    let whole = asked(C, &rich()).reply(&reply, &stamp()).unwrap();
    let expected = json!({
        "id": "chatcmpl-c_1", "object": "chat.completion", "created": 7, "model": "m-1",
        "choices": [{"index": 0, "message": {
            "role": "assistant", "content": "Hello, Zoë", "refusal": null, "reasoning_content": "Let me see.",
            "tool_calls": [
                {"id": "toolu_a", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Paris\"}"}},
                {"id": "toolu_b", "type": "function", "function": {"name": "time", "arguments": "{}"}}]},
            "logprobs": null, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 1200, "completion_tokens": 27, "total_tokens": 1227,
            "prompt_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 76},
            "completion_tokens_details": {"reasoning_tokens": 0}},
    });
    assert_eq!(serde_json::from_slice::<Value>(&whole).unwrap(), expected);
}

/// The wire's own answer comes out as it went in, but for what is not ours to know.
#[test]
fn its_own_wires_answer_is_the_same() {
    let (wire, plain) = PLAIN[0];
    let reply = wire.decode(&head(200), plain.as_bytes()).unwrap();
    let whole = asked(C, &rich()).reply(&reply, &stamp()).unwrap();
    let mut expected: Value = serde_json::from_str(plain).unwrap();
    expected["id"] = json!("chatcmpl-c_1");
    expected["created"] = json!(7);
    expected
        .as_object_mut()
        .unwrap()
        .remove("system_fingerprint");
    assert_eq!(serde_json::from_slice::<Value>(&whole).unwrap(), expected);
}

#[test]
fn what_a_provider_wants_back_goes_through_the_client() {
    let asked = asked(C, &rich());
    let (wire, plain) = PLAIN[2];
    let reply = wire.decode(&head(200), plain.as_bytes()).unwrap();
    let whole: Value = serde_json::from_slice(&asked.reply(&reply, &stamp()).unwrap()).unwrap();
    let mut body = rich();
    body["messages"] = json!([{"role": "user", "content": "hi"}, whole["choices"][0]["message"]]);
    let chat = super::asked(C, &body).chat;
    let kept = |wire, form, payload: &str| {
        Some(Kept {
            wire,
            form,
            payload: payload.to_owned(),
        })
    };
    let thought = Part::Thinking {
        text: "Let me see.".to_owned(),
        kept: kept(Wire::OpenAi, Form::Field, "reasoning_content"),
    };
    assert_eq!(chat.messages[1].parts[0], thought);
    let Part::ToolCall { kept: signed, .. } = &chat.messages[1].parts[2] else {
        panic!("{chat:?}");
    };
    assert_eq!(*signed, kept(Wire::Gemini, Form::Signature, "c2ln"));
}

#[test]
fn an_error_in_the_middle_is_said_in_the_middle() {
    let whole = STREAMS[1].1;
    let at = whole.find("event: content_block_stop").unwrap();
    let failing = format!(
        "{}event: error\ndata: {{\"type\":\"error\",\"error\":{{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}}}\n\n",
        &whole[..at]
    );
    let seen = relayed(&asked(C, &rich()), Wire::Anthropic, failing.as_bytes());
    let tail = "data: {\"error\":{\"message\":\"Overloaded\",\"type\":\"server_error\",\"param\":null,\"code\":\"server_is_overloaded\"}}\n\n";
    assert!(seen.ends_with(tail) && !seen.contains("[DONE]"), "{seen}");
    let picture = Event::Image(Image::Url {
        url: "https://x".to_owned(),
    });
    let seen = data(&written(&asked(C, &rich()), &[picture, said("y")]));
    assert_eq!(seen.len(), 1);
    assert!(
        seen[0]["error"]["message"]
            .as_str()
            .unwrap()
            .contains("a picture")
    );
}

#[test]
fn each_end_has_its_word() {
    for (finish, word) in [
        (Finish::Stop, "stop"),
        (Finish::StopSequence, "stop"),
        (Finish::Length, "length"),
        (Finish::ToolCalls, "tool_calls"),
        (Finish::Refused, "content_filter"),
        (Finish::Paused, "stop"),
        (Finish::Other, "stop"),
    ] {
        let end = Event::Finished { finish, word: None };
        let seen = data(&written(&asked(C, &rich()), std::slice::from_ref(&end)));
        assert_eq!(seen[1]["choices"][0]["finish_reason"], word);
        assert_eq!((seen.len(), seen.last().unwrap()), (3, &json!("[DONE]")));
        let no = Event::Refusal {
            text: "no".to_owned(),
        };
        let seen = data(&written(&asked(C, &rich()), &[no, end]));
        assert_eq!(seen[1]["choices"][0]["delta"]["refusal"], "no");
        assert_ne!(seen[2]["choices"][0]["finish_reason"], "content_filter");
    }
    let seen = data(&written(
        &asked(C, &rich()),
        &[call(0, "a"), call(1, "b"), more(0, "{}")],
    ));
    assert_eq!(
        seen[3]["choices"][0]["delta"]["tool_calls"][0],
        json!({"index": 0, "function": {"arguments": "{}"}})
    );
}
