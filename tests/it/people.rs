//! What people do meanwhile and between runs, where results may go, and projects that can't be worked.

use crate::workshop::{
    TESTS, WAIT_FOR, WITNESS, WORK, Workshop, attempts, item, report, roadmap, why,
};
use callboard_tests::{Finished, Home};
use std::path::Path;

/// Says that it has begun and waits until the test lets it go on.
const HELD: &str = ": >\"$HOME/seen/begun.$CALLBOARD_ITEM\"\nwait_for go\n";

#[test]
fn a_roadmap_edited_on_the_integration_branch_meanwhile_survives_byte_for_byte() {
    let shop = Workshop::new(&[
        ("Alpha part", ""),
        ("Beta part", "**Dependency**: PRIORITY 1\n"),
    ]);
    let running = shop.start(&format!("{WITNESS}{WAIT_FOR}{HELD}{WORK}"), &[]);
    shop.await_seen("begun.priority-1");
    let beside = shop.home.path().join("beside");
    shop.git(&[
        "worktree",
        "add",
        "-q",
        beside.to_str().unwrap(),
        "callboard/integration",
    ]);
    let edited = format!(
        "{}\r\nA remark of a person. \t\n\n\n## PRIORITY 9: Later\n\n**Status**: 📝 Planned  \nno newline",
        shop.results().trim_end()
    );
    shop.home.write(&beside.join("ROADMAP.md"), &edited);
    shop.home
        .git(&beside, &["commit", "-q", "-a", "-m", "docs: a remark"]);
    shop.git(&["worktree", "remove", beside.to_str().unwrap()]);
    shop.release("go");
    let done = running.finish();
    assert_eq!(done.code, 0, "{done:?}");
    let after = shop.results();
    let expected = edited.replacen("📝 Planned", "✅ Done", 2);
    assert_eq!(unmarked(&after), unmarked(&expected), "{after}");
    assert_eq!(after.matches("✅").count(), 2, "{after}");

    let next = shop.run(&format!("{WITNESS}{WORK}"), &[]);
    assert_eq!(next.code, 0, "{next:?}");
    assert_eq!(item(&report(&next), "priority-9")["outcome"], "done");
    shop.assert_tidy();
}

/// A roadmap without what our own edits change: how a status is worded is not this test's.
fn unmarked(text: &str) -> Vec<String> {
    let cut = |line: &str| match line.split_once("**Status**:") {
        Some((before, after)) => {
            let tail = after.trim_end();
            format!("{before}**Status**:{}", &after[tail.len()..])
        }
        None => line.to_owned(),
    };
    text.split('\n').map(cut).collect()
}

/// Says that the tests of a merge have begun, and waits until the test lets them go on.
const MERGE_HELD: &str = "case $PWD in *-merge) mkdir -p \"$HOME/seen\"; : >\"$HOME/seen/merging\"\n\
    until test -e \"$HOME/seen/moved\"; do sleep 0.02; done;; esac\n";

#[test]
fn a_branch_that_moves_while_a_merge_is_tested_is_merged_onto_again() {
    let text = roadmap(&[("Alpha part", "")]);
    let shop = Workshop::of(&[
        ("ROADMAP.md", &text),
        ("test.sh", &format!("{MERGE_HELD}{TESTS}")),
    ]);
    let running = shop.start(&format!("{WITNESS}{WAIT_FOR}{HELD}{WORK}"), &[]);
    let beside = shop.home.path().join("beside");
    let remark = |name: &str| {
        shop.git(&[
            "worktree",
            "add",
            "-q",
            beside.to_str().unwrap(),
            "callboard/integration",
        ]);
        shop.home.write(&beside.join(name), "by a person\n");
        shop.home.git(&beside, &["add", "-A"]);
        shop.home
            .git(&beside, &["commit", "-q", "-m", "docs: a remark"]);
        shop.git(&["worktree", "remove", beside.to_str().unwrap()]);
    };
    shop.await_seen("begun.priority-1");
    remark("first.txt");
    shop.release("go");
    shop.await_seen("merging");
    remark("second.txt");
    shop.release("moved");
    let done = running.finish();
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(
        attempts(&item(&report(&done), "priority-1")),
        ["done"],
        "nobody's fault"
    );
    for name in ["first.txt", "second.txt", "parts/priority-1"] {
        shop.git(&["show", &format!("callboard/integration:{name}")]);
    }
    assert_eq!(shop.results().matches("✅").count(), 1);
    shop.assert_tidy();
}

