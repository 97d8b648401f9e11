//! Posting, claiming and finishing tasks costs little more than the statements that it takes.
//!
//! Two contenders on boards of their own take turns: the product, and the raw loop with the statements
//! that one cycle of the product was heard to say.

use crate::raw::{Raw, Scripts};
use crate::report::{Bound, Report};
use crate::sample::median;
use crate::scratch::{self, Board};
use crate::script::{Meaning, Recorder, Script};
use crate::sizes::Sizes;
use callboard_scheduling::{
    Claim, Lease, NewTask, SchedulingError, Task, task_add, task_claim, task_finish,
};
use callboard_store::{Ids, Store, params};
use serde_json::Value as Json;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The store's own limit on operations in one commit.
const BATCH: usize = 256;
const TITLE: &str = "a task that the bench makes";

/// Something that can post, claim and finish a task.
pub trait Cycle: Send + Sync + 'static {
    fn cycle(&self) -> impl Future<Output = ()> + Send;
}

/// The product.
pub struct Product {
    store: Store,
    ids: Ids,
}

impl Product {
    pub fn new(store: Store) -> Self {
        Product {
            store,
            ids: Ids::system(),
        }
    }

    async fn add(&self) -> Task {
        let now = scratch::now();
        let id = self.ids.next("t_", now);
        let new = NewTask::titled(TITLE);
        let added = self.store.write(move |c| task_add(c, now, &id, &new)).await;
        added.unwrap().0
    }

    async fn claim(&self) -> Task {
        let now = scratch::now();
        let attempt = self.ids.next("a_", now);
        let by = Claim::by("bench");
        let claimed = self
            .store
            .write(move |c| task_claim(c, now, &attempt, &by))
            .await;
        claimed.unwrap().expect("a task was posted before")
    }

    async fn finish(&self, task: Task) -> Task {
        let now = scratch::now();
        let lease = Lease {
            task: task.id,
            fence: task.fence,
        };
        let finished = self
            .store
            .write(move |c| task_finish(c, now, &lease, &Json::Null))
            .await;
        finished.unwrap()
    }

    /// A cycle whose three steps are timed one by one.
    pub async fn timed(&self) -> [Duration; 3] {
        let began = Instant::now();
        self.add().await;
        let added = began.elapsed();
        let task = self.claim().await;
        let claimed = began.elapsed();
        self.finish(task).await;
        [added, claimed - added, began.elapsed() - claimed]
    }
}

impl Cycle for Product {
    async fn cycle(&self) {
        self.add().await;
        let task = self.claim().await;
        self.finish(task).await;
    }
}

pub fn measure(sizes: &Sizes, report: &mut Report) {
    callboard_mcp::runtime().unwrap().block_on(async {
        let board = scratch::board();
        let product = Arc::new(Product::new(board.store.clone()));
        let (raw, scripts, _raw_dir) = raw(BATCH).await;
        let said = scripts;
        let (ours, theirs) = alternate(&product, &raw, sizes).await;
        let beside = format!(
            "{ours:.0} cycles/s against {theirs:.0}; {} clients, {said} statements a cycle",
            sizes.clients
        );
        report.bounded(
            "add + claim + finish against a raw loop",
            ours / theirs,
            "",
            Bound::AtLeast(0.8),
            beside,
        );
        lone(sizes, report).await;
        assert_done(&board, &product).await;
    });
}

/// The same with a commit for every operation: one client, and many behind a loop that does not batch.
async fn lone(sizes: &Sizes, report: &mut Report) {
    let board = scratch::board();
    let product = Arc::new(Product::new(board.store.clone()));
    let (raw, _, _raw_dir) = raw(1).await;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        ours.push(spin(&product, 1, sizes.lone_cycles).await);
        theirs.push(spin(&raw, sizes.clients, sizes.lone_cycles).await);
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let beside = format!(
        "one client; the raw loop, {} clients, a commit each: {theirs:.0}/s",
        sizes.clients
    );
    report.plain("  one commit per operation", format!("{ours:.0}/s"), beside);
}

