//! For: our end of a supervised command: starting the supervisor, asking it to stop, learning how things ended.
//! Not for: signalling the tree ourselves, as long as its supervisor lives.
//!
//! A background task of the runtime owns the supervisor process: it waits for it whatever becomes of the handle, so no
//! zombie is left, and it never waits without a bound once an end is due.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use zeroize::{Zeroize, Zeroizing};

use crate::{
    Ending, Outcome, ProcessId, Spec, Stop,
    process::end_abandoned,
    relearn,
    supervisor::KILL_WITHIN,
    wire::{ARGUMENT, Event, KILL, Order, TERM},
};

/// The one variable of the command's environment that the supervisor carries too, so that a search for leftovers by
/// environment finds the whole tree.
const MARK: &str = "CALLBOARD_ATTEMPT";
/// A supervisor that has not started its command after this long never will (a loaded machine included).
const START_WITHIN: Duration = Duration::from_secs(30);
/// What the supervisor may need over the grace it was given: its own bound for SIGKILL, and the rest of the output.
const SLACK: Duration = KILL_WITHIN.saturating_add(Duration::from_secs(15));
/// Without a deadline: as good as never.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Why a command did not start.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The program that is to act as supervisor can't be started.
    #[error("the supervisor {} can't be started: {source}; is the program still installed there?", exe.display())]
    Supervisor {
        /// The program.
        exe: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The program started and did not act as supervisor.
    #[error("{} did not act as supervisor; its main must call supervise_if_asked() first", exe.display())]
    NotASupervisor {
        /// The program.
        exe: PathBuf,
    },
    /// The supervisor did not answer in time and was ended.
    #[error(
        "the supervisor did not answer within {within:?}; the machine may be overloaded: try again"
    )]
    SupervisorSilent {
        /// How long we waited.
        within: Duration,
    },
    /// The command can't be started: missing, not executable, no working directory, no log.
    #[error("{message}")]
    CouldNotStart {
        /// What is wrong and what to do.
        message: String,
    },
    /// The specification makes no sense.
    #[error("{0}")]
    BadSpec(String),
}

/// A running command and everything it starts. Dropping it ends the whole tree at once, as does our own death.
#[derive(Debug)]
pub struct Supervised {
    command: ProcessId,
    supervisor: Option<ProcessId>,
    stops: mpsc::UnboundedSender<Stop>,
    ending: watch::Receiver<Option<Ending>>,
}

/// The program to pass to [`spawn`]: ourselves. On Linux it is the very binary that runs, even after an upgrade put
/// another one in its place.
///
/// # Errors
/// The system can't say which program runs (not on Linux).
pub fn this_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        Ok(PathBuf::from("/proc/self/exe"))
    } else {
        std::env::current_exe()
    }
}

/// Starts a command under a supervisor of its own: `supervisor_exe` is a program whose `main` begins with
/// [`crate::supervise_if_asked`], usually [`this_program`]. Needs a tokio runtime with I/O and time enabled. Dropping
/// the future ends what was started.
///
/// # Errors
/// The supervisor or the command can't be started. Nothing runs then.
pub async fn spawn(supervisor_exe: &Path, spec: Spec) -> Result<Supervised, ConsoleError> {
    check(&spec)?;
    let mut child = supervisor(supervisor_exe, &spec)
        .spawn()
        .map_err(|source| ConsoleError::Supervisor {
            exe: supervisor_exe.to_owned(),
            source,
        })?;
    let supervisor = child.id().and_then(ProcessId::of);
    let not_piped = || ConsoleError::NotASupervisor {
        exe: supervisor_exe.to_owned(),
    };
    let orders = child.stdin.take().ok_or_else(not_piped)?;
    let events = BufReader::new(child.stdout.take().ok_or_else(not_piped)?).lines();
    let (stops, wanted) = mpsc::unbounded_channel();
    let (start, started) = oneshot::channel();
    let (tell, ending) = watch::channel(None);
    let keeper = Keeper {
        exe: supervisor_exe.to_owned(),
        mark: spec.variable(MARK).map(str::to_owned),
        log_before: log_length(&spec.log),
        known: 0,
        started: Instant::now(),
        deadline: None,
        command: None,
        supervisor,
        child,
        orders: Some(orders),
        events,
        wanted,
        spec,
    };
    tokio::spawn(keeper.keep(start, tell));
    let command = started.await.unwrap_or_else(|_| Err(not_piped()))?;
    Ok(Supervised {
        command,
        supervisor,
        stops,
        ending,
    })
}

impl Supervised {
    /// The command's process number. It leads its own session and process group.
    pub fn pid(&self) -> u32 {
        self.command.pid
    }

    /// The command.
    pub fn process(&self) -> ProcessId {
        self.command
    }

    /// Its supervisor; `None` where it was gone before it could be looked at.
    pub fn supervisor(&self) -> Option<ProcessId> {
        self.supervisor
    }

