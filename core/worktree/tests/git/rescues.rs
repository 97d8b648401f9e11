use std::path::Path;

use callboard_worktree::{GitError, Keep, Oid, Removed, Repo, Worktree};

use crate::rig::{Rig, each_git, write_in};

const KEPT: &str = "refs/callboard/kept/a_1";

fn keep(merged_into: &Oid) -> Keep {
    Keep::Rescue {
        reference: KEPT.into(),
        merged_into: Some(merged_into.clone()),
    }
}

fn begin(rig: &Rig) -> (Repo, Worktree, Oid) {
    rig.commit("gone", "x\n");
    rig.commit("turned", "x\n");
    let base = rig.commit(".gitignore", "ignored\n");
    let repo = rig.repo();
    let worktree = repo
        .worktree_add(&rig.path("trees/a_1"), "callboard/a", &base)
        .unwrap();
    (repo, worktree, base)
}

fn assert_gone(rig: &Rig, repo: &Repo) {
    assert!(!rig.path("trees/a_1").exists());
    assert_eq!(
        std::fs::read_dir(rig.path("trees")).unwrap().count(),
        0,
        "nothing is left beside it"
    );
    assert_eq!(repo.worktree_list().unwrap().len(), 1);
    let records = std::fs::read_dir(rig.root.join(".git/worktrees")).map_or(0, |list| list.count());
    assert_eq!(records, 0, "no record is left");
    rig.check_clean();
}

#[test]
fn everything_that_is_not_safe_is_kept() {
    each_git(|rig| {
        let (repo, worktree, base) = begin(rig);
        let path = worktree.path();
        write_in(path, "committed", "by the agent\n");
        rig.git_in(path, &["add", "-A"]);
        rig.git_in(path, &["commit", "-qm", "by the agent"]);
        write_in(path, "README.md", "changed\n");
        write_in(path, "new ü", "untracked\n");
        write_in(path, "ignored", "build result\n");
        write_in(path, "staged", "staged\n");
        rig.git_in(path, &["add", "staged"]);
        std::fs::remove_file(path.join("gone")).unwrap();
        std::fs::remove_file(path.join("turned")).unwrap();
        write_in(path, "turned/into/a/directory", "x\n");
        rig.init(&path.join("nested"));
        write_in(
            &path.join("nested"),
            "deep/file",
            "in a repository inside\n",
        );
        write_in(&rig.root, ".git/worktrees/a_1/index.lock", "");
        let tip = worktree.head().unwrap();
        let rescued = repo
            .worktree_remove(path, &keep(&base))
            .unwrap()
            .rescued
            .unwrap();
        assert_eq!(repo.reference(KEPT).unwrap(), Some(rescued.commit.clone()));
        let file = |name: &str| repo.file_at(&rescued.commit, Path::new(name)).unwrap();
        let text = |name: &str| file(name).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(text("committed").as_deref(), Some("by the agent\n"));
        assert_eq!(text("README.md").as_deref(), Some("changed\n"));
        assert_eq!(text("new ü").as_deref(), Some("untracked\n"));
        assert_eq!(text("staged").as_deref(), Some("staged\n"));
        assert_eq!(text("turned/into/a/directory").as_deref(), Some("x\n"));
        assert_eq!(
            text("nested/deep/file").as_deref(),
            Some("in a repository inside\n")
        );
        assert_eq!((file("gone"), file("ignored")), (None, None));
        assert!(repo.is_ancestor(&tip, &rescued.commit).unwrap());
        assert_eq!(
            repo.branch("callboard/a").unwrap(),
            Some(tip),
            "the branch stays"
        );
        assert_gone(rig, &repo);
    });
}

#[test]
fn commits_alone_are_kept_unless_they_are_merged() {
    each_git(|rig| {
        let (repo, worktree, base) = begin(rig);
        rig.git_in(
            worktree.path(),
            &["commit", "-q", "--allow-empty", "-m", "work"],
        );
        let tip = worktree.head().unwrap();
        let removed = repo.worktree_remove(worktree.path(), &keep(&base)).unwrap();
        assert_eq!(removed.rescued.unwrap().commit, tip);
        assert_gone(rig, &repo);
        let again = repo
            .worktree_add_detached(&rig.path("trees/a_1"), &tip)
            .unwrap();
        assert_eq!(
            repo.worktree_remove(again.path(), &keep(&tip)).unwrap(),
            Removed::default()
        );
        assert_gone(rig, &repo);
    });
}

