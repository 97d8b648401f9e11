//! The transport: one JSON message a line.
//!
//! For: telling a client that a line was no message (the library drops it silently, and a client would wait
//! for ever), noticing the end of input before running calls do, and answering in few writes. Not for:
//! deciding what a message means.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ClientRequest, ErrorData, GetMeta, JsonRpcMessage,
    ProtocolVersion, RequestId, ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio_util::sync::CancellationToken;

use crate::batch;
use crate::message::{Refusal, read_line};
use crate::server::not_handled;

/// The longest line that is read; a longer one is skipped and answered with an error.
const LINE_BYTES: usize = 4 << 20;
const READ_BYTES: usize = 64 * 1024;
/// How many requests may be at work.
const AT_WORK: usize = 4_096;
/// How many bytes of answers may wait for the client to read them. While there are more, nothing is read either:
/// whoever asks and does not listen would else fill the memory.
const WAITING_BYTES: usize = 4 << 20;
/// How much of a skipped line is kept at each end, to find its id.
const KEPT_BYTES: usize = 256;

/// Lines in, lines out.
pub(crate) struct Lines<R, W> {
    read: BufReader<R>,
    line: Vec<u8>,
    skipping: Option<Skipped>,
    longest: usize,
    outbox: Arc<Outbox<W>>,
    must_flush: bool,
    session_begun: bool,
    /// The requests that have no answer yet.
    at_work: HashSet<RequestId>,
    /// Whether the session's revision has batches.
    batches: bool,
    /// What is left of one.
    pieces: VecDeque<Vec<u8>>,
    /// Cancelled here at the end of input; whoever cancels it elsewhere ends the input.
    closing: CancellationToken,
}

/// The ends of a line that is too long.
struct Skipped {
    bytes: usize,
    head: Vec<u8>,
    tail: Vec<u8>,
}

/// What one attempt to read brought.
enum Step {
    More,
    Line,
    TooLong,
    End,
}

impl<R, W> Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    pub(crate) fn new(read: R, write: W, closing: CancellationToken) -> Self {
        Lines {
            read: BufReader::with_capacity(READ_BYTES, read),
            line: Vec::new(),
            skipping: None,
            longest: LINE_BYTES,
            outbox: Arc::new(Outbox::new(write)),
            must_flush: false,
            session_begun: false,
            at_work: HashSet::new(),
            batches: false,
            pieces: VecDeque::new(),
            closing,
        }
    }

    /// Takes lines of at most this many bytes.
    pub(crate) fn longest(mut self, bytes: usize) -> Self {
        self.longest = bytes;
        self
    }

    /// The next message, after answering the lines before it that were none. Everything that must outlive a
    /// dropped poll is in `self`: the library polls this beside other work and starts anew each time.
    pub(crate) async fn next_message(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            if self.outbox.has_too_much() {
                self.must_flush = true;
            }
            if mem::take(&mut self.must_flush) {
                let flushed = FlushAgain(&mut self.must_flush);
                self.outbox.flush().await.ok()?;
                mem::forget(flushed);
            }
            if let Some(piece) = self.pieces.pop_front() {
                if let Some(message) = self.admit(batch::read(&piece)) {
                    return Some(message);
                }
                continue;
            }
            match self.step().await.ok()? {
                Step::More => {}
                Step::Line => {
                    let line = mem::take(&mut self.line);
                    let batch = self.batches.then(|| batch::pieces(&line)).flatten();
                    let read = match batch {
                        None => read_line(&line),
                        Some(Ok(pieces)) => {
                            self.pieces = pieces.into();
                            Ok(None)
                        }
                        Some(Err(refusal)) => Err(refusal),
                    };
                    self.line = line;
                    self.line.clear();
                    if let Some(message) = self.admit(read) {
                        return Some(message);
                    }
                }
                Step::TooLong => {
                    let skipped = self.skipping.take()?;
                    self.refuse(skipped.refusal());
                }
                Step::End => return None,
            }
        }
    }

    async fn step(&mut self) -> io::Result<Step> {
        let available = self.read.fill_buf().await?;
        if available.is_empty() {
            // A last line without its end is still a line.
            return Ok(if self.line.is_empty() {
                Step::End
            } else {
                Step::Line
            });
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(available.len(), |end| end + 1);
        let piece = &available[..taken];
        if self.skipping.is_none() && self.line.len() + taken > self.longest {
            self.skipping = Some(Skipped::new(mem::take(&mut self.line)));
        }
        match &mut self.skipping {
            Some(skipped) => skipped.push(piece),
            None => self.line.extend_from_slice(piece),
        }
        self.read.consume(taken);
        Ok(match (end, &self.skipping) {
            (None, _) => Step::More,
            (Some(_), Some(_)) => Step::TooLong,
            (Some(_), None) => Step::Line,
        })
    }

    fn refuse(&mut self, refusal: Refusal) {
        tracing::debug!(code = refusal.error.code.0, "a line was no message");
        self.outbox
            .push(&ServerJsonRpcMessage::error(refusal.error, refusal.id));
        self.must_flush = true;
    }

    /// The message, if it is one and the library takes it at this point. Before a session has begun the
    /// library would end at a notification, and answer an unknown method as if it were a known one.
    fn admit(
        &mut self,
        read: Result<Option<ClientJsonRpcMessage>, Box<Refusal>>,
    ) -> Option<ClientJsonRpcMessage> {
        let message = match read {
            Ok(message) => message?,
            Err(refusal) => {
                self.refuse(*refusal);
                return None;
            }
        };
        if self.session_begun {
            return self.count(message);
        }
        match &message {
            JsonRpcMessage::Request(request) => match &request.request {
                ClientRequest::CustomRequest(custom) if custom.method != "tools/call" => {
                    let error = not_handled(&custom.method);
                    self.refuse(Refusal {
                        id: Some(request.id.clone()),
                        error,
                    });
                    None
                }
                known => {
                    self.session_begun = begins_session(known);
                    Some(message)
                }
            },
            _ => None,
        }
    }
}

