//! For: naming a process so that a recycled number is never mistaken for it, finding marked processes, ending trees
//! that an earlier process of ours left behind. These calls block: run them where blocking is allowed.
//! Not for: the tree of a running [`crate::Supervised`], which its supervisor ends.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::tree::{self, Table};

/// How often a bounded wait looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// One look can miss a process that forks and exits while the look passes it; so many in a row hardly can.
const LOOKS: u32 = 5;

/// A process for as long as the machine is up: its number and when it started, because numbers are used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId {
    /// The process number.
    pub pid: u32,
    /// When it started, in clock ticks (usually 10 ms) since the machine started: field 22 of `/proc/<pid>/stat`.
    /// 0 where there is no `/proc`.
    pub start_ticks: u64,
}

impl ProcessId {
    /// This process.
    pub fn current() -> ProcessId {
        let pid = std::process::id();
        ProcessId::of(pid).unwrap_or(ProcessId {
            pid,
            start_ticks: 0,
        })
    }

    /// The process that has this number now, ended but not yet collected by its parent included.
    pub fn of(pid: u32) -> Option<ProcessId> {
        tree::entry(pid).map(|entry| entry.id)
    }

    /// Whether this very process still runs. One that has ended but was not collected (a zombie) does not.
    pub fn is_alive(&self) -> bool {
        tree::entry(self.pid).is_some_and(|entry| entry.id == *self && !entry.ended)
    }
}

/// Every live process that was started with the environment variable `key` (equal to `value`, when one is given),
/// ourselves included, as far as we may look (our own user's). An entry is what the process was started with; what it
/// changed since does not show. Other programs of ours may be at work with the same key: check the values.
///
/// Answers `(process, value)` pairs. Where there is no `/proc` the answer is empty.
pub fn processes_with_env(key: &str, value: Option<&str>) -> Vec<(ProcessId, String)> {
    let wanted = |found: &str| value.is_none_or(|value| value == found);
    let marked = |pid| {
        let found = tree::initial_variable(pid, key).filter(|found| wanted(found))?;
        let id = ProcessId::of(pid).filter(ProcessId::is_alive)?;
        // The number may have changed hands since the variable was read.
        (tree::initial_variable(pid, key).as_ref() == Some(&found)).then_some((id, found))
    };
    tree::all_numbers().filter_map(marked).collect()
}

/// Whether a process has a controlling terminal: a person's shell, not what an attempt started.
pub fn has_terminal(process: ProcessId) -> bool {
    // Field 7 of the file, the fifth after the name in brackets.
    std::fs::read_to_string(format!("/proc/{}/stat", process.pid))
        .ok()
        .and_then(|stat| {
            stat.rsplit_once(')')
                .and_then(|(_, rest)| rest.split_whitespace().nth(4)?.parse::<i64>().ok())
        })
        .is_some_and(|terminal| terminal != 0)
}

/// Every live process whose current directory is in `directory`, ourselves excluded, with that directory. It finds
/// what dropped its environment and left its session, but stayed where it was started.
pub fn processes_within(directory: &std::path::Path) -> Vec<(ProcessId, std::path::PathBuf)> {
    let inside = |pid| {
        let at = std::fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
        let id = ProcessId::of(pid).filter(ProcessId::is_alive)?;
        (pid != std::process::id() && at.starts_with(directory)).then_some((id, at))
    };
    tree::all_numbers().filter_map(inside).collect()
}

/// Ends each process and all its descendants with SIGKILL and waits, at most `within`, until they are gone. Answers
/// those of them that are still alive.
///
/// The trees are first stopped, top down, until no new process appears, so that none forks its way out. This process
/// and its ancestors are never touched; named, they come back in the answer. A process that waits to be collected by
/// its parent counts as gone.
pub fn end_processes(processes: &[ProcessId], within: Duration) -> Vec<ProcessId> {
    let deadline = Instant::now() + within;
    let spared = Table::read().line_of(std::process::id());
    let mut doomed: HashSet<ProcessId> = processes
        .iter()
        .copied()
        .filter(|id| !spared.contains(&id.pid))
        .collect();
    freeze(&mut doomed, deadline);
    loop {
        doomed.iter().for_each(|id| tree::signal(*id, Signal::KILL));
        let alive = doomed.iter().any(ProcessId::is_alive);
        if !alive || Instant::now() >= deadline {
            break;
        }
        std::thread::sleep(LOOK_AGAIN);
        doomed.extend(Table::read().below(&doomed));
    }
    doomed.extend(processes);
    let mut left: Vec<ProcessId> = doomed.into_iter().filter(ProcessId::is_alive).collect();
    left.sort_unstable();
    left
}

/// Ends every process started with `key=value` in its environment and its descendants, until several looks in a row
/// find none or `within` has passed. Answers those that are still alive; ourselves and our ancestors are left alone and
/// out of the answer.
pub fn end_marked(key: &str, value: &str, within: Duration) -> Vec<ProcessId> {
    let deadline = Instant::now() + within;
    let mut empty_looks = 0;
    loop {
        let marked = stop_marked(key, value);
        empty_looks = if marked.is_empty() {
            empty_looks + 1
        } else {
            0
        };
        if empty_looks == LOOKS || Instant::now() >= deadline {
            return marked;
        }
        end_processes(&marked, deadline.saturating_duration_since(Instant::now()));
    }
}

/// Stops each marked process the moment it is seen, newest first: one that forks and exits is gone soon after.
fn stop_marked(key: &str, value: &str) -> Vec<ProcessId> {
    let spared = Table::read().line_of(std::process::id());
    let carries_mark = |pid| tree::initial_variable(pid, key).is_some_and(|found| found == value);
    let mut numbers: Vec<u32> = tree::all_numbers().collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    numbers
        .retain(|pid| !spared.contains(pid) && tree::signal_if(*pid, Signal::STOP, carries_mark));
    numbers
        .into_iter()
        .filter_map(ProcessId::of)
        .filter(ProcessId::is_alive)
        .collect()
}

/// What is left of a tree whose supervisor is gone or does not answer: below the supervisor, the command with its
/// descendants, its session, and what carries the mark. A descendant that left the session, lost its parent and dropped
/// the mark can't be told from anybody else's process any more.
pub(crate) fn end_abandoned(
    roots: &[ProcessId],
    command: Option<ProcessId>,
    mark: Option<(&str, &str)>,
    within: Duration,
) {
    let deadline = Instant::now() + within;
    let mut doomed = roots.to_vec();
    if let Some(command) = command {
        doomed.push(command);
        doomed.extend(Table::read().session_of(command));
    }
    let mut left = end_processes(&doomed, within);
    if let Some((key, value)) = mark {
        left.extend(end_marked(
            key,
            value,
            deadline.saturating_duration_since(Instant::now()),
        ));
    }
    if !left.is_empty() {
        tracing::warn!(?left, "processes of a lost tree could not be ended");
    }
}

/// Stops the processes and everything below them, adding what is found, until a look finds nothing new.
fn freeze(doomed: &mut HashSet<ProcessId>, deadline: Instant) {
    let mut fresh: Vec<ProcessId> = doomed.iter().copied().collect();
    while !fresh.is_empty() && Instant::now() < deadline {
        fresh.iter().for_each(|id| tree::signal(*id, Signal::STOP));
        fresh = Table::read()
            .below(doomed)
            .into_iter()
            .filter(|id| !doomed.contains(id))
            .collect();
        doomed.extend(&fresh);
    }
}
