//! For: the supervisor process: one command, its output, its limits, and the end of everything below it.
//! Not for: our own process; it collects every child it has, which would steal those of an async runtime.
//!
//! One thread and one loop: wait for something, take what is there, decide. As a child subreaper it becomes the parent
//! of every orphan below it, so "no child left" (`ECHILD`) proves that the tree is gone.

use std::{
    collections::HashSet,
    io::{BufRead, IsTerminal, Read, Write},
    process::ChildStdin,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::{AsFd, OwnedFd},
    io::Errno,
    process::{Pid, Signal, WaitOptions, WaitStatus},
};

use zeroize::Zeroize;

use crate::{
    Ending, Outcome, ProcessId, Spec,
    output::Output,
    start::{self, Started},
    tree::{self, Table},
    wire::{ARGUMENT, Event, KILL, Order, TERM},
};

/// Leftovers of a command that ended by itself get at most this long after SIGTERM (lock files want removing).
const LEFTOVER_GRACE: Duration = Duration::from_secs(2);
/// What SIGKILL has not ended after this long can't be ended by us.
pub(crate) const KILL_WITHIN: Duration = Duration::from_secs(10);
/// A look around while nothing happens: ended orphans are collected this often.
const IDLE_TICK: Duration = Duration::from_secs(1);
/// A look around while the tree is ending, and where the kernel can't tell us that the command ended.
const ENDING_TICK: Duration = Duration::from_millis(5);
/// Rounds of "kill the children, collect, look at the new children" before reading the whole process table again.
const QUICK_ROUNDS: u32 = 200;

/// Runs the supervisor if this process was started as one, and then never returns. The first line of every `main` of
/// ours, before any thread or runtime exists (so not inside `#[tokio::main]`).
pub fn supervise_if_asked() {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|argument| argument == ARGUMENT)
    {
        std::process::exit(supervise());
    }
}

/// The whole life of the supervisor; the exit code says only whether it was started properly.
fn supervise() -> i32 {
    callboard_redact::guard_panics();
    let Some((order, input)) = read_order() else {
        // A parent that ended, or changed its mind, in the middle of the order is no news to anybody.
        if std::io::stdin().is_terminal() {
            eprintln!(
                "the supervisor is started by callboard itself and takes its orders from a pipe"
            );
        }
        return 2;
    };
    let Order {
        spec, mut secrets, ..
    } = order;
    secrets.iter_mut().for_each(|(_, value)| value.zeroize());
    match begin(spec, input) {
        Ok(mut supervision) => {
            report(&Event::Started {
                command: supervision.command,
            });
            supervision.run();
            report(&Event::Ended(supervision.into_ending()));
        }
        Err(message) => report(&Event::CouldNotStart { message }),
    }
    0
}

/// The order and the command's standard input. Nothing follows them before we report the start, so the buffer of
/// standard input is empty afterwards and its descriptor can be polled.
fn read_order() -> Option<(Order, Option<Vec<u8>>)> {
    let mut stdin = std::io::stdin().lock();
    let mut line = Vec::new();
    stdin.read_until(b'\n', &mut line).ok()?;
    let order: Order = serde_json::from_slice(&line).ok()?;
    line.zeroize();
    for (name, value) in order.secrets.iter() {
        // As many as our parent could register.
        callboard_redact::register(name, &callboard_redact::Secret::new(value.clone())).ok()?;
    }
    let mut input = order
        .stdin_bytes
        .map(|bytes| vec![0; usize::try_from(bytes).unwrap_or(0)]);
    if let Some(input) = &mut input {
        stdin.read_exact(input).ok()?;
    }
    Some((order, input))
}

