//! What must be known of a message before it goes to its server.
//!
//! For: its id and its method, and the session that a request names. Not for: whether the message is sound
//! (the server says), or whose the session is (`route`).

use http::{HeaderName, Request};
use serde::Deserialize;
use serde_json::Value;

/// Where a session of Streamable HTTP is named.
pub(super) const HEADER_SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// The two members that decide where a message goes and what its errors carry.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Peek {
    #[serde(default, deserialize_with = "present")]
    pub(super) id: Option<Value>,
    #[serde(default)]
    pub(super) method: Option<String>,
}

/// An id that is there, even if it is `null`.
fn present<'d, D: serde::Deserializer<'d>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

impl Peek {
    /// Nothing for what is no JSON object.
    pub(super) fn at(body: &[u8]) -> Option<Self> {
        // An array would fill the fields in their order.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return None;
        }
        serde_json::from_slice(body).ok()
    }

    pub(super) fn is_request(&self) -> bool {
        self.method.is_some() && self.id.is_some()
    }

    /// Whether there is an answer to wait for: not where a stream is opened that has no end of its own.
    pub(super) fn is_exchange(&self) -> bool {
        self.is_request() && self.method.as_deref() != Some("subscriptions/listen")
    }
}

/// The session that a request of Streamable HTTP shows.
pub(super) fn session_shown<B>(request: &Request<B>) -> Option<String> {
    let shown = request.headers().get(HEADER_SESSION)?;
    shown.to_str().ok().map(str::to_owned)
}

/// The session that a message of the older transport names.
pub(super) fn session_named<B>(request: &Request<B>) -> Option<String> {
    let named = request.uri().query()?.split('&');
    let mut ids = named.filter_map(|pair| pair.strip_prefix("sessionId="));
    ids.next().map(str::to_owned)
}
