//! A body that keeps something until its last byte is out, or until nobody wants the rest.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;

use super::answer::{Answer, Body};

struct Held<T> {
    body: Body,
    _kept: T,
}

/// `answer`, which keeps `kept` until it is out.
pub(crate) fn hold<T: Send + Sync + Unpin + 'static>(answer: Answer, kept: T) -> Answer {
    answer.map(|body| Held { body, _kept: kept }.boxed())
}

impl<T: Unpin> HttpBody for Held<T> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(task)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