impl<R, W> Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    /// The message, unless it is one request too many.
    fn count(&mut self, message: ClientJsonRpcMessage) -> Option<ClientJsonRpcMessage> {
        match &message {
            JsonRpcMessage::Request(request) if self.at_work.len() >= AT_WORK => {
                let why = "too many requests are at work; wait for some of them";
                self.refuse(Refusal {
                    id: Some(request.id.clone()),
                    error: ErrorData::invalid_request(why, None),
                });
                return None;
            }
            JsonRpcMessage::Request(request) => {
                self.at_work.insert(request.id.clone());
            }
            JsonRpcMessage::Notification(told) => {
                // What the client has given up is not answered.
                if let ClientNotification::CancelledNotification(given_up) = &told.notification
                    && let Some(id) = &given_up.params.request_id
                {
                    self.at_work.remove(id);
                }
            }
            _ => {}
        }
        Some(message)
    }

    fn note_answer(&mut self, message: &ServerJsonRpcMessage) {
        match message {
            JsonRpcMessage::Response(answer) => self.at_work.remove(&answer.id),
            JsonRpcMessage::Error(error) => {
                error.id.as_ref().is_some_and(|id| self.at_work.remove(id))
            }
            _ => false,
        };
    }
}

/// Sets its flag again unless it is forgotten: a flush that is dropped half way must be taken up again.
struct FlushAgain<'f>(&'f mut bool);

impl Drop for FlushAgain<'_> {
    fn drop(&mut self) {
        *self.0 = true;
    }
}

/// Whether the library takes `request` as the begin of a session.
pub(crate) fn begins_session(request: &ClientRequest) -> bool {
    match request {
        ClientRequest::InitializeRequest(_) => true,
        ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => false,
        other => {
            let meta = other.get_meta();
            meta.missing_required_keys(&ProtocolVersion::V_2026_07_28)
                .is_empty()
                && meta
                    .protocol_version()
                    .is_some_and(|version| ProtocolVersion::KNOWN_VERSIONS.contains(&version))
        }
    }
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        self.batches |= batch::may_follow(&message);
        self.note_answer(&message);
        self.outbox.push(&message);
        let outbox = Arc::clone(&self.outbox);
        let closing = self.closing.clone();
        async move {
            if let Err(error) = outbox.flush().await {
                // Nobody reads what we write, so nobody will ask again.
                tracing::debug!(%error, "the client is gone");
                closing.cancel();
            }
            Ok(())
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        let closing = self.closing.clone();
        let received = tokio::select! {
            biased;
            () = closing.cancelled() => None,
            message = self.next_message() => message,
        };
        if received.is_none() {
            closing.cancel();
        }
        received
    }

    async fn close(&mut self) -> io::Result<()> {
        // What the client no longer reads it does not miss.
        let _ = self.outbox.flush().await;
        Ok(())
    }
}

