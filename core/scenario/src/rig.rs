//! Where a scenario runs: directories of its own, an environment of its own, and the processes it owns.
//!
//! For: starting what a scenario names, and leaving nothing of it behind. Not for: speaking to it.

mod child;

pub(crate) use child::{Child, Ended, Pipes, Spawn, Tail};

use crate::run::Options;
use crate::values::Wrong;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Set in everything that a scenario starts, so that what left its group is found as well.
const MARK: &str = "MCP_SCENARIO";
/// How long the last look for processes that should be gone may take.
const SWEEP: Duration = Duration::from_secs(5);

/// Directories and environment of one scenario; gone when dropped.
pub(crate) struct Rig {
    directory: tempfile::TempDir,
    mark: String,
    program: PathBuf,
    base: BTreeMap<String, String>,
}

impl Rig {
    pub(crate) fn new(options: &Options, inherit: &[String]) -> Result<Rig, Wrong> {
        let directory = tempfile::Builder::new()
            .prefix("callboard-scenario-")
            .tempdir()
            .map_err(|error| format!("no temporary directory can be made: {error}"))?;
        let path = directory.path();
        for name in ["home", "work", "tmp", "bin"] {
            std::fs::create_dir(path.join(name))
                .map_err(|error| format!("{} can't be made: {error}", path.join(name).display()))?;
        }
        let mark = format!("{}", path.display());
        let mut base = BTreeMap::new();
        let passed = ["PATH", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME", "SHELL"];
        for name in passed.into_iter().chain(inherit.iter().map(String::as_str)) {
            if let Some(value) = options.env.get(name) {
                base.insert(name.to_owned(), value.clone());
            }
        }
        // So that a step can say `run: callboard …` and means the program that runs the test.
        std::os::unix::fs::symlink(&options.program, path.join("bin/callboard")).map_err(
            |error| {
                format!(
                    "no link to {} can be made: {error}",
                    options.program.display()
                )
            },
        )?;
        let rest = base
            .remove("PATH")
            .unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".to_owned());
        base.insert(
            "PATH".to_owned(),
            format!("{}:{rest}", path.join("bin").display()),
        );
        let home = path.join("home");
        for (name, value) in [
            ("HOME", home.clone()),
            ("XDG_DATA_HOME", home.join("data")),
            ("XDG_CONFIG_HOME", home.join("config")),
            ("XDG_CACHE_HOME", home.join("cache")),
            ("XDG_STATE_HOME", home.join("state")),
            ("TMPDIR", path.join("tmp")),
            (MARK, path.to_owned()),
        ] {
            base.insert(name.to_owned(), value.display().to_string());
        }
        Ok(Rig {
            mark,
            program: options.program.clone(),
            base,
            directory,
        })
    }

    pub(crate) fn tmp(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.tmp().join("home")
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.tmp().join("work")
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// More variables for everything that is started from now on.
    pub(crate) fn set_env(&mut self, env: BTreeMap<String, String>) {
        self.base.extend(env);
    }

    /// The environment of something that is started.
    pub(crate) fn env(&self, more: BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut env = self.base.clone();
        env.extend(more);
        env
    }

    /// Whether a program is in PATH.
    pub(crate) fn has(&self, program: &str) -> bool {
        let path = self.base.get("PATH").map_or("", String::as_str);
        std::env::split_paths(path).any(|directory| directory.join(program).is_file())
    }

    /// Where a path of the scenario is: relative ones are below the working directory.
    pub(crate) fn place(&self, path: &str) -> PathBuf {
        self.work().join(path)
    }

    /// Ends what still carries the mark of this scenario; answers how many there were.
    pub(crate) fn sweep(&self) -> usize {
        let deadline = Instant::now() + SWEEP;
        let mut found = std::collections::BTreeSet::new();
        loop {
            let alive = marked(&self.mark);
            if alive.is_empty() || Instant::now() > deadline {
                return found.len();
            }
            for pid in alive {
                found.insert(pid);
                if let Some(pid) = rustix::process::Pid::from_raw(pid) {
                    let _ = rustix::process::kill_process(pid, Signal::KILL);
                }
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.sweep();
    }
}

/// Processes whose environment holds the mark. Only Linux tells; elsewhere the groups must do.
fn marked(mark: &str) -> Vec<i32> {
    let wanted = format!("{MARK}={mark}");
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|env| {
                env.split(|byte| *byte == 0)
                    .any(|word| word == wanted.as_bytes())
            })
        })
        .collect()
}

/// A signal by its name.
pub(crate) fn signal(name: &str) -> Result<Signal, Wrong> {
    Ok(match name.trim_start_matches("SIG") {
        "KILL" => Signal::KILL,
        "TERM" => Signal::TERM,
        "INT" => Signal::INT,
        "HUP" => Signal::HUP,
        "STOP" => Signal::STOP,
        "CONT" => Signal::CONT,
        _ => {
            return Err(format!(
                "{name:?} is no signal known here; known are KILL, TERM, INT, HUP, STOP, CONT"
            ));
        }
    })
}
