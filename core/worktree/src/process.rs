//! For: one child process, run to its end: input given, output captured with a bound, a time limit kept.
//! A helper that keeps the pipes open (an ssh master, a hook's daemon) does not hold up the answer.
//! Not for: agents and tests; those run under the console's supervisor.

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::Environment;

/// How long a process that was told to end may take before it is killed: git removes its lock files meanwhile.
const GRACE: Duration = Duration::from_secs(2);
const STDERR_LIMIT: usize = 64 * 1024;
const SLICE: Duration = Duration::from_millis(50);

pub(crate) struct Request {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) dir: PathBuf,
    pub(crate) base: Environment,
    pub(crate) remove: &'static [&'static str],
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) stdin: Input,
    pub(crate) limit: Duration,
    pub(crate) max_stdout: usize,
}

/// What the child finds on its standard input.
pub(crate) enum Input {
    Nothing,
    Bytes(Vec<u8>),
    /// A file it does not read: a lock on it lasts until the child has ended, even when we end first.
    Held(File),
}

pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

pub(crate) enum Broken {
    NotStarted(std::io::Error),
    TimedOut,
    TooMuchOutput,
    Io(std::io::Error),
}

pub(crate) fn run(mut request: Request) -> Result<Finished, Broken> {
    let deadline = Instant::now() + request.limit;
    let mut child = start(&mut request).map_err(Broken::NotStarted)?;
    let bytes = match request.stdin {
        Input::Bytes(bytes) => Some(bytes),
        _ => None,
    };
    let mut pipes = Pipes::of(&mut child, bytes, request.max_stdout);
    match pipes.follow(&mut child, deadline) {
        Ok(status) => Ok(Finished {
            status,
            stdout: pipes.out,
            stderr: pipes.err,
        }),
        Err(broken) => {
            end(&mut child);
            Err(broken)
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this crate is the owner of git processes"
)]
fn start(request: &mut Request) -> std::io::Result<Child> {
    let stdin = match std::mem::replace(&mut request.stdin, Input::Nothing) {
        Input::Nothing => Stdio::null(),
        Input::Held(file) => file.into(),
        bytes @ Input::Bytes(_) => {
            request.stdin = bytes;
            Stdio::piped()
        }
    };
    let mut command = Command::new(&request.program);
    if let Environment::Exactly(vars) = &request.base {
        command
            .env_clear()
            .envs(vars.iter().map(|(key, value)| (key, value)));
    }
    for name in request.remove {
        command.env_remove(name);
    }
    command
        .args(&request.args)
        .envs(request.env.iter().map(|(key, value)| (key, value)))
        .current_dir(&request.dir)
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: the terminal's Ctrl-C does not tear a write apart, and the limit reaches helpers too.
        .process_group(0)
        .spawn()
}

/// Ends the whole group. The leader is reaped last, so that its id cannot have passed to another group.
fn end(child: &mut Child) {
    let group = Pid::from_child(child);
    let _ = kill_process_group(group, Signal::TERM);
    let patience = Instant::now() + GRACE;
    while !has_ended(group) && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = kill_process_group(group, Signal::KILL);
    let _ = child.wait();
}

fn has_ended(pid: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    !matches!(waitid(WaitId::Pid(pid), options), Ok(None))
}

struct Pipes {
    input: Option<(ChildStdin, Vec<u8>, usize)>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    out: Vec<u8>,
    err: Vec<u8>,
    max_stdout: usize,
}

impl Pipes {
    fn of(child: &mut Child, stdin: Option<Vec<u8>>, max_stdout: usize) -> Pipes {
        let input = child
            .stdin
            .take()
            .zip(stdin)
            .map(|(pipe, bytes)| (pipe, bytes, 0));
        let pipes = Pipes {
            input,
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            out: Vec::new(),
            err: Vec::new(),
            max_stdout,
        };
        for fd in pipes.fds() {
            unblock(fd.0);
        }
        pipes
    }

    fn fds(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let input = self
            .input
            .iter()
            .map(|(pipe, ..)| (pipe.as_fd(), PollFlags::OUT));
        let stdout = self.stdout.iter().map(|pipe| (pipe.as_fd(), PollFlags::IN));
        let stderr = self.stderr.iter().map(|pipe| (pipe.as_fd(), PollFlags::IN));
        input.chain(stdout).chain(stderr).collect()
    }

    fn follow(&mut self, child: &mut Child, deadline: Instant) -> Result<ExitStatus, Broken> {
        let mut nap = Duration::from_micros(200);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Broken::TimedOut);
            }
            let open = self.stdout.is_some() || self.stderr.is_some() || self.input.is_some();
            let quiet = if open {
                self.ready_within(left.min(SLICE))? == 0
            } else {
                std::thread::sleep(nap);
                nap = (nap * 2).min(Duration::from_millis(10));
                true
            };
            // The child is asked about only when the pipes are silent, so its last words have been read by then,
            // except what came in between: the second pump takes that.
            let ended = if quiet {
                child.try_wait().map_err(Broken::Io)?
            } else {
                None
            };
            self.pump()?;
            if let Some(status) = ended {
                return Ok(status);
            }
        }
    }

    fn ready_within(&self, time: Duration) -> Result<usize, Broken> {
        let fds = self.fds();
        let mut fds: Vec<PollFd<'_>> = fds
            .into_iter()
            .map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags))
            .collect();
        let time = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(time.subsec_nanos()),
        };
        match poll(&mut fds, Some(&time)) {
            Ok(ready) => Ok(ready),
            Err(rustix::io::Errno::INTR) => Ok(1),
            Err(errno) => Err(Broken::Io(errno.into())),
        }
    }

    fn pump(&mut self) -> Result<(), Broken> {
        self.feed();
        drain(&mut self.stdout, &mut self.out, self.max_stdout + 1).map_err(Broken::Io)?;
        drain(&mut self.stderr, &mut self.err, usize::MAX).map_err(Broken::Io)?;
        if self.err.len() > 2 * STDERR_LIMIT {
            self.err.drain(..self.err.len() - STDERR_LIMIT);
        }
        if self.out.len() > self.max_stdout {
            Err(Broken::TooMuchOutput)
        } else {
            Ok(())
        }
    }

    /// A reader that goes away early is no error here: its exit code tells what happened.
    fn feed(&mut self) {
        let Some((pipe, bytes, sent)) = &mut self.input else {
            return;
        };
        loop {
            if *sent == bytes.len() {
                break;
            }
            match pipe.write(&bytes[*sent..]) {
                Ok(count) => *sent += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => break,
            }
        }
        self.input = None;
    }
}

