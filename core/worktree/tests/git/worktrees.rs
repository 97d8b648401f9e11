use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use callboard_worktree::{
    ChangeKind, Environment, Git, GitError, Keep, Merge, Message, Oid, Repo, branch_name,
};

use crate::rig::{Rig, each_git, programs, read_in, write_in};

fn discover(rig: &Rig, path: &Path) -> Result<Repo, GitError> {
    Repo::discover_with(rig.program(), path, "t")
}

#[test]
fn a_repository_is_found_from_below_and_its_absence_is_told() {
    each_git(|rig| {
        write_in(&rig.root, "a/b/file", "x");
        let repo = discover(rig, &rig.root.join("a/b")).unwrap();
        assert_eq!(repo.root(), rig.root);
        assert_eq!(repo.git_dir(), rig.root.join(".git"));
        assert_eq!(repo.name(), "my größe repo");
        let inner = rig.root.join("a/inner");
        rig.init(&inner);
        assert_eq!(discover(rig, &inner).unwrap().root(), inner);
        let refused = |path: &Path| discover(rig, path).unwrap_err();
        assert!(matches!(
            refused(&rig.path("home")),
            GitError::NotARepository { .. }
        ));
        assert!(matches!(
            refused(&rig.path("missing")),
            GitError::NotARepository { .. }
        ));
        let bare = rig.with_origin();
        assert!(matches!(refused(&bare), GitError::Bare { .. }));
        let unborn = discover(rig, &inner).unwrap().head().unwrap_err();
        assert!(matches!(unborn, GitError::Unborn { .. }));
        assert!(unborn.hint().unwrap().contains("git commit"));
    });
}

#[test]
fn a_missing_git_is_named() {
    let rig = Rig::new(&programs()[0]);
    let git = Git::new("/nonexistent/git", Environment::Exactly(rig.env()));
    let error = Repo::discover_with(git, &rig.root, "t").unwrap_err();
    assert!(matches!(error, GitError::NoProgram { .. }), "{error}");
}

#[test]
fn the_users_checkout_is_only_read() {
    each_git(|rig| {
        let repo = rig.repo();
        let head = repo.head().unwrap();
        assert_eq!(
            (head.branch.as_deref(), &head.commit),
            (Some("main"), &rig.head())
        );
        rig.write("README.md", "changed\n");
        rig.write("new file", "x");
        assert_eq!(
            repo.dirty_paths(10).unwrap(),
            [PathBuf::from("README.md"), PathBuf::from("new file")]
        );
        assert_eq!(repo.dirty_paths(1).unwrap().len(), 1);
        assert!(repo.is_tracked(Path::new("README.md")).unwrap());
        assert!(!repo.is_tracked(Path::new("new file")).unwrap());
        assert!(
            !repo.is_tracked(Path::new("*.md")).unwrap(),
            "a path is no pattern"
        );
        let worktree = repo
            .worktree_add(&rig.path("w"), "callboard/x", &head.commit)
            .unwrap();
        write_in(worktree.path(), "README.md", "by the agent\n");
        worktree
            .commit_all(&Message::from_title("change"), &[])
            .unwrap()
            .unwrap();
        assert_eq!(read_in(&rig.root, "README.md"), "changed\n");
        assert_eq!(repo.head().unwrap(), head);
        rig.git(&["checkout", "-q", "--detach"]);
        assert_eq!(repo.head().unwrap().branch, None);
    });
}

