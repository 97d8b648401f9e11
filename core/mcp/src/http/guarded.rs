//! A connection that does not wait for ever.
//!
//! For: closing a connection whose client sends its request too slowly, sends none, or does not read.
//! Not for: what is said on it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::Limits;

/// What a connection is waiting for; shared between the stream and who answers on it.
#[derive(Debug, Default)]
pub(crate) struct Activity(AtomicU8);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// For a request to begin.
    Idle = 0,
    /// For the rest of its head.
    Head = 1,
    /// For us.
    Busy = 2,
}

impl Activity {
    /// A request's head is complete; from now on other bounds hold.
    pub(crate) fn answering(&self) {
        self.set(Phase::Busy);
    }

    /// Its answer is out.
    pub(crate) fn answered(&self) {
        self.set(Phase::Idle);
    }

    fn set(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Relaxed);
    }

    fn phase(&self) -> Phase {
        match self.0.load(Ordering::Relaxed) {
            0 => Phase::Idle,
            1 => Phase::Head,
            _ => Phase::Busy,
        }
    }
}

/// A stream with its bounds.
pub(crate) struct Guarded<T> {
    inner: T,
    activity: Arc<Activity>,
    read_by: Pin<Box<Sleep>>,
    /// The phase that `read_by` was set for.
    set_for: Option<Phase>,
    written_by: Pin<Box<Sleep>>,
    stalled: bool,
    idle: Duration,
    head: Duration,
    stall: Duration,
}

impl<T> Guarded<T> {
    pub(crate) fn new(inner: T, activity: Arc<Activity>, limits: &Limits) -> Self {
        Guarded {
            inner,
            activity,
            read_by: Box::pin(tokio::time::sleep(limits.head_within)),
            // The first request of a connection comes at once or not at all.
            set_for: Some(Phase::Idle),
            written_by: Box::pin(tokio::time::sleep(limits.write_stalled)),
            stalled: false,
            idle: limits.connection_idle,
            head: limits.head_within,
            stall: limits.write_stalled,
        }
    }

    fn arm(&mut self, phase: Phase) {
        let bound = match phase {
            Phase::Idle => self.idle,
            Phase::Head => self.head,
            Phase::Busy => return,
        };
        if self.set_for != Some(phase) {
            self.read_by.as_mut().reset(Instant::now() + bound);
            self.set_for = Some(phase);
        }
    }

    /// `polled`, or an error once it has been pending for too long.
    fn bound_write<O>(
        &mut self,
        task: &mut Context<'_>,
        polled: Poll<io::Result<O>>,
    ) -> Poll<io::Result<O>> {
        if polled.is_ready() {
            self.stalled = false;
            return polled;
        }
        if !self.stalled {
            self.stalled = true;
            self.written_by.as_mut().reset(Instant::now() + self.stall);
        }
        ready!(self.written_by.as_mut().poll(task));
        tracing::info!("a client does not read what it asked for; its connection is closed");
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = into.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.inner).poll_read(task, into) {
            if this.activity.phase() == Phase::Idle && into.filled().len() > before {
                this.activity.set(Phase::Head);
                this.arm(Phase::Head);
            }
            return Poll::Ready(read);
        }
        let phase = this.activity.phase();
        if phase == Phase::Busy {
            this.set_for = None;
            return Poll::Pending;
        }
        this.arm(phase);
        ready!(this.read_by.as_mut().poll(task));
        tracing::debug!(?phase, "no request came in time; the connection is closed");
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(task, bytes);
        self.bound_write(task, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(task);
        self.bound_write(task, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_shutdown(task);
        self.bound_write(task, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(task, pieces);
        self.bound_write(task, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
