//! Who does the steps: in order, each within its time, until one fails.

use super::stage::Stage;
use crate::format::{At, Step, Time};
use crate::judge::{Evidence, Mismatch, judge};
use crate::read::verb;
use crate::report::{Difference, Failure};
use crate::values::{Scope, Wrong, capture};
use crate::wire::{Conn, Pending};
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a step may take unless it or the scenario says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Between two tries of a step that may hold later.
const AGAIN: Duration = Duration::from_millis(50);

/// A call in the background.
#[derive(Clone)]
pub(super) struct Behind {
    pub(super) conn: Arc<Conn>,
    pub(super) pending: Pending,
}

/// One line of steps, with its variables.
pub(super) struct Actor {
    pub(super) file: Arc<Path>,
    pub(super) scope: Scope,
    pub(super) stage: Arc<Stage>,
    pub(super) behind: HashMap<String, Behind>,
    /// Where in loops and clients: `n = 3`, `client 2`.
    pub(super) within: Vec<String>,
    pub(super) traffic: usize,
    done: Arc<AtomicUsize>,
    /// The step that began last, for when all is cut off.
    here: Arc<Mutex<Option<Failure>>>,
}

/// Why a step did not hold.
pub(super) enum Miss {
    /// It could not be done, or not in time.
    Wrong(Wrong),
    /// What came is not what was expected.
    Differs(Vec<Mismatch>),
    /// A step within it failed.
    Inner(Box<Failure>),
}

impl Miss {
    /// Says how long it was tried.
    fn after(self, patience: Time) -> Miss {
        match self {
            Miss::Wrong(wrong) => Miss::Wrong(format!("{wrong} (tried for {patience})")),
            Miss::Differs(mut differences) => {
                if let Some(first) = differences.first_mut() {
                    first.what = format!("{} (tried for {patience})", first.what);
                }
                Miss::Differs(differences)
            }
            inner @ Miss::Inner(_) => inner,
        }
    }
}

impl From<Wrong> for Miss {
    fn from(wrong: Wrong) -> Miss {
        Miss::Wrong(wrong)
    }
}

impl Actor {
    pub(super) fn new(file: Arc<Path>, scope: Scope, stage: Arc<Stage>, traffic: usize) -> Actor {
        Actor {
            file,
            scope,
            stage,
            behind: HashMap::new(),
            within: Vec::new(),
            traffic,
            done: Arc::default(),
            here: Arc::default(),
        }
    }

    /// Another line of steps that begins as this one is now.
    pub(super) fn beside(&self, stage: Arc<Stage>, what: &str) -> Actor {
        let mut within = self.within.clone();
        within.push(what.to_owned());
        Actor {
            file: Arc::clone(&self.file),
            scope: self.scope.clone(),
            stage,
            behind: self.behind.clone(),
            within,
            traffic: self.traffic,
            done: Arc::clone(&self.done),
            here: Arc::clone(&self.here),
        }
    }

