//! Clients that speak Messages.

use super::{across, asked, call, data, head, more, refusal, relayed, said, stamp, written};
use crate::fixtures::{PLAIN, STREAMS};
use callboard_routing::chat::{Event, Finish, Form, Image, Kept, Part, Reasoning};
use callboard_routing::failure::{Failure, FailureKind};
use callboard_routing::gateway::{Dialect, decode_count};
use callboard_routing::wire::{Mode, Wire};
use serde_json::{Value, json};

const M: Dialect = Dialect::Messages;

/// A body as Claude Code sends them (its texts are shorter here), with a turn behind it.
fn agent() -> Value {
    json!({
        "model": "m-1",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "<system-reminder>x</system-reminder>"}, {"type": "text", "text": "What is this?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]},
            {"role": "system", "content": [{"type": "text", "text": "# Environment", "cache_control": {"type": "ephemeral"}}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Look.", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "cmVk"},
                {"type": "text", "text": "One moment."},
                {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": "a b", "lines": [1, 2.5]}},
                {"type": "tool_use", "id": "toolu_2", "name": "ToolSearch", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": [{"type": "text", "text": "no"},
                    {"type": "image", "source": {"type": "url", "url": "https://x.test/y.png"}}]},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": [{"type": "tool_reference", "tool_name": "Write"}]},
                {"type": "text", "text": "Go on.", "cache_control": {"type": "ephemeral"}}]},
            {"role": "system", "content": "Be quick."},
        ],
        "system": [{"type": "text", "text": "You are an agent."}, {"type": "text", "text": "Work.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "tools": [{"name": "Read", "description": "Reads.", "input_schema": {"type": "object"}},
            {"name": "Write", "description": "Writes.", "input_schema": {"type": "object"}, "defer_loading": true}],
        "metadata": {"user_id": "u".repeat(65)},
        "max_tokens": 32000,
        "thinking": {"type": "adaptive", "display": "omitted"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "high"},
        "stop_sequences": ["END"],
        "temperature": 1,
        "stream": true,
    })
}

#[test]
fn an_agents_request_reaches_another_wire() {
    assert_eq!(asked(M, &agent()).mode, Mode::Stream);
    let expected = json!({
        "model": "m-1",
        "messages": [
            {"role": "system", "content": "You are an agent."},
            {"role": "system", "content": "Work."},
            {"role": "system", "content": "# Environment"},
            {"role": "user", "content": [
                {"type": "text", "text": "<system-reminder>x</system-reminder>"},
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
            {"role": "assistant", "content": "One moment.", "tool_calls": [
                {"id": "toolu_1", "type": "function", "function": {"name": "Read", "arguments": "{\"path\":\"a b\",\"lines\":[1,2.5]}"}},
                {"id": "toolu_2", "type": "function", "function": {"name": "ToolSearch", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "toolu_1", "content": "Error: no"},
            {"role": "tool", "tool_call_id": "toolu_2", "content": "The tool Write is ready to be called."},
            {"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "https://x.test/y.png"}},
                {"type": "text", "text": "Go on."}]},
            {"role": "user", "content": "<system-message>\nBe quick.\n</system-message>"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "Read", "description": "Reads.", "parameters": {"type": "object"}}},
            {"type": "function", "function": {"name": "Write", "description": "Writes.", "parameters": {"type": "object"}}}],
        "tool_choice": "auto",
        "max_tokens": 32000,
        "temperature": 1.0,
        "stop": ["END"],
        "reasoning_effort": "high",
    });
    assert_eq!(across(M, &agent(), Wire::OpenAi), expected);
}

#[test]
fn what_a_provider_wants_back_stays_with_its_part() {
    let chat = asked(M, &agent()).chat;
    let kept = |form, payload: &str| {
        Some(Kept {
            wire: Wire::Anthropic,
            form,
            payload: payload.to_owned(),
        })
    };
    let thought = |text: &str, kept| Part::Thinking {
        text: text.to_owned(),
        kept,
    };
    assert_eq!(
        chat.messages[1].parts[..2],
        [
            thought("Look.", kept(Form::Signature, "c2ln")),
            thought("", kept(Form::Redacted, "cmVk")),
        ]
    );
    let Part::ToolResult { is_error, .. } = &chat.messages[2].parts[0] else {
        panic!("{:?}", chat.messages[2]);
    };
    assert!(is_error);
    let back = across(M, &agent(), Wire::Anthropic);
    assert_eq!(
        back["messages"][1]["content"],
        agent()["messages"][2]["content"]
    );
    assert_eq!(back["metadata"], agent()["metadata"]);
}

#[test]
fn wishes_are_translated() {
    let ask = |more: Value| {
        let mut body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}],
            "tools": [{"name": "look", "input_schema": {"type": "object"}, "strict": true}]});
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        across(M, &body, Wire::OpenAi)
    };
    for (more, field, expected) in [
        (
            json!({"system": "Be."}),
            "/messages/0",
            json!({"role": "system", "content": "Be."}),
        ),
        (json!({}), "/tools/0/function/strict", json!(true)),
        (
            json!({"tool_choice": {"type": "any"}}),
            "/tool_choice",
            json!("required"),
        ),
        (
            json!({"tool_choice": {"type": "none"}}),
            "/tool_choice",
            json!("none"),
        ),
        (
            json!({"tool_choice": {"type": "tool", "name": "look"}}),
            "/tool_choice/function/name",
            json!("look"),
        ),
        (
            json!({"tool_choice": {"type": "auto", "disable_parallel_tool_use": true}}),
            "/parallel_tool_calls",
            json!(false),
        ),
        (
            json!({"thinking": {"type": "disabled"}}),
            "/reasoning_effort",
            json!("none"),
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 1024}}),
            "/reasoning_effort",
            json!("low"),
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 31999}}),
            "/reasoning_effort",
            json!("high"),
        ),
        (
            json!({"output_config": {"effort": "low"}}),
            "/reasoning_effort",
            json!("low"),
        ),
        (
            json!({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}),
            "/response_format/json_schema/schema",
            json!({"type": "object"}),
        ),
        (json!({"metadata": {"user_id": "u1"}}), "/user", json!("u1")),
        (json!({"top_p": 0.5}), "/top_p", json!(0.5)),
    ] {
        assert_eq!(ask(more).pointer(field), Some(&expected), "{field}");
    }
    let mut body = agent();
    body["thinking"] = json!({"type": "enabled", "budget_tokens": 2000});
    assert_eq!(
        asked(M, &body).chat.reasoning,
        Some(Reasoning::Budget(2_000))
    );
}

