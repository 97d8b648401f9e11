//! The rules once more, in memory and without SQL: what the board is compared with.

use crate::fixture::{SECOND, START};
use callboard_scheduling::{Event, MAX_INTERRUPTIONS, State, backoff, next, rank};
use std::collections::{BTreeSet, HashSet};

/// Why an operation has to be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Stale,
    Illegal,
    Cycle,
    Invalid,
}

pub type Verdict = Result<(), Refusal>;

/// How a running attempt ends by its worker's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Finish,
    Fail,
    FailForGood,
    Release,
    Interrupt,
    Park,
}

#[derive(Debug, Clone)]
pub struct ModelTask {
    pub id: String,
    pub queue: usize,
    pub state: State,
    pub priority: u8,
    pub needs: BTreeSet<usize>,
    pub due_at: Option<i64>,
    pub ready_at: i64,
    pub fence: i64,
    pub failures: u32,
    pub interruptions: u32,
    pub max_retries: u32,
    pub backoff_ms: i64,
    pub timeout_ms: Option<i64>,
    pub lease_until: Option<i64>,
    pub started_at: i64,
    pub process: Option<u32>,
    pub archived: bool,
}

/// What a task is posted with.
#[derive(Debug, Clone)]
pub struct Post {
    pub queue: usize,
    pub priority: u8,
    pub needs: BTreeSet<usize>,
    pub due_in: Option<i64>,
    pub max_retries: u32,
    pub backoff_ms: i64,
    pub timeout_ms: Option<i64>,
}

#[derive(Debug)]
pub struct Model {
    pub now: i64,
    pub tasks: Vec<ModelTask>,
    /// Every step of the life cycle that was taken.
    pub reached: HashSet<(State, Event)>,
}

impl Model {
    pub fn new() -> Self {
        Model {
            now: START,
            tasks: Vec::new(),
            reached: HashSet::new(),
        }
    }

    pub fn unfinished(&self, at: usize) -> usize {
        let needs = self.tasks[at].needs.iter();
        needs
            .filter(|need| self.tasks[**need].state != State::Done)
            .count()
    }

    pub fn add(&mut self, id: String, post: &Post) {
        let due_at = post.due_in.map(|ms| self.now + ms);
        self.tasks.push(ModelTask {
            id,
            queue: post.queue,
            state: State::Ready,
            priority: post.priority,
            needs: post.needs.clone(),
            due_at,
            ready_at: due_at.unwrap_or(self.now),
            fence: 0,
            failures: 0,
            interruptions: 0,
            max_retries: post.max_retries,
            backoff_ms: post.backoff_ms,
            timeout_ms: post.timeout_ms,
            lease_until: None,
            started_at: 0,
            process: None,
            archived: false,
        });
        let at = self.tasks.len() - 1;
        // A new task is put into its first state; no step leads there.
        self.tasks[at].state = if self.unfinished(at) > 0 {
            State::Waiting
        } else if due_at.is_some_and(|due| due > self.now) {
            State::Scheduled
        } else {
            State::Ready
        };
    }

    fn step(&mut self, at: usize, event: Event) -> Verdict {
        let from = self.tasks[at].state;
        let to = next(from, event).ok_or(Refusal::Illegal)?;
        self.reached.insert((from, event));
        self.tasks[at].state = to;
        Ok(())
    }

    /// The task that a claim has to answer with.
    pub fn claim(&mut self, queue: usize, lease_ms: i64, process: Option<u32>) -> Option<usize> {
        let ready = (0..self.tasks.len())
            .filter(|at| self.tasks[*at].queue == queue && self.tasks[*at].state == State::Ready);
        let at = ready.min_by_key(|at| {
            (
                rank(self.tasks[*at].ready_at, self.tasks[*at].priority),
                *at,
            )
        })?;
        self.step(at, Event::Claim).unwrap();
        let now = self.now;
        let task = &mut self.tasks[at];
        task.fence += 1;
        task.started_at = now;
        task.process = process;
        task.lease_until = Some(task.lease_end(now, lease_ms));
        Some(at)
    }

    pub fn held(&self, at: usize, fence: i64) -> Verdict {
        let task = &self.tasks[at];
        if task.state == State::Running && task.fence == fence {
            Ok(())
        } else {
            Err(Refusal::Stale)
        }
    }

    pub fn extend(&mut self, at: usize, fence: i64, lease_ms: i64) -> Verdict {
        self.held(at, fence)?;
        let now = self.now;
        let task = &mut self.tasks[at];
        task.lease_until = Some(task.lease_end(now, lease_ms));
        Ok(())
    }

    pub fn end(&mut self, at: usize, fence: i64, end: End) -> Verdict {
        self.held(at, fence)?;
        match end {
            End::Finish => {
                self.settle(at, Event::Finish)?;
                self.tasks[at].interruptions = 0;
                self.follow(at);
            }
            End::Park => self.settle(at, Event::Park)?,
            End::Fail => self.fail(at, false),
            End::FailForGood => self.fail(at, true),
            End::Release => self.requeue(at, Event::Requeue, 0)?,
            End::Interrupt => self.interrupt(at),
        }
        Ok(())
    }

    fn interrupt(&mut self, at: usize) {
        if self.tasks[at].interruptions + 1 == MAX_INTERRUPTIONS {
            return self.fail(at, false);
        }
        self.tasks[at].interruptions += 1;
        self.requeue(at, Event::Requeue, 0).unwrap();
    }

