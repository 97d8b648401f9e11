//! What has to be done beside calls by one process of a board at a time.
//! For: ended calls into the log, lost calls, costs that became known, forgetting; and who does it now.
//! Not for: calls; they wait for none of this.
//!
//! The duty is a row (scheduling's `duties`, beside that of the board's upkeep): whoever holds it acts, and the next takes
//! over in seconds. Each step is safe to run twice, so two holders at once would do no harm, only work.

use crate::error::ModelsError;
use crate::learning;
use crate::mending::{self, Prices};
use crate::models::{Models, keeping, this_process};
use callboard_console::ProcessId;
use callboard_limits::{Call, LimitError, call_logged, calls_unlogged};
use callboard_routing::engine::row_of;
use callboard_scheduling::{self as scheduling, Process, SchedulingError};
use callboard_store::actor::{self, Actor};
use callboard_store::{Conn, Store, StoreError};
use callboard_telemetry::llm::record_llm;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// The name of the duty.
const DUTY: &str = "models";
/// How long it holds without an extension.
const TTL_MS: i64 = 10_000;
/// How often a process looks whether there is something to do.
const TICK: Duration = Duration::from_secs(1);
/// Calls that are copied in one transaction.
const AT_ONCE: u32 = 200;
/// Transactions of one round at most.
const ROUNDS: u32 = 50;
/// Calls that are marked as copied in one transaction: the writer is held for less than a millisecond.
const MARKED: usize = 50;
/// How often the board is taken to the disk with all that calls have written there since.
const FLUSHED_EVERY_MS: i64 = 5_000;
/// How often prices of files are looked at.
const PRICES_EVERY_MS: i64 = 5_000;
/// How often old rows are looked for, and prices for calls that have none.
const SELDOM_MS: i64 = 3_600_000;
/// How often ended attempts are looked for.
const LEARNED_EVERY_MS: i64 = 60_000;

/// Does the duties as long as it is held.
#[derive(Debug)]
#[must_use = "nothing is done any more once it is dropped"]
pub struct Duties {
    running: JoinHandle<()>,
    store: Store,
}

impl Drop for Duties {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Duties {
    /// Ends them and gives the duty back, so that another process need not wait for it to run out.
    pub async fn end(self) {
        self.running.abort();
        let process = duty_process();
        let dropped = self
            .store
            .write(move |c| scheduling::duty_drop(c, DUTY, process))
            .await;
        if let Err(error) = dropped {
            tracing::debug!(%error, "the duty of the models runs out by itself");
        }
    }
}

/// What one round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Calls that went into the log.
    pub logged: usize,
    /// Calls whose process is gone, or that took too long.
    pub lost: usize,
    /// Calls on the board that have a cost now.
    pub priced: usize,
    /// Attempts of which it is known now which model did them, and what came of it.
    pub learned: usize,
}

/// When the seldom things were done last.
#[derive(Debug, Default)]
struct Seldom {
    forgot: Option<i64>,
    priced: Option<i64>,
    looked: Option<i64>,
    flushed: Option<i64>,
    learned: Option<i64>,
}

fn is_due(last: Option<i64>, now: i64, every: i64) -> bool {
    last.is_none_or(|last| now.saturating_sub(last) >= every)
}

pub(crate) fn start(models: Models) -> Duties {
    let store = models.store().clone();
    let running = actor::spawn(async move {
        let mut seldom = Seldom::default();
        loop {
            tokio::time::sleep(TICK).await;
            let by = Arc::new(Actor::program("models"));
            if let Err(error) = actor::scope(by, round(&models, &mut seldom)).await {
                tracing::warn!(%error, "the duties beside calls to models failed; trying again");
            }
        }
    });
    Duties { running, store }
}

/// One round with everything, as it is due or not: for tests and for a command that ends.
///
/// # Errors
/// Where the board or the log does not answer.
pub async fn tick(models: &Models) -> Result<Done, ModelsError> {
    round(models, &mut Seldom::default()).await
}