#[test]
fn an_untouched_worktree_keeps_nothing_and_a_second_removal_is_fine() {
    each_git(|rig| {
        let (repo, worktree, base) = begin(rig);
        for _ in 0..2 {
            assert_eq!(
                repo.worktree_remove(worktree.path(), &keep(&base)).unwrap(),
                Removed::default()
            );
            assert_gone(rig, &repo);
        }
        assert_eq!(repo.reference(KEPT).unwrap(), None);
        assert!(
            repo.branch_delete_if_contained("callboard/a", &base)
                .unwrap()
        );
        assert_eq!(repo.branch("callboard/a").unwrap(), None);
    });
}

#[test]
fn other_work_under_the_same_name_is_not_overwritten() {
    each_git(|rig| {
        let (repo, worktree, base) = begin(rig);
        write_in(worktree.path(), "x", "first\n");
        let first = repo
            .worktree_remove(worktree.path(), &keep(&base))
            .unwrap()
            .rescued
            .unwrap();
        let worktree = repo
            .worktree_add(&rig.path("trees/a_1"), "callboard/a", &base)
            .unwrap();
        write_in(worktree.path(), "x", "second\n");
        let second = repo
            .worktree_remove(worktree.path(), &keep(&base))
            .unwrap()
            .rescued
            .unwrap();
        assert_eq!(second.reference, format!("{KEPT}-2"));
        let worktree = repo
            .worktree_add(&rig.path("trees/a_1"), "callboard/a", &base)
            .unwrap();
        // Another name makes another commit of the same work, as another second would.
        rig.git(&["config", "user.name", "Somebody Else"]);
        write_in(worktree.path(), "x", "first\n");
        let third = repo
            .worktree_remove(worktree.path(), &keep(&base))
            .unwrap()
            .rescued
            .unwrap();
        assert_eq!(third, first, "the same work is kept once");
    });
}

/// States in which a crash, or an agent, leaves a worktree. All can be removed; work is kept from those that had it.
#[test]
fn broken_worktrees_are_cleared_and_their_work_is_kept() {
    type Damage = fn(&Rig, &Path, &Path);
    let cases: [(&str, bool, Damage); 9] = [
        ("no .git", true, |_, path, _| {
            std::fs::remove_file(path.join(".git")).unwrap()
        }),
        ("a .git of another repository", true, |rig, path, _| {
            std::fs::remove_file(path.join(".git")).unwrap();
            rig.init(path);
        }),
        ("no index", true, |_, _, admin| {
            std::fs::remove_file(admin.join("index")).unwrap()
        }),
        ("a broken index", true, |_, _, admin| {
            write_in(admin, "index", "garbage")
        }),
        ("no HEAD", true, |_, _, admin| {
            std::fs::remove_file(admin.join("HEAD")).unwrap()
        }),
        ("no record", true, |_, _, admin| {
            std::fs::remove_dir_all(admin).unwrap()
        }),
        ("locks", true, |_, _, admin| {
            write_in(admin, "index.lock", "");
            write_in(admin, "HEAD.lock", "");
        }),
        ("no directory", false, |_, path, _| {
            std::fs::remove_dir_all(path).unwrap()
        }),
        (
            "an empty directory without a record",
            false,
            |_, path, admin| {
                std::fs::remove_dir_all(path).unwrap();
                std::fs::create_dir(path).unwrap();
                std::fs::remove_dir_all(admin).unwrap();
            },
        ),
    ];
    each_git(|rig| {
        let (repo, worktree, base) = begin(rig);
        repo.worktree_remove(worktree.path(), &keep(&base)).unwrap();
        for (n, (name, has_work, damage)) in cases.iter().enumerate() {
            let path = rig.path("trees/a_1");
            repo.worktree_add(&path, "callboard/a", &base)
                .unwrap_or_else(|e| panic!("{name}: {e}"));
            write_in(&path, "work", &format!("{n}\n"));
            damage(rig, &path, &rig.root.join(".git/worktrees/a_1"));
            let reference = format!("refs/callboard/kept/{n}");
            let keep = Keep::Rescue {
                reference,
                merged_into: Some(base.clone()),
            };
            let removed = repo
                .worktree_remove(&path, &keep)
                .unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(removed.rescued.is_some(), *has_work, "{name}");
            if let Some(rescued) = removed.rescued {
                let work = repo.file_at(&rescued.commit, Path::new("work")).unwrap();
                assert_eq!(work, Some(format!("{n}\n").into_bytes()), "{name}");
                let untouched = repo.file_at(&rescued.commit, Path::new("gone")).unwrap();
                assert_eq!(untouched, Some(b"x\n".to_vec()), "{name}");
            }
            assert_gone(rig, &repo);
        }
    });
}

