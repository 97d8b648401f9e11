//! For: what the kernel says about processes and their parents, and signals that can't hit a recycled number.
//! Not for: deciding whom to end.
//!
//! Without `/proc` (any unix but Linux) nothing is seen beyond whether a process number exists: descendants that leave
//! the command's process group are then not found.

use std::collections::HashSet;

use rustix::{
    io::Errno,
    process::{Pid, Signal},
};

use crate::ProcessId;

/// One process at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub id: ProcessId,
    parent: u32,
    session: u32,
    /// It has ended and waits to be collected by its parent.
    pub ended: bool,
}

/// All processes, each read at a slightly different moment.
pub(crate) struct Table(Vec<Entry>);

impl Table {
    pub(crate) fn read() -> Table {
        Table(all_numbers().filter_map(entry).collect())
    }

    /// The live descendants of these processes, parents before children.
    pub(crate) fn below(&self, roots: &HashSet<ProcessId>) -> Vec<ProcessId> {
        let mut seen: HashSet<u32> = self
            .0
            .iter()
            .filter(|entry| roots.contains(&entry.id))
            .map(|entry| entry.id.pid)
            .collect();
        let mut found = Vec::new();
        loop {
            let before = found.len();
            for entry in &self.0 {
                if seen.contains(&entry.parent) && seen.insert(entry.id.pid) {
                    found.push(*entry);
                }
            }
            if found.len() == before {
                return found
                    .iter()
                    .filter(|entry| !entry.ended)
                    .map(|entry| entry.id)
                    .collect();
            }
        }
    }

    /// The numbers of a process and all its ancestors.
    pub(crate) fn line_of(&self, pid: u32) -> HashSet<u32> {
        let mut line = HashSet::from([1, pid]);
        let mut at = pid;
        while let Some(entry) = self.0.iter().find(|entry| entry.id.pid == at) {
            if !line.insert(entry.parent) {
                break;
            }
            at = entry.parent;
        }
        line
    }

    /// The live members of the session that this process leads or led.
    pub(crate) fn session_of(&self, leader: ProcessId) -> Vec<ProcessId> {
        let recycled = self
            .0
            .iter()
            .any(|entry| entry.id.pid == leader.pid && entry.id != leader);
        let members = self
            .0
            .iter()
            .filter(|entry| !recycled && !entry.ended && entry.session == leader.pid);
        members.map(|entry| entry.id).collect()
    }
}

/// The numbers of all processes, lowest first, each looked up when it is asked for.
pub(crate) fn all_numbers() -> impl Iterator<Item = u32> {
    numbers("/proc")
}

/// What `/proc/<pid>/stat` says.
#[cfg(target_os = "linux")]
pub(crate) fn entry(pid: u32) -> Option<Entry> {
    parse_stat(pid, &std::fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// Only whether the number is in use.
#[cfg(not(target_os = "linux"))]
pub(crate) fn entry(pid: u32) -> Option<Entry> {
    let raw = Pid::from_raw(i32::try_from(pid).ok()?)?;
    let exists = !matches!(rustix::process::test_kill_process(raw), Err(Errno::SRCH));
    exists.then_some(Entry {
        id: ProcessId {
            pid,
            start_ticks: 0,
        },
        parent: 0,
        session: 0,
        ended: false,
    })
}

/// The command's name, field 2, may hold spaces and brackets, so counting starts behind the last `)`.
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "there is no /proc")
)]
fn parse_stat(pid: u32, stat: &[u8]) -> Option<Entry> {
    let behind_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let fields: Vec<&str> = std::str::from_utf8(&stat[behind_name..])
        .ok()?
        .split_ascii_whitespace()
        .collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let gone = matches!(*fields.first()?, "Z" | "X" | "x");
    Some(Entry {
        id: ProcessId {
            pid,
            start_ticks: number(22)?,
        },
        parent: u32::try_from(number(4)?).ok()?,
        session: u32::try_from(number(6)?).ok()?,
        // A main thread that ended before the others looks like a zombie, and the process lives on.
        ended: gone && number(20)? <= 1,
    })
}

/// The value of a variable in the environment that a process was started with.
pub(crate) fn initial_variable(pid: u32, key: &str) -> Option<String> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let value = environment.split(|byte| *byte == 0).find_map(|entry| {
        let value = entry.strip_prefix(key.as_bytes())?;
        value.strip_prefix(b"=")
    })?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// Children of one process as the kernel lists them: much faster than reading every process, but the list may lack
