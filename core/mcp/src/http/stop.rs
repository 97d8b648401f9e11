//! The word to end, said twice at most.

use std::io;

use callboard_store::actor;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Says when to end: gently, or at once. Clones speak for the same server.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    gently: CancellationToken,
    at_once: CancellationToken,
}

/// The second word to end came while calls were still running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("ended at once, without waiting for {calls} running calls")]
pub struct EndedAtOnce {
    /// How many calls had not ended.
    pub calls: usize,
}

impl Stop {
    /// Nobody has said it yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says it on SIGTERM and SIGINT: gently on the first, at once on the second. Call inside a runtime.
    ///
    /// # Errors
    /// The signals can't be awaited.
    pub fn on_signals() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = Stop::new();
        let said = stop.clone();
        actor::spawn(async move {
            for word in [&said.gently, &said.at_once] {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                word.cancel();
            }
        });
        Ok(stop)
    }

    /// End, when running calls have.
    pub fn gently(&self) {
        self.gently.cancel();
    }

    /// End now.
    pub fn at_once(&self) {
        self.gently.cancel();
        self.at_once.cancel();
    }

    pub(crate) async fn said(&self) {
        self.gently.cancelled().await;
    }

    pub(crate) async fn said_twice(&self) {
        self.at_once.cancelled().await;
    }
}
