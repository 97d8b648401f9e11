//! Agents of the user's own, good and bad: what is kept of their work, and what is never done with it.

use crate::example::events;
use crate::workshop::{WAIT_FOR, WITNESS, WORK, Workshop, attempts, item, report, why};
use callboard_tests::alive;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What an agent of the user's own may see of their environment, besides `CALLBOARD_*`.
const MINIMAL: [&str; 12] = [
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TERM", "PWD", "OLDPWD", "SHLVL", "_",
    "TMPDIR",
];

fn variables(text: &str) -> BTreeMap<&str, &str> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .collect()
}

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

#[test]
fn an_agent_is_told_its_task_and_nothing_else_of_the_user() {
    let shop = Workshop::new(&[("Alpha part", "\nMake it of `brass`.\n")]);
    let agent = shop.agent(&format!("{WITNESS}{WORK}"));
    let mut command = shop.home.command("callboard");
    command.args([
        "run",
        shop.root.to_str().unwrap(),
        "--json",
        "--agent",
        &agent,
    ]);
    command
        .env("SECRET_CANARY", "feathers")
        .env("CALLBOARD_LOG_LEVEL", "warn")
        .env("GIT_TRACE_SETUP", "0");
    let done = callboard_tests::Running::of(command).finish();
    assert_eq!(done.code, 0, "{done:?}");

    let told = shop.seen("priority-1.1.stdin");
    assert_eq!(
        told,
        shop.seen("priority-1.1.prompt"),
        "standard input and the file say the same"
    );
    let env = shop.seen("priority-1.1.env");
    let env = variables(&env);
    for text in [
        "Alpha part",
        "Make it of `brass`.",
        "`sh test.sh`",
        env["CALLBOARD_REPORT_FILE"],
        "ROADMAP.md",
    ] {
        assert!(told.contains(text), "{text:?} is missing in\n{told}");
    }
    assert!(!told.contains("Earlier attempts"), "{told}");

    assert_eq!(env["CALLBOARD_ITEM"], "priority-1");
    assert_eq!(env["CALLBOARD_TRY"], "1");
    assert_eq!(
        env["CALLBOARD_WORKTREE"],
        shop.seen("priority-1.1.pwd").trim()
    );
    let task = item(&report(&done), "priority-1");
    assert_eq!(env["CALLBOARD_TASK"], task["task"]);
    assert_eq!(env["CALLBOARD_ATTEMPT"], task["attempts"][0]["id"]);
    let given: Vec<&str> = env
        .keys()
        .copied()
        .filter(|name| name.starts_with("CALLBOARD_"))
        .collect();
    assert_eq!(given.len(), 7, "{given:?}");
    let tests = shop.seen("tests.env");
    for vars in [env, variables(&tests)] {
        let own = vars
            .keys()
            .filter(|name| !name.starts_with("CALLBOARD_") && !name.starts_with("LC_"));
        for name in own {
            let tools = ["XDG_", "CARGO_", "RUSTUP_"]
                .iter()
                .any(|prefix| name.starts_with(prefix));
            assert!(tools || MINIMAL.contains(name), "{name} was passed on");
        }
    }
}

#[test]
fn a_variable_is_passed_on_only_when_it_is_named() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let agent = shop.agent(&format!("{WITNESS}{WORK}"));
    let mut command = shop.home.command("callboard");
    command.args([
        "run",
        shop.root.to_str().unwrap(),
        "--agent",
        &agent,
        "--pass-env",
        "SECRET_CANARY",
    ]);
    command
        .env("SECRET_CANARY", "feathers")
        .env("OTHER_CANARY", "fur");
    let done = callboard_tests::Running::of(command).finish();
    assert_eq!(done.code, 0, "{done:?}");
    let env = shop.seen("priority-1.1.env");
    assert_eq!(variables(&env).get("SECRET_CANARY"), Some(&"feathers"));
    assert!(!env.contains("OTHER_CANARY"));
    assert!(
        !shop.seen("tests.env").contains("CANARY"),
        "tests are the project's, not the agent's"
    );
}

