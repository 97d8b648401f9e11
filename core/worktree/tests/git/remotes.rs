use std::path::Path;

use callboard_worktree::{Lease, PushOutcome, Rejection};

use crate::rig::{Rig, each_git, write_in};

const BRANCH: &str = "callboard/integration";

fn moved(outcome: &PushOutcome) -> bool {
    matches!(
        outcome,
        PushOutcome::Rejected {
            rejection: Rejection::Moved,
            ..
        }
    )
}

fn at_origin(rig: &Rig, bare: &Path, branch: &str) -> String {
    rig.git_in(bare, &["rev-parse", &format!("refs/heads/{branch}")])
}

#[test]
fn origin_is_described_without_secrets() {
    each_git(|rig| {
        let repo = rig.repo();
        assert_eq!(repo.origin().unwrap(), None);
        assert!(repo.remote("--all").is_err());
        let bare = rig.with_origin();
        let local = repo.origin().unwrap().unwrap();
        assert_eq!(
            (local.url.as_str(), local.host),
            (bare.to_str().unwrap(), None)
        );
        rig.git(&[
            "remote",
            "set-url",
            "origin",
            "https://me:s3cret@host.example/o/r.git",
        ]);
        let hosted = repo.origin().unwrap().unwrap();
        assert_eq!(hosted.url, "https://***@host.example/o/r.git");
        assert_eq!(hosted.host.as_deref(), Some("host.example"));
        rig.git(&[
            "remote",
            "set-url",
            "origin",
            "ssh://me:s3cret@127.0.0.1:1/o/r.git",
        ]);
        let error = repo.remote_branch("origin", "main").unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
    });
}

#[test]
fn pushes_keep_to_their_condition() {
    each_git(|rig| {
        let base = rig.head();
        let bare = rig.with_origin();
        let repo = rig.repo();
        let one = rig.branch_with("callboard/a", &base, &[("a", "a\n")]);
        let two = rig.branch_with("callboard/b", &base, &[("b", "b\n")]);
        let push = |commit, lease: Lease| repo.push("origin", commit, BRANCH, &lease).unwrap();
        assert_eq!(repo.remote_branch("origin", BRANCH).unwrap(), None);
        assert_eq!(push(&one, Lease::MustNotExist), PushOutcome::Pushed);
        assert_eq!(
            repo.remote_branch("origin", BRANCH).unwrap(),
            Some(one.clone())
        );
        assert_eq!(push(&one, Lease::MustNotExist), PushOutcome::UpToDate);
        assert!(moved(&push(&two, Lease::MustNotExist)));
        assert!(moved(&push(&two, Lease::FastForward)));
        assert!(moved(&push(&two, Lease::At(base.clone()))));
        assert_eq!(at_origin(rig, &bare, BRANCH), one.as_str());
        assert_eq!(push(&two, Lease::At(one.clone())), PushOutcome::Pushed);
        assert_eq!(at_origin(rig, &bare, BRANCH), two.as_str());
        assert_eq!(repo.branch(BRANCH).unwrap(), None, "no branch appears here");
    });
}

#[test]
fn a_push_is_rejected_when_the_remote_moved_and_the_new_tip_can_be_fetched() {
    each_git(|rig| {
        rig.with_origin();
        let clone = rig.path("clone");
        rig.git_in(
            &rig.path("home"),
            &[
                "clone",
                "-q",
                rig.path("origin.git").to_str().unwrap(),
                clone.to_str().unwrap(),
            ],
        );
        write_in(&clone, "theirs", "x\n");
        rig.git_in(&clone, &["add", "-A"]);
        rig.git_in(
            &clone,
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
        rig.git_in(&clone, &["push", "-q", "origin", "main"]);
        let repo = rig.repo();
        let ours = rig.branch_with("callboard/a", &rig.head(), &[("a", "a\n")]);
        assert!(moved(
            &repo
                .push("origin", &ours, "main", &Lease::FastForward)
                .unwrap()
        ));
        let before = rig.git(&["for-each-ref", "refs/remotes", "refs/heads"]);
        let theirs = repo.fetch_branch("origin", "main").unwrap().unwrap();
        assert_eq!(theirs.as_str(), rig.git_in(&clone, &["rev-parse", "HEAD"]));
        assert_eq!(
            rig.git(&["for-each-ref", "refs/remotes", "refs/heads"]),
            before,
            "the user's refs stay"
        );
        assert!(!rig.root.join(".git/FETCH_HEAD").exists());
        assert_eq!(repo.fetch_branch("origin", "none").unwrap(), None);
    });
}

#[test]
fn refusals_and_failures_are_told_apart() {
    each_git(|rig| {
        let bare = rig.with_origin();
        let repo = rig.repo();
        let commit = rig.commit("b", "b\n");
        rig.script(
            &bare.join("hooks/pre-receive"),
            "#!/bin/sh\necho not on a Friday >&2\nexit 1\n",
        );
        let outcome = repo
            .push("origin", &commit, BRANCH, &Lease::FastForward)
            .unwrap();
        let PushOutcome::Rejected {
            rejection: Rejection::Refused,
            reason,
        } = outcome
        else {
            panic!("{outcome:?}")
        };
        assert!(
            reason.contains("not on a Friday") && reason.contains("hook declined"),
            "{reason}"
        );
        rig.script(
            &rig.root.join(".git/hooks/pre-push"),
            "#!/bin/sh\necho tests first >&2\nexit 1\n",
        );
        let error = repo
            .push("origin", &commit, BRANCH, &Lease::FastForward)
            .unwrap_err();
        assert!(error.to_string().contains("tests first"), "{error}");
        std::fs::remove_file(rig.root.join(".git/hooks/pre-push")).unwrap();
        std::fs::remove_dir_all(bare).unwrap();
        let error = repo
            .push("origin", &commit, BRANCH, &Lease::FastForward)
            .unwrap_err();
        assert!(error.hint().unwrap().contains("git remote -v"), "{error}");
    });
}
