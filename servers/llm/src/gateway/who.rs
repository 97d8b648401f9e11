//! For whom a question is asked, and what its client demands beside it.

use callboard_mcp::Caller;
use callboard_mcp::http::Asked;
use callboard_routing::engine::{Terms, Who};
use callboard_routing::route::TaskClass;
use http::HeaderMap;

/// The server that rows of the gateway name.
const SERVER: &str = "gateway";
/// Whose work it is, by which a route may know how hard it is.
const ROLE: &str = "x-callboard-role";
const MAX_CLIENT: usize = 120;
/// The longest deadline that a request may state, as `deadline_s` of the tools.
const LONGEST_S: u64 = 3_600;

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
        role: stated_role(headers).or_else(|| of(|grant| &grant.work_role)),
        server: Some(SERVER.to_owned()),
        tool: Some(asked.head.uri.path().trim_start_matches("/v1/").to_owned()),
        trace,
        parent,
        client: text(headers, "user-agent").map(|text| text.chars().take(MAX_CLIENT).collect()),
    }
}

/// Whose work this one request is; it is nearer to it than what its key says. What is no text is no route's role either.
fn stated_role(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(ROLE)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// How hard the work is, how long it may take and where the prompt may go, where the client says so in
/// `x-callboard-class`, `x-callboard-deadline` and `x-callboard-region`.
///
/// # Errors
/// Which of them is wrong, and what it may be.
pub(super) fn terms(headers: &HeaderMap) -> Result<Terms, (&'static str, String)> {
    Ok(Terms {
        class: stated(headers, CLASS, class)?,
        within_ms: stated(headers, DEADLINE, seconds)?.map(|seconds| seconds * 1_000),
        regions: regions(headers)?,
        ..Terms::default()
    })
}

/// A header whose words are checked.
struct Stated {
    header: &'static str,
    /// One word for the audit.
    what: &'static str,
    may_be: &'static str,
}

impl Stated {
    fn wrong(&self) -> (&'static str, String) {
        (self.what, format!("{} is {}", self.header, self.may_be))
    }
}

const CLASS: Stated = Stated {
    header: "x-callboard-class",
    what: "class",
    may_be: "simple, standard or complex",
};
const DEADLINE: Stated = Stated {
    header: "x-callboard-deadline",
    what: "deadline",
    may_be: "a whole number of seconds from 1 to 3600",
};

const REGION: Stated = Stated {
    header: "x-callboard-region",
    what: "region",
    may_be: "a region, or several with commas between, as providers.<name>.region names them",
};
/// The longest name of a region, and the most that one request names.
const LONGEST_REGION: usize = 120;
const MOST_REGIONS: usize = 20;

/// Every region that is named, on however many lines: whoever overlooked a line would send the prompt elsewhere. A word
/// that is no provider's region leaves nobody but this machine.
fn regions(headers: &HeaderMap) -> Result<Vec<String>, (&'static str, String)> {
    let mut all = Vec::new();
    for value in headers.get_all(REGION.header) {
        let words = value.to_str().map_err(|_| REGION.wrong())?.split(',');
        all.extend(words.map(|word| word.trim().to_owned()));
    }
    let fits = |word: &String| (1..=LONGEST_REGION).contains(&word.len());
    match all.len() <= MOST_REGIONS && all.iter().all(fits) {
        true => Ok(all),
        false => Err(REGION.wrong()),
    }
}

fn class(word: &str) -> Option<TaskClass> {
    let mut classes = TaskClass::ALL.into_iter();
    classes.find(|class| class.as_str() == word)
}

fn seconds(word: &str) -> Option<u64> {
    let seconds = word.parse().ok();
    seconds.filter(|seconds| (1..=LONGEST_S).contains(seconds))
}

fn stated<T>(
    headers: &HeaderMap,
    stated: Stated,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, (&'static str, String)> {
    let Some(value) = headers.get(stated.header) else {
        return Ok(None);
    };
    match value.to_str().ok().and_then(read) {
        Some(said) => Ok(Some(said)),
        None => Err(stated.wrong()),
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
        assert!(of("hard").unwrap_err().1.contains("complex"));
        assert_eq!(terms(&HeaderMap::new()), Ok(Terms::default()));
    }

    #[test]
    fn regions_are_words_between_commas_on_any_number_of_lines() {
        let of = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                let line = HeaderValue::from_bytes(line.as_bytes()).unwrap();
                headers.append("x-callboard-region", line);
            }
            terms(&headers).map(|terms| terms.regions)
        };
        assert_eq!(of(&[]).unwrap(), Vec::<String>::new());
        assert_eq!(of(&["eu"]).unwrap(), ["eu"]);
        assert_eq!(of(&["eu , ch", "no"]).unwrap(), ["eu", "ch", "no"]);
        let many = vec!["r"; 21].join(",");
        let long = "r".repeat(121);
        for wrong in [
            &[""][..],
            &["eu,"],
            &[",", "eu"],
            &["\u{fc}"],
            &[&many],
            &[&long],
        ] {
            let (what, message) = of(wrong).unwrap_err();
            assert!(
                what == "region" && message.contains("providers."),
                "{message}"
            );
        }
    }

    #[test]
    fn a_deadline_is_a_number_of_seconds() {
        let of = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_bytes(value).unwrap();
            headers.insert("x-callboard-deadline", value);
            terms(&headers)
        };
        assert_eq!(of(b"1").unwrap().within_ms, Some(1_000));
        assert_eq!(of(b"3600").unwrap().within_ms, Some(3_600_000));
        for wrong in [
            &b"0"[..],
            b"",
            b"-1",
            b"1.5",
            b"20s",
            b"3601",
            b"99999999999999999999",
            b"\xff",
        ] {
            let (what, message) = of(wrong).unwrap_err();
            assert!(
                what == "deadline" && message.contains("1 to 3600"),
                "{message}"
            );
        }
    }
}
