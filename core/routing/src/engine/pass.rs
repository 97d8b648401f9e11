//! An answer that is handed on byte for byte.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use callboard_limits::Standing;
use callboard_telemetry::{MicroDollars, Usage, llm};
use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout_at};

use super::along::Reader;
use super::attempt::{Attempt, Bill};
use super::complete::checked;
use super::error::{CallError, Hop};
use super::explain::Question;
use super::hand::Others;
use super::passing::{Passing, What};
use super::run::{Run, Start, overdue};
use super::stream::HOLD;
use super::used::Ended;
use super::{Router, Target, Wanted, estimate};
use crate::chat::Event;
use crate::failure::Failure;
use crate::route::Need;
use crate::upstream::{Answer, Body, Upstream};
use crate::wire::{Encoded, Head, Wire};

/// An answer on its way through. Dropping it calls it off: the connection is closed, and what was used is counted.
pub struct Passed {
    /// Its status, which is one of success, and its headers.
    pub head: Head,
    run: Run,
    attempt: Attempt,
    body: Option<Body>,
    streams: bool,
    reader: Reader,
    ready: VecDeque<Bytes>,
    broken: Option<Failure>,
    bill: Bill,
}

impl std::fmt::Debug for Passed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passed")
            .field("head", &self.head)
            .field("call", &self.attempt.plan.call)
            .finish_non_exhaustive()
    }
}

impl Router {
    /// Whether everybody who may answer speaks this wire, so that a body written in it can pass as it is.
    ///
    /// # Errors
    /// [`CallError::Unknown`].
    pub fn speaks(&self, wanted: &Wanted, wire: Wire) -> Result<bool, CallError> {
        let settings = self.settings();
        let (chain, _) = settings.chain(wanted)?;
        let mut members = chain.members.iter();
        Ok(members.all(|(_, provider)| provider.upstream.endpoint().wire == wire))
    }

    /// Hands a body on to whoever fits and speaks its wire, with another model's name and another key and otherwise as
    /// it is, and gives the answer as it comes. What goes wrong before the answer begins (a streamed one: before the
    /// model says something, or a second after its first byte) sends the call on.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn pass(&self, passing: Passing) -> BoxFuture<'_, Result<Passed, CallError>> {
        Box::pin(async move {
            let mut run = self.passing(&passing, Others::Nothing)?;
            loop {
                let attempt = run.attempt().await?;
                let Some(upstream) = attempt.upstream(run.left_here()) else {
                    run.failed(attempt, overdue()).await?;
                    continue;
                };
                match passing.ask(run, attempt, &upstream).await? {
                    Ok(passed) => return Ok(passed),
                    Err(left) => run = *left,
                }
            }
        })
    }

    /// Decides, by one look at the board, over everybody: who does not speak the body's wire is passed over by name, or
    /// asked the translation.
    pub(super) fn passing(&self, passing: &Passing, others: Others<'_>) -> Result<Run, CallError> {
        let began = std::time::Instant::now();
        let settings = self.settings();
        let (chain, route) = settings.chain(&passing.target)?;
        let outline = passing.outline();
        let (chat, need, base) = match others {
            Others::Chat(chat) => {
                let base = estimate::input_tokens(chat);
                (chat, Need::of(chat, base), base)
            }
            Others::Nothing | Others::Unfit(_) => {
                let (need, base) = passing.need();
                (&outline, need, base)
            }
        };
        let need = settings.demanded(need, &passing.terms, &passing.who, route)?;
        let question = Question {
            chain,
            need,
            chat,
            base,
            answers: passing.answers(),
            who: &passing.who,
            lacks: &|wire| others.lacks(passing.wire, wire),
            charged: &|wire| passing.charged(wire),
        };
        let explained = self.decided(question, &settings.prices)?;
        let check = match (others, route.and_then(|route| route.escalate)) {
            (Others::Chat(chat), Some(escalate)) if !passing.streams() => {
                Some(checked(chat, escalate)?)
            }
            _ => None,
        };
        let keeps = settings.privacy == llm::Privacy::Full;
        let words = keeps.then(|| String::from_utf8_lossy(&passing.body).into());
        let mut run = Run::new(Start {
            inner: Arc::clone(&self.inner),
            settings,
            explained,
            base,
            who: passing.who.clone(),
            patience: passing.patience,
            confirmed: passing.confirmed,
            streamed: passing.streams(),
            words,
            began,
        });
        run.check = check;
        Ok(run)
    }
}

impl Passing {
    /// Asks one candidate; gives the run back when it failed and whoever comes next may be asked.
    pub(super) async fn ask(
        &self,
        mut run: Run,
        mut attempt: Attempt,
        upstream: &Upstream,
    ) -> Result<Result<Passed, Box<Run>>, CallError> {
        let model = attempt.plan.target.model.clone();
        let answer = match upstream.pass(self.request(&model), &self.headers).await {
            Ok(answer) if answer.head.is_success() => answer,
            Ok(answer) => {
                let failure = upstream.refusal(answer, &model).await;
                run.failed(attempt, failure).await?;
                return Ok(Err(Box::new(run)));
            }
            Err(failure) => {
                run.failed(attempt, failure).await?;
                return Ok(Err(Box::new(run)));
            }
        };
        attempt.seen.request_id = answer.head.request_id();
        attempt.seen.answers = self.answers();
        let mut passed = Passed::new(run, attempt, self, answer);
        let Some(failure) = passed.begin().await else {
            return Ok(Ok(passed));
        };
        let mut failure = upstream.explained(failure, &model);
        // Whatever came of it, nobody was given it.
        failure.after_bytes = false;
        (run, attempt) = (passed.run, passed.attempt);
        attempt.finish().await;
        run.after(&attempt, failure).await?;
        Ok(Err(Box::new(run)))
    }

