//! What a server author writes for a resource: one type, one file.
//!
//! For: a URI (or a template of URIs), its words, and reading it, in pages where it is long. Not for:
//! changing anything, or noticing that it changed (see `watch`).

use std::sync::Arc;

use crate::{Body, CallContext, Completing, Role, ToolError};

/// One page of a text that is longer than this ends here and names the next.
const PAGE_BYTES: usize = 64 * 1024;
/// The end of a URI template whose resource can be read in pages.
const PAGED: &str = "{?cursor}";

/// One resource, or one family of resources, of a server whose state is `S`.
pub trait Resource<S: Send + Sync + 'static>: Send + Sync + 'static {
    /// The URI: `callboard://board`, or a template with variables for whole path segments,
    /// `callboard://task/{id}/log`. End it with `{?cursor}` if it can be long.
    const URI: &'static str;
    /// A short name, of `[a-z0-9_]`.
    const NAME: &'static str;
    /// A few words for people.
    const TITLE: &'static str;
    /// What is in it.
    const DESCRIPTION: &'static str;
    /// `text/markdown`, `text/plain`, `application/json`, `image/png` and so on.
    const MIME: &'static str;
    /// What the caller must be.
    const ROLE: Role = Role::Viewer;
    /// For how many milliseconds a client may take what it read for true; 0: it should read again.
    const FRESH_MS: u64 = 0;
    /// The template's variables that [`Resource::complete`] knows values for.
    const COMPLETES: &'static [&'static str] = &[];

    /// Reads it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) where there is no such thing; others as in tools.
    fn read(
        server: Arc<S>,
        request: ResourceRequest,
        ctx: CallContext,
    ) -> impl Future<Output = Result<ResourcePage, ToolError>> + Send;

    /// Values for one of the variables in [`Resource::COMPLETES`], the likeliest first.
    ///
    /// # Errors
    /// As in tools.
    fn complete(
        server: Arc<S>,
        completing: Completing,
        ctx: CallContext,
    ) -> impl Future<Output = Result<Vec<String>, ToolError>> + Send {
        let _ = (server, completing, ctx);
        std::future::ready(Ok(Vec::new()))
    }
}

/// Which resource is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceRequest {
    uri: String,
    variables: Vec<(&'static str, String)>,
    cursor: Option<String>,
}

impl ResourceRequest {
    /// The URI without its query.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// What stands in the URI for the template's variable `name`; empty if the template has none such.
    pub fn variable(&self, name: &str) -> &str {
        self.variables
            .iter()
            .find(|(known, _)| *known == name)
            .map_or("", |(_, value)| value)
    }

    /// The same for every way to write the URI of one resource.
    pub(crate) fn key(&self, name: &str) -> String {
        let values = self.variables.iter().map(|(_, value)| value.as_str());
        std::iter::once(name)
            .chain(values)
            .collect::<Vec<_>>()
            .join("\0")
    }

    /// Where to go on, as an earlier page said it.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }
}

/// What was read, and where it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourcePage {
    pub(crate) body: Body,
    pub(crate) next: Option<String>,
}

impl ResourcePage {
    /// All of it. JSON goes out as it is; keep it under 64 KiB.
    pub fn whole(text: impl Into<String>) -> Self {
        ResourcePage {
            body: Body::Text(text.into()),
            next: None,
        }
    }

    /// All of it, where it is no text.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        ResourcePage {
            body: Body::Bytes(bytes.into()),
            next: None,
        }
    }

    /// A part of it, and the cursor that reads the next part, if there is one.
    pub fn part(text: impl Into<String>, next: Option<String>) -> Self {
        ResourcePage {
            body: Body::Text(text.into()),
            next,
        }
    }

    /// The page of `text` that `cursor` points to: at most 64 KiB, cut at a line end where there is one.
    ///
    /// # Errors
    /// A cursor that no earlier page gave.
    pub fn of(text: &str, cursor: Option<&str>) -> Result<Self, ToolError> {
        let start = match cursor {
            None => 0,
            Some(cursor) => cursor
                .parse()
                .ok()
                .filter(|start| text.is_char_boundary(*start))
                .ok_or_else(|| no_such_cursor(cursor))?,
        };
        let rest = &text[start..];
        let part = &rest[..page_end(rest)];
        let next = (part.len() < rest.len()).then(|| (start + part.len()).to_string());
        Ok(ResourcePage::part(part, next))
    }
}

fn no_such_cursor(cursor: &str) -> ToolError {
    ToolError::invalid(format!("cursor {:?} is not known", crate::clip(cursor, 80)))
        .hint("read without a cursor first, then with the one each page names")
}

