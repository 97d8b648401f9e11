//! Calls that go on after their first answer: tasks, as the protocol's extension calls them.
//!
//! For: letting a handler say that its call takes long, and telling it there what became of it meanwhile:
//! answers, a word to stop. Not for: the rows (`rows`), running a handler (`run`), or what clients ask about
//! their tasks (the server does).

pub(crate) mod rows;
mod run;

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use callboard_console::ProcessId;
use callboard_store::{Clock, Store};
use rmcp::model::{InputRequest, JsonObject};
use serde_json::Value;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::call::BoxFuture;
use crate::memory::{Memory, random_id, unsaved};
use crate::{CallContext, ErrorKind, ToolError};
use rows::{LongError, LongRow, NewCall, Standing};

pub(crate) use run::{LongWork, interrupted};

/// How often a running call looks whether another process took an answer or a word to stop for it.
const LOOK: Duration = Duration::from_secs(1);
/// How often the words of how far it is are written.
const BETWEEN_WORDS: Duration = Duration::from_secs(1);
/// Long enough that nobody guesses one.
const ID_CHARACTERS: usize = 24;

/// Whether a call of a tool may go on after its first answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Long {
    /// It is answered when it ends, within 55 seconds.
    No,
    /// Where its handler says so ([`CallContext::detach`]) and the client can follow it, the client gets the
    /// id of a task, and the call may last a day. Other clients wait for the answer.
    Offered,
    /// As [`Long::Offered`]; clients that can't follow a task are refused.
    Only,
}

/// The long calls that this process runs for one server.
pub(crate) struct Longs {
    process: ProcessId,
    running: Mutex<HashMap<String, Arc<LongCall>>>,
}

impl Longs {
    pub(crate) fn new() -> Self {
        Longs {
            process: ProcessId::current(),
            running: Mutex::default(),
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<LongCall>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<LongCall>> {
        self.running().get(id).cloned()
    }

    /// False if it runs here already.
    fn enter(&self, call: &Arc<LongCall>) -> bool {
        let mut running = self.running();
        if running.contains_key(&call.id) {
            return false;
        }
        running.insert(call.id.clone(), Arc::clone(call));
        true
    }

    fn leave(&self, id: &str) {
        self.running().remove(id);
    }

    /// Whether nobody runs what is written as run by `process`. One that this process runs is on the list
    /// before it is on the board.
    pub(crate) fn is_orphan(&self, id: &str, process: ProcessId) -> bool {
        if process == self.process {
            return self.get(id).is_none();
        }
        !process.is_alive()
    }

    pub(crate) fn process(&self) -> ProcessId {
        self.process
    }
}

/// One long call that runs here.
pub(crate) struct LongCall {
    id: String,
    store: Store,
    clock: Arc<dyn Clock>,
    process: ProcessId,
    given_up: CancellationToken,
    by_client: AtomicBool,
    changed: Notify,
    said: Mutex<Option<Instant>>,
}

impl LongCall {
    /// Something on the board concerns it.
    pub(crate) fn wake(&self) {
        self.changed.notify_waiters();
    }

    /// The client wants it to stop.
    pub(crate) fn stop(&self) {
        self.by_client.store(true, Ordering::SeqCst);
        self.given_up.cancel();
    }

    fn was_stopped(&self) -> bool {
        self.by_client.load(Ordering::SeqCst)
    }

    /// The client's answer to `request`, whenever it comes.
    pub(crate) async fn obtain(
        &self,
        key: &str,
        request: &InputRequest,
        cancelled: &CancellationToken,
    ) -> Result<Value, ToolError> {
        let request = serde_json::to_value(request)
            .map_err(|error| ToolError::internal(error.to_string()))?;
        let (id, now, name) = (self.id.clone(), self.clock.now_ms(), key.to_owned());
        self.store
            .write(move |c| rows::want(c, now, &id, &name, &request))
            .await
            .map_err(unsaved)?;
        loop {
            let mut woken = pin!(self.changed.notified());
            // From here on no word is missed.
            woken.as_mut().enable();
            let seen = self.store.read_now(|c| rows::look(c, &self.id));
            match seen.map_err(unsaved)? {
                Some(mut seen) if seen.standing.is_open() => {
                    if let Some(reply) = seen.replies.remove(key) {
                        return Ok(reply);
                    }
                }
                _ => return Err(ToolError::cancelled()),
            }
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep(LOOK) => {}
                () = cancelled.cancelled() => return Err(ToolError::cancelled()),
            }
        }
    }

    /// Tells whoever asks how far it is; at most once a second.
    pub(crate) async fn say(&self, message: &str) {
        {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.is_some_and(|at| at.elapsed() < BETWEEN_WORDS) {
                return;
            }
            *said = Some(Instant::now());
        }
        let (id, now) = (self.id.clone(), self.clock.now_ms());
        let message = callboard_redact::scrub(message).into_owned();
        let written = self.store.write(move |c| rows::say(c, now, &id, &message));
        if let Err(error) = written.await {
            tracing::debug!(%error, "how far a long call is was not written");
        }
    }

    /// Completes when another process has ended it on the board.
    async fn ended_elsewhere(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            match self.store.read_now(|c| rows::look(c, &self.id)) {
                Ok(Some(seen)) if seen.standing.is_open() => {}
                Ok(_) => return,
                Err(error) => tracing::debug!(%error, "a long call could not look at the board"),
            }
        }
    }

