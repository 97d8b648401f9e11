//! Claiming does not get slower as the board grows.
//!
//! The ratio compares the time of the claim inside its write transaction; end to end, one client's claim
//! is mostly the wait for the disk. Rounds go over all boards in turn, so that whatever else the machine
//! does meets every size alike.

use crate::report::{Bound, Report};
use crate::sample::{Sample, ratio, said};
use crate::scratch::{self, Board};
use crate::sizes::Sizes;
use callboard_scheduling::{Claim, SchedulingError, task_claim};
use callboard_store::{Ids, Store};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

struct Contender {
    ready: u32,
    posted: u32,
    board: Board,
    ids: Ids,
    inside: Sample,
    end_to_end: Sample,
}

pub fn measure(sizes: &Sizes, report: &mut Report) {
    callboard_mcp::runtime().unwrap().block_on(async {
        let mut contenders = Vec::new();
        for ready in sizes.ready {
            contenders.push(Contender::new(ready).await);
        }
        for contender in &mut contenders {
            contender.round(sizes).await;
            contender.forget();
        }
        for _ in 0..sizes.claim_rounds {
            for contender in &mut contenders {
                contender.round(sizes).await;
            }
        }
        tell(&contenders, report);
    });
}

fn tell(contenders: &[Contender], report: &mut Report) {
    let (Some(small), Some(large)) = (contenders.first(), contenders.last()) else {
        return;
    };
    let title = format!(
        "claim at {} ready tasks against {}, p50",
        grouped(large.ready),
        grouped(small.ready)
    );
    let p50s: Vec<String> = contenders
        .iter()
        .map(|one| said(one.inside.p50()))
        .collect();
    let of = ratio(large.inside.p50(), small.inside.p50());
    report.bounded(
        &title,
        of,
        "",
        Bound::AtMost(1.2),
        format!("{} inside the transaction", p50s.join(" · ")),
    );
    for one in contenders {
        let title = format!("  claim at {}", grouped(one.ready));
        let beside = format!("end to end, one client: {}", one.end_to_end.said());
        report.plain(
            &title,
            said(one.inside.p50()),
            format!("p99 {}; {beside}", said(one.inside.p99())),
        );
    }
}

impl Contender {
    async fn new(ready: u32) -> Self {
        let board = scratch::board();
        scratch::fill(&board.store, 0, ready).await;
        Contender {
            ready,
            posted: ready,
            board,
            ids: Ids::system(),
            inside: Sample::default(),
            end_to_end: Sample::default(),
        }
    }

    fn forget(&mut self) {
        self.inside = Sample::default();
        self.end_to_end = Sample::default();
    }

    /// Claims many at once, which shares the wait for the disk, and a few one by one; then posts as many,
    /// so that the board keeps its size.
    async fn round(&mut self, sizes: &Sizes) {
        let mut burst = JoinSet::new();
        for _ in 0..sizes.burst {
            burst.spawn(claim(self.board.store.clone(), self.ids.clone()));
        }
        self.inside.extend(burst.join_all().await);
        for _ in 0..sizes.singles {
            let began = Instant::now();
            claim(self.board.store.clone(), self.ids.clone()).await;
            self.end_to_end.push(began.elapsed());
        }
        let claimed = sizes.burst + sizes.singles;
        scratch::fill(&self.board.store, self.posted, claimed).await;
        self.posted += claimed;
    }
}

/// How long the claim took inside its transaction.
async fn claim(store: Store, ids: Ids) -> Duration {
    let now = scratch::now();
    let attempt = ids.next("a_", now);
    let by = Claim::by("bench");
    let (took, task) = store
        .write(move |c| {
            let began = Instant::now();
            let task = task_claim(c, now, &attempt, &by)?;
            Ok::<_, SchedulingError>((began.elapsed(), task))
        })
        .await
        .unwrap();
    assert!(task.is_some(), "the board is never empty");
    took
}

fn grouped(number: u32) -> String {
    match number {
        1_000_000.. => format!("{}M", number / 1_000_000),
        _ => format!("{}k", number / 1_000),
    }
}
