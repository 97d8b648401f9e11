//! Bodies that are no message, and errors of the protocol library.
//!
//! For: saying over HTTP what standard input says to the same bytes, with the request's id. Not for: what is
//! refused before a body is read (`route`).

use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::RequestId;
use super::answer::{self, Answer, code};
use super::refusals::no_session;
use crate::ToolError;
use crate::message::{Refusal, read_line};

/// How much of an error's text is kept: the library puts what was sent into some.
const SAID_CHARS: usize = 400;

/// The answer to a body that is no message.
pub(super) fn no_message(body: &[u8], id: &RequestId) -> Answer {
    match read_line(body) {
        Err(refusal) => refused(*refusal, id),
        // A line may be blank or begin with a byte order mark; a body may not.
        Ok(_) => {
            let error = ToolError::invalid("the body of the request is no JSON message");
            answer::error(StatusCode::BAD_REQUEST, code::PARSE, &error, None, id)
        }
    }
}

/// The answer to what was read and is no message.
pub(super) fn refused(refusal: Refusal, id: &RequestId) -> Answer {
    let Refusal { id: message, error } = refusal;
    let message = message.and_then(|id| serde_json::to_value(id).ok());
    let code = i64::from(error.code.0);
    let error = ToolError::invalid(error.message);
    answer::error(StatusCode::BAD_REQUEST, code, &error, message, id)
}

/// The answer to what needs none.
pub(super) fn accepted() -> Answer {
    let mut taken = Answer::new(answer::full("Accepted"));
    *taken.status_mut() = StatusCode::ACCEPTED;
    taken
}

fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_i64() || id.is_u64()
}

/// Text that carries no more of what was sent than a reader needs, and nothing that a terminal obeys.
fn tame(text: &str) -> String {
    let mut tame = String::new();
    for c in crate::clip(text, SAID_CHARS).chars() {
        match c {
            '\n' | '\t' => tame.push(c),
            c if c.is_control() => tame.extend(c.escape_debug()),
            c => tame.push(c),
        }
    }
    tame
}

/// An error answer of the protocol library, with the message's id and the request's.
pub(super) async fn explained(
    answered: Answer,
    sent: &[u8],
    message: Option<Value>,
    id: &RequestId,
) -> Answer {
    // What the library could not read is told as it is on the other transports.
    if answered.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        match read_line(sent) {
            Err(refusal) => return refused(*refusal, id),
            Ok(None) if !sent.trim_ascii().is_empty() => return accepted(),
            _ => {}
        }
    }
    let message = message.filter(is_id);
    let (mut head, body) = answered.into_parts();
    let bytes = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    if head.status == StatusCode::NOT_FOUND && !bytes.starts_with(b"{") {
        let refusal = no_session();
        return answer::error(
            refusal.status,
            code::NO_SESSION,
            &refusal.error,
            message,
            id,
        );
    }
    let mut value: Value = match serde_json::from_slice(&bytes) {
        Ok(value @ Value::Object(_)) => value,
        _ => {
            let code = match head.status {
                status if status.is_server_error() => code::INTERNAL,
                _ => code::INVALID_REQUEST,
            };
            let text = String::from_utf8_lossy(&bytes);
            json!({ "jsonrpc": "2.0", "id": message, "error": { "code": code, "message": text } })
        }
    };
    if let Some(error) = value.get_mut("error").and_then(Value::as_object_mut) {
        if let Some(said) = error.get("message").and_then(Value::as_str).map(tame) {
            error.insert("message".to_owned(), json!(said));
        }
        let data = error.entry("data").or_insert_with(|| json!({}));
        if data.is_null() {
            *data = json!({});
        }
        if let Some(data) = data.as_object_mut() {
            data.insert("requestId".to_owned(), json!(id.as_str()));
        }
    }
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    Answer::from_parts(head, answer::full(value.to_string()))
}
