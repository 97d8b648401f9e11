//! What an update writes, byte for byte, in the style of each document.

use callboard_roadmap::{EditError, ItemKey, Status, parse, set_deliverable, set_status};

fn key(name: &str) -> ItemKey {
    ItemKey::from(name)
}

fn set(text: &str, name: &str, to: Status) -> String {
    let edited =
        set_status(text.as_bytes(), &key(name), to).unwrap_or_else(|e| panic!("{text}: {e}"));
    String::from_utf8(edited.bytes).unwrap()
}

#[test]
fn a_status_keeps_its_style_and_remarks() {
    let table = [
        (
            "**Status**: 🔄 **IN PROGRESS** (second bench)",
            Status::Done,
            "**Status**: ✅ **DONE** (second bench)",
        ),
        (
            "**Status**: 📠Planned (optional)",
            Status::Done,
            "**Status**: ✅ Done (optional)",
        ),
        (
            "- **Status**: ✅ 95% COMPLETE",
            Status::Done,
            "- **Status**: ✅ COMPLETE",
        ),
        (
            "- **Status**: âš ï¸ 60% COMPLETE",
            Status::Blocked,
            "- **Status**: ⏸️ BLOCKED",
        ),
        ("Status: planned", Status::InProgress, "Status: in progress"),
        (
            "Status: Not Started  ",
            Status::InProgress,
            "Status: In Progress  ",
        ),
        (
            "**Status:** *todo* <!-- x -->",
            Status::Done,
            "**Status:** *done* <!-- x -->",
        ),
        ("**Status**: `todo`", Status::Done, "**Status**: `done`"),
        (
            "**Status**: `` 🚧 wip ``",
            Status::Done,
            "**Status**: `` ✅ done ``",
        ),
        ("**Status**: 🚧", Status::Done, "**Status**: ✅"),
        (
            "**Status**: ✅ EXTENSIVE (5+ kinds)",
            Status::Failed,
            "**Status**: ❌ EXTENSIVE (5+ kinds)",
        ),
        (
            "**Status**: done | **Estimate**: 2 days",
            Status::Planned,
            "**Status**: planned | **Estimate**: 2 days",
        ),
        (
            "**Status**: Backend finished ✅",
            Status::InProgress,
            "**Status**: Backend in progress 🔄",
        ),
        (
            "**Status**: in progress (75% complete)",
            Status::Done,
            "**Status**: done (75% complete)",
        ),
    ];
    for (line, to, expected) in table {
        let text = format!("# P\n\n## Phase 1: A\n{line}\nmore\n");
        // "95% complete" becomes the word without its amount, in the document's own word where it has one.
        let expected = expected.replace("COMPLETE", "DONE");
        assert_eq!(
            set(&text, "phase-1", to),
            format!("# P\n\n## Phase 1: A\n{expected}\nmore\n"),
            "{line}"
        );
    }
}

#[test]
fn the_documents_own_words_are_used() {
    let text = "## Phase 1: A\n**Status**: 🎯 **SHIPPED**\n\n## Phase 2: B\n**Status**: 🎯 **SHIPPED**\n\n## Phase 3: C\n**Status**: 🐢 Queued\n";
    assert_eq!(
        set(text, "phase-3", Status::Done),
        text.replace("🐢 Queued", "🎯 Shipped")
    );
    assert_eq!(
        set(text, "phase-1", Status::Planned),
        text.replacen("🎯 **SHIPPED**", "🐢 **QUEUED**", 1)
    );
}

#[test]
fn a_status_in_the_title() {
    let table = [
        (
            "## TIER 1: CORE (COMPLETE ✅)",
            Status::InProgress,
            "## TIER 1: CORE (IN PROGRESS 🔄)",
        ),
        (
            "## TIER 1: CORE (75% COMPLETE âš ï¸)",
            Status::Done,
            "## TIER 1: CORE (DONE ✅)",
        ),
        ("## ✅ TIER 1: CORE", Status::Planned, "## ⏳ TIER 1: CORE"),
        (
            "## TIER 1: CORE - DONE",
            Status::Planned,
            "## TIER 1: CORE - PLANNED",
        ),
        ("## [ ] TIER 1: CORE", Status::Done, "## [x] TIER 1: CORE"),
    ];
    for (heading, to, expected) in table {
        assert_eq!(
            set(&format!("{heading}\n\ntext\n"), "tier-1", to),
            format!("{expected}\n\ntext\n")
        );
    }
}

#[test]
fn title_box_and_line_are_kept_in_line() {
    let text = "## ✅ Phase 1: A\n**Status**: ✅ done\n";
    assert_eq!(
        set(text, "phase-1", Status::InProgress),
        "## 🔄 Phase 1: A\n**Status**: 🔄 in progress\n"
    );
    let text = "- [ ] One\n  - Status: in progress\n- [ ] Two\n";
    assert_eq!(
        set(text, "one", Status::Done),
        "- [x] One\n  - Status: done\n- [ ] Two\n"
    );
}

