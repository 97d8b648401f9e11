//! Who is subscribed to a resource soon knows what another process changed.

use crate::http::Served;
use crate::report::{Bound, Report};
use crate::sample::Sample;
use crate::scratch;
use crate::sizes::Sizes;
use crate::stdio::{Product, Wire, add_one};
use std::time::{Duration, Instant};
use tokio::io::AsyncBufReadExt as _;

const SUBSCRIBE: &str = r#""method":"resources/subscribe","params":{"uri":"callboard://board"}"#;
const UPDATED: &str = "notifications/resources/updated";
/// The pauses between changes, so that they meet a watcher at any moment of its round.
const PAUSES: [u64; 4] = [40, 170, 310, 90];

pub fn measure(sizes: &Sizes, report: &mut Report) {
    let board = scratch::directory();
    let Some(product) = Product::built(board.path()) else {
        return report.unmeasured(
            "changes",
            "no callboard: cargo build --release --workspace first".to_owned(),
        );
    };
    add_one(&product);
    let mut working = product.assigner().hello();
    let rows = [
        ("stdio", over_stdio(&product, &mut working, sizes)),
        ("HTTP", over_http(&product, &mut working, sizes)),
    ];
    for (transport, took) in rows {
        report.bounded(
            &format!("another process's change at a subscriber over {transport}, p99"),
            took.p99().as_secs_f64() * 1e3,
            "ms",
            Bound::Below(250.0),
            format!("{} from the start of the call that changes", took.said()),
        );
    }
}

fn change(working: &mut Wire) {
    working.call("task_add", r#"{"title":"a change"}"#);
}

fn pauses(changes: u32) -> impl Iterator<Item = Duration> {
    let each = PAUSES.into_iter().cycle().map(Duration::from_millis);
    each.zip(0..changes).map(|(pause, _)| pause)
}

fn over_stdio(product: &Product, working: &mut Wire, sizes: &Sizes) -> Sample {
    let mut watching = product.assigner().hello();
    watching.ask(SUBSCRIBE);
    let mut took = Sample::default();
    for pause in pauses(sizes.changes) {
        std::thread::sleep(pause);
        let began = Instant::now();
        change(working);
        watching.until(UPDATED);
        took.push(began.elapsed());
    }
    took
}

fn over_http(product: &Product, working: &mut Wire, sizes: &Sizes) -> Sample {
    let served = Served::product(product);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut session = served.session().await;
        session.ask(SUBSCRIBE).await.unwrap();
        let mut stream = session.stream(&served).await;
        let (mut took, mut line) = (Sample::default(), String::new());
        for pause in pauses(sizes.changes) {
            tokio::time::sleep(pause).await;
            let began = Instant::now();
            change(working);
            loop {
                line.clear();
                assert!(
                    stream.read_line(&mut line).await.unwrap() > 0,
                    "the stream ended"
                );
                if line.contains(UPDATED) {
                    break;
                }
            }
            took.push(began.elapsed());
        }
        took
    })
}