    /// Waits until the whole tree has ended. May be dropped and called again, and answers the same ever after.
    pub async fn wait(&mut self) -> Ending {
        match self.ending.wait_for(Option::is_some).await {
            Ok(ending) => ending.clone().unwrap_or_else(|| lost(0, 0)),
            // The runtime is shutting down and took the keeper with it; the closed pipe ends the tree.
            Err(_) => lost(0, 0),
        }
    }

    /// Stops the tree and waits until it has ended. A dropped call has still asked; asking again may only hasten.
    pub async fn stop(&mut self, how: Stop) -> Ending {
        // A closed channel means that it has ended already.
        let _ = self.stops.send(how);
        self.wait().await
    }
}

/// What a pipe or an `exec` would refuse, in words.
fn check(spec: &Spec) -> Result<(), ConsoleError> {
    let refuse = |message: String| Err(ConsoleError::BadSpec(message));
    for path in [&spec.cwd, &spec.log] {
        if !path.is_absolute() || path.to_str().is_none() {
            return refuse(format!(
                "{} must be an absolute path in UTF-8",
                path.display()
            ));
        }
    }
    if let Some((name, _)) = spec
        .env
        .iter()
        .find(|(name, _)| name.is_empty() || name.contains(['=', '\0']))
    {
        return refuse(format!(
            "{name:?} can't be the name of an environment variable"
        ));
    }
    if let Some((name, _)) = spec.env.iter().find(|(_, value)| value.contains('\0')) {
        return refuse(format!("the value of {name} holds a NUL byte; remove it"));
    }
    if spec.program.is_empty()
        || spec.program.contains('\0')
        || spec.args.iter().any(|arg| arg.contains('\0'))
    {
        return refuse(
            "the command is empty or holds a NUL byte; name a program and plain arguments"
                .to_owned(),
        );
    }
    Ok(())
}

/// Its standard error is ours, so that a panic there is seen.
#[expect(
    clippy::disallowed_methods,
    reason = "the owner of supervised trees starts their supervisors"
)]
fn supervisor(exe: &Path, spec: &Spec) -> Command {
    let mut command = Command::new(exe);
    command
        .arg(ARGUMENT)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    for name in ["PATH", MARK] {
        command.envs(spec.variable(name).map(|value| (name, value)));
    }
    command
}

fn log_length(log: &Path) -> u64 {
    std::fs::metadata(log).map_or(0, |metadata| metadata.len())
}

fn lost(duration_ms: u64, log_bytes: u64) -> Ending {
    Ending {
        outcome: Outcome::SupervisorLost,
        duration_ms,
        log_bytes,
        dropped_bytes: 0,
        log_error: None,
        leftovers_ended: 0,
        survivors: 0,
        max_rss_bytes: None,
        cpu_ms: None,
    }
}

/// Owns the supervisor process until it has been waited for.
struct Keeper {
    exe: PathBuf,
    spec: Spec,
    mark: Option<String>,
    log_before: u64,
    /// How many values the supervisor takes out of the log; there are never fewer.
    known: usize,
    started: Instant,
    /// When the tree must have ended; after it the supervisor counts as lost.
    deadline: Option<tokio::time::Instant>,
    command: Option<ProcessId>,
    supervisor: Option<ProcessId>,
    child: Child,
    /// Closing it ends the tree.
    orders: Option<ChildStdin>,
    events: Lines<BufReader<ChildStdout>>,
    wanted: mpsc::UnboundedReceiver<Stop>,
}

type Start = oneshot::Sender<Result<ProcessId, ConsoleError>>;

impl Keeper {
    async fn keep(mut self, mut start: Start, tell: watch::Sender<Option<Ending>>) {
        let begun = tokio::select! {
            begun = timeout(START_WITHIN, self.begin()) => {
                begun.unwrap_or(Err(ConsoleError::SupervisorSilent { within: START_WITHIN }))
            }
            // Nobody waits for the start any more.
            () = start.closed() => Err(ConsoleError::CouldNotStart { message: "abandoned".to_owned() }),
        };
        match begun {
            Ok(command) => {
                self.command = Some(command);
                // If nobody listens any more, the stop channel is closed too, and following ends the tree.
                let _ = start.send(Ok(command));
                let mut ending = self.follow().await;
                self.let_go().await;
                self.take_out_later_values(&mut ending).await;
                tell.send_replace(Some(ending));
            }
            Err(error) => {
                self.let_go().await;
                let _ = start.send(Err(error));
            }
        }
    }

