//! One small document for each shape that people write items in, and for what only looks like one.

use callboard_roadmap::{Importance, Item, ItemKey, ItemKind, Need, Roadmap, Status, parse};

fn read(text: &str) -> Roadmap {
    parse(text.as_bytes()).unwrap()
}

fn only(text: &str) -> Item {
    let roadmap = read(text);
    assert_eq!(roadmap.items.len(), 1, "{text}\n{:?}", roadmap.items);
    roadmap.items[0].clone()
}

fn keys(text: &str) -> Vec<String> {
    read(text).items.into_iter().map(|i| i.key.0).collect()
}

fn assert_headings(table: &[(&str, &str, &str, ItemKind)]) {
    for (text, key, title, kind) in table {
        let item = only(text);
        assert_eq!(
            (item.key.as_str(), item.title.as_str(), &item.kind),
            (*key, *title, kind),
            "{text}"
        );
    }
}

#[test]
fn headings_with_a_label() {
    assert_headings(&[
        (
            "### 🔴 **PRIORITY 3.5: Error page** ⚡ NEW\n**Status**: planned\n",
            "priority-3.5",
            "Error page",
            ItemKind::Priority,
        ),
        (
            "#### 1. **Core**\nStatus: Done\n",
            "1",
            "Core",
            ItemKind::Numbered,
        ),
        (
            "### Phase 3: Metrics\n- [ ] x\n",
            "phase-3",
            "Metrics",
            ItemKind::Phase,
        ),
        (
            "## TIER 4: RUNS (75% COMPLETE)\n",
            "tier-4",
            "RUNS",
            ItemKind::Tier,
        ),
        (
            "### 4.2 Executor\n- **Status**: ✅ DONE\n",
            "4.2",
            "Executor",
            ItemKind::Numbered,
        ),
        (
            "### Milestone 2: First month\n- [ ] x\n",
            "milestone-2",
            "First month",
            ItemKind::Milestone,
        ),
        (
            "#### Option A: Router\n**Timeline**: 2 weeks\n",
            "option-a",
            "Router",
            ItemKind::Option,
        ),
    ]);
}

#[test]
fn headings_of_other_styles() {
    assert_headings(&[
        (
            "## Search\nStatus: planned\n",
            "search",
            "Search",
            ItemKind::Titled,
        ),
        ("## [ ] Search\n", "search", "Search", ItemKind::Titled),
        (
            "## Search (in progress)\n",
            "search",
            "Search",
            ItemKind::Titled,
        ),
        (
            "## Search\n**Estimate**: 2 days\n",
            "search",
            "Search",
            ItemKind::Titled,
        ),
        (
            "### US-001: Login\n**Status**: todo\n",
            "us-001",
            "Login",
            ItemKind::Coded,
        ),
        (
            "### Epic 2 - Sync\n**Status**: todo\n",
            "epic-2",
            "Sync",
            ItemKind::Labelled,
        ),
        (
            "Phase 1: Start\n--------------\n**Status**: todo\n",
            "phase-1",
            "Start",
            ItemKind::Phase,
        ),
        (
            "Intro.\n\n**Phase 1: Start** (2 weeks)\n- [ ] a\n",
            "phase-1",
            "Start",
            ItemKind::Phase,
        ),
        (
            "\u{feff}# Phase 1: Start\nStatus: done\n",
            "phase-1",
            "Start",
            ItemKind::Phase,
        ),
        (
            "# Plan\r\n\r\n## Phase 1: Start\r\n**Status**: done\r\n",
            "phase-1",
            "Start",
            ItemKind::Phase,
        ),
        (
            "# Plan\r\r## Phase 1: Start\r**Status**: done\r",
            "phase-1",
            "Start",
            ItemKind::Phase,
        ),
        (
            "## Größe & Maß\nStatus: geplant, planned\n\nStatus: planned\n\n### x\n",
            "größe-maß",
            "Größe & Maß",
            ItemKind::Titled,
        ),
    ]);
}

