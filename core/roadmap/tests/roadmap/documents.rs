//! Whole documents in the styles that people use: every item, status, duration, dependency and deliverable in them.

use callboard_roadmap::{Item, ItemKey, Looks, Roadmap, Status, parse};

const PRIORITIES: &str = include_str!("fixtures/priorities.md");
const MILESTONES: &str = include_str!("fixtures/milestones.md");
const LISTS: &str = include_str!("fixtures/lists.md");

fn read(text: &str) -> Roadmap {
    parse(text.as_bytes()).unwrap()
}

fn item<'r>(roadmap: &'r Roadmap, key: &str) -> &'r Item {
    roadmap
        .item(&ItemKey::from(key))
        .unwrap_or_else(|| panic!("no {key}"))
}

fn keys(roadmap: &Roadmap) -> Vec<&str> {
    roadmap.items.iter().map(|i| i.key.as_str()).collect()
}

fn status(roadmap: &Roadmap, key: &str) -> Status {
    roadmap.status_of(&ItemKey::from(key)).unwrap()
}

fn waits(roadmap: &Roadmap, key: &str) -> Vec<String> {
    roadmap
        .waits_for(&ItemKey::from(key))
        .into_iter()
        .map(|k| k.0)
        .collect()
}

#[test]
fn a_roadmap_of_priorities_has_exactly_its_items() {
    let roadmap = read(PRIORITIES);
    let expected = [
        "1",
        "2",
        "priority-1",
        "priority-2",
        "priority-2.5",
        "priority-3",
        "option-a",
        "option-b",
        "priority-4",
        "phase-1.1",
    ];
    assert_eq!(keys(&roadmap), expected);
    assert_eq!(
        roadmap.title.as_deref(),
        Some("Tea Kettle - Prioritised Roadmap")
    );
    assert_eq!(
        roadmap.status.as_ref().map(|m| (m.status, m.line)),
        Some((Status::Done, 4))
    );
    assert_eq!(item(&roadmap, "priority-2").title, "Small Boiling Loop");
    assert_eq!(
        item(&roadmap, "priority-2.5").label.as_deref(),
        Some("PRIORITY 2.5")
    );
    assert_eq!(item(&roadmap, "2").title, "Sensor Cleanup & Renaming");
}

#[test]
fn statuses_are_found_beside_broken_emoji() {
    let roadmap = read(PRIORITIES);
    for (key, expected) in [
        ("1", Status::Done),
        ("2", Status::InProgress),
        ("priority-1", Status::Planned),
        ("priority-2", Status::Planned),
        ("priority-3", Status::Planned),
        ("option-a", Status::Planned),
        ("priority-4", Status::Planned),
    ] {
        assert_eq!(status(&roadmap, key), expected, "{key}");
    }
    // "Complete sketches written" is no "complete"; the symbol beside it stands for planned in this document.
    assert_eq!(
        item(&roadmap, "priority-3").status.as_ref().unwrap().text,
        "📠Complete sketches written"
    );
}

#[test]
fn durations_of_the_whole_and_of_its_steps() {
    let roadmap = read(PRIORITIES);
    let days = |key: &str| {
        item(&roadmap, key)
            .duration()
            .map(|e| (e.min_days.unwrap(), e.max_days.unwrap()))
    };
    assert_eq!(days("priority-1"), Some((10.0, 15.0)));
    assert_eq!(days("priority-2"), Some((3.0, 5.0)));
    assert_eq!(days("priority-3"), Some((15.0, 20.0)));
    assert_eq!(days("option-b"), Some((10.0, 10.0)));
    let steps = |key: &str| {
        item(&roadmap, key)
            .estimates
            .iter()
            .filter(|e| e.step)
            .count()
    };
    assert_eq!(
        (
            steps("priority-1"),
            steps("priority-2"),
            steps("priority-2.5")
        ),
        (2, 2, 1)
    );
    assert!(
        item(&roadmap, "priority-2")
            .estimates
            .iter()
            .any(|e| e.label == "Total" && !e.step)
    );
}