    fn fail(&mut self, at: usize, for_good: bool) {
        let task = &mut self.tasks[at];
        task.failures += 1;
        task.interruptions = 0;
        let pause = backoff(task.backoff_ms, i64::from(task.failures));
        if for_good || task.failures > task.max_retries {
            self.settle(at, Event::GiveUp).unwrap();
        } else if pause > 0 {
            self.requeue(at, Event::Retry, pause).unwrap();
        } else {
            self.requeue(at, Event::Requeue, 0).unwrap();
        }
    }

    fn settle(&mut self, at: usize, event: Event) -> Verdict {
        self.step(at, event)?;
        self.tasks[at].lease_until = None;
        Ok(())
    }

    fn requeue(&mut self, at: usize, event: Event, pause: i64) -> Verdict {
        self.step(at, event)?;
        let due = self.now + pause;
        let task = &mut self.tasks[at];
        task.lease_until = None;
        task.ready_at = due;
        task.due_at = (task.state == State::Scheduled).then_some(due);
        self.recount(at);
        Ok(())
    }

    /// Holds or lets go what has not started, as its dependencies say.
    fn recount(&mut self, at: usize) {
        let blocked = self.unfinished(at) > 0;
        let later = self.tasks[at].due_at.is_some_and(|due| due > self.now);
        let event = match (self.tasks[at].state, blocked) {
            (State::Ready | State::Scheduled, true) => Event::Block,
            (State::Waiting, false) if later => Event::Delay,
            (State::Waiting, false) => Event::Unblock,
            _ => return,
        };
        self.step(at, event).unwrap();
        let now = self.now;
        let task = &mut self.tasks[at];
        task.ready_at = task.due_at.map_or(now, |due| due.max(now));
    }

    fn follow(&mut self, at: usize) {
        for other in 0..self.tasks.len() {
            if self.tasks[other].needs.contains(&at) {
                self.recount(other);
            }
        }
    }

    pub fn cancel(&mut self, at: usize) -> Verdict {
        self.settle(at, Event::Cancel)
    }

    pub fn resolve(&mut self, at: usize) -> Verdict {
        self.settle(at, Event::Resolve)?;
        self.tasks[at].interruptions = 0;
        self.follow(at);
        Ok(())
    }

    pub fn rerun(&mut self, at: usize) -> Verdict {
        let blocked = self.unfinished(at) > 0;
        let event = if blocked {
            Event::RerunBlocked
        } else {
            Event::Rerun
        };
        self.requeue(at, event, 0)?;
        let task = &mut self.tasks[at];
        task.failures = 0;
        task.interruptions = 0;
        task.archived = false;
        self.follow(at);
        Ok(())
    }

    pub fn delay(&mut self, at: usize, ms: i64) -> Verdict {
        let due = self.now + ms;
        match (self.tasks[at].state, due > self.now) {
            (State::Ready, false) => return Ok(()),
            (State::Scheduled, false) => self.step(at, Event::Promote)?,
            (State::Scheduled | State::Waiting, _) => {}
            _ => self.step(at, Event::Delay)?,
        }
        let now = self.now;
        let task = &mut self.tasks[at];
        task.due_at = Some(due);
        task.ready_at = due.max(now);
        Ok(())
    }

    pub fn depend(&mut self, at: usize, needs: &BTreeSet<usize>) -> Verdict {
        if !matches!(
            self.tasks[at].state,
            State::Waiting | State::Scheduled | State::Ready
        ) {
            return Err(Refusal::Illegal);
        }
        if needs.iter().any(|need| self.reaches(*need, at)) {
            return Err(Refusal::Cycle);
        }
        self.tasks[at].needs.clone_from(needs);
        self.recount(at);
        Ok(())
    }

    fn reaches(&self, from: usize, to: usize) -> bool {
        from == to
            || self.tasks[from]
                .needs
                .iter()
                .any(|need| self.reaches(*need, to))
    }

    pub fn archive(&mut self, at: usize) -> Verdict {
        if !self.tasks[at].state.is_settled() {
            return Err(Refusal::Invalid);
        }
        self.tasks[at].archived = true;
        Ok(())
    }

    pub fn sweep(&mut self) {
        for at in 0..self.tasks.len() {
            let task = &self.tasks[at];
            if task.state == State::Scheduled && task.due_at.is_some_and(|due| due <= self.now) {
                self.step(at, Event::Promote).unwrap();
            }
        }
        for at in 0..self.tasks.len() {
            let task = &self.tasks[at];
            if task.state == State::Running
                && task.lease_until.is_some_and(|until| until < self.now)
            {
                self.fail(at, false);
            }
        }
    }

    pub fn gone(&mut self, pid: u32) {
        for at in 0..self.tasks.len() {
            if self.tasks[at].state == State::Running && self.tasks[at].process == Some(pid) {
                self.interrupt(at);
            }
        }
    }
}

impl ModelTask {
    fn lease_end(&self, now: i64, lease_ms: i64) -> i64 {
        let until = now + lease_ms;
        match (self.timeout_ms, self.process) {
            (Some(limit), None) => until.min(self.started_at + limit),
            _ => until,
        }
    }
}

/// The pauses that random sequences use, small enough for something to happen.
pub const PAUSES: [i64; 4] = [0, SECOND, 5 * SECOND, 20 * SECOND];
