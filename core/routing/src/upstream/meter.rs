//! What went over a connection, seen from outside while it goes.
//! For: sizes and times of a call, also of one that is called off. Not for: tokens.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Sizes and times of one request.
#[derive(Debug, Default)]
pub struct Meter {
    sent_at: OnceLock<Instant>,
    sent: AtomicU64,
    received: AtomicU64,
    first_byte: OnceLock<Duration>,
}

impl Meter {
    pub(super) fn sends(&self, bytes: usize) {
        self.sent_at.get_or_init(Instant::now);
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn receives(&self, bytes: usize) {
        if let Some(sent_at) = self.sent_at.get() {
            self.first_byte.get_or_init(|| sent_at.elapsed());
        }
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// When the request was sent off; `None`: it was not.
    #[must_use]
    pub fn sent_at(&self) -> Option<Instant> {
        self.sent_at.get().copied()
    }

    /// Bytes of the request's body; 0 before it was sent off.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes of the answer's body so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// From sending off to the first byte of the answer's body.
    #[must_use]
    pub fn first_byte(&self) -> Option<Duration> {
        self.first_byte.get().copied()
    }
}
