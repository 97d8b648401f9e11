//! The task's life cycle: every legal (state, event) pair in one table.
//!
//! Nothing else in the product decides whether a change of state is legal; the `WHERE state = …` of
//! the statements only guards against races.

use serde::{Deserialize, Serialize};

/// Where a task is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Depends on tasks that are not done.
    Waiting,
    /// Not to be started before its due time: delayed by its author, or backing off after a failure.
    Scheduled,
    /// May be claimed now.
    Ready,
    /// Claimed: one attempt holds its lease.
    Running,
    /// Finished with success.
    Done,
    /// Out of retries: the dead letter.
    Dead,
    /// A person has to decide.
    Parked,
    /// Called off.
    Cancelled,
}

/// What can happen to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// The last unfinished dependency is done.
    Unblock,
    /// It now depends on something unfinished.
    Block,
    /// It is not due yet.
    Delay,
    /// Its due time has come.
    Promote,
    /// A worker takes it.
    Claim,
    /// Its worker says it is done.
    Finish,
    /// It failed and will be tried again after a back-off.
    Retry,
    /// It goes back to the queue at once: released, interrupted, or failed without back-off.
    Requeue,
    /// It failed for the last time.
    GiveUp,
    /// It needs a person.
    Park,
    /// It turns out to be done: a person did their part, or a merge that outlived its process is found.
    Resolve,
    /// It is called off.
    Cancel,
    /// It is to be done again.
    Rerun,
    /// It is to be done again, but depends on unfinished tasks.
    RerunBlocked,
}

impl State {
    /// Every state, in the order of a task's life.
    pub const ALL: [State; 8] = [
        State::Waiting,
        State::Scheduled,
        State::Ready,
        State::Running,
        State::Done,
        State::Dead,
        State::Parked,
        State::Cancelled,
    ];

    /// The word stored in the database and shown to people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Scheduled => "scheduled",
            State::Ready => "ready",
            State::Running => "running",
            State::Done => "done",
            State::Dead => "dead",
            State::Parked => "parked",
            State::Cancelled => "cancelled",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn parse(word: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether nothing more happens to the task unless somebody asks for it.
    #[must_use]
    pub fn is_settled(self) -> bool {
        matches!(
            self,
            State::Done | State::Dead | State::Parked | State::Cancelled
        )
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Event {
    /// Every event.
    pub const ALL: [Event; 14] = [
        Event::Unblock,
        Event::Block,
        Event::Delay,
        Event::Promote,
        Event::Claim,
        Event::Finish,
        Event::Retry,
        Event::Requeue,
        Event::GiveUp,
        Event::Park,
        Event::Resolve,
        Event::Cancel,
        Event::Rerun,
        Event::RerunBlocked,
    ];

    /// The verb as a message uses it: "a done task can't be {verb}".
    #[must_use]
    pub fn participle(self) -> &'static str {
        match self {
            Event::Unblock => "unblocked",
            Event::Block => "made to wait for another task",
            Event::Delay => "delayed",
            Event::Promote => "promoted",
            Event::Claim => "claimed",
            Event::Finish => "finished",
            Event::Retry => "retried",
            Event::Requeue => "put back into the queue",
            Event::GiveUp => "given up",
            Event::Park => "parked",
            Event::Resolve => "resolved",
            Event::Cancel => "cancelled",
            Event::Rerun | Event::RerunBlocked => "run again",
        }
    }
}

/// The table: the state that `event` leads to, or `None` where the pair is not legal.
#[must_use]
pub fn next(state: State, event: Event) -> Option<State> {
    use Event as E;
    use State as S;
    Some(match (state, event) {
        (S::Waiting, E::Unblock) => S::Ready,
        (S::Waiting | S::Ready, E::Delay) => S::Scheduled,
        (S::Scheduled, E::Promote) => S::Ready,
        (S::Scheduled | S::Ready, E::Block) => S::Waiting,
        (S::Ready, E::Claim) => S::Running,
        (S::Running, E::Finish) => S::Done,
        (S::Running, E::Retry) => S::Scheduled,
        (S::Running, E::Requeue) => S::Ready,
        (S::Running, E::GiveUp) => S::Dead,
        (S::Running, E::Park) => S::Parked,
        (S::Waiting | S::Scheduled | S::Ready | S::Parked, E::Resolve) => S::Done,
        (S::Waiting | S::Scheduled | S::Ready | S::Running | S::Parked, E::Cancel) => S::Cancelled,
        (S::Done | S::Dead | S::Parked | S::Cancelled, E::Rerun) => S::Ready,
        (S::Done | S::Dead | S::Parked | S::Cancelled, E::RerunBlocked) => S::Waiting,
        _ => return None,
    })
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Still at work.
    Running,
    /// Success.
    Done,
    /// The worker said it failed.
    Failed,
    /// Its time limit ran out.
    TimedOut,
    /// Its result did not merge onto the integration branch.
    Conflict,
    /// Its lease ran out without a heartbeat.
    Expired,
    /// Ended by our own death or stop, not by its own fault: costs no retry.
    Interrupted,
    /// Given back by its worker: costs no retry.
    Released,
    /// The task was cancelled under it.
    Cancelled,
    /// Handed to a person.
    Parked,
}

impl Outcome {
    const ALL: [Outcome; 10] = [
        Outcome::Running,
        Outcome::Done,
        Outcome::Failed,
        Outcome::TimedOut,
        Outcome::Conflict,
        Outcome::Expired,
        Outcome::Interrupted,
        Outcome::Released,
        Outcome::Cancelled,
        Outcome::Parked,
    ];

    /// The word stored in the database and shown to people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Running => "running",
            Outcome::Done => "done",
            Outcome::Failed => "failed",
            Outcome::TimedOut => "timed_out",
            Outcome::Conflict => "conflict",
            Outcome::Expired => "expired",
            Outcome::Interrupted => "interrupted",
            Outcome::Released => "released",
            Outcome::Cancelled => "cancelled",
            Outcome::Parked => "parked",
        }
    }

