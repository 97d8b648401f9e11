//! Asking another program one thing.
//! For: a question that it answers by itself, bounded in time. Not for: work; that runs in a supervised tree.

use callboard_config::Environment;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// No program that answers `--version` needs longer.
const PROBE_LIMIT: Duration = Duration::from_secs(3);
const PROBE_PAUSE: Duration = Duration::from_millis(5);

/// What a program said.
pub(super) struct Said {
    pub(super) success: bool,
    /// The first line, from standard output or else standard error.
    pub(super) text: String,
}

/// Runs a program that ends by itself, and ends it with its children when it does not.
#[expect(
    clippy::disallowed_methods,
    reason = "asking for a version needs no supervised tree, log or lease; it is bounded here"
)]
pub(super) fn probe(
    environment: &Environment,
    program: &Path,
    args: &[&str],
) -> Result<Said, String> {
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .envs(environment.for_git())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("does not start: {error}"))?;
    let success = ended(&mut child)?;
    // It has ended and a first line fits into a pipe, so reading that much can't wait for it.
    let mut text = first_line(child.stdout.take());
    if text.is_empty() {
        text = first_line(child.stderr.take());
    }
    Ok(Said { success, text })
}

fn ended(child: &mut Child) -> Result<bool, String> {
    let until = Instant::now() + PROBE_LIMIT;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if Instant::now() < until => std::thread::sleep(PROBE_PAUSE),
            Ok(None) => {
                end_group(child);
                return Err(format!(
                    "does not answer within {} s",
                    PROBE_LIMIT.as_secs()
                ));
            }
            Err(error) => return Err(format!("can't be waited for: {error}")),
        }
    }
}

fn end_group(child: &mut Child) {
    let group = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        // Gone already is as good.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// At most one read: a child of the program may keep the pipe open for ever.
fn first_line(pipe: Option<impl Read>) -> String {
    let mut buffer = [0_u8; 512];
    let read = pipe.and_then(|mut pipe| pipe.read(&mut buffer).ok());
    let text = String::from_utf8_lossy(&buffer[..read.unwrap_or(0)]).into_owned();
    let line = text.lines().find(|line| !line.trim().is_empty());
    line.unwrap_or_default()
        .trim()
        .chars()
        .filter(|c| !c.is_control())
        .collect()
}
