use callboard_worktree::{Edit, GitError, Lineage, Message, Oid};

use crate::rig::{Rig, each_git};

const NAME: &str = "refs/heads/callboard/integration";

#[test]
fn a_ref_that_moved_is_not_overwritten() {
    each_git(|rig| {
        let (one, two) = (rig.head(), rig.commit("b", "b\n"));
        let repo = rig.repo();
        repo.ref_update(NAME, &one, None).unwrap();
        let moved = |result: Result<(), GitError>| match result.unwrap_err() {
            GitError::Moved { found, .. } => found,
            other => panic!("{other}"),
        };
        assert_eq!(moved(repo.ref_update(NAME, &two, None)), Some(one.clone()));
        assert_eq!(
            moved(repo.ref_update(NAME, &one, Some(&two))),
            Some(one.clone())
        );
        assert_eq!(
            moved(repo.ref_update("refs/heads/none", &one, Some(&two))),
            None
        );
        assert_eq!(repo.reference(NAME).unwrap(), Some(one.clone()));
        repo.ref_update(NAME, &two, Some(&one)).unwrap();
        assert_eq!(
            repo.refs("refs/heads/callboard/").unwrap(),
            [(NAME.to_owned(), two.clone())]
        );
        assert_eq!(moved(repo.ref_delete(NAME, &one)), Some(two.clone()));
        repo.ref_delete(NAME, &two).unwrap();
        repo.ref_delete(NAME, &two).unwrap();
        assert_eq!(repo.reference(NAME).unwrap(), None);
    });
}

#[test]
fn packed_refs_are_found() {
    each_git(|rig| {
        rig.git(&["update-ref", "refs/callboard/kept/x", "HEAD"]);
        rig.git(&["pack-refs", "--all"]);
        assert_eq!(
            rig.repo().reference("refs/callboard/kept/x").unwrap(),
            Some(rig.head())
        );
        assert_eq!(rig.repo().resolve("main").unwrap(), Some(rig.head()));
    });
}

#[test]
fn a_branch_with_commits_of_its_own_is_not_deleted() {
    each_git(|rig| {
        let base = rig.head();
        let ahead = rig.branch_with("callboard/a", &base, &[("a", "a\n")]);
        let repo = rig.repo();
        assert!(
            !repo
                .branch_delete_if_contained("callboard/a", &base)
                .unwrap()
        );
        assert_eq!(repo.branch("callboard/a").unwrap(), Some(ahead.clone()));
        assert!(
            !repo.branch_delete_if_contained("main", &ahead).unwrap(),
            "it is checked out"
        );
        assert!(
            repo.branch_delete_if_contained("callboard/a", &ahead)
                .unwrap()
        );
        assert!(
            repo.branch_delete_if_contained("callboard/a", &ahead)
                .unwrap()
        );
        assert_eq!(repo.branch("callboard/a").unwrap(), None);
    });
}

fn with_trailer(rig: &Rig, onto: &Oid, n: usize, task: &str) -> Oid {
    let message = Message::from_title("Step")
        .with_body("Callboard-Task: t_quoted\n\nmore")
        .with_trailer("Callboard-Task", task);
    rig.repo()
        .edit_commit(onto, &[Edit::new("n", n.to_string())], &message)
        .unwrap()
        .unwrap()
        .commit
}

#[test]
fn a_task_is_known_again_by_its_trailer() {
    each_git(|rig| {
        let repo = rig.repo();
        let base = rig.head();
        let one = with_trailer(rig, &base, 1, "t_1");
        let ten = with_trailer(rig, &one, 2, "t_10");
        let find = |start: &Oid, since: Option<&Oid>, value: &str| {
            repo.find_trailer(start, since, "Callboard-Task", value, Lineage::FirstParent)
                .unwrap()
        };
        assert_eq!(
            find(&ten, None, "t_1"),
            Some(one.clone()),
            "a prefix is no match"
        );
        assert_eq!(find(&ten, Some(&base), "t_10"), Some(ten.clone()));
        assert_eq!(find(&ten, Some(&one), "t_1"), None);
        assert_eq!(find(&one, None, "t_10"), None);
        assert_eq!(
            find(&ten, None, "t_quoted"),
            None,
            "a body may say anything"
        );
        assert_eq!(find(&ten, None, "--all"), None);
        let onto = rig.commit("other", "x\n");
        let merged = repo
            .merge(
                &onto,
                &ten,
                &[],
                &Message::from_title("merge").with_trailer("Callboard-Task", "t_3"),
            )
            .unwrap();
        let callboard_worktree::Merge::Made(merged) = merged else {
            panic!()
        };
        assert_eq!(
            find(&merged.commit, None, "t_10"),
            None,
            "an agent's commit is not believed"
        );
        let anywhere = repo
            .find_trailer(
                &merged.commit,
                None,
                "Callboard-Task",
                "t_10",
                Lineage::Everything,
            )
            .unwrap();
        assert_eq!(anywhere, Some(ten.clone()));
        assert_eq!(
            find(&merged.commit, None, "t_3"),
            Some(merged.commit.clone())
        );
        assert_eq!(repo.commits_between(&base, &ten).unwrap().len(), 2);
        assert_eq!(repo.commits_between(&base, &ten).unwrap()[0].id, ten);
    });
}