#[test]
fn a_check_box_is_ticked_and_says_more_in_a_line_below() {
    let text = "1. [ ] One\n   more\n2. [x] Two\r\n";
    assert_eq!(
        set(text, "one", Status::Done),
        text.replacen("[ ]", "[x]", 1)
    );
    assert_eq!(
        set(text, "two", Status::Planned),
        text.replacen("[x]", "[ ]", 1)
    );
    assert_eq!(
        set(text, "one", Status::Blocked),
        "1. [ ] One\n   more\n   - **Status**: Blocked\n2. [x] Two\r\n"
    );
    let blocked = set(text, "two", Status::Failed);
    assert_eq!(
        blocked,
        "1. [ ] One\n   more\n2. [ ] Two\r\n   - **Status**: Failed\r\n"
    );
    assert_eq!(
        set(&blocked, "two", Status::Done),
        "1. [ ] One\n   more\n2. [x] Two\r\n   - **Status**: Done\r\n"
    );
    assert_eq!(
        set("- [~] One\n- [ ] Two\n", "one", Status::Done),
        "- [x] One\n- [ ] Two\n"
    );
    assert_eq!(
        set("- One\n- ✅ Two\n", "one", Status::Done),
        "- One\n  - **Status**: ✅ Done\n- ✅ Two\n"
    );
}

