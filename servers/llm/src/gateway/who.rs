//! For whom a question is asked, and what its client demands beside it.

use callboard_mcp::Caller;
use callboard_mcp::http::Asked;
use callboard_routing::engine::{Terms, Who};
use callboard_routing::route::TaskClass;
use http::HeaderMap;

/// The server that rows of the gateway name.
const SERVER: &str = "gateway";
const MAX_CLIENT: usize = 120;

/// What the token says of the call, and what the request says of itself.
pub(super) fn who(asked: &Asked) -> Who {
    let Caller { name, grant, .. } = &*asked.caller;
    let headers = &asked.head.headers;
    let (trace, parent) = trace(headers).unzip();
    let of = |field: fn(&callboard_mcp::Grant) -> &Option<String>| {
        grant.as_ref().and_then(|grant| field(grant).clone())
    };
    Who {
        project: of(|grant| &grant.project),
        task: of(|grant| &grant.task),
        // A key of the gateway is an agent's, also where it does not say whose.
        agent: of(|grant| &grant.agent).or_else(|| grant.is_some().then(|| name.clone())),
        role: None,
        server: Some(SERVER.to_owned()),
        tool: Some(asked.head.uri.path().trim_start_matches("/v1/").to_owned()),
        trace,
        parent,
        client: text(headers, "user-agent").map(|text| text.chars().take(MAX_CLIENT).collect()),
    }
}

/// How hard the work is, where the client says so in `x-callboard-class`.
///
/// # Errors
/// A word that is no class.
pub(super) fn terms(headers: &HeaderMap) -> Result<Terms, String> {
    let Some(word) = text(headers, "x-callboard-class") else {
        return Ok(Terms::default());
    };
    let class = TaskClass::ALL
        .into_iter()
        .find(|class| class.as_str() == word);
    match class {
        Some(class) => Ok(Terms {
            class: Some(class),
            ..Terms::default()
        }),
        None => Err("x-callboard-class is simple, standard or complex".to_owned()),
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// The trace and the span in it, as `traceparent` names them (W3C Trace Context).
fn trace(headers: &HeaderMap) -> Option<(String, String)> {
    let mut parts = text(headers, "traceparent")?.split('-');
    let (_version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let is_id = |id: &str, digits: usize| {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        id.len() == digits && id.bytes().all(hex) && id.bytes().any(|byte| byte != b'0')
    };
    (is_id(trace, 32) && is_id(span, 16)).then(|| (trace.to_owned(), span.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_trace_is_taken_where_it_is_one() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", HeaderValue::from_static(text));
            trace(&headers)
        };
        let good = of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        assert_eq!(good.0, "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(good.1, "b7ad6b7169203331");
        for bad in [
            "",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7-b7ad6b7169203331-01",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_class_is_one_of_three_words() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-callboard-class", HeaderValue::from_static(text));
            terms(&headers)
        };
        assert_eq!(of("simple").unwrap().class, Some(TaskClass::Simple));
        assert!(of("hard").unwrap_err().contains("complex"));
        assert_eq!(terms(&HeaderMap::new()), Ok(Terms::default()));
    }
}