#[test]
fn statuses_of_every_style() {
    let table = [
        ("**Status**: ✅ DONE", Status::Done),
        ("- **Status**: 🔄 In progress", Status::InProgress),
        ("Status: planned", Status::Planned),
        ("* Status: ⏸️ paused", Status::Blocked),
        ("**Status:** ❌ Failed", Status::Failed),
        ("__Status__: cancelled", Status::Cancelled),
        ("**Status** – done", Status::Done),
        ("📌 **Status**: todo", Status::Planned),
        ("STATUS: WIP", Status::InProgress),
        ("**Status**: `done`", Status::Done),
        ("**Status**: done | **Estimate**: 2 days", Status::Done),
        ("State: shipped", Status::Done),
        ("Progress: 40%", Status::InProgress),
        ("**Status**: <!-- planned --> done", Status::Done),
        ("**Status**: done\n---", Status::Done),
        ("\t- **Status**: done", Status::Planned),
    ];
    for (line, expected) in table {
        let text = format!("# Plan\n\n## Phase 1: A\n{line}\n\n- [ ] box\n\n## Phase 2: B\n");
        let roadmap = read(&text);
        assert_eq!(
            roadmap.status_of(&ItemKey::from("phase-1")),
            Some(expected),
            "{line}"
        );
        assert_eq!(roadmap.items.len(), 2, "{line}");
    }
}

#[test]
fn what_stands_in_code_comments_and_quotations_is_no_item() {
    let decoys = [
        "```\n## Phase 9: x\n**Status**: done\n- [ ] x\n```",
        "~~~~ python {.x}\n## Phase 9: x\nStatus: done\n~~~\n## Phase 8\n~~~~",
        "````md\n```\n## Phase 9: x\n```\nStatus: done\n````",
        "    ## Phase 9: x\n    Status: done\n    - [ ] x",
        "\t## Phase 9: x\n\tStatus: done",
        "<!--\n## Phase 9: x\nStatus: done\n-->",
        "> ## Phase 9: x\n> - [ ] quoted",
        "- entry\n\n  ```\n  ## Phase 9: x\n  - [ ] x\n  ```",
        "1. one\n   ~~~\n   - [ ] x\n   ~~~",
        "> ```\n> ## Phase 9\n> ```",
        "text `## Phase 9: x` text",
        "Week 1: Phase 9",
        "``` \n- [ ] x",
    ];
    for decoy in decoys {
        let text = format!("# Plan\n\n## Phase 1: A\n\n**Status**: planned\n\n{decoy}\n");
        let item = only(&text);
        assert_eq!(
            (item.key.as_str(), item.deliverables.len()),
            ("phase-1", 0),
            "{decoy}"
        );
        assert_eq!(
            item.status.map(|m| m.status),
            Some(Status::Planned),
            "{decoy}"
        );
    }
}

#[test]
fn mentions_are_no_items() {
    let base = "# Plan\n\n## PRIORITY 1: A\n**Status**: planned\n\n## PRIORITY 2: B\n**Status**: planned\n\n";
    for mention in [
        "## Timeline\n\n### Week 1: A 🔴 PRIORITY 1\n- step\n",
        "## Success Metrics\n\n### A (Priority 1)\n- ✅ good\n",
        "## Summary\n\n### PRIORITY 1: A\nSoon.\n",
        "| Step | When |\n|--|--|\n| PRIORITY 1 | now |\n",
        "1. **Week 1**: A - PRIORITY 1\n   - **Timeline**: 2 weeks\n",
    ] {
        assert_eq!(
            keys(&format!("{base}{mention}")),
            ["priority-1", "priority-2"],
            "{mention}"
        );
    }
}