    /// Hands the order over and waits for the command's start.
    async fn begin(&mut self) -> Result<ProcessId, ConsoleError> {
        let sent = self.hand_over().await;
        let line = self.events.next_line().await.ok().flatten();
        let not_a_supervisor = ConsoleError::NotASupervisor {
            exe: self.exe.clone(),
        };
        match line.and_then(|line| serde_json::from_str(&line).ok()) {
            Some(Event::Started { command }) => {
                sent.map_err(|_| not_a_supervisor)?;
                self.deadline = self
                    .spec
                    .timeout
                    .map(|limit| from_now(limit.saturating_add(self.spec.grace)));
                Ok(command)
            }
            Some(Event::CouldNotStart { message }) => Err(ConsoleError::CouldNotStart { message }),
            Some(Event::Ended(_)) | None => Err(not_a_supervisor),
        }
    }

    async fn hand_over(&mut self) -> io::Result<()> {
        let Some(orders) = &mut self.orders else {
            return Ok(());
        };
        let input = self.spec.stdin.take();
        let stdin_bytes = input.as_ref().map(|bytes| bytes.len() as u64);
        let used = callboard_redact::registered();
        self.known = used.len();
        let mut order = Order {
            spec: self.spec.clone(),
            stdin_bytes,
            secrets: used
                .iter()
                .map(|used| (used.name.clone(), used.value.expose().to_owned()))
                .collect(),
        };
        let mut line = Zeroizing::new(serde_json::to_vec(&order)?);
        line.push(b'\n');
        order
            .secrets
            .iter_mut()
            .for_each(|(_, value)| value.zeroize());
        order.spec.forget_values();
        self.spec.forget_values();
        orders.write_all(&line).await?;
        orders.write_all(&input.unwrap_or_default()).await?;
        orders.flush().await
    }

    /// Until the supervisor reports the end, is gone, or is overdue.
    async fn follow(&mut self) -> Ending {
        loop {
            let overdue = self
                .deadline
                .unwrap_or_else(|| tokio::time::Instant::now() + NEVER);
            tokio::select! {
                line = self.events.next_line() => match line.ok().flatten().map(|line| serde_json::from_str(&line)) {
                    Some(Ok(Event::Ended(ending))) => return ending,
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return self.end_without_supervisor().await,
                },
                how = self.wanted.recv(), if self.orders.is_some() => self.pass_on(how).await,
                () = tokio::time::sleep_until(overdue) => return self.end_without_supervisor().await,
            }
        }
    }

    /// `None`: the handle was dropped.
    async fn pass_on(&mut self, how: Option<Stop>) {
        let (order, grace) = match how {
            Some(Stop::Graceful) => (Some(TERM), self.spec.grace),
            Some(Stop::Now) => (Some(KILL), Duration::ZERO),
            None => (None, Duration::ZERO),
        };
        let due = from_now(grace);
        self.deadline = Some(self.deadline.map_or(due, |earlier| earlier.min(due)));
        match (&mut self.orders, order) {
            // One byte into an empty pipe; an error means that the supervisor is gone, which its output tells too.
            (Some(orders), Some(order)) => drop(orders.write_all(&[order]).await),
            _ => self.orders = None,
        }
    }

    async fn end_without_supervisor(&mut self) -> Ending {
        tracing::warn!(command = ?self.command, "the supervisor is lost; ending what is left of its tree");
        let roots: Vec<ProcessId> = self.supervisor.into_iter().collect();
        self.end_tree(roots).await;
        let log_bytes = log_length(&self.spec.log).saturating_sub(self.log_before);
        lost(
            u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            log_bytes,
        )
    }

    /// What came to be known while the command ran.
    async fn take_out_later_values(&self, ending: &mut Ending) {
        if callboard_redact::registered().len() == self.known {
            return;
        }
        let (log, from) = (self.spec.log.clone(), self.log_before);
        let cleaned = tokio::task::spawn_blocking(move || relearn::clean(&log, from));
        match cleaned
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
        {
            Ok(length) => ending.log_bytes = length.saturating_sub(self.log_before),
            Err(error) => tracing::warn!(
                log = %self.spec.log.display(), %error,
                "a secret was added while this log was written, and the log can't be looked through: look yourself"
            ),
        }
    }

    async fn end_tree(&self, roots: Vec<ProcessId>) {
        let (command, mark) = (self.command, self.mark.clone());
        let ended = tokio::task::spawn_blocking(move || {
            end_abandoned(
                &roots,
                command,
                mark.as_deref().map(|mark| (MARK, mark)),
                KILL_WITHIN,
            );
        });
        let _ = ended.await;
    }

    /// Closes the pipe and waits for the supervisor, so that no zombie stays; one that does not go is ended.
    async fn let_go(&mut self) {
        self.orders = None;
        if timeout(SLACK, self.child.wait()).await.is_err() {
            self.end_tree(self.supervisor.into_iter().collect()).await;
            let _ = timeout(SLACK, self.child.wait()).await;
        }
    }
}

fn from_now(expected: Duration) -> tokio::time::Instant {
    tokio::time::Instant::now() + expected.saturating_add(SLACK).min(NEVER)
}
