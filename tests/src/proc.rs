//! Looking at processes from outside.

use std::time::{Duration, Instant};

/// Whether a process exists and is no zombie.
#[must_use]
pub fn alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| {
            stat.rsplit_once(')')
                .map(|(_, rest)| rest.trim_start().chars().next())
        })
        .flatten()
        .is_some_and(|state| state != 'Z')
}

/// Processes whose initial environment contains this text.
#[must_use]
pub fn marked_processes(text: &str) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != std::process::id() && alive(*pid))
        .filter(|pid| {
            std::fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|environ| String::from_utf8_lossy(&environ).contains(text))
        })
        .collect()
}

/// Waits until `done`, at most `limit`. Answers whether it came.
pub fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if done() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// Memory, in kilobytes.
    pub resident_kb: u64,
    /// Descriptors: files, sockets, pipes.
    pub open_files: usize,
    /// Threads.
    pub threads: u64,
}

impl Footprint {
    /// What it holds now.
    ///
    /// # Panics
    /// When there is no such process.
    #[must_use]
    pub fn of(pid: u32) -> Footprint {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
        let number = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            let digits = line.and_then(|line| line.split_whitespace().nth(1));
            digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
        };
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it is ours");
        Footprint {
            resident_kb: number("VmRSS:"),
            open_files: files.count(),
            threads: number("Threads:"),
        }
    }
}
