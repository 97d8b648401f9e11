//! A whole answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use callboard_limits::Standing;
use callboard_telemetry::{MicroDollars, Usage, llm};
use futures_util::future::BoxFuture;

use super::attempt::Attempt;
use super::error::{CallError, Hop};
use super::explain::{Explained, Question, considered};
use super::run::{Run, Start, overdue};
use super::settings::Escalate;
use super::used::Ended;
use super::{Ask, Router, Target, Terms, Wanted, Who, estimate, text};
use crate::chat::{Charged, Chat, Reasoning, Reply};
use crate::check::{Check, Unmet, judge, question, read_score};
use crate::failure::{Failure, FailureKind};
use crate::gateway;
use crate::route::{Need, Strategy};
use crate::upstream::Upstream;

/// A whole answer, and what became of the call.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// The answer.
    pub reply: Reply,
    /// The row of the attempt that got it: the call's id.
    pub call: String,
    /// Who answered.
    pub target: Target,
    /// The route, or the model that was wanted.
    pub route: String,
    /// What was used: as reported, or estimated where the provider said nothing.
    pub usage: Option<Usage>,
    /// What it cost; `None`: its price is not known.
    pub cost: Option<MicroDollars>,
    /// By which version of the prices.
    pub price_version: Option<String>,
    /// Why it will not do, where it was looked at and nobody gave a better one.
    pub unmet: Option<Unmet>,
    /// The attempts that failed before it, and those whose answers would not do.
    pub hops: Vec<Hop>,
    /// The limits that are nearly used up, this call included.
    pub warnings: Vec<Standing>,
    /// From sending to the first byte of the answer.
    pub first_byte: Option<Duration>,
    /// From sending to its end.
    pub total: Option<Duration>,
}

/// The question and those parts of it that are bent to fit a wire.
pub(super) struct Fitting {
    pub(super) chat: Chat,
    reasoning: Option<Reasoning>,
    user: Option<String>,
}

impl Fitting {
    pub(super) fn new(chat: Chat) -> Fitting {
        Fitting {
            reasoning: chat.reasoning,
            user: chat.user.clone(),
            chat,
        }
    }

    /// The question as a candidate can be asked it.
    pub(super) fn to(&mut self, attempt: &Attempt, upstream: &Upstream) -> &Chat {
        let chat = &mut self.chat;
        chat.model.clone_from(&attempt.plan.target.model);
        (chat.reasoning, chat.user) = (self.reasoning, self.user.clone());
        gateway::fit(chat, upstream.endpoint().wire);
        chat
    }
}