#[test]
fn dependencies_name_items_and_order_the_work() {
    let roadmap = read(PRIORITIES);
    assert!(item(&roadmap, "priority-2").dependencies[0].none);
    assert_eq!(waits(&roadmap, "priority-2"), Vec::<String>::new());
    assert_eq!(waits(&roadmap, "priority-2.5"), ["priority-1"]);
    assert_eq!(
        waits(&roadmap, "priority-3"),
        ["priority-2", "priority-2.5"]
    );
    assert_eq!(
        waits(&roadmap, "phase-1.1"),
        ["priority-1", "priority-2", "priority-2.5", "priority-3"]
    );
    assert!(item(&roadmap, "priority-4").dependencies[0].all_others);
}

#[test]
fn deliverables_come_from_check_boxes_and_mentions_and_never_from_code() {
    let roadmap = read(PRIORITIES);
    let texts = |key: &str| {
        item(&roadmap, key)
            .deliverables
            .iter()
            .map(|d| (d.text.clone(), d.done))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        texts("priority-2"),
        [
            ("Parser: reads this file".into(), false),
            ("Loop: takes the next one".into(), true),
            ("Docs: a page".into(), false)
        ]
    );
    assert_eq!(
        texts("priority-2.5"),
        [
            ("Page with three tabs".into(), false),
            ("Manual".into(), false),
            ("a page of faults".into(), false)
        ]
    );
    assert_eq!(texts("priority-1"), [("a working log".to_owned(), false)]);
    assert_eq!(texts("phase-1.1").len(), 2);
    assert_eq!(
        item(&roadmap, "priority-2").deliverables[0]
            .group
            .as_deref(),
        Some("Deliverables")
    );
    assert!(!PRIORITIES.is_empty() && roadmap.items.iter().all(|i| !i.title.contains("Decoy")));
}

#[test]
fn a_choice_is_left_to_a_person() {
    let roadmap = read(PRIORITIES);
    let choices = roadmap.choices();
    assert_eq!(choices.len(), 1);
    assert_eq!(
        choices[0].parent.map(|i| i.key.as_str()),
        Some("priority-3")
    );
    assert_eq!(
        choices[0]
            .options
            .iter()
            .map(|o| o.key.as_str())
            .collect::<Vec<_>>(),
        ["option-a", "option-b"]
    );
    let open: Vec<&str> = roadmap
        .open_work()
        .into_iter()
        .map(|i| i.key.as_str())
        .collect();
    assert_eq!(
        open,
        ["2", "priority-1", "priority-2", "priority-2.5", "phase-1.1"]
    );

    let chosen = read(&PRIORITIES.replace("**Self-Cleaning**", "**Self-Cleaning** (chosen)"));
    assert!(chosen.choices().is_empty());
    let open: Vec<&str> = chosen
        .open_work()
        .into_iter()
        .map(|i| i.key.as_str())
        .collect();
    assert_eq!(
        open,
        [
            "2",
            "priority-1",
            "priority-2",
            "priority-2.5",
            "option-b",
            "phase-1.1"
        ]
    );
}

#[test]
fn what_is_left_out_is_listed() {
    let roadmap = read(PRIORITIES);
    let lines = |what: Looks| {
        roadmap
            .not_understood
            .iter()
            .filter(|n| n.what == what)
            .map(|n| n.line)
            .collect::<Vec<_>>()
    };
    let line = |text: &str| {
        u32::try_from(PRIORITIES.lines().position(|l| l.contains(text)).unwrap() + 1).unwrap()
    };
    assert_eq!(lines(Looks::Status), [line("**Current Status**")]);
    assert_eq!(
        lines(Looks::Deliverable),
        [line("read the manifest"), line("] reuse"), line("] search")]
    );
    let items: Vec<u32> = [
        "1. **Overview**",
        "2. **Trends**",
        "3. **Alerts**",
        "Phase 1: Start",
        "Phase 2: Finish",
        "1. **Look at",
        "2. **Look around",
    ]
    .map(line)
    .to_vec();
    assert_eq!(lines(Looks::Item), items);
}