#[test]
fn failing_tests_keep_work_out_and_the_next_attempt_is_told() {
    let shop = Workshop::new(&[("Alpha part", "")]).with_origin();
    let agent = format!(
        "{WITNESS}mkdir -p parts\nif [ $CALLBOARD_TRY = 1 ]; then echo BAD >parts/alpha; else echo good >parts/alpha; fi\n"
    );
    let done = shop.run(&agent, &[]);
    assert_eq!(done.code, 0, "{done:?}");
    let alpha = item(&report(&done), "priority-1");
    assert_eq!(attempts(&alpha), ["failed", "done"]);
    let error = alpha["attempts"][0]["error"].as_str().unwrap();
    assert!(
        error.contains("exit code 1") && error.contains("these parts are rotten"),
        "{error}"
    );

    let told = shop.seen("priority-1.2.stdin");
    assert!(
        told.contains("Earlier attempts") && told.contains("these parts are rotten"),
        "{told}"
    );
    let kept = alpha["attempts"][0]["kept"].as_str().unwrap();
    assert!(
        told.contains(kept),
        "the second attempt can look at the first: {told}"
    );
    assert_eq!(shop.git(&["show", &format!("{kept}:parts/alpha")]), "BAD");
    assert_eq!(
        shop.git(&["show", "callboard/integration:parts/alpha"]),
        "good"
    );
    let history = shop.git(&[
        "log",
        "--format=%H",
        "-S",
        "BAD",
        "callboard/integration",
        "--",
        "parts",
    ]);
    assert_eq!(history, "", "bad work is in no commit of the results");
    assert_eq!(
        shop.at_origin(&["branch", "--list", "callboard/priority-1*"])
            .lines()
            .count(),
        1
    );
    shop.assert_tidy();
}

#[test]
fn out_of_retries_an_item_has_failed_and_its_work_is_kept() {
    let shop = Workshop::new(&[
        ("Alpha part", ""),
        ("Beta part", "**Dependency**: PRIORITY 1\n"),
        ("Gamma part", ""),
    ]);
    let agent = format!(
        "{WITNESS}{WORK}[ $CALLBOARD_ITEM = priority-3 ] || echo BAD >>parts/$CALLBOARD_ITEM\n"
    );
    let done = shop.run(&agent, &["--attempts", "2"]);
    assert_eq!(done.code, 2, "{done:?}");
    let report = report(&done);
    let alpha = item(&report, "priority-1");
    assert_eq!(alpha["outcome"], "failed");
    assert_eq!(attempts(&alpha), ["failed", "failed"]);
    for attempt in alpha["attempts"].as_array().unwrap() {
        let kept = attempt["kept"].as_str().unwrap();
        assert!(kept.starts_with("refs/callboard/kept/"), "{kept}");
        assert!(
            shop.git(&["show", &format!("{kept}:parts/priority-1")])
                .contains("BAD")
        );
        assert!(std::fs::read_to_string(attempt["log"].as_str().unwrap()).is_ok());
    }
    let beta = item(&report, "priority-2");
    assert_eq!(
        (&beta["outcome"], attempts(&beta).len()),
        (&"blocked".into(), 0)
    );
    assert!(
        why(&beta).contains("Alpha part") && why(&beta).contains("dead"),
        "{beta}"
    );
    assert_eq!(item(&report, "priority-3")["outcome"], "done");
    assert!(
        shop.results().matches("Planned").count() == 2,
        "{}",
        shop.results()
    );
    shop.assert_tidy();

    // Without being asked to, the next run does not try again.
    let order = shop.seen("order");
    let again = shop.run(&agent, &["--attempts", "2"]);
    assert_eq!(again.code, 2, "{again:?}");
    assert_eq!(shop.seen("order"), order);
}

#[test]
fn without_tests_an_item_fails_and_says_so() {
    let shop = Workshop::of(&[(
        "ROADMAP.md",
        &crate::workshop::roadmap(&[("Alpha part", "")]),
    )]);
    let done = shop.run(WORK, &[]);
    assert_eq!(done.code, 2, "{done:?}");
    let alpha = item(&report(&done), "priority-1");
    assert_eq!(alpha["outcome"], "failed");
    assert_eq!(attempts(&alpha), ["failed"], "trying again would not help");
    let error = alpha["attempts"][0]["error"].as_str().unwrap();
    assert!(
        error.contains("no tests were found") && error.contains("tests.command"),
        "{error}"
    );
    assert!(!error.contains("  "), "{error}");
    shop.assert_tidy();

    let named = shop.run(WORK, &["--retry", "--tests", "test -e parts/priority-1"]);
    assert_eq!(named.code, 0, "{named:?}");
}

#[test]
fn tests_that_ran_nothing_are_no_pass() {
    let text = crate::workshop::roadmap(&[("Alpha part", "")]);
    let shop = Workshop::of(&[
        ("ROADMAP.md", &text),
        ("test.sh", "echo 'Ran 0 tests in 0.000s'; echo; echo OK\n"),
    ]);
    let done = shop.run(WORK, &["--attempts", "1"]);
    assert_eq!(done.code, 2, "{done:?}");
    let alpha = item(&report(&done), "priority-1");
    assert!(
        alpha["attempts"][0]["error"]
            .as_str()
            .unwrap()
            .contains("ran no test"),
        "{alpha}"
    );
    assert_eq!(
        shop.git(&["diff", "--stat", "main", "callboard/integration"]),
        ""
    );
}

