//! One stream of a session: what is said on it, who listens, and when it ends.
//!
//! For: keeping what has not gone out and a little of what has, and ends in the middle of a request. Not for: which
//! message belongs on which stream.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rmcp::model::{ProgressToken, RequestId};
use rmcp::transport::streamable_http_server::session::ServerSseMessage;

/// How many messages that went out are kept for a client that comes back.
const REPLAY: usize = 16;
/// How many streams may listen to one line; older ones end.
const LISTENERS: usize = 8;

/// One stream, whether anybody listens to it or not.
#[derive(Default)]
pub(super) struct Line {
    pub(super) request: Option<RequestId>,
    pub(super) progress: Option<ProgressToken>,
    /// What has not gone out, and the last few of what has.
    pub(super) events: VecDeque<Event>,
    /// The number of the last event.
    pub(super) last: u64,
    /// The number of the last event that went out.
    pub(super) sent: u64,
    /// The newest last; it is the one that gets what comes.
    pub(super) readers: Vec<(u64, Option<Waker>)>,
    /// Where the call ended its stream in the middle.
    pub(super) cut: Option<Cut>,
    /// How often the last reader went.
    pub(super) losses: u64,
    pub(super) done: bool,
}

/// The end of a stream whose request goes on.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    /// The newest reader it is for; later ones come back for the rest.
    pub(super) reader: u64,
    /// The event after which it ends.
    pub(super) after: u64,
    /// How long the client was told to wait.
    pub(super) retry: Duration,
}

pub(super) struct Event {
    pub(super) number: u64,
    pub(super) message: ServerSseMessage,
}

impl Line {
    pub(super) fn push(&mut self, line: u64, mut message: ServerSseMessage) {
        self.last += 1;
        message.event_id = Some(format!("{}/{line}", self.last));
        self.events.push_back(Event {
            number: self.last,
            message,
        });
        self.wake();
    }

    pub(super) fn unsent(&self) -> usize {
        usize::try_from(self.last - self.sent).unwrap_or(usize::MAX)
    }

    /// Forgets the oldest of what went out, and of what waits for nobody.
    pub(super) fn trim(&mut self) {
        let keep = if self.readers.is_empty() && self.request.is_none() {
            REPLAY
        } else {
            self.unsent() + REPLAY
        };
        while self.events.len() > keep {
            if let Some(event) = self.events.pop_front() {
                self.sent = self.sent.max(event.number);
            }
        }
    }

    pub(super) fn wake(&mut self) {
        if let Some((_, waker)) = self.readers.last_mut()
            && let Some(waker) = waker.take()
        {
            waker.wake();
        }
    }

    pub(super) fn wake_all(&mut self) {
        for (_, waker) in &mut self.readers {
            if let Some(waker) = waker.take() {
                waker.wake();
            }
        }
    }

    /// Wakes the task when something is said to this reader; ready at once if it listens no more.
    pub(super) fn listen(&mut self, reader: u64, task: &Context<'_>) -> Poll<()> {
        let mut readers = self.readers.iter_mut();
        let Some((_, waker)) = readers.find(|(one, _)| *one == reader) else {
            return Poll::Ready(());
        };
        *waker = Some(task.waker().clone());
        Poll::Pending
    }

    pub(super) fn end(&mut self) {
        self.done = true;
        self.wake_all();
    }

    /// Ends the streams of the readers up to `newest`, after all that was said and the time to come back.
    pub(super) fn cut(&mut self, number: u64, newest: u64, retry: Duration) {
        self.push(number, ServerSseMessage::retry(retry));
        self.cut = Some(Cut {
            reader: newest,
            after: self.last,
            retry,
        });
        self.wake_all();
    }

    /// A reader has gone. If it was the last: which loss that is, and how long to wait for it.
    pub(super) fn lost(&mut self, within: Duration) -> Option<(u64, Duration)> {
        if !self.readers.is_empty() {
            // Whoever listened before gets what comes now.
            self.wake();
            return None;
        }
        self.losses += 1;
        let told = self.cut.map_or(Duration::ZERO, |cut| cut.retry);
        Some((self.losses, within + told))
    }

    pub(super) fn join(&mut self, reader: u64) {
        if self.readers.len() >= LISTENERS {
            let (_, waker) = self.readers.remove(0);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        self.readers.push((reader, None));
    }
}
