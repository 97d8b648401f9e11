//! A stream that ends when whom it is for may listen no more.
//!
//! For: tokens that are revoked or expire while a stream is open, and the last answers on it, which say so. Not for:
//! requests, each of which is asked about when it comes.

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
use super::session::Session;
use crate::{Caller, Gate};

/// How often it is asked.
const EVERY: Duration = Duration::from_secs(2);

/// How long it then waits for the answers of calls that end for the same reason: those ask each second.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Whose answers are to come on a stream; left with the answer's head.
#[derive(Clone)]
pub(crate) enum Awaited {
    /// That of the request that it answers. It ends after that.
    Its,
    /// Those of all requests at work in a session.
    Of(Arc<Session>),
}

impl Awaited {
    fn is_there(&self) -> bool {
        match self {
            Awaited::Its => true,
            Awaited::Of(session) => session.at_work() > 0,
        }
    }
}

struct Watched {
    body: Body,
    gate: Arc<dyn Gate>,
    caller: Arc<Caller>,
    awaited: Option<Awaited>,
    /// When to ask again, or to end.
    due: Instant,
    ends: bool,
    /// Set once the body had nothing to say; most answers are out before that.
    waiting: Option<Pin<Box<Sleep>>>,
    over: bool,
}

/// `answer`, which, if it is a stream, goes on only while `caller` may listen.
pub(crate) fn watch(mut answer: Answer, gate: &Arc<dyn Gate>, caller: Arc<Caller>) -> Answer {
    let kind = answer.headers().get(header::CONTENT_TYPE);
    if kind.is_none_or(|kind| kind != "text/event-stream") {
        return answer;
    }
    let gate = Arc::clone(gate);
    let awaited = answer.extensions_mut().remove();
    answer.map(|body| {
        Watched {
            body,
            gate,
            caller,
            awaited,
            due: Instant::now() + EVERY,
            ends: false,
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
        if self.ends {
            return false;
        }
        self.due = now + EVERY;
        if self.gate.still_admits(&self.caller).is_err() {
            tracing::info!(caller = %self.caller.name, "a stream ends: its token is good no more");
            self.ends = true;
            self.due = now + LAST_ANSWERS;
        }
        !self.ends || self.awaited.is_some()
    }

    /// Whether anything may come that is still let out.
    fn awaits(&self) -> bool {
        !self.ends || self.awaited.as_ref().is_some_and(Awaited::is_there)
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
                this.over = true;
                return Poll::Ready(None);
            }
            // Asked first: an answer that comes after that is awaited, one that came before is there now.
            let awaits = this.awaits();
            if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(task) {
                return Poll::Ready(frame);
            }
            if !awaits {
                this.over = true;
                return Poll::Ready(None);
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