    /// The outcome with this name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Outcome> {
        Outcome::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table again, as a picture: a row a state, a column an event, `.` where it is refused.
    /// Columns: Unblock Block Delay Promote Claim Finish Retry Requeue GiveUp Park Resolve Cancel Rerun RerunBlocked.
    const PICTURE: [(State, &str); 8] = [
        (State::Waiting, "R.S.......DC.."),
        (State::Scheduled, ".W.R......DC.."),
        (State::Ready, ".WS.U.....DC.."),
        (State::Running, ".....DSRXP.C.."),
        (State::Done, "............RW"),
        (State::Dead, "............RW"),
        (State::Parked, "..........DCRW"),
        (State::Cancelled, "............RW"),
    ];

    fn letter(state: Option<State>) -> char {
        match state {
            None => '.',
            Some(State::Waiting) => 'W',
            Some(State::Scheduled) => 'S',
            Some(State::Ready) => 'R',
            Some(State::Running) => 'U',
            Some(State::Done) => 'D',
            Some(State::Dead) => 'X',
            Some(State::Parked) => 'P',
            Some(State::Cancelled) => 'C',
        }
    }

    #[test]
    fn every_pair_of_state_and_event_is_as_pictured() {
        for (state, row) in PICTURE {
            let built: String = Event::ALL.iter().map(|e| letter(next(state, *e))).collect();
            assert_eq!(built, row, "{state}");
        }
    }

    #[test]
    fn names_round_trip() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::parse(outcome.as_str()), Some(outcome));
        }
    }

    #[test]
    fn from_every_state_a_task_can_still_be_brought_to_an_end() {
        for state in State::ALL {
            let ends = Event::ALL
                .iter()
                .filter_map(|e| next(state, *e))
                .any(|s| s.is_settled() || next(s, Event::Cancel).is_some());
            assert!(ends, "{state}");
        }
    }
}