    /// How many steps were done.
    pub(super) fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// Does steps in order.
    pub(super) fn steps<'a>(
        &'a mut self,
        steps: &'a [At<Step>],
    ) -> BoxFuture<'a, Result<(), Box<Failure>>> {
        Box::pin(async move {
            for step in steps {
                self.step(step).await?;
            }
            Ok(())
        })
    }

    async fn step(&mut self, step: &At<Step>) -> Result<(), Box<Failure>> {
        // Many steps wait for nothing: a loop of those would never let limits and the end of the run be looked at.
        tokio::task::yield_now().await;
        if let Some(delay) = step.delay {
            tokio::time::sleep(delay.0).await;
        }
        *self.here.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.told(step));
        let done = self.held(step).await;
        self.done.fetch_add(1, Ordering::Relaxed);
        done.map_err(|miss| self.failure(step, miss))
    }

    /// Blocks are bounded by their steps and by the scenario, unless they say otherwise.
    fn limit(&self, step: &Step) -> Option<Duration> {
        let given = step.timeout.map(|limit| limit.0);
        if ["repeat", "for_each", "parallel", "branches"].contains(&verb(step)) {
            return given;
        }
        let usual = self.stage.scenario.timeout.map_or(TIMEOUT, |limit| limit.0);
        let waits = [step.within, step.sleep]
            .into_iter()
            .flatten()
            .map(|time| time.0)
            .max();
        // What waits by itself is not cut short by the usual limit.
        Some(given.unwrap_or(
            usual.max(waits.map_or(Duration::ZERO, |wait| wait + Duration::from_secs(5))),
        ))
    }

    /// Does a step, again and again if it may hold later; the last miss is what is told.
    async fn held(&mut self, step: &Step) -> Result<(), Miss> {
        let Some(patience) = step.eventually else {
            return self.tried(step, self.limit(step)).await;
        };
        let deadline = Instant::now() + patience.0;
        let mut last = None;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let limit = self.limit(step).map_or(left, |limit| limit.min(left));
            let miss = match self.tried(step, Some(limit)).await {
                Ok(()) => return Ok(()),
                // A try that was only cut off by the end tells less than the one before it.
                Err(Miss::Wrong(wrong)) if limit == left => {
                    last.take().unwrap_or(Miss::Wrong(wrong))
                }
                Err(miss) => miss,
            };
            if Instant::now() + AGAIN >= deadline {
                return Err(miss.after(patience));
            }
            last = Some(miss);
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn tried(&mut self, step: &Step, limit: Option<Duration>) -> Result<(), Miss> {
        let Some(limit) = limit else {
            return self.once(step).await;
        };
        match tokio::time::timeout(limit, self.once(step)).await {
            Ok(done) => done,
            Err(_) => Err(Miss::Wrong(format!(
                "not done within {:.1} s",
                limit.as_secs_f64()
            ))),
        }
    }

    async fn once(&mut self, step: &Step) -> Result<(), Miss> {
        let began = Instant::now();
        let mut evidence = Box::pin(self.perform(step)).await?;
        if evidence.took.is_zero() {
            evidence.took = began.elapsed();
        }
        self.settle(step, &evidence)
    }

    /// Judges a step and keeps what it captures.
    fn settle(&mut self, step: &Step, evidence: &Evidence) -> Result<(), Miss> {
        let differences = judge(&self.scope, step.expect.as_deref(), evidence)?;
        if !differences.is_empty() {
            return Err(Miss::Differs(differences));
        }
        for (name, wanted) in step.capture.iter().flatten() {
            let value = capture(&self.scope, wanted, evidence)
                .map_err(|wrong| format!("capture {name:?}: {wrong}"))?;
            self.scope.vars.insert(name.clone(), value);
        }
        Ok(())
    }

    /// A failure of this step that says nothing yet.
    fn told(&self, step: &At<Step>) -> Failure {
        Failure {
            file: self.file.to_path_buf(),
            line: step.line,
            column: step.column,
            step: step.name.clone().unwrap_or_else(|| describe(step)),
            verb: describe(step),
            within: self.within.clone(),
            message: String::new(),
            differences: Vec::new(),
            servers: Vec::new(),
        }
    }

    fn failure(&self, step: &At<Step>, miss: Miss) -> Box<Failure> {
        let mut failure = self.told(step);
        match miss {
            Miss::Inner(inner) => return inner,
            Miss::Wrong(wrong) => failure.message = wrong,
            Miss::Differs(differences) => {
                failure.message = differences
                    .first()
                    .map_or_else(String::new, |first| format!("{} {}", first.at, first.what));
                failure.differences = differences.into_iter().map(Difference::from).collect();
            }
        }
        failure.servers = self.stage.logs(self.traffic, self.server(step).as_deref());
        Box::new(failure)
    }

    /// The scenario was ended in the middle of a step.
    pub(super) fn cut_off(&self, message: &str) -> Failure {
        let here = self
            .here
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let whole = self.whole(message);
        match here {
            Some(here) => Failure {
                message: whole.message,
                servers: whole.servers,
                ..here
            },
            None => whole,
        }
    }

    /// A failure of the whole scenario.
    pub(super) fn whole(&self, message: &str) -> Failure {
        Failure {
            servers: self.stage.logs(self.traffic, None),
            ..Failure::of(&self.file, "scenario", message)
        }
    }

    /// The server that a step is about, when there is one.
    pub(super) fn server(&self, step: &Step) -> Option<String> {
        let named = [
            &step.on,
            &step.kill,
            &step.close,
            &step.start,
            &step.restart,
            &step.ended,
            &step.output,
        ];
        if let Some(name) = named.into_iter().flatten().next() {
            return Some(name.clone());
        }
        let servers = &self.stage.scenario.servers;
        let about = !["sleep", "run", "file", "set", "check"].contains(&verb(step));
        (about && servers.len() == 1)
            .then(|| servers.keys().next().cloned())
            .flatten()
    }
}

/// A step without a name: its verb and what it is about.
fn describe(step: &Step) -> String {
    let about = [
        &step.call,
        &step.read,
        &step.prompt,
        &step.notification,
        &step.request,
        &step.notify,
        &step.cancel,
        &step.r#await,
        &step.file,
        &step.kill,
        &step.close,
        &step.start,
        &step.restart,
        &step.ended,
        &step.output,
    ];
    let word = about.into_iter().flatten().next();
    word.map_or_else(
        || verb(step).to_owned(),
        |word| format!("{} {word}", verb(step)),
    )
}
