//! For: a small program that prints one thing, which nobody but the caller is to see: run to its end in bounded time,
//! what it printed handed over in memory and written nowhere.
//! Not for: agents and tests, whose output is kept (see `supervised`).
//!
//! It gets a process group and no supervisor: what it starts ends with it, but a daemon with a session of its own (an
//! agent that keeps a keyring open) is meant to outlive it.

use std::{
    io::{ErrorKind, PipeReader, Read},
    os::{fd::AsFd, unix::process::CommandExt},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid},
};
use zeroize::Zeroizing;

/// The longest time between two looks at the program.
const SLICE: Duration = Duration::from_millis(20);

/// What to run. The program is looked up in the `PATH` of `env`, or is an absolute path.
#[derive(Clone)]
pub struct Asked {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// The directory it starts in.
    pub cwd: PathBuf,
    /// Its complete environment.
    pub env: Vec<(String, String)>,
    /// How long it may take; then it is killed.
    pub within: Duration,
    /// The most bytes it may print; at one more it is killed.
    pub most: usize,
}

/// Names neither arguments nor values.
impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked")
            .field("program", &self.program)
            .field("within", &self.within)
            .finish_non_exhaustive()
    }
}

/// Why there is no answer. No text holds any of what was printed.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// It can't be started.
    #[error("{0}")]
    NotStarted(String),
    /// It was killed because it took too long.
    #[error("has not ended within {} s and was killed", .0.as_secs())]
    TimedOut(Duration),
    /// It was killed because it printed too much.
    #[error("printed more than {0} bytes and was killed")]
    TooMuch(usize),
    /// It failed.
    #[error("failed ({0})")]
    Failed(ExitStatus),
    /// Its output can't be read.
    #[error("its output can't be read: {0}")]
    Output(std::io::Error),
}

/// Runs a program and answers what it printed on standard output. It finds nothing on its standard input, and what it
/// says on standard error is dropped. Blocks for at most `within` and a moment.
///
/// # Errors
/// [`NoAnswer`]; nothing of it runs then.
pub fn answer(asked: &Asked) -> Result<Zeroizing<Vec<u8>>, NoAnswer> {
    let deadline = Instant::now() + asked.within;
    let (mut child, mut output) = start(asked)?;
    // Room for all of it, so that no half of a secret is left behind where it grew.
    let mut said = Zeroizing::new(vec![0; asked.most + 1]);
    let followed = follow(&child, &mut output, &mut said, deadline, asked);
    let status = end(&mut child);
    let length = followed?;
    match status {
        Ok(status) if status.success() => {
            said.truncate(length);
            Ok(said)
        }
        Ok(status) => Err(NoAnswer::Failed(status)),
        Err(error) => Err(NoAnswer::Output(error)),
    }
}

fn start(asked: &Asked) -> Result<(Child, PipeReader), NoAnswer> {
    let (output, writer) = std::io::pipe().map_err(NoAnswer::Output)?;
    fcntl_getfl(&output)
        .and_then(|flags| fcntl_setfl(&output, flags | OFlags::NONBLOCK))
        .map_err(|errno| NoAnswer::Output(errno.into()))?;
    let child = command(asked)
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| NoAnswer::NotStarted(explain(&asked.program, &error)))?;
    Ok((child, output))
}

#[expect(
    clippy::disallowed_methods,
    reason = "this crate is the owner of children"
)]
fn command(asked: &Asked) -> Command {
    let mut command = Command::new(&asked.program);
    command
        .args(&asked.args)
        .current_dir(&asked.cwd)
        .env_clear()
        .envs(asked.env.iter().map(|(key, value)| (key, value)))
        .process_group(0);
    dies_with_us(&mut command);
    command
}

