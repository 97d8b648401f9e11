//! Eight processes share a board fairly.
//!
//! Each is this program again, with a hidden argument; all wait for a line before they begin.

use crate::cycle::Product;
use crate::report::{Bound, Report};
use crate::scratch::{self, Board};
use crate::sizes::Sizes;
use callboard_store::{StoreError, params};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const HIDDEN: &str = "__process";
const PROCESSES: usize = 8;

pub fn measure(sizes: &Sizes, report: &mut Report) {
    let board = scratch::board();
    let mut children: Vec<Child> = (0..PROCESSES)
        .map(|_| start(&board, sizes.processes))
        .collect();
    for child in &mut children {
        let mut ready = [0];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut ready)
            .unwrap();
    }
    for child in &mut children {
        child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }
    let ends: Vec<(u64, Duration)> = children.into_iter().map(end).collect();
    let cycles: Vec<u64> = ends.iter().map(|(cycles, _)| *cycles).collect();
    assert_done(&board, cycles.iter().sum());
    tell(
        &cycles,
        ends.iter().map(|(_, wait)| *wait).max().unwrap(),
        sizes,
        report,
    );
}

#[allow(clippy::cast_precision_loss, reason = "counts of a few thousand")]
fn tell(cycles: &[u64], wait: Duration, sizes: &Sizes, report: &mut Report) {
    let (slowest, fastest) = (cycles.iter().min().unwrap(), cycles.iter().max().unwrap());
    let rate = cycles.iter().sum::<u64>() as f64 / sizes.processes.as_secs_f64();
    let beside = format!(
        "{slowest} to {fastest} cycles in {:?}, {rate:.0}/s together",
        sizes.processes
    );
    let fair = *slowest as f64 / *fastest as f64;
    report.bounded(
        "eight processes, slowest against fastest",
        fair,
        "",
        Bound::AtLeast(0.5),
        beside,
    );
    let beside = "of any one operation, commit included".to_owned();
    report.bounded(
        "  worst wait",
        wait.as_secs_f64(),
        "s",
        Bound::Below(1.0),
        beside,
    );
}

fn start(board: &Board, time: Duration) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .arg(HIDDEN)
        .arg(board.dir.path())
        .arg(time.as_millis().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a process says at its end: cycles, and the longest wait in microseconds.
fn end(mut child: Child) -> (u64, Duration) {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(
        child.wait().unwrap().success(),
        "a process of the bench failed"
    );
    let (cycles, wait) = line.trim().split_once(' ').unwrap();
    (
        cycles.parse().unwrap(),
        Duration::from_micros(wait.parse().unwrap()),
    )
}

/// The work of one process: cycles for so many milliseconds, one operation at a time.
pub fn work(board: &Path, millis: u64) {
    let product = Product::new(scratch::open(board));
    print!("+");
    std::io::stdout().flush().unwrap();
    std::io::stdin()
        .lock()
        .read_line(&mut String::new())
        .unwrap();
    let (cycles, wait) = callboard_mcp::runtime()
        .unwrap()
        .block_on(spin(&product, Duration::from_millis(millis)));
    println!("{cycles} {}", wait.as_micros());
}

async fn spin(product: &Product, time: Duration) -> (u64, Duration) {
    let began = Instant::now();
    let (mut cycles, mut worst) = (0, Duration::ZERO);
    while began.elapsed() < time {
        let longest = product.timed().await.into_iter().max().unwrap_or_default();
        worst = worst.max(longest);
        cycles += 1;
    }
    (cycles, worst)
}

/// Every cycle that a process counted is on the board.
fn assert_done(board: &Board, cycles: u64) {
    let done = "SELECT count(*) FROM tasks WHERE state = 'done'";
    let done = board
        .store
        .read_now(|c| c.query_one(done, params![], |row| row.int(0)));
    let done = done.map_err(|error: StoreError| error.to_string());
    assert_eq!(done, Ok(Some(i64::try_from(cycles).unwrap())));
}
