//! A home directory of its own, and the command run in it.

use crate::{Client, binary};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long any command of a test may take.
const LIMIT: Duration = Duration::from_secs(240);

/// Directories that nothing else uses: HOME, configuration, data, and room for repositories.
pub struct Home {
    dir: TempDir,
    path: Option<String>,
}

/// A command that has ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it printed.
    pub out: String,
    /// What it said besides.
    pub err: String,
}

/// A command at work; ended with the test.
pub struct Running {
    child: Child,
    out: std::thread::JoinHandle<String>,
    err: std::thread::JoinHandle<String>,
}

impl Default for Home {
    fn default() -> Self {
        Home::new()
    }
}

impl Home {
    /// An empty home.
    #[must_use]
    pub fn new() -> Home {
        Home {
            dir: TempDir::with_prefix("callboard-test-").unwrap(),
            path: None,
        }
    }

    /// An empty home below this directory, for programs that object to the temporary one.
    #[must_use]
    pub fn below(dir: &Path) -> Home {
        Home {
            dir: TempDir::with_prefix_in("callboard-test-", dir).unwrap(),
            path: None,
        }
    }

    /// A home whose PATH begins with this directory.
    #[must_use]
    pub fn with_path_first(mut self, dir: &Path) -> Home {
        let rest = std::env::var("PATH").unwrap_or_default();
        self.path = Some(format!("{}:{rest}", dir.display()));
        self
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The board that commands use unless told otherwise.
    #[must_use]
    pub fn board(&self) -> PathBuf {
        self.path().join("data").join("callboard")
    }

    /// A binary in this home's environment.
    #[must_use]
    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(binary(name));
        self.dress(&mut command);
        command
    }

    fn dress(&self, command: &mut Command) {
        command.env_clear().current_dir(self.path());
        for name in [
            "PATH",
            "CARGO_HOME",
            "RUSTUP_HOME",
            "RUSTUP_TOOLCHAIN",
            "LANG",
        ] {
            if let Ok(value) = std::env::var(name) {
                command.env(name, value);
            }
        }
        // rustup finds its toolchains through HOME when nothing else says where they are.
        if std::env::var_os("RUSTUP_HOME").is_none()
            && let Some(home) = std::env::var_os("HOME")
        {
            command.env("RUSTUP_HOME", Path::new(&home).join(".rustup"));
            command.env("CARGO_HOME", Path::new(&home).join(".cargo"));
        }
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        command
            .env("HOME", self.path())
            .env("XDG_DATA_HOME", self.path().join("data"))
            .env("XDG_CONFIG_HOME", self.path().join("config"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("CALLBOARD_TEST_HOME", self.path());
    }

    /// Runs `callboard` to its end.
    #[must_use]
    pub fn callboard(&self, args: &[&str]) -> Finished {
        self.start(args).finish()
    }

    /// Starts `callboard`.
    #[must_use]
    pub fn start(&self, args: &[&str]) -> Running {
        let mut command = self.command("callboard");
        command.args(args);
        Running::of(command)
    }

    /// Starts an MCP server of `callboard` on stdio.
    #[must_use]
    pub fn server(&self, name: &str) -> Client {
        let mut command = self.command("callboard");
        command.arg(name);
        Client::start(command)
    }

    /// Runs git in a directory of this home and answers what it printed.
    pub fn git(&self, dir: &Path, args: &[&str]) -> String {
        let mut command = Command::new("git");
        self.dress(&mut command);
        command.current_dir(dir).args(args).stdin(Stdio::null());
        command
            .env("GIT_AUTHOR_NAME", "Ada")
            .env("GIT_AUTHOR_EMAIL", "ada@example.org");
        command
            .env("GIT_COMMITTER_NAME", "Ada")
            .env("GIT_COMMITTER_EMAIL", "ada@example.org");
        let done = Running::of(command).finish();
        assert_eq!(
            done.code,
            0,
            "git {args:?} in {}: {}",
            dir.display(),
            done.err
        );
        done.out.trim_end().to_owned()
    }

    /// A repository `name` with these files, committed on `main`.
    #[must_use]
    pub fn repository(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let dir = self.path().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        self.git(&dir, &["init", "-q", "-b", "main"]);
        for (path, text) in files {
            self.write(&dir.join(path), text);
        }
        self.git(&dir, &["add", "-A"]);
        self.git(&dir, &["commit", "-q", "-m", "chore: start"]);
        dir
    }

    /// Writes a file and its directories.
    pub fn write(&self, path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Processes that were started from this home and still live.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        crate::marked_processes(&format!("{}", self.path().display()))
    }
}

impl Running {
    /// Starts a command with its output collected.
    #[must_use]
    pub fn of(mut command: Command) -> Running {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Running {
            child,
            out: collect(out),
            err: collect(err),
        }
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, signal);
    }

    /// Waits for its end, within the limit of every test.
    ///
    /// # Panics
    /// When it does not end in time.
    #[must_use]
    pub fn finish(mut self) -> Finished {
        let deadline = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                panic!(
                    "not ended after {LIMIT:?}\n{}",
                    self.out.join().unwrap_or_default()
                );
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        Finished {
            code: status.code().unwrap_or(-1),
            out: self.out.join().unwrap(),
            err: self.err.join().unwrap(),
        }
    }
}

fn collect(mut from: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