#[test]
fn an_item_without_a_mark_gets_one_line_in_the_documents_style() {
    let table = [
        (
            "## Phase 1: A\n**Timeline**: 2 weeks\n",
            "## Phase 1: A\n**Status**: Done\n**Timeline**: 2 weeks\n",
        ),
        (
            "## Phase 1: A\n- [ ] x\n",
            "## Phase 1: A\n**Status**: Done\n- [ ] x\n",
        ),
        (
            "## Phase 1: A\r\n\r\n**Estimate**: 1d\r\n",
            "## Phase 1: A\r\n**Status**: Done\r\n\r\n**Estimate**: 1d\r\n",
        ),
        (
            "**Estimate**: 1d\n\n## Phase 1: A",
            "**Estimate**: 1d\n\n## Phase 1: A\n**Status**: Done",
        ),
        (
            "Phase 1: A\n----------\n\n- [ ] x\n",
            "Phase 1: A\n----------\n**Status**: Done\n\n- [ ] x\n",
        ),
        (
            "## Phase 1: A\n3. [ ] x\n",
            "## Phase 1: A\n- **Status**: Done\n3. [ ] x\n",
        ),
        (
            "## Phase 1: A\n- Estimate: 2d\n\n## Phase 2: B\n- Status: todo\n",
            "## Phase 1: A\n- Status: done\n- Estimate: 2d\n\n## Phase 2: B\n- Status: todo\n",
        ),
        (
            "## Phase 1: A\n**Priority**: low\n\n## Phase 2: B\n- **Status:** ⏳ TODO\n",
            "## Phase 1: A\n**Status:** ✅ DONE\n**Priority**: low\n\n## Phase 2: B\n- **Status:** ⏳ TODO\n",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(set(text, "phase-1", Status::Done), expected, "{text}");
    }
}

#[test]
fn an_inserted_line_never_changes_what_follows() {
    for rest in [
        "    ## code\n    - [ ] x\n",
        "---\ntext\n",
        "| Item | Status |\n|--|--|\n| One | done |\n",
        "2. [ ] x\n",
        "> quote\n",
        "===\n",
        "```\ncode\n```\n",
        "\ttext\n",
    ] {
        let text = format!("## Phase 1: A\n{rest}\n## Phase 2: B\n**Status**: planned\n");
        let edited = set_status(text.as_bytes(), &key("phase-1"), Status::InProgress)
            .unwrap_or_else(|e| panic!("{rest}: {e}"));
        let (old, new) = (
            parse(text.as_bytes()).unwrap(),
            parse(&edited.bytes).unwrap(),
        );
        assert_eq!(
            new.status_of(&key("phase-1")),
            Some(Status::InProgress),
            "{rest}"
        );
        assert_eq!(
            old.items.iter().map(|i| &i.key).collect::<Vec<_>>(),
            new.items.iter().map(|i| &i.key).collect::<Vec<_>>(),
            "{rest}"
        );
        let after = String::from_utf8(edited.bytes).unwrap();
        assert!(
            after.starts_with("## Phase 1: A\n")
                && after.ends_with(&text["## Phase 1: A\n".len()..]),
            "{after}"
        );
    }
}

#[test]
fn cells_of_tables() {
    let text = "| Item | Status | Note |\n|---|---|---|\n| One | 🔄 In progress | x |\n| Two |  | y |\n| Three || z |\n| Four | | |\n";
    assert_eq!(
        set(text, "one", Status::Done),
        text.replace("🔄 In progress", "✅ Done")
    );
    for (name, expected) in [
        ("two", "| Two | Done | y |"),
        ("three", "| Three | Done | z |"),
        ("four", "| Four | Done | |"),
    ] {
        let after = set(text, name, Status::Done);
        let line = after
            .lines()
            .find(|l| l.to_lowercase().contains(name))
            .unwrap();
        assert_eq!(line, expected);
    }
}

#[test]
fn saying_it_again_changes_nothing() {
    for text in [
        "## Phase 1: A\n**Status**: ✅ shipped\n",
        "- [x] phase-1\n",
        "## Phase 1: A\n- [x] only\n",
    ] {
        let edited = set_status(text.as_bytes(), &key("phase-1"), Status::Done).unwrap();
        assert!(
            !edited.changed && edited.bytes == text.as_bytes() && edited.changes.is_empty(),
            "{text}"
        );
    }
    let text = "## Phase 1: A\n- [ ] x\n";
    assert!(
        !set_deliverable(text.as_bytes(), &key("phase-1"), "x", false)
            .unwrap()
            .changed
    );
}

#[test]
fn deliverables_are_found_by_text_or_number() {
    let text = "\u{feff}## Phase 1: A\r\n**Status**: todo\r\n- [ ] **Parser**: reads\t\r\n- [X] Loop \r\n- [ ] Loop two\r\n- ✅ shown\r\n";
    let tick = |which: &str, done: bool| {
        set_deliverable(text.as_bytes(), &key("phase-1"), which, done)
            .map(|e| String::from_utf8(e.bytes).unwrap())
    };
    assert_eq!(
        tick("Parser: reads", true).unwrap(),
        text.replacen("[ ] **P", "[x] **P", 1)
    );
    assert_eq!(
        tick("1", true).unwrap(),
        text.replacen("[ ] **P", "[x] **P", 1)
    );
    assert_eq!(tick("loop", false).unwrap(), text.replacen("[X]", "[ ]", 1));
    assert_eq!(
        tick("loop t", true).unwrap(),
        text.replacen("[ ] Loop", "[x] Loop", 1)
    );
    assert_eq!(tick("shown", false).unwrap(), text.replace('✅', "⬜"));
    assert!(matches!(
        tick("lo", true),
        Err(EditError::AmbiguousDeliverable { .. })
    ));
    let error = tick("nothing", true).unwrap_err().to_string();
    assert!(
        error.contains("1. Parser: reads") && error.contains("nothing"),
        "{error}"
    );
}

#[test]
fn a_deliverable_without_a_box_is_not_ticked() {
    let text = "## Phase 1: A\n**Deliverables**:\n- plain\n";
    let error = set_deliverable(text.as_bytes(), &key("phase-1"), "plain", true).unwrap_err();
    assert!(matches!(error, EditError::NoMark { line: 3, .. }));
}

#[test]
fn an_item_that_is_gone_is_a_conflict_that_names_the_nearest() {
    let text = "## Phase 12: A\n**Status**: todo\n\n## Search engine\n**Status**: todo\n";
    let error = set_status(text.as_bytes(), &key("search-engines"), Status::Done).unwrap_err();
    assert!(
        matches!(&error, EditError::Vanished { nearest: Some(n), .. } if n.as_str() == "search-engine"),
        "{error:?}"
    );
    assert!(error.to_string().contains("search-engine)"));
    let error = set_status(text.as_bytes(), &key("xyz"), Status::Done).unwrap_err();
    assert!(matches!(error, EditError::Vanished { nearest: None, .. }));
    let error = set_deliverable(b"- [ ] \xff", &key("xyz"), "1", true).unwrap_err();
    assert!(matches!(error, EditError::Document(_)));
}

#[test]
fn a_persons_edit_made_meanwhile_survives() {
    let read = "# P\n\n## Phase 1: A\n**Status**: todo\n\n## Phase 2: B\n**Status**: todo\n";
    assert!(
        parse(read.as_bytes())
            .unwrap()
            .item(&key("phase-2"))
            .is_some()
    );
    let meanwhile = read
        .replace(
            "## Phase 1: A",
            "Hello.   \n\n## Phase 0: New\n**Status**: todo\n\n## Phase 1: A, renamed",
        )
        .replace("\n", "\r\n");
    let after = set(&meanwhile, "phase-2", Status::Done);
    let last = meanwhile.rfind("todo").unwrap();
    assert_eq!(
        after,
        format!("{}done{}", &meanwhile[..last], &meanwhile[last + 4..])
    );
}
