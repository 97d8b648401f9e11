//! Agents that do what they are asked: whose commits, which name, which branch.

use crate::workshop::{WITNESS, Workshop, attempts, item, report};
use std::collections::BTreeSet;

fn two() -> Workshop {
    Workshop::new(&[
        (
            "Alpha part",
            "\nThe first of them.\n\n- [ ] the alpha part\n- [ ] its manual\n",
        ),
        ("Beta part", "\nThe second of them.\n"),
    ])
}

/// Alpha commits by itself, beta leaves its work in its files; both report.
const HONEST: &str = r#"
mkdir -p parts
echo "$CALLBOARD_ITEM" >"parts/$CALLBOARD_ITEM"
if [ "$CALLBOARD_ITEM" = priority-1 ]; then
    git add -A
    git -c user.name=Robot -c user.email=robot@example.org commit -q -m 'feat: my own commit'
    git rev-parse HEAD >"$at.own"
    echo more >>parts/priority-1
    printf '{"deliverables": ["the alpha part"], "commit": {"type": "docs", "subject": "Explain alpha."}}' >"$CALLBOARD_REPORT_FILE"
else
    printf '{"summary": "Beta is there.", "commit": {"type": "fix", "scope": "parts", "subject": "add the beta part"}}' >"$CALLBOARD_REPORT_FILE"
fi
"#;

#[test]
fn an_agent_of_the_users_own_works_two_items() {
    let shop = two().with_origin();
    shop.home
        .write(&shop.root.join("notes.txt"), "not committed\n");
    let before = shop.checkout();
    let main = shop.git(&["rev-parse", "main"]);
    let done = shop.run(&format!("{WITNESS}{HONEST}"), &[]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(shop.checkout(), before, "the user's checkout is theirs");

    let report = report(&done);
    for key in ["priority-1", "priority-2"] {
        let item = item(&report, key);
        assert_eq!(item["outcome"], "done", "{item}");
        assert_eq!(attempts(&item), ["done"]);
        let branch = item["branch"].as_str().unwrap();
        let pushed = shop.at_origin(&["rev-parse", branch]);
        let tip = shop.at_origin(&["rev-parse", "callboard/integration"]);
        shop.at_origin(&["merge-base", "--is-ancestor", &pushed, &tip]);
        assert_eq!(
            shop.at_origin(&["show", &format!("{tip}:parts/{key}")])
                .lines()
                .next(),
            Some(key)
        );
    }
    assert_eq!(shop.at_origin(&["rev-parse", "main"]), main);
    assert_eq!(
        shop.git(&["rev-parse", "callboard/integration"]),
        shop.at_origin(&["rev-parse", "callboard/integration"])
    );
    let names = shop.at_origin(&["branch", "--format=%(refname:short)"]);
    assert_eq!(
        names.lines().count(),
        4,
        "two of results, main, integration: {names}"
    );
    shop.assert_tidy();
}

#[test]
fn commits_are_named_as_the_agent_wishes_and_its_own_are_kept() {
    let shop = two();
    let done = shop.run(&format!("{WITNESS}{HONEST}"), &[]);
    assert_eq!(done.code, 0, "{done:?}");
    let own = shop.seen("priority-1.1.own");
    shop.git(&[
        "merge-base",
        "--is-ancestor",
        own.trim(),
        "callboard/integration",
    ]);
    let log = shop.git(&[
        "log",
        "--no-merges",
        "--format=%s",
        "main..callboard/integration",
    ]);
    let subjects: BTreeSet<&str> = log.lines().collect();
    for wanted in ["feat: my own commit", "fix(parts): add the beta part"] {
        assert!(subjects.contains(wanted), "{log}");
    }
    assert!(
        subjects.iter().any(|subject| subject.starts_with("docs: ")),
        "{log}"
    );
    for line in shop
        .git(&["log", "--format=%s", "main..callboard/integration"])
        .lines()
    {
        let kind = line.split([':', '(']).next().unwrap();
        assert!(["feat", "fix", "docs", "chore"].contains(&kind), "{line}");
    }
    let beta = shop.git(&[
        "log",
        "--format=%b",
        "--grep=add the beta part",
        "--no-merges",
        "callboard/integration",
    ]);
    assert!(
        beta.contains("Beta is there.") && beta.contains("Callboard-Item: priority-2"),
        "{beta}"
    );

    // Only what was reported is ticked; both items say that they are done.
    let results = shop.results();
    assert!(results.contains("- [x] the alpha part"), "{results}");
    assert_eq!(results.matches("Planned").count(), 0, "{results}");
    assert_eq!(results.matches("✅").count(), 2, "{results}");
}
