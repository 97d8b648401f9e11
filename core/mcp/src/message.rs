//! From bytes to a message of the protocol.
//!
//! For: reading one, and saying what is wrong with what is none. Not for: where a message begins and ends
//! (`lines`, `http`), or what it asks for.

use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientJsonRpcMessage, ErrorData, JsonObject,
    MetaObject, RequestId, RequestMetaObject,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// The answer to a line that is no message.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) id: Option<RequestId>,
    pub(crate) error: ErrorData,
}

/// What tells a call from other messages; its parameters are skipped.
#[derive(Deserialize)]
struct Envelope<'l> {
    jsonrpc: Option<&'l str>,
    id: Option<RequestId>,
    method: Option<&'l str>,
}

/// The rest of a call.
#[derive(Deserialize)]
struct CallBody {
    params: PlainCall,
}

/// The parameters of a plain `tools/call`. One with more in it goes the library's way.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainCall {
    name: String,
    arguments: Option<JsonObject>,
    _meta: Option<JsonObject>,
}

/// The message in `line`; nothing for a blank line and for notifications that nobody understands.
pub(crate) fn read_line(line: &[u8]) -> Result<Option<ClientJsonRpcMessage>, Box<Refusal>> {
    let line = line
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(line)
        .trim_ascii();
    if line.is_empty() {
        return Ok(None);
    }
    if let Some(call) = plain_call(line) {
        return Ok(Some(call));
    }
    let error = match serde_json::from_slice(line) {
        Ok(message) => return Ok(Some(message)),
        Err(error) => error,
    };
    if let Ok(value) = serde_json::from_slice(line) {
        return refuse_value(&value);
    }
    let message = format!(
        "the line is not JSON: {}",
        crate::clip(&error.to_string(), 200)
    );
    Err(Box::new(Refusal {
        id: None,
        error: ErrorData::parse_error(message, None),
    }))
}

/// A `tools/call` read directly. The library tries each kind of message in turn, which costs several times
/// as much, and most with large arguments.
fn plain_call(line: &[u8]) -> Option<ClientJsonRpcMessage> {
    let envelope: Envelope<'_> = serde_json::from_slice(line).ok()?;
    if envelope.method != Some("tools/call") || envelope.jsonrpc != Some("2.0") {
        return None;
    }
    let id = envelope.id?;
    let CallBody { params: call } = serde_json::from_slice(line).ok()?;
    let mut params = CallToolRequestParams::new(call.name);
    params.arguments = call.arguments;
    let mut request = CallToolRequest::new(params);
    if let Some(meta) = call._meta {
        request
            .extensions
            .insert(RequestMetaObject(MetaObject(meta)));
    }
    Some(ClientJsonRpcMessage::request(request.into(), id))
}

/// JSON that is no message: an answer to what asked for one, silence to a notification.
fn refuse_value(value: &Value) -> Result<Option<ClientJsonRpcMessage>, Box<Refusal>> {
    let id = value
        .get("id")
        .and_then(|id| serde_json::from_value(id.clone()).ok());
    if id.is_none() && value.get("method").is_some() && value.get("id").is_none() {
        return Ok(None);
    }
    Err(Box::new(Refusal {
        id,
        error: no_message(value),
    }))
}

/// What keeps JSON from being a message of this protocol.
pub(crate) fn no_message(value: &Value) -> ErrorData {
    let Some(message) = value.as_object() else {
        let why = match value {
            Value::Array(_) => "this revision has no batches; send one message at a time",
            _ => "this is JSON but no JSON-RPC 2.0 message; a message is an object",
        };
        return ErrorData::invalid_request(why, None);
    };
    let is_id = |id: &Value| serde_json::from_value::<RequestId>(id.clone()).is_ok();
    let why = if message.get("jsonrpc") != Some(&json!("2.0")) {
        "this is JSON but no JSON-RPC 2.0 message: `jsonrpc` must be \"2.0\""
    } else if message.get("id").is_some_and(|id| !is_id(id)) {
        "this is JSON but no JSON-RPC 2.0 message: `id` must be a string or a whole number"
    } else if message
        .get("method")
        .is_some_and(|method| !method.is_string())
    {
        "this is JSON but no JSON-RPC 2.0 message: `method` must be a string"
    } else if message.contains_key("method")
        && message
            .get("params")
            .is_some_and(|params| !params.is_object())
    {
        return ErrorData::invalid_params("`params` must be an object", None);
    } else {
        "this is JSON but no JSON-RPC 2.0 message: it is no request, no answer and no error"
    };
    ErrorData::invalid_request(why, None)
}
