//! The same end, however often our processes are killed on the way.
//!
//! `CALLBOARD_KILLS` sets the number of kills (20), `CALLBOARD_KILL_SEED` repeats a run.

use crate::example::{assert_tidy, copied, example, report, state, work};
use callboard_tests::{Home, Running};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

/// A small generator: the moments need no more.
struct Moments(u64);

impl Moments {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Starts the example; answers the copy as soon as it is named, with the run going on.
fn start_copy(home: &Home) -> (std::process::Child, PathBuf) {
    let mut command = home.command("callboard");
    command.args(["run", example().to_str().unwrap(), "--json"]);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let copy = copied(&lines.next().unwrap().unwrap());
    std::thread::spawn(move || lines.for_each(drop));
    (child, copy)
}

fn start(home: &Home, copy: &Path) -> std::process::Child {
    let mut command = home.command("callboard");
    command.args(["run", copy.to_str().unwrap(), "--json"]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills the run, and with `all` its supervisors in the same moment, so that nothing but recovery can
/// end the agents. Answers false when the run had ended before.
fn kill(child: &mut std::process::Child, all: bool) -> bool {
    if child.try_wait().unwrap().is_some() {
        return false;
    }
    let supervisors = if all {
        supervisors(child.id())
    } else {
        Vec::new()
    };
    child.kill().unwrap();
    for pid in supervisors {
        let _ = kill_process(pid, Signal::KILL);
    }
    child.wait().unwrap();
    true
}

/// The supervisors that a run has started.
fn supervisors(run: u32) -> Vec<Pid> {
    callboard_tests::marked_processes("CALLBOARD_ATTEMPT=")
        .into_iter()
        .filter(|pid| {
            std::fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains("__supervise"))
        })
        .filter(|pid| parent(*pid) == Some(run))
        .filter_map(|pid| Pid::from_raw(i32::try_from(pid).unwrap()))
        .collect()
}

fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn killed_at_random_moments_it_ends_the_same() {
    let kills = setting("CALLBOARD_KILLS", 20);
    let clock = std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
    let seed = setting("CALLBOARD_KILL_SEED", u64::from(clock));
    println!("CALLBOARD_KILL_SEED={seed} CALLBOARD_KILLS={kills}");
    let mut moments = Moments(seed);
    let reference = work();
    let wanted = state(
        &reference.home,
        &reference.copy,
        &report(&reference.finished),
    );

    let mut killed = 0;
    while killed < kills {
        let home = Home::new();
        let (mut child, copy) = start_copy(&home);
        while killed < kills {
            // Mostly soon, so that every step is hit; sometimes late, so that a slow item gets through
            // between ten interruptions, which would cost it a retry.
            let bound = if moments.below(5) == 0 { 12_000 } else { 3_000 };
            let moment = Instant::now() + Duration::from_millis(20 + moments.below(bound));
            while Instant::now() < moment && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(5));
            }
            if !kill(&mut child, moments.below(2) == 0) {
                break;
            }
            killed += 1;
            child = start(&home, &copy);
        }
        child.wait().unwrap();
        let last = finish(&home, &copy);
        assert_eq!(state(&home, &copy, &report(&last)), wanted, "seed {seed}");
        assert_tidy(&home, &copy);
    }
}

fn finish(home: &Home, copy: &Path) -> callboard_tests::Finished {
    let mut command = home.command("callboard");
    command.args(["run", copy.to_str().unwrap(), "--json"]);
    let last = Running::of(command).finish();
    assert_eq!(last.code, 0, "{last:?}");
    last
}

/// Kills the run as soon as it says this; answers false when it ended without saying it.
fn kill_when(home: &Home, copy: &Path, said: &str) -> bool {
    let mut command = home.command("callboard");
    command.args(["run", copy.to_str().unwrap(), "--json"]);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines.map_while(Result::ok) {
        if line.contains(said) {
            return kill(&mut child, true);
        }
    }
    child.wait().unwrap();
    false
}

#[test]
fn killed_at_each_step_it_ends_the_same() {
    let reference = work();
    let wanted = state(
        &reference.home,
        &reference.copy,
        &report(&reference.finished),
    );
    let home = Home::new();
    let (mut child, copy) = start_copy(&home);
    kill(&mut child, true);
    let moments = [
        "\"step\":\"worktree\"",
        "\"step\":\"agent\"",
        "\"step\":\"tests\"",
        "\"step\":\"commit\"",
        "\"step\":\"push\"",
        "\"step\":\"merge\"",
        "\"event\":\"done\"",
        "\"event\":\"failed\"",
        "\"step\":\"merge\"",
    ];
    for said in moments {
        assert!(kill_when(&home, &copy, said), "never said {said}");
    }
    let last = finish(&home, &copy);
    assert_eq!(state(&home, &copy, &report(&last)), wanted);
    assert_tidy(&home, &copy);
}