#[test]
fn the_documents_own_status_is_no_items() {
    for text in [
        "# Plan\n\n**Status**: in progress\n\n- [ ] a\n",
        "# Plan\n\n## Status\n\nStatus: in progress\n\n## Next\n\n- [ ] a\n",
    ] {
        let roadmap = read(text);
        assert_eq!(
            roadmap.status.map(|m| m.status),
            Some(Status::InProgress),
            "{text}"
        );
        assert_eq!(roadmap.items.len(), 1, "{text}");
    }
}

#[test]
fn bare_outlines_are_items() {
    assert_eq!(
        keys("# Plan\n\n## Phase 1: A\ntext\n\n### 1.1 Part\ntext\n\n## Phase 2: B\n- x\n"),
        ["phase-1", "1.1", "phase-2"]
    );
    assert_eq!(keys("# Plan\n\n## 1. A\ntext\n\n## 2. B\n"), ["1", "2"]);
    assert_eq!(keys("1. First\n2. Second\n"), ["first", "second"]);
    assert_eq!(
        keys("# Plan\n\n- First\n- Second\n  - part\n"),
        ["first", "second"]
    );
    assert_eq!(keys("# Plan\n\nNothing here.\n"), Vec::<String>::new());
    assert_eq!(keys(""), Vec::<String>::new());
}

#[test]
fn lists_of_every_style() {
    let done = |text: &str| {
        read(text)
            .items
            .iter()
            .map(|i| (i.key.0.clone(), i.status.as_ref().map(|m| m.status)))
            .collect::<Vec<_>>()
    };
    let pair = |key: &str, status: Option<Status>| (key.to_owned(), status);
    assert_eq!(
        done("1. [ ] Do x\n2. [X] Do y\n"),
        [
            pair("do-x", Some(Status::Planned)),
            pair("do-y", Some(Status::Done))
        ]
    );
    assert_eq!(
        done("- ✅ One\n- 🚧 Two\n- Three\n"),
        [
            pair("one", Some(Status::Done)),
            pair("two", Some(Status::InProgress)),
            pair("three", None)
        ]
    );
    assert_eq!(
        done("+ One (done)\n+ Two - in progress\n"),
        [
            pair("one", Some(Status::Done)),
            pair("two", Some(Status::InProgress))
        ]
    );
    assert_eq!(
        done("- One\n  - Status: blocked\n- Two\n"),
        [pair("one", Some(Status::Blocked)), pair("two", None)]
    );
    assert_eq!(
        done("- ~~One~~\n- [ ] Two\n"),
        [pair("two", Some(Status::Planned))]
    );
    assert_eq!(done("- [ ] ~~One~~\n")[0].1, Some(Status::Planned));
    // A link is no box.
    assert_eq!(
        done("- [x](y) One\n- [ ] Two\n"),
        [pair("two", Some(Status::Planned))]
    );
}

#[test]
fn sections_say_the_status_of_their_entries() {
    let roadmap =
        read("# Plan\n\n## ✅ Done\n\n- One\n\n## In progress\n\n- Two\n\n## Backlog\n\n- Three\n");
    let standing: Vec<Status> = roadmap
        .items
        .iter()
        .map(|i| roadmap.status_of(&i.key).unwrap())
        .collect();
    assert_eq!(
        standing,
        [Status::Done, Status::InProgress, Status::Planned]
    );
}

#[test]
fn check_boxes_beside_headed_items() {
    let text = "# Plan\n\n## Phase 1: A\n- [ ] part\n\n## Backlog\n- [ ] Later thing\n\n## Thoughts\n- [ ] why\n";
    let roadmap = read(text);
    assert_eq!(keys(text), ["phase-1", "later-thing"]);
    assert_eq!(
        roadmap
            .not_understood
            .iter()
            .map(|n| n.line)
            .collect::<Vec<_>>(),
        [10]
    );
}

