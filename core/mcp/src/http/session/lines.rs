//! The streams of one session, and what waits on them.
//!
//! For: which message goes on which stream, what a stream that broke missed, and noticing that one broke.
//! Not for: writing bytes.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use rmcp::model::{
    ClientRequest, GetExtensions, GetMeta, JsonRpcMessage, JsonRpcRequest, ProgressToken,
    RequestId, ServerJsonRpcMessage, ServerNotification,
};
use rmcp::service::OriginatingRequestId;
use rmcp::transport::streamable_http_server::session::ServerSseMessage;
use tokio::sync::oneshot;

use super::kept::Kept;
use super::line::Line;
use super::{Session, SessionError, Style};

/// The common line; those of requests count from 1.
const COMMON: u64 = 0;
/// How many messages that went out are kept on a line, besides those of which only the last is of use.
const REPLAY: usize = 64;
/// How long a client that lost its stream should wait before it comes back.
const RETRY: Duration = Duration::from_secs(3);

/// All streams of a session.
#[derive(Default)]
pub(super) struct Lines {
    common: Line,
    of_requests: HashMap<u64, Line>,
    /// Those of them that have ended and were read.
    kept: Kept,
    by_request: HashMap<RequestId, u64>,
    by_progress: HashMap<ProgressToken, u64>,
    last_line: u64,
    last_reader: u64,
    /// Who waits for the answer to `initialize`.
    beginning: Option<(RequestId, oneshot::Sender<ServerJsonRpcMessage>)>,
    ended: bool,
}

impl Lines {
    fn line(&mut self, line: u64) -> Option<&mut Line> {
        if line == COMMON {
            Some(&mut self.common)
        } else {
            self.of_requests.get_mut(&line)
        }
    }

    fn next_reader(&mut self) -> u64 {
        self.last_reader += 1;
        self.last_reader
    }

    /// The ids of the requests at work.
    pub(super) fn requests(&self) -> Vec<RequestId> {
        self.by_request.keys().cloned().collect()
    }

    pub(super) fn at_work(&self) -> usize {
        self.by_request.len()
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.by_request.is_empty() && self.common.readers.is_empty() && self.beginning.is_none()
    }

    /// Whether everything has ended and nobody listens.
    pub(super) fn are_out(&self) -> bool {
        let mut lines = std::iter::once(&self.common).chain(self.of_requests.values());
        self.ended && lines.all(|line| line.readers.is_empty())
    }

    /// Keeps what has ended and was read for a client that comes back within that time.
    fn keep(&mut self, line: u64, within: Duration) {
        self.kept.keep(line, &mut self.of_requests, within);
    }

    /// Forgets what nobody comes back for any more.
    pub(super) fn forget(&mut self, within: Duration) {
        self.kept.forget(&mut self.of_requests, within);
    }

    /// A request has no answer any more.
    pub(super) fn end_request(&mut self, id: &RequestId) {
        if let Some(line) = self.by_request.remove(id) {
            self.conclude(line);
        }
    }

    /// Nothing follows on this line.
    fn conclude(&mut self, number: u64) {
        let Some(line) = self.of_requests.get_mut(&number) else {
            return;
        };
        line.end();
        if let Some(id) = line.request.take() {
            self.by_request.remove(&id);
        }
        if let Some(token) = line.progress.take() {
            self.by_progress.remove(&token);
        }
    }

    pub(super) fn end_all(&mut self) {
        self.ended = true;
        self.beginning = None;
        let lines: Vec<u64> = self.of_requests.keys().copied().collect();
        for line in lines {
            self.conclude(line);
        }
        self.common.end();
    }

    /// Puts a message on its line. `false`: too much waits there.
    pub(super) fn deliver(
        &mut self,
        message: ServerJsonRpcMessage,
        style: Style,
        most: usize,
    ) -> bool {
        let answered = match &message {
            JsonRpcMessage::Response(response) => Some(&response.id),
            JsonRpcMessage::Error(error) => error.id.as_ref(),
            _ => None,
        };
        if let Some(id) = answered
            && self
                .beginning
                .as_ref()
                .is_some_and(|(begun, _)| begun == id)
            && let Some((_, waiting)) = self.beginning.take()
        {
            let _ = waiting.send(message);
            return true;
        }
        let line = match (style, answered) {
            (Style::Single, Some(id)) => {
                self.by_request.remove(id);
                COMMON
            }
            (Style::Single, None) => COMMON,
            (Style::Streamable, Some(id)) => self.by_request.get(id).copied().unwrap_or(COMMON),
            (Style::Streamable, None) => self.line_of(&message),
        };
        let concludes = line != COMMON && answered.is_some();
        if let Some(on) = self.line(line) {
            on.push(line, ServerSseMessage::from_message(message));
            on.trim(replay(style));
            if on.unsent() > most {
                return false;
            }
        }
        if concludes {
            self.conclude(line);
        }
        true
    }

