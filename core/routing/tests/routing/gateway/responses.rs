//! Clients that speak Responses.

use super::{across, asked, call, data, head, more, refusal, relayed, said, stamp, written};
use crate::fixtures::{PLAIN, STREAMS};
use callboard_routing::chat::{Event, Finish, Image};
use callboard_routing::gateway::Dialect;
use callboard_routing::wire::{Mode, Wire};
use serde_json::{Value, json};

const R: Dialect = Dialect::Responses;

/// A body as Codex sends them (its texts are shorter here), with a turn behind it.
fn agent() -> Value {
    let message = |role: &str, kind: &str, text: &str| json!({"type": "message", "id": "msg_1", "role": role, "content": [{"type": kind, "text": text}]});
    json!({
        "model": "m-1",
        "stream": true,
        "instructions": "Act.",
        "input": [
            message("developer", "input_text", "You are a coding agent."),
            message("user", "input_text", "<environment_context>"),
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What is this?"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "high"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            message("assistant", "output_text", "One moment."),
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": "{\"city\":\"Paris\"}"},
            {"type": "function_call", "call_id": "call_2", "namespace": "mcp__triv", "name": "echo", "arguments": "{}"},
            {"type": "custom_tool_call", "call_id": "call_3", "name": "apply_patch", "input": "*** Begin\n"},
            {"type": "function_call_output", "call_id": "call_1", "output": "18"},
            {"type": "function_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "two"}]},
            {"type": "custom_tool_call_output", "call_id": "call_3", "output": "done"},
            message("user", "input_text", "Go on."),
        ],
        "tools": [
            {"type": "function", "name": "weather", "description": "The weather.", "strict": false, "parameters": {"type": "object"}},
            {"type": "namespace", "name": "mcp__triv", "description": "Trivial.", "tools": [
                {"type": "function", "name": "echo", "description": "Says it.", "strict": false, "parameters": {"type": "object"}}]},
            {"type": "custom", "name": "apply_patch", "description": "Patches.", "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}},
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": true,
        "reasoning": {"effort": "high", "summary": "auto"},
        "text": {"verbosity": "medium"},
        "store": false,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "k",
        "client_metadata": {"thread_id": "t"},
    })
}

#[test]
fn an_agents_request_reaches_chat_completions() {
    assert_eq!(asked(R, &agent()).mode, Mode::Stream);
    let function = |name: &str, description: &str, parameters: Value| json!({"type": "function", "function": {"name": name, "description": description, "parameters": parameters}});
    let mut weather = function("weather", "The weather.", json!({"type": "object"}));
    weather["function"]["strict"] = json!(false);
    let mut echo = function("mcp__triv__echo", "Says it.", json!({"type": "object"}));
    echo["function"]["strict"] = json!(false);
    let patch = json!({"type": "object", "properties": {"input": {"type": "string", "description": "The whole input of the tool, as it is."}}, "required": ["input"]});
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let expected = json!({
        "model": "m-1",
        "messages": [
            {"role": "system", "content": "Act."},
            {"role": "system", "content": "About the tools whose names begin with mcp__triv__:\nTrivial."},
            {"role": "system", "content": "You are a coding agent."},
            {"role": "user", "content": "<environment_context>"},
            {"role": "user", "content": [{"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
            {"role": "assistant", "content": "One moment.", "tool_calls": [
                call("call_1", "weather", "{\"city\":\"Paris\"}"),
                call("call_2", "mcp__triv__echo", "{}"),
                call("call_3", "apply_patch", "{\"input\":\"*** Begin\\n\"}")]},
            {"role": "tool", "tool_call_id": "call_1", "content": "18"},
            {"role": "tool", "tool_call_id": "call_2", "content": "two"},
            {"role": "tool", "tool_call_id": "call_3", "content": "done"},
            {"role": "user", "content": "Go on."},
        ],
        "tools": [weather, echo,
            function("apply_patch", "Patches.\n\nThe input must follow this grammar (lark):\nstart: x", patch)],
        "tool_choice": "auto",
        "parallel_tool_calls": true,
        "reasoning_effort": "high",
    });
    assert_eq!(across(R, &agent(), Wire::OpenAi), expected);
    let anthropic = across(R, &agent(), Wire::Anthropic);
    let results = anthropic["messages"][3]["content"].as_array().unwrap();
    assert_eq!(
        (results.len(), &results[2]["tool_use_id"]),
        (3, &json!("call_3"))
    );
}

#[test]
fn wishes_are_translated() {
    let ask = |key: &str, value: Value| {
        let mut body =
            json!({"model": "m", "input": "hi", "tools": [{"type": "function", "name": "look"}]});
        body[key] = value;
        across(R, &body, Wire::OpenAi)
    };
    for (key, value, field, expected) in [
        ("user", json!("u"), "/messages/0/content", json!("hi")),
        (
            "tool_choice",
            json!("required"),
            "/tool_choice",
            json!("required"),
        ),
        (
            "tool_choice",
            json!({"type": "function", "name": "look"}),
            "/tool_choice/function/name",
            json!("look"),
        ),
        (
            "text",
            json!({"format": {"type": "json_object"}}),
            "/response_format/type",
            json!("json_object"),
        ),
        (
            "text",
            json!({"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}, "strict": true}}),
            "/response_format/json_schema",
            json!({"name": "a", "schema": {"type": "object"}, "strict": true}),
        ),
        ("max_output_tokens", json!(7), "/max_tokens", json!(7)),
        (
            "reasoning",
            json!({"effort": "minimal"}),
            "/reasoning_effort",
            json!("minimal"),
        ),
    ] {
        assert_eq!(ask(key, value).pointer(field), Some(&expected), "{key}");
    }
}

#[test]
fn what_has_no_translation_is_refused_by_name() {
    let item = |item: Value| json!([item]);
    for (key, value, expected) in [
        (
            "previous_response_id",
            json!("resp_1"),
            "previous_response_id: previous_response_id can't be translated to another provider: send the whole conversation",
        ),
        (
            "conversation",
            json!("c"),
            "conversation: conversation can't",
        ),
        (
            "background",
            json!(true),
            "background: background true can't",
        ),
        ("store", json!(true), "store: store true can't"),
        ("prompt", json!({"id": "p"}), "prompt: prompt can't"),
        (
            "truncation",
            json!("auto"),
            "truncation: truncation \"auto\" can't",
        ),
        (
            "tools",
            json!([{"type": "web_search", "external_web_access": false}]),
            "tools.0: the built-in tool web_search can't be translated to another provider: leave it out (Codex: `web_search = \"disabled\"`",
        ),
        (
            "tools",
            json!([{"type": "file_search"}]),
            "tools.0: the built-in tool file_search can't",
        ),
        (
            "tools",
            json!([{"type": "namespace", "name": "n", "tools": [{"type": "computer"}]}]),
            "tools.0.tools.0: the built-in tool computer can't",
        ),
        (
            "tools",
            json!([{"type": "function", "name": "x"}, {"type": "custom", "name": "x"}]),
            "tools.1.name: a second tool x",
        ),
        (
            "tool_choice",
            json!({"type": "web_search"}),
            "tool_choice: tool_choice web_search can't",
        ),
        (
            "input",
            item(json!({"type": "local_shell_call"})),
            "input.0: an item of the type local_shell_call can't",
        ),
        (
            "input",
            item(json!({"type": "item_reference", "id": "x"})),
            "input.0: an item of the type item_reference can't",
        ),
        (
            "input",
            item(json!({"role": "user", "content": [{"type": "input_file"}]})),
            "input.0.content.0: input_file can't",
        ),
        (
            "input",
            item(json!({"role": "user", "content": [{"type": "input_image", "file_id": "f"}]})),
            "an image by its file can't",
        ),
        (
            "input",
            item(json!({"type": "function_call", "name": "x", "arguments": "{}"})),
            "input.0.call_id: is required",
        ),
        (
            "text",
            json!({"verbosity": "low"}),
            "text.verbosity: verbosity \"low\" can't",
        ),
        (
            "max_tool_calls",
            json!(3),
            "max_tool_calls: max_tool_calls can't",
        ),
    ] {
        let mut body = agent();
        body[key] = value;
        let said = refusal(R, &body);
        assert!(said.contains(expected), "{said}");
    }
}

fn types(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect()
}

/// An answer of another wire's as the events of this one.
#[test]
#[expect(clippy::too_many_lines, reason = "one answer, event by event")]
fn the_events_of_a_response() {
    let (wire, bytes) = STREAMS[1];
    let seen = data(&relayed(&asked(R, &agent()), wire, bytes.as_bytes()));
    let base = |status: &str, output: Value, usage: Value| {
        json!({"id": "resp_c_1", "object": "response", "created_at": 7, "status": status, "error": null,
            "incomplete_details": null, "model": "m-1", "output": output, "store": false, "usage": usage})
    };
    let message = |status: &str, content: Value| json!({"type": "message", "id": "msg_c_1_0", "status": status, "role": "assistant", "content": content});
    let words = json!({"type": "output_text", "text": "Hello, Zoë", "annotations": []});
    let call = |at: usize, status: &str, call: &str, name: &str, arguments: &str| json!({"type": "function_call", "id": format!("fc_c_1_{at}"), "status": status, "call_id": call, "name": name, "arguments": arguments});
    let paris = r#"{"city":"Paris"}"#;
    let at = json!({"item_id": "msg_c_1_0", "output_index": 0, "content_index": 0});
    let with = |base: &Value, key: &str, value: Value| {
        let mut whole = base.clone();
        whole[key] = value;
        whole
    };
    let fc = |at: usize| json!({"item_id": format!("fc_c_1_{at}"), "output_index": at});
    let output = json!([
        message("completed", json!([words])),
        call(1, "completed", "toolu_a", "weather", paris),
        call(2, "completed", "toolu_b", "time", "{}"),
    ]);
    let usage = json!({"input_tokens": 1200, "input_tokens_details": {"cached_tokens": 1024}, "output_tokens": 27,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 1227});
    let expected = [
        (
            "response.created",
            json!({"response": base("in_progress", json!([]), Value::Null)}),
        ),
        (
            "response.in_progress",
            json!({"response": base("in_progress", json!([]), Value::Null)}),
        ),
        (
            "response.output_item.added",
            json!({"output_index": 0, "item": message("in_progress", json!([]))}),
        ),
        (
            "response.content_part.added",
            with(
                &at,
                "part",
                json!({"type": "output_text", "text": "", "annotations": []}),
            ),
        ),
        (
            "response.output_text.delta",
            with(&at, "delta", json!("Hello, Z")),
        ),
        (
            "response.output_text.delta",
            with(&at, "delta", json!("oë")),
        ),
        (
            "response.output_text.done",
            with(&at, "text", json!("Hello, Zoë")),
        ),
        (
            "response.content_part.done",
            with(&at, "part", words.clone()),
        ),
        (
            "response.output_item.done",
            json!({"output_index": 0, "item": message("completed", json!([words]))}),
        ),
        (
            "response.output_item.added",
            json!({"output_index": 1, "item": call(1, "in_progress", "toolu_a", "weather", "")}),
        ),
        (
            "response.function_call_arguments.delta",
            with(&fc(1), "delta", json!("{\"city\":")),
        ),
        (
            "response.function_call_arguments.delta",
            with(&fc(1), "delta", json!("\"Paris\"}")),
        ),
        (
            "response.output_item.added",
            json!({"output_index": 2, "item": call(2, "in_progress", "toolu_b", "time", "")}),
        ),
        (
            "response.function_call_arguments.delta",
            with(&fc(2), "delta", json!("{}")),
        ),
        (
            "response.function_call_arguments.done",
            with(&fc(1), "arguments", json!(paris)),
        ),
        (
            "response.output_item.done",
            json!({"output_index": 1, "item": call(1, "completed", "toolu_a", "weather", paris)}),
        ),
        (
            "response.function_call_arguments.done",
            with(&fc(2), "arguments", json!("{}")),
        ),
        (
            "response.output_item.done",
            json!({"output_index": 2, "item": call(2, "completed", "toolu_b", "time", "{}")}),
        ),
        (
            "response.completed",
            json!({"response": base("completed", output, usage)}),
        ),
    ];
    assert_eq!(types(&seen), expected.each_ref().map(|(kind, _)| *kind));
    for (number, (seen, (kind, fields))) in seen.iter().zip(&expected).enumerate() {
        let mut whole = json!({"type": kind, "sequence_number": number});
        whole
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        assert_eq!(*seen, whole);
    }
}

#[test]
fn an_answer_in_one_piece_is_the_last_event() {
    for ((wire, plain), (_, stream)) in PLAIN.into_iter().zip(STREAMS) {
        let asked = asked(R, &agent());
        let reply = wire.decode(&head(200), plain.as_bytes()).unwrap();
        let whole: Value = serde_json::from_slice(&asked.reply(&reply, &stamp()).unwrap()).unwrap();
        let seen = data(&relayed(&asked, wire, stream.as_bytes()));
        assert_eq!(whole, seen.last().unwrap()["response"], "{wire}");
        assert_eq!(whole["output"][0]["content"][0]["text"], "Hello, Zoë");
    }
}

#[test]
fn tools_that_are_more_than_functions_are_called_as_such() {
    let started = |index, name: &str| Event::ToolCallStarted {
        index,
        id: format!("call_{index}"),
        name: name.to_owned(),
        kept: None,
    };
    let end = Event::Finished {
        finish: Finish::ToolCalls,
        word: None,
    };
    let events = [
        started(0, "mcp__triv__echo"),
        started(1, "apply_patch"),
        started(2, "apply_patch"),
        more(1, "{\"input\": \"*** Be"),
        more(0, "{}"),
        more(1, "gin\\n\"}"),
        said("x"),
        more(2, "*** Raw"),
        end,
    ];
    let seen = data(&written(&asked(R, &agent()), &events));
    let done: Vec<&Value> = seen
        .iter()
        .filter(|event| event["type"] == "response.output_item.done")
        .map(|event| &event["item"])
        .collect();
    let custom = |at: usize, input: &str| json!({"type": "custom_tool_call", "id": format!("fc_c_1_{at}"), "status": "completed", "call_id": format!("call_{at}"), "name": "apply_patch", "input": input});
    assert_eq!(done.len(), 4);
    assert_eq!(
        done[0],
        &json!({"type": "function_call", "id": "fc_c_1_0", "status": "completed", "call_id": "call_0", "name": "echo", "arguments": "{}", "namespace": "mcp__triv"})
    );
    assert_eq!(
        (done[1], done[2]),
        (&custom(1, "*** Begin\n"), &custom(2, "*** Raw"))
    );
    assert_eq!(done[3]["content"][0]["text"], "x");
    let inputs: Vec<&Value> = seen
        .iter()
        .filter(|event| event["type"] == "response.custom_tool_call_input.delta")
        .map(|event| &event["delta"])
        .collect();
    assert_eq!(inputs, ["*** Begin\n", "*** Raw"]);
}

#[test]
fn what_does_not_end_well_says_so() {
    let whole = STREAMS[0].1;
    let cut = &whole[..whole.find("oë").unwrap()];
    let seen = data(&relayed(&asked(R, &agent()), Wire::OpenAi, cut.as_bytes()));
    let last = seen.last().unwrap();
    assert_eq!(
        (&last["type"], &last["response"]["status"]),
        (&json!("response.failed"), &json!("failed"))
    );
    assert_eq!(
        last["response"]["error"],
        json!({"code": "server_error", "message": "the answer broke off before its end"})
    );
    let long = "data: {\"error\":{\"message\":\"maximum context length\",\"code\":\"context_length_exceeded\"}}\n\n";
    let seen = data(&relayed(&asked(R, &agent()), Wire::OpenAi, long.as_bytes()));
    assert_eq!(
        seen.last().unwrap()["response"]["error"]["code"],
        "context_length_exceeded"
    );
    let picture = Event::Image(Image::Url {
        url: "https://x".to_owned(),
    });
    let seen = data(&written(
        &asked(R, &agent()),
        &[said("x"), picture, call(0, "a")],
    ));
    assert_eq!(types(&seen).last(), Some(&"response.failed"));
    for (finish, status, reason) in [
        (
            Finish::Length,
            "incomplete",
            json!({"reason": "max_output_tokens"}),
        ),
        (
            Finish::Refused,
            "incomplete",
            json!({"reason": "content_filter"}),
        ),
        (Finish::Stop, "completed", Value::Null),
    ] {
        let end = Event::Finished { finish, word: None };
        let seen = data(&written(&asked(R, &agent()), &[end]));
        let last = seen.last().unwrap();
        assert_eq!(last["type"], format!("response.{status}"));
        assert_eq!(
            (
                &last["response"]["status"],
                &last["response"]["incomplete_details"]
            ),
            (&json!(status), &reason)
        );
    }
}