fn begin(spec: Spec, input: Option<Vec<u8>>) -> Result<Supervision, String> {
    become_parent_of_orphans()?;
    let log = Output::open(&spec.log, spec.log_limit)?;
    let Started {
        command,
        output,
        input: pipe,
    } = start::start(&spec, input.is_some())?;
    let feed = pipe.zip(input).map(|(pipe, bytes)| Feed {
        pipe,
        bytes,
        sent: 0,
    });
    let output = OwnedFd::from(output);
    let descriptors = [
        Some(output.as_fd()),
        feed.as_ref().map(|feed| feed.pipe.as_fd()),
    ];
    for descriptor in descriptors.into_iter().flatten() {
        // Without it a full or empty pipe would stop the loop.
        rustix::io::ioctl_fionbio(descriptor, true)
            .map_err(|error| format!("a pipe can't be set up: {error}"))?;
    }
    rustix::io::ioctl_fionbio(std::io::stdin(), true)
        .map_err(|error| format!("a pipe can't be set up: {error}"))?;
    let now = Instant::now();
    Ok(Supervision {
        command,
        ended_signal: tree::raw(command.pid).and_then(|pid| tree::open_handle(pid).ok()),
        started: now,
        time_limit: spec.timeout.map(|timeout| now + timeout),
        grace: spec.grace,
        output: Some(output),
        log,
        feed,
        phase: Phase::Running,
        reason: None,
        ended: None,
        leftovers: HashSet::new(),
        survivors: 0,
    })
}

fn become_parent_of_orphans() -> Result<(), String> {
    // It fails only for a process that leads its group already, which is as good.
    let _ = rustix::process::setsid();
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|error| format!("the kernel refuses to let us adopt orphans: {error}"))?;
    Ok(())
}

/// Tells our parent. It may be gone; then nobody is interested.
fn report(event: &Event) {
    let Ok(mut line) = serde_json::to_vec(event) else {
        return;
    };
    line.push(b'\n');
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(&line).and_then(|()| stdout.flush());
}

/// What is still to be written to the command's standard input.
struct Feed {
    pipe: ChildStdin,
    bytes: Vec<u8>,
    sent: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// SIGTERM was sent.
    Asked {
        kill_at: Instant,
    },
    Killing {
        give_up_at: Instant,
    },
    Gone,
}

struct Supervision {
    command: ProcessId,
    /// Readable once the command has ended.
    ended_signal: Option<OwnedFd>,
    started: Instant,
    time_limit: Option<Instant>,
    grace: Duration,
    output: Option<OwnedFd>,
    log: Output,
    feed: Option<Feed>,
    phase: Phase,
    /// Why we ended the command, when it was us.
    reason: Option<Outcome>,
    ended: Option<(WaitStatus, Instant)>,
    leftovers: HashSet<ProcessId>,
    survivors: u32,
}

impl Supervision {
    fn run(&mut self) {
        while self.phase != Phase::Gone {
            self.wait_for_something();
            self.obey();
            self.feed_command();
            self.take_output();
            self.collect();
            self.advance();
        }
        // Here we are nobody's foster parent: the last child's end does not prove that the group is gone.
        #[cfg(not(target_os = "linux"))]
        self.signal_group(&[Signal::KILL]);
        // What the tree wrote is in the pipe by now. Whoever might still hold it is out of our reach and may write for
        // ever, so this ends too: a pipe holds 1 MiB at most.
        let _ = (0..64).all(|_| self.take_output());
    }

    /// Errors of `poll` are left to the reads that follow.
    fn wait_for_something(&self) {
        let stdin = std::io::stdin();
        let mut watched = Vec::with_capacity(4);
        if !matches!(self.phase, Phase::Killing { .. }) {
            watched.push(PollFd::new(&stdin, PollFlags::IN));
        }
        watched.extend(
            self.output
                .as_ref()
                .map(|output| PollFd::new(output, PollFlags::IN)),
        );
        watched.extend(
            self.feed
                .as_ref()
                .map(|feed| PollFd::new(&feed.pipe, PollFlags::OUT)),
        );
        watched.extend(
            self.ended_signal
                .as_ref()
                .map(|handle| PollFd::new(handle, PollFlags::IN)),
        );
        let timeout = Timespec::try_from(self.patience()).ok();
        let _ = poll(&mut watched, timeout.as_ref());
    }