#[test]
fn an_agent_that_changes_nothing_has_done_nothing() {
    for (name, script) in [
        ("nothing at all", "cat >/dev/null\n"),
        (
            "the status alone",
            "sed -i 's/📝 Planned/✅ Done/' ROADMAP.md\n",
        ),
        (
            "the status alone, committed",
            "sed -i 's/📝 Planned/✅ Done/' ROADMAP.md\ngit -c user.name=R -c user.email=r@example.org commit -qam 'docs: done'\n",
        ),
    ] {
        let shop = Workshop::new(&[("Alpha part", "")]);
        let done = shop.run(script, &["--attempts", "1"]);
        assert_eq!(done.code, 2, "{name}: {done:?}");
        let alpha = item(&report(&done), "priority-1");
        let error = alpha["attempts"][0]["error"].as_str().unwrap();
        assert!(error.contains("changed nothing"), "{name}: {error}");
        assert_eq!(
            shop.git(&["diff", "--stat", "main", "callboard/integration"]),
            "",
            "{name}"
        );
        shop.assert_tidy();
    }
}

#[test]
fn an_agent_that_fails_is_quoted() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let done = shop.run(
        &format!("{WORK}echo 'out of tokens'\nexit 3\n"),
        &["--attempts", "1"],
    );
    assert_eq!(done.code, 2, "{done:?}");
    let alpha = item(&report(&done), "priority-1");
    let error = alpha["attempts"][0]["error"].as_str().unwrap();
    assert!(
        error.contains("exit code 3") && error.contains("out of tokens"),
        "{error}"
    );
    let log = std::fs::read_to_string(alpha["attempts"][0]["log"].as_str().unwrap()).unwrap();
    assert!(log.contains("out of tokens"), "{log}");
    let kept = alpha["attempts"][0]["kept"].as_str().unwrap();
    assert_eq!(
        shop.git(&["show", &format!("{kept}:parts/priority-1")]),
        "priority-1"
    );
    shop.assert_tidy();
}

#[test]
fn an_agent_that_cannot_be_started_is_an_error_that_names_it() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let root = shop.root.to_str().unwrap();
    let done = shop.home.callboard(&[
        "run",
        root,
        "--json",
        "--attempts",
        "1",
        "--agent",
        "no-such-agent -p",
    ]);
    // A slip of the call, told once and before anything is posted.
    assert_eq!(done.code, 1, "{done:?}");
    let said = events(&done).pop().unwrap();
    assert_eq!(said["event"], "error", "{said}");
    assert!(
        said["error"].as_str().unwrap().contains("no-such-agent"),
        "{said}"
    );
    assert_eq!(
        shop.home
            .git(&shop.root, &["for-each-ref", "refs/callboard"]),
        ""
    );
}

/// Children in sessions of their own, with and without a living parent, deaf to every polite signal.
const DAEMONS: &str = r#"
cat >"$HOME/daemon.sh" <<'END'
trap '' TERM HUP INT
echo $$ >>"$HOME/seen/pids"
while :; do sleep 0.2; done
END
mkdir -p "$HOME/seen"
setsid sh "$HOME/daemon.sh" >/dev/null 2>&1 &
( ( setsid sh "$HOME/daemon.sh" >/dev/null 2>&1 & ) & )
env -i setsid sh -c "HOME='$HOME'; export HOME; exec setsid sh '$HOME/daemon.sh'" >/dev/null 2>&1 &
until [ "$(wc -l <"$HOME/seen/pids" 2>/dev/null || echo 0)" -eq 3 ]; do sleep 0.02; done
"#;

fn assert_all_gone(shop: &Workshop) {
    let pids: Vec<u32> = shop
        .seen("pids")
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    assert_eq!(pids.len(), 3);
    for pid in pids {
        assert!(!alive(pid), "{pid} still lives");
    }
}

#[test]
fn an_agent_that_hangs_is_ended_with_all_it_started() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let agent = format!("{DAEMONS}{WORK}trap '' TERM HUP INT\nwhile :; do sleep 0.2; done\n");
    let done = shop.run(&agent, &["--timeout", "2s", "--attempts", "1"]);
    assert_eq!(done.code, 2, "{done:?}");
    let alpha = item(&report(&done), "priority-1");
    assert_eq!(attempts(&alpha), ["timed_out"]);
    let error = alpha["attempts"][0]["error"].as_str().unwrap();
    assert!(error.contains("still running after"), "{error}");
    assert!(
        shop.git(&[
            "show",
            &format!(
                "{}:parts/priority-1",
                alpha["attempts"][0]["kept"].as_str().unwrap()
            )
        ]) == "priority-1"
    );
    assert_all_gone(&shop);
    shop.assert_tidy();
}