#[test]
fn what_has_no_translation_is_refused_by_name() {
    let ask = |key: &str, value: Value| {
        let mut body = json!({"model": "m", "max_tokens": 9, "messages": []});
        body[key] = value;
        refusal(M, &body)
    };
    let content = |block: Value| json!([{"role": "user", "content": [block]}]);
    for (key, value, expected) in [
        (
            "tools",
            json!([{"type": "web_search_20250305", "name": "web_search"}]),
            "tools.0: the server tool web_search_20250305 can't be",
        ),
        (
            "tools",
            json!([{"name": "x", "input_schema": {}, "input_examples": [1]}]),
            "tools.0.input_examples: input_examples can't",
        ),
        (
            "tools",
            json!([{"name": "x", "input_schema": {}, "allowed_callers": ["code_execution_20260120"]}]),
            "tools.0.allowed_callers: allowed_callers can't",
        ),
        (
            "messages",
            content(json!({"type": "document", "source": {}})),
            "messages.0.content.0: document can't",
        ),
        (
            "messages",
            content(json!({"type": "server_tool_use", "id": "x"})),
            "messages.0.content.0: server_tool_use can't",
        ),
        (
            "messages",
            content(json!({"type": "text", "text": "x", "citations": [{}]})),
            "messages.0.content.0.citations: citations can't",
        ),
        (
            "messages",
            content(json!({"type": "image", "source": {"type": "file", "file_id": "f"}})),
            "source: an image by its file can't",
        ),
        (
            "messages",
            content(
                json!({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "search_result"}]}),
            ),
            "content.0.content.0: search_result can't",
        ),
        (
            "container",
            json!("c"),
            "container: container can't be translated to another provider: leave it out, or ask for a model whose provider speaks this protocol itself",
        ),
        (
            "mcp_servers",
            json!([{"type": "url"}]),
            "mcp_servers: mcp_servers can't",
        ),
        (
            "inference_geo",
            json!("eu"),
            "inference_geo: inference_geo can't",
        ),
        ("speed", json!("fast"), "speed: speed \"fast\" can't"),
        (
            "context_management",
            json!({"edits": [{"type": "compact_20260112"}]}),
            "edits.0: compact_20260112 can't",
        ),
        ("max_tokens", json!(null), "max_tokens: is required"),
        (
            "max_tokens",
            json!("many"),
            "max_tokens: must be a whole number",
        ),
        ("messages", json!({}), "messages: must be an array"),
        (
            "messages",
            json!([{"role": "tool", "content": "x"}]),
            "messages.0.role: no role is called \"tool\"",
        ),
        (
            "messages",
            content(json!({"type": "tool_use", "id": "x", "name": "y"})),
            "messages.0.content.0.input: is required",
        ),
        ("model", json!(null), "model: is required"),
    ] {
        let said = ask(key, value);
        assert!(said.contains(expected), "{said}");
    }
    let unread = M.decode(b"[1]").unwrap_err();
    let answer = M.refuse(&Failure::from(unread));
    assert_eq!(
        (
            answer.status,
            String::from_utf8(answer.body).unwrap().as_str()
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"the body is no JSON object: it is another kind of value"}}"#
        )
    );
}