/// Cycles per second of both: rounds in turn, first one then the other ahead, and the median of each.
async fn alternate(product: &Arc<Product>, raw: &Arc<Raw>, sizes: &Sizes) -> (f64, f64) {
    let (clients, warm) = (sizes.clients, sizes.cycles / 4);
    spin(product, clients, warm).await;
    spin(raw, clients, warm).await;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..sizes.cycle_rounds {
        if round % 2 == 0 {
            ours.push(spin(product, clients, sizes.cycles).await);
            theirs.push(spin(raw, clients, sizes.cycles).await);
        } else {
            theirs.push(spin(raw, clients, sizes.cycles).await);
            ours.push(spin(product, clients, sizes.cycles).await);
        }
    }
    (median(ours), median(theirs))
}

/// Cycles per second with so many clients at once.
async fn spin<C: Cycle>(contender: &Arc<C>, clients: usize, cycles: u32) -> f64 {
    let left = Arc::new(AtomicI64::new(cycles.into()));
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    for _ in 0..clients {
        let (contender, left) = (Arc::clone(contender), Arc::clone(&left));
        tasks.spawn(async move {
            while left.fetch_sub(1, Ordering::Relaxed) > 0 {
                contender.cycle().await;
            }
        });
    }
    tasks.join_all().await;
    f64::from(cycles) / began.elapsed().as_secs_f64()
}

/// A raw loop on a board of its own, how many statements a cycle has, and the board's directory.
async fn raw(batch: usize) -> (Arc<Raw>, usize, tempfile::TempDir) {
    let scripts = record().await;
    let statements = scripts.add.len() + scripts.claim.len() + scripts.finish.len();
    let Board { store, dir } = scratch::board();
    drop(store);
    (
        Arc::new(Raw::open(dir.path(), scripts, batch)),
        statements,
        dir,
    )
}

/// Listens to one cycle.
async fn record() -> Scripts {
    let board = scratch::board();
    scratch::fill(&board.store, 0, 1).await;
    board.store.write(|c| record_in(c)).await.unwrap()
}

fn record_in(c: &mut dyn callboard_store::Conn) -> Result<Scripts, SchedulingError> {
    const SEQ: i64 = 7_000_003;
    c.execute(
        "UPDATE tasks SET seq = ?1, state = 'done'",
        params![SEQ - 1],
    )?;
    let now = scratch::now();
    let ids = Ids::system();
    let (id, attempt) = (ids.next("t_", now), ids.next("a_", now));
    let script = |recorder: Recorder<'_>, input: &str, answer: Option<&str>| {
        Script::of(
            recorder.steps,
            &Meaning {
                now,
                input,
                seq: SEQ,
                answer,
            },
        )
    };

    let mut recorder = Recorder::new(c);
    task_add(&mut recorder, now, &id, &NewTask::titled(TITLE))?;
    let add = script(recorder, &id, None);

    let mut recorder = Recorder::new(c);
    let claimed = task_claim(&mut recorder, now, &attempt, &Claim::by("bench"))?;
    let claim = script(recorder, &attempt, Some(&id));
    let fence = claimed.expect("a task was posted before").fence;

    let mut recorder = Recorder::new(c);
    task_finish(
        &mut recorder,
        now,
        &Lease {
            task: id.clone(),
            fence,
        },
        &Json::Null,
    )?;
    let finish = script(recorder, &id, None);
    Ok(Scripts { add, claim, finish })
}

/// A contender that did nothing would be fast.
async fn assert_done(board: &Board, product: &Product) {
    product.cycle().await;
    let open = "SELECT count(*) FROM tasks WHERE state <> 'done'";
    let left = board
        .store
        .read(move |c| c.query_one(open, params![], |row| row.int(0)))
        .await;
    assert_eq!(
        left.map_err(|error: callboard_store::StoreError| error.to_string()),
        Ok(Some(0))
    );
}