#[test]
fn an_item_added_on_main_is_worked_by_the_next_run() {
    let shop = Workshop::new(&[("Alpha part", "")]).with_origin();
    assert_eq!(shop.run(&format!("{WITNESS}{WORK}"), &[]).code, 0);
    shop.commit(
        "ROADMAP.md",
        &roadmap(&[("Alpha part", ""), ("Beta part", "")]),
    );
    let done = shop.run(&format!("{WITNESS}{WORK}"), &[]);
    assert_eq!(done.code, 0, "{done:?}");
    let report = report(&done);
    assert_eq!(
        attempts(&item(&report, "priority-1")),
        ["done"],
        "worked once"
    );
    assert_eq!(item(&report, "priority-2")["outcome"], "done");
    assert_eq!(shop.seen("order"), "priority-1\npriority-2\n");
    assert_eq!(shop.results().matches("✅").count(), 2);
    assert_eq!(
        shop.at_origin(&["rev-parse", "callboard/integration"]),
        shop.git(&["rev-parse", "callboard/integration"])
    );
}

#[test]
fn an_item_taken_out_of_the_roadmap_is_called_off() {
    let items = [
        ("Alpha part", ""),
        ("Beta part", "**Dependency**: PRIORITY 1\n"),
        ("Gamma part", ""),
    ];
    let shop = Workshop::new(&items);
    let agent = format!("{WITNESS}[ $CALLBOARD_ITEM != priority-1 ] || exit 3\n{WORK}");
    assert_eq!(shop.run(&agent, &["--attempts", "1"]).code, 2);
    let text = roadmap(&items);
    let (before, after) = (
        text.find("## PRIORITY 2").unwrap(),
        text.find("## PRIORITY 3").unwrap(),
    );
    shop.commit(
        "ROADMAP.md",
        &format!("{}{}", &text[..before], &text[after..]),
    );
    let done = shop.run(&agent, &["--attempts", "1"]);
    assert_eq!(done.code, 2, "{done:?}");
    let report = report(&done);
    let beta = item(&report, "priority-2");
    assert_eq!(beta["outcome"], "cancelled");
    assert!(why(&beta).contains("no longer in the roadmap"), "{beta}");
    assert!(
        !shop.seen("order").contains("priority-2"),
        "it was never begun"
    );
}

#[test]
fn what_a_person_finished_by_hand_is_done_and_lets_others_go_on() {
    let items = [
        ("Alpha part", ""),
        ("Beta part", "**Dependency**: PRIORITY 1\n"),
        ("Gamma part", ""),
    ];
    for (name, agent) in [
        ("failed", "[ $CALLBOARD_ITEM != priority-1 ] || exit 3\n"),
        (
            "parked",
            "[ $CALLBOARD_ITEM != priority-1 ] || { echo '{\"needs_person\": \"x\"}' >\"$CALLBOARD_REPORT_FILE\"; exit 0; }\n",
        ),
    ] {
        let shop = Workshop::new(&items);
        let agent = format!("{WITNESS}{agent}{WORK}");
        assert_eq!(shop.run(&agent, &["--attempts", "1"]).code, 2, "{name}");
        shop.commit(
            "ROADMAP.md",
            &roadmap(&items).replacen("📝 Planned", "✅ Done", 1),
        );
        let done = shop.run(&agent, &["--attempts", "1"]);
        assert_eq!(done.code, 0, "{name}: {done:?}");
        let report = report(&done);
        assert_eq!(
            item(&report, "priority-1")["outcome"],
            "done",
            "{name}: {report}"
        );
        assert_eq!(
            item(&report, "priority-2")["outcome"],
            "done",
            "{name}: {report}"
        );
        assert_eq!(
            shop.seen("order").matches("priority-1").count(),
            1,
            "{name}"
        );
    }
}

