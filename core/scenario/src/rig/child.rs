//! A process with a group of its own, which is ended when nobody holds it any more.

use crate::values::Wrong;
use rustix::process::{Pid, Signal};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::{Mutex as AsyncMutex, watch};

/// How much of what a process writes is kept.
const KEPT: usize = 1 << 20;
/// How long what is asked to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(3);

/// What to start.
#[derive(Debug)]
pub(crate) struct Spawn {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) cwd: PathBuf,
}

/// Who reads the process's standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pipes {
    /// The caller: it is the protocol.
    Protocol,
    /// Nobody: it is kept.
    Kept,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
}

impl Ended {
    pub(crate) fn told(self) -> String {
        match (self.code, self.signal) {
            (Some(code), _) => format!("ended with code {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended".to_owned(),
        }
    }
}

/// The end of what a process wrote.
#[derive(Debug)]
pub(crate) struct Tail {
    text: Mutex<String>,
    changed: watch::Sender<()>,
}

impl Tail {
    fn new() -> Tail {
        Tail {
            text: Mutex::new(String::new()),
            changed: watch::Sender::new(()),
        }
    }

    pub(crate) fn text(&self) -> String {
        self.text
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn add(&self, bytes: &[u8]) {
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(&String::from_utf8_lossy(bytes));
        if text.len() > KEPT {
            // Before it is cut: half a secret is not found any more.
            callboard_redact::scrub_in_place(&mut text);
            let cut = text.len().saturating_sub(KEPT / 2);
            let cut = (cut..).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.drain(..cut);
        }
        drop(text);
        self.changed.send_replace(());
    }

    /// Waits until the text fits; the caller bounds the wait.
    pub(crate) async fn wait_for(&self, pattern: &regex::Regex) -> BTreeMap<String, String> {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(found) = pattern.captures(&self.text()) {
                return pattern
                    .capture_names()
                    .flatten()
                    .filter_map(|name| {
                        Some((name.to_owned(), found.name(name)?.as_str().to_owned()))
                    })
                    .collect();
            }
            // The sender lives as long as we do.
            let _ = changed.changed().await;
        }
    }
}

/// A process, its pipes and its end.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) stderr: Arc<Tail>,
    pub(crate) stdout: Arc<Tail>,
    pub(crate) stdin: AsyncMutex<Option<ChildStdin>>,
    group: Pid,
    ended: watch::Receiver<Option<Ended>>,
}

impl Child {
    /// Starts it; with [`Pipes::Protocol`] the caller reads its standard output.
    pub(crate) fn start(what: Spawn, pipes: Pipes) -> Result<(Child, Option<ChildStdout>), Wrong> {
        let mut child = command(&what).spawn().map_err(|error| {
            let hint = match error.kind() {
                std::io::ErrorKind::NotFound => {
                    "; install it, name it with its whole path, or correct `cwd`"
                }
                std::io::ErrorKind::PermissionDenied => "; make it executable",
                _ => "",
            };
            format!("{} can't be started: {error}{hint}", what.program.display())
        })?;
        let group = child
            .id()
            .and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?))
            .ok_or("the process had no number")?;
        let (stdout, stderr) = (Arc::new(Tail::new()), Arc::new(Tail::new()));
        let mut readers = Vec::new();
        if let Some(errors) = child.stderr.take() {
            readers.push(tokio::spawn(keep(errors, Arc::clone(&stderr))));
        }
        let mut protocol = child.stdout.take();
        if pipes == Pipes::Kept
            && let Some(output) = protocol.take()
        {
            readers.push(tokio::spawn(keep(output, Arc::clone(&stdout))));
        }
        let stdin = AsyncMutex::new(child.stdin.take());
        let (tell, ended) = watch::channel(None);
        tokio::spawn(async move {
            let status = child.wait().await.ok();
            // What it wrote last should be there when its end is known; a grandchild may hold the pipe for longer.
            for reader in readers {
                let _ = tokio::time::timeout(Duration::from_millis(200), reader).await;
            }
            tell.send_replace(Some(Ended {
                code: status.and_then(|status| status.code()),
                signal: status
                    .and_then(|status| std::os::unix::process::ExitStatusExt::signal(&status)),
            }));
        });
        let child = Child {
            stderr,
            stdout,
            stdin,
            group,
            ended,
        };
        Ok((child, protocol))
    }

    /// How it ended, if it has.
    pub(crate) fn has_ended(&self) -> Option<Ended> {
        *self.ended.borrow()
    }

    /// Waits for its end; the caller bounds the wait.
    pub(crate) async fn wait(&self) -> Ended {
        let mut ended = self.ended.clone();
        let end = ended
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|end| *end);
        end.unwrap_or(Ended {
            code: None,
            signal: None,
        })
    }

    /// Sends a signal to its whole group.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.has_ended().is_none() {
            let _ = rustix::process::kill_process_group(self.group, signal);
        }
    }

    /// Closes its input and waits, then asks, then kills: at most twice the grace.
    pub(crate) async fn end(&self) -> Ended {
        self.stdin.lock().await.take();
        self.signal(Signal::CONT);
        if let Ok(ended) = tokio::time::timeout(GRACE, self.wait()).await {
            return ended;
        }
        self.signal(Signal::TERM);
        if let Ok(ended) = tokio::time::timeout(GRACE, self.wait()).await {
            return ended;
        }
        self.signal(Signal::KILL);
        self.wait().await
    }

    /// As [`Child::end`], for a process that does not end with its input.
    pub(crate) async fn stop(&self) -> Ended {
        self.signal(Signal::CONT);
        self.signal(Signal::TERM);
        if let Ok(ended) = tokio::time::timeout(GRACE, self.wait()).await {
            return ended;
        }
        self.signal(Signal::KILL);
        self.wait().await
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this crate imports no console of ours; its children are owned here, as groups that end with their owner"
)]
fn command(what: &Spawn) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(&what.program);
    command
        .args(&what.args)
        .env_clear()
        .envs(&what.env)
        .current_dir(&what.cwd)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

async fn keep(mut from: impl AsyncRead + Unpin, tail: Arc<Tail>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        tail.add(&buffer[..read]);
    }
}
