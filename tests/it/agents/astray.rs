//! Agents that touch what is not theirs: the roadmap, their branch, their worktree.

use crate::workshop::{TESTS, WITNESS, WORK, Workshop, attempts, item, report};

#[test]
fn the_roadmap_is_not_an_agents_to_edit() {
    let plan = "# Plan\r\n\r\n## PRIORITY 1: Älpha  \r\n\r\n**Status**: 📝 Planned   \r\n\r\n\ttrailing\t \r\n\
        \r\n## PRIORITY 2: Beta\r\n\r\n**Status**: 📝 Planned\r\nno newline at the end";
    for (name, edit) in [
        ("edited", "echo mine >ROADMAP.md\n"),
        ("removed", "rm ROADMAP.md\n"),
        (
            "made a directory",
            "rm ROADMAP.md\nmkdir ROADMAP.md\necho x >ROADMAP.md/x\n",
        ),
        (
            "committed",
            "echo mine >>ROADMAP.md\ngit add -A\ngit -c user.name=R -c user.email=r@example.org commit -qm 'docs: mine'\n",
        ),
    ] {
        let shop = Workshop::of(&[("ROADMAP.md", plan), ("test.sh", TESTS)]);
        let agent = format!("{WORK}[ $CALLBOARD_ITEM = priority-2 ] && exit 3\n{edit}");
        let done = shop.run(&agent, &["--attempts", "1"]);
        let report = report(&done);
        assert_eq!(
            item(&report, "priority-1")["outcome"],
            "done",
            "{name}: {report}"
        );
        let after = shop.results();
        let (old, new): (Vec<&str>, Vec<&str>) =
            (plan.split('\n').collect(), after.split('\n').collect());
        assert_eq!(old.len(), new.len(), "{name}: {after}");
        let changed: Vec<(&str, &str)> = old
            .into_iter()
            .zip(new)
            .filter(|(old, new)| old != new)
            .collect();
        let [(old, new)] = changed[..] else {
            panic!("{name}: {changed:?}")
        };
        assert_eq!(old, "**Status**: 📝 Planned   \r", "{name}");
        assert!(
            new.contains("✅") && new.ends_with("   \r"),
            "{name}: {new:?}"
        );
        shop.assert_tidy();
    }
}

#[test]
fn an_agent_that_leaves_its_branch_is_told_to_stay() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let agent = format!("{WITNESS}{WORK}[ $CALLBOARD_TRY = 2 ] || git switch -q -c mine\n");
    let done = shop.run(&agent, &[]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(
        attempts(&item(&report(&done), "priority-1")),
        ["failed", "done"]
    );
    let told = shop.seen("priority-1.2.stdin");
    assert!(told.contains("do not switch branches"), "{told}");
    shop.assert_tidy();
}

#[test]
fn an_agent_that_breaks_its_worktree_is_told_and_starts_afresh() {
    for (name, breakage, told) in [
        ("no link to the repository", "rm .git", "not a worktree"),
        (
            "a repository of its own",
            "rm .git\ngit init -q .",
            "not a worktree",
        ),
        (
            "a repository inside",
            "git init -q inside\necho x >inside/x",
            "inside",
        ),
        (
            "nothing left",
            "cd /\nrm -rf \"$CALLBOARD_WORKTREE\"",
            "not a worktree",
        ),
        ("no tests", "rm test.sh", "tests are gone"),
        (
            "an unfinished merge",
            "git config user.name R\ngit config user.email r@example.org\necho 1 >clash\ngit add -A\ngit commit -qm 'feat: 1'\n\
             git branch other HEAD^\ngit checkout -q --detach other\necho 2 >clash\ngit add -A\ngit commit -qm 'feat: 2'\n\
             two=$(git rev-parse HEAD)\ngit checkout -q -\ngit branch -qD other\ngit merge -q $two || true",
            "conflict",
        ),
    ] {
        let shop = Workshop::new(&[("Alpha part", "")]);
        let before = shop.checkout();
        let agent = format!("{WITNESS}{WORK}if [ $CALLBOARD_TRY = 1 ]; then\n{breakage}\nfi\n");
        let done = shop.run(&agent, &[]);
        assert_eq!(done.code, 0, "{name}: {done:?}");
        let alpha = item(&report(&done), "priority-1");
        assert_eq!(attempts(&alpha), ["failed", "done"], "{name}: {alpha}");
        let error = alpha["attempts"][0]["error"].as_str().unwrap();
        assert!(error.contains(told), "{name}: {error}");
        assert!(shop.seen("priority-1.2.stdin").contains(told), "{name}");
        assert_eq!(shop.checkout(), before, "{name}");
        shop.assert_tidy();
    }
}

#[test]
fn a_lock_left_by_a_killed_git_is_in_nobodys_way() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let done = shop.run(
        &format!("{WORK}: >\"$(git rev-parse --git-dir)/index.lock\"\n"),
        &["--attempts", "1"],
    );
    assert_eq!(done.code, 0, "{done:?}");
    shop.assert_tidy();
}
