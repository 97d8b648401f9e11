//! Under which names the requests at work came.
//!
//! For: errors of the protocol library, which knows nothing of them. Not for: errors of ours, which bear them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rmcp::model::{ClientJsonRpcMessage, JsonRpcMessage, RequestId, ServerJsonRpcMessage};

use crate::http::RequestId as Name;

/// The names, by the ids of the messages.
#[derive(Default)]
pub(super) struct Named(Mutex<HashMap<RequestId, Name>>);

impl Named {
    pub(super) fn note(&self, message: &ClientJsonRpcMessage) {
        if let JsonRpcMessage::Request(request) = message
            && let Some(name) = Name::of_request(request)
        {
            self.with(|names| names.insert(request.id.clone(), name.clone()));
        }
    }

    /// Forgets a request that has no answer any more.
    pub(super) fn forget(&self, id: &RequestId) {
        self.with(|names| names.remove(id));
    }

    /// Names the answer if it is an error without a name.
    pub(super) fn complete(&self, answer: &mut ServerJsonRpcMessage) {
        match answer {
            JsonRpcMessage::Response(response) => self.forget(&response.id),
            JsonRpcMessage::Error(error) => {
                let Some(id) = &error.id else { return };
                self.with(|names| {
                    let Some(name) = names.get(id) else { return };
                    name.name(&mut error.error);
                    // One of another name is about another request with the same id.
                    if name.is_in(&error.error) {
                        names.remove(id);
                    }
                });
            }
            _ => {}
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<RequestId, Name>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::model::{ErrorData, GetExtensions as _};
    use serde_json::json;

    fn asked(id: u32, name: &str) -> ClientJsonRpcMessage {
        let message = json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
        let mut message: ClientJsonRpcMessage = serde_json::from_value(message).unwrap();
        let head = http::Request::builder().header("x-request-id", name);
        let (mut head, ()) = head.body(()).unwrap().into_parts();
        head.extensions.insert(Name::of(&head.headers));
        if let JsonRpcMessage::Request(request) = &mut message {
            request.request.extensions_mut().insert(head);
        }
        message
    }

    fn refused(id: u32, name: Option<&str>) -> ServerJsonRpcMessage {
        let data = name.map(|name| json!({"requestId": name}));
        let error = ErrorData::invalid_request("no", data);
        ServerJsonRpcMessage::error(error, Some(RequestId::Number(id.into())))
    }

    fn name_of(answer: &ServerJsonRpcMessage) -> Option<String> {
        let JsonRpcMessage::Error(error) = answer else {
            return None;
        };
        let name = error.error.data.as_ref()?["requestId"].as_str()?;
        Some(name.to_owned())
    }

    #[test]
    fn an_error_gets_the_name_of_its_request_and_nothing_is_kept_after_the_answer() {
        let named = Named::default();
        named.note(&asked(1, "one"));
        named.note(&asked(2, "two"));
        let mut other = refused(1, Some("again"));
        named.complete(&mut other);
        assert_eq!(name_of(&other).as_deref(), Some("again"));
        let mut bare = refused(1, None);
        named.complete(&mut bare);
        assert_eq!(name_of(&bare).as_deref(), Some("one"));
        named.complete(&mut refused(2, Some("two")));
        assert_eq!(named.with(|names| names.len()), 0);
        let mut late = refused(1, None);
        named.complete(&mut late);
        assert_eq!(name_of(&late), None);
    }
}
