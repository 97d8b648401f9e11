//! A board on a temporary file, with a clock that stands still.

use callboard_scheduling::{
    self as scheduling, Claim, Failure, Lease, NewTask, Outcome, Process, SchedulingError, State,
    Task,
};
use callboard_store::{Conn, Durability, Ids, Options, Store};
use std::cell::Cell;
use std::path::Path;
use tempfile::TempDir;

/// When every test begins, ms since 1970 UTC.
pub const START: i64 = 1_790_000_000_000;
pub const SECOND: i64 = 1_000;
pub const MINUTE: i64 = 60 * SECOND;

pub type Answer<T> = Result<T, SchedulingError>;

pub struct Board {
    pub dir: TempDir,
    pub store: Store,
    ids: Ids,
    now: Cell<i64>,
}

/// Opens the board in `dir` as one more process would.
pub fn open(dir: &Path) -> Store {
    // Tests of the rules need no fsync; that commits survive is the store's to test.
    let options = Options {
        durability: Durability::Normal,
        ..Options::board(dir)
    };
    Store::open(
        options,
        &[
            callboard_telemetry::audit::MIGRATIONS,
            scheduling::MIGRATIONS,
        ],
    )
    .unwrap()
}

impl Board {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Board {
            store: open(dir.path()),
            dir,
            ids: Ids::seeded(7),
            now: Cell::new(START),
        }
    }

    pub fn now(&self) -> i64 {
        self.now.get()
    }

    pub fn advance(&self, ms: i64) {
        self.now.set(self.now.get() + ms);
    }

    pub fn id(&self, prefix: &str) -> String {
        self.ids.next(prefix, self.now())
    }

    pub fn run<T: Send + 'static>(
        &self,
        op: impl Fn(&mut dyn Conn) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        self.store.write_blocking(op)
    }

    pub fn look<T>(&self, op: impl FnOnce(&mut dyn Conn) -> Answer<T>) -> T {
        self.store.read_now(op).unwrap()
    }

    pub fn try_add(&self, new: NewTask) -> Answer<String> {
        let (now, id) = (self.now(), self.id("t_"));
        self.run(move |c| Ok(scheduling::task_add(c, now, &id, &new)?.0.id))
    }

    pub fn add(&self, new: NewTask) -> String {
        self.try_add(new).unwrap()
    }

    pub fn titled(&self, title: &str) -> String {
        self.add(NewTask::titled(title))
    }

    pub fn after(&self, title: &str, needs: &[&String]) -> String {
        self.add(NewTask {
            depends_on: needs.iter().map(|id| (*id).clone()).collect(),
            ..NewTask::titled(title)
        })
    }

    pub fn task(&self, id: &str) -> Task {
        self.look(|c| scheduling::task_get(c, id))
    }

    pub fn state(&self, id: &str) -> State {
        self.task(id).state
    }

    pub fn reason(&self, id: &str) -> String {
        let now = self.now();
        self.look(|c| scheduling::task_reason(c, now, id))
    }

    pub fn try_claim(&self, claim: Claim) -> Answer<Option<(Task, Lease)>> {
        let (now, attempt) = (self.now(), self.id("a_"));
        let task = self.run(move |c| scheduling::task_claim(c, now, &attempt, &claim))?;
        Ok(task.map(|task| {
            let lease = lease_of(&task);
            (task, lease)
        }))
    }

    /// Claims and answers with the lease; there must be a task.
    pub fn claim(&self) -> Lease {
        self.try_claim(Claim::by("w")).unwrap().unwrap().1
    }

    pub fn claim_nothing(&self) {
        assert_eq!(self.try_claim(Claim::by("w")).unwrap(), None);
    }

    pub fn finish(&self, lease: &Lease) -> Answer<Task> {
        let (now, lease) = (self.now(), lease.clone());
        self.run(move |c| scheduling::task_finish(c, now, &lease, &serde_json::json!("ok")))
    }

    pub fn fail(&self, lease: &Lease, failure: Failure, error: &str) -> Answer<Task> {
        let (now, lease, error) = (self.now(), lease.clone(), error.to_owned());
        self.run(move |c| scheduling::task_fail(c, now, &lease, Outcome::Failed, failure, &error))
    }

    pub fn release(&self, lease: &Lease) -> Answer<Task> {
        let (now, lease) = (self.now(), lease.clone());
        self.run(move |c| scheduling::task_release(c, now, &lease, Outcome::Released, "not for me"))
    }

    pub fn interrupt(&self, lease: &Lease) -> Answer<Task> {
        let (now, lease) = (self.now(), lease.clone());
        self.run(move |c| scheduling::task_interrupt(c, now, &lease, "the machine went down"))
    }

    pub fn park(&self, lease: &Lease, why: &str) -> Answer<Task> {
        let (now, lease, why) = (self.now(), lease.clone(), why.to_owned());
        self.run(move |c| scheduling::task_park(c, now, &lease, Outcome::Parked, &why))
    }

    pub fn extend(&self, lease: &Lease, lease_ms: i64) -> Answer<i64> {
        let (now, lease) = (self.now(), lease.clone());
        self.run(move |c| scheduling::lease_extend(c, now, &lease, lease_ms, None))
    }

    pub fn cancel(&self, id: &str) -> Answer<Task> {
        let (now, id) = (self.now(), id.to_owned());
        self.run(move |c| scheduling::task_cancel(c, now, &id, "not wanted any more"))
    }

    pub fn rerun(&self, id: &str) -> Answer<Task> {
        let (now, id) = (self.now(), id.to_owned());
        self.run(move |c| scheduling::task_rerun(c, now, &id))
    }

    pub fn resolve(&self, id: &str) -> Answer<Task> {
        let (now, id) = (self.now(), id.to_owned());
        self.run(move |c| scheduling::task_resolve(c, now, &id, None))
    }

    pub fn delay(&self, id: &str, due: i64) -> Answer<Task> {
        let (now, id) = (self.now(), id.to_owned());
        self.run(move |c| scheduling::task_delay(c, now, &id, due))
    }

    pub fn update(&self, id: &str, change: scheduling::Change) -> Answer<Task> {
        let (now, id) = (self.now(), id.to_owned());
        self.run(move |c| scheduling::task_update(c, now, &id, &change))
    }

    pub fn depend(&self, id: &str, needs: &[&String]) -> Answer<Task> {
        self.update(
            id,
            scheduling::Change {
                depends_on: Some(needs.iter().map(|id| (*id).clone()).collect()),
                ..scheduling::Change::default()
            },
        )
    }

    pub fn shelve(&self, id: &str, shelf: scheduling::Shelf) -> Answer<Task> {
        let (now, id) = (self.now(), id.to_owned());
        self.run(move |c| scheduling::task_shelve(c, now, &id, shelf))
    }

    pub fn sweep(&self) -> scheduling::Swept {
        let now = self.now();
        self.run(move |c| scheduling::sweep(c, now)).unwrap()
    }

    pub fn gone(&self, process: Process) -> Vec<String> {
        let now = self.now();
        self.run(move |c| scheduling::process_gone(c, now, process))
            .unwrap()
    }

    pub fn attempts(&self, id: &str) -> Vec<scheduling::Attempt> {
        self.look(|c| scheduling::attempts_of(c, id))
    }
}

pub fn lease_of(task: &Task) -> Lease {
    Lease {
        task: task.id.clone(),
        fence: task.fence,
    }
}

pub fn by_process(pid: u32) -> Claim {
    Claim {
        process: Some(Process { pid, start: 77 }),
        ..Claim::by("w")
    }
}

/// What an operation was refused with, as text; it must have been refused.
pub fn refusal<T: std::fmt::Debug>(answer: Answer<T>) -> String {
    answer.unwrap_err().to_string()
}