    fn patience(&self) -> Duration {
        let until = |at: Instant| at.saturating_duration_since(Instant::now());
        match self.phase {
            Phase::Running if self.ended_signal.is_none() => ENDING_TICK,
            Phase::Running => self
                .time_limit
                .map_or(IDLE_TICK, |at| until(at).min(IDLE_TICK)),
            _ => ENDING_TICK,
        }
    }

    /// Orders from our parent; its end is the order to end everything now.
    fn obey(&mut self) {
        let mut orders = [0_u8; 16];
        match rustix::io::read(std::io::stdin(), &mut orders[..]) {
            Ok(0) => self.end_now(Outcome::Stopped),
            Ok(count) if orders[..count].contains(&KILL) => self.end_now(Outcome::Stopped),
            Ok(count) if orders[..count].contains(&TERM) => self.ask(Outcome::Stopped),
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.end_now(Outcome::Stopped),
        }
    }

    /// Writes what fits. A command that closed its standard input, or ended, wants no more.
    fn feed_command(&mut self) {
        let Some(feed) = &mut self.feed else { return };
        match rustix::io::write(&feed.pipe, &feed.bytes[feed.sent..]) {
            Ok(count) => feed.sent += count,
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => feed.sent = feed.bytes.len(),
        }
        if feed.sent == feed.bytes.len() {
            self.feed = None;
        }
    }

    /// Moves one buffer from the pipe to the log; whether there may be more.
    fn take_output(&mut self) -> bool {
        let Some(output) = &self.output else {
            return false;
        };
        let mut bytes = [0_u8; 64 * 1024];
        match rustix::io::read(output, &mut bytes[..]) {
            Ok(0) => self.output = None,
            Ok(count) => self.log.take(&bytes[..count]),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return false,
            Err(_) => self.output = None,
        }
        true
    }

