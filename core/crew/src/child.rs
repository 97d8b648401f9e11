//! Running an agent or a test command under the supervisor, with its output in a log.

use crate::error::CrewError;
use crate::project::Project;
use callboard_console::{Ending, Outcome, Spec, Stop};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The most that one log holds; the rest is counted, and its end kept.
pub(crate) const LOG_LIMIT: u64 = 16 * 1024 * 1024;
/// How long a child has to end after it was asked to.
const GRACE: Duration = Duration::from_secs(2);

/// A command to run for an attempt.
pub(crate) struct Job<'a> {
    pub(crate) argv: &'a [String],
    pub(crate) cwd: &'a Path,
    pub(crate) log: PathBuf,
    pub(crate) stdin: Option<Vec<u8>>,
    pub(crate) timeout: Duration,
    pub(crate) pass_env: &'a [String],
    /// Variables from the agent's configuration; they win over the task's.
    pub(crate) own_env: Vec<(String, String)>,
    pub(crate) task_env: &'a BTreeMap<String, String>,
    pub(crate) marks: Vec<(String, String)>,
}

/// How a command ended.
pub(crate) enum Ended {
    /// By itself, or by its time limit.
    Itself(Ending),
    /// Because work was stopped.
    Stopped,
}

impl Project {
    /// Runs a command to its end, its time limit, or `stop`.
    pub(crate) async fn run_child(
        &self,
        job: Job<'_>,
        stop: &CancellationToken,
    ) -> Result<Ended, CrewError> {
        let mut env = self.environment.for_agent(job.pass_env, job.task_env)?;
        // The last of two variables of one name counts: a task can't send a secret elsewhere.
        env.retain(|(name, _)| job.own_env.iter().all(|(own, _)| own != name));
        env.extend(job.own_env);
        env.extend(job.marks);
        let (program, args) = job
            .argv
            .split_first()
            .ok_or_else(|| CrewError::refused("the command is empty", "name a program"))?;
        let spec = Spec {
            program: program.clone(),
            args: args.to_vec(),
            cwd: job.cwd.to_path_buf(),
            env,
            stdin: job.stdin,
            log: job.log,
            log_limit: LOG_LIMIT,
            timeout: Some(job.timeout),
            grace: GRACE,
        };
        let mut child = callboard_console::spawn(&self.supervisor, spec).await?;
        tokio::select! {
            ending = child.wait() => Ok(Ended::Itself(ending)),
            () = stop.cancelled() => {
                child.stop(Stop::Now).await;
                Ok(Ended::Stopped)
            }
        }
    }
}

/// What an ending that is not a success says, or `None` for exit code 0.
pub(crate) fn complaint(ending: &Ending, what: &str) -> Option<String> {
    let seconds = ending.duration_ms / 1000;
    match ending.outcome {
        Outcome::Exited(0) => None,
        Outcome::Exited(code) => Some(format!("{what} ended with exit code {code}")),
        Outcome::Signalled(signal) => Some(format!("{what} was ended by signal {signal}")),
        Outcome::TimedOut => Some(format!(
            "{what} was still running after {seconds} s and was ended with all it had started"
        )),
        Outcome::Stopped => Some(format!("{what} was stopped")),
        Outcome::SupervisorLost => Some(format!("{what} lost its supervisor and was ended")),
    }
}

/// The end of a log, for an error text.
pub(crate) fn tail(log: &Path, bytes: usize) -> String {
    match callboard_console::tail_log(log, bytes) {
        Ok(chunk) => chunk.text.trim().to_owned(),
        Err(_) => String::new(),
    }
}
