//! Which hosts and origins a request may name.
//!
//! For: keeping web pages out: one that has its name resolve to this machine (DNS rebinding) names a host
//! that is none of ours, and one that calls across sites names its origin. Not for: who is calling.

use http::uri::Authority;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use crate::{ErrorKind, Refusal, ToolError};

/// The hosts and origins that requests may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    hosts: Vec<Host>,
    origins: Vec<Origin>,
}

/// A host with or without a port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Host {
    name: String,
    /// Any, where none is given.
    port: Option<u16>,
}

/// Where a page comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    scheme: String,
    name: String,
    /// Any, where none is given; a request's is never missing.
    port: Option<u16>,
}

/// An entry that is no host or origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a host.
    #[error(
        "`{0}` is no host: write a name or an address, with a port or without, such as example.org or example.org:8080"
    )]
    Host(String),
    /// Not an origin.
    #[error(
        "`{0}` is no origin: write its scheme and host, with a port if it is not the scheme's own, such as https://example.org (`:*` is any port)"
    )]
    Origin(String),
}

impl Names {
    /// The names of this machine to itself, with any port; and no page but its own.
    #[must_use]
    pub fn loopback() -> Self {
        let hosts = ["localhost", "127.0.0.1", "::1"];
        let hosts: Vec<Host> = hosts
            .map(|name| Host {
                name: name.to_owned(),
                port: None,
            })
            .into();
        let origins = ["http", "https"].into_iter().flat_map(|scheme| {
            hosts.iter().map(move |host| Origin {
                scheme: scheme.to_owned(),
                name: host.name.clone(),
                port: None,
            })
        });
        Names {
            origins: origins.collect(),
            hosts: hosts.clone(),
        }
    }

    /// These, and those there were. A host is a name or an address, with a port or without (then with any); an
    /// origin is a scheme and a host, with a port, with `:*` for any, or without for the scheme's own.
    ///
    /// # Errors
    /// An entry is neither.
    pub fn and<H: AsRef<str>, O: AsRef<str>>(
        mut self,
        hosts: impl IntoIterator<Item = H>,
        origins: impl IntoIterator<Item = O>,
    ) -> Result<Self, NameError> {
        for text in hosts {
            let text = text.as_ref();
            self.hosts
                .push(host(text).ok_or_else(|| NameError::Host(text.to_owned()))?);
        }
        for text in origins {
            let text = text.as_ref();
            self.origins
                .push(origin(text).ok_or_else(|| NameError::Origin(text.to_owned()))?);
        }
        Ok(self)
    }

    /// Whether a request to `uri` with `headers` may come in.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Box<Refusal>> {
        self.check_host(uri, headers)?;
        self.check_origin(headers)
    }

    /// Whether pages of this origin may call.
    pub(crate) fn knows_page(&self, named: &HeaderValue) -> bool {
        let named = named.to_str().ok().and_then(origin);
        named.is_some_and(|named| self.origins.iter().any(|known| known.covers(&named)))
    }

    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Box<Refusal>> {
        let mut sent = headers.get_all(header::HOST).iter();
        let (first, more) = (sent.next(), sent.next());
        if more.is_some() {
            return Err(malformed("more than one Host header"));
        }
        let named = match (first, uri.authority()) {
            (Some(value), _) => value.to_str().ok().and_then(host),
            (None, Some(authority)) => host(authority.as_str()),
            (None, None) => return Err(malformed("no Host header")),
        };
        let Some(named) = named else {
            return Err(malformed("a Host header that names no host"));
        };
        // An absolute request target outranks the header, so it must not say anything else.
        let target = uri.authority().map(|authority| host(authority.as_str()));
        let allowed = |host: &Host| self.hosts.iter().any(|known| known.covers(host));
        if allowed(&named) && target.is_none_or(|target| target.as_ref().is_some_and(allowed)) {
            return Ok(());
        }
        Err(refused(
            "host",
            forbidden(format!(
                "the request is for the host `{}`, which is none of this server's",
                crate::clip(&named.name, 80).escape_debug()
            ))
            .hint("use localhost or 127.0.0.1; another name has to stand in serve.hosts of the configuration"),
        ))
    }

    fn check_origin(&self, headers: &HeaderMap) -> Result<(), Box<Refusal>> {
        for value in headers.get_all(header::ORIGIN) {
            let text = value.to_str().unwrap_or("unreadable");
            if !self.knows_page(value) {
                return Err(refused(
                    "origin",
                    forbidden(format!(
                        "a page of `{}` may not call this server",
                        crate::clip(text, 80).escape_debug()
                    ))
                    .hint("if you trust that page, put its origin into serve.origins of the configuration"),
                ));
            }
        }
        Ok(())
    }
}

impl Host {
    fn covers(&self, named: &Host) -> bool {
        self.name == named.name && (self.port.is_none() || self.port == named.port)
    }
}

impl Origin {
    fn covers(&self, named: &Origin) -> bool {
        let same = self.scheme == named.scheme && self.name == named.name;
        same && (self.port.is_none() || self.port == named.port)
    }
}

