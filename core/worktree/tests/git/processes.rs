#![expect(
    clippy::disallowed_methods,
    reason = "tests start processes and tell them their role by the environment"
)]

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command};

use callboard_worktree::{Environment, Git, Keep, Repo};

use crate::rig::{Rig, each_git};

const ROLE: &str = "CALLBOARD_TEST_ROLE";

/// Starts this test program again, for one test, which then finds its role in the environment.
fn start(rig: &Rig, test: &str, name: &str) -> Child {
    let words = [
        rig.program.clone(),
        rig.root.clone(),
        rig.path("trees"),
        name.into(),
    ];
    let role = words
        .map(|word| word.into_os_string().into_string().unwrap())
        .join("\n");
    let vars = rig
        .env()
        .into_iter()
        .filter(|(key, _)| !key.to_string_lossy().starts_with("GIT_"));
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env_clear().envs(vars).env(ROLE, role);
    command
        .args(["--exact", &format!("processes::{test}"), "--nocapture"])
        .spawn()
        .unwrap()
}

fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// The child's part: eight worktrees from eight threads.
fn add_eight(role: &str) {
    let words: Vec<&str> = role.split('\n').collect();
    let [program, root, directory, name] = words[..] else {
        panic!("{role}")
    };
    let repo = Repo::discover_with(
        Git::new(program, Environment::Inherit),
        Path::new(root),
        name,
    )
    .unwrap();
    let base = repo.head().unwrap().commit;
    std::thread::scope(|scope| {
        for n in 0..8 {
            let (repo, base) = (&repo, &base);
            let path = Path::new(directory).join(format!("{name}{n}"));
            scope.spawn(move || {
                repo.worktree_add(&path, &format!("callboard/{name}{n}"), base)
                    .unwrap()
            });
        }
    });
}

#[test]
fn two_processes_make_worktrees_at_once() {
    if let Some(role) = role() {
        return add_eight(&role);
    }
    each_git(|rig| {
        let mut children =
            ["a", "b"].map(|name| start(rig, "two_processes_make_worktrees_at_once", name));
        for child in &mut children {
            assert!(child.wait().unwrap().success());
        }
        assert_eq!(rig.repo().worktree_list().unwrap().len(), 1 + 2 * 8);
        rig.check_clean();
    });
}

const HALTING: &str = "#!/bin/sh\nread gate <\"$HOME/gate\"\n";

/// The process that asked for a worktree dies while git is still making it: the lock lasts until git has ended, and
/// what git made is cleared.
#[test]
fn an_addition_that_outlives_its_process_is_waited_for() {
    if let Some(role) = role() {
        return add_eight(&role);
    }
    each_git(|rig| {
        let gate = rig.path("home/gate");
        assert!(
            Command::new("mkfifo")
                .arg(&gate)
                .status()
                .unwrap()
                .success()
        );
        rig.script(&rig.root.join(".git/hooks/post-checkout"), HALTING);
        let mut child = start(
            rig,
            "an_addition_that_outlives_its_process_is_waited_for",
            "a",
        );
        // Opening the gate waits until the hook of the first addition is at it.
        let mut open = std::fs::OpenOptions::new().write(true).open(&gate).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let lock = std::fs::File::open(rig.root.join(".git/callboard/worktree.lock")).unwrap();
        assert!(
            lock.try_lock().is_err(),
            "git still works and holds the lock"
        );
        open.write_all(b"go\n").unwrap();
        drop(open);
        lock.lock().unwrap();
        drop(lock);
        let repo = rig.repo();
        let made = repo.worktree_list().unwrap().pop().unwrap();
        assert_eq!(made.locked.as_deref(), Some("in use by Callboard"));
        let keep = Keep::Rescue {
            reference: "refs/callboard/kept/x".into(),
            merged_into: None,
        };
        assert_eq!(
            repo.worktree_remove(&made.path, &keep).unwrap().rescued,
            None
        );
        assert_eq!(repo.worktree_list().unwrap().len(), 1);
    });
}
