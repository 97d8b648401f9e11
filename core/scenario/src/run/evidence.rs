//! What an answer brings, by the method that was asked.

use crate::judge::{Evidence, Fault};
use crate::values::Wrong;
use crate::wire::{Conn, Gone, Item, Pending};
use serde_json::Value;

/// Something was sent that has no answer, or could not be sent.
pub(super) fn sent(done: Result<(), Wrong>) -> Evidence {
    Evidence {
        fault: done.err().map(|wrong| Fault::transport(wrong, None)),
        ..Evidence::default()
    }
}

/// What an answer brings, how long it took, and how much progress came before it.
pub(super) fn evidence(conn: &Conn, pending: &Pending, reply: Result<Item, Gone>) -> Evidence {
    let mut evidence = read(reply, &pending.method);
    evidence.took = pending.began.elapsed();
    evidence.progress = conn.progress(pending);
    evidence
}

/// What an answer brings, by the method that was asked.
pub(super) fn read(reply: Result<Item, Gone>, method: &str) -> Evidence {
    let message = match reply {
        Err(Gone(why)) => return sent(Err(why)),
        Ok(Item::Junk(line)) => {
            return Evidence {
                text: Some(line.clone()),
                value: Some(Value::String(line)),
                ..Evidence::default()
            };
        }
        Ok(Item::Failed {
            status,
            message,
            body,
            ..
        }) => {
            let error = body
                .as_ref()
                .and_then(|body| body.get("error"))
                .filter(|error| error.is_object());
            return Evidence {
                fault: Some(match error {
                    Some(error) => Fault::protocol(error, status),
                    None => Fault::transport(message, status),
                }),
                message: body,
                ..Evidence::default()
            };
        }
        Ok(Item::Message(message)) => message,
    };
    if method == "raw" {
        return Evidence {
            value: Some(message.clone()),
            text: Some(message.to_string()),
            message: Some(message),
            ..Evidence::default()
        };
    }
    if let Some(error) = message.get("error") {
        return Evidence {
            fault: Some(Fault::protocol(error, None)),
            message: Some(message),
            ..Evidence::default()
        };
    }
    let result = message["result"].clone();
    let text = words(&result, method);
    let value = match method {
        "tools/call" => match (result.get("structuredContent"), &text) {
            (Some(structured), _) => structured.clone(),
            (None, Some(text)) => Value::String(text.clone()),
            (None, None) => result.clone(),
        },
        "completion/complete" => result["completion"].clone(),
        _ => result.clone(),
    };
    Evidence {
        fault: (result["isError"] == true)
            .then(|| Fault::tool(text.as_deref().unwrap_or_default())),
        value: Some(value),
        text,
        result: Some(result),
        message: Some(message),
        ..Evidence::default()
    }
}

/// The text blocks of a result, joined.
fn words(result: &Value, method: &str) -> Option<String> {
    let list = match method {
        "tools/call" => result["content"].as_array(),
        "resources/read" => result["contents"].as_array(),
        "prompts/get" => result["messages"].as_array(),
        _ => None,
    }?;
    let texts = list.iter().filter_map(|block| {
        let block = if method == "prompts/get" {
            &block["content"]
        } else {
            block
        };
        block["text"].as_str()
    });
    let texts: Vec<&str> = texts.collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}