fn host(text: &str) -> Option<Host> {
    let bare = text.parse::<std::net::Ipv6Addr>();
    let text = if bare.is_ok() {
        format!("[{text}]")
    } else {
        text.to_owned()
    };
    let authority = Authority::try_from(text.as_str()).ok()?;
    if text.contains('@') || authority.host().is_empty() {
        return None;
    }
    // To the parser a port that is none is no port at all, and would pass for "any".
    let rest = &text[authority.host().len()..];
    let port = match rest.strip_prefix(':') {
        Some(port) => Some(port.parse().ok()?),
        None if rest.is_empty() => None,
        None => return None,
    };
    let name = authority
        .host()
        .trim_matches(['[', ']'])
        .trim_end_matches('.');
    Some(Host {
        name: name.to_ascii_lowercase(),
        port,
    })
}

fn origin(text: &str) -> Option<Origin> {
    let (scheme, rest) = text.split_once("://")?;
    if scheme.is_empty() || rest.contains('/') {
        return None;
    }
    let scheme = scheme.to_ascii_lowercase();
    if let Some(any_port) = rest.strip_suffix(":*") {
        let Host { name, port: None } = host(any_port)? else {
            return None;
        };
        return Some(Origin {
            scheme,
            name,
            port: None,
        });
    }
    let Host { name, port } = host(rest)?;
    // Browsers leave a scheme's own port out.
    let own = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => 0,
    };
    let port = Some(port.unwrap_or(own));
    Some(Origin { scheme, name, port })
}

fn malformed(what: &str) -> Box<Refusal> {
    let error = ToolError::invalid(format!("the request has {what}"));
    Box::new(Refusal::new(StatusCode::BAD_REQUEST, "host", error))
}

fn forbidden(message: String) -> ToolError {
    ToolError::new(ErrorKind::Forbidden, message)
}

fn refused(reason: &'static str, error: ToolError) -> Box<Refusal> {
    Box::new(Refusal::new(StatusCode::FORBIDDEN, reason, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn asked(names: &Names, host: &str, origin: Option<&str>) -> Result<(), StatusCode> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        let uri = Uri::from_static("/assigner/mcp");
        names
            .check(&uri, &headers)
            .map_err(|refusal| refusal.status)
    }

    #[test]
    fn loopback_names_and_pages_come_in_and_no_others() {
        let names = Names::loopback();
        for host in [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1:22552",
            "[::1]:22552",
            "localhost.",
        ] {
            assert_eq!(asked(&names, host, None), Ok(()), "{host}");
        }
        let none_of_ours = [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.nip.io",
            "127.0.0.2",
            "0.0.0.0",
        ];
        for host in none_of_ours {
            assert_eq!(
                asked(&names, host, None),
                Err(StatusCode::FORBIDDEN),
                "{host}"
            );
        }
        for host in [
            "",
            ":80",
            "a b",
            "user@localhost",
            "localhost:99999",
            "localhost:",
        ] {
            assert_eq!(
                asked(&names, host, None),
                Err(StatusCode::BAD_REQUEST),
                "{host}"
            );
        }
        for origin in [
            "http://localhost:6274",
            "https://127.0.0.1",
            "http://[::1]:9",
        ] {
            assert_eq!(asked(&names, "localhost", Some(origin)), Ok(()), "{origin}");
        }
        for origin in [
            "null",
            "https://evil.example",
            "http://localhost.evil.example",
            "file://",
            "",
            "http://localhost/a",
        ] {
            let refused = Err(StatusCode::FORBIDDEN);
            assert_eq!(
                asked(&names, "localhost", Some(origin)),
                refused,
                "{origin}"
            );
        }
    }

    #[test]
    fn configured_names_are_taken_as_they_are_written() {
        let names = Names::loopback()
            .and(
                ["board.example:8443", "inner.example"],
                ["https://app.example", "http://dev.example:*"],
            )
            .unwrap();
        assert_eq!(asked(&names, "board.example:8443", None), Ok(()));
        assert_eq!(
            asked(&names, "board.example", None),
            Err(StatusCode::FORBIDDEN)
        );
        assert_eq!(asked(&names, "inner.example:1", None), Ok(()));
        let origin = |origin| asked(&names, "inner.example", Some(origin));
        assert_eq!(origin("https://app.example"), Ok(()));
        assert_eq!(origin("https://app.example:443"), Ok(()));
        assert_eq!(
            origin("https://app.example:8443"),
            Err(StatusCode::FORBIDDEN)
        );
        assert_eq!(origin("http://app.example"), Err(StatusCode::FORBIDDEN));
        assert_eq!(origin("http://dev.example:3000"), Ok(()));
        let none: [&str; 0] = [];
        assert!(Names::loopback().and(["a b"], none).is_err());
        assert!(Names::loopback().and(none, ["app.example"]).is_err());
    }

    #[test]
    fn two_host_headers_or_none_are_refused() {
        let names = Names::loopback();
        let uri = Uri::from_static("/");
        let mut headers = HeaderMap::new();
        assert!(names.check(&uri, &headers).is_err());
        headers.append(header::HOST, HeaderValue::from_static("localhost"));
        assert!(names.check(&uri, &headers).is_ok());
        let elsewhere = Uri::from_static("http://evil.example/");
        assert!(names.check(&elsewhere, &headers).is_err());
        headers.append(header::HOST, HeaderValue::from_static("localhost"));
        assert!(names.check(&uri, &headers).is_err());
    }
}
