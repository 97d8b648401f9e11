//! Random lives of tasks: after every step the board says what the model says.

use crate::fixture::{Answer, Board, SECOND, lease_of};
use crate::model::{End, Model, PAUSES, Post, Refusal, Verdict};
use callboard_scheduling::{
    self as scheduling, Change, Claim, Event, Failure, Lease, NewTask, Process, SchedulingError,
    Shelf, State, Task, next,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::collections::{BTreeSet, HashSet};

/// What somebody does; tasks are named by a number that is taken modulo how many there are.
#[derive(Debug, Clone)]
enum Op {
    Add(Post),
    Claim {
        queue: usize,
        lease: i64,
        pid: Option<u32>,
    },
    Extend {
        task: usize,
        lease: i64,
    },
    End {
        task: usize,
        end: End,
    },
    Stale {
        task: usize,
        fence_off: i64,
        end: End,
    },
    Resolve(usize),
    Cancel(usize),
    Rerun(usize),
    Delay {
        task: usize,
        ms: i64,
    },
    Priority {
        task: usize,
        priority: u8,
    },
    Depend {
        task: usize,
        needs: BTreeSet<usize>,
    },
    Archive(usize),
    Restore(usize),
    Sweep,
    Advance(i64),
    Gone(u32),
}

const QUEUES: [&str; 2] = ["default", "other"];

fn pause() -> impl Strategy<Value = i64> {
    prop::sample::select(PAUSES.to_vec())
}

fn post() -> impl Strategy<Value = Post> {
    (
        (0..5_usize).prop_map(|n| usize::from(n == 0)),
        0..=10_u8,
        prop::collection::btree_set(0..6_usize, 0..3),
        prop::option::weighted(0.3, pause()),
        0..3_u32,
        pause(),
        prop::option::weighted(0.3, 1..30_000_i64),
    )
        .prop_map(
            |(queue, priority, needs, due_in, max_retries, backoff_ms, timeout_ms)| Post {
                queue,
                priority,
                needs,
                due_in,
                max_retries,
                backoff_ms,
                timeout_ms,
            },
        )
}

fn end() -> impl Strategy<Value = End> {
    prop::sample::select(vec![
        End::Finish,
        End::Finish,
        End::Finish,
        End::Park,
        End::Fail,
        End::FailForGood,
        End::Release,
        End::Interrupt,
        End::Park,
    ])
}

fn op() -> impl Strategy<Value = Op> {
    let task = || 0..8_usize;
    let lease = || 1_000..15_000_i64;
    prop_oneof![
        4 => post().prop_map(Op::Add),
        8 => (0..QUEUES.len(), lease(), prop::option::of(1..3_u32))
            .prop_map(|(queue, lease, pid)| Op::Claim { queue, lease, pid }),
        2 => (task(), lease()).prop_map(|(task, lease)| Op::Extend { task, lease }),
        8 => (task(), end()).prop_map(|(task, end)| Op::End { task, end }),
        2 => (task(), prop::sample::select(vec![-2_i64, -1, 1, 9]), end())
            .prop_map(|(task, fence_off, end)| Op::Stale { task, fence_off, end }),
        1 => task().prop_map(Op::Resolve),
        1 => task().prop_map(Op::Cancel),
        4 => task().prop_map(Op::Rerun),
        2 => (task(), pause()).prop_map(|(task, ms)| Op::Delay { task, ms }),
        1 => (task(), 0..=10_u8).prop_map(|(task, priority)| Op::Priority { task, priority }),
        4 => (task(), prop::collection::btree_set(task(), 0..3))
            .prop_map(|(task, needs)| Op::Depend { task, needs }),
        1 => task().prop_map(Op::Archive),
        1 => task().prop_map(Op::Restore),
        3 => Just(Op::Sweep),
        3 => (1..12 * SECOND).prop_map(Op::Advance),
        1 => (1..3_u32).prop_map(Op::Gone),
    ]
}

struct Play {
    board: Board,
    model: Model,
    rows: Vec<Task>,
}

impl Play {
    fn new() -> Self {
        Play {
            board: Board::new(),
            model: Model::new(),
            rows: Vec::new(),
        }
    }

    fn pick(&self, number: usize) -> usize {
        number % self.model.tasks.len()
    }

    /// A worker's word is about a running task, where there is one.
    fn pick_running(&self, number: usize) -> usize {
        let running: Vec<usize> = (0..self.model.tasks.len())
            .filter(|at| self.model.tasks[*at].state == State::Running)
            .collect();
        match running.len() {
            0 => self.pick(number),
            many => running[number % many],
        }
    }

    /// What is run again has mostly ended, and often something else hangs on it; 0 leaves it to chance.
    fn pick_settled(&self, number: usize) -> usize {
        let tasks = &self.model.tasks;
        let linked = |at: usize| {
            !tasks[at].needs.is_empty() || tasks.iter().any(|task| task.needs.contains(&at))
        };
        let settled: Vec<usize> = (0..tasks.len())
            .filter(|at| tasks[*at].state.is_settled() && (number.is_multiple_of(2) || linked(*at)))
            .collect();
        if settled.is_empty() || number == 0 {
            return self.pick(self.model.reached.len());
        }
        settled[number / 2 % settled.len()]
    }

    fn id(&self, at: usize) -> String {
        self.model.tasks[at].id.clone()
    }

    fn lease(&self, at: usize) -> Lease {
        Lease {
            task: self.id(at),
            fence: self.model.tasks[at].fence,
        }
    }

    fn ids(&self, numbers: &BTreeSet<usize>) -> (BTreeSet<usize>, Vec<String>) {
        let at: BTreeSet<usize> = numbers.iter().map(|n| self.pick(*n)).collect();
        let ids = at.iter().map(|at| self.id(*at)).collect();
        (at, ids)
    }

    fn read_rows(&self) -> Vec<Task> {
        let ids = self.model.tasks.iter();
        self.board
            .look(|c| ids.map(|task| scheduling::task_get(c, &task.id)).collect())
    }

    fn apply(&mut self, op: &Op) {
        if self.model.tasks.is_empty() && !matches!(op, Op::Add(_)) {
            return;
        }
        let (target, expected, answer) = self.perform(op);
        let after = self.read_rows();
        let before = std::mem::replace(&mut self.rows, after.clone());
        agree(op, expected, &answer);
        if answer.is_err() {
            assert_eq!(before, after, "a refused {op:?} changed something");
        }
        settled_rest(op, target, &before, &after);
        for (before, after) in before.iter().zip(&after) {
            assert!(after.fence >= before.fence, "{op:?}");
        }
        self.compare(op, &after);
    }

    /// Does it on both sides: the task concerned, what the model expects, what the board answered.
    fn perform(&mut self, op: &Op) -> (Option<usize>, Verdict, Answer<()>) {
        match op {
            Op::Add(post) => self.add(post),
            Op::Claim { queue, lease, pid } => self.claim(*queue, *lease, *pid),
            Op::Extend { task, lease } => {
                let at = self.pick_running(*task);
                let with = self.lease(at);
                let answer = self.board.extend(&with, *lease).map(drop);
                (Some(at), self.model.extend(at, with.fence, *lease), answer)
            }
            Op::End { task, end } => {
                let at = self.pick_running(*task);
                let with = self.lease(at);
                let answer = self.end(&with, *end);
                (Some(at), self.model.end(at, with.fence, *end), answer)
            }
            Op::Stale {
                task,
                fence_off,
                end,
            } => {
                let at = self.pick_running(*task);
                let mut with = self.lease(at);
                with.fence += fence_off;
                let answer = self.end(&with, *end);
                (Some(at), Err(Refusal::Stale), answer)
            }
            Op::Sweep => {
                self.board.sweep();
                self.model.sweep();
                (None, Ok(()), Ok(()))
            }
            Op::Advance(ms) => {
                self.board.advance(*ms);
                self.model.now += ms;
                (None, Ok(()), Ok(()))
            }
            Op::Gone(pid) => {
                self.board.gone(Process {
                    pid: *pid,
                    start: 1,
                });
                self.model.gone(*pid);
                (None, Ok(()), Ok(()))
            }
            _ => self.by_people(op),
        }
    }

    fn by_people(&mut self, op: &Op) -> (Option<usize>, Verdict, Answer<()>) {
        let number = match op {
            Op::Resolve(task)
            | Op::Cancel(task)
            | Op::Rerun(task)
            | Op::Archive(task)
            | Op::Restore(task) => *task,
            Op::Delay { task, .. } | Op::Priority { task, .. } | Op::Depend { task, .. } => *task,
            other => unreachable!("{other:?}"),
        };
        let at = match op {
            Op::Rerun(_) => self.pick_settled(number),
            _ => self.pick(number),
        };
        let id = self.id(at);
        let (board, model) = (&self.board, &mut self.model);
        let (answer, expected) = match op {
            Op::Resolve(_) => (board.resolve(&id), model.resolve(at)),
            Op::Cancel(_) => (board.cancel(&id), model.cancel(at)),
            Op::Rerun(_) => (board.rerun(&id), model.rerun(at)),
            Op::Archive(_) => (board.shelve(&id, Shelf::Archive), model.archive(at)),
            Op::Restore(_) => {
                model.tasks[at].archived = false;
                (board.shelve(&id, Shelf::Restore), Ok(()))
            }
            Op::Delay { ms, .. } => (board.delay(&id, board.now() + ms), model.delay(at, *ms)),
            Op::Priority { priority, .. } => {
                model.tasks[at].priority = *priority;
                let change = Change {
                    priority: Some(*priority),
                    ..Change::default()
                };
                (board.update(&id, change), Ok(()))
            }
            Op::Depend { needs, .. } => {
                let (needs, ids) = self.ids(needs);
                let ids: Vec<&String> = ids.iter().collect();
                (self.board.depend(&id, &ids), self.model.depend(at, &needs))
            }
            other => unreachable!("{other:?}"),
        };
        (Some(at), expected, answer.map(drop))
    }

    fn add(&mut self, post: &Post) -> (Option<usize>, Verdict, Answer<()>) {
        if self.model.tasks.len() == 8 {
            return (None, Ok(()), Ok(()));
        }
        let (needs, depends_on) = if self.model.tasks.is_empty() {
            (BTreeSet::new(), Vec::new())
        } else {
            self.ids(&post.needs)
        };
        let post = Post {
            needs,
            ..post.clone()
        };
        let id = self.board.add(NewTask {
            queue: QUEUES[post.queue].to_owned(),
            priority: post.priority,
            depends_on,
            due_at: post.due_in.map(|ms| self.board.now() + ms),
            max_retries: post.max_retries,
            backoff_ms: post.backoff_ms,
            timeout_ms: post.timeout_ms,
            ..NewTask::titled("task")
        });
        self.model.add(id, &post);
        (None, Ok(()), Ok(()))
    }

    fn claim(
        &mut self,
        queue: usize,
        lease: i64,
        pid: Option<u32>,
    ) -> (Option<usize>, Verdict, Answer<()>) {
        let claim = Claim {
            queue: QUEUES[queue].to_owned(),
            lease_ms: lease,
            process: pid.map(|pid| Process { pid, start: 1 }),
            ..Claim::by("w")
        };
        let expected = self.model.claim(queue, lease, pid);
        let claimed = self
            .board
            .try_claim(claim)
            .unwrap()
            .map(|(task, _)| lease_of(&task));
        assert_eq!(
            claimed,
            expected.map(|at| self.lease(at)),
            "the most urgent ready task, with the next fence"
        );
        (expected, Ok(()), Ok(()))
    }

    fn end(&self, lease: &Lease, end: End) -> Answer<()> {
        match end {
            End::Finish => self.board.finish(lease),
            End::Fail => self.board.fail(lease, Failure::Retry, "it failed"),
            End::FailForGood => self.board.fail(lease, Failure::Final, "it failed for good"),
            End::Release => self.board.release(lease),
            End::Interrupt => self.board.interrupt(lease),
            End::Park => self.board.park(lease, "a person decides"),
        }
        .map(drop)
    }

    fn compare(&self, op: &Op, rows: &[Task]) {
        for (at, row) in rows.iter().enumerate() {
            let task = &self.model.tasks[at];
            let said = format!("task {at} after {op:?}");
            assert_eq!(row.state, task.state, "{said}");
            assert_eq!(row.waiting_on as usize, self.model.unfinished(at), "{said}");
            assert_eq!(
                (row.fence, row.attempts),
                (task.fence, u32::try_from(task.fence).unwrap()),
                "{said}"
            );
            assert_eq!(
                (row.failures, row.interruptions),
                (task.failures, task.interruptions),
                "{said}"
            );
            assert_eq!(
                (row.lease_until, row.due_at),
                (task.lease_until, task.due_at),
                "{said}"
            );
            assert_eq!(
                (row.priority, row.archived_at.is_some()),
                (task.priority, task.archived),
                "{said}"
            );
            assert_eq!(row.finished_at.is_some(), task.state.is_settled(), "{said}");
        }
        self.one_holder_each(op, rows);
    }

    /// An attempt is open exactly while its task runs under its fence.
    fn one_holder_each(&self, op: &Op, rows: &[Task]) {
        let open = self.board.look(|c| {
            Ok::<_, SchedulingError>(c.query(
                "SELECT t.id, a.fence FROM attempts a JOIN tasks t ON t.seq = a.task WHERE a.ended_at IS NULL ORDER BY t.seq",
                &[],
                |row| Ok((row.text(0)?, row.int(1)?)),
            )?)
        });
        let running: Vec<(String, i64)> = rows
            .iter()
            .filter(|row| row.state == State::Running)
            .map(|row| (row.id.clone(), row.fence))
            .collect();
        assert_eq!(open, running, "after {op:?}");
    }
}

fn agree(op: &Op, expected: Verdict, answer: &Answer<()>) {
    let got = match answer {
        Ok(()) => Ok(()),
        Err(SchedulingError::Stale { .. }) => Err(Refusal::Stale),
        Err(SchedulingError::Illegal { .. }) => Err(Refusal::Illegal),
        Err(SchedulingError::Cycle { .. }) => Err(Refusal::Cycle),
        Err(SchedulingError::Invalid { .. }) => Err(Refusal::Invalid),
        Err(other) => panic!("{op:?}: {other}"),
    };
    assert_eq!(got, expected, "{op:?}: {answer:?}");
}

/// What has settled stays as it is unless it is itself the target; only the count of what it would wait for
/// follows its dependencies.
fn settled_rest(op: &Op, target: Option<usize>, before: &[Task], after: &[Task]) {
    for (at, (before, after)) in before.iter().zip(after).enumerate() {
        if before.state.is_settled() && target != Some(at) {
            let mut expected = before.clone();
            expected.waiting_on = after.waiting_on;
            assert_eq!(after, &expected, "{op:?} moved a settled task");
        }
    }
}

fn play(ops: &[Op]) -> HashSet<(State, Event)> {
    let mut play = Play::new();
    for op in ops {
        play.apply(op);
    }
    play.model.reached
}

fn lives() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op(), 40..120)
}

fn config(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn the_board_agrees_with_the_model(ops in lives()) {
        play(&ops);
    }
}

/// The same lives in every run, as many as it takes: a step that none of them takes is not tested.
#[test]
fn every_legal_step_is_taken() {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config(1), rng);
    let mut missed: HashSet<(State, Event)> = State::ALL
        .into_iter()
        .flat_map(|state| Event::ALL.map(|event| (state, event)))
        .filter(|(state, event)| next(*state, *event).is_some())
        .collect();
    assert_eq!(missed.len(), 29, "the size of the table");
    for _ in 0..400 {
        let ops = lives().new_tree(&mut runner).unwrap().current();
        for step in play(&ops) {
            missed.remove(&step);
        }
        if missed.is_empty() {
            return;
        }
    }
    panic!("never taken: {missed:?}");
}
