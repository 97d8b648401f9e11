//! Small repositories with a roadmap, and agents written as shell scripts.
//!
//! For: tests that let `callboard run` work a project. Not for: the shipped example.

use callboard_tests::{Finished, Home, Running, wait_until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long something that must happen may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Passes unless a part says BAD; says in `$HOME/seen/tests.env` what it was given.
pub const TESTS: &str = "mkdir -p \"$HOME/seen\"\nenv >\"$HOME/seen/tests.env\"\n\
    if grep -rl BAD parts 2>/dev/null; then echo 'these parts are rotten'; exit 1; fi\necho fine\n";

/// Makes a part of its item.
pub const WORK: &str = "mkdir -p parts\necho \"$CALLBOARD_ITEM\" >\"parts/$CALLBOARD_ITEM\"\n";

/// Waits until a file of that name is in `$HOME/seen`; a test that never makes it fails by the time limit.
pub const WAIT_FOR: &str = "wait_for() { until test -e \"$HOME/seen/$1\"; do sleep 0.02; done; }\n";

/// Leaves everything an agent was told in `$HOME/seen/<item>.<try>.*`.
pub const WITNESS: &str = "mkdir -p \"$HOME/seen\"\nat=\"$HOME/seen/$CALLBOARD_ITEM.$CALLBOARD_TRY\"\n\
    cat >\"$at.stdin\"\ncp \"$CALLBOARD_PROMPT_FILE\" \"$at.prompt\"\nenv >\"$at.env\"\npwd >\"$at.pwd\"\n\
    git rev-parse HEAD >\"$at.base\"\nls parts >\"$at.parts\" 2>/dev/null || true\n\
    echo \"$CALLBOARD_ITEM\" >>\"$HOME/seen/order\"\n";

/// A repository in a home of its own.
pub struct Workshop {
    pub home: Home,
    pub root: PathBuf,
}

/// What the user has checked out, byte for byte.
#[derive(Debug, PartialEq, Eq)]
pub struct Checkout {
    head: String,
    main: String,
    index: Vec<u8>,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

/// A roadmap of these items: title, and the lines below its status.
pub fn roadmap(items: &[(&str, &str)]) -> String {
    let mut text = "# Plan\n\nWhat is to be done, in order.\n".to_owned();
    for (at, (title, more)) in items.iter().enumerate() {
        let number = at + 1;
        text += &format!("\n## PRIORITY {number}: {title}\n\n**Status**: 📝 Planned\n{more}\n");
    }
    text
}

impl Workshop {
    /// A repository with these items and the usual tests.
    pub fn new(items: &[(&str, &str)]) -> Workshop {
        Workshop::of(&[("ROADMAP.md", &roadmap(items)), ("test.sh", TESTS)])
    }

    /// A repository of these files.
    pub fn of(files: &[(&str, &str)]) -> Workshop {
        let home = Home::new();
        let root = home.repository("project", files);
        Workshop { home, root }
    }

    /// With a bare repository beside it as `origin`.
    pub fn with_origin(self) -> Workshop {
        let home = &self.home;
        home.git(
            home.path(),
            &["clone", "-q", "--bare", "project", "origin.git"],
        );
        home.git(
            &self.root,
            &["remote", "add", "origin", self.origin().to_str().unwrap()],
        );
        self
    }

    pub fn origin(&self) -> PathBuf {
        self.home.path().join("origin.git")
    }

    pub fn git(&self, args: &[&str]) -> String {
        self.home.git(&self.root, args)
    }

    pub fn at_origin(&self, args: &[&str]) -> String {
        self.home.git(&self.origin(), args)
    }

    /// Writes an agent; answers what `--agent` takes.
    pub fn agent(&self, script: &str) -> String {
        let path = self.home.path().join("agent.sh");
        self.home.write(&path, &format!("set -eu\n{script}"));
        format!("sh {}", path.display())
    }

    /// Works the roadmap with this agent to the end.
    pub fn run(&self, agent: &str, more: &[&str]) -> Finished {
        self.start(agent, more).finish()
    }

    /// Starts working the roadmap.
    pub fn start(&self, agent: &str, more: &[&str]) -> Running {
        let agent = self.agent(agent);
        let mut args = vec![
            "run",
            self.root.to_str().unwrap(),
            "--json",
            "--agent",
            &agent,
        ];
        args.extend(more);
        self.home.start(&args)
    }

    /// What an agent or the tests left in `$HOME/seen`.
    pub fn seen(&self, name: &str) -> String {
        let path = self.home.path().join("seen").join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn has_seen(&self, name: &str) -> bool {
        self.home.path().join("seen").join(name).exists()
    }

    /// Waits for a file in `$HOME/seen`.
    pub fn await_seen(&self, name: &str) {
        assert!(
            wait_until(PATIENCE, || self.has_seen(name)),
            "{name} was never seen"
        );
    }

    /// Lets an agent that waits for this file go on.
    pub fn release(&self, name: &str) {
        self.home
            .write(&self.home.path().join("seen").join(name), "");
    }

    /// The roadmap on the integration branch.
    pub fn results(&self) -> String {
        String::from_utf8(self.file("callboard/integration:ROADMAP.md")).unwrap()
    }

    /// A file in a commit, byte for byte.
    pub fn file(&self, name: &str) -> Vec<u8> {
        let done = Command::new("git")
            .args(["cat-file", "blob", name])
            .current_dir(&self.root)
            .env("HOME", self.home.path())
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        done.stdout
    }

    pub fn checkout(&self) -> Checkout {
        Checkout {
            index: std::fs::read(self.root.join(".git/index")).unwrap(),
            head: std::fs::read_to_string(self.root.join(".git/HEAD")).unwrap(),
            main: self.git(&["rev-parse", "main"]),
            files: files(&self.root),
        }
    }

    /// Commits a file on the branch that the user has checked out.
    pub fn commit(&self, path: &str, text: &str) {
        self.home.write(&self.root.join(path), text);
        self.git(&["add", path]);
        self.git(&["commit", "-q", "-m", "docs: change the plan"]);
    }

    /// Nothing of an attempt is left: no worktree, no branch, no process, no damage.
    pub fn assert_tidy(&self) {
        let worktrees = self.git(&["worktree", "list", "--porcelain"]);
        assert_eq!(worktrees.matches("worktree ").count(), 1, "{worktrees}");
        for name in ["worktrees", "attempts"] {
            let left: Vec<_> = std::fs::read_dir(self.home.board().join(name))
                .unwrap()
                .flatten()
                .collect();
            assert!(left.is_empty(), "left in {name}: {left:?}");
        }
        self.git(&["fsck", "--strict"]);
        let left = self.home.processes();
        assert!(left.is_empty(), "still alive: {left:?}");
    }
}

fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                if entry.file_name() != ".git" {
                    open.push(path);
                }
            } else {
                found.insert(path.clone(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// The last event's report.
pub fn report(finished: &Finished) -> Value {
    let last = finished
        .out
        .lines()
        .last()
        .unwrap_or_else(|| panic!("no event: {finished:?}"));
    let event: Value = serde_json::from_str(last).unwrap();
    assert_eq!(event["event"], "finished", "{event}\n{}", finished.err);
    event["report"].clone()
}

/// An item of a report by its key.
pub fn item(report: &Value, key: &str) -> Value {
    let items: Vec<&Value> = report["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["item"] == key)
        .collect();
    assert_eq!(items.len(), 1, "{key} is there once: {report}");
    items[0].clone()
}

/// How an item's attempts ended.
pub fn attempts(item: &Value) -> Vec<&str> {
    item["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| attempt["outcome"].as_str().unwrap())
        .collect()
}

/// What an item says about itself.
pub fn why(item: &Value) -> &str {
    item["why"]
        .as_str()
        .unwrap_or_else(|| panic!("no reason: {item}"))
}