#[test]
fn tables_with_a_status_column() {
    let text = "# Plan\n\n| # | Item | Status | Estimate | Depends on | Priority |\n|---|------|:------:|---|---|---|\n\
                | 1 | Parser | ✅ Done | 2d | | High |\n| 2 | **Index** | 🔄 | 1 week | 1 | |\n| 3 | Search | | 3-4 days | Parser, Index | low |\n| | | | | | |\n";
    let roadmap = read(text);
    assert_eq!(keys(text), ["parser", "index", "search"]);
    let standing: Vec<Status> = roadmap
        .items
        .iter()
        .map(|i| roadmap.status_of(&i.key).unwrap())
        .collect();
    assert_eq!(
        standing,
        [Status::Done, Status::InProgress, Status::Planned]
    );
    assert_eq!(
        roadmap.items[2].dependencies[0].on,
        [ItemKey::from("parser"), ItemKey::from("index")]
    );
    assert_eq!(
        roadmap.items[1].dependencies[0].on,
        [ItemKey::from("parser")]
    );
    assert_eq!(roadmap.items[0].importance, Some(Importance::High));
    assert_eq!(roadmap.items[2].duration().unwrap().max_days, Some(4.0));
}

#[test]
fn a_summary_table_says_the_status_of_headed_items() {
    let text = "# Plan\n\n| Phase | Status |\n|---|---|\n| Phase 1 | done |\n| Phase 2: B | planned |\n\n## Phase 1: A\ntext\n\n## Phase 2: B\n**Status**: in progress\n";
    let roadmap = read(text);
    assert_eq!(keys(text), ["phase-1", "phase-2"]);
    assert_eq!(
        roadmap.status_of(&ItemKey::from("phase-1")),
        Some(Status::Done)
    );
    assert_eq!(
        roadmap.status_of(&ItemKey::from("phase-2")),
        Some(Status::InProgress)
    );
}

#[test]
fn dependencies_of_every_style() {
    let on = |line: &str| {
        let text = format!(
            "# Plan\n\n## Phase 1: Alpha\n**Status**: planned\n\n## Phase 2: Beta\n**Status**: planned\n\n## Phase 3: Gamma ray\n{line}\n"
        );
        let roadmap = read(&text);
        let item = roadmap
            .item(&ItemKey::from("phase-3"))
            .unwrap_or_else(|| panic!("{line}"));
        let mut on: Vec<String> = item
            .dependencies
            .iter()
            .flat_map(|d| d.on.iter().map(|k| k.0.clone()))
            .collect();
        if item.dependencies.iter().any(|d| d.unresolved) {
            on.push("?".to_owned());
        }
        on
    };
    let table: [(&str, &[&str]); 17] = [
        (
            "**Dependency**: Requires Phase 1 (Alpha) completed",
            &["phase-1"],
        ),
        ("Depends on: 1, 2", &["phase-1", "phase-2"]),
        ("- Depends on Phase 2", &["phase-2"]),
        ("**Dependencies**: Phases 1-2", &["phase-1", "phase-2"]),
        ("Blocked by: Beta", &["phase-2"]),
        ("**Prerequisites**: Alpha and Beta", &["phase-1", "phase-2"]),
        ("Dependencies: None", &[]),
        ("Dependencies: n/a", &[]),
        ("After: phase-1", &["phase-1"]),
        ("Requires: the new database", &["?"]),
        ("Depends on: Phase 1, Phase 9", &["phase-1", "?"]),
        ("Depends on: Phase 3", &["?"]),
        ("**Dependency**: the previous phase", &["phase-2"]),
        ("**Dependency**: all of the above", &["phase-1", "phase-2"]),
        ("**Dependency**: `phase-2`", &["phase-2"]),
        ("Depends on: #2", &["phase-2"]),
        ("- **Blockers**: Phase 1", &["phase-1"]),
    ];
    for (line, expected) in table {
        assert_eq!(on(line), expected, "{line}");
    }
}

#[test]
fn some_dependencies_only_recommend() {
    let text = "## Phase 1: A\n**Status**: todo\n\n## Phase 2: B\n**Dependency**: Recommended after Phase 1\n**Blockers**: None\n";
    let needs: Vec<Need> = read(text).items[1]
        .dependencies
        .iter()
        .map(|d| d.need)
        .collect();
    assert_eq!(needs, [Need::Recommended, Need::Blocker]);
}

