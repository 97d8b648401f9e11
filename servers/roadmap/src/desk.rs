//! The work of one project in this process: at most one run, and what is known of it.
//!
//! For: beginning a run, following it to its end, stopping it. Not for: what another process does for the same
//! project (its duty row on the board tells that), or the work itself (callboard_crew).

use crate::errors;
use crate::progress::{Ended, Progress};
use callboard_crew::{Crew, CrewError, Event, Report};
use callboard_mcp::ToolError;
use callboard_store::actor;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// One project's place in this process.
#[derive(Default)]
pub(crate) struct Desk {
    /// Held while the roadmap is loaded and while a run is begun. The board keeps processes apart, but not two
    /// calls of one process: the duty is the process's.
    pub(crate) gate: Arc<tokio::sync::Mutex<()>>,
    run: Mutex<Option<Arc<Run>>>,
}

impl Desk {
    /// The last run of this process, at work or ended.
    pub(crate) fn last(&self) -> Option<Arc<Run>> {
        self.run
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The run, while it is at work.
    pub(crate) fn at_work(&self) -> Option<Arc<Run>> {
        self.last().filter(|run| !run.has_ended())
    }

    pub(crate) fn put(&self, run: Arc<Run>) {
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) = Some(run);
    }
}

/// A crew at work in the background of this process.
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) facts: Facts,
    crew: Crew,
    stop: CancellationToken,
    progress: watch::Sender<Progress>,
}

/// What a run was begun with.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) board: String,
    pub(crate) agent: String,
    pub(crate) agents: u32,
    pub(crate) integration: String,
}

impl Run {
    /// Sets a crew to work.
    pub(crate) fn begin(id: String, facts: Facts, crew: Crew) -> Arc<Run> {
        let run = Arc::new(Run {
            id,
            facts,
            crew,
            stop: CancellationToken::new(),
            progress: watch::channel(Progress::default()).0,
        });
        let work = follow(Arc::clone(&run), run.crew.events());
        actor::spawn(work);
        run
    }

    /// The crew, to be asked for its table.
    pub(crate) fn crew(&self) -> Crew {
        self.crew.clone()
    }

    /// How far it is.
    pub(crate) fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// Changes with every event.
    pub(crate) fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.progress.borrow().ended.is_some()
    }

    /// Asks it to stop; attempts at work are interrupted and go back to the queue.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// As [`Run::stop`], where nobody asked for that.
    pub(crate) fn stop_because(&self, why: &str) {
        self.progress
            .send_modify(|progress| progress.stopped_because(why));
        self.stop.cancel();
    }

    /// One word for how it stands.
    pub(crate) fn state(&self) -> &'static str {
        let progress = self.progress.borrow();
        match &progress.ended {
            Some(Ended::Finished { .. }) => "ended",
            Some(Ended::Stopped { .. }) => "stopped",
            Some(Ended::Failed(_)) => "failed",
            None if self.stop.is_cancelled() => "stopping",
            None if progress.items.is_none() => "starting",
            None => "running",
        }
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&self) {
        let mut progress = self.watch();
        // Its sender is this run's own.
        let _ = progress.wait_for(|progress| progress.ended.is_some()).await;
    }

    /// Waits until it has ended, at most `limit`; `false` when it goes on.
    pub(crate) async fn ended_within(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.ended()).await.is_ok()
    }

    /// Waits until the roadmap is loaded or the run has failed, at most `limit`.
    pub(crate) async fn began_within(&self, limit: Duration) -> Result<(), ToolError> {
        let mut progress = self.watch();
        let began =
            progress.wait_for(|progress| progress.items.is_some() || progress.ended.is_some());
        // Neither is an error: loading may take long, and the run may be over already.
        let _ = tokio::time::timeout(limit, began).await;
        match self.progress().ended {
            Some(Ended::Failed(error)) => Err(error),
            _ => Ok(()),
        }
    }

    fn note(&self, event: &Event) {
        self.progress.send_modify(|progress| progress.note(event));
    }

    fn missed(&self, count: u64) {
        self.progress.send_modify(|progress| {
            progress.seq += 1;
            progress.say(&format!("{count} events went by too fast to be told"));
        });
    }

    fn end(&self, ended: Ended) {
        self.progress.send_modify(|progress| {
            progress.seq += 1;
            progress.live.clear();
            progress.ended = Some(ended);
        });
    }

    fn ending(&self, worked: Result<Report, CrewError>) -> Ended {
        match worked {
            Ok(report) if self.stop.is_cancelled() && !report.all_done() => {
                let summary = report.summary();
                let why = self.progress.borrow().stopped.clone();
                Ended::Stopped {
                    summary: why.map_or(summary.clone(), |why| format!("{why}; {summary}")),
                }
            }
            Ok(report) => Ended::finished(&report),
            Err(error) => Ended::Failed(errors::crew(error)),
        }
    }
}

/// Lets the crew work and keeps what it says. The work is a task of its own: a panic in it must end the run, not
/// leave it running for ever.
async fn follow(run: Arc<Run>, mut events: Receiver<Event>) {
    let (crew, stop) = (run.crew.clone(), run.stop.clone());
    let mut work = actor::spawn(async move { crew.run(stop).await });
    let joined = loop {
        tokio::select! {
            biased;
            event = events.recv() => match event {
                Ok(event) => run.note(&event),
                Err(RecvError::Lagged(count)) => run.missed(count),
                Err(RecvError::Closed) => break (&mut work).await,
            },
            joined = &mut work => break joined,
        }
    };
    while let Ok(event) = events.try_recv() {
        run.note(&event);
    }
    run.end(match joined {
        Ok(worked) => run.ending(worked),
        Err(error) => Ended::Failed(errors::lost(&error)),
    });
}