    /// The request as it goes to a model.
    pub(super) fn request(&self, model: &str) -> Encoded {
        Encoded {
            path: self.path.clone(),
            headers: headers(self.wire),
            body: self.body_for(model),
        }
    }
}

impl Passed {
    fn new(run: Run, attempt: Attempt, passing: &Passing, answer: Answer) -> Passed {
        let Answer { head, body } = answer;
        let chat = passing.what == What::Chat;
        // Some stream though we can't see that they were asked to.
        let streams = chat && (passing.streams() || head.is_event_stream());
        let reader = match passing.what {
            What::Chat if streams => Reader::Stream(Box::new(passing.wire.decoder(head.clone()))),
            What::Chat => Reader::Answer(passing.wire, Vec::new()),
            What::Embeddings => Reader::Numbers(Vec::new()),
        };
        Passed {
            head,
            run,
            attempt,
            body: Some(body),
            streams,
            reader,
            ready: VecDeque::new(),
            broken: None,
            bill: Bill::default(),
        }
    }

    /// The row of the attempt that answers: the call's id.
    #[must_use]
    pub fn call(&self) -> &str {
        &self.attempt.plan.call
    }

    /// Whether it comes as it is made.
    #[must_use]
    pub fn streams(&self) -> bool {
        self.streams
    }

    /// Who answers.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.attempt.plan.target
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

    /// What was used; known when the last bytes were given.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.bill.usage
    }

    /// What it cost; known when the last bytes were given, if its price is.
    #[must_use]
    pub fn cost(&self) -> Option<MicroDollars> {
        self.bill.cost
    }

    /// The next bytes. An error says that the provider's body broke off; what the provider says inside it passes like
    /// everything else. Whoever stops waiting loses nothing and may ask again.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, Failure>> {
        loop {
            self.written_down().await;
            if let Some(bytes) = self.ready.pop_front() {
                return Some(Ok(bytes));
            }
            if let Some(failure) = self.broken.take() {
                return Some(Err(failure));
            }
            let next = self.body.as_mut()?.chunk().await;
            self.take(next);
        }
    }

    /// Reads until the answer has begun well: a streamed one until the model says something or [`HOLD`] is over, any
    /// other to its end. Answers what went wrong instead.
    async fn begin(&mut self) -> Option<Failure> {
        let streamed = self.streams;
        let mut by: Option<Instant> = None;
        while let Some(body) = &mut self.body {
            let next = match by {
                None => body.chunk().await,
                Some(by) => match timeout_at(by, body.chunk()).await {
                    Ok(next) => next,
                    Err(_) => return None,
                },
            };
            if streamed {
                by = by.or_else(|| Some(Instant::now() + HOLD));
            }
            let heard = self.take(next);
            if let Heard::Failure(failure) = heard {
                return Some(failure);
            }
            if streamed && matches!(heard, Heard::Words) {
                return None;
            }
        }
        self.written_down().await;
        None
    }

    /// Takes what came for the caller, after listening to it.
    fn take(&mut self, next: Result<Option<Bytes>, Failure>) -> Heard {
        match next {
            Ok(Some(bytes)) => {
                let mut events = Vec::new();
                let read = self.reader.feed(&bytes, &mut events);
                self.ready.push_back(bytes);
                self.hears(&events, read)
            }
            Ok(None) => {
                self.body = None;
                let mut events = Vec::new();
                let reader = std::mem::replace(&mut self.reader, Reader::Done);
                let read = reader.end(&mut events, &self.head, &mut self.attempt.seen);
                self.hears(&events, read)
            }
            Err(failure) => {
                self.body = None;
                self.attempt.ends(Ended::Badly(&failure));
                self.broken = Some(failure.clone());
                Heard::Failure(failure)
            }
        }
    }

    fn hears(&mut self, events: &[Event], read: Result<(), Failure>) -> Heard {
        for event in events {
            self.attempt.seen.event(event);
        }
        if let Err(failure) = read {
            self.reader = Reader::Done;
            self.attempt.ends(Ended::Badly(&failure));
            return Heard::Failure(failure);
        }
        if matches!(events.last(), Some(Event::Finished { .. })) {
            self.reader = Reader::Done;
            self.attempt.ends(Ended::Well);
        }
        match events.iter().any(Event::is_content) {
            true => Heard::Words,
            false => Heard::Nothing,
        }
    }

    /// Waits until the end is written down, if there is one.
    async fn written_down(&mut self) {
        if self.attempt.is_ending() {
            self.attempt.finish().await;
            self.bill = std::mem::take(&mut self.attempt.bill);
        }
    }
}

enum Heard {
    Nothing,
    /// The model said something.
    Words,
    Failure(Failure),
}

/// What a wire wants said where the client does not say it.
fn headers(wire: Wire) -> Vec<(&'static str, &'static str)> {
    let mut headers = vec![("content-type", "application/json")];
    if wire == Wire::Anthropic {
        headers.push(("anthropic-version", "2023-06-01"));
    }
    headers
}