fn page_end(rest: &str) -> usize {
    if rest.len() <= PAGE_BYTES {
        return rest.len();
    }
    let end = (0..=PAGE_BYTES)
        .rev()
        .find(|end| rest.is_char_boundary(*end))
        .unwrap_or(0);
    rest[..end].rfind('\n').map_or(end, |line| line + 1)
}

/// A resource's URI template, taken apart.
#[derive(Debug)]
pub(crate) struct Template {
    segments: Vec<Segment>,
    pub(crate) paged: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Fixed(&'static str),
    Variable(&'static str),
}

impl Template {
    pub(crate) fn parse(uri: &'static str) -> Self {
        let (path, paged) = match uri.strip_suffix(PAGED) {
            Some(path) => (path, true),
            None => (uri, false),
        };
        let segments = path
            .split('/')
            .map(|segment| {
                segment
                    .strip_prefix('{')
                    .and_then(|rest| rest.strip_suffix('}'))
                    .map_or(Segment::Fixed(segment), Segment::Variable)
            })
            .collect();
        Template { segments, paged }
    }

    pub(crate) fn is_static(&self) -> bool {
        self.segments
            .iter()
            .all(|segment| matches!(segment, Segment::Fixed(_)))
    }

    pub(crate) fn variables(&self) -> impl Iterator<Item = &'static str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Variable(name) => Some(*name),
            Segment::Fixed(_) => None,
        })
    }

    /// The request that `uri` makes of this template, if it is one of its URIs.
    pub(crate) fn request(&self, uri: &str) -> Option<ResourceRequest> {
        let (path, query) = match uri.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (uri, None),
        };
        let cursor = match query {
            None => None,
            Some(query) if self.paged => Some(decoded(query.strip_prefix("cursor=")?)?),
            Some(_) => return None,
        };
        let given: Vec<&str> = path.split('/').collect();
        if given.len() != self.segments.len() {
            return None;
        }
        let mut variables = Vec::new();
        for (segment, given) in self.segments.iter().zip(given) {
            match segment {
                Segment::Fixed(fixed) if *fixed == given => {}
                Segment::Fixed(_) => return None,
                Segment::Variable(name) => variables.push((*name, decoded(given)?)),
            }
        }
        Some(ResourceRequest {
            uri: path.to_owned(),
            variables,
            cursor,
        })
    }
}

/// A URI's part with its `%xx` undone; nothing for one that is empty, malformed or has control characters.
fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(rest.next()?)? * 16 + hex(rest.next()?)?,
            other => other,
        });
    }
    let text = String::from_utf8(bytes).ok()?;
    let fits = !text.is_empty() && !text.chars().any(char::is_control);
    fits.then_some(text)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_finds_its_variables() {
        let template = Template::parse("callboard://task/{id}/log{?cursor}");
        assert!(!template.is_static() && template.paged);
        let request = template
            .request("callboard://task/t%5F1/log?cursor=12")
            .unwrap();
        assert_eq!(request.variable("id"), "t_1");
        assert_eq!(request.cursor(), Some("12"));
        assert_eq!(request.uri(), "callboard://task/t%5F1/log");
        assert_eq!(request.variable("other"), "");
    }

    #[test]
    fn other_uris_are_not_its_own() {
        let template = Template::parse("callboard://task/{id}/log");
        for uri in [
            "callboard://task/t_1",
            "callboard://task//log",
            "callboard://task/t_1/log/more",
            "callboard://task/t_1/log?cursor=1",
            "callboard://task/%00/log",
            "callboard://task/%zz/log",
            "callboard://task/%4/log",
            "other://task/t_1/log",
            "",
        ] {
            assert_eq!(template.request(uri), None, "{uri}");
        }
    }

    #[test]
    fn a_static_uri_is_itself() {
        let template = Template::parse("callboard://board");
        assert!(template.is_static());
        assert!(template.request("callboard://board").is_some());
        assert!(template.request("callboard://board?cursor=1").is_none());
    }

    #[test]
    fn pages_together_are_the_text() {
        let text = "ñandú runs\n".repeat(20_000);
        let (mut read, mut cursor, mut pages) = (String::new(), None, 0);
        loop {
            let page = ResourcePage::of(&text, cursor.as_deref()).unwrap();
            let Body::Text(text) = page.body else {
                panic!("a page of text is text")
            };
            assert!(text.len() <= PAGE_BYTES && text.ends_with('\n'));
            read.push_str(&text);
            pages += 1;
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(read, text);
        assert_eq!(pages, text.len().div_ceil(PAGE_BYTES));
    }

    #[test]
    fn a_foreign_cursor_is_refused() {
        for cursor in ["x", "-1", "2", "99"] {
            assert!(ResourcePage::of("añ", Some(cursor)).is_err(), "{cursor}");
        }
        assert_eq!(
            ResourcePage::of("añ", Some("3")).unwrap(),
            ResourcePage::whole("")
        );
    }
}