#[test]
fn eight_threads_make_worktrees_at_once() {
    each_git(|rig| {
        rig.with_origin();
        let repo = rig.repo();
        let base = rig.head();
        let results: Vec<_> = std::thread::scope(|scope| {
            let one = |n: usize| {
                let (repo, base, path) = (&repo, &base, rig.path(&format!("trees/{n}")));
                scope.spawn(move || {
                    repo.worktree_add(&path, &format!("callboard/t{n}"), base)
                        .map(|w| w.head())
                })
            };
            let threads: Vec<_> = (0..8).map(one).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        for result in results {
            assert_eq!(result.unwrap().unwrap(), base);
        }
        let branches: BTreeSet<_> = repo
            .worktree_list()
            .unwrap()
            .into_iter()
            .filter_map(|entry| entry.branch)
            .collect();
        assert_eq!(branches.len(), 9);
        let config = rig.git(&["config", "--list", "--local"]);
        assert!(
            !config.contains("branch.callboard"),
            "no tracking is set up: {config}"
        );
    });
}

#[test]
fn what_is_in_the_way_is_told() {
    each_git(|rig| {
        let repo = rig.repo();
        let base = rig.head();
        let next = rig.commit("b", "b\n");
        let add = |path: &str, branch: &str| repo.worktree_add(&rig.path(path), branch, &base);
        add("one", "callboard/one").unwrap();
        assert!(matches!(
            add("one", "callboard/two"),
            Err(GitError::PathTaken { .. })
        ));
        assert!(
            matches!(repo.branch("callboard/two"), Ok(None)),
            "the refused call leaves no branch"
        );
        let taken = add("two", "callboard/one").unwrap_err();
        assert!(
            matches!(taken, GitError::BranchTaken { at: Some(_), .. }),
            "{taken}"
        );
        repo.ref_update("refs/heads/callboard/ahead", &next, None)
            .unwrap();
        assert!(matches!(
            add("three", "callboard/ahead"),
            Err(GitError::BranchTaken { at: None, .. })
        ));
        repo.ref_update("refs/heads/callboard/left", &base, None)
            .unwrap();
        let reused = add("four", "callboard/left").unwrap();
        assert_eq!(reused.branch(), Some("callboard/left"));
        assert_eq!(
            repo.checked_out_at("callboard/left").unwrap(),
            Some(rig.path("four"))
        );
        assert_eq!(repo.checked_out_at("main").unwrap(), Some(rig.root.clone()));
        assert_eq!(repo.checked_out_at("nothing").unwrap(), None);
    });
}

#[test]
fn hostile_names_never_reach_git_as_options() {
    each_git(|rig| {
        let repo = rig.repo();
        let base = rig.head();
        for branch in [
            "--all",
            "-x",
            "a b",
            "../x",
            "",
            "HEAD",
            "x\ny",
            &"x".repeat(500),
        ] {
            let error = repo
                .worktree_add(&rig.path("never"), branch, &base)
                .unwrap_err();
            assert!(
                matches!(error, GitError::Invalid { .. }),
                "{branch:?}: {error}"
            );
            assert!(repo.branch(branch).is_err());
        }
        for revision in ["--all", "-x", "--output=x", "--git-dir"] {
            assert_eq!(repo.resolve(revision).unwrap(), None);
        }
        assert!(
            repo.worktree_add(Path::new("relative"), "callboard/x", &base)
                .is_err()
        );
        for (n, title) in ["--all", "-x", "a b", "../x", "測試 ü", &"long ".repeat(100)]
            .iter()
            .enumerate()
        {
            let path = rig.path("trees").join(format!("-{n} ü"));
            let worktree = repo
                .worktree_add(&path, &branch_name(&format!("t_{n}"), title), &base)
                .unwrap();
            write_in(
                worktree.path(),
                "--all",
                "a file that looks like an option\n",
            );
            write_in(
                worktree.path(),
                ":(glob)*",
                "a file that looks like a pattern\n",
            );
            let commit = worktree
                .commit_all(&Message::from_title(title), &[PathBuf::from("-n")])
                .unwrap()
                .unwrap();
            assert_eq!(
                repo.file_at(&commit, Path::new("--all")).unwrap().unwrap(),
                b"a file that looks like an option\n"
            );
            assert_eq!(
                repo.file_at(&commit, Path::new(":(glob)*"))
                    .unwrap()
                    .unwrap()
                    .len(),
                33
            );
        }
    });
}

#[test]
fn status_and_commit_take_everything_but_what_is_restored() {
    each_git(|rig| {
        rig.commit("gone", "x\n");
        let base = rig.commit("ROADMAP.md", "planned\n");
        rig.commit(".gitignore", "target/\n");
        let base = {
            let _ = base;
            rig.head()
        };
        let repo = rig.repo();
        let worktree = repo
            .worktree_add(&rig.path("w"), "callboard/w", &base)
            .unwrap();
        assert_eq!(
            worktree
                .commit_all(&Message::from_title("nothing"), &[])
                .unwrap(),
            None
        );
        let path = worktree.path().to_owned();
        write_in(&path, "ROADMAP.md", "done\n");
        write_in(&path, "invented.md", "x\n");
        write_in(&path, "README.md", "one\ntwo\n");
        write_in(&path, "dir/new ü\tfile", "x\n");
        write_in(&path, "target/out", "x\n");
        std::fs::remove_file(path.join("gone")).unwrap();
        let status: Vec<_> = worktree
            .status()
            .unwrap()
            .into_iter()
            .map(|c| (c.path, c.kind))
            .collect();
        let expected = [
            ("README.md", ChangeKind::Modified),
            ("ROADMAP.md", ChangeKind::Modified),
            ("gone", ChangeKind::Deleted),
            ("dir/new ü\tfile", ChangeKind::Untracked),
            ("invented.md", ChangeKind::Untracked),
        ];
        assert_eq!(
            status,
            expected.map(|(path, kind)| (PathBuf::from(path), kind))
        );
        // A git killed in the middle of `add` leaves this.
        write_in(&rig.root, ".git/worktrees/w/index.lock", "");
        let message = Message::from_title("Add things")
            .with_body("# not a comment")
            .with_trailer("Callboard-Task", "t_1");
        let restore = [
            PathBuf::from("ROADMAP.md"),
            PathBuf::from("invented.md"),
            PathBuf::from("absent"),
        ];
        let commit = worktree.commit_all(&message, &restore).unwrap().unwrap();
        let changed = worktree.changed_files(&base).unwrap();
        assert_eq!(
            changed,
            ["README.md", "dir/new ü\tfile", "gone"].map(PathBuf::from)
        );
        let stat = worktree.diff_stat(&base).unwrap();
        assert_eq!((stat.files, stat.insertions, stat.deletions), (3, 2, 1));
        assert_eq!(worktree.status().unwrap(), []);
        let text = rig.git(&["log", "-1", "--format=%an <%ae>%n%B", commit.as_str()]);
        assert_eq!(
            text.trim_end(),
            "Tester <tester@localhost>\nfeat: add things\n\n# not a comment\n\nCallboard-Task: t_1"
        );
        assert_eq!(worktree.commits(&base).unwrap().len(), 1);
        assert!(worktree.diff(&base, 10_000).unwrap().contains("+two"));
    });
}

#[test]
fn a_file_the_agent_committed_itself_is_restored_too() {
    each_git(|rig| {
        let base = rig.commit("ROADMAP.md", "planned\n");
        let repo = rig.repo();
        let worktree = repo
            .worktree_add(&rig.path("w"), "callboard/w", &base)
            .unwrap();
        write_in(worktree.path(), "ROADMAP.md", "done\n");
        write_in(worktree.path(), "NEW.md", "x\n");
        rig.git_in(worktree.path(), &["add", "-A"]);
        rig.git_in(worktree.path(), &["commit", "-qm", "by the agent"]);
        let restore = [PathBuf::from("ROADMAP.md"), PathBuf::from("NEW.md")];
        worktree
            .commit_all(&Message::from_title("restore"), &restore)
            .unwrap()
            .unwrap();
        assert_eq!(
            repo.diff_stat(&base, &worktree.head().unwrap())
                .unwrap()
                .files,
            0
        );
    });
}

#[test]
fn a_worktree_that_was_turned_around_is_refused() {
    each_git(|rig| {
        let base = rig.commit("f", "a\n");
        let repo = rig.repo();
        let message = Message::from_title("x");
        let worktree = repo
            .worktree_add(&rig.path("w"), "callboard/w", &base)
            .unwrap();
        rig.git_in(worktree.path(), &["checkout", "-qb", "elsewhere"]);
        write_in(worktree.path(), "f", "b\n");
        assert!(matches!(
            worktree.commit_all(&message, &[]),
            Err(GitError::WrongBranch { .. })
        ));
        rig.git_in(worktree.path(), &["commit", "-qam", "b"]);
        rig.git_in(worktree.path(), &["checkout", "-q", "callboard/w"]);
        write_in(worktree.path(), "f", "c\n");
        rig.git_in(worktree.path(), &["commit", "-qam", "c"]);
        assert!(
            !rig.try_git_in(worktree.path(), &["merge", "-q", "elsewhere"])
                .0
        );
        let error = worktree.commit_all(&message, &[]).unwrap_err();
        assert!(
            matches!(&error, GitError::Unresolved { paths } if paths == &[PathBuf::from("f")]),
            "{error}"
        );
        rig.git_in(worktree.path(), &["merge", "--abort"]);
        rig.init(&worktree.path().join("nested"));
        assert!(matches!(
            worktree.commit_all(&message, &[]),
            Err(GitError::Nested { .. })
        ));
        std::fs::remove_dir_all(worktree.path().join("nested")).unwrap();
        std::fs::remove_file(worktree.path().join(".git")).unwrap();
        assert!(matches!(
            worktree.commit_all(&message, &[]),
            Err(GitError::Foreign { .. })
        ));
        rig.init(worktree.path());
        assert!(matches!(worktree.status(), Err(GitError::Foreign { .. })));
    });
}

#[test]
fn hooks_run_and_their_refusal_is_told() {
    each_git(|rig| {
        let repo = rig.repo();
        let worktree = repo
            .worktree_add(&rig.path("w"), "callboard/w", &rig.head())
            .unwrap();
        let tag = rig.path("tag");
        let hook = format!(
            "#!/bin/sh\necho \"$CALLBOARD_GIT\" >'{}'\necho no tabs please >&2\nexit 1\n",
            tag.display()
        );
        rig.script(&rig.root.join(".git/hooks/pre-commit"), &hook);
        write_in(worktree.path(), "x", "x\n");
        let error = worktree
            .commit_all(&Message::from_title("x"), &[])
            .unwrap_err();
        assert!(error.to_string().contains("no tabs please"), "{error}");
        assert_eq!(std::fs::read_to_string(tag).unwrap(), "test-tag\n");
    });
}

#[test]
fn without_an_identity_callboard_signs() {
    each_git(|rig| {
        rig.git(&["config", "--unset", "user.name"]);
        let repo = rig.repo();
        let worktree = repo
            .worktree_add(&rig.path("w"), "callboard/w", &rig.head())
            .unwrap();
        write_in(worktree.path(), "x", "x\n");
        let commit = worktree
            .commit_all(&Message::from_title("x"), &[])
            .unwrap()
            .unwrap();
        let who = rig.git(&["log", "-1", "--format=%an <%ae> %cn <%ce>", commit.as_str()]);
        assert_eq!(
            who,
            "Callboard <callboard@localhost> Callboard <callboard@localhost>"
        );
    });
}

#[test]
fn line_ends_are_converted_as_the_repository_says() {
    each_git(|rig| {
        rig.git(&["config", "core.autocrlf", "true"]);
        rig.git(&["config", "core.safecrlf", "true"]);
        let repo = rig.repo();
        let worktree = repo
            .worktree_add(&rig.path("w"), "callboard/w", &rig.head())
            .unwrap();
        assert_eq!(read_in(worktree.path(), "README.md"), "one\r\n");
        write_in(worktree.path(), "mixed", "a\nb\r\n");
        let commit = worktree
            .commit_all(&Message::from_title("x"), &[])
            .unwrap()
            .unwrap();
        assert_eq!(
            repo.file_at(&commit, Path::new("mixed")).unwrap().unwrap(),
            b"a\nb\n"
        );
        assert_eq!(repo.diff_stat(&rig.head(), &commit).unwrap().files, 1);
    });
}

#[test]
fn other_kinds_of_repositories_work() {
    each_git(|rig| {
        let deep = rig.commit("b", "b\n");
        let shallow = rig.path("shallow");
        let url = format!("file://{}", rig.root.display());
        rig.git_in(
            &rig.path("home"),
            &["clone", "-q", "--depth=1", &url, shallow.to_str().unwrap()],
        );
        let sha256 = rig.path("sha256");
        std::fs::create_dir(&sha256).unwrap();
        rig.git_in(
            &sha256,
            &["init", "-q", "-b", "main", "--object-format=sha256"],
        );
        write_in(&sha256, "a/README.md", "one\n");
        rig.git_in(&sha256, &["add", "-A"]);
        rig.git_in(
            &sha256,
            &[
                "-c",
                "user.name=x",
                "-c",
                "user.email=x@x",
                "commit",
                "-qm",
                "x",
            ],
        );
        let mut roots = vec![shallow, sha256];
        if rig.program().version().unwrap() >= (2, 45) {
            let reftable = rig.path("reftable");
            std::fs::create_dir(&reftable).unwrap();
            rig.git_in(
                &reftable,
                &["init", "-q", "-b", "main", "--ref-format=reftable"],
            );
            rig.git_in(
                &reftable,
                &[
                    "-c",
                    "user.name=x",
                    "-c",
                    "user.email=x@x",
                    "commit",
                    "-q",
                    "--allow-empty",
                    "-m",
                    "x",
                ],
            );
            roots.push(reftable);
        }
        for root in roots {
            let repo = rig.repo_at(&root);
            let base = repo.head().unwrap().commit;
            let worktree = repo
                .worktree_add(&root.with_extension("tree"), "callboard/w", &base)
                .unwrap();
            write_in(worktree.path(), "a/new", "x\n");
            let commit = worktree
                .commit_all(&Message::from_title("x"), &[])
                .unwrap()
                .unwrap();
            assert_eq!(
                repo.file_at(&commit, Path::new("a/new")).unwrap().unwrap(),
                b"x\n"
            );
            assert_eq!(repo.file_at(&commit, Path::new("a/b/new")).unwrap(), None);
            assert_eq!(repo.file_at(&commit, Path::new("a")).unwrap(), None);
            assert_eq!(repo.branch("callboard/w").unwrap(), Some(commit.clone()));
            assert_eq!(repo.branch("callboard/none").unwrap(), None);
            assert_eq!(repo.merge_base(&base, &commit).unwrap(), Some(base.clone()));
            let edit = [callboard_worktree::Edit::new("a/new", "y\n")];
            let next = repo
                .edit_commit(&commit, &edit, &Message::from_title("x"))
                .unwrap()
                .unwrap();
            repo.ref_update("refs/heads/next", &next.commit, None)
                .unwrap();
            assert!(
                repo.ref_update("refs/heads/next", &next.commit, Some(&base))
                    .is_err()
            );
            write_in(worktree.path(), "a/unsaved", "x\n");
            let keep = Keep::Rescue {
                reference: "refs/callboard/kept/x".into(),
                merged_into: Some(base),
            };
            assert!(
                repo.worktree_remove(worktree.path(), &keep)
                    .unwrap()
                    .rescued
                    .is_some()
            );
        }
        assert_eq!(
            rig.repo().tree_of(&deep).unwrap().as_str(),
            rig.git(&["rev-parse", "HEAD^{tree}"])
        );
    });
}

#[test]
fn submodules_are_named_and_stay_empty() {
    each_git(|rig| {
        let other = rig.path("other");
        rig.init(&other);
        write_in(&other, "f", "x\n");
        rig.git_in(&other, &["add", "-A"]);
        rig.git_in(&other, &["commit", "-qm", "x"]);
        assert_eq!(
            rig.repo().submodules(&rig.head()).unwrap(),
            Vec::<PathBuf>::new()
        );
        rig.git(&[
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "--quiet",
            "add",
            other.to_str().unwrap(),
            "deps/o ü",
        ]);
        rig.git(&["commit", "-qm", "feat: submodule"]);
        let repo = rig.repo();
        assert_eq!(
            repo.submodules(&rig.head()).unwrap(),
            [PathBuf::from("deps/o ü")]
        );
        let worktree = repo
            .worktree_add(&rig.path("w"), "callboard/w", &rig.head())
            .unwrap();
        assert_eq!(worktree.status().unwrap(), []);
        repo.worktree_remove(worktree.path(), &Keep::Nothing)
            .unwrap();
        assert!(!worktree.path().exists());
    });
}

#[test]
fn a_worktree_opened_again_is_the_same() {
    each_git(|rig| {
        let repo = rig.repo();
        let made = repo
            .worktree_add(&rig.path("w"), "callboard/w", &rig.head())
            .unwrap();
        let opened = repo.worktree_open(&rig.path("w"), &rig.head()).unwrap();
        assert_eq!(
            (opened.branch(), opened.path()),
            (made.branch(), made.path())
        );
        let detached = repo
            .worktree_add_detached(&rig.path("d"), &rig.head())
            .unwrap();
        assert_eq!(
            (detached.branch(), detached.head().unwrap()),
            (None, rig.head())
        );
        assert!(matches!(
            repo.worktree_open(&rig.root, &rig.head()),
            Err(GitError::Foreign { .. })
        ));
        let list = repo.worktree_list().unwrap();
        assert_eq!(list.len(), 3);
        assert_eq!(
            list.iter()
                .filter(|entry| entry.locked.as_deref() == Some("in use by Callboard"))
                .count(),
            2
        );
    });
}

#[test]
fn trees_without_write_permission_are_removed() {
    each_git(|rig| {
        let repo = rig.repo();
        let worktree = repo
            .worktree_add(&rig.path("w"), "callboard/w", &rig.head())
            .unwrap();
        write_in(worktree.path(), "cache/mod/file", "x\n");
        let closed = std::fs::Permissions::from_mode(0o555);
        std::fs::set_permissions(worktree.path().join("cache/mod"), closed.clone()).unwrap();
        std::fs::set_permissions(worktree.path().join("cache"), closed).unwrap();
        repo.worktree_remove(worktree.path(), &Keep::Nothing)
            .unwrap();
        assert!(!worktree.path().exists());
        assert_eq!(repo.worktree_list().unwrap().len(), 1);
    });
}

#[test]
fn a_hook_that_refuses_the_checkout_leaves_nothing() {
    each_git(|rig| {
        rig.script(
            &rig.root.join(".git/hooks/post-checkout"),
            "#!/bin/sh\nexit 1\n",
        );
        let repo = rig.repo();
        repo.worktree_add(&rig.path("w"), "callboard/w", &rig.head())
            .unwrap_err();
        assert!(!rig.path("w").exists());
        assert_eq!(repo.branch("callboard/w").unwrap(), None);
        assert_eq!(repo.worktree_list().unwrap().len(), 1);
    });
}

const GPG: &str = r#"#!/bin/sh
[ -e "$HOME/locked" ] && { echo gpg: no pinentry >&2; exit 2; }
cat >/dev/null
printf '\n[GNUPG:] SIG_CREATED \n' >&2
printf -- '-----BEGIN PGP SIGNATURE-----\nx\n-----END PGP SIGNATURE-----\n'
"#;

#[test]
fn commits_are_signed_where_the_user_signs_and_rescues_never_wait_for_a_key() {
    each_git(|rig| {
        rig.script(&rig.path("gpg"), GPG);
        rig.git(&["config", "commit.gpgsign", "true"]);
        rig.git(&["config", "gpg.program", rig.path("gpg").to_str().unwrap()]);
        let (repo, base) = (rig.repo(), rig.head());
        let is_signed = |commit: &Oid| {
            rig.git(&["cat-file", "commit", commit.as_str()])
                .contains("gpgsig")
        };
        let worktree = repo
            .worktree_add(&rig.path("w"), "callboard/w", &base)
            .unwrap();
        write_in(worktree.path(), "a", "x\n");
        let head = worktree
            .commit_all(&Message::from_title("a"), &[])
            .unwrap()
            .unwrap();
        let Merge::Made(merged) = repo
            .merge(&base, &head, &[], &Message::from_title("a"))
            .unwrap()
        else {
            panic!()
        };
        assert!(is_signed(&head) && is_signed(&merged.commit));
        write_in(&rig.path("home"), "locked", "");
        write_in(worktree.path(), "b", "x\n");
        let error = worktree
            .commit_all(&Message::from_title("b"), &[])
            .unwrap_err();
        assert!(error.hint().unwrap().contains("Signing failed"), "{error}");
        let keep = Keep::Rescue {
            reference: "refs/callboard/kept/w".into(),
            merged_into: None,
        };
        let rescued = repo
            .worktree_remove(worktree.path(), &keep)
            .unwrap()
            .rescued
            .unwrap();
        assert!(!is_signed(&rescued.commit));
    });
}
