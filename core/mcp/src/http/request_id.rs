//! The name of one request, the same in the client's log, in ours, and in every error.

use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use rmcp::model::{ClientRequest, ErrorData, GetExtensions, JsonRpcRequest};
use serde_json::json;

/// Where it stands in requests and answers.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const MAX_CHARS: usize = 64;

/// What a request is called in errors and log lines: the client's own word for it, or one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The client's, if it sent one of at most 64 characters of `[A-Za-z0-9._-]`; otherwise a new one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let sent = headers.get(HEADER).and_then(|value| value.to_str().ok());
        match sent.filter(|text| is_plain(text)) {
            Some(text) => RequestId(text.into()),
            None => RequestId(crate::http::random::hex::<8>("q_").into()),
        }
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Puts it into an error that does not have one.
    pub(crate) fn name(&self, error: &mut ErrorData) {
        let data = error.data.get_or_insert_with(|| json!({}));
        if let Some(data) = data.as_object_mut() {
            data.entry("requestId")
                .or_insert_with(|| json!(self.as_str()));
        }
    }

    /// Whether an error has this one.
    pub(crate) fn is_in(&self, error: &ErrorData) -> bool {
        let data = error.data.as_ref();
        data.is_some_and(|data| data["requestId"] == self.as_str())
    }

    /// That of the request with this head.
    pub(crate) fn of_head(head: &Parts) -> Option<&Self> {
        head.extensions.get()
    }

    /// That of the request which brought a message.
    pub(crate) fn of_request(request: &JsonRpcRequest<ClientRequest>) -> Option<&Self> {
        let head = request.request.extensions().get::<Parts>()?;
        Self::of_head(head)
    }

    pub(crate) fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or(HeaderValue::from_static("unknown"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

fn is_plain(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !text.is_empty() && text.len() <= MAX_CHARS && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sent: &str) -> RequestId {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_str(sent).unwrap());
        RequestId::of(&headers)
    }

    #[test]
    fn a_plain_one_is_kept_and_any_other_replaced() {
        assert_eq!(of("abc-1.2_Z").as_str(), "abc-1.2_Z");
        for odd in ["", "a b", "a\"b", "é", &"x".repeat(65)] {
            let made = of(odd);
            assert!(made.as_str().starts_with("q_"), "{odd}: {made}");
            assert_eq!(made.as_str().len(), 18);
        }
        assert_ne!(
            RequestId::of(&HeaderMap::new()),
            RequestId::of(&HeaderMap::new())
        );
    }
}
