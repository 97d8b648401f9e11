//! Two items whose work does not go together: merged as git can, tested as merged, tried again on the new head.

use crate::workshop::{WAIT_FOR, WITNESS, Workshop, attempts, item, report, roadmap, why};
use serde_json::Value;
use std::collections::BTreeSet;

/// Both items are begun on the same head: each waits until the other has begun.
const TOGETHER: &str = "if [ $CALLBOARD_TRY = 1 ]; then\n  : >\"$HOME/seen/begun.$CALLBOARD_ITEM\"\n\
      wait_for begun.priority-1; wait_for begun.priority-2\nfi\n";

fn by_first_outcome(report: &Value) -> (Value, Value) {
    let items = [item(report, "priority-1"), item(report, "priority-2")];
    let [first, second] = items;
    if attempts(&first).len() == 1 {
        (first, second)
    } else {
        (second, first)
    }
}

#[test]
fn a_merge_conflict_is_retried_on_the_new_head() {
    let text = roadmap(&[("Alpha part", ""), ("Beta part", "")]);
    let shop = Workshop::of(&[
        ("ROADMAP.md", &text),
        ("test.sh", "test -s list.txt\n"),
        ("list.txt", "start\n"),
    ])
    .with_origin();
    let done = shop.run(
        &format!("{WITNESS}{WAIT_FOR}{TOGETHER}echo $CALLBOARD_ITEM >>list.txt\n"),
        &[],
    );
    assert_eq!(done.code, 0, "{done:?}");
    let (smooth, other) = by_first_outcome(&report(&done));
    assert_eq!(
        (attempts(&smooth), attempts(&other)),
        (vec!["done"], vec!["conflict", "done"])
    );
    let error = other["attempts"][0]["error"].as_str().unwrap();
    assert!(error.contains("list.txt"), "{error}");

    let at = |name: &str| format!("{}.{name}", other["item"].as_str().unwrap());
    let told = shop.seen(&at("2.stdin"));
    assert!(
        told.contains("new head") && told.contains("list.txt"),
        "{told}"
    );
    assert!(shop.seen(&at("2.env")).contains("CALLBOARD_CONFLICT=1"));
    assert!(!shop.seen(&at("1.env")).contains("CALLBOARD_CONFLICT"));
    let base = shop.seen(&at("2.base"));
    shop.git(&[
        "merge-base",
        "--is-ancestor",
        smooth["merge"].as_str().unwrap(),
        base.trim(),
    ]);
    let list = shop.at_origin(&["show", "callboard/integration:list.txt"]);
    assert_eq!(
        list.lines().collect::<BTreeSet<_>>(),
        BTreeSet::from(["start", "priority-1", "priority-2"])
    );
    shop.assert_tidy();
}

#[test]
fn a_second_conflict_is_left_for_a_person() {
    let text = roadmap(&[("Alpha part", ""), ("Beta part", "")]);
    let shop = Workshop::of(&[
        ("ROADMAP.md", &text),
        ("test.sh", "test -s list.txt\n"),
        ("list.txt", "start\n"),
    ]);
    let stubborn = "[ -z \"${CALLBOARD_CONFLICT-}\" ] || git reset -q --hard main\necho $CALLBOARD_ITEM >>list.txt\n";
    let done = shop.run(&format!("{WITNESS}{WAIT_FOR}{TOGETHER}{stubborn}"), &[]);
    assert_eq!(done.code, 2, "{done:?}");
    let (smooth, other) = by_first_outcome(&report(&done));
    assert_eq!(
        (&smooth["outcome"], &other["outcome"]),
        (&"done".into(), &"needs_person".into())
    );
    assert_eq!(attempts(&other), ["conflict", "conflict"]);
    assert!(
        why(&other).contains("by hand") && why(&other).contains("list.txt"),
        "{other}"
    );
    let kept = other["attempts"][1]["kept"].as_str().unwrap();
    assert_eq!(
        shop.git(&["show", &format!("{kept}:list.txt")]),
        format!("start\n{}", other["item"].as_str().unwrap())
    );
    shop.assert_tidy();
}

/// No two parts may be switched on.
const ONE_ON: &str = "on=$(cat parts/* 2>/dev/null | grep -c on)\n[ \"$on\" -le 1 ] || { echo \"$on are on\"; exit 1; }\n";

#[test]
fn branches_that_pass_alone_and_fail_together_are_caught() {
    let text = roadmap(&[("Alpha part", ""), ("Beta part", "")]);
    let shop = Workshop::of(&[("ROADMAP.md", &text), ("test.sh", ONE_ON)]);
    let switch = "mkdir -p parts\nif [ $CALLBOARD_TRY = 1 ]; then echo on; else echo off; fi >parts/$CALLBOARD_ITEM\n";
    let done = shop.run(&format!("{WITNESS}{WAIT_FOR}{TOGETHER}{switch}"), &[]);
    assert_eq!(done.code, 0, "{done:?}");
    let (smooth, other) = by_first_outcome(&report(&done));
    assert_eq!(
        (attempts(&smooth), attempts(&other)),
        (vec!["done"], vec!["conflict", "done"])
    );
    let error = other["attempts"][0]["error"].as_str().unwrap();
    assert!(error.contains("2 are on"), "{error}");
    assert!(
        shop.seen(&format!("{}.2.stdin", other["item"].as_str().unwrap()))
            .contains("2 are on")
    );
    for merge in shop
        .git(&["rev-list", "--first-parent", "main..callboard/integration"])
        .lines()
    {
        let on = shop.git(&["grep", "-c", "on", merge, "--", "parts"]);
        assert_eq!(on.lines().count(), 1, "{merge}: {on}");
    }
    shop.assert_tidy();
}

#[test]
fn a_branch_taken_back_to_an_older_commit_is_tested_as_merged() {
    let text = roadmap(&[
        ("Alpha part", ""),
        ("Beta part", "**Dependency**: PRIORITY 1\n"),
    ]);
    let shop = Workshop::of(&[("ROADMAP.md", &text), ("test.sh", ONE_ON)]);
    // On the older commit, beta's own tests know nothing of alpha.
    let agent = "git reset -q --hard main\nmkdir -p parts\necho on >parts/$CALLBOARD_ITEM\n";
    let done = shop.run(agent, &["--attempts", "1"]);
    assert_eq!(done.code, 2, "{done:?}");
    let report = report(&done);
    assert_eq!(item(&report, "priority-1")["outcome"], "done");
    assert_ne!(item(&report, "priority-2")["outcome"], "done", "{report}");
    assert!(
        shop.git(&["ls-tree", "--name-only", "callboard/integration", "parts/"])
            .lines()
            .eq(["parts/priority-1"])
    );
    shop.assert_tidy();
}
