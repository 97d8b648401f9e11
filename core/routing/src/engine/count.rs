//! How many tokens a question has, before it is asked.
//! For: a provider's own count where it may see the question anyway. Not for: estimates (`estimate`).

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::explain::{Considered, Explained};
use super::hand::Others;
use super::{Ask, CallError, Passing, Router, Target};
use crate::chat::Chat;
use crate::failure::Failure;
use crate::gateway::Unfit;
use crate::upstream::Upstream;
use crate::wire::MOST_BODY;

/// How long a provider may take to count tokens; a client waits for this before each question.
const COUNTING: Duration = Duration::from_secs(10);

/// How many tokens, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The number.
    pub tokens: u64,
    /// Who counted; `None`: it is our corrected estimate.
    pub by: Option<Target>,
}

impl Router {
    /// How many tokens a question has for whoever would be asked first: as the provider counts them where its wire can
    /// and it answers within ten seconds, otherwise by our corrected estimate.
    ///
    /// The prompt goes nowhere that the question could not: nobody is asked whom the decision leaves out (for privacy, a
    /// region, an open breaker, a limit), nor who needs a person's word that was not given. Counting costs nothing, so it
    /// holds no reservation, has no row in the log of calls and tells breakers nothing; who was asked is in the trace.
    ///
    /// # Errors
    /// As [`Router::explain`].
    pub fn count_tokens<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Result<Count, CallError>> {
        Box::pin(async move {
            let explained = self.explain(ask).await?;
            let (first, estimate) = first(&explained);
            let Some(first) = first.filter(|first| ask.confirmed || !first.confirm) else {
                return Ok(estimate);
            };
            let target = first.target();
            let upstream = self.counting(&target)?;
            let counted = by_chat(&upstream, &ask.chat, &target).await;
            Ok(told(target, counted).unwrap_or(estimate))
        })
    }

    /// The same of a body that passes to whoever speaks its wire; the others are asked its translation. Its path is that
    /// of the wire's counting.
    ///
    /// # Errors
    /// As [`Router::explain`]. Of a body without a translation, where nothing can be estimated for the others, also what
    /// [`Router::hand`] says when there is nobody to ask, and what the provider says in the place of a number.
    pub fn count_passing(
        &self,
        passing: Passing,
        translation: Result<Chat, Unfit>,
    ) -> BoxFuture<'_, Result<Count, CallError>> {
        Box::pin(async move {
            let passing = passing.for_nothing();
            let run = self.passing(&passing, Others::of(&translation))?;
            let (first, estimate) = first(&run.explained);
            if first.is_none() && translation.is_err() {
                // Counting is no call, and has no row of one.
                return Err(run.nobody());
            }
            let Some(first) = first.filter(|first| passing.confirmed || !first.confirm) else {
                return Ok(estimate);
            };
            let target = first.target();
            let upstream = self.counting(&target)?;
            let counted = match &translation {
                _ if upstream.endpoint().wire == passing.wire => {
                    by_body(&upstream, &passing, &target).await.map(Some)
                }
                Ok(chat) => by_chat(&upstream, chat, &target).await,
                Err(_) => Ok(None),
            };
            match (told(target, counted), translation) {
                (Ok(count), _) => Ok(count),
                (Err(_), Ok(_)) | (Err(None), _) => Ok(estimate),
                (Err(Some(failure)), Err(_)) => Err(CallError::Failed {
                    failure,
                    hops: Vec::new(),
                }),
            }
        })
    }

    fn counting(&self, target: &Target) -> Result<Upstream, CallError> {
        let settings = self.settings();
        let provider = settings.provider(&target.provider)?;
        Ok(provider.upstream.within(COUNTING))
    }
}

/// Whoever would be asked first, and our estimate for it.
fn first(explained: &Explained) -> (Option<&Considered>, Count) {
    let first = explained.decision.order.first();
    let first = first.map(|choice| &explained.candidates[choice.at]);
    let tokens = first.map_or(explained.need.input, |first| first.estimate.input);
    (first, Count { tokens, by: None })
}

async fn by_chat(
    upstream: &Upstream,
    chat: &Chat,
    target: &Target,
) -> Result<Option<u64>, Failure> {
    let chat = Chat {
        model: target.model.clone(),
        ..chat.clone()
    };
    upstream.count_tokens(&chat).await
}

async fn by_body(upstream: &Upstream, passing: &Passing, target: &Target) -> Result<u64, Failure> {
    let asked = async {
        let request = passing.request(&target.model);
        let answer = upstream.pass(request, &passing.headers).await?;
        let body = answer.body.whole(MOST_BODY).await?;
        passing.wire.decode_count(&answer.head, &body)
    };
    let counted = asked.await;
    counted.map_err(|failure| upstream.explained(failure, &target.model))
}

/// What became of asking; nothing where the wire can't count.
fn told(target: Target, counted: Result<Option<u64>, Failure>) -> Result<Count, Option<Failure>> {
    match counted {
        Ok(Some(tokens)) => {
            tracing::debug!(by = %target, tokens, "a provider counted a question's tokens");
            let by = Some(target);
            Ok(Count { tokens, by })
        }
        Ok(None) => Err(None),
        Err(failure) => {
            tracing::debug!(by = %target, %failure, "a provider was asked for a question's tokens and does not say");
            Err(Some(failure))
        }
    }
}