#[test]
fn counting_needs_no_most() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    let chat = decode_count(body.to_string().as_bytes()).unwrap();
    assert_eq!((chat.max_output, chat.messages.len()), (None, 1));
}

/// An answer of another wire's as the events of this one, byte for byte.
#[test]
fn the_events_of_a_message() {
    let expected = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_c_1","type":"message","role":"assistant","model":"m-1","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":0}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Let me "}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"see."}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"callboard:kept:openai:field:reasoning_content"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hello, Z"}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"oë"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"call_a","name":"weather","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"city\":"}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"\"Paris\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: content_block_start
data: {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"call_b","name":"time","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":3}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":176,"cache_creation_input_tokens":0,"cache_read_input_tokens":1024,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":27}}

event: message_stop
data: {"type":"message_stop"}

"#;
    let bytes = STREAMS[0].1.as_bytes();
    assert_eq!(relayed(&asked(M, &agent()), Wire::OpenAi, bytes), expected);
}

#[test]
fn thoughts_are_shown_to_who_wants_them() {
    let mut body = agent();
    body.as_object_mut().unwrap().remove("thinking");
    let seen = relayed(&asked(M, &body), Wire::OpenAi, STREAMS[0].1.as_bytes());
    assert!(
        !seen.contains("thinking") && seen.contains("Hello"),
        "{seen}"
    );
    let reply = Wire::OpenAi
        .decode(&head(200), PLAIN[0].1.as_bytes())
        .unwrap();
    let whole = asked(M, &body).reply(&reply, &stamp()).unwrap();
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(
        whole["content"][0],
        json!({"type": "text", "text": "Hello, Zoë"})
    );
}

/// What the provider itself would have said, but for the id.
#[test]
fn its_own_wires_answer_is_the_same() {
    let (asked, (wire, plain)) = (asked(M, &agent()), PLAIN[1]);
    let reply = wire.decode(&head(200), plain.as_bytes()).unwrap();
    let whole: Value = serde_json::from_slice(&asked.reply(&reply, &stamp()).unwrap()).unwrap();
    let mut expected: Value = serde_json::from_str(plain).unwrap();
    expected["id"] = json!("msg_c_1");
    expected["usage"]
        .as_object_mut()
        .unwrap()
        .remove("service_tier");
    assert_eq!(whole, expected);
    let events = data(&relayed(&asked, wire, STREAMS[1].1.as_bytes()));
    let theirs: Vec<Value> = data(STREAMS[1].1.trim_end())
        .into_iter()
        .filter(|event| event["type"] != "ping" && event["delta"]["partial_json"] != "")
        .collect();
    let blocks = |events: &[Value]| -> Vec<Value> {
        let is = |event: &&Value| event["type"].as_str().unwrap().starts_with("content");
        events.iter().filter(is).cloned().collect()
    };
    // A call without input says so here.
    let (ours, mut theirs_blocks) = (blocks(&events), blocks(&theirs));
    let last = theirs_blocks.len() - 1;
    theirs_blocks.insert(last, json!({"type": "content_block_delta", "index": 4, "delta": {"type": "input_json_delta", "partial_json": "{}"}}));
    assert_eq!(ours, theirs_blocks);
    let usage = &events[events.len() - 2]["usage"];
    assert_eq!(
        (&usage["input_tokens"], &usage["output_tokens"]),
        (&json!(100), &json!(27))
    );
}