#[test]
fn after_all_others_does_not_wait_for_its_like() {
    let text = "## Phase 1: A\n**Status**: todo\n\n## Phase 2: B\n**Dependency**: AFTER all other phases\n\n## Phase 3: C\n**Dependency**: after everything else\n";
    let roadmap = read(text);
    for key in ["phase-2", "phase-3"] {
        assert_eq!(
            roadmap.waits_for(&ItemKey::from(key)),
            [ItemKey::from("phase-1")],
            "{key}"
        );
    }
}

#[test]
fn waiting_for_an_item_is_waiting_for_its_open_parts() {
    let text = "## Phase 1: A\n### 1.1 X\n**Status**: done\n### 1.2 Y\n**Status**: planned\n### 1.3 Z\n**Status**: blocked\n\n## Phase 2: B\n**Depends on**: Phase 1\n### 2.1 V\n### 2.2 W\n**Depends on**: 2.1\n";
    let roadmap = read(text);
    let waits = |key: &str| {
        roadmap
            .waits_for(&ItemKey::from(key))
            .into_iter()
            .map(|k| k.0)
            .collect::<Vec<_>>()
    };
    assert_eq!(waits("2.1"), ["1.2", "1.3"]);
    assert_eq!(waits("2.2"), ["2.1", "1.2", "1.3"]);
    assert_eq!(
        roadmap
            .open_work()
            .iter()
            .map(|i| i.key.as_str())
            .collect::<Vec<_>>(),
        ["1.2", "2.1", "2.2"]
    );
}

#[test]
fn parents_whose_parts_are_done_are_named() {
    let text = "## Phase 1: A\n**Status**: planned\n### 1.1 X\n**Status**: done\n### 1.2 Y\n**Status**: cancelled\n";
    let roadmap = read(text);
    assert_eq!(
        roadmap
            .finished_parents()
            .iter()
            .map(|i| i.key.as_str())
            .collect::<Vec<_>>(),
        ["phase-1"]
    );
}

#[test]
fn a_settled_item_settles_its_unmarked_parts() {
    let text = "## Phase 1: A\n**Status**: done\n### 1.1 X\n- [ ] a\n\n## Phase 2: B\n**Status**: planned\n";
    let roadmap = read(text);
    assert_eq!(roadmap.status_of(&ItemKey::from("1.1")), Some(Status::Done));
    assert_eq!(roadmap.open_work().len(), 1);
}

#[test]
fn equal_numbers_are_told_apart_by_their_titles() {
    let text = "# Plan\n## Web\n### Phase 1: A\n**Status**: todo\n### Phase 2: B\n**Depends on**: 1\n## App\n### Phase 1: C\n**Status**: todo\n### Phase 2: D\n**Depends on**: Phase 1\n";
    assert_eq!(
        keys(text),
        ["phase-1-a", "phase-2-b", "phase-1-c", "phase-2-d"]
    );
    let roadmap = read(text);
    assert_eq!(
        roadmap.waits_for(&ItemKey::from("phase-2-d")),
        [ItemKey::from("phase-1-c")]
    );
    assert_eq!(
        roadmap.waits_for(&ItemKey::from("phase-2-b")),
        [ItemKey::from("phase-1-a")]
    );
    assert_eq!(
        keys("- [ ] Same\n- [ ] Same\n- [ ] Same 2\n"),
        ["same", "same-3", "same-2"]
    );
}

#[test]
fn steps_pages_and_guidelines_are_no_items() {
    let base = "# Plan\n\n## Phase 1: A\n**Status**: planned\n\n";
    for other in [
        "### 1. Page one\n```\nx\n```\n### 2. Page two\ntext\n",
        "## Release checklist\n### Phase 7: Tag\n- [ ] tag\n",
        "## Coding conventions\n### 1. Names\n- [ ] short\n",
        "## Git workflow\n### Phase 8: Start\n```\ngit\n```\n",
        "## Risks\n### Risk: frost\n- **Status**: open\n",
    ] {
        assert_eq!(keys(&format!("{base}{other}")), ["phase-1"], "{other}");
    }
}

