//! What came of the tasks that models worked on, as counts that routes can learn from.
//! For: reading ended attempts on, whose work each was, and taking that down. Not for: what follows from the counts.

use crate::error::ModelsError;
use callboard_limits::{
    LearnCursor, LimitError, RouteOutcome, outcomes_cursor, outcomes_prune, outcomes_record,
};
use callboard_routing::bandit::{COUNTED_MS, credit};
use callboard_scheduling::{Ended, Outcome, SchedulingError, attempts_ended};
use callboard_store::{Store, StoreError};
use callboard_telemetry::CallLog;
use callboard_telemetry::query::{Served, served};
use std::sync::Arc;

/// Attempts are looked at when they are this old: the calls they made are in the log by then.
const SETTLED_MS: i64 = 60_000;
/// Attempts that are looked at in one transaction.
const AT_ONCE: u32 = 100;
/// Transactions of one round at most, so that a round ends.
const ROUNDS: u32 = 20;

/// Whether an attempt ended that was not looked at.
pub(crate) async fn waits(store: &Store, now: i64) -> Result<bool, ModelsError> {
    Ok(!next(store, now, 1).await?.is_empty())
}

/// Takes down what came of the attempts that ended since the last time, where one model did them and somebody declared
/// their class; answers how many those were. Safe to run twice, and by two processes.
///
/// # Errors
/// Where the board or the log does not answer.
pub async fn learn(store: &Store, log: &CallLog, now: i64) -> Result<usize, ModelsError> {
    let mut learned = 0;
    for _ in 0..ROUNDS {
        let ended = next(store, now, AT_ONCE).await?;
        let Some(last) = ended.last() else {
            break;
        };
        let cursor = LearnCursor {
            at: last.ended_at,
            seq: last.seq,
        };
        let judged: Vec<Ended> = ended
            .into_iter()
            .filter(|attempt| succeeded(attempt.outcome).is_some())
            .collect();
        let outcomes: Arc<[RouteOutcome]> = outcomes(log, judged).await?.into();
        learned += outcomes.len();
        let written: Result<(), LimitError> = store
            .write(move |c| {
                outcomes_record(c, &outcomes, cursor)?;
                outcomes_prune(c, now.saturating_sub(COUNTED_MS), AT_ONCE).map(|_| ())
            })
            .await;
        written?;
    }
    Ok(learned)
}

async fn next(store: &Store, now: i64, most: u32) -> Result<Vec<Ended>, ModelsError> {
    let cursor: Result<LearnCursor, LimitError> = store.read(|c| outcomes_cursor(c)).await;
    let LearnCursor { at, seq } = cursor?;
    let until = now.saturating_sub(SETTLED_MS);
    let ended: Result<Vec<Ended>, SchedulingError> = store
        .read(move |c| attempts_ended(c, (at, seq), until, most))
        .await;
    Ok(ended?)
}

async fn outcomes(log: &CallLog, ended: Vec<Ended>) -> Result<Vec<RouteOutcome>, ModelsError> {
    if ended.is_empty() {
        return Ok(Vec::new());
    }
    let rows = log.store().await?;
    let read: Result<Vec<RouteOutcome>, StoreError> = rows
        .read(move |c| {
            let mut outcomes = Vec::new();
            for attempt in &ended {
                let answers = served(c, &attempt.task, attempt.started_at, attempt.ended_at)?;
                outcomes.extend(outcome(attempt, &answers));
            }
            Ok(outcomes)
        })
        .await;
    Ok(read?)
}

fn outcome(attempt: &Ended, answers: &[Served]) -> Option<RouteOutcome> {
    let credit = credit(answers)?;
    Some(RouteOutcome {
        attempt: attempt.id.clone(),
        at: attempt.ended_at,
        class: credit.class.as_str().to_owned(),
        provider: credit.provider,
        model: credit.model,
        succeeded: succeeded(attempt.outcome)?,
    })
}

/// Whether the model did well, where the end says anything about it: a conflict with others' work, a stop, a lease that ran
/// out or a person's decision do not.
fn succeeded(outcome: Outcome) -> Option<bool> {
    match outcome {
        Outcome::Done => Some(true),
        Outcome::Failed | Outcome::TimedOut => Some(false),
        _ => None,
    }
}