/// What a killed `git worktree add` leaves, step by step; no agent has seen such a worktree, so nothing is kept.
#[test]
fn half_made_worktrees_are_cleared() {
    each_git(|rig| {
        let base = rig.commit("f", "x\n");
        let repo = rig.repo();
        let (path, admin) = (rig.path("trees/a_1"), rig.root.join(".git/worktrees/a_1"));
        std::fs::create_dir_all(&path).unwrap();
        let link = format!("{}/.git\n", path.display());
        let steps: [(&Path, &str, &str); 4] = [
            (&admin, "gitdir", &link),
            (&path, ".git", &format!("gitdir: {}\n", admin.display())),
            (&admin, "commondir", "../..\n"),
            (&admin, "HEAD", "ref: refs/heads/callboard/a\n"),
        ];
        for done in 1..=steps.len() {
            rig.git(&["branch", "-f", "callboard/a", base.as_str()]);
            write_in(&admin, "locked", "in use by Callboard\n");
            for (dir, name, text) in &steps[..done] {
                write_in(dir, name, text);
            }
            assert!(matches!(
                repo.worktree_add(&path, "callboard/a", &base),
                Err(GitError::PathTaken { .. } | GitError::BranchTaken { .. })
            ));
            let removed = repo.worktree_remove(&path, &keep(&base)).unwrap();
            assert_eq!(removed, Removed::default(), "after step {done}");
            assert_gone(rig, &repo);
            let worktree = repo.worktree_add(&path, "callboard/a", &base).unwrap();
            assert_eq!(worktree.status().unwrap(), []);
            repo.worktree_remove(&path, &keep(&base)).unwrap();
        }
    });
}

#[test]
fn a_sweep_deletes_leftovers_only() {
    each_git(|rig| {
        let (repo, worktree, _) = begin(rig);
        write_in(&rig.path("trees/.removing-a_0"), "half/deleted", "x");
        write_in(
            &rig.root,
            ".git/worktrees/a_9/locked",
            "in use by Callboard\n",
        );
        write_in(&rig.root, ".git/worktrees/theirs/locked", "on a stick\n");
        assert_eq!(repo.worktree_sweep(&rig.path("trees")).unwrap(), 2);
        assert_eq!(repo.worktree_sweep(&rig.path("trees")).unwrap(), 0);
        assert_eq!(worktree.status().unwrap(), []);
        assert!(rig.root.join(".git/worktrees/theirs").exists());
    });
}

#[test]
fn what_is_not_a_worktree_of_ours_is_left_alone() {
    each_git(|rig| {
        let (repo, ..) = begin(rig);
        let clone = rig.path("clone");
        rig.git_in(
            &rig.path("home"),
            &[
                "clone",
                "-q",
                rig.root.to_str().unwrap(),
                clone.to_str().unwrap(),
            ],
        );
        write_in(&rig.path("documents"), "thesis", "x");
        for path in [
            &rig.root,
            &rig.path(""),
            &clone,
            &rig.path("documents"),
            &rig.root.join(".git"),
        ] {
            let error = repo.worktree_remove(path, &Keep::Nothing).unwrap_err();
            assert!(
                matches!(error, GitError::Foreign { .. }),
                "{}: {error}",
                path.display()
            );
            assert!(path.exists());
        }
    });
}

#[test]
fn work_that_cannot_be_kept_is_not_removed() {
    each_git(|rig| {
        let (repo, worktree, base) = begin(rig);
        write_in(worktree.path(), "x", "work\n");
        let bad = Keep::Rescue {
            reference: "--all".into(),
            merged_into: Some(base),
        };
        assert!(repo.worktree_remove(worktree.path(), &bad).is_err());
        assert!(worktree.path().join("x").exists());
        assert_eq!(worktree.status().unwrap().len(), 1);
    });
}
