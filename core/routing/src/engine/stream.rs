//! An answer as it is made.

use std::collections::VecDeque;
use std::time::Duration;

use callboard_limits::Standing;
use callboard_telemetry::{MicroDollars, Usage};
use futures_util::Stream;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout_at};

use super::attempt::{Attempt, Bill};
use super::complete::Fitting;
use super::error::{CallError, Hop};
use super::run::{Run, overdue};
use super::used::Ended;
use super::{Ask, Router, Target};
use crate::chat::Event;
use crate::failure::Failure;
use crate::upstream::{Streaming, Upstream};

/// How long what came is kept back until the model says something: a failure until then sends the call on to another
/// candidate, and nobody notices.
pub(super) const HOLD: Duration = Duration::from_secs(1);

/// An answer that is being made. Dropping it calls it off: the connection is closed, and what was used is counted.
pub struct Answering {
    run: Run,
    fitting: Fitting,
    /// Until its end is written down and told.
    attempt: Option<Attempt>,
    streaming: Option<Streaming>,
    ready: VecDeque<Event>,
    failure: Option<Failure>,
    /// Another attempt is to begin.
    again: bool,
    handed: bool,
    call: String,
    target: Target,
    bill: Bill,
}

impl std::fmt::Debug for Answering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answering")
            .field("call", &self.call)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl Router {
    /// As [`Router::complete`], with the answer as it is made. Answers when the model has said something, or a second
    /// after the first byte; what goes wrong until then sends the call on, what goes wrong later ends the stream (with
    /// [`Patience::restarts`](super::Patience::restarts) it begins anew, with another [`Event::Started`]).
    ///
    /// # Errors
    /// [`CallError`].
    pub fn stream(&self, ask: Ask) -> BoxFuture<'_, Result<Answering, CallError>> {
        Box::pin(async move {
            let (run, fitting) = self.run(ask, true)?;
            let mut answering = Answering::new(run, fitting);
            answering.begin().await?;
            Ok(answering)
        })
    }
}

impl Answering {
    /// Before anybody was asked.
    pub(super) fn new(run: Run, fitting: Fitting) -> Answering {
        Answering {
            run,
            fitting,
            attempt: None,
            streaming: None,
            ready: VecDeque::new(),
            failure: None,
            again: false,
            handed: false,
            call: String::new(),
            target: Target::new("", ""),
            bill: Bill::default(),
        }
    }

    /// What it was made of, for somebody else's turn.
    pub(super) fn into_parts(self) -> (Run, Fitting) {
        (self.run, self.fitting)
    }

    /// The row of the attempt that answers: the call's id.
    #[must_use]
    pub fn call(&self) -> &str {
        &self.call
    }

    /// Who answers.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The route, or the model that was wanted.
    #[must_use]
    pub fn route(&self) -> &str {
        &self.run.explained.route
    }

    /// The attempts that failed before.
    #[must_use]
    pub fn hops(&self) -> &[Hop] {
        &self.run.hops
    }

    /// The limits that are nearly used up, this call included.
    #[must_use]
    pub fn warnings(&self) -> &[Standing] {
        &self.run.warnings
    }

