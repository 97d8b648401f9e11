use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use callboard_worktree::{Edit, Merge, MergeCommit, MergeTree, Message, Oid, Person};

use crate::rig::{Rig, each_git};

fn made(merge: Merge) -> MergeCommit {
    match merge {
        Merge::Made(commit) => commit,
        other => panic!("{other:?}"),
    }
}

fn message() -> Message {
    Message::from_title("Merge it").with_trailer("Callboard-Task", "t_1")
}

fn text_at(rig: &Rig, commit: &Oid, path: &str) -> Option<String> {
    let bytes = rig.repo().file_at(commit, Path::new(path)).unwrap();
    bytes.map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn a_clean_merge_has_two_parents_and_the_edits() {
    each_git(|rig| {
        rig.write("docs/ROADMAP.md", "- [ ] one\r\n");
        rig.write("run.sh", "echo 1\n");
        std::fs::set_permissions(
            rig.root.join("run.sh"),
            std::fs::Permissions::from_mode(0o755),
        )
        .unwrap();
        let base = rig.commit("shared", "a\nb\nc\nd\ne\n");
        let head = rig.branch_with(
            "callboard/one",
            &base,
            &[("shared", "a\nb\nc\nd\nE\n"), ("docs/new", "x\n")],
        );
        let onto = rig.branch_with("callboard/two", &base, &[("shared", "A\nb\nc\nd\ne\n")]);
        let repo = rig.repo();
        let MergeTree::Clean(merged) = repo.merge_tree(&onto, &head).unwrap() else {
            panic!()
        };
        assert_eq!(
            text_at(rig, &merged.tree, "shared").unwrap(),
            "A\nb\nc\nd\nE\n"
        );
        let edits = [
            Edit::new("docs/ROADMAP.md", "- [x] one\r\n"),
            Edit::new("run.sh", "echo 2\n"),
            Edit::new("made/up/file", "new\n"),
        ];
        let commit = repo.merge_commit(&merged, &edits, &message()).unwrap();
        assert_eq!(
            rig.git(&["log", "-1", "--format=%P", commit.commit.as_str()]),
            format!("{onto} {head}")
        );
        assert_eq!(
            text_at(rig, &commit.commit, "docs/ROADMAP.md").unwrap(),
            "- [x] one\r\n"
        );
        assert_eq!(text_at(rig, &commit.commit, "docs/new").unwrap(), "x\n");
        assert_eq!(
            text_at(rig, &commit.commit, "made/up/file").unwrap(),
            "new\n"
        );
        assert!(
            rig.git(&["ls-tree", commit.commit.as_str(), "run.sh"])
                .starts_with("100755 ")
        );
        assert!(
            rig.git(&["ls-tree", commit.commit.as_str(), "docs/ROADMAP.md"])
                .starts_with("100644 ")
        );
        assert_eq!(
            (
                commit.diff.files,
                commit.diff.insertions,
                commit.diff.deletions
            ),
            (5, 5, 3)
        );
        assert_eq!(
            rig.git(&[
                "log",
                "-1",
                "--format=%(trailers:key=Callboard-Task,valueonly)",
                commit.commit.as_str()
            ])
            .trim(),
            "t_1"
        );
        assert_eq!(
            rig.git(&["for-each-ref", "--contains", commit.commit.as_str()]),
            "",
            "no ref moved"
        );
        rig.check_clean();
    });
}

#[test]
fn a_conflict_is_told_so_that_an_agent_can_act() {
    each_git(|rig| {
        let base = rig.commit("ü file", "one\ntwo\nthree\n");
        let head = rig.branch_with("callboard/a", &base, &[("ü file", "one\ntheirs\nthree\n")]);
        let onto = rig.branch_with("callboard/b", &base, &[("ü file", "one\nours\nthree\n")]);
        let Merge::Conflict(conflict) = rig.repo().merge(&onto, &head, &[], &message()).unwrap()
        else {
            panic!()
        };
        assert_eq!(conflict.paths, [PathBuf::from("ü file")]);
        for part in [
            "CONFLICT (content)",
            "ü file:2",
            "ours",
            "theirs",
            "=======",
            ">>>>>>>",
        ] {
            assert!(
                conflict.text.contains(part),
                "{part:?} in {}",
                conflict.text
            );
        }
        let long = "x\n".repeat(5_000);
        let head = rig.branch_with("callboard/c", &base, &[("ü file", &long)]);
        let Merge::Conflict(conflict) = rig.repo().merge(&onto, &head, &[], &message()).unwrap()
        else {
            panic!()
        };
        assert!(conflict.text.chars().count() <= 4_000);
    });
}

#[test]
fn a_deleted_file_that_was_changed_is_a_conflict() {
    each_git(|rig| {
        let base = rig.commit("f", "one\n");
        let head = rig.branch_with("callboard/a", &base, &[("f", "two\n")]);
        rig.git(&["rm", "-q", "f"]);
        rig.git(&["commit", "-qm", "fix: remove f"]);
        let Merge::Conflict(conflict) = rig
            .repo()
            .merge(&rig.head(), &head, &[], &message())
            .unwrap()
        else {
            panic!()
        };
        assert_eq!(conflict.paths, [PathBuf::from("f")]);
        assert!(conflict.text.contains("modify/delete"), "{}", conflict.text);
    });
}

#[test]
fn what_is_contained_already_is_not_merged_again() {
    each_git(|rig| {
        let base = rig.head();
        let next = rig.commit("b", "b\n");
        let repo = rig.repo();
        assert_eq!(
            repo.merge(&next, &base, &[], &message()).unwrap(),
            Merge::AlreadyContained
        );
        assert_eq!(
            repo.merge(&next, &next, &[], &message()).unwrap(),
            Merge::AlreadyContained
        );
        let forward = made(repo.merge(&base, &next, &[], &message()).unwrap());
        assert_eq!(
            rig.git(&["log", "-1", "--format=%P", forward.commit.as_str()]),
            format!("{base} {next}")
        );
    });
}

#[test]
fn edits_stay_inside_the_tree() {
    each_git(|rig| {
        std::os::unix::fs::symlink("/etc/passwd", rig.root.join("link")).unwrap();
        let base = rig.commit("dir/f", "x\n");
        let repo = rig.repo();
        for path in [
            "../x",
            "/x",
            ".git/config",
            "link",
            "dir",
            "link/x",
            "dir/f/x",
            "",
        ] {
            assert!(
                repo.edit_commit(&base, &[Edit::new(path, "x")], &message())
                    .is_err(),
                "{path:?}"
            );
        }
        assert_eq!(repo.file_at(&base, Path::new("link")).unwrap(), None);
        assert_eq!(
            repo.edit_commit(&base, &[Edit::new("dir/f", "x\n")], &message())
                .unwrap(),
            None
        );
        let commit = repo
            .edit_commit(&base, &[Edit::new("dir/f", "y\n")], &message())
            .unwrap()
            .unwrap();
        assert_eq!(commit.diff.files, 1);
        assert_eq!(
            repo.file_at(&base, Path::new("dir/f")).unwrap().unwrap(),
            b"x\n"
        );
    });
}

#[test]
fn a_merged_item_is_taken_back() {
    each_git(|rig| {
        let base = rig.commit("ROADMAP.md", "planned\n");
        let head = rig.branch_with("callboard/a", &base, &[("a", "a\n")]);
        let repo = rig.repo();
        let merged = made(
            repo.merge(
                &base,
                &head,
                &[Edit::new("ROADMAP.md", "done\n")],
                &message(),
            )
            .unwrap(),
        )
        .commit;
        let later = rig.branch_with("callboard/b", &merged, &[("b", "b\n")]);
        let back = made(
            repo.revert(
                &later,
                &merged,
                &[],
                &Message::new("revert", None, "take a back"),
            )
            .unwrap(),
        );
        assert_eq!(text_at(rig, &back.commit, "a"), None);
        assert_eq!(text_at(rig, &back.commit, "b").unwrap(), "b\n");
        assert_eq!(
            text_at(rig, &back.commit, "ROADMAP.md").unwrap(),
            "planned\n"
        );
        assert_eq!(
            rig.git(&["log", "-1", "--format=%P", back.commit.as_str()]),
            later.to_string()
        );
        assert_eq!(
            repo.revert(&back.commit, &merged, &[], &message()).unwrap(),
            Merge::AlreadyContained
        );
        let built_on = rig.branch_with("callboard/c", &merged, &[("a", "changed since\n")]);
        assert!(matches!(
            repo.revert(&built_on, &merged, &[], &message()).unwrap(),
            Merge::Conflict(_)
        ));
        let first = rig.git(&["rev-list", "--max-parents=0", "HEAD"]);
        assert!(
            repo.revert(&later, &Oid::parse(&first).unwrap(), &[], &message())
                .is_err()
        );
        rig.check_clean();
    });
}

#[test]
fn an_author_can_be_named() {
    each_git(|rig| {
        let author = Person {
            name: "Agent Ü".into(),
            email: "agent@localhost".into(),
        };
        let message = message().with_author(author);
        let commit = rig
            .repo()
            .edit_commit(&rig.head(), &[Edit::new("x", "x")], &message)
            .unwrap()
            .unwrap();
        let who = rig.git(&[
            "log",
            "-1",
            "--format=%an <%ae> %cn",
            commit.commit.as_str(),
        ]);
        assert_eq!(who, "Agent Ü <agent@localhost> Tester");
    });
}