    /// Collects every ended child, the command and adopted orphans.
    fn collect(&mut self) {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => self.note_end(pid, status),
                Ok(None) => return,
                Err(Errno::INTR) => {}
                Err(_) => return self.phase = Phase::Gone,
            }
        }
    }

    fn note_end(&mut self, pid: Pid, status: WaitStatus) {
        if tree::raw(self.command.pid) == Some(pid) && self.ended.is_none() {
            self.ended = Some((status, Instant::now()));
            self.ended_signal = None;
            self.feed = None;
        }
    }

    /// Decides what is due.
    fn advance(&mut self) {
        let now = Instant::now();
        match self.phase {
            Phase::Running if self.ended.is_some() => self.ask_leftovers(),
            Phase::Running if self.time_limit.is_some_and(|at| now >= at) => {
                self.ask(Outcome::TimedOut)
            }
            Phase::Asked { kill_at } if now >= kill_at => self.begin_killing(),
            Phase::Killing { give_up_at } if now >= give_up_at => self.give_up(),
            Phase::Killing { .. } => self.kill_all(),
            _ => {}
        }
    }

    /// Asks the tree to end, once.
    fn ask(&mut self, reason: Outcome) {
        if self.phase == Phase::Running {
            self.note_reason(reason);
            self.phase = Phase::Asked {
                kill_at: Instant::now() + self.grace,
            };
            self.signal_tree(&[Signal::TERM, Signal::CONT]);
        }
    }

    fn ask_leftovers(&mut self) {
        self.phase = Phase::Asked {
            kill_at: Instant::now() + self.grace.min(LEFTOVER_GRACE),
        };
        self.signal_tree(&[Signal::TERM, Signal::CONT]);
    }

    fn end_now(&mut self, reason: Outcome) {
        if !matches!(self.phase, Phase::Killing { .. } | Phase::Gone) {
            self.note_reason(reason);
            self.begin_killing();
        }
    }

    fn begin_killing(&mut self) {
        self.phase = Phase::Killing {
            give_up_at: Instant::now() + KILL_WITHIN,
        };
        self.kill_all();
    }

    /// The first reason counts, and none does when the command had ended before.
    fn note_reason(&mut self, reason: Outcome) {
        if self.ended.is_none() {
            self.reason.get_or_insert(reason);
        }
    }

    fn give_up(&mut self) {
        self.survivors = u32::try_from(self.descendants().len()).unwrap_or(u32::MAX);
        self.phase = Phase::Gone;
    }

    fn descendants(&self) -> Vec<ProcessId> {
        Table::read().below(&HashSet::from([ProcessId::current()]))
    }

    /// Signals every process of the tree, parents first (a stopped process acts on SIGTERM only after SIGCONT).
    fn signal_tree(&mut self, signals: &[Signal]) {
        let tree = self.descendants();
        for id in &tree {
            signals.iter().for_each(|signal| tree::signal(*id, *signal));
        }
        if self.ended.is_some() {
            self.leftovers.extend(tree);
        }
        #[cfg(not(target_os = "linux"))]
        self.signal_group(signals);
    }

    /// First the children, again and again: whoever loses its parent becomes our child, so a chain of processes that
    /// fork and exit is caught up with in microseconds. Then whatever the whole table shows.
    fn kill_all(&mut self) {
        let mut seen = HashSet::new();
        for _ in 0..QUICK_ROUNDS {
            let children = tree::children(std::process::id()).unwrap_or_default();
            let fresh: Vec<u32> = children
                .into_iter()
                .filter(|pid| seen.insert(*pid))
                .collect();
            if fresh.is_empty() {
                break;
            }
            fresh.into_iter().for_each(|pid| self.kill_child(pid));
            self.collect();
        }
        if self.phase != Phase::Gone {
            self.signal_tree(&[Signal::KILL]);
        }
    }

    /// A child of ours keeps its number until we collect it, so no other process can be hit.
    fn kill_child(&mut self, pid: u32) {
        let entry = tree::entry(pid).filter(|entry| !entry.ended);
        if let (Some(entry), Some(_)) = (entry, self.ended) {
            self.leftovers.insert(entry.id);
        }
        if let Some(pid) = tree::raw(pid) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }

    /// All that can be reached without a process table: the command's own group.
    #[cfg(not(target_os = "linux"))]
    fn signal_group(&self, signals: &[Signal]) {
        let Some(group) = tree::raw(self.command.pid) else {
            return;
        };
        for signal in signals {
            let _ = rustix::process::kill_process_group(group, *signal);
        }
    }

    fn into_ending(self) -> Ending {
        let kept = self.log.finish();
        let (exit, at) = match self.ended {
            Some((status, at)) => (exit_of(status), at),
            None => (Outcome::Stopped, Instant::now()),
        };
        let (max_rss_bytes, cpu_ms) = usage_of_children();
        Ending {
            outcome: self.reason.unwrap_or(exit),
            duration_ms: milliseconds(at - self.started),
            log_bytes: kept.log_bytes,
            dropped_bytes: kept.dropped_bytes,
            log_error: kept.error,
            leftovers_ended: u32::try_from(self.leftovers.len())
                .unwrap_or(u32::MAX)
                .saturating_sub(self.survivors),
            survivors: self.survivors,
            max_rss_bytes,
            cpu_ms,
        }
    }
}

fn exit_of(status: WaitStatus) -> Outcome {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Outcome::Exited(code),
        (None, signal) => Outcome::Signalled(signal.unwrap_or(0)),
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Largest resident set in bytes and processor time in milliseconds, of all that were collected.
fn usage_of_children() -> (Option<u64>, Option<u64>) {
    use nix::sys::resource::{UsageWho, getrusage};
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else {
        return (None, None);
    };
    // Linux counts kibibytes, macOS bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let rss = u64::try_from(usage.max_rss()).ok().map(|size| size * unit);
    let time = usage.user_time() + usage.system_time();
    let cpu = u64::try_from(time.tv_sec())
        .ok()
        .zip(u64::try_from(time.tv_usec()).ok());
    (
        rss,
        cpu.map(|(seconds, micros)| seconds * 1000 + micros / 1000),
    )
}
