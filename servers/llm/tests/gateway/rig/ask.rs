//! Questions in the protocols of clients, and what is said back.

use super::events;
use callboard_tests::http::Exchange;
use serde_json::{Value, json};

/// What providers speak.
pub const WIRES: [&str; 4] = ["openai", "anthropic", "gemini", "ollama"];
/// Where each of the protocols is.
pub const PATHS: [&str; 3] = ["/v1/messages", "/v1/chat/completions", "/v1/responses"];

/// A question in the protocol of the path.
pub fn question(path: &str, model: &str, stream: bool) -> Value {
    let said = json!([{"role": "user", "content": "What is the weather in Paris?"}]);
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let mut body = match path {
        "/v1/messages" => json!({
            "max_tokens": 100, "messages": said,
            "tools": [{"name": "weather", "description": "d", "input_schema": schema}],
        }),
        "/v1/responses" => json!({
            "input": said,
            "tools": [{"type": "function", "name": "weather", "description": "d", "parameters": schema}],
        }),
        _ => json!({
            "messages": said,
            "tools": [{"type": "function", "function": {"name": "weather", "description": "d", "parameters": schema}}],
        }),
    };
    body["model"] = json!(model);
    body["stream"] = json!(stream);
    body
}

/// Everything that was said, whatever the form.
pub fn said(exchange: &mut Exchange, stream: bool) -> String {
    if stream {
        events(exchange).concat()
    } else {
        exchange.body()
    }
}

/// The words of a stream's pieces in a row: a text may come in several.
pub fn words(said: &str) -> String {
    let data = said.lines().filter_map(|line| line.strip_prefix("data: "));
    let values = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    let pieces = values.filter_map(|value| {
        let places = [
            &value["delta"]["text"],
            &value["choices"][0]["delta"]["content"],
            &value["delta"],
        ];
        places
            .iter()
            .find_map(|place| place.as_str().map(str::to_owned))
    });
    pieces.collect()
}