/// Reads what is there without waiting; closes the pipe at its end.
fn drain<P: Read>(pipe: &mut Option<P>, into: &mut Vec<u8>, max: usize) -> std::io::Result<()> {
    let Some(reader) = pipe else { return Ok(()) };
    let mut chunk = [0u8; 16 * 1024];
    // At most a megabyte at a time: a child that never stops writing must still meet its time limit.
    for _ in 0..64 {
        if into.len() >= max {
            return Ok(());
        }
        match reader.read(&mut chunk) {
            Ok(0) => {
                *pipe = None;
                return Ok(());
            }
            Ok(count) => into.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn unblock(fd: BorrowedFd<'_>) {
    if let Ok(flags) = fcntl_getfl(fd) {
        let _ = fcntl_setfl(fd, flags | OFlags::NONBLOCK);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use rustix::process::{Pid, Signal, kill_process};

    use super::{Broken, Finished, Input, Request, run};
    use crate::Environment;

    fn shell(script: &str, limit: Duration) -> Request {
        Request {
            program: "sh".into(),
            args: ["-c", script].map(Into::into).to_vec(),
            dir: "/".into(),
            base: Environment::Inherit,
            remove: &[],
            env: Vec::new(),
            stdin: Input::Nothing,
            limit,
            max_stdout: 1024 * 1024,
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    fn finish(request: Request) -> Finished {
        run(request).unwrap_or_else(|_| panic!("the command did not finish"))
    }

    fn is_running(pid: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[test]
    fn input_and_output_larger_than_a_pipe_get_through() {
        let mut request = shell("cat; echo oops >&2; exit 3", LONG);
        request.stdin = Input::Bytes(vec![b'x'; 900_000]);
        let finished = finish(request);
        assert_eq!(finished.stdout.len(), 900_000);
        assert_eq!(
            (finished.status.code(), finished.stderr.as_slice()),
            (Some(3), b"oops\n".as_slice())
        );
    }

    #[test]
    fn input_nobody_reads_is_no_error() {
        let mut request = shell("exit 0", LONG);
        request.stdin = Input::Bytes(vec![b'x'; 900_000]);
        assert!(finish(request).status.success());
    }

    #[test]
    fn a_helper_that_keeps_the_pipes_does_not_hold_up_the_answer() {
        let started = Instant::now();
        let finished = finish(shell("sleep 600 & echo $!", Duration::from_secs(300)));
        assert!(started.elapsed() < Duration::from_secs(100));
        let pid: i32 = String::from_utf8(finished.stdout)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }

    #[test]
    fn the_limit_ends_the_whole_group() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().display().to_string();
        let script = format!("trap '' TERM; sleep 600 & echo $! >{path}; echo x; wait; sleep 600");
        assert!(matches!(
            run(shell(&script, Duration::from_millis(700))),
            Err(Broken::TimedOut)
        ));
        let pid = std::fs::read_to_string(&path).unwrap();
        assert!(!pid.is_empty());
        let patience = Instant::now() + LONG;
        while is_running(&pid) && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!is_running(&pid));
    }

    #[test]
    fn endless_output_is_stopped() {
        assert!(matches!(
            run(shell("cat /dev/zero", LONG)),
            Err(Broken::TooMuchOutput)
        ));
        let noisy = finish(shell("head -c 3000000 /dev/zero >&2", LONG));
        assert!(noisy.stderr.len() < 200_000);
    }
}