    async fn end(&self, standing: Standing, ending: Option<JsonObject>) {
        let (id, now, process) = (self.id.clone(), self.clock.now_ms(), self.process);
        let ended = self
            .store
            .write(move |c| rows::end(c, now, &id, process, standing, ending.as_ref()))
            .await;
        match ended {
            Ok(true) => {}
            Ok(false) => {
                tracing::debug!(call = %self.id, "a long call was ended before it ended itself");
            }
            Err(error) => {
                tracing::error!(%error, call = %self.id, "the end of a long call is lost")
            }
        }
    }
}

/// Whether one call may become a long one, and the long one it became.
#[derive(Default)]
pub(crate) struct Slot {
    offer: Option<Offer>,
    call: OnceLock<Arc<LongCall>>,
    one_at_a_time: tokio::sync::Mutex<()>,
    detached: CancellationToken,
}

/// What becoming a long call takes.
pub(crate) struct Offer {
    longs: Arc<Longs>,
    memory: Memory,
    clock: Arc<dyn Clock>,
    /// But for its id and the replies.
    new: NewCall,
    given_up: CancellationToken,
    told: Mutex<Option<oneshot::Sender<Box<LongRow>>>>,
}

impl Slot {
    /// For a call whose client can follow it.
    fn offered(offer: Offer) -> Self {
        Slot {
            offer: Some(offer),
            ..Slot::default()
        }
    }

    /// For a call that is a long one from its start.
    fn taken(call: Arc<LongCall>) -> Self {
        let slot = Slot::default();
        let _ = slot.call.set(call);
        slot.detached.cancel();
        slot
    }

    pub(crate) fn call(&self) -> Option<&Arc<LongCall>> {
        self.call.get()
    }

    async fn became_long(&self) {
        self.detached.cancelled().await;
    }

    pub(crate) async fn detach(&self, replies: BTreeMap<String, Value>) -> Result<bool, ToolError> {
        let _alone = self.one_at_a_time.lock().await;
        let Some(offer) = self.offer.as_ref().filter(|_| self.call().is_none()) else {
            return Ok(self.call().is_some());
        };
        let Some(store) = offer.memory.store().await? else {
            return Ok(false);
        };
        let new = NewCall {
            id: random_id("c_", ID_CHARACTERS)?,
            replies,
            ..offer.new.clone()
        };
        let call = Arc::new(LongCall {
            id: new.id.clone(),
            store: store.clone(),
            clock: Arc::clone(&offer.clock),
            process: new.process,
            given_up: offer.given_up.clone(),
            by_client: AtomicBool::new(false),
            changed: Notify::new(),
            said: Mutex::default(),
        });
        offer.longs.enter(&call);
        let now = offer.clock.now_ms();
        let row = match store.write(move |c| rows::begin(c, now, &new)).await {
            Ok(row) => row,
            Err(error) => {
                offer.longs.leave(&call.id);
                return Err(not_begun(error));
            }
        };
        let told = offer
            .told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // Whoever waited may be gone; the call was given up then, and ends as that.
        let _ = told.map(|told| told.send(Box::new(row)));
        let _ = self.call.set(call);
        self.detached.cancel();
        Ok(true)
    }
}

fn not_begun(error: LongError) -> ToolError {
    match error {
        LongError::Store(error) => unsaved(error),
        LongError::TooManyAtWork(_) => ToolError::new(ErrorKind::Limit, error.to_string())
            .hint("wait until some have ended, or cancel them (tasks/cancel)"),
        LongError::TooManyKept(_) => ToolError::new(ErrorKind::Limit, error.to_string())
            .hint("each is forgotten a day after its end; or call without the tasks extension"),
    }
}

impl CallContext {
    /// The call takes long: from here on the client follows it as a task, if the tool offers that
    /// ([`Tool::LONG`](crate::Tool::LONG)), the client can, and the server has a memory. Then true: the client has got its answer,
    /// the call may last a day, progress becomes the task's status message, and questions wait as long as it
    /// takes. Otherwise false, and all stays as it was.
    ///
    /// Ask what must be known first before this. A tool that changes nothing is run again from its start by
    /// the next process of the server, when this one ends before the call does; others then count as failed.
    ///
    /// # Errors
    /// Too many long calls are at work or kept, or the board failed.
    pub fn detach(&self) -> BoxFuture<'_, Result<bool, ToolError>> {
        Box::pin(async move { self.asking().detach().await })
    }
}