#[test]
fn a_failed_item_taken_out_of_the_roadmap_stops_nobody() {
    let items = [("Alpha part", ""), ("Beta part", "")];
    let shop = Workshop::new(&items);
    let agent = format!("{WITNESS}[ $CALLBOARD_ITEM != priority-2 ] || exit 3\n{WORK}");
    assert_eq!(shop.run(&agent, &["--attempts", "1"]).code, 2);
    let text = roadmap(&items);
    shop.commit("ROADMAP.md", &text[..text.find("## PRIORITY 2").unwrap()]);
    let done = shop.run(&agent, &["--attempts", "1"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(item(&report(&done), "priority-2")["outcome"], "cancelled");
}

#[test]
fn an_item_that_is_held_later_is_shown_once() {
    let items = [
        ("Alpha part", ""),
        ("Beta part", "**Dependency**: PRIORITY 1\n"),
    ];
    let shop = Workshop::new(&items);
    let agent = format!("{WITNESS}[ $CALLBOARD_ITEM != priority-1 ] || exit 3\n{WORK}");
    assert_eq!(shop.run(&agent, &["--attempts", "1"]).code, 2);
    shop.commit(
        "ROADMAP.md",
        &roadmap(&[
            ("Alpha part", ""),
            (
                "Beta part",
                "**Dependency**: Requires the blessing of the board\n",
            ),
        ]),
    );
    let done = shop.run(&agent, &["--attempts", "1"]);
    assert_eq!(done.code, 2, "{done:?}");
    let beta = item(&report(&done), "priority-2");
    assert_eq!(beta["outcome"], "needs_person", "{beta}");
    assert!(why(&beta).contains("blessing"), "{beta}");
    shop.commit(
        "ROADMAP.md",
        &roadmap(&[("Alpha part", ""), ("Beta part", "")]),
    );
    let done = shop.run(&agent, &["--attempts", "1"]);
    assert_eq!(
        item(&report(&done), "priority-2")["outcome"],
        "done",
        "{done:?}"
    );
}

#[test]
fn results_pushed_by_somebody_else_are_built_upon() {
    let shop = Workshop::new(&[("Alpha part", ""), ("Beta part", "")]).with_origin();
    let agent = format!(
        "{WITNESS}{WAIT_FOR}if [ $CALLBOARD_ITEM = priority-1 ]; then {{ {HELD} }}; fi\n{WORK}"
    );
    let running = shop.start(&agent, &["--agents", "1"]);
    shop.await_seen("begun.priority-1");
    let other = shop.home.path().join("other");
    shop.home.git(
        shop.home.path(),
        &[
            "clone",
            "-q",
            "-b",
            "callboard/integration",
            "origin.git",
            "other",
        ],
    );
    shop.home.write(&other.join("manual.txt"), "by a person\n");
    shop.home.git(&other, &["add", "-A"]);
    shop.home
        .git(&other, &["commit", "-q", "-m", "docs: a manual"]);
    shop.home.git(&other, &["push", "-q"]);
    shop.release("go");
    let done = running.finish();
    assert_eq!(done.code, 0, "{done:?}");
    let again = shop.run(&agent, &[]);
    assert_eq!(again.code, 0, "{again:?}");
    let tip = shop.git(&["rev-parse", "callboard/integration"]);
    assert_eq!(shop.at_origin(&["rev-parse", "callboard/integration"]), tip);
    assert_eq!(
        shop.at_origin(&["show", "callboard/integration:manual.txt"]),
        "by a person"
    );
    for part in ["parts/priority-1", "parts/priority-2"] {
        shop.at_origin(&["show", &format!("callboard/integration:{part}")]);
    }
    shop.assert_tidy();
}

#[test]
fn onto_main_moves_the_remotes_main_and_not_the_users_checkout() {
    let shop = Workshop::new(&[("Alpha part", "")]).with_origin();
    shop.home
        .write(&shop.root.join("notes.txt"), "not committed\n");
    let before = shop.checkout();
    let start = shop.at_origin(&["rev-parse", "main"]);
    let agent = format!("{WITNESS}{WORK}");
    let done = shop.run(&agent, &["--onto", "main"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(shop.checkout(), before);
    assert_ne!(shop.at_origin(&["rev-parse", "main"]), start);
    assert_eq!(
        shop.at_origin(&["show", "main:parts/priority-1"]),
        "priority-1"
    );
    assert!(shop.at_origin(&["show", "main:ROADMAP.md"]).contains("✅"));
    assert_eq!(shop.git(&["branch", "--list", "callboard/integration"]), "");
    shop.assert_tidy();

    // The user fetches the results when they like, adds to the plan, and work goes on from there.
    shop.git(&["pull", "-q", "--ff-only", "origin", "main"]);
    shop.commit(
        "ROADMAP.md",
        &format!(
            "{}\n## PRIORITY 2: Beta part\n\n**Status**: Planned\n",
            std::fs::read_to_string(shop.root.join("ROADMAP.md")).unwrap()
        ),
    );
    let next = shop.run(&agent, &["--onto", "main"]);
    assert_eq!(next.code, 0, "{next:?}");
    assert_eq!(shop.seen("order"), "priority-1\npriority-2\n");
    assert_eq!(
        shop.at_origin(&["show", "main:parts/priority-2"]),
        "priority-2"
    );
}

#[test]
fn onto_a_checked_out_branch_without_a_remote_is_refused() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let before = shop.checkout();
    let done = shop.run(WORK, &["--onto", "main"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(
        done.err.contains("main is checked out in") && done.err.contains("--onto"),
        "{}",
        done.err
    );
    assert_eq!(shop.checkout(), before);

    shop.git(&["switch", "-q", "-c", "elsewhere"]);
    let done = shop.run(WORK, &["--onto", "main"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(shop.git(&["show", "main:parts/priority-1"]), "priority-1");
}

/// Fails with 1 and says each of these.
fn assert_refused(done: &Finished, words: &[&str]) {
    assert_eq!(done.code, 1, "{done:?}");
    for word in words {
        assert!(
            done.err.contains(word),
            "{word:?} is missing in {}",
            done.err
        );
    }
    assert!(!done.err.contains("panicked"), "{}", done.err);
}

#[test]
fn a_roadmap_that_cannot_be_read_is_a_clear_error() {
    let none = Workshop::of(&[("test.sh", TESTS)]);
    assert_refused(
        &none.run(WORK, &[]),
        &["ROADMAP.md is not in commit", "--roadmap"],
    );
    assert_refused(&none.run(WORK, &["--roadmap", "PLAN.md"]), &["PLAN.md"]);

    none.home.write(
        &none.root.join("ROADMAP.md"),
        &roadmap(&[("Alpha part", "")]),
    );
    assert_refused(&none.run(WORK, &[]), &["ROADMAP.md", "commit it"]);

    let latin = Workshop::of(&[("test.sh", TESTS)]);
    std::fs::write(
        latin.root.join("ROADMAP.md"),
        b"# Plan\n\n## PRIORITY 1: Caf\xe9\n",
    )
    .unwrap();
    latin.git(&["add", "-A"]);
    latin.git(&["commit", "-q", "-m", "docs: plan"]);
    assert_refused(&latin.run(WORK, &[]), &["roadmap", "UTF-8", "line 3"]);

    let link = Workshop::of(&[
        ("test.sh", TESTS),
        ("docs/plan.md", &roadmap(&[("Alpha part", "")])),
    ]);
    std::os::unix::fs::symlink("docs/plan.md", link.root.join("ROADMAP.md")).unwrap();
    link.git(&["add", "-A"]);
    link.git(&["commit", "-q", "-m", "docs: plan"]);
    assert_refused(&link.run(WORK, &[]), &["ROADMAP.md", "link", "--roadmap"]);
    assert_eq!(link.run(WORK, &["--roadmap", "docs/plan.md"]).code, 0);

    assert_refused(
        &none.run(WORK, &["--roadmap", "../plan.md"]),
        &["--roadmap", "inside the repository"],
    );
}

#[test]
fn a_plan_that_is_not_committed_is_noted() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    shop.home.write(
        &shop.root.join("ROADMAP.md"),
        &roadmap(&[("Alpha part", ""), ("Beta part", "")]),
    );
    let done = shop.run(&format!("{WITNESS}{WORK}"), &[]);
    assert_eq!(done.code, 0, "{done:?}");
    let report = report(&done);
    assert_eq!(report["items"].as_array().unwrap().len(), 1);
    assert!(
        report["notes"][0]
            .as_str()
            .unwrap()
            .contains("not committed"),
        "{report}"
    );
}

#[test]
fn a_directory_that_is_no_project_is_a_clear_error() {
    let home = Home::new();
    let bare = home.path().join("plain");
    std::fs::create_dir(&bare).unwrap();
    let run = |path: &Path| home.callboard(&["run", path.to_str().unwrap(), "--agent", "true"]);
    assert_refused(&run(&bare), &["not inside a git repository", "git init"]);
    home.git(&bare, &["init", "-q"]);
    assert_refused(&run(&bare), &["no commit yet", "first commit"]);
    assert_refused(
        &run(&home.path().join("nowhere")),
        &["nowhere", "not a directory"],
    );
}

#[test]
fn without_an_agent_the_way_to_name_one_is_told() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let root = shop.root.to_str().unwrap();
    let done = shop.home.callboard(&["run", root]);
    assert_refused(&done, &["no agent", "--agent", "claude -p"]);
    assert_eq!(
        shop.git(&["branch", "--list", "callboard/*"]),
        "",
        "nothing was begun"
    );
    assert_refused(
        &shop.home.callboard(&["run", root, "--agent", "'unclosed"]),
        &["--agent"],
    );
}

#[test]
fn a_projects_own_commands_are_run_only_when_trusted() {
    let text = roadmap(&[("Alpha part", "")]);
    let config = "[run]\nagents = 2\n\n[tests]\ncommand = \"sh -c 'echo own >>$HOME/seen/own'\"\n";
    let shop = Workshop::of(&[
        ("ROADMAP.md", &text),
        ("test.sh", TESTS),
        ("callboard.toml", config),
    ]);
    let root = shop.root.to_str().unwrap();
    let agent = format!("{WITNESS}{WORK}");
    let trust = format!("callboard trust {root}");
    assert_refused(
        &shop.run(&agent, &[]),
        &["callboard.toml", "line 5", "tests.command", &trust],
    );
    assert!(!shop.has_seen("own") && !shop.has_seen("order"));

    let trusted = shop.home.callboard(&["trust", root]);
    assert_eq!(trusted.code, 0, "{trusted:?}");
    assert!(trusted.out.contains("tests.command"), "{}", trusted.out);
    let done = shop.run(&agent, &[]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(shop.has_seen("own"), "its own tests ran");

    shop.home.write(
        &shop.root.join("callboard.toml"),
        &config.replace("own >>", "other >>"),
    );
    assert_refused(
        &shop.run(&agent, &[]),
        &["changed since you trusted it", "line 5", &trust],
    );
    shop.home.write(&shop.root.join("callboard.toml"), config);
    assert_eq!(
        shop.run(&agent, &[]).code,
        0,
        "what was trusted is trusted again"
    );
    assert_eq!(shop.home.callboard(&["trust", root, "--revoke"]).code, 0);
    assert_refused(&shop.run(&agent, &[]), &["is not trusted", &trust]);
}

#[test]
fn a_bad_line_of_the_configuration_is_named() {
    let text = roadmap(&[("Alpha part", "")]);
    let shop = Workshop::of(&[
        ("ROADMAP.md", &text),
        ("test.sh", TESTS),
        ("callboard.toml", "[run]\nagents = 99\nagnets = 2\n"),
    ]);
    assert_refused(
        &shop.run(WORK, &[]),
        &[
            "callboard.toml:2",
            "1 to 16",
            "callboard.toml:3",
            "run.agents",
        ],
    );
}

#[test]
fn a_project_is_worked_by_one_process_at_a_time() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let agent = format!("{WITNESS}{WAIT_FOR}{HELD}{WORK}");
    let first = shop.start(&agent, &[]);
    shop.await_seen("begun.priority-1");
    let second = shop.run(&agent, &[]);
    assert_refused(
        &second,
        &["already at work", &format!("process {}", first.pid())],
    );
    shop.release("go");
    let done = first.finish();
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(
        attempts(&item(&report(&done), "priority-1")),
        ["done"],
        "the second disturbed nothing"
    );
    shop.assert_tidy();
}

#[test]
fn two_projects_on_one_board_do_not_meet() {
    let home = Home::new();
    let files = |word: &str| roadmap(&[(&format!("{word} part"), "")]);
    let roots = ["one", "two"]
        .map(|name| home.repository(name, &[("ROADMAP.md", &files(name)), ("test.sh", TESTS)]));
    let script = home.path().join("agent.sh");
    home.write(
        &script,
        &format!("set -eu\n{WORK}pwd >>\"$HOME/seen/pwd\"\n"),
    );
    home.write(&home.path().join("seen/x"), "");
    let agent = format!("sh {}", script.display());
    let runs = roots
        .each_ref()
        .map(|root| home.start(&["run", root.to_str().unwrap(), "--json", "--agent", &agent]));
    for (root, run) in roots.iter().zip(runs) {
        let done = run.finish();
        assert_eq!(done.code, 0, "{done:?}");
        let report = report(&done);
        assert_eq!(report["items"].as_array().unwrap().len(), 1, "{report}");
        assert_eq!(
            home.git(root, &["show", "callboard/integration:parts/priority-1"]),
            "priority-1"
        );
    }
}

#[test]
fn a_detached_checkout_and_a_linked_one_are_worked_as_any_other() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    shop.git(&["checkout", "-q", "--detach"]);
    let before = shop.checkout();
    let done = shop.run(WORK, &[]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(shop.checkout(), before);
    shop.assert_tidy();

    let linked = shop.home.path().join("linked");
    shop.git(&[
        "worktree",
        "add",
        "-q",
        "-b",
        "side",
        linked.to_str().unwrap(),
        "main",
    ]);
    shop.home.write(
        &linked.join("ROADMAP.md"),
        &roadmap(&[("Alpha part", ""), ("Beta part", "")]),
    );
    shop.home
        .git(&linked, &["commit", "-q", "-a", "-m", "docs: more"]);
    let agent = shop.agent(WORK);
    let done = shop
        .home
        .callboard(&["run", linked.to_str().unwrap(), "--json", "--agent", &agent]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(
        shop.git(&["show", "callboard/integration:parts/priority-2"]),
        "priority-2"
    );
    assert_eq!(shop.home.git(&linked, &["status", "--porcelain"]), "");
    assert_eq!(shop.git(&["worktree", "list"]).lines().count(), 2);
}

#[test]
fn results_go_on_while_somebody_looks_at_them() {
    let shop = Workshop::new(&[("Alpha part", "")]).with_origin();
    assert_eq!(shop.run(WORK, &[]).code, 0);
    shop.git(&["switch", "-q", "callboard/integration"]);
    shop.commit(
        "ROADMAP.md",
        &format!(
            "{}\n## PRIORITY 2: Beta part\n\n**Status**: Planned\n",
            shop.results()
        ),
    );
    let before = shop.checkout();
    let done = shop.run(WORK, &[]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(shop.checkout(), before);
    assert_eq!(shop.git(&["status", "--porcelain"]), "");
    assert_eq!(
        shop.at_origin(&["show", "callboard/integration:parts/priority-2"]),
        "priority-2"
    );
    shop.git(&["pull", "-q", "--ff-only", "origin", "callboard/integration"]);
    assert!(shop.root.join("parts/priority-2").exists());
    shop.assert_tidy();
}

#[test]
fn a_board_that_cannot_be_used_is_a_clear_error() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    shop.home.write(&shop.home.path().join("file"), "x");
    let file = shop.home.path().join("file/board");
    assert_refused(
        &shop.run(WORK, &["--board", file.to_str().unwrap()]),
        &[file.to_str().unwrap()],
    );
    let broken = shop.home.path().join("broken");
    shop.home
        .write(&broken.join("board.db"), &"not a database ".repeat(1000));
    assert_refused(
        &shop.run(WORK, &["--board", broken.to_str().unwrap()]),
        &["board", "database"],
    );
    assert_eq!(
        shop.git(&["branch", "--list", "callboard/*"]),
        "",
        "nothing was begun"
    );
    assert_eq!(
        shop.run(WORK, &["--board", shop.home.board().to_str().unwrap()])
            .code,
        0
    );
}