    /// What was used; known when the last event was given.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.bill.usage
    }

    /// What it cost; known when the last event was given, if its price is.
    #[must_use]
    pub fn cost(&self) -> Option<MicroDollars> {
        self.bill.cost
    }

    /// By which version of the prices.
    #[must_use]
    pub fn price_version(&self) -> Option<&str> {
        self.bill.price_version.as_deref()
    }

    /// The next event. After the last one, or a failure, nothing. When the last event comes, the call is settled. Whoever
    /// stops waiting loses nothing and may ask again.
    pub async fn next(&mut self) -> Option<Result<Event, Failure>> {
        loop {
            self.written_down().await;
            if let Some(event) = self.ready.pop_front() {
                self.handed = true;
                return Some(Ok(event));
            }
            if let Some(failure) = self.failure.take() {
                let attempt = self.attempt.take()?;
                self.again = self.run.patience.restarts;
                if self.run.after(&attempt, failure.clone()).await.is_err() {
                    self.again = false;
                    return Some(Err(failure));
                }
            }
            if std::mem::take(&mut self.again) {
                match self.begin().await {
                    Ok(()) => continue,
                    Err(error) => {
                        self.again = false;
                        return Some(Err(error.into_failure()));
                    }
                }
            }
            let next = self.streaming.as_mut()?.next().await;
            self.take(next);
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<Event, Failure>> + Send {
        futures_util::stream::unfold(self, |mut answering| async move {
            let next = answering.next().await?;
            Some((next, answering))
        })
    }

    /// Asks until somebody begins to answer.
    fn begin(&mut self) -> BoxFuture<'_, Result<(), CallError>> {
        Box::pin(async move {
            loop {
                // Whoever stops waiting and comes back begins here.
                self.again = true;
                let attempt = self.run.attempt().await?;
                let Some(upstream) = attempt.upstream(self.run.left_here()) else {
                    self.run.failed(attempt, overdue()).await?;
                    continue;
                };
                if self.ask(attempt, &upstream).await? {
                    self.again = false;
                    return Ok(());
                }
            }
        })
    }

    /// Asks one candidate; says whether it begins to answer. If not, whoever comes next may be asked.
    pub(super) async fn ask(
        &mut self,
        mut attempt: Attempt,
        upstream: &Upstream,
    ) -> Result<bool, CallError> {
        let chat = self.fitting.to(&attempt, upstream);
        let streaming = match upstream.stream(chat).await {
            Ok(streaming) => streaming,
            Err(failure) => {
                self.run.failed(attempt, failure).await?;
                return Ok(false);
            }
        };
        attempt.seen.request_id = streaming.request_id();
        self.call.clone_from(&attempt.plan.call);
        self.target.clone_from(&attempt.plan.target);
        (self.attempt, self.streaming) = (Some(attempt), Some(streaming));
        self.hear().await;
        self.written_down().await;
        let Some(failure) = self.failure.take() else {
            return Ok(true);
        };
        self.ready.clear();
        let Some(attempt) = self.attempt.take() else {
            return Ok(true);
        };
        self.run.after(&attempt, failure).await?;
        Ok(false)
    }

    /// Reads until the model says something, or it is over.
    async fn hear(&mut self) {
        let mut by: Option<Instant> = None;
        while let Some(streaming) = &mut self.streaming {
            let next = match by {
                None => streaming.next().await,
                Some(by) => match timeout_at(by, streaming.next()).await {
                    Ok(next) => next,
                    Err(_) => return,
                },
            };
            by = by.or_else(|| Some(Instant::now() + HOLD));
            let says = matches!(&next, Some(Ok(event)) if event.is_content());
            self.take(next);
            if says {
                return;
            }
        }
    }

    fn take(&mut self, next: Option<Result<Event, Failure>>) {
        let Some(attempt) = &mut self.attempt else {
            self.streaming = None;
            return;
        };
        match next {
            None => self.streaming = None,
            Some(Ok(event)) => {
                attempt.seen.event(&event);
                let over = matches!(event, Event::Finished { .. });
                self.ready.push_back(event);
                if over {
                    attempt.ends(Ended::Well);
                    self.part();
                }
            }
            Some(Err(mut failure)) => {
                // What counts is what our caller saw.
                failure.after_bytes = self.handed;
                attempt.ends(Ended::Badly(&failure));
                (self.streaming, self.failure) = (None, Some(failure));
            }
        }
    }

    /// Lets the connection come to its own end beside the answer's, so that it can be used again.
    fn part(&mut self) {
        if let Some(mut streaming) = self.streaming.take() {
            tokio::spawn(async move { streaming.next().await.is_some() });
        }
    }

    /// Waits until the end is written down, if there is one.
    async fn written_down(&mut self) {
        if let Some(attempt) = &mut self.attempt
            && attempt.is_ending()
        {
            attempt.finish().await;
            self.bill = std::mem::take(&mut attempt.bill);
        }
    }
}
