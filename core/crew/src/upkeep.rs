//! Background duties of a board: attempts of dead processes are interrupted, due tasks promoted, lost
//! leases ended. Every process that opens a board runs this; a duty row decides which one acts.

use callboard_console::ProcessId;
use callboard_scheduling::{self as scheduling, Process, SchedulingError};
use callboard_store::actor::{self, Actor};
use callboard_store::{Clock, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The name of the duty.
const DUTY: &str = "upkeep";
/// How long the duty holds without an extension: the next process takes over after this.
const TTL_MS: i64 = 5_000;
/// How often a process looks whether there is something to do.
const TICK: Duration = Duration::from_millis(500);

/// This process, as scheduling names it.
#[must_use]
pub fn this_process() -> Process {
    named(ProcessId::current())
}

fn named(id: ProcessId) -> Process {
    Process {
        pid: id.pid,
        start: id.start_ticks,
    }
}

/// Whether a process that a row names still lives.
#[must_use]
pub fn is_alive(process: Process) -> bool {
    ProcessId {
        pid: process.pid,
        start_ticks: process.start,
    }
    .is_alive()
}

/// Runs the duties until `stop`. Failures are logged and tried again: the board must not depend on one
/// process's luck.
pub async fn run(store: Store, clock: Arc<dyn Clock>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(TICK) => {}
        }
        let by = Arc::new(Actor::program("upkeep"));
        if let Err(error) = actor::scope(by, tick(&store, clock.as_ref())).await {
            tracing::warn!(%error, "upkeep of the board failed; trying again");
        }
    }
    let process = this_process();
    let dropped = store
        .write(move |c| scheduling::duty_drop(c, DUTY, process))
        .await;
    if let Err(error) = dropped {
        tracing::debug!(%error, "the upkeep duty runs out by itself");
    }
}

/// One round: nothing is written while there is nothing to do.
///
/// # Errors
/// Only when the store fails.
pub async fn tick(store: &Store, clock: &dyn Clock) -> Result<(), SchedulingError> {
    let now = clock.now_ms();
    let (due, processes) = store
        .read(move |c| {
            Ok::<_, SchedulingError>((
                scheduling::sweep_due(c, now)?,
                scheduling::processes_open(c)?,
            ))
        })
        .await?;
    let dead: Vec<Process> = processes.into_iter().filter(|p| !is_alive(*p)).collect();
    if !due && dead.is_empty() {
        return Ok(());
    }
    if !take(store, now).await? {
        return Ok(());
    }
    bury(store, now, dead).await?;
    store
        .write(move |c| scheduling::sweep(c, now))
        .await
        .map(|swept| tracing::debug!(?swept, "swept the board"))
}

async fn take(store: &Store, now: i64) -> Result<bool, SchedulingError> {
    let process = this_process();
    let holder = store
        .read(move |c| scheduling::duty_get(c, DUTY))
        .await?
        .map(|duty| duty.process)
        .filter(|holder| !is_alive(*holder));
    let taken = store
        .write(move |c| scheduling::duty_take(c, now, DUTY, process, TTL_MS, "", holder))
        .await;
    match taken {
        Ok(_) => Ok(true),
        Err(SchedulingError::Held { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Interrupts the attempts of processes that have died. Answers the tasks that went back to their queues.
///
/// # Errors
/// Only when the store fails.
pub async fn bury(
    store: &Store,
    now: i64,
    dead: Vec<Process>,
) -> Result<Vec<String>, SchedulingError> {
    let mut tasks = Vec::new();
    for process in dead {
        tasks.extend(
            store
                .write(move |c| scheduling::process_gone(c, now, process))
                .await?,
        );
    }
    Ok(tasks)
}
