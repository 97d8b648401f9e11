//! Over generated documents: an update changes its target and no other byte, every item is found and no decoy is, and no
//! input whatever makes the parser fail.

use callboard_roadmap::{
    Change, Edited, Item, ItemKey, Roadmap, Status, parse, set_deliverable, set_status,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::RngSeed;

/// A generated block: its lines, and the items that must be found in it.
#[derive(Debug, Clone)]
struct Block {
    lines: Vec<String>,
    items: Vec<(String, Option<Status>)>,
}

const TITLES: &[&str] = &[
    "Parser",
    "Größe der Maße",
    "Login & Logout",
    "`code` path",
    "Sync (CSV, PDF)",
    "日本語の題",
    "**Bold** start",
    "Cost 50 €",
    "émigré *x*",
];
const STATUSES: &[(&str, Status)] = &[
    ("✅ **COMPLETED** (Sprint 1 & 2)", Status::Done),
    ("🔄 IN PROGRESS", Status::InProgress),
    ("📠Planned (optional)", Status::Planned),
    ("planned", Status::Planned),
    ("✅ 95% COMPLETE", Status::InProgress),
    ("⏸️ On hold", Status::Blocked),
    ("*done* in 1.2", Status::Done),
    ("❌ Failed, see log", Status::Failed),
    ("Won't do", Status::Cancelled),
    ("âš ï¸ 60% COMPLETE", Status::InProgress),
    ("🚧", Status::InProgress),
];
const DECOYS: &[&[&str]] = &[
    &[
        "```",
        "## PRIORITY 77: Decoy",
        "**Status**: done",
        "- [ ] decoy",
        "```",
    ],
    &[
        "~~~~ text",
        "```",
        "### Phase 77: Decoy",
        "~~~",
        "Status: done",
        "~~~~",
    ],
    &["<!--", "## Phase 76: Decoy", "- [x] decoy", "-->"],
    &["> ## Phase 75: Decoy", "> text"],
    &["text", "", "    ## Phase 74: Decoy", "    - [ ] decoy"],
    &["- entry", "", "  ```", "  ## Phase 73: Decoy", "  ```"],
    &["| Key | Value |", "|---|---|", "| Status | done |"],
    &["#### Notes", "", "- plain ✅", "- **bold**: x"],
];
const PROSE: &[&str] = &[
    "Some text about it.",
    "Tabs\tand  spaces.",
    "Zwei Sätze. Und – noch einer…",
    "See PRIORITY 1 for more.",
    "1 + 1 = 2",
    "\u{200b}zero width",
    "a\u{301}ccent 🤖🤖",
];
const FIELDS: &[&str] = &[
    "**Estimated Duration**: 3-5 days",
    "- Estimate: 2h",
    "**Impact**: ⭐⭐⭐",
    "**Dependency**: None",
    "**Priority**: 🔴 HIGH",
    "- **Blockers**: none",
];

fn sometimes(lines: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(select(lines).prop_map(str::to_owned), 0..3)
}

fn decoy() -> impl Strategy<Value = Vec<String>> {
    prop::option::of(select(DECOYS))
        .prop_map(|d| d.unwrap_or(&[]).iter().map(|l| (*l).to_owned()).collect())
}

fn boxes() -> impl Strategy<Value = Vec<String>> {
    let entry = (
        select(TITLES),
        any::<bool>(),
        select(&["-", "*", "+", "1."][..]),
        select(&["", "  ", "\t"][..]),
    );
    prop::collection::vec(entry, 0..4).prop_map(|all| {
        let marker = all.first().map_or("-", |a| a.2);
        all.into_iter()
            .map(|(title, done, _, end)| {
                format!("{marker} [{}] {title}{end}", if done { "x" } else { " " })
            })
            .collect()
    })
}

/// A headed item with the number it will have; its lines hold `{N}` for it.
fn headed() -> impl Strategy<Value = Block> {
    let head = (
        select(
            &[
                "### 🔴 **PRIORITY {N}: {T}** ⚡ NEW",
                "## Phase {N}: {T}",
                "### Milestone {N} - {T}",
                "## Epic {N}: {T} 🤖",
                "Phase {N}: {T}\n---",
            ][..],
        ),
        select(TITLES),
    );
    let status = prop::option::of((
        select(&["**Status**: ", "- **Status**: ", "Status: ", "**Status:** "][..]),
        select(STATUSES),
    ));
    let blank = any::<bool>();
    (
        head,
        status,
        blank,
        sometimes(FIELDS),
        sometimes(PROSE),
        boxes(),
        decoy(),
    )
        .prop_map(
            |((head, title), status, blank, fields, prose, boxes, decoy)| {
                let mut lines: Vec<String> = head
                    .replace("{T}", title)
                    .lines()
                    .map(str::to_owned)
                    .collect();
                lines.extend(blank.then(String::new));
                lines.extend(status.map(|(before, (value, _))| format!("{before}{value}")));
                for part in [fields, prose, boxes, decoy] {
                    lines.push(String::new());
                    lines.extend(part);
                }
                lines.push(String::new());
                // Something that makes an item of a heading without a status.
                lines.extend([
                    "**Remark**: {N}".to_owned(),
                    String::new(),
                    "**Timeline**: 2 weeks".to_owned(),
                    String::new(),
                ]);
                Block {
                    items: vec![(key_of(head), status.map(|(_, (_, s))| s))],
                    lines,
                }
            },
        )
}

fn key_of(head: &str) -> String {
    let word = ["PRIORITY", "Phase", "Milestone", "Epic"]
        .into_iter()
        .find(|w| head.contains(w))
        .unwrap_or("");
    format!("{}-{{N}}", word.to_lowercase())
}

/// Blocks of headed items, numbered, as the lines of one document, and the items in it.
fn document() -> impl Strategy<Value = (Vec<String>, Vec<(String, Option<Status>)>)> {
    prop::collection::vec(headed(), 1..7).prop_map(|blocks| {
        let mut lines = vec!["# The plan 🚀".to_owned(), String::new()];
        let mut items = Vec::new();
        for (number, block) in blocks.into_iter().enumerate() {
            let number = format!("{}.5", number + 1);
            lines.extend(block.lines.into_iter().map(|l| l.replace("{N}", &number)));
            items.extend(
                block
                    .items
                    .into_iter()
                    .map(|(key, status)| (key.replace("{N}", &number), status)),
            );
        }
        (lines, items)
    })
}

/// A document that plans with lists or a table.
fn listed() -> impl Strategy<Value = Vec<String>> {
    let entry = (
        select(TITLES),
        select(&["[ ]", "[x]", "[X]", "[~]", "✅", "🚧"][..]),
        any::<bool>(),
    );
    let list = prop::collection::vec(entry, 1..8).prop_map(|all| {
        all.into_iter()
            .enumerate()
            .flat_map(|(n, (title, mark, nested))| {
                let mut lines = vec![format!("- {mark} {title} no {n}")];
                lines.extend(nested.then(|| "  - [ ] nested part  ".to_owned()));
                lines
            })
            .collect()
    });
    let row = (select(TITLES), prop::option::of(select(STATUSES)));
    let table =
        prop::collection::vec(row, 1..8).prop_map(|rows| {
            let head = ["| Item | Status |".to_owned(), "|---|:--|".to_owned()];
            head.into_iter()
                .chain(rows.into_iter().enumerate().map(|(n, (title, s))| {
                    format!("| {title} no {n} | {} |", s.map_or("", |s| s.0))
                }))
                .collect()
        });
    prop_oneof![list, table]
        .prop_map(|lines: Vec<String>| [vec!["# Plan".to_owned(), String::new()], lines].concat())
}

/// An outline in which nothing has a status: sections with labelled or numbered headings, or with lists.
fn bare() -> impl Strategy<Value = Vec<String>> {
    let heading = select(
        &[
            "### Phase {N}: {T}",
            "### {N}. {T}",
            "### Step {N}: {T}",
            "**Milestone {N}: {T}**",
            "### Option {N} - {T}",
        ][..],
    );
    let entry = select(&["- {T} no {N}", "{N}. {T} no {N}"][..]);
    let section = (
        prop::collection::vec(select(TITLES), 1..4),
        select(PROSE),
        select(&["Backend", "Frontend", "Done", "Setup", "Summary", "Goals"][..]),
    );
    (
        heading,
        entry,
        any::<bool>(),
        prop::collection::vec(section, 1..4),
    )
        .prop_map(|(heading, entry, lists, sections)| {
            let mut lines = vec!["# Plan".to_owned()];
            let mut number = 0;
            for (titles, prose, section) in sections {
                lines.extend([String::new(), format!("## {section}"), String::new()]);
                for title in titles {
                    number += 1;
                    let form = if lists { entry } else { heading };
                    lines.push(
                        form.replace("{N}", &number.to_string())
                            .replace("{T}", title),
                    );
                    lines.extend((!lists).then(|| prose.to_owned()));
                }
            }
            lines
        })
}

/// Lines with one kind of line end each, with or without the last, and with or without a byte order mark.
fn joined(lines: &[String], ends: &[Index], bom: bool, last: bool, mixed: bool) -> String {
    const ENDS: [&str; 3] = ["\n", "\r\n", "\n"];
    let mut text = if bom {
        "\u{feff}".to_owned()
    } else {
        String::new()
    };
    for (number, line) in lines.iter().enumerate() {
        let end = if mixed {
            &ends[number % ends.len()]
        } else {
            &ends[0]
        };
        text.push_str(line);
        if last || number + 1 < lines.len() {
            text.push_str(ENDS[end.index(ENDS.len())]);
        }
    }
    text
}

prop_compose! {
    fn layout()(ends in prop::collection::vec(any::<Index>(), 7), bom in any::<bool>(), last in any::<bool>(), mixed in any::<bool>()) -> (Vec<Index>, bool, bool, bool) {
        (ends, bom, last, mixed)
    }
}

fn read(text: &str) -> Roadmap {
    parse(text.as_bytes()).unwrap()
}

/// Puts the old bytes outside of the changes beside the new ones, without trusting how the edit was applied.
fn assert_only_changes(old: &[u8], edited: &Edited) {
    let (mut from, mut at) = (0, 0);
    for Change { span, after } in &edited.changes {
        assert!(
            span.start >= from && span.end >= span.start && span.end <= old.len(),
            "changes overlap"
        );
        let kept = &old[from..span.start];
        assert_eq!(&edited.bytes[at..at + kept.len()], kept);
        at += kept.len();
        assert_eq!(&edited.bytes[at..at + after.len()], after.as_bytes());
        at += after.len();
        from = span.end;
    }
    assert_eq!(&edited.bytes[at..], &old[from..]);
    assert_eq!(edited.changed, edited.bytes != old);
}

fn line_ends(bytes: &[u8]) -> usize {
    bytes.iter().filter(|b| **b == b'\n').count()
}

fn own(item: &Item) -> Option<Status> {
    item.status.as_ref().map(|m| m.status)
}

fn assert_status_set(text: &str, target: &ItemKey, to: Status) {
    let old = read(text);
    let edited = set_status(text.as_bytes(), target, to).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_only_changes(text.as_bytes(), &edited);
    let marked = old.item(target).unwrap().status.is_some();
    let new_lines = line_ends(&edited.bytes) - line_ends(text.as_bytes());
    assert!(
        new_lines <= 2 && (!marked || new_lines <= 1),
        "{new_lines} new lines"
    );
    let new = parse(&edited.bytes).unwrap();
    assert_eq!(new.status_of(target), Some(to));
    assert_eq!(old.items.len(), new.items.len());
    for (a, b) in old.items.iter().zip(&new.items) {
        assert_eq!(
            (&a.key, &a.title, a.deliverables.len()),
            (&b.key, &b.title, b.deliverables.len())
        );
        if a.key != *target {
            assert_eq!(own(a), own(b), "{}", a.key);
        }
    }
    let again = set_status(&edited.bytes, target, to).unwrap();
    assert!(!again.changed && again.bytes == edited.bytes);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, rng_seed: RngSeed::Fixed(99), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_item_is_found_and_no_decoy((lines, items) in document(), (ends, bom, last, mixed) in layout()) {
        let text = joined(&lines, &ends, bom, last, mixed);
        let roadmap = read(&text);
        let found: Vec<(String, Option<Status>)> = roadmap.items.iter().map(|i| (i.key.0.clone(), own(i))).collect();
        prop_assert_eq!(found, items, "{}", text);
        let boxes = lines.iter().filter(|l| l.contains("[ ]") || l.contains("[x]")).filter(|l| !l.contains("decoy")).count();
        prop_assert_eq!(roadmap.items.iter().map(|i| i.deliverables.len()).sum::<usize>(), boxes, "{}", text);
    }

    #[test]
    fn a_status_changes_alone_in_headed_documents((lines, _) in document(), (ends, bom, last, mixed) in layout(), which in any::<Index>(), to in select(&Status::ALL[..])) {
        let text = joined(&lines, &ends, bom, last, mixed);
        let items = read(&text).items;
        assert_status_set(&text, &items[which.index(items.len())].key, to);
    }

    #[test]
    fn a_status_changes_alone_in_lists_and_tables(lines in listed(), (ends, bom, last, mixed) in layout(), which in any::<Index>(), to in select(&Status::ALL[..])) {
        let text = joined(&lines, &ends, bom, last, mixed);
        let items = read(&text).items;
        prop_assert!(!items.is_empty(), "{}", text);
        assert_status_set(&text, &items[which.index(items.len())].key, to);
    }

    #[test]
    fn a_bare_outline_can_be_given_its_statuses_one_by_one(lines in bare(), order in prop::collection::vec((any::<Index>(), select(&Status::ALL[..])), 1..5)) {
        let mut text = lines.join("\n");
        let items = read(&text).items;
        for (which, to) in order.into_iter().filter(|_| !items.is_empty()) {
            let target = &items[which.index(items.len())].key;
            assert_status_set(&text, target, to);
            text = String::from_utf8(set_status(text.as_bytes(), target, to).unwrap().bytes).unwrap();
        }
    }

    #[test]
    fn a_deliverable_changes_alone((lines, _) in document(), (ends, bom, last, mixed) in layout(), which in any::<Index>(), done in any::<bool>()) {
        let text = joined(&lines, &ends, bom, last, mixed);
        let old = read(&text);
        let all: Vec<(ItemKey, usize)> = old.items.iter().flat_map(|i| (0..i.deliverables.len()).map(|n| (i.key.clone(), n))).collect();
        prop_assume!(!all.is_empty());
        let (target, number) = &all[which.index(all.len())];
        let edited = set_deliverable(text.as_bytes(), target, &(number + 1).to_string(), done).unwrap();
        assert_only_changes(text.as_bytes(), &edited);
        prop_assert!(edited.changes.len() <= 1 && edited.bytes.len() == text.len());
        let new = parse(&edited.bytes).unwrap();
        for (a, b) in old.items.iter().zip(&new.items) {
            for (n, (x, y)) in a.deliverables.iter().zip(&b.deliverables).enumerate() {
                let expected = if (&a.key, n) == (target, *number) { done } else { x.done };
                prop_assert_eq!((&x.text, expected), (&y.text, y.done));
            }
            prop_assert_eq!(own(a), own(b));
        }
    }

    #[test]
    fn a_persons_edit_between_reading_and_writing_stays((lines, _) in document(), at in any::<Index>(), added in select(PROSE), to in select(&Status::ALL[..])) {
        let target = read(&lines.join("\n")).items[0].key.clone();
        let mut meanwhile = lines.clone();
        meanwhile.insert(at.index(lines.len() + 1), added.to_owned());
        let text = meanwhile.join("\n");
        if let Ok(edited) = set_status(text.as_bytes(), &target, to) {
            assert_only_changes(text.as_bytes(), &edited);
            prop_assert!(String::from_utf8(edited.bytes).unwrap().contains(added));
        }
    }
}

/// Pieces of Markdown and of roadmaps in any order: what people would never write.
fn soup() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "# ",
        "## ",
        "\n",
        "\n\n",
        "\r\n",
        "\r",
        "- ",
        "1. ",
        "[ ] ",
        "[x] ",
        "**",
        "*",
        "`",
        "```",
        "~~~",
        "> ",
        "    ",
        "\t",
        "|",
        "|---|",
        "Status",
        ": ",
        "done",
        "planned",
        "Phase 1",
        "PRIORITY 3.5",
        "Option A",
        "1.1 ",
        "✅",
        "📠",
        "âš ï¸",
        "(",
        ")",
        "[",
        "]",
        "---",
        "===",
        "<!--",
        "-->",
        "~~",
        "Depends on: ",
        "Phase 1-3",
        "all other phases",
        "2-3 weeks",
        "100%",
        "75% ",
        "3/0 done",
        "\u{feff}",
        "\u{0}",
        "é",
        "日本",
        "İ",
        "ſ",
        "\u{301}",
        "\\",
        "&amp;",
        "&#x1F4DD;",
        "<b>",
        "![x](y)",
        "| Item | Status |\n|---|---|\n",
        "| a | |\n",
        "Timeline:",
        "Deliverables:",
        "in progress",
        "(optional)",
        " - ",
        "…",
        "：",
        "1️⃣ ",
    ];
    prop::collection::vec(
        prop_oneof![4 => select(PIECES).prop_map(str::to_owned), 1 => ".{0,6}"],
        0..60,
    )
    .prop_map(|p| p.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, rng_seed: RngSeed::Fixed(99), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_parsed_and_edited_without_harm(text in soup(), to in select(&Status::ALL[..])) {
        let old = read(&text);
        for item in &old.items {
            prop_assert!(old.text_of(&item.key).is_some());
            prop_assert_eq!(old.item(&item.key).map(|i| i.line), Some(item.line));
            prop_assert!(!old.waits_for(&item.key).contains(&item.key));
            if let Ok(edited) = set_status(text.as_bytes(), &item.key, to) {
                assert_only_changes(text.as_bytes(), &edited);
                let new = parse(&edited.bytes).unwrap();
                prop_assert_eq!(new.status_of(&item.key), Some(to), "{:?}", text);
            }
        }
        prop_assert!(old.open_work().iter().all(|i| i.children.is_empty()));
        prop_assert!(old.choices().iter().all(|c| !c.options.is_empty()));
        prop_assert!(old.finished_parents().iter().all(|i| !i.children.is_empty()));
    }

    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(parse(&bytes).is_ok(), std::str::from_utf8(&bytes).is_ok());
    }
}

/// Three megabytes in which every line asks for something; a scan of the rest for each would not end.
#[test]
fn a_large_document_is_parsed() {
    let mut text = String::from("# Plan\n\n");
    for number in 1.. {
        text.push_str(&format!(
            "## Phase {number}: Part\n**Status**: planned\n**Depends on**: Phase {}\n**Dependencies**: all of the above\n\n- [ ] box\n\n{}\n\n",
            number - 1,
            "Words and more words about this part, its reasons and its limits. ".repeat(12)
        ));
        if text.len() > 3_000_000 {
            let roadmap = read(&text);
            assert_eq!(roadmap.items.len(), number);
            assert!(roadmap.items.iter().all(|i| i.deliverables.len() == 1));
            return;
        }
    }
}
