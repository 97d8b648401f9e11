//! For: a repository of one's own for a test, away from the user's configuration, with a bare origin on request.
//! Runs a test body once for every git program found.
//! Not for: assertions about the crate.

#![expect(
    clippy::disallowed_methods,
    reason = "tests prepare files and run git and sh themselves"
)]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use callboard_worktree::{Environment, Git, Message, Oid, Repo};

pub struct Rig {
    dir: tempfile::TempDir,
    pub program: PathBuf,
    pub root: PathBuf,
}

/// Runs `body` in a new repository for the git on PATH and for the system's own, where they differ.
pub fn each_git(body: impl Fn(&Rig)) {
    for program in programs() {
        eprintln!("with {}", program.display());
        body(&Rig::new(&program));
    }
}

pub fn programs() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap();
    let on_path = std::env::split_paths(&path)
        .map(|dir| dir.join("git"))
        .find(|file| file.exists());
    let own = Some(PathBuf::from("/usr/bin/git")).filter(|file| file.exists());
    let found: BTreeSet<PathBuf> = on_path
        .into_iter()
        .chain(own)
        .map(|file| file.canonicalize().unwrap())
        .collect();
    assert!(
        !found.is_empty(),
        "git is missing: install the package `git`"
    );
    found.into_iter().collect()
}

impl Rig {
    pub fn new(program: &Path) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join("my größe repo");
        std::fs::create_dir_all(dir.path().join("home")).unwrap();
        let rig = Rig {
            dir,
            program: program.to_owned(),
            root: root.clone(),
        };
        rig.init(&root);
        rig.write("README.md", "one\n");
        rig.git(&["add", "-A"]);
        rig.git(&["commit", "-qm", "chore: start"]);
        rig
    }

    pub fn init(&self, dir: &Path) {
        std::fs::create_dir_all(dir).unwrap();
        self.git_in(dir, &["init", "-q", "-b", "main"]);
        self.git_in(dir, &["config", "user.name", "Tester"]);
        self.git_in(dir, &["config", "user.email", "tester@localhost"]);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    pub fn env(&self) -> Vec<(OsString, OsString)> {
        let home = self.dir.path().join("home").into_os_string();
        vec![
            ("PATH".into(), std::env::var_os("PATH").unwrap()),
            ("HOME".into(), home.clone()),
            ("XDG_CONFIG_HOME".into(), home),
            ("GIT_CONFIG_NOSYSTEM".into(), "1".into()),
            // Would lead every call astray if it were let through.
            ("GIT_DIR".into(), "/nonexistent".into()),
            ("GIT_INDEX_FILE".into(), "/nonexistent/index".into()),
        ]
    }

    pub fn program(&self) -> Git {
        Git::new(&self.program, Environment::Exactly(self.env()))
    }

    pub fn repo(&self) -> Repo {
        self.repo_at(&self.root)
    }

    pub fn repo_at(&self, path: &Path) -> Repo {
        Repo::discover_with(self.program(), path, "test-tag").unwrap()
    }

    pub fn git(&self, args: &[&str]) -> String {
        self.git_in(&self.root, args)
    }

    pub fn git_in(&self, dir: &Path, args: &[&str]) -> String {
        let (ok, text) = self.try_git_in(dir, args);
        assert!(ok, "git {args:?}: {text}");
        text
    }

    pub fn try_git_in(&self, dir: &Path, args: &[&str]) -> (bool, String) {
        let vars = self
            .env()
            .into_iter()
            .filter(|(key, _)| key != "GIT_DIR" && key != "GIT_INDEX_FILE");
        let mut command = Command::new(&self.program);
        let output = command
            .env_clear()
            .envs(vars)
            .args(args)
            .current_dir(dir)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned();
        if output.status.success() {
            (true, text)
        } else {
            (false, String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    pub fn write(&self, name: &str, text: &str) {
        write_in(&self.root, name, text);
    }

    /// Commits one file on the branch checked out in the user's checkout.
    pub fn commit(&self, name: &str, text: &str) -> Oid {
        self.write(name, text);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-qm", &format!("feat: {name}")]);
        self.head()
    }

    pub fn head(&self) -> Oid {
        Oid::parse(&self.git(&["rev-parse", "HEAD"])).unwrap()
    }

    /// A commit with one changed file on a branch of its own, made in a worktree that is gone again.
    pub fn branch_with(&self, branch: &str, base: &Oid, files: &[(&str, &str)]) -> Oid {
        let repo = self.repo();
        let path = self.path("scratch").join(branch.replace('/', "-"));
        let worktree = repo.worktree_add(&path, branch, base).unwrap();
        for (name, text) in files {
            write_in(&path, name, text);
        }
        let commit = worktree
            .commit_all(&Message::from_title(branch), &[])
            .unwrap()
            .unwrap();
        repo.worktree_remove(&path, &callboard_worktree::Keep::Nothing)
            .unwrap();
        commit
    }

    /// A bare repository as `origin`, with main pushed.
    pub fn with_origin(&self) -> PathBuf {
        let bare = self.path("origin.git");
        std::fs::create_dir_all(&bare).unwrap();
        self.git_in(&bare, &["init", "-q", "--bare", "-b", "main"]);
        self.git(&["remote", "add", "origin", bare.to_str().unwrap()]);
        self.git(&["push", "-q", "origin", "main"]);
        bare
    }

    /// Everything stored is whole, and no index of a worktree is broken.
    pub fn check_clean(&self) {
        let (ok, text) = self.try_git_in(&self.root, &["fsck", "--full"]);
        assert!(ok, "{text}");
    }

    /// A program made by a shell, so that no descriptor of ours is open for writing when it is started.
    pub fn script(&self, path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let status = Command::new("sh")
            .args([
                "-c",
                "printf '%s' \"$1\" >\"$2\" && chmod 755 \"$2\"",
                "sh",
                text,
            ])
            .arg(path)
            .status();
        assert!(status.unwrap().success());
    }
}

pub fn write_in(dir: &Path, name: &str, text: &str) {
    let file = dir.join(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}

pub fn read_in(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap()
}
