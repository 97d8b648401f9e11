//! Which items are worked, after which, and which wait for a person.

use crate::workshop::{TESTS, WITNESS, WORK, Workshop, attempts, item, report, why};

#[test]
fn an_agent_may_ask_for_a_person() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let agent = format!(
        "{WITNESS}if [ -e \"$HOME/seen/colour\" ]; then {{ {WORK} }}\nelse echo '{{\"needs_person\": \"which colour?\"}}' >\"$CALLBOARD_REPORT_FILE\"\nfi\n"
    );
    let parked = shop.run(&agent, &[]);
    assert_eq!(parked.code, 2, "{parked:?}");
    let alpha = item(&report(&parked), "priority-1");
    assert_eq!(
        (&alpha["outcome"], attempts(&alpha)),
        (&"needs_person".into(), vec!["parked"])
    );
    assert!(why(&alpha).contains("which colour?"), "{alpha}");
    shop.assert_tidy();

    shop.release("colour");
    let left = shop.run(&agent, &[]);
    assert_eq!(left.code, 2, "{left:?}");
    assert_eq!(
        shop.seen("order").lines().count(),
        1,
        "nobody asked to try again"
    );
    let retried = shop.run(&agent, &["--retry"]);
    assert_eq!(retried.code, 0, "{retried:?}");
    assert_eq!(
        attempts(&item(&report(&retried), "priority-1")),
        ["parked", "done"]
    );
}

#[test]
fn items_are_worked_in_the_order_of_their_dependencies() {
    let shop = Workshop::new(&[
        ("Roof", "**Dependency**: PRIORITY 2\n"),
        ("Walls", "**Dependency**: Requires PRIORITY 3 completed\n"),
        ("Ground", "**Dependency**: None\n"),
        ("Garden", ""),
    ]);
    let done = shop.run(&format!("{WITNESS}{WORK}"), &[]);
    assert_eq!(done.code, 0, "{done:?}");
    let order = shop.seen("order");
    let place = |key: &str| order.lines().position(|line| line == key).unwrap();
    assert!(
        place("priority-3") < place("priority-2") && place("priority-2") < place("priority-1"),
        "{order}"
    );
    let there = shop.seen("priority-1.1.parts");
    assert!(
        there.contains("priority-2") && there.contains("priority-3"),
        "built on what it depends on: {there}"
    );
}

#[test]
fn what_only_a_person_can_decide_is_held() {
    let text = "# Plan\n\n## PRIORITY 1: Move\n\n**Status**: Planned\n**Dependency**: Requires the new data centre\n\n\
        ## PRIORITY 2: After the move\n\n**Status**: Planned\n**Dependency**: PRIORITY 1\n\n\
        ## PRIORITY 3: Store\n\n**Status**: Planned\n\n### Option A: SQLite\n\nSmall.\n\n### Option B: PostgreSQL\n\nLarge.\n\n\
        ## PRIORITY 4: Garden\n\n**Status**: Planned\n";
    let shop = Workshop::of(&[("ROADMAP.md", text), ("test.sh", TESTS)]);
    let done = shop.run(&format!("{WITNESS}{WORK}"), &[]);
    assert_eq!(done.code, 2, "{done:?}");
    let report = report(&done);
    let outcomes: Vec<&str> = report["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(
        outcomes,
        ["needs_person", "needs_person", "needs_person", "done"],
        "{report}"
    );
    let items = report["items"].as_array().unwrap();
    assert!(why(&items[0]).contains("new data centre"), "{report}");
    assert!(why(&items[1]).contains("PRIORITY 1: Move"), "{report}");
    assert!(
        why(&items[2]).contains("SQLite") && why(&items[2]).contains("PostgreSQL"),
        "{report}"
    );
    assert_eq!(shop.seen("order"), "priority-4\n");
}