/// A kill of this process ends the program too. The death signal belongs to the thread that starts it, which is the one
/// that waits for it.
#[expect(
    unsafe_code,
    reason = "there is no safe way to run code between fork and exec"
)]
fn dies_with_us(command: &mut Command) {
    let parent = rustix::process::getpid();
    let prepare = move || {
        #[cfg(target_os = "linux")]
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // We were killed before the death signal was set.
        if rustix::process::getppid() != Some(parent) {
            return Err(rustix::io::Errno::SRCH.into());
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls only; it neither allocates nor takes a lock.
    unsafe { command.pre_exec(prepare) };
}

fn explain(program: &str, error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound if program.contains('/') => "does not exist; check the path".to_owned(),
        ErrorKind::NotFound => {
            "was not found in your PATH; install it, or give its full path".to_owned()
        }
        ErrorKind::PermissionDenied => "is not executable; run `chmod +x` on it".to_owned(),
        _ => format!("can't be started: {error}"),
    }
}

/// Reads until the program itself has ended; whoever holds its output open after that is not waited for. Answers how
/// much was printed.
fn follow(
    child: &Child,
    output: &mut PipeReader,
    said: &mut [u8],
    deadline: Instant,
    asked: &Asked,
) -> Result<usize, NoAnswer> {
    let pid = Pid::from_child(child);
    let (mut length, mut open) = (0, true);
    loop {
        // Before the look at what it printed: all of that is there when it has ended.
        let ended = has_ended(pid);
        while open {
            match output.read(&mut said[length..]) {
                Ok(0) => open = false,
                Ok(count) => length += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(NoAnswer::Output(error)),
            }
            if length > asked.most {
                return Err(NoAnswer::TooMuch(asked.most));
            }
        }
        if ended {
            return Ok(length);
        }
        if Instant::now() >= deadline {
            return Err(NoAnswer::TimedOut(asked.within));
        }
        rest(open.then_some(output));
    }
}

/// Until there is something to read, or for a moment.
fn rest(output: Option<&mut PipeReader>) {
    let Some(output) = output else {
        return std::thread::sleep(SLICE);
    };
    let time = Timespec {
        tv_sec: 0,
        tv_nsec: i64::from(SLICE.subsec_nanos()),
    };
    // Whatever it answers, it is looked again.
    let _ = poll(
        &mut [PollFd::from_borrowed_fd(output.as_fd(), PollFlags::IN)],
        Some(&time),
    );
}

fn has_ended(pid: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    !matches!(waitid(WaitId::Pid(pid), options), Ok(None))
}

/// Ends the whole group. The leader is reaped last, so that its number cannot have passed to another group.
fn end(child: &mut Child) -> std::io::Result<ExitStatus> {
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    child.wait()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ProcessId;

    fn sh(script: &str, within: Duration) -> Asked {
        Asked {
            program: "sh".to_owned(),
            args: vec!["-c".to_owned(), script.to_owned()],
            cwd: PathBuf::from("/"),
            env: vec![
                ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
                ("WORD".to_owned(), "horse".to_owned()),
            ],
            within,
            most: 16,
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    fn said(script: &str) -> Result<String, String> {
        answer(&sh(script, LONG))
            .map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_printed_is_answered_whole() {
        assert_eq!(
            said("printf 'battery %s\\n' $WORD"),
            Ok("battery horse\n".to_owned())
        );
        assert_eq!(
            said("printf 0123456789abcdef"),
            Ok("0123456789abcdef".to_owned())
        );
        assert_eq!(said("echo loud >&2; read line; exit 0"), Ok(String::new()));
        // Closed early, and still at work.
        assert_eq!(said("printf a; exec >&-; sleep 0.1"), Ok("a".to_owned()));
    }

    #[test]
    fn a_failure_tells_its_code_and_nothing_that_was_printed() {
        let told = said("echo secret; exit 3").unwrap_err();
        assert_eq!(told, "failed (exit status: 3)");
        let told = said("echo secret; kill -9 $$").unwrap_err();
        assert!(told.contains("signal: 9"), "{told}");
        let told = said("printf 0123456789abcdefg; sleep 600").unwrap_err();
        assert_eq!(told, "printed more than 16 bytes and was killed");
        assert_eq!(said("yes").unwrap_err(), told);
        let mut missing = sh("", LONG);
        missing.program = "no-such-program-anywhere".to_owned();
        let told = answer(&missing).unwrap_err().to_string();
        assert!(told.contains("not found in your PATH"), "{told}");
        missing.program = "/etc/passwd".to_owned();
        let told = answer(&missing).unwrap_err().to_string();
        assert!(told.contains("chmod +x"), "{told}");
    }

    #[test]
    fn what_takes_too_long_is_killed_with_what_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pids");
        let script = format!(
            "sleep 600 & echo $$ $! >{}; trap '' TERM; wait",
            file.display()
        );
        let told = answer(&sh(&script, Duration::from_secs(2))).unwrap_err();
        assert!(matches!(told, NoAnswer::TimedOut(_)), "{told}");
        let pids = std::fs::read_to_string(&file).unwrap();
        for pid in pids.split_whitespace() {
            let gone = || ProcessId::of(pid.parse().unwrap()).is_none_or(|it| !it.is_alive());
            let deadline = Instant::now() + LONG;
            while !gone() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
            assert!(gone(), "{pid} of {pids}");
        }
    }

    #[test]
    fn nobody_waits_for_what_keeps_the_output_open() {
        assert_eq!(said("sleep 600 & echo horse"), Ok("horse\n".to_owned()));
    }
}