impl Router {
    /// Asks whoever fits, and after a failure whoever comes next, until somebody has answered.
    ///
    /// Every attempt holds a reservation before it is made and is settled or released after it, also when this future
    /// is dropped: then the connection is closed, and what is known of its use is counted.
    ///
    /// An answer that fails a [`check`](Ask::check) is paid for, and whoever comes next is asked, after the last one
    /// those who are meant for harder work. If nobody does better, it is given with what is wrong with it.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn complete(&self, ask: Ask) -> BoxFuture<'_, Result<Answered, CallError>> {
        Box::pin(async move {
            let (mut run, mut fitting) = self.run(ask, false)?;
            let mut poor: Option<Answered> = None;
            loop {
                match self.once(&mut run, &mut fitting).await {
                    Ok((attempt, answered)) => {
                        let Some(unmet) = answered.unmet.clone() else {
                            return Ok(answered);
                        };
                        let more = run.unmet(&attempt, &unmet);
                        poor = Some(answered);
                        if !more {
                            break;
                        }
                    }
                    Err(error) if poor.is_none() => return Err(error),
                    Err(_) => break,
                }
            }
            poor.ok_or_else(|| run.stuck())
        })
    }

    /// Until somebody has answered, well or not.
    async fn once(
        &self,
        run: &mut Run,
        fitting: &mut Fitting,
    ) -> Result<(Attempt, Answered), CallError> {
        loop {
            let attempt = run.attempt().await?;
            let Some(upstream) = attempt.upstream(run.left_here()) else {
                run.failed(attempt, overdue()).await?;
                continue;
            };
            if let Some(done) = self.ask_one(run, fitting, attempt, &upstream).await? {
                return Ok(done);
            }
        }
    }

    /// Asks one candidate; nothing when it failed and whoever comes next may be asked.
    pub(super) async fn ask_one(
        &self,
        run: &mut Run,
        fitting: &mut Fitting,
        mut attempt: Attempt,
        upstream: &Upstream,
    ) -> Result<Option<(Attempt, Answered)>, CallError> {
        let chat = fitting.to(&attempt, upstream);
        let reply = match upstream.complete(chat).await {
            Ok(reply) => reply,
            Err(failure) => {
                run.failed(attempt, failure).await?;
                return Ok(None);
            }
        };
        attempt.seen.reply(&reply);
        attempt.ends(Ended::Well);
        attempt.finish().await;
        let unmet = match &run.check {
            Some(check) => self.unmet(check, run, chat, &reply, &attempt).await,
            None => None,
        };
        let mut answered = answered(run, &mut attempt, reply);
        answered.unmet = unmet;
        Ok(Some((attempt, answered)))
    }

    /// What is wrong with an answer; its own model is asked last, as that is a call of its own.
    async fn unmet(
        &self,
        check: &Check,
        run: &Run,
        chat: &Chat,
        reply: &Reply,
        attempt: &Attempt,
    ) -> Option<Unmet> {
        if let Err(unmet) = judge(reply, check) {
            return Some(unmet);
        }
        check.least_score?;
        let target = &attempt.plan.target;
        let left = run.left();
        let ask = Ask {
            chat: question(chat, reply),
            target: Wanted::Model {
                provider: target.provider.clone(),
                model: target.model.clone(),
            },
            terms: Terms {
                class: run.explained.need.class,
                within_ms: left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
                ..Terms::default()
            },
            who: Who {
                parent: Some(attempt.plan.call.clone()),
                ..run.who.clone()
            },
            confirmed: run.confirmed,
            ..Ask::default()
        };
        let scored = Box::pin(self.complete(ask)).await.ok();
        let score = scored.and_then(|scored| read_score(&scored.reply));
        check.weigh(score).err()
    }

    /// Decides, by one look at the board.
    pub(super) fn run(&self, ask: Ask, streamed: bool) -> Result<(Run, Fitting), CallError> {
        let began = Instant::now();
        let Ask {
            chat,
            target,
            terms,
            who,
            patience,
            confirmed,
            check,
            failed,
        } = ask;
        let settings = self.settings();
        let base = estimate::input_tokens(&chat);
        let (chain, route) = settings.chain(&target)?;
        let need = settings.demanded(Need::of(&chat, base), &terms, &who, route)?;
        let question = Question {
            chain,
            need,
            chat: &chat,
            base,
            answers: 1,
            who: &who,
            lacks: &|wire| wire.lacks(&chat),
            charged: &|_| Charged::default(),
        };
        let explained = self.decided(question, &settings.prices)?;
        let check = match route.and_then(|route| route.escalate) {
            Some(escalate) if check.is_none() && !streamed => Some(checked(&chat, escalate)?),
            _ => check,
        };
        let words = (settings.privacy == llm::Privacy::Full).then(|| text::of(&chat).into());
        let mut run = Run::new(Start {
            inner: Arc::clone(&self.inner),
            settings,
            explained,
            base,
            who,
            patience,
            confirmed,
            streamed,
            words,
            began,
        });
        run.check = check;
        run.without(&failed);
        Ok((run, Fitting::new(chat)))
    }

    pub(super) fn decided(
        &self,
        question: Question<'_>,
        prices: &callboard_limits::PriceTable,
    ) -> Result<Explained, CallError> {
        let parts = &self.inner.parts;
        let now = parts.clock.now_ms();
        // How it has done lately matters only to some.
        let matters =
            question.chain.strategy == Strategy::Smart || question.need.within_ms.is_some();
        let known = if matters {
            self.inner.health.known_for(&parts.log, now)
        } else {
            Arc::default()
        };
        let explained = parts
            .store
            .read_now(|c| considered(c, now, prices, question, &known))?;
        Ok(explained)
    }
}

/// What an answer has to be by the request itself.
pub(super) fn checked(chat: &Chat, escalate: Escalate) -> Result<Check, CallError> {
    let check = Check::of(chat).map_err(|error| CallError::Failed {
        failure: Failure::new(FailureKind::BadRequest, error.to_string()),
        hops: Vec::new(),
    })?;
    Ok(Check {
        least_score: escalate.least_score,
        ..check
    })
}

fn answered(run: &Run, attempt: &mut Attempt, reply: Reply) -> Answered {
    let bill = std::mem::take(&mut attempt.bill);
    Answered {
        reply,
        call: attempt.plan.call.clone(),
        target: attempt.plan.target.clone(),
        route: run.explained.route.clone(),
        usage: bill.usage,
        cost: bill.cost,
        price_version: bill.price_version,
        unmet: None,
        hops: run.hops.clone(),
        warnings: run.warnings.clone(),
        first_byte: bill.first_byte,
        total: bill.total,
    }
}
