//! Recorded calls as spans for an OpenTelemetry collector (OTLP over HTTP, Protocol Buffers).
//!
//! For: sending what stands in `telemetry.db`, row by row, to one collector; off unless the user names one. The file
//! is the queue: a collector that is away costs no memory and loses nothing but what retention forgets. Not for:
//! texts of requests and answers, which are never read here; metrics (Prometheus has those).
//!
//! One process of those that share a board sends, by a lease in the file; the next takes over when it is gone. A
//! crash after a batch was taken and before that was written down sends the batch again, with the same ids. A row
//! that changes after it was sent, such as a cost that became known, is not sent again.

mod rows;
mod send;
mod span;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use callboard_store::{Clock, Store, SystemClock, actor};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use rows::Batch;
pub(crate) use rows::MIGRATIONS;
use send::{Collector, Sent};

/// How often new rows are looked for.
const EVERY: Duration = Duration::from_secs(1);
/// How long one try may take.
const WITHIN: Duration = Duration::from_secs(10);
/// The pause after a failed try, twice as long each time.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long the lease holds: longer than a try and its pause.
const LEASE_MS: i64 = 90_000;

/// Where spans are sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// The collector's address for traces, whole: `http://127.0.0.1:4318/v1/traces`.
    pub url: String,
    /// Headers that it asks for, such as a key.
    pub headers: Vec<(String, String)>,
}

/// Without the headers, which hold keys.
impl std::fmt::Debug for Settings {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Settings")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Why nothing is sent.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// The address is none.
    #[error("the address of the collector, {0:?}, is not an http or https URL")]
    Url(String),
    /// A header can't be sent.
    #[error("the collector's header {0:?} has a name or value that HTTP does not allow")]
    Header(String),
    /// No client could be made.
    #[error("no HTTP client for the collector: {0}")]
    Client(String),
}

/// Sends while it is held.
#[derive(Debug)]
#[must_use = "nothing is sent once it is dropped"]
pub struct Exporter {
    task: JoinHandle<()>,
    stop: Arc<Notify>,
}

impl Exporter {
    /// Begins to send what is recorded in `board_dir`: from now on, or where the last process ended. Call inside a
    /// runtime.
    ///
    /// # Errors
    /// [`OtlpError`], when the settings are wrong.
    pub fn start(board_dir: &Path, settings: &Settings) -> Result<Self, OtlpError> {
        let collector = Collector::new(settings, WITHIN)?;
        let stop = Arc::new(Notify::new());
        let work = Work {
            board_dir: board_dir.to_owned(),
            collector,
            clock: Arc::new(SystemClock),
            owner: owner(),
            stop: Arc::clone(&stop),
        };
        let task = actor::spawn(work.run());
        Ok(Exporter { task, stop })
    }

    /// Sends what is there now and ends, within `limit`. What is not sent is sent by the next process.
    pub async fn finish(mut self, limit: Duration) {
        self.stop.notify_one();
        let _ = tokio::time::timeout(limit, &mut self.task).await;
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A name that no other process has while this one lives.
fn owner() -> String {
    format!("{}-{}", std::process::id(), SystemClock.now_ms())
}

struct Work {
    board_dir: PathBuf,
    collector: Collector,
    clock: Arc<dyn Clock>,
    owner: String,
    stop: Arc<Notify>,
}

impl Work {
    async fn run(self) {
        let Some(store) = self.opened().await else {
            return;
        };
        let mut pause = PAUSE;
        let mut last = false;
        loop {
            let wait = match self.step(&store).await {
                Step::More => continue,
                Step::Nothing => {
                    pause = PAUSE;
                    EVERY
                }
                Step::Failed(after) => {
                    let wait = after.map_or(pause, |after| after.clamp(PAUSE, LONGEST_PAUSE));
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    // Not everybody at once.
                    wait.mul_f64(
                        0.75 + f64::from(self.clock.now_ms().rem_euclid(500) as u16) / 1_000.0,
                    )
                }
            };
            if last {
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.stop.notified() => last = true,
            }
        }
        let owner = self.owner.clone();
        let _ = store.write(move |c| rows::give_up(c, &owner)).await;
    }

    async fn opened(&self) -> Option<Store> {
        let board = self.board_dir.clone();
        let opened = actor::spawn_blocking(move || crate::open_events(&board)).await;
        match opened {
            Ok(Ok(store)) => Some(store),
            Ok(Err(error)) => {
                tracing::warn!(%error, "no spans are sent: telemetry.db could not be opened");
                None
            }
            Err(_) => None,
        }
    }

    async fn step(&self, store: &Store) -> Step {
        let (owner, now) = (self.owner.clone(), self.clock.now_ms());
        let batch = store
            .write(move |c| rows::take(c, &owner, now, LEASE_MS))
            .await;
        let batch: Batch = match batch {
            Ok(Some(batch)) if !batch.is_empty() => batch,
            Ok(_) => return Step::Nothing,
            Err(error) => {
                tracing::warn!(%error, "spans were not read");
                return Step::Failed(None);
            }
        };
        let rejected = match self.collector.send(batch.request()).await {
            Sent::Taken => 0,
            Sent::Rejected(why) => {
                tracing::warn!(
                    "the collector refused {} spans, which are not sent again: {why}",
                    batch.len()
                );
                batch.len()
            }
            Sent::Later { why, after } => {
                tracing::warn!("the collector took nothing, another try follows: {why}");
                return Step::Failed(after);
            }
        };
        let (owner, ends) = (self.owner.clone(), batch.ends());
        let kept = store
            .write(move |c| rows::advance(c, &owner, ends, rejected))
            .await;
        match kept {
            Ok(()) => Step::More,
            Err(error) => {
                tracing::warn!(%error, "what was sent was not written down; it is sent again");
                Step::Failed(None)
            }
        }
    }
}

enum Step {
    /// Something was sent; there may be more.
    More,
    Nothing,
    /// Nothing was taken; the collector may have said when it will.
    Failed(Option<Duration>),
}
