//! A whole answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use callboard_limits::Standing;
use callboard_telemetry::{MicroDollars, Usage, llm};

use super::attempt::Attempt;
use super::error::{CallError, Hop};
use super::explain::{Explained, Question, considered, demanded};
use super::run::{Run, Start, overdue};
use super::used::Ended;
use super::{Ask, Router, Target, estimate, text};
use crate::chat::{Chat, Reasoning, Reply};
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
    /// The attempts that failed before it.
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
    /// # Errors
    /// [`CallError`].
    pub async fn complete(&self, ask: Ask) -> Result<Answered, CallError> {
        let (mut run, mut fitting) = self.run(ask, false)?;
        loop {
            let mut attempt = run.attempt().await?;
            let Some(upstream) = attempt.upstream(run.left()) else {
                run.failed(attempt, overdue()).await?;
                continue;
            };
            let chat = fitting.to(&attempt, &upstream);
            match upstream.complete(chat).await {
                Err(failure) => run.failed(attempt, failure).await?,
                Ok(reply) => {
                    attempt.seen.reply(&reply);
                    attempt.ends(Ended::Well);
                    attempt.finish().await;
                    return Ok(answered(run, &mut attempt, reply));
                }
            }
        }
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
        } = ask;
        let settings = self.settings();
        let base = estimate::input_tokens(&chat);
        let (chain, route) = settings.chain(&target)?;
        let need = demanded(Need::of(&chat, base), &terms, &who, route);
        let question = Question {
            chain,
            need,
            chat: &chat,
            base,
            who: &who,
        };
        let explained = self.decided(question, &settings.prices)?;
        let words = (settings.privacy == llm::Privacy::Full).then(|| text::of(&chat).into());
        let run = Run::new(Start {
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

fn answered(run: Run, attempt: &mut Attempt, reply: Reply) -> Answered {
    let bill = std::mem::take(&mut attempt.bill);
    Answered {
        reply,
        call: attempt.plan.call.clone(),
        target: attempt.plan.target.clone(),
        route: run.explained.route,
        usage: bill.usage,
        cost: bill.cost,
        price_version: bill.price_version,
        hops: run.hops,
        warnings: run.warnings,
        first_byte: bill.first_byte,
        total: bill.total,
    }
}