async fn round(models: &Models, seldom: &mut Seldom) -> Result<Done, ModelsError> {
    let now = models.clock().now_ms();
    // Every process for itself: they are its own settings.
    if is_due(seldom.looked, now, PRICES_EVERY_MS) {
        seldom.looked = Some(now);
        if models.renew_prices().await {
            seldom.priced = None;
        }
    }
    let store = models.store();
    let (waiting, holders) = store
        .read(|c| {
            let waiting = !calls_unlogged(c, 1)?.is_empty();
            let holders = !callboard_limits::owners(c)?.is_empty();
            Ok::<_, LimitError>((waiting, holders))
        })
        .await?;
    let prices = is_due(seldom.priced, now, SELDOM_MS);
    let forgets = is_due(seldom.forgot, now, SELDOM_MS);
    let mut learns = is_due(seldom.learned, now, LEARNED_EVERY_MS);
    if learns {
        seldom.learned = Some(now);
        learns = learning::waits(store, now).await?;
    }
    if !(waiting || holders || prices || forgets || learns) || !take(store, now).await? {
        return Ok(Done::default());
    }
    let mut done = Done {
        lost: mending::expire_lost(store, now).await?,
        ..Done::default()
    };
    done.logged = log_ended(models, seldom, now).await?;
    if prices {
        // After the log has its rows: those without a cost get it there too, in the same round.
        let known = Prices::of_models(models);
        let (priced, _) = mending::reprice(store, models.log(), &known).await?;
        done.priced = priced;
        seldom.priced = Some(now);
    }
    if learns {
        // After the log has its rows: they say whose work an attempt was.
        done.learned = learning::learn(store, models.log(), now).await?;
    }
    if forgets {
        let retention = keeping(models.config()).retention;
        mending::forget(store, models.log(), now, retention).await?;
        seldom.forgot = Some(now);
    }
    Ok(done)
}

/// Copies ended calls into the log. The row is there before the board says so: a crash between the two has it written
/// again, which changes nothing.
async fn log_ended(models: &Models, seldom: &mut Seldom, now: i64) -> Result<usize, ModelsError> {
    let store = models.store();
    let mut logged = 0;
    for _ in 0..ROUNDS {
        let calls: Arc<[Call]> = store.read(|c| calls_unlogged(c, AT_ONCE)).await?.into();
        if calls.is_empty() {
            break;
        }
        let rows = models.log().store().await?;
        let writing = Arc::clone(&calls);
        let written: Result<(), StoreError> = rows
            .write(move |c| {
                writing
                    .iter()
                    .try_for_each(|call| record_llm(c, &row_of(call)))
            })
            .await;
        written?;
        logged += calls.len();
        for some in calls.chunks(MARKED) {
            let some: Arc<[Call]> = some.into();
            let mark =
                move |c: &mut dyn Conn| some.iter().try_for_each(|call| call_logged(c, call));
            let marked: Result<(), LimitError> = if is_due(seldom.flushed, now, FLUSHED_EVERY_MS) {
                seldom.flushed = Some(now);
                store.write(mark).await
            } else {
                store.write_relaxed(mark).await
            };
            marked?;
        }
    }
    Ok(logged)
}

fn duty_process() -> Process {
    let owner = this_process();
    Process {
        pid: owner.pid,
        start: owner.start,
    }
}

/// Takes the duty or extends it; says whether this process has it.
async fn take(store: &Store, now: i64) -> Result<bool, SchedulingError> {
    let process = duty_process();
    let gone = |holder: &Process| {
        let id = ProcessId {
            pid: holder.pid,
            start_ticks: holder.start,
        };
        !id.is_alive()
    };
    let duty = store.read(|c| scheduling::duty_get(c, DUTY)).await?;
    // Held for some time yet: no need to write each second.
    if duty
        .as_ref()
        .is_some_and(|duty| duty.process == process && duty.until - now > TTL_MS / 2)
    {
        return Ok(true);
    }
    let dead = duty.map(|duty| duty.process).filter(gone);
    let taken = store
        .write(move |c| scheduling::duty_take(c, now, DUTY, process, TTL_MS, "", dead))
        .await;
    match taken {
        Ok(_) => Ok(true),
        Err(SchedulingError::Held { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