#[test]
fn sub_headings_without_a_label_are_text_of_the_item() {
    let text = "# Plan\n\n## Phase 1: A\n\n### Tasks\n\n- [ ] x\n- [x] y\n\n### Notes\n\nEstimate: 2 days\n\n## Phase 2: B\n\n### Tasks\n\n- [ ] z\n";
    assert_eq!(keys(text), ["phase-1", "phase-2"]);
    let roadmap = read(text);
    assert_eq!(roadmap.items[0].deliverables.len(), 2);
    assert_eq!(roadmap.items[0].duration().unwrap().max_days, Some(2.0));
}

#[test]
fn bold_lines_stand_for_headings() {
    let text = "# Plan\n\n**Phase 1: A**\nStatus: done\n**Phase 2: B** ⚡\n- [ ] x\n\nIn **Phase 3: C** of old.\n";
    assert_eq!(keys(text), ["phase-1", "phase-2"]);
    assert_eq!(read(text).items[1].deliverables.len(), 1);
}

#[test]
fn odd_blocks_do_no_harm() {
    for text in [
        "- # ",
        "- <!-- x -->\n  [ ] y\n",
        "# ",
        "|a|\n|-|\n",
        "- [ ]",
        "1) [x]\n",
        "**Phase 1**",
        "## ：1：",
        "## 4000000000/0 done",
    ] {
        assert!(parse(text.as_bytes()).is_ok(), "{text}");
    }
}

#[test]
fn dependencies_and_deliverables_in_lists() {
    let text = "## Phase 1: A\n**Status**: todo\n\n## Phase 2: B\n**Dependencies**:\n- Phase 1 (first part)\n  - because\n- ✅ a table, here since May\n- a new disk\n\n### Deliverables\n\n- `a.rs`\n- ✅ `b.rs`\n\n### Notes\n\n- none\n";
    let roadmap = read(text);
    let item = &roadmap.items[1];
    let needs: Vec<(&str, bool)> = item
        .dependencies
        .iter()
        .map(|d| (d.text.as_str(), d.unresolved))
        .collect();
    assert_eq!(
        needs,
        [("Phase 1 (first part)", false), ("a new disk", true)]
    );
    let results: Vec<(&str, bool)> = item
        .deliverables
        .iter()
        .map(|d| (d.text.as_str(), d.done))
        .collect();
    assert_eq!(results, [("a.rs", false), ("b.rs", true)]);
    assert_eq!(roadmap.waits_for(&item.key), [ItemKey::from("phase-1")]);
}

#[test]
fn chapters_of_a_design_are_no_items() {
    let text = "# Design\n\n## 1. Goals\nx\n\n## 2. Stack\nx\n\n## 3. Phases\n\n### Phase 1: A ✅ DONE\n\n### Phase 2: B (2 weeks)\n\n## 4. Testing\n\n### 4.1 Load\nx\n\n## 5. Errors ✅ NEW\n";
    assert_eq!(keys(text), ["phase-1", "phase-2"]);
}

#[test]
fn choices_without_an_item_around_them() {
    let text = "# Next\n\n## Storage\n\n### Option 1: A\n**Estimate**: 1d\n\n### Option 2: B\n\n## Transport\n\n### Option A: C\n**Estimate**: 1d\n\n### Option B: D\n**Status**: in progress\n";
    let roadmap = read(text);
    let open: Vec<String> = roadmap.choices().into_iter().map(|c| c.group.0).collect();
    assert_eq!(open, ["storage"]);
    assert_eq!(
        roadmap
            .open_work()
            .iter()
            .map(|i| i.key.as_str())
            .collect::<Vec<_>>(),
        ["option-b"]
    );
}
