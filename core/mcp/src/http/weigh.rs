//! What a request may weigh.
//!
//! For: bounding its head and its body before anybody looks at either, with an answer that says so. Not for:
//! how fast it has to come (`guarded`), or what a session may hold (`session`).

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};

use super::Limits;
use super::answer::Answer;
use crate::{ErrorKind, Refusal, ToolError};

/// What stands between the parts of a head: the request line has two spaces, the version and its end, each
/// header a colon, a space and its end, and a blank line ends it.
const IN_LINE: usize = "  HTTP/1.1\r\n".len();
const IN_HEADER: usize = ": \r\n".len();
const AT_END: usize = "\r\n".len();
/// How much of what nobody wants is read.
const SWALLOWED: usize = 64 << 20;

/// Says a refusal as the client expects it.
pub(super) type Say<'r> = &'r (dyn Fn(&Refusal) -> Answer + Sync);

/// Whether the head is within its bounds.
pub(super) fn head<B>(
    request: &Request<B>,
    limits: &Limits,
    say: Say<'_>,
) -> Result<(), Box<Answer>> {
    let count = request.headers().len();
    let too_much = if count > limits.headers {
        format!(
            "the request has {count} headers; at most {} are taken",
            limits.headers
        )
    } else {
        let bytes = head_bytes(request);
        if bytes <= limits.head_bytes {
            return Ok(());
        }
        format!(
            "the request's line and headers have {bytes} bytes; at most {} are taken",
            limits.head_bytes
        )
    };
    let error = ToolError::new(ErrorKind::Limit, too_much)
        .hint("send fewer or shorter headers; what is long belongs into the body");
    let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    Err(closing(refused(status, error, say)))
}

/// Bytes of the head as it is sent by who puts no needless spaces into it.
fn head_bytes<B>(request: &Request<B>) -> usize {
    let line = request.method().as_str().len() + target_bytes(request.uri()) + IN_LINE;
    line + headers_bytes(request.headers()) + AT_END
}

fn target_bytes(uri: &Uri) -> usize {
    let scheme = uri
        .scheme_str()
        .map_or(0, |scheme| scheme.len() + "://".len());
    let authority = uri
        .authority()
        .map_or(0, |authority| authority.as_str().len());
    let path = uri.path_and_query().map_or(0, |path| path.as_str().len());
    scheme + authority + path
}

fn headers_bytes(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + IN_HEADER)
        .sum()
}

/// The whole body, if it is not too long and comes in time.
pub(super) async fn body(
    head: &Parts,
    body: Option<Incoming>,
    limits: &Limits,
    say: Say<'_>,
) -> Result<Bytes, Box<Answer>> {
    let Some(mut body) = body else {
        return Ok(Bytes::new());
    };
    let limit = limits.body_bytes;
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    // What says itself that it is too long need not come first.
    let read = if announced > limit {
        Ok(Err(TooLong))
    } else {
        let Ok(read) = tokio::time::timeout(limits.body_within, collect(&mut body, limit)).await
        else {
            let within = limits.body_within.as_secs();
            let error = format!("the message was not complete within {within} s");
            let error = ToolError::new(ErrorKind::Limit, error);
            return Err(closing(refused(StatusCode::REQUEST_TIMEOUT, error, say)));
        };
        read
    };
    match read {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(TooLong)) => {
            let error = format!("the message has more than {limit} bytes");
            let error = ToolError::new(ErrorKind::Limit, error)
                .hint("put long content into a file and say where it is");
            let mut answer = refused(StatusCode::PAYLOAD_TOO_LARGE, error, say);
            if !head.headers.contains_key(header::EXPECT) {
                swallow(body, limits, &mut answer).await;
            }
            Err(answer)
        }
        Err(error) => {
            let error = ToolError::invalid(format!("the message could not be read: {error}"));
            Err(closing(refused(StatusCode::BAD_REQUEST, error, say)))
        }
    }
}

struct TooLong;

async fn collect(
    body: &mut Incoming,
    limit: usize,
) -> Result<Result<Bytes, TooLong>, hyper::Error> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else {
            continue;
        };
        if whole.len() + piece.len() > limit {
            return Ok(Err(TooLong));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(Ok(whole.freeze()))
}

/// Takes what is left of a body that nobody wants, within bounds: a client that is still sending when its
/// connection is closed never reads the answer. What is too long or too slow even for that closes it.
pub(super) async fn swallow(mut body: Incoming, limits: &Limits, answer: &mut Answer) {
    let all = async {
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return false;
            };
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > SWALLOWED {
                return false;
            }
        }
        true
    };
    let all = tokio::time::timeout(limits.head_within, all).await;
    if !matches!(all, Ok(true)) {
        close(answer);
    }
}

fn refused(status: StatusCode, error: ToolError, say: Say<'_>) -> Box<Answer> {
    Box::new(say(&Refusal::new(status, "size", error)))
}

/// What is left of the request is not read, so nothing can follow it.
fn closing(mut answer: Box<Answer>) -> Box<Answer> {
    close(&mut answer);
    answer
}

fn close(answer: &mut Answer) {
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Request<()> {
        let mut lines = text.split_terminator("\r\n");
        let mut line = lines.next().unwrap().split(' ');
        let mut request = Request::builder()
            .method(line.next().unwrap())
            .uri(line.next().unwrap());
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            request = request.header(name, value);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn a_head_weighs_what_was_sent() {
        for text in [
            "GET / HTTP/1.1\r\n\r\n",
            "GET /a/b?c=d&e HTTP/1.1\r\nhost: localhost\r\nx: \r\n\r\n",
            "POST http://localhost:1/a HTTP/1.1\r\nhost: localhost:1\r\nx: 1\r\nx: 2\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n",
        ] {
            assert_eq!(head_bytes(&parsed(text)), text.len(), "{text}");
        }
    }

    #[test]
    fn the_bounds_are_exact() {
        let say = |refusal: &Refusal| {
            let mut answer = Answer::new(crate::http::answer::full(""));
            *answer.status_mut() = refusal.status;
            answer
        };
        let text = "GET /health HTTP/1.1\r\nhost: localhost\r\nx: 1\r\n\r\n";
        let bounds = |head_bytes, headers| Limits {
            head_bytes,
            headers,
            ..Limits::default()
        };
        let fits = |limits: Limits| head(&parsed(text), &limits, &say).map_err(|no| no.status());
        assert_eq!(fits(bounds(text.len(), 2)), Ok(()));
        let too_large = Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        assert_eq!(fits(bounds(text.len() - 1, 2)), too_large);
        assert_eq!(fits(bounds(text.len(), 1)), too_large);
    }
}