    /// The line of what the server says of itself: that of the request it belongs to.
    fn line_of(&self, message: &ServerJsonRpcMessage) -> u64 {
        let line = match message {
            JsonRpcMessage::Request(request) => request
                .request
                .extensions()
                .get::<OriginatingRequestId>()
                .and_then(|origin| self.by_request.get(&origin.0)),
            JsonRpcMessage::Notification(notification) => match &notification.notification {
                ServerNotification::ProgressNotification(progress) => {
                    self.by_progress.get(&progress.params.progress_token)
                }
                _ => None,
            },
            _ => None,
        };
        line.copied().unwrap_or(COMMON)
    }
}

impl Session {
    /// A request of the older transport, whose answer comes on the one stream. `false`: its id is in use.
    pub(crate) fn note_request(&self, id: &RequestId) -> bool {
        self.lines().by_request.insert(id.clone(), COMMON).is_none()
    }

    /// Where the answer to `initialize` will come.
    pub(super) fn begin(&self, id: RequestId) -> oneshot::Receiver<ServerJsonRpcMessage> {
        let (waiting, answer) = oneshot::channel();
        self.lines().beginning = Some((id, waiting));
        answer
    }

    /// A stream for the answer to `request`; nothing if its id is in use.
    pub(super) fn request_line(
        self: &Arc<Self>,
        request: &JsonRpcRequest<ClientRequest>,
    ) -> Option<Reader> {
        let mut lines = self.lines();
        if lines.ended || lines.by_request.contains_key(&request.id) {
            return None;
        }
        lines.last_line += 1;
        let (number, reader) = (lines.last_line, lines.next_reader());
        let progress = request.request.get_meta().get_progress_token();
        let mut line = Line {
            request: Some(request.id.clone()),
            of_request: true,
            progress: progress.clone(),
            ..Line::default()
        };
        // Lets a client come back before anything else was said.
        line.push(number, ServerSseMessage::retry(RETRY));
        line.join(reader);
        lines.of_requests.insert(number, line);
        lines.by_request.insert(request.id.clone(), number);
        if let Some(token) = progress {
            lines.by_progress.insert(token, number);
        }
        drop(lines);
        Some(Reader {
            session: Arc::clone(self),
            line: number,
            reader,
            over: false,
        })
    }

    /// Ends the stream of a request that goes on; its client is to come back after `retry`. `false`: nobody
    /// listens there.
    fn cut(&self, number: u64, retry: Duration) -> bool {
        let mut lines = self.lines();
        let newest = lines.last_reader;
        let Some(line) = lines.of_requests.get_mut(&number) else {
            return false;
        };
        let is_cut = line
            .cut
            .is_some_and(|cut| line.readers.iter().all(|(reader, _)| *reader <= cut.reader));
        if line.done || line.readers.is_empty() || is_cut {
            return false;
        }
        line.cut(number, newest, retry);
        true
    }

    /// A stream with nothing but this one message.
    pub(super) fn only(self: &Arc<Self>, message: ServerJsonRpcMessage) -> Reader {
        let mut lines = self.lines();
        lines.last_line += 1;
        let (number, reader) = (lines.last_line, lines.next_reader());
        let mut line = Line::default();
        line.push(number, ServerSseMessage::from_message(message));
        line.join(reader);
        line.done = true;
        lines.of_requests.insert(number, line);
        drop(lines);
        Reader {
            session: Arc::clone(self),
            line: number,
            reader,
            over: false,
        }
    }

    /// Listens to what belongs to no request.
    pub(crate) fn common_line(self: &Arc<Self>) -> Reader {
        let mut lines = self.lines();
        let reader = lines.next_reader();
        lines.common.join(reader);
        if lines.ended {
            lines.common.done = true;
        }
        drop(lines);
        Reader {
            session: Arc::clone(self),
            line: COMMON,
            reader,
            over: false,
        }
    }

    /// Whether what followed the event `last` can't be told: not all of it is kept any more, or no such event was told.
    pub(crate) fn has_forgotten(&self, last: &str) -> bool {
        let Ok((number, line)) = place(last) else {
            return true;
        };
        let mut lines = self.lines();
        lines.forget(self.bounds.resume_within);
        lines.line(line).is_none_or(|line| !line.follows(number))
    }

    /// Goes on after the event `last`, as it was told to the client.
    pub(super) fn resume(self: &Arc<Self>, last: &str) -> Result<Reader, SessionError> {
        let (number, line) = place(last)?;
        let mut lines = self.lines();
        let reader = lines.next_reader();
        let on = lines.line(line).ok_or(SessionError::NoSuchEvent)?;
        if !on.follows(number) {
            return Err(SessionError::NoSuchEvent);
        }
        on.sent = number;
        on.join(reader);
        drop(lines);
        Ok(Reader {
            session: Arc::clone(self),
            line,
            reader,
            over: false,
        })
    }
}

