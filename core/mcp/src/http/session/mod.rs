//! Sessions of the older revisions: what a client and its server say to each other over many requests.
//!
//! For: holding a session in little memory (no task and no channel of its own beside the library's), knowing
//! whose it is, keeping what a broken stream missed, and giving up calls nobody waits for. Not for: HTTP, or
//! what the messages mean.

mod kept;
mod line;
mod lines;
mod manager;
mod named;
mod table;
mod transport;

pub(crate) use lines::{OwnStream, Reader};
pub(crate) use manager::{AT_WORK, OWNER};
pub(crate) use table::{Owner, Quota, Table};
pub(crate) use transport::ServerEnd;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rmcp::model::{
    CancelledNotification, CancelledNotificationParam, ClientJsonRpcMessage, ClientNotification,
    ClientRequest, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::batch;
use crate::lines::begins_session;
use lines::Lines;
use named::Named;
use table::Seat;

/// Which of the two transports a session speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Streamable HTTP: a line for each request, and a common one.
    Streamable,
    /// The older HTTP+SSE: one line for everything.
    Single,
}

/// One session.
pub(crate) struct Session {
    pub(crate) id: Arc<str>,
    style: Style,
    bounds: Bounds,
    inbox: Mutex<Inbox>,
    arrived: Notify,
    lines: Mutex<Lines>,
    named: Named,
    /// Whether its revision has batches.
    batches: AtomicBool,
    /// Gives the place back when the session is gone.
    seat: Seat,
}

/// What a session may hold, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) waiting: usize,
    pub(crate) resume_within: Duration,
}

struct Inbox {
    waiting: VecDeque<ClientJsonRpcMessage>,
    closed: bool,
    /// Whether the library has taken a request as the session's begin.
    begun: bool,
    last_used: Instant,
}

/// How often to look whether the last answers and bytes of an ending session are out.
const LOOK: Duration = Duration::from_millis(5);

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SessionError {
    #[error("the session has ended")]
    Ended,
    #[error("there is no such session")]
    Unknown,
    #[error("that is no place to go on from")]
    NoSuchEvent,
    #[error("too many sessions are open")]
    Full,
    #[error("the session has too many messages waiting")]
    Flooded,
}

impl Session {
    pub(crate) fn new(id: Arc<str>, style: Style, bounds: Bounds, seat: Seat) -> Arc<Self> {
        Arc::new(Session {
            id,
            style,
            bounds,
            inbox: Mutex::new(Inbox {
                waiting: VecDeque::new(),
                closed: false,
                begun: style == Style::Streamable,
                last_used: Instant::now(),
            }),
            arrived: Notify::new(),
            lines: Mutex::new(Lines::default()),
            named: Named::default(),
            batches: AtomicBool::new(false),
            seat,
        })
    }

    pub(crate) fn owner(&self) -> &Owner {
        self.seat.owner()
    }

    /// Hands a message of the client's to the server.
    pub(crate) fn accept(&self, message: ClientJsonRpcMessage) -> Result<(), SessionError> {
        if let JsonRpcMessage::Notification(notification) = &message
            && let ClientNotification::CancelledNotification(cancelled) = &notification.notification
            && let Some(id) = &cancelled.params.request_id
        {
            // The library answers a cancelled request with nothing, so its stream ends here.
            self.lines().end_request(id);
            self.named.forget(id);
        }
        let mut inbox = self.inbox();
        if inbox.closed {
            return Err(SessionError::Ended);
        }
        if inbox.waiting.len() >= self.bounds.waiting {
            return Err(SessionError::Flooded);
        }
        inbox.last_used = Instant::now();
        self.named.note(&message);
        inbox.waiting.push_back(message);
        drop(inbox);
        self.arrived.notify_one();
        Ok(())
    }

    /// The next message for the server; nothing when the session has ended.
    pub(crate) async fn next(&self) -> Option<ClientJsonRpcMessage> {
        loop {
            let arrived = self.arrived.notified();
            {
                let mut inbox = self.inbox();
                if let Some(message) = inbox.waiting.pop_front() {
                    return Some(message);
                }
                if inbox.closed {
                    return None;
                }
            }
            arrived.await;
        }
    }

    /// Ends the session: calls at work are given up, then the server is told that nothing follows.
    pub(crate) fn close(&self) {
        let open = self.lines().requests();
        let mut inbox = self.inbox();
        if !inbox.closed {
            let given_up = open
                .into_iter()
                .map(|id| cancelled(id, "the session has ended"));
            inbox.waiting.extend(given_up);
            inbox.closed = true;
        }
        drop(inbox);
        self.arrived.notify_one();
    }

    /// Ends every stream after what waits on it.
    pub(crate) fn end_streams(&self) {
        self.lines().end_all();
    }

    /// Sends a message of the server's on its way. A client that lets too much wait loses its session.
    pub(crate) fn deliver(&self, mut message: ServerJsonRpcMessage) {
        self.named.complete(&mut message);
        if batch::may_follow(&message) {
            self.batches.store(true, Ordering::Relaxed);
        }
        let kept = self
            .lines()
            .deliver(message, self.style, self.bounds.waiting);
        if !kept {
            tracing::info!(session = %self.short_id(), "a client does not read what waits for it; its session ends");
            self.close();
            self.end_streams();
        }
    }

    /// Gives one request up because nobody waits for its answer.
    fn give_up(&self, id: RequestId) {
        self.lines().end_request(&id);
        self.named.forget(&id);
        let mut inbox = self.inbox();
        if !inbox.closed {
            inbox.waiting.push_back(cancelled(id, "the client is gone"));
        }
        drop(inbox);
        self.arrived.notify_one();
    }

    /// Forgets what nobody comes back for any more.
    pub(crate) fn forget(&self) {
        self.lines().forget(self.bounds.resume_within);
    }

    /// Whether nobody has used the session for `idle`, waits for a call or listens to it.
    pub(crate) fn is_idle(&self, idle: Duration) -> bool {
        let unused = self.inbox().last_used.elapsed() >= idle;
        unused && self.lines().is_quiet()
    }

    pub(crate) fn touch(&self) {
        self.inbox().last_used = Instant::now();
    }

    /// Whether the library can take `message` at this point: before a session has begun it would end at a
    /// notification, and answer an unknown method as if it were a known one.
    pub(crate) fn may_take(&self, message: &ClientJsonRpcMessage) -> bool {
        let mut inbox = self.inbox();
        if inbox.begun {
            return true;
        }
        match message {
            JsonRpcMessage::Request(request) => match &request.request {
                ClientRequest::CustomRequest(custom) => custom.method == "tools/call",
                known => {
                    inbox.begun = begins_session(known);
                    true
                }
            },
            _ => false,
        }
    }

    pub(crate) fn style(&self) -> Style {
        self.style
    }

    /// Whether its client may send several messages at once.
    pub(crate) fn takes_batches(&self) -> bool {
        self.batches.load(Ordering::Relaxed)
    }

    /// Completes when the streams have ended and nobody listens to them any more.
    pub(crate) async fn flushed(&self) {
        while !self.lines().are_out() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How many requests are at work.
    pub(crate) fn at_work(&self) -> usize {
        self.lines().at_work()
    }

    /// Enough to find it in a log, too little to use it.
    pub(crate) fn short_id(&self) -> &str {
        self.id.get(..10).unwrap_or_default()
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cancelled(id: RequestId, why: &str) -> ClientJsonRpcMessage {
    let params = CancelledNotificationParam::new(Some(id), Some(why.to_owned()));
    let notification = CancelledNotification::new(params);
    ClientJsonRpcMessage::notification(ClientNotification::CancelledNotification(notification))
}
