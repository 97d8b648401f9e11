//! For: starting the command inside the supervisor, and saying what to do when it can't be started.
//! Not for: what happens to it afterwards.

use std::{
    io::{ErrorKind, PipeReader},
    os::unix::process::CommandExt,
    process::{ChildStdin, Command, Stdio},
};

use rustix::process::Pid;

use crate::{ProcessId, Spec};

/// A running command, with our ends of its pipes.
pub(crate) struct Started {
    pub command: ProcessId,
    pub output: PipeReader,
    pub input: Option<ChildStdin>,
}

/// Starts the command in a session of its own. The error is a message for a person.
pub(crate) fn start(spec: &Spec, piped_input: bool) -> Result<Started, String> {
    if !spec.cwd.is_dir() {
        return Err(format!(
            "the working directory {} does not exist; create it or name another",
            spec.cwd.display()
        ));
    }
    let (output, writer) =
        std::io::pipe().map_err(|error| format!("no pipe for the output: {error}"))?;
    let errors = writer
        .try_clone()
        .map_err(|error| format!("no pipe for the output: {error}"))?;
    let mut command = command(spec);
    command
        .stdin(if piped_input {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(writer)
        .stderr(errors);
    let mut child = command.spawn().map_err(|error| explain(spec, &error))?;
    let pid = child.id();
    let command = ProcessId::of(pid).unwrap_or(ProcessId {
        pid,
        start_ticks: 0,
    });
    Ok(Started {
        command,
        output,
        input: child.stdin.take(),
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the supervisor's one command: the owner of the call"
)]
fn command(spec: &Spec) -> Command {
    let mut command = Command::new(&spec.program);
    command.args(&spec.args).current_dir(&spec.cwd).env_clear();
    command.envs(spec.env.iter().map(|(key, value)| (key, value)));
    own_session(&mut command, rustix::process::getpid());
    command
}

/// A session of its own keeps terminal signals away and gives the tree its own share of the processor. The death
/// signal ends the command if the supervisor itself is killed.
#[expect(
    unsafe_code,
    reason = "there is no safe way to run code between fork and exec"
)]
fn own_session(command: &mut Command, supervisor: Pid) {
    let prepare = move || {
        rustix::process::setsid()?;
        #[cfg(target_os = "linux")]
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        // It was killed before the death signal was set.
        if rustix::process::getppid() != Some(supervisor) {
            return Err(rustix::io::Errno::SRCH.into());
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls only; it neither allocates nor takes a lock. The supervisor has a single
    // thread, which lives as long as the process, so the death signal means the death of the process.
    unsafe { command.pre_exec(prepare) };
}

fn explain(spec: &Spec, error: &std::io::Error) -> String {
    let program = &spec.program;
    match error.kind() {
        ErrorKind::NotFound if program.contains('/') => format!(
            "{program} does not exist (or the interpreter in its first line does not); check the path"
        ),
        ErrorKind::NotFound => {
            let path = spec.variable("PATH").unwrap_or("");
            format!("{program} was not found in PATH={path}; install it, or give its full path")
        }
        ErrorKind::PermissionDenied => {
            format!("{program} is not executable; run `chmod +x` on it, or name a program")
        }
        _ if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
            format!(
                "{program} is not a program for this machine; a script needs a first line like `#!/bin/sh`"
            )
        }
        ErrorKind::ArgumentListTooLong => {
            format!(
                "the arguments and environment of {program} are too long; pass long text on standard input"
            )
        }
        _ => format!("{program} can't be started: {error}"),
    }
}
