//! For: what to run, complete and by value.
//! Not for: reading our own environment or configuration to fill it in.

use std::{fmt, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// A command to run. It travels to the supervisor through a pipe, never by an argument list, so that secrets in it
/// don't show in the process list. Its `Debug` form names environment variables without their values.
#[derive(Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Name looked up in the `PATH` of [`Spec::env`], or a path; a relative path with a `/` is taken from `cwd`.
    pub program: String,
    /// Arguments, without the program's own name.
    pub args: Vec<String>,
    /// Working directory: absolute and existing.
    pub cwd: PathBuf,
    /// The complete environment: nothing is inherited from us.
    pub env: Vec<(String, String)>,
    /// Written to the command's standard input, which is then closed; `None` gives it `/dev/null`. A command that
    /// never reads it is no error.
    #[serde(skip)]
    pub stdin: Option<Vec<u8>>,
    /// Where standard output and standard error go, in the order written: an absolute path in an existing directory.
    /// Created with mode 0600, or appended to.
    pub log: PathBuf,
    /// Bytes of output kept from the start. Of what follows only the last 64 KiB are kept; they are appended when the
    /// command has ended, after a line that counts the bytes omitted.
    pub log_limit: u64,
    /// After this long the tree is asked to end (SIGTERM). `None`: no limit.
    pub timeout: Option<Duration>,
    /// How long the tree may take to end after SIGTERM before SIGKILL.
    pub grace: Duration,
}

impl Spec {
    /// The value of one variable of the command's environment.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.env
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Spec {
    /// Overwrites the values of the environment: the command has them, and nobody else needs them any more.
    pub(crate) fn forget_values(&mut self) {
        self.env.iter_mut().for_each(|(_, value)| value.zeroize());
    }
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(key, _)| key.as_str()).collect();
        f.debug_struct("Spec")
            .field("program", &self.program)
            .field("args", &self.args.len())
            .field("cwd", &self.cwd)
            .field("env", &names)
            .field("stdin_bytes", &self.stdin.as_ref().map(Vec::len))
            .field("log", &self.log)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