#[test]
fn a_tree_of_milestones() {
    let roadmap = read(MILESTONES);
    let expected = [
        "tier-1",
        "1.1",
        "1.2",
        "tier-2",
        "2.1",
        "2.2",
        "tier-3",
        "3.1",
        "3.2",
        "tier-4",
        "4.1",
        "phase-1",
        "phase-2",
        "milestone-1",
        "milestone-2",
    ];
    assert_eq!(keys(&roadmap), expected);
    for (key, expected) in [
        ("tier-1", Status::Done),
        ("1.1", Status::Done),
        ("1.2", Status::InProgress),
        ("tier-2", Status::InProgress),
        ("2.2", Status::InProgress),
        ("tier-3", Status::Done),
        ("3.1", Status::Done),
        ("3.2", Status::Done),
        ("4.1", Status::Done),
        ("phase-1", Status::InProgress),
        ("phase-2", Status::Planned),
        ("milestone-1", Status::Done),
        ("milestone-2", Status::Planned),
    ] {
        assert_eq!(status(&roadmap, key), expected, "{key}");
    }
    assert_eq!(
        item(&roadmap, "tier-2").children,
        [ItemKey::from("2.1"), ItemKey::from("2.2")]
    );
    assert_eq!(
        item(&roadmap, "2.2").status.as_ref().unwrap().percent,
        Some(60)
    );
    assert_eq!(
        item(&roadmap, "phase-2").window.as_deref(),
        Some("Week 1-2")
    );
    assert_eq!(
        item(&roadmap, "milestone-2").duration().unwrap().max_days,
        Some(30.0)
    );
    assert_eq!(item(&roadmap, "milestone-1").deliverables.len(), 2);
    let open: Vec<&str> = roadmap
        .open_work()
        .into_iter()
        .map(|i| i.key.as_str())
        .collect();
    assert_eq!(open, ["1.2", "2.2", "phase-1", "phase-2", "milestone-2"]);
}

#[test]
fn lists_are_items_where_no_heading_is() {
    let roadmap = read(LISTS);
    assert_eq!(
        keys(&roadmap),
        [
            "read-the-file",
            "write-the-index",
            "search",
            "paging",
            "export-csv-pdf",
            "import"
        ]
    );
    for (key, expected) in [
        ("read-the-file", Status::Done),
        ("write-the-index", Status::Planned),
        ("search", Status::Planned),
        ("paging", Status::InProgress),
        ("export-csv-pdf", Status::Planned),
        ("import", Status::Cancelled),
    ] {
        assert_eq!(status(&roadmap, key), expected, "{key}");
    }
    assert_eq!(waits(&roadmap, "search"), ["write-the-index"]);
    assert_eq!(item(&roadmap, "write-the-index").deliverables.len(), 2);
    assert_eq!(
        item(&roadmap, "write-the-index")
            .duration()
            .unwrap()
            .max_days,
        Some(2.0)
    );
    assert_eq!(
        item(&roadmap, "export-csv-pdf")
            .duration()
            .unwrap()
            .max_days,
        Some(5.0)
    );
    assert!(item(&roadmap, "search").optional && !item(&roadmap, "paging").optional);
    assert_eq!(item(&roadmap, "paging").section.as_deref(), Some("Now"));
    assert_eq!(
        item(&roadmap, "paging").duration().unwrap().max_days,
        Some(0.5)
    );
    let left: Vec<&str> = roadmap
        .not_understood
        .iter()
        .map(|n| n.text.as_str())
        .collect();
    assert_eq!(left, ["[ ] quoted", "[ ] be kind"]);
}

#[test]
fn an_items_text_is_all_of_it() {
    let roadmap = read(PRIORITIES);
    let text = roadmap.text_of(&ItemKey::from("priority-4")).unwrap();
    assert!(text.starts_with("### 🟡 **PRIORITY 4") && text.contains("- [ ] Lid"));
    assert!(!text.contains("Recommended Timeline"));
    assert_eq!(roadmap.text_of(&ItemKey::from("nothing")), None);
}
