//! Work is handed out only where there is money for it.
//!
//! For: claiming a task in the transaction that has looked at the budgets, and the reason why a task is not handed out.
//! Not for: the order of tasks (scheduling has it), or letting a call through (a reservation does).

use callboard_limits::{
    Denied, Frees, LimitError, Scope, Span, Subject, budget_stops, budgets_any,
};
use callboard_scheduling::{
    Claim, SchedulingError, State, Task, queue_next, task_claim, task_claim_one,
};
use callboard_store::{Conn, StoreError};
use callboard_telemetry::MicroDollars;

/// Ready tasks that are looked at for one that has money left.
const MOST: u32 = 200;

/// What came of a claim.
#[derive(Debug, Clone, PartialEq)]
pub enum Dispatched {
    /// A task.
    Task(Box<Task>),
    /// None is ready.
    Nothing,
    /// Some are, and for none of them is there money.
    Stopped(Stop),
}

/// The budget that stops a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// Which, and what to do.
    pub why: String,
    /// When it has something again, ms since 1970 UTC, where that comes by itself.
    pub until: Option<i64>,
}

/// Takes the most urgent ready task that no budget stops. Tasks that are stopped stay ready.
///
/// # Errors
/// As [`task_claim`].
pub fn dispatch(
    c: &mut dyn Conn,
    now: i64,
    attempt: &str,
    claim: &Claim,
) -> Result<Dispatched, SchedulingError> {
    let taken = |task: Option<Task>| match task {
        Some(task) => Dispatched::Task(Box::new(task)),
        None => Dispatched::Nothing,
    };
    if !budgets_any(c).map_err(store)? {
        return Ok(taken(task_claim(c, now, attempt, claim)?));
    }
    let mut first = None;
    for ready in queue_next(c, &claim.queue, MOST)? {
        let subject = subject(&ready.id, ready.project.as_deref());
        match budget_stops(c, now, &subject).map_err(store)? {
            None => return Ok(taken(task_claim_one(c, now, attempt, claim, &ready.id)?)),
            Some(denied) => first = first.or(Some(denied)),
        }
    }
    match first {
        Some(denied) => Ok(Dispatched::Stopped(stop(&denied))),
        // Nothing is ready; what is wrong with the claim is told all the same.
        None => Ok(taken(task_claim(c, now, attempt, claim)?)),
    }
}

/// The budget that keeps a ready task from being handed out, where one does.
///
/// # Errors
/// Only when the store fails.
pub fn task_stop(c: &mut dyn Conn, now: i64, task: &Task) -> Result<Option<Stop>, SchedulingError> {
    if task.state != State::Ready || !budgets_any(c).map_err(store)? {
        return Ok(None);
    }
    let subject = subject(&task.id, task.project.as_deref());
    let denied = budget_stops(c, now, &subject).map_err(store)?;
    Ok(denied.as_ref().map(stop))
}

fn subject(task: &str, project: Option<&str>) -> Subject {
    Subject {
        project: project.map(str::to_owned),
        task: Some(task.to_owned()),
        ..Subject::default()
    }
}

fn stop(denied: &Denied) -> Stop {
    let limit = &denied.limit;
    let span = match limit.span {
        Span::Now | Span::Ever => "",
        Span::Minute => " a minute",
        Span::Day => " a day",
        Span::Week => " a week",
        Span::Month => " a month",
    };
    let whose = match limit.scope {
        Scope::All => String::new(),
        scope => format!(" for {scope} {}", denied.name),
    };
    let until = match denied.frees {
        Frees::At(at) => Some(at),
        Frees::WhenACallEnds | Frees::Never => None,
    };
    let then = match (denied.frees, until) {
        (_, Some(at)) => format!("work goes on by itself at {}", time(at)),
        (Frees::WhenACallEnds, _) => "work goes on when a call has ended".to_owned(),
        _ => "work goes on when somebody raises it".to_owned(),
    };
    Stop {
        why: format!(
            "the budget of {}{span}{whose} is used up ({} spent, {} held); {then}; an admin raises it with budget_set, or in the configuration",
            MicroDollars(limit.amount),
            MicroDollars(denied.used),
            MicroDollars(denied.held),
        ),
        until,
    }
}

/// UTC, to the second, as calendars write it.
fn time(ms: i64) -> String {
    jiff::Timestamp::from_second(ms.div_euclid(1_000))
        .map_or_else(|_| ms.to_string(), |at| at.to_string())
}

fn store(error: LimitError) -> SchedulingError {
    match error {
        LimitError::Store(error) => error.into(),
        other => StoreError::Row(other.to_string()).into(),
    }
}
