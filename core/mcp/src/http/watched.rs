//! A stream that ends when whom it is for may listen no more.
//!
//! For: tokens that are revoked or expire while a stream is open. Not for: requests, each of which is asked about
//! when it comes.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, Sleep};

use super::answer::{Answer, Body};
use crate::{Caller, Gate};

/// How often it is asked.
const EVERY: Duration = Duration::from_secs(2);

struct Watched {
    body: Body,
    gate: Arc<dyn Gate>,
    caller: Arc<Caller>,
    due: Instant,
    /// Set once the body had nothing to say; most answers are out before that.
    waiting: Option<Pin<Box<Sleep>>>,
    over: bool,
}

/// `answer`, which, if it is a stream, goes on only while `caller` may listen.
pub(crate) fn watch(answer: Answer, gate: &Arc<dyn Gate>, caller: Arc<Caller>) -> Answer {
    let kind = answer.headers().get(header::CONTENT_TYPE);
    if kind.is_none_or(|kind| kind != "text/event-stream") {
        return answer;
    }
    let gate = Arc::clone(gate);
    answer.map(|body| {
        Watched {
            body,
            gate,
            caller,
            due: Instant::now() + EVERY,
            waiting: None,
            over: false,
        }
        .boxed()
    })
}

impl Watched {
    /// Asks if it is time. `false`: it ends here.
    fn goes_on(&mut self) -> bool {
        let now = Instant::now();
        if now < self.due {
            return true;
        }
        self.due = now + EVERY;
        self.over = self.gate.still_admits(&self.caller).is_err();
        if self.over {
            tracing::info!(caller = %self.caller.name, "a stream ends: its token is good no more");
        }
        !self.over
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        loop {
            if this.over || !this.goes_on() {
                return Poll::Ready(None);
            }
            if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(task) {
                return Poll::Ready(frame);
            }
            let due = this.due;
            let waiting = this
                .waiting
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
            if waiting.deadline() != due {
                waiting.as_mut().reset(due);
            }
            ready!(waiting.as_mut().poll(task));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // It may end before the body does.
        SizeHint::default()
    }
}
