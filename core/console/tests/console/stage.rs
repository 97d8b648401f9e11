//! For: a place for one test: a directory, a mark that its processes carry, bounded waits.
//! Not for: assertions about behaviour.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use callboard_console::{
    Ending, ProcessId, Spec, Supervised, end_marked, processes_with_env, spawn,
};
use tempfile::TempDir;

/// What any single wait may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Dropping it ends every process that carries its mark, so that a failed test leaves none.
pub struct Stage {
    dir: TempDir,
    pub mark: String,
}

impl Stage {
    pub fn new() -> Stage {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir
            .path()
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        Stage { dir, mark }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn spec(&self, program: &str, args: &[&str]) -> Spec {
        Spec {
            program: program.to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            cwd: self.dir.path().to_owned(),
            env: vec![
                ("PATH".to_owned(), PATH.to_owned()),
                ("CALLBOARD_ATTEMPT".to_owned(), self.mark.clone()),
            ],
            stdin: None,
            log: self.path("log"),
            log_limit: 1024 * 1024,
            timeout: None,
            grace: Duration::from_secs(30),
        }
    }

    pub fn script(&self, script: &str) -> Spec {
        self.spec("/bin/sh", &["-c", script])
    }

    pub async fn run(&self, spec: Spec) -> Ending {
        bounded(self.start(spec).await.wait()).await
    }

    pub async fn start(&self, spec: Spec) -> Supervised {
        bounded(spawn(supervisor(), spec)).await.unwrap()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap()
    }

    /// The live processes that carry the mark, the supervisor included.
    pub fn marked(&self) -> Vec<ProcessId> {
        processes_with_env("CALLBOARD_ATTEMPT", Some(&self.mark))
            .into_iter()
            .map(|(id, _)| id)
            .collect()
    }

    pub fn until_none_is_left(&self) {
        until("all processes have ended", || self.marked().is_empty());
    }

    /// Waits for a script to write its process number into a file.
    pub fn process_in(&self, name: &str) -> ProcessId {
        let read = || {
            std::fs::read_to_string(self.path(name))
                .ok()?
                .strip_suffix('\n')?
                .parse::<u32>()
                .ok()
        };
        until("a process number is written", || read().is_some());
        let pid = read().unwrap();
        ProcessId::of(pid).unwrap_or(ProcessId {
            pid,
            start_ticks: 0,
        })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        end_marked("CALLBOARD_ATTEMPT", &self.mark, Duration::from_secs(10));
    }
}

pub fn supervisor() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_callboard-supervisor"))
}

pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub async fn bounded<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it hangs")
}
