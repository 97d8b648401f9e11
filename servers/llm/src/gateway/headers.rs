//! Which headers pass, and in which direction. What is not named here does not.

use callboard_routing::wire::Wire;
use http::{HeaderMap, HeaderName, HeaderValue};

/// What a client may tell a provider of its own protocol.
fn up(wire: Wire) -> &'static [&'static str] {
    match wire {
        Wire::Anthropic => &["anthropic-version", "anthropic-beta"],
        // Organisations and projects of a client are not those of our key.
        Wire::OpenAi | Wire::Gemini | Wire::Ollama => &["openai-beta"],
    }
}

/// What a provider may tell a client.
const DOWN: [&str; 6] = [
    "content-type",
    "request-id",
    "retry-after",
    "openai-processing-ms",
    "openai-version",
    "openai-model",
];
/// The same by how names begin: what may still be asked.
const DOWN_BEGINNING: [&str; 2] = ["anthropic-ratelimit-", "x-ratelimit-"];

/// Of a request's headers those that go to a provider, which is asked in its own protocol.
pub(super) fn upwards(wire: Wire, headers: &HeaderMap) -> HeaderMap {
    let mut passed = HeaderMap::new();
    for name in up(wire) {
        // A list may come in several lines.
        let values = headers.get_all(*name).iter();
        let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
        if let Ok(value) = HeaderValue::from_str(&values.join(","))
            && !values.is_empty()
        {
            passed.insert(*name, value);
        }
    }
    passed
}

/// Puts of a provider's headers those into an answer that go to the client.
pub(super) fn downwards(from: &HeaderMap, to: &mut HeaderMap) {
    for (name, value) in from {
        if passes_down(name) {
            to.append(name.clone(), value.clone());
        }
    }
}

fn passes_down(name: &HeaderName) -> bool {
    let name = name.as_str();
    DOWN.contains(&name) || DOWN_BEGINNING.iter().any(|begin| name.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_what_is_named_passes() {
        let sent = headers(&[
            ("anthropic-version", "2023-06-01"),
            ("anthropic-beta", "a"),
            ("anthropic-beta", "b"),
            ("x-api-key", "secret"),
            ("authorization", "Bearer secret"),
            ("openai-organization", "org"),
            ("x-forwarded-for", "10.0.0.1"),
        ]);
        let expected = headers(&[
            ("anthropic-version", "2023-06-01"),
            ("anthropic-beta", "a,b"),
        ]);
        assert_eq!(upwards(Wire::Anthropic, &sent), expected);
        assert!(upwards(Wire::OpenAi, &sent).is_empty());

        let answered = headers(&[
            ("content-type", "text/event-stream"),
            ("request-id", "req_1"),
            ("anthropic-ratelimit-requests-remaining", "1"),
            ("set-cookie", "a=b"),
            ("anthropic-organization-id", "org"),
            ("connection", "close"),
            ("content-length", "7"),
        ]);
        let mut down = HeaderMap::new();
        downwards(&answered, &mut down);
        let names: Vec<&str> = down.keys().map(HeaderName::as_str).collect();
        assert_eq!(
            names,
            [
                "content-type",
                "request-id",
                "anthropic-ratelimit-requests-remaining"
            ]
        );
    }
}
