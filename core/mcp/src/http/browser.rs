//! What a browser asks before it lets a page call, and wants to read before it lets the page see (CORS, WHATWG Fetch).
//!
//! For: pages whose origin may call. Not for: which those are (`names`), or what they show to be let in: a page needs
//! a token as anybody does, and no cookie is ever taken.

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};

use super::answer::{self, Answer};

/// What a page may send: the methods and headers of both HTTP transports.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE");
const HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, accept, last-event-id, mcp-session-id, mcp-protocol-version, mcp-method, mcp-name, x-request-id, x-api-key, anthropic-version, anthropic-beta",
);
/// What a page may read besides the body.
const READABLE: HeaderValue = HeaderValue::from_static(
    "mcp-session-id, x-request-id, request-id, www-authenticate, retry-after",
);
/// Seconds that a browser may remember the answer.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");

/// Whether a browser asks on behalf of a page. It shows no token then, so it is answered before anybody asks for one.
pub(super) fn is_preflight<B>(request: &Request<B>) -> bool {
    let asks = |name| request.headers().contains_key(name);
    request.method() == Method::OPTIONS
        && asks(header::ORIGIN)
        && asks(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to that; [`let_read`] adds for whom it holds.
pub(super) fn preflight() -> Answer {
    let mut answer = Answer::new(answer::full(""));
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED);
    answer
}

/// Lets the page of this origin see the answer.
pub(super) fn let_read(page: HeaderValue, headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, page);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, READABLE);
    headers.append(header::VARY, HeaderValue::from_static("origin"));
}
