//! The one stream of the older HTTP+SSE transport, as bytes.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderValue, Response, header};
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt;
use rmcp::transport::streamable_http_server::session::ServerSseMessage;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::DropGuard;

use super::answer::{Answer, Body};
use super::session::Reader;

struct Events {
    first: Option<Bytes>,
    reader: Reader,
    ping: Pin<Box<Sleep>>,
    every: Duration,
    /// Ends the session when nobody reads any more.
    _session: DropGuard,
}

/// A stream that begins by telling where messages go.
pub(crate) fn stream(
    endpoint: &str,
    reader: Reader,
    every: Duration,
    session: DropGuard,
) -> Answer {
    let events = Events {
        first: Some(format!("event: endpoint\ndata: {endpoint}\n\n").into()),
        reader,
        ping: Box::pin(tokio::time::sleep(every)),
        every,
        _session: session,
    };
    answer(events.boxed())
}

/// An answer whose body is a stream of events.
pub(super) fn answer(events: Body) -> Answer {
    let mut answer = Response::new(events);
    let headers = answer.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    answer
}

impl HttpBody for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        match Pin::new(&mut this.reader).poll_next(task) {
            Poll::Ready(message) => {
                this.ping.as_mut().reset(Instant::now() + this.every);
                return Poll::Ready(message.map(|message| Ok(Frame::data(event(&message)))));
            }
            Poll::Pending => {}
        }
        ready!(this.ping.as_mut().poll(task));
        this.ping.as_mut().reset(Instant::now() + this.every);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b": ping\n\n")))))
    }
}

fn event(message: &ServerSseMessage) -> Bytes {
    let Some(message) = &message.message else {
        return Bytes::from_static(b": \n\n");
    };
    match serde_json::to_string(message.as_ref()) {
        Ok(text) => format!("event: message\ndata: {text}\n\n").into(),
        Err(error) => {
            tracing::error!(%error, "a message could not be written");
            Bytes::from_static(b": \n\n")
        }
    }
}