/// Lines that wait to be written. Whoever flushes writes for all, in as few writes as it takes, and a flush
/// that is dropped leaves the rest of its line to the next.
struct Outbox<W> {
    waiting: Mutex<Vec<u8>>,
    writer: tokio::sync::Mutex<Writer<W>>,
}

struct Writer<W> {
    write: W,
    current: Vec<u8>,
    written: usize,
}

impl<W: AsyncWrite + Unpin> Outbox<W> {
    fn new(write: W) -> Self {
        Outbox {
            waiting: Mutex::default(),
            writer: tokio::sync::Mutex::new(Writer {
                write,
                current: Vec::new(),
                written: 0,
            }),
        }
    }

    fn push(&self, message: &ServerJsonRpcMessage) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let before = waiting.len();
        match serde_json::to_writer(&mut *waiting, message) {
            Ok(()) => waiting.push(b'\n'),
            Err(error) => {
                waiting.truncate(before);
                tracing::error!(%error, "a message could not be written");
            }
        }
    }

    fn has_too_much(&self) -> bool {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.len() > WAITING_BYTES
    }

    async fn flush(&self) -> io::Result<()> {
        let mut writer = self.writer.lock().await;
        let Writer {
            write,
            current,
            written,
        } = &mut *writer;
        loop {
            if *written == current.len() {
                current.clear();
                *written = 0;
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                mem::swap(&mut *waiting, current);
            }
            if current.is_empty() {
                return Pin::new(write).flush().await;
            }
            match write.write(&current[*written..]).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => *written += count,
            }
        }
    }
}

impl Skipped {
    fn new(line: Vec<u8>) -> Self {
        let mut skipped = Skipped {
            bytes: 0,
            head: Vec::new(),
            tail: Vec::new(),
        };
        skipped.push(&line);
        skipped
    }

    fn push(&mut self, piece: &[u8]) {
        self.bytes += piece.len();
        let for_head = piece.len().min(KEPT_BYTES - self.head.len());
        self.head.extend_from_slice(&piece[..for_head]);
        self.tail
            .extend_from_slice(&piece[piece.len().saturating_sub(KEPT_BYTES)..]);
        let surplus = self.tail.len().saturating_sub(KEPT_BYTES);
        self.tail.drain(..surplus);
    }

    fn refusal(&self) -> Refusal {
        let message = format!(
            "the message has {} bytes; at most {LINE_BYTES} are read. Put long content into a file and say where it is",
            self.bytes
        );
        Refusal {
            id: self.id(),
            error: ErrorData::invalid_request(message, None),
        }
    }

    /// The request's id, where it stands before the parameters or at the very end; clients write it in one
    /// of these places. Without it the caller could not tell that its call has failed.
    fn id(&self) -> Option<RequestId> {
        let head = String::from_utf8_lossy(&self.head);
        let before_params = head.split("\"params\"").next().unwrap_or_default();
        let tail = String::from_utf8_lossy(&self.tail);
        id_after_key(before_params).or_else(|| {
            let (id, rest) = value_after_key(&tail)?;
            (rest.trim() == "}").then_some(id)
        })
    }
}

fn id_after_key(text: &str) -> Option<RequestId> {
    value_after_key(text).map(|(id, _)| id)
}

fn value_after_key(text: &str) -> Option<(RequestId, &str)> {
    let start = text.rfind("\"id\"")? + "\"id\"".len();
    let value = text[start..].trim_start().strip_prefix(':')?;
    let mut values = serde_json::Deserializer::from_str(value).into_iter::<Value>();
    let id = serde_json::from_value(values.next()?.ok()?).ok()?;
    Some((id, &value[values.byte_offset()..]))
}