#[test]
fn mixed_calls_come_one_after_the_other() {
    let end = Event::Finished {
        finish: Finish::ToolCalls,
        word: None,
    };
    let events = [
        call(0, "a"),
        call(1, "b"),
        call(2, "c"),
        more(2, "[]"),
        more(1, "{"),
        more(0, "{"),
        more(0, "}"),
        said("x"),
        more(1, "}"),
        call(3, "d"),
        end,
    ];
    let seen = data(&written(&asked(M, &agent()), &events));
    let blocks: Vec<String> = seen
        .iter()
        .filter_map(|event| {
            let block = &event["content_block"];
            let piece = &event["delta"]["partial_json"];
            let text = &event["delta"]["text"];
            [&block["id"], piece, text]
                .into_iter()
                .find_map(Value::as_str)
                .map(str::to_owned)
        })
        .collect();
    assert_eq!(blocks, ["a", "{", "}", "b", "{", "}", "c", "[]", "x", "d"]);
    let indices = seen
        .iter()
        .filter(|event| event["type"] == "content_block_start");
    let indices: Vec<_> = indices
        .map(|event| event["index"].as_u64().unwrap())
        .collect();
    assert_eq!(indices, [0, 1, 2, 3, 4]);
    assert_eq!(seen.last().unwrap()["type"], "message_stop");
}

/// Gemini signs calls; the signature travels through the client and comes back.
#[test]
fn a_signed_call_comes_back_signed() {
    let asked = asked(M, &agent());
    let (wire, bytes) = STREAMS[2];
    let seen = relayed(&asked, wire, bytes.as_bytes());
    let mut given = Wire::Anthropic.decoder(head(200));
    let mut events = Vec::new();
    given.feed(seen.as_bytes(), &mut events).unwrap();
    let mut assembly = callboard_routing::chat::Assembly::default();
    events.into_iter().for_each(|event| assembly.take(event));
    let reply = assembly.reply(None, Default::default()).unwrap();
    let whole = asked.reply(&reply, &stamp()).unwrap();
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    let mut body = agent();
    body["messages"] = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": whole["content"]}]);
    let back = across(M, &body, wire);
    let parts = &back["contents"][1]["parts"];
    assert_eq!(
        parts,
        &json!([
            {"text": "Hello, Zoë"},
            {"functionCall": {"name": "weather", "args": {"city": "Paris"}}, "thoughtSignature": "c2ln"},
            {"functionCall": {"name": "time", "args": {}, "id": "fc-9"}},
        ])
    );
}

#[test]
fn an_error_in_the_middle_is_said_in_the_middle() {
    let whole = STREAMS[0].1;
    let cut = &whole[..whole.find("oë").unwrap()];
    let seen = relayed(&asked(M, &agent()), Wire::OpenAi, cut.as_bytes());
    let tail = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"the answer broke off before its end\"}}\n\n";
    assert!(
        seen.starts_with("event: message_start") && seen.ends_with(tail),
        "{seen}"
    );
    assert!(!seen.contains("message_stop"));
    let picture = Event::Image(Image::Url {
        url: "https://x".to_owned(),
    });
    let seen = written(&asked(M, &agent()), &[said("x"), picture, said("y")]);
    let last = data(&seen).pop().unwrap();
    assert_eq!(
        last["error"]["message"],
        "the model answered with a picture, for which Anthropic's Messages has no words"
    );
}

#[test]
fn each_end_has_its_word() {
    for (finish, word) in [
        (Finish::Stop, "end_turn"),
        (Finish::StopSequence, "stop_sequence"),
        (Finish::Length, "max_tokens"),
        (Finish::ToolCalls, "tool_use"),
        (Finish::Refused, "refusal"),
        (Finish::Paused, "pause_turn"),
        (Finish::Other, "end_turn"),
    ] {
        let end = Event::Finished { finish, word: None };
        let seen = data(&written(&asked(M, &agent()), &[end]));
        let types: Vec<_> = seen
            .iter()
            .map(|event| event["type"].as_str().unwrap())
            .collect();
        assert_eq!(types, ["message_start", "message_delta", "message_stop"]);
        assert_eq!(seen[1]["delta"]["stop_reason"], word);
    }
}

#[test]
fn a_call_that_is_no_object_is_no_answer() {
    let text = PLAIN[0].1.replace(r#"{\"city\":\"Paris\"}"#, "[1]");
    let reply = Wire::OpenAi.decode(&head(200), text.as_bytes()).unwrap();
    let failure = asked(M, &agent()).reply(&reply, &stamp()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Malformed);
    assert!(failure.message.contains("weather"));
}
