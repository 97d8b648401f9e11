//! What one durable write costs, beside what the disk asks for any.

use crate::report::Report;
use crate::sample::{Sample, ratio, said};
use crate::scratch;
use crate::sizes::Sizes;
use crate::stdio;
use callboard_scheduling::{NewTask, task_add};
use callboard_store::{Ids, Store};
use std::fs::File;
use std::io::Write as _;
use std::time::Instant;

pub fn measure(sizes: &Sizes, report: &mut Report) {
    let runtime = callboard_mcp::runtime().unwrap();
    let board = scratch::board();
    let ids = Ids::system();
    let mut file = File::create(board.dir.path().join("floor")).unwrap();
    let product = stdio::Product::built(board.dir.path());
    let mut server = product.as_ref().map(|product| product.assigner().hello());
    let (mut floor, mut inside, mut over) =
        (Sample::default(), Sample::default(), Sample::default());
    for _ in 0..sizes.syncs {
        let began = Instant::now();
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
        floor.push(began.elapsed());

        let began = Instant::now();
        runtime.block_on(add(&board.store, &ids));
        inside.push(began.elapsed());

        if let Some(server) = &mut server {
            let began = Instant::now();
            server.call(
                "task_add",
                r#"{"title":"a task that is posted over stdio"}"#,
            );
            over.push(began.elapsed());
        }
    }
    let times = |sample: &Sample| format!("{:.2}x the floor", ratio(sample.p50(), floor.p50()));
    report.plain(
        "fsync floor: 4 KiB and fdatasync, p50",
        said(floor.p50()),
        floor.said(),
    );
    report.plain(
        "  add in process, committed",
        said(inside.p50()),
        format!("{}; {}", times(&inside), inside.said()),
    );
    if server.is_some() {
        report.plain(
            "  task_add over stdio, committed",
            said(over.p50()),
            format!("{}; {}", times(&over), over.said()),
        );
    }
}

async fn add(store: &Store, ids: &Ids) {
    let now = scratch::now();
    let id = ids.next("t_", now);
    let new = NewTask::titled("a task that is posted in process");
    store
        .write(move |c| task_add(c, now, &id, &new))
        .await
        .unwrap();
}