/// some while others end. `None` where the kernel has no such list.
pub(crate) fn children(pid: u32) -> Option<Vec<u32>> {
    let mut found = Vec::new();
    for thread in numbers(&format!("/proc/{pid}/task")) {
        let list = std::fs::read_to_string(format!("/proc/{pid}/task/{thread}/children")).ok()?;
        found.extend(
            list.split_ascii_whitespace()
                .filter_map(|child| child.parse::<u32>().ok()),
        );
    }
    Some(found)
}

/// Sends a signal to this very process, never to another one that was given its number. Failure is not reported: it
/// has ended, or is not ours to signal, and the caller looks again anyway.
pub(crate) fn signal(id: ProcessId, signal: Signal) {
    signal_if(id.pid, signal, |pid| ProcessId::of(pid) == Some(id));
}

/// Sends a signal to the process that has this number now, if the condition holds for it; answers whether it does.
pub(crate) fn signal_if(pid: u32, signal: Signal, condition: impl FnOnce(u32) -> bool) -> bool {
    let Some(raw) = raw(pid) else { return false };
    // The handle comes before the check: if the number changes hands between them, the signal goes nowhere.
    let handle = open_handle(raw);
    let holds = !matches!(handle, Err(Errno::SRCH)) && condition(pid);
    match handle {
        Ok(handle) if holds => send(&handle, signal),
        // An older kernel or a strict sandbox: a recycled number is then only unlikely.
        Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) if holds => {
            let _ = rustix::process::kill_process(raw, signal);
        }
        _ => {}
    }
    holds
}

pub(crate) fn raw(pid: u32) -> Option<Pid> {
    i32::try_from(pid)
        .ok()
        .filter(|pid| *pid > 1)
        .and_then(Pid::from_raw)
}

/// A handle that becomes readable when the process ends.
#[cfg(target_os = "linux")]
pub(crate) fn open_handle(pid: Pid) -> Result<rustix::fd::OwnedFd, Errno> {
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())
}

#[cfg(target_os = "linux")]
fn send(handle: &rustix::fd::OwnedFd, signal: Signal) {
    let _ = rustix::process::pidfd_send_signal(handle, signal);
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn open_handle(_pid: Pid) -> Result<rustix::fd::OwnedFd, Errno> {
    Err(Errno::NOSYS)
}

#[cfg(not(target_os = "linux"))]
fn send(_handle: &rustix::fd::OwnedFd, _signal: Signal) {}

/// The names in a directory that are numbers.
fn numbers(directory: &str) -> impl Iterator<Item = u32> + use<> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_brackets_does_not_shift_the_fields() {
        let stat = b"42 (a) R (b) S 7 42 9 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 3 0 123456 1 1";
        let entry = parse_stat(42, stat).unwrap();
        assert_eq!(
            (
                entry.id.start_ticks,
                entry.parent,
                entry.session,
                entry.ended
            ),
            (123_456, 7, 9, false)
        );
    }

    #[test]
    fn a_process_ended_only_when_its_last_thread_has() {
        let stat =
            |threads: u32| format!("42 (x) Z 7 42 9 0 -1 0 1 0 0 0 0 0 0 0 20 0 {threads} 0 5 1 1");
        assert!(parse_stat(42, stat(1).as_bytes()).unwrap().ended);
        assert!(!parse_stat(42, stat(2).as_bytes()).unwrap().ended);
    }

    #[test]
    fn a_torn_line_is_no_process() {
        assert!(parse_stat(42, b"42 (x").is_none());
        assert!(parse_stat(42, b"42 (x) S 7").is_none());
    }

    fn entry_of(pid: u32, parent: u32) -> Entry {
        Entry {
            id: ProcessId {
                pid,
                start_ticks: 1,
            },
            parent,
            session: 0,
            ended: false,
        }
    }

    #[test]
    fn descendants_are_found_whatever_the_order_of_numbers() {
        let table = Table(vec![
            entry_of(3, 9),
            entry_of(4, 3),
            entry_of(9, 20),
            entry_of(20, 1),
            entry_of(21, 1),
        ]);
        let below = table.below(&HashSet::from([ProcessId {
            pid: 20,
            start_ticks: 1,
        }]));
        assert_eq!(below.iter().map(|id| id.pid).collect::<Vec<_>>(), [9, 3, 4]);
        assert_eq!(table.line_of(4), HashSet::from([1, 3, 4, 9, 20]));
    }

    #[test]
    fn a_recycled_root_has_no_descendants() {
        let table = Table(vec![entry_of(20, 1), entry_of(21, 20)]);
        assert!(
            table
                .below(&HashSet::from([ProcessId {
                    pid: 20,
                    start_ticks: 99
                }]))
                .is_empty()
        );
    }
}