#[test]
fn an_agent_that_leaves_a_daemon_leaves_nothing() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let done = shop.run(&format!("{DAEMONS}{WORK}"), &[]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(item(&report(&done), "priority-1")["outcome"], "done");
    assert_all_gone(&shop);
    shop.assert_tidy();
}

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
        let shop = Workshop::of(&[("ROADMAP.md", plan), ("test.sh", crate::workshop::TESTS)]);
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
fn a_report_that_is_no_report_is_told_to_the_agent() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let agent =
        format!("{WITNESS}{WORK}[ $CALLBOARD_TRY = 2 ] || echo '{{' >\"$CALLBOARD_REPORT_FILE\"\n");
    let done = shop.run(&agent, &[]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(
        attempts(&item(&report(&done), "priority-1")),
        ["failed", "done"]
    );
    assert!(
        shop.seen("priority-1.2.stdin")
            .contains("is not the JSON that was asked for")
    );
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
    let text = crate::workshop::roadmap(&[("Alpha part", ""), ("Beta part", "")]);
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
    let text = crate::workshop::roadmap(&[("Alpha part", ""), ("Beta part", "")]);
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
    let text = crate::workshop::roadmap(&[("Alpha part", ""), ("Beta part", "")]);
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
    let text = crate::workshop::roadmap(&[
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
    let shop = Workshop::of(&[("ROADMAP.md", text), ("test.sh", crate::workshop::TESTS)]);
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

#[test]
fn an_agent_that_talks_without_end_fills_no_disk() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let done = shop.run(
        &format!("{WORK}echo first\nyes | head -c 60000000\necho last\n"),
        &[],
    );
    assert_eq!(done.code, 0, "{done:?}");
    let alpha = item(&report(&done), "priority-1");
    let log = std::fs::read(alpha["attempts"][0]["log"].as_str().unwrap()).unwrap();
    assert!(log.len() < 20_000_000, "{} bytes", log.len());
    assert!(log.starts_with(b"first\n"));
    assert!(
        String::from_utf8_lossy(&log[log.len() - 200..]).contains("last"),
        "its end matters most"
    );
}

#[test]
fn a_hook_that_refuses_is_quoted() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let hook = shop.root.join(".git/hooks/pre-commit");
    shop.home.write(
        &hook,
        "#!/bin/sh\ntest -e parts/licence || { echo 'no licence, no commit' >&2; exit 1; }\n",
    );
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let done = shop.run(
        &format!("{WITNESS}{WORK}[ $CALLBOARD_TRY = 1 ] || : >parts/licence\n"),
        &[],
    );
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(
        attempts(&item(&report(&done), "priority-1")),
        ["failed", "done"]
    );
    assert!(
        shop.seen("priority-1.2.stdin")
            .contains("no licence, no commit")
    );
    shop.assert_tidy();
}

#[test]
fn a_push_that_is_refused_is_a_failure_and_the_work_is_kept() {
    let shop = Workshop::new(&[("Alpha part", "")]).with_origin();
    let hook = shop.origin().join("hooks/pre-receive");
    shop.home
        .write(&hook, "#!/bin/sh\necho 'the gate is closed' >&2\nexit 1\n");
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let done = shop.run(WORK, &["--attempts", "1"]);
    assert_eq!(done.code, 2, "{done:?}");
    let alpha = item(&report(&done), "priority-1");
    let error = alpha["attempts"][0]["error"].as_str().unwrap();
    assert!(
        error.contains("refused") && error.contains("the gate is closed"),
        "{error}"
    );
    let kept = alpha["attempts"][0]["kept"].as_str().unwrap();
    assert_eq!(
        shop.git(&["show", &format!("{kept}:parts/priority-1")]),
        "priority-1"
    );
    assert!(
        !shop.results().contains("✅"),
        "nothing is done that is not pushed"
    );
    shop.assert_tidy();

    std::fs::remove_file(hook).unwrap();
    let retried = shop.run(WORK, &["--retry"]);
    assert_eq!(retried.code, 0, "{retried:?}");
    assert_eq!(
        shop.at_origin(&["show", "callboard/integration:parts/priority-1"]),
        "priority-1"
    );
}
