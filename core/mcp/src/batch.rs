//! Several messages in one array, as the revision of 2025-03-26 has them and no other.
//!
//! For: taking one apart, so that each of its messages goes the way of any other. Not for: answering in an
//! array: each answer goes out when it is ready, which that revision leaves to the server.

use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, ErrorData, JsonRpcMessage, ProtocolVersion,
    ServerJsonRpcMessage, ServerResult,
};
use serde_json::Value;

use crate::message::{Refusal, read_line};

/// Messages in one array.
const MOST: usize = 100;

/// Whether this answer begins a session whose client may send batches.
pub(crate) fn may_follow(answer: &ServerJsonRpcMessage) -> bool {
    let JsonRpcMessage::Response(response) = answer else {
        return false;
    };
    let ServerResult::InitializeResult(begun) = &response.result else {
        return false;
    };
    begun.protocol_version == ProtocolVersion::V_2025_03_26
}

/// The messages of a batch, each as bytes of its own; nothing if this is none.
pub(crate) fn pieces(line: &[u8]) -> Option<Result<Vec<Vec<u8>>, Box<Refusal>>> {
    if line.trim_ascii_start().first() != Some(&b'[') {
        return None;
    }
    // Who reads single messages says what is wrong with what is no JSON.
    let messages: Vec<Value> = serde_json::from_slice(line).ok()?;
    let refused = |why: String| {
        let error = ErrorData::invalid_request(why, None);
        Some(Err(Box::new(Refusal { id: None, error })))
    };
    match messages.len() {
        0 => refused("a batch holds at least one message".to_owned()),
        1..=MOST => {
            let bytes = messages.iter().map(|one| one.to_string().into_bytes());
            Some(Ok(bytes.collect()))
        }
        many => refused(format!(
            "a batch of {many} messages; at most {MOST} are taken at once"
        )),
    }
}

/// One message of a batch.
pub(crate) fn read(piece: &[u8]) -> Result<Option<ClientJsonRpcMessage>, Box<Refusal>> {
    let message = read_line(piece)?;
    if let Some(JsonRpcMessage::Request(request)) = &message
        && let ClientRequest::InitializeRequest(_) = &request.request
    {
        let why = "initialize is sent by itself, not in a batch";
        return Err(Box::new(Refusal {
            id: Some(request.id.clone()),
            error: ErrorData::invalid_request(why, None),
        }));
    }
    Ok(message)
}