/// The number and the line of an event, as they were told to the client.
fn place(event: &str) -> Result<(u64, u64), SessionError> {
    let (number, line) = match event.split_once('/') {
        Some((number, line)) => (number, line.parse().map_err(|_| SessionError::NoSuchEvent)?),
        None => (event, COMMON),
    };
    let number = number.parse().map_err(|_| SessionError::NoSuchEvent)?;
    Ok((number, line))
}

/// How many messages that went out are kept for a client that comes back.
fn replay(style: Style) -> usize {
    match style {
        Style::Streamable => REPLAY,
        // Its one stream cannot be taken up again.
        Style::Single => 0,
    }
}

/// The stream on which the answer to one request will come.
#[derive(Clone)]
pub(crate) struct OwnStream {
    session: Weak<Session>,
    line: u64,
}

impl OwnStream {
    /// Ends it in the middle of the request; the client is to come back after `retry`. `false`: it listens no
    /// more.
    pub(crate) fn close(&self, retry: Duration) -> bool {
        let session = self.session.upgrade();
        session.is_some_and(|session| session.cut(self.line, retry))
    }
}

/// Reads one line to its end.
pub(crate) struct Reader {
    session: Arc<Session>,
    line: u64,
    reader: u64,
    over: bool,
}

impl Reader {
    /// Waits until there is more to read than what every stream of a request begins with.
    pub(super) async fn has_something(&self) {
        poll_fn(|task| {
            let mut lines = self.session.lines();
            match lines.line(self.line) {
                Some(line) if line.last <= 1 && !line.done => line.listen(self.reader, task),
                _ => Poll::Ready(()),
            }
        })
        .await;
    }

    /// What it reads, for the request that it is for.
    pub(super) fn stream(&self) -> OwnStream {
        OwnStream {
            session: Arc::downgrade(&self.session),
            line: self.line,
        }
    }
}

impl Stream for Reader {
    type Item = ServerSseMessage;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        let mut lines = this.session.lines();
        let Some(line) = lines.line(this.line) else {
            drop(lines);
            this.over = true;
            return Poll::Ready(None);
        };
        let Some(place) = line
            .readers
            .iter()
            .position(|(reader, _)| *reader == this.reader)
        else {
            // Too many came after this one.
            drop(lines);
            this.over = true;
            return Poll::Ready(None);
        };
        let is_newest = place + 1 == line.readers.len();
        let cut = line.cut.filter(|cut| this.reader <= cut.reader);
        if is_newest {
            let unsent = line.sent + 1..=cut.map_or(u64::MAX, |cut| cut.after);
            let mut events = line.events.iter();
            if let Some(event) = events.find(|event| unsent.contains(&event.number)) {
                let message = event.message.clone();
                line.sent = event.number;
                line.trim(replay(this.session.style));
                return Poll::Ready(Some(message));
            }
        }
        if cut.is_some() {
            line.readers.remove(place);
            let lost = line.lost(this.session.bounds.resume_within);
            drop(lines);
            this.over = true;
            wait_for_the_client(&this.session, this.line, lost);
            return Poll::Ready(None);
        }
        if line.done {
            line.readers.remove(place);
            if line.readers.is_empty() && this.line != COMMON {
                lines.keep(this.line, this.session.bounds.resume_within);
            }
            drop(lines);
            this.over = true;
            return Poll::Ready(None);
        }
        line.readers[place].1 = Some(task.waker().clone());
        Poll::Pending
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.session.touch();
        if self.over {
            return;
        }
        let mut lines = self.session.lines();
        let Some(line) = lines.line(self.line) else {
            return;
        };
        line.readers.retain(|(reader, _)| *reader != self.reader);
        let lost = line.lost(self.session.bounds.resume_within);
        drop(lines);
        if self.line != COMMON {
            wait_for_the_client(&self.session, self.line, lost);
        }
    }
}

fn wait_for_the_client(session: &Arc<Session>, line: u64, lost: Option<(u64, Duration)>) {
    if let Some((loss, within)) = lost
        && let Ok(runtime) = tokio::runtime::Handle::try_current()
    {
        runtime.spawn(unless_resumed(Arc::clone(session), line, loss, within));
    }
}

/// Gives the request of a broken stream up, unless its client comes back in time.
async fn unless_resumed(session: Arc<Session>, number: u64, loss: u64, within: Duration) {
    tokio::time::sleep(within).await;
    let given_up = {
        let mut lines = session.lines();
        match lines.of_requests.get(&number) {
            // One that came back and went again has its time from then on.
            Some(line) if line.readers.is_empty() && line.losses == loss => {
                let request = line.request.clone();
                lines.conclude(number);
                lines.of_requests.remove(&number);
                request
            }
            _ => None,
        }
    };
    if let Some(id) = given_up {
        session.give_up(id);
    }
}
