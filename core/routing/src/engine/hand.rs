//! A body that passes to those who speak its wire, and goes translated to the others.
//!
//! For: one call over candidates of several wires, with one decision, and how each of them is asked at its turn. Not
//! for: how either is done (`pass`, `complete`, `stream`), or translating (`gateway`).

use futures_util::future::BoxFuture;

use super::complete::Fitting;
use super::run::{Run, overdue};
use super::{Answered, Answering, CallError, Passed, Passing, Router};
use crate::chat::Chat;
use crate::gateway::Unfit;
use crate::wire::Wire;

/// An answer, as whoever gave it was asked.
#[derive(Debug)]
pub enum Handed {
    /// Its bytes, from one who speaks the body's wire.
    Passed(Box<Passed>),
    /// A whole answer to the translation.
    Answered(Box<Answered>),
    /// A streamed one.
    Answering(Box<Answering>),
}

/// What those are asked who do not speak a body's wire.
#[derive(Debug, Clone, Copy)]
pub(super) enum Others<'a> {
    /// Nothing.
    Nothing,
    /// The same, translated.
    Chat(&'a Chat),
    /// Nothing, because of this.
    Unfit(&'a Unfit),
}

impl<'a> Others<'a> {
    pub(super) fn of(translation: &'a Result<Chat, Unfit>) -> Others<'a> {
        match translation {
            Ok(chat) => Others::Chat(chat),
            Err(unfit) => Others::Unfit(unfit),
        }
    }

    /// What a candidate of a wire lacks for a body of its own.
    pub(super) fn lacks(self, body: Wire, wire: Wire) -> Option<String> {
        match self {
            _ if wire == body => None,
            Others::Nothing => Some(format!("{body} wire")),
            Others::Chat(chat) => wire.lacks(chat),
            Others::Unfit(Unfit::Untranslatable { at, what, .. }) => {
                Some(format!("translation of {what} ({at})"))
            }
            Others::Unfit(unfit) => Some(format!("translation of the body ({unfit})")),
        }
    }
}

impl Router {
    /// As [`Router::pass`] where a candidate speaks the body's wire, and else as [`Router::complete`] or
    /// [`Router::stream`] with what the body is translated: one decision, and one order of candidates. Where there is
    /// no translation, those of other wires are passed over by name. Only translated whole answers are looked at, where
    /// the route wants that.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn hand(
        &self,
        passing: Passing,
        translation: Result<Chat, Unfit>,
    ) -> BoxFuture<'_, Result<Handed, CallError>> {
        Box::pin(async move {
            let run = self.passing(&passing, Others::of(&translation))?;
            // Without a translation nobody is asked who would need it.
            let fitting = Fitting::new(translation.unwrap_or_default());
            let mut poor = None;
            match self.handed(run, fitting, &passing, &mut poor).await {
                Err(error) => poor.map(Handed::Answered).ok_or(error),
                handed => handed,
            }
        })
    }

    async fn handed(
        &self,
        mut run: Run,
        mut fitting: Fitting,
        passing: &Passing,
        poor: &mut Option<Box<Answered>>,
    ) -> Result<Handed, CallError> {
        loop {
            let attempt = run.attempt().await?;
            let Some(upstream) = attempt.upstream(run.left_here()) else {
                run.failed(attempt, overdue()).await?;
                continue;
            };
            if upstream.endpoint().wire == passing.wire {
                match passing.ask(run, attempt, &upstream).await? {
                    Ok(passed) => return Ok(Handed::Passed(Box::new(passed))),
                    Err(left) => run = *left,
                }
            } else if passing.streams() {
                let mut answering = Answering::new(run, fitting);
                if answering.ask(attempt, &upstream).await? {
                    return Ok(Handed::Answering(Box::new(answering)));
                }
                (run, fitting) = answering.into_parts();
            } else if let Some((attempt, answered)) = self
                .ask_one(&mut run, &mut fitting, attempt, &upstream)
                .await?
            {
                let answered = Box::new(answered);
                let Some(unmet) = &answered.unmet else {
                    return Ok(Handed::Answered(answered));
                };
                let more = run.unmet(&attempt, unmet);
                *poor = Some(answered);
                if !more {
                    return Err(run.stuck());
                }
            }
        }
    }
}
